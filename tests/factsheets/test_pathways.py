from __future__ import annotations

import nmc
import pandas as pd
import pytest
from nmc.errors import FormatError
from nmc.factsheets.schema import read_json


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
    ],
)
def test_a_file_that_is_no_json_object(tmp_path, text, words):
    file = tmp_path / "sheet.json"
    file.write_text(text)
    with pytest.raises(FormatError, match=words) as caught:
        read_json(file)
    assert "sheet.json" in str(caught.value)


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
