"""Recorded rows: merged in one piece, stale when what made them has changed."""

from __future__ import annotations

import json

import nmc
import pandas as pd
import pytest
from nmc import recomputed
from nmc.data import registry
from nmc.errors import FormatError, SimulationError, UnknownNameError
from nmc.scoreboard import summarise


def rows(model="L1_HAC_cNAC187_1", value=1.0, **other) -> pd.DataFrame:
    row = {
        "model": model, "protocol": "rest", "settings": "{}", "package_sha256": "a",
        "code_sha256": "c", "neuron": "9.0.2", "value": value,
    }  # fmt: skip
    return pd.DataFrame([row | other])


def test_a_newer_row_of_the_same_run_replaces_the_kept_one(own_tables):
    file = own_tables / "models.parquet"
    recomputed.keep_rows("models", rows(value=1.0))
    recomputed.keep_rows("models", rows("L4_SBC_dNAC222_1", value=2.0))
    recomputed.keep_rows("models", rows(value=3.0))
    recomputed.keep_rows("models", rows(value=4.0, neuron="8.2.7"))
    kept = pd.read_parquet(file)
    assert kept["value"].tolist() == [4.0, 3.0, 2.0]
    assert list(own_tables.iterdir()) == [file]


def test_a_row_that_does_not_say_what_made_it_is_refused_and_nothing_is_lost(own_tables):
    file = own_tables / "models.parquet"
    recomputed.keep_rows("models", rows())
    before = file.read_bytes()
    with pytest.raises(FormatError, match="code_sha256"):
        recomputed.keep_rows("models", rows().drop(columns="code_sha256"))
    with pytest.raises(FormatError, match="nothing was recorded"):
        recomputed.keep_rows("models", rows(model=None))
    with pytest.raises((TypeError, ValueError, OverflowError)):  # cannot be written as Parquet
        recomputed.keep_rows("models", rows(value=object()))
    assert file.read_bytes() == before and list(own_tables.iterdir()) == [file]


def test_a_damaged_table_is_named(own_tables):
    file = own_tables / "models.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(FormatError, match="models.parquet"):
        recomputed.keep_rows("models", rows())
    with pytest.raises(UnknownNameError, match="models"):
        recomputed.load_kept("model")


def test_a_row_is_stale_when_one_of_its_makings_is_another():
    both = pd.concat([rows(), rows(code_sha256="old", neuron="8.2.7")], ignore_index=True)
    marked = recomputed.mark_stale(both, {"code_sha256": "c", "neuron": "9.0.2"})
    assert marked["stale"].tolist() == [False, True]
    assert marked["stale_because"].tolist() == ["", "code, NEURON"]
    assert "stale" not in both


def test_rows_are_stamped_only_when_a_sample_run_again_gives_the_same(own_tables):
    file = own_tables / "models.parquet"
    kept = pd.concat([
        rows(value=1.0, code_sha256="old"),
        rows("L4_SBC_dNAC222_1", value=2.0, code_sha256="old"),
        rows(value=3.0, code_sha256="old", settings='{"mode": "other"}'),
        rows(value=4.0, code_sha256="old", neuron="8.2.7"),
    ])  # fmt: skip
    recomputed.keep_rows("models", kept)
    today = {"code_sha256": "new", "neuron": "9.0.2"}
    for wrong in ({"value": 1.001}, {"value": float("nan")}, {"error": "SimulationError: died"}):
        with pytest.raises(SimulationError, match="L1_HAC_cNAC187_1.*nothing was stamped"):
            again = rows(**{"error": None, **wrong})
            recomputed.restamp("models", again, today)
    assert set(pd.read_parquet(file)["code_sha256"]) == {"old"}
    with pytest.raises(FormatError, match="only be stamped by runs that are recorded"):
        recomputed.restamp("models", rows("L1_DAC_bNAC219_1"), today)
    assert recomputed.restamp("models", rows(value=1.0 + 1e-9), today) == 2
    with pytest.raises(SimulationError, match="1.002"):
        recomputed.restamp("models", rows(value=1.002), today, rounding=0.001)
    assert recomputed.restamp("models", rows(value=1.0005), today, rounding=0.001) == 2
    stamped = pd.read_parquet(file).set_index("value")["code_sha256"]
    assert stamped.to_dict() == {1.0: "new", 2.0: "new", 3.0: "old", 4.0: "old"}


def test_a_sample_holds_some_of_each_kind_and_follows_its_seed():
    both = [rows(f"m{i}", settings=s, value=float(i)) for s in ("{}", '{"step": 1}')
            for i in range(9)]  # fmt: skip
    table = pd.concat(both, ignore_index=True)
    drawn = recomputed.draw_sample(table, 3, 1)
    assert drawn["settings"].value_counts().tolist() == [3, 3]
    assert drawn.equals(recomputed.draw_sample(table, 3, 1))
    assert not drawn.equals(recomputed.draw_sample(table, 3, 2))
    assert len(recomputed.draw_sample(table, 99, 1)) == len(table)


@pytest.mark.parametrize("table", recomputed.TABLES)
def test_the_committed_tables_hold_no_value_of_a_sheet_and_say_they_were_read(table):
    kept = recomputed.load_kept(table)
    assert not [name for name in kept if name.startswith("published_")]
    assert not kept.duplicated(list(recomputed.TABLES[table])).any()
    assert kept[list(recomputed.MAKINGS)].notna().all(axis=None)
    assert f"recomputed/{table}" in [entry.key for entry in registry.records()]
    assert recomputed.table_file(table).stat().st_size < 300_000


def test_every_table_tells_a_package_by_the_same_digest():
    kept = [recomputed.load_kept(table) for table in ("models", "integration", "pathways")]
    kept[2]["model"] = kept[2]["pathway"].str.split(":").str[1]
    digests = pd.concat(kept).groupby("model")["package_sha256"].nunique()
    assert digests.eq(1).all(), digests[digests > 1]


READERS = {
    "models": lambda: nmc.load_scoreboard(sheets=False),
    "pathways": nmc.load_pathway_scores,
    "integration": nmc.load_spike_errors,
    "verdicts": recomputed.load_verdicts,
}


@pytest.fixture(params=READERS)
def shipped(request, tmp_path, monkeypatch):
    """A copy of a table that comes with the package, and the call that shows it."""
    real = recomputed.table_file
    place = tmp_path / f"{request.param}.parquet"
    place.write_bytes(real(request.param).read_bytes())
    monkeypatch.setattr(
        recomputed, "table_file", lambda t: place if t == request.param else real(t)
    )
    return place, READERS[request.param]


@pytest.mark.parametrize("damage", [b"", b"PAR1 and no more", b"no table at all"])
def test_no_shipped_table_is_used_when_damaged(shipped, damage):
    place, read = shipped
    place.write_bytes(damage)
    with pytest.raises(FormatError, match=place.name):
        read()


@pytest.mark.parametrize("column", ["package_sha256", "code_sha256", "neuron"])
def test_no_shipped_table_is_used_that_does_not_say_what_made_it(shipped, column):
    place, read = shipped
    pd.read_parquet(place).drop(columns=column).to_parquet(place)
    with pytest.raises(FormatError, match=f"another version.*{column}"):
        read()


def test_rows_of_other_code_or_packages_are_shown_as_stale_in_every_table(shipped, monkeypatch):
    place, read = shipped
    as_shipped = pd.read_parquet(place)
    as_shipped.assign(code_sha256="other").to_parquet(place)
    told = read()
    assert told["stale"].all()
    because = told["stale"] if place.stem == "verdicts" else told["stale_because"]
    assert because.str.contains("code").all()
    as_shipped.assign(package_sha256="other").to_parquet(place)
    monkeypatch.setattr(recomputed, "hash_at_hand", lambda model: "at hand")
    told = read()
    assert told["stale"].all()
    if "package" in told:
        assert set(told["package"]) == {"another"}
        assert told["stale_because"].str.contains("package").all()
        verdict_columns = [name for name in told if name.startswith("verdict_")]
        assert not told[verdict_columns].isin(["agrees", "differs"]).any(axis=None)
        monkeypatch.setattr(recomputed, "hash_at_hand", lambda model: None)
        assert set(read()["package"]) == {"not at hand"}


@pytest.mark.real
def test_stale_rows_neither_agree_nor_differ(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    monkeypatch.setattr(recomputed, "hash_at_hand", lambda model: "another")
    rest, pairs = nmc.load_scoreboard(), nmc.load_pathway_scores()
    assert set(rest["verdict"]) == {"stale"} and rest["reason"].str.contains("package").all()
    assert summarise(rest).startswith("0 of")
    told = pairs.filter(like="verdict_")
    assert told.isin(["stale", ""]).all(axis=None) and told.eq("stale").any(axis=None)


def test_each_number_that_differs_has_a_reason_of_its_own():
    """*Published beside recomputed* promises so, of thousands of numbers of files."""
    verdicts = recomputed.load_verdicts()
    reasons = [sum(json.loads(row).values()) for row in verdicts["reasons"]]
    assert (verdicts["checks"] - verdicts["agree"]).tolist() == reasons
    of_files = verdicts[~verdicts["class"].str.startswith("sheets/")]
    assert 2_500 < of_files["checks"].sum() < 10_000
