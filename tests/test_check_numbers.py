"""Classes of checks, and the verdicts that are recorded of them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from nmc import checks, published, recomputed
from nmc.check_classes import CLASSES, as_rows
from nmc.cli import group
from nmc.errors import FormatError, SourceError, UnknownNameError

CHEAP = ["cells/steps", "sheets/balance", "claims/sheets"]


def test_each_class_says_how_far_and_why():
    assert len({one.name for one in CLASSES}) == len(CLASSES)
    assert all(one.tolerance and one.because and one.behind for one in CLASSES)
    assert not {one.name for one in CLASSES} & set(published.claims())


def test_a_number_agrees_within_its_tolerance_and_a_missing_one_does_not():
    rows = as_rows(["a", "b", "c"], [1.0, 1.0, 1.0], [1.1, 1.2, np.nan], 0.1, reason="tried")
    assert rows["agrees"].tolist() == [True, False, False]
    assert rows["reason"].tolist() == ["", "tried", "tried"]


def test_rows_keep_their_places_whatever_index_they_come_with():
    printed = pd.Series([1.0, 2.0], index=[7, 3])
    found = pd.Series([1.0, 3.0], index=[3, 7])
    rows = as_rows(["a", "b"], printed, found, 0.0, reason=pd.Series(["x", "y"], index=[9, 8]))
    assert rows["agrees"].tolist() == [True, False] and rows["reason"].tolist() == ["", "y"]


def test_invented_data_and_classes_without_any_say_so():
    table = checks.check_numbers([*CHEAP, "nulls/er", "scoreboard/input_resistance_MOhm"])
    assert (table.loc[CHEAP, "note"] == "invented data").all()
    assert (table.loc[CHEAP, "checks"] > 0).all()
    others = table.drop(index=CHEAP)
    assert (others["checks"] == 0).all()
    assert others["note"].str.startswith("nothing on this source").all()
    with pytest.raises(SourceError, match="portal's files only"):
        checks.keep(table)
    with pytest.raises(UnknownNameError, match="sheets/balance"):
        checks.check_numbers(["sheets/balnce"])


def test_a_wrong_sheet_is_found(monkeypatch):
    import nmc

    right = nmc.load_pathways

    def wrong():
        table = right()
        table.loc[0, "convergence_mean"] = 10 * table.loc[0, "convergence_mean"] + 5
        return table

    monkeypatch.setattr(nmc, "load_pathways", wrong, raising=False)
    line = checks.check_numbers(["sheets/balance"]).iloc[0]
    assert line["agree"] == line["checks"] - 1 and sum(line["reasons"].values()) == 1


def test_the_command_tells_one_line_a_class_and_the_same_as_json():
    run = CliRunner().invoke(group, ["checks", *CHEAP])
    assert run.exit_code == 0, run.output
    lines = run.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == CHEAP and len(lines) == 6
    told = json.loads(CliRunner().invoke(group, ["checks", "--json", *CHEAP]).stdout)
    assert [row["class"] for row in told] == CHEAP
    assert f"{told[0]['agree']:,} of {told[0]['checks']:,} agree" in lines[0]


# -- recorded verdicts ----------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A recorded table of one class, with a claim and a vector among its items."""
    place = tmp_path / "verdicts.parquet"
    monkeypatch.setattr(recomputed, "table_file", lambda _: place)
    items = {"circuit/neurons": [31346.0, True], "x[1]": [2.0, False], "x[0]": [1.0, True]}
    row = {"class": "claims/sheets", "checks": 3, "agree": 2, "items": items, "reasons": {"r": 1},
           "modules": ["nmc.numbers"], "alone": ["nmc.units"], "files": {"sheet/layers": "0" * 64},
           "neuron": "9"}  # fmt: skip
    recomputed.keep_verdicts(pd.DataFrame([row]))
    return place


def test_what_was_recorded_stands_beside_what_any_source_gives(table):
    told = recomputed.recorded("circuit/neurons")
    assert (told.values, told.agree, told.checks, told.stale) == ((31346.0,), 1, 1, "")
    vector = recomputed.recorded("x")
    assert vector.values == (1.0, 2.0) and vector.text.startswith("differs")
    assert recomputed.recorded("claims/sheets")[:3] == ((2,), 3, 2)
    assert recomputed.recorded("circuit/mtypes") is None
    row = published.compare({"circuit/neurons": 5}).iloc[0]
    assert row["recorded"].startswith("31,346 (agrees")
    assert "31,346 (agrees" in published.compare({"circuit/neurons": 5})._repr_html_()


def test_a_stale_verdict_says_why(table, monkeypatch):
    def stale() -> str:
        return recomputed.recorded("circuit/neurons").stale

    changed = pd.read_parquet(table)
    changed.assign(version="0.0.1").to_parquet(table)
    assert stale() == "made by version 0.0.1"
    changed.assign(code_sha256="other").to_parquet(table)
    assert stale() == "made by other code"
    changed.assign(modules='["nmc.a_module_that_is_gone"]').to_parquet(table)
    assert stale() == "made by other code"
    changed.assign(files='{"sheet/layers": "1"}').to_parquet(table)
    assert "damaged" in stale()
    changed.to_parquet(table)
    assert stale() == ""
    monkeypatch.setattr(recomputed, "files_of", lambda _: {"sheet/layers": "f" * 64})
    assert stale() == "made from other files (sheet/layers)"
    text = published.compare({"circuit/neurons": 5})["recorded"].iloc[0]
    assert "stale: made from other files" in text and "agrees" not in text


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", b"no table at all"])
def test_a_damaged_table_is_told_and_never_used(table, damage):
    table.write_bytes(damage)
    with pytest.raises(FormatError):
        recomputed.load_verdicts()
    assert "cannot be read" in published.compare({"circuit/neurons": 5})["recorded"].iloc[0]


def test_a_table_of_another_version_is_told(table):
    pd.read_parquet(table).drop(columns="files").to_parquet(table)
    assert "of another version" in recomputed.recorded("circuit/neurons").stale


def test_the_committed_verdicts_stand_and_are_of_every_class_that_has_data():
    rows = recomputed.load_verdicts().set_index("class")
    assert set(rows.index) <= {one.name for one in CLASSES}
    assert (rows["stale"] == "").all(), rows["stale"].to_dict()
    computed = [one.name for one in CLASSES if one.computed and one.name in rows.index]
    assert rows.loc[computed, "checks"].sum() >= 2500


@pytest.mark.real
def test_numbers_of_the_real_files_agree_and_each_other_has_a_reason(mirror, monkeypatch):
    """Cheap classes afresh; the counts are those that others found in the same files."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    slow = ("scoreboard", "cells/", "pathways", "morphometrics", "connectome", "nulls", "neuroml")
    names = [one.name for one in CLASSES if not one.name.startswith(slow) and not one.slow]
    table = checks.check_numbers(names)
    assert table["note"].eq("").all()
    assert table.filter(like="synapses/", axis=0)["checks"].sum() == 1180
    assert table.loc["sheets/balance", ["checks", "agree"]].tolist() == [1932, 1932]
    every = table[table["computed"] & table["known"]]
    assert every["agree"].sum() >= 0.97 * every["checks"].sum()
    assert "not explained" not in {reason for row in table["reasons"] for reason in row}


@pytest.mark.real
def test_a_sample_of_each_recorded_class_comes_back(mirror, monkeypatch):
    """What was recorded is computed again where the mirror is present, a few models of each."""
    from nmc.check_classes import Source

    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    kept = recomputed.load_verdicts().set_index("class")
    some = ["L1_HAC_cNAC187_1", "L4_SBC_dNAC222_1", "L5_TTPC1_cADpyr232_1"]
    monkeypatch.setattr(Source, "models", some)
    compared = 0
    for one in CLASSES:
        if one.slow or one.name not in kept.index or one.name.startswith(("nulls", "connectome")):
            continue
        if kept.loc[one.name, "stale"]:
            continue
        items = json.loads(kept.loc[one.name, "items"])
        for row in one.rows(Source()).query("count == 1").itertuples():
            value = items[row.item][0]
            same = np.isnan(row.recomputed) if value is None else np.isclose(row.recomputed, value)
            assert same, (one.name, row.item)
            compared += 1
    assert compared > 500
