from __future__ import annotations

import json
from pathlib import Path

import nmc
import pandas as pd
import pytest
from nmc import names
from nmc.data.registry import item


@pytest.fixture(scope="module")
def real_findings(mirror):
    """Run the checks on the real files once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NMC_SOURCE", str(mirror))
        return nmc.check_factsheets()


def finding(table, file, item):
    rows = table[(table["file"] == file) & (table["item"] == item)]
    assert len(rows) == 1, f"{file}, {item}: {len(rows)} findings"
    return rows.iloc[0]


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "item", "found", "expected"),
    [
        ("sheet/layers", "L6_BP", 7, 70),
        ("sheet/circuit", "No. of neurons per layer", 31283, 31346),
        (
            "sheet/circuit",
            "No. of unique types of synaptic connections between m-types",
            1941,
            1932,
        ),
        (
            "sheet/circuit",
            "No. of unique types of synaptic connections between me-types",
            27625,
            24702,
        ),
        ("page/pathways", "filled pages", 2298, 1932),
        ("page/pathways", "L1_SLAC, L1_DLAC", 86, 0),
        ("tree/pathways_list", "pathways", 2388, 1932),
        ("sheet/layers", "number of viable pathways", "116/375/425/537/488", "158/411/478/498/387"),
        ("page/pathways", "L23_BTC:L5_BP", "58", 57),
    ],
)
def test_finds_what_is_known_of_the_real_files(real_findings, file, item, found, expected):
    row = finding(real_findings, file, item)
    assert (row["found"], row["expected"]) == (found, expected)


@pytest.mark.real
def test_no_list_of_pathways_explains_the_number_between_metypes(mirror):
    """Straight from the lists and the names: what a finding calls unexplained really is."""
    n = {mtype: len(names.etypes_of(mtype)) for mtype in names.MTYPES}
    for name, expected in (("pathways_list", 33781), ("pathways_list_2", 24702)):
        listed = json.loads((mirror / item(f"tree/{name}").path).read_text())
        pairs = [[names.canonical_mtype(end) for end in key.split(":")] for key in listed]
        assert sum(n[pre] * n[post] for pre, post in pairs) == expected


@pytest.mark.real
def test_finds_the_half_of_layer_23_and_its_odd_keys(real_findings):
    rows = real_findings[
        (real_findings["file"] == "sheet/layers") & (real_findings["item"] == "L23")
    ]
    assert set(rows["check"]) == {"half a layer", "spelling of keys", "e-type counts"}


@pytest.mark.real
def test_finds_that_etype_and_mtype_totals_disagree_in_every_layer(real_findings):
    rows = real_findings[real_findings["check"] == "e-type counts"].set_index("item")
    assert list(rows.index) == ["L1", "L23", "L4", "L5", "L6"]
    assert rows["found"].sum() == 31000 and rows["expected"].sum() == 31346


@pytest.mark.real
def test_finds_the_swapped_channel_sheets(real_findings):
    rows = real_findings[real_findings["check"] == "sheet and package densities"]
    layers = rows["file"].str.extract(r"page/metype/(L\d+)_")[0]
    assert layers.value_counts().to_dict() == {"L6": 5, "L5": 4}
    for layer, other in (("L5", "cADpyr231"), ("L6", "cADpyr232")):
        assert rows.loc[layers == layer, "remark"].str.contains(f"exactly .* {other}").all()


@pytest.mark.real
def test_finds_excitatory_synapses_of_inhibitory_cells(real_findings):
    row = finding(real_findings, "sheet/pathways_physiology", "L6_LBC")
    assert row["found"] == "12 of 40 pathways" and row["expected"] == "Inhibitory"


@pytest.mark.real
def test_finds_facilitating_classes_whose_numbers_depress(real_findings):
    rows = real_findings[real_findings["check"] == "class of synapses"].set_index("item")
    assert rows["found"].to_dict() == {
        "I1": "93 of 95 pathways", "E2": "22 of 527 pathways", "I2": "24 of 1215 pathways",
    }  # fmt: skip


@pytest.mark.real
def test_compares_every_value_of_every_pathway_with_its_page(real_findings):
    compared = real_findings.attrs["compared"]
    assert compared["pathway JSON and page"] == 1932 * (9 + 22) + 2
    rows = real_findings[real_findings["check"] == "pathway JSON and page"]
    assert len(rows) == 2 + 5  # the two about pages as such, and five values


def test_finds_exactly_what_is_planted_in_the_sample(monkeypatch):
    planted = pd.read_csv(Path(__file__).parents[2] / "tools/sample/planted.csv")
    monkeypatch.setenv("NMC_SOURCE", "sample")
    found = nmc.check_factsheets()
    assert sorted(zip(found["file"], found["item"], strict=True)) == sorted(
        zip(planted["file"], planted["item"], strict=True)
    )
