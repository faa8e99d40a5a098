from __future__ import annotations

import sys

import nmc
import pandas as pd
import pytest
from nmc.data.registry import item
from nmc.errors import FormatError, MissingFileError
from nmc.factsheets.sheets import once, read_json


def test_joins_both_files_under_canonical_names(two_pathways):
    two_pathways()
    table = nmc.load_pathways()
    assert list(zip(table["pre"], table["post"], strict=True)) == [
        ("L1_SLAC", "L1_DLAC"), ("L5_TTPC1", "L5_MC"),
    ]  # fmt: skip
    assert table["pre"].cat.ordered and len(table["pre"].cat.categories) == 55
    assert table["s_type"].tolist() == ["E2", "E2"]


def test_a_factor_in_words_is_a_missing_number(two_pathways):
    two_pathways()
    table = nmc.load_pathways().set_index("pre")
    assert table["space_clamp_correction_factor"].dtype == "Float64"
    assert table.loc["L1_SLAC", "space_clamp_correction_factor"] is pd.NA
    assert not table.loc["L1_SLAC", "conductance_measured"]
    assert table.loc["L5_TTPC1", "space_clamp_correction_factor"] == 5.1
    assert table.loc["L5_TTPC1", "conductance_measured"]


KEY = "L5_TTPC1:L5_MC"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a, p: a[KEY].update(connection_probability=140), [KEY, "probability", "140"]),
        (lambda a, p: a[KEY].update(connection_probability="many"), [KEY, "probability", "many"]),
        (lambda a, p: a[KEY].update(connection_probability=None), [KEY, "probability", "missing"]),
        (lambda a, p: a[KEY].update(total_synapse_count=1.5), [KEY, "total_synapse_count", "1.5"]),
        (lambda a, p: a[KEY].update(surprise=1), ["surprise"]),
        (lambda a, p: a[KEY].pop("common_neighbor_bias"), [KEY, "common_neighbor_bias"]),
        (lambda a, p: a.update({KEY: [1]}), [KEY, "object"]),
        (lambda a, p: a.update({"L5_TTPC9:L5_MC": a[KEY]}), ["L5_TTPC9"]),
        (lambda a, p: a.update({"L5_TTPC1": a[KEY]}), ["pre:post"]),
        (lambda a, p: a.pop(KEY), [KEY, "only one"]),
        (lambda a, p: p[KEY].update(synapse_type="Magic"), [KEY, "synapse_type", "Magic"]),
        (lambda a, p: p[KEY].update(u_mean=1.5), [KEY, "u_mean", "1.5"]),
        (lambda a, p: p[KEY].update(failures_mean=-1), [KEY, "failures_mean", "-1"]),
        (lambda a, p: p[KEY].update(space_clamp_correction_factor="?"), [KEY, "space_clamp", "?"]),
        (lambda a, p: p[KEY].update(space_clamp_correction_factor=None), [KEY, "space_clamp"]),
        (lambda a, p: p[KEY].update(synapse_type=[]), [KEY, "synapse_type", "[]"]),
        (lambda a, p: a[KEY].update(total_synapse_count=1e30), [KEY, "total_synapse", "1e+30"]),
        (lambda a, p: a[KEY].update(common_neighbor_bias=True), [KEY, "neighbor_bias", "True"]),
        (lambda a, p: a[KEY].update(common_neighbor_bias="1_000"), [KEY, "neighbor_bias", "1_000"]),
        (lambda a, p: p[KEY].update(d_mean=float("nan")), [KEY, "d_mean", "nan"]),
        (lambda a, p: a.update({"L1_SLAC:L1_DLAC": a[KEY]}), ["L1_SLAC:L1_DLAC", "two spellings"]),
    ],
)
def test_the_unexpected_names_file_key_and_value(two_pathways, spoil, words):
    two_pathways(spoil)
    with pytest.raises(FormatError) as caught:
        nmc.load_pathways()
    for word in ["pathways_", ".json", *words]:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "object is expected"),
        ('{"a": 1, "a": 2}', "'a' occurs more than once"),
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"a": ' + "9" * 5000 + "}", "no JSON"),
    ],
)
def test_a_file_that_is_no_json_object(tmp_path, text, words):
    file = tmp_path / "sheet.json"
    file.write_text(text)
    with pytest.raises(FormatError, match=words) as caught:
        read_json(file)
    assert "sheet.json" in str(caught.value)


def test_of_files_that_were_read_only_digests_are_kept(tmp_path):
    given = []

    @once
    def parse(*paths_and_contents):
        given.extend(paths_and_contents[2:])
        return b"".join(paths_and_contents[2:])

    paths = [tmp_path / name for name in "ab"]
    for text, path in zip(("one text", "another"), paths, strict=True):
        path.write_text(text)
    assert parse(*paths) == parse(*paths) == b"one textanother" and len(given) == 2
    assert [sys.getrefcount(content) for content in given] == [3, 3]  # the list, the loop, the call
    paths[1].write_text("changed")
    assert parse(*paths) == b"one textchanged" and len(given) == 4


def test_a_second_call_reads_nothing_again_and_returns_a_table_of_its_own(two_pathways):
    two_pathways()
    first = nmc.load_pathways()
    first.loc[0, "convergence_mean"] = -1.0
    assert nmc.load_pathways().loc[0, "convergence_mean"] == 51
    two_pathways(lambda a, p: a[KEY].update(number_of_convergent_neuron_mean=52))
    second = nmc.load_pathways().set_index("pre")
    assert second.loc["L5_TTPC1", "convergence_mean"] == 52


def test_files_on_disk_are_read_without_a_source(two_pathways, tmp_path, monkeypatch):
    two_pathways()
    paths = [
        tmp_path / item("sheet/pathways_anatomy").path,
        tmp_path / item("sheet/pathways_physiology").path,
    ]
    expected = nmc.load_pathways()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("NMC_SOURCE", str(tmp_path / "elsewhere"))
    assert nmc.load_pathways(*map(str, paths)).equals(expected)
    with pytest.raises(MissingFileError, match="none.json"):
        nmc.load_pathways(tmp_path / "none.json", paths[1])


def test_matrix_keeps_rows_presynaptic(two_pathways):
    two_pathways()
    matrix = nmc.pathway_matrix(nmc.load_pathways(), "convergence_mean")
    assert matrix.shape == (55, 55) and matrix.notna().sum().sum() == 2
    assert matrix.loc["L5_TTPC1", "L5_MC"] == 51
    assert pd.isna(matrix.loc["L5_MC", "L5_TTPC1"])


def test_totals_multiply_convergence_with_receivers(two_pathways):
    two_pathways()
    neurons = pd.DataFrame({"mtype": ["L5_MC", "L1_DLAC"], "n_neurons": [395, 24]})
    totals = nmc.compute_totals(nmc.load_pathways(), neurons)
    assert totals["connections"] == 51 * 395 + 51 * 24
    assert totals["synapses"] == pytest.approx(6 * totals["connections"])
