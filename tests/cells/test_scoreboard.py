"""The scoreboard: rows beside sheets; one package an e-type is run again at every commit."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from nmc import names, recomputed
from nmc.cells import scoreboard
from nmc.cells.sweep import load_rows, makings, sweep
from nmc.cells.verdicts import TOLERANCES
from nmc.errors import SourceError

from .conftest import SMALL

OTHER = "L4_SBC_dNAC222_1"


def test_invented_packages_never_enter_the_store(tmp_path):
    with pytest.raises(SourceError, match="SOURCE=portal"):
        scoreboard.run_scoreboard([SMALL], path=tmp_path / "models.parquet")
    assert not list(tmp_path.iterdir())


def test_on_invented_sheets_there_is_no_verdict():
    rows = scoreboard.load_scoreboard()
    assert len(rows) == rows["model"].nunique()
    assert set(rows["verdict"]) <= {"invented data", "failed"}
    assert not [name for name in recomputed.load_kept("models") if "published" in name]


def test_rows_of_other_code_are_stale(monkeypatch):
    assert not scoreboard.load_scoreboard()["stale"].any(), "run make scoreboard again"
    monkeypatch.setattr(scoreboard, "makings", lambda: makings() | {"code_sha256": "other"})
    rows = scoreboard.load_scoreboard()
    assert rows["stale"].all() and rows["stale_because"].str.contains("code").all()


@pytest.mark.real
@pytest.mark.neuron
def test_an_ended_run_goes_on_where_it_was(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    file = tmp_path / "models.parquet"
    plan = [("rest", {"mode": "converged"})]
    scoreboard.run_scoreboard([OTHER], plan=plan, n_workers=1, path=file)
    first = pd.read_parquet(file)
    assert first["model"].tolist() == [OTHER] and first["error"].isna().all()
    seen = []

    def spy(models, *given, **settings):
        seen.append(list(models))
        return sweep(models, *given, **settings)

    monkeypatch.setattr(scoreboard, "sweep", spy)
    scoreboard.run_scoreboard([OTHER, SMALL], plan=plan, n_workers=1, path=file)
    assert seen == [[SMALL]]  # the other stands
    assert pd.read_parquet(file)["model"].tolist() == [SMALL, OTHER]


def commit() -> str:
    """Return the commit that is tested; it decides which packages are run again."""
    if sha := os.environ.get("GITHUB_SHA"):
        return sha
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    return done.stdout.strip() or "no commit"


def chosen(rows: pd.DataFrame, seed: str) -> list[str]:
    """One model an e-type, drawn by a hash of the commit and the model's name."""
    draw = rows["model"].map(lambda m: hashlib.sha256(f"{seed} {m}".encode()).hexdigest())
    return sorted(rows.loc[draw.groupby(rows["etype"]).idxmin(), "model"])


def test_the_choice_covers_the_e_types_and_follows_the_commit():
    rows = scoreboard.load_scoreboard()
    one = chosen(rows, "a")
    assert {names.parse_model(m).etype for m in one} == set(names.ETYPES)
    assert one == chosen(rows.sample(frac=1, random_state=0), "a") != chosen(rows, "b")


@pytest.mark.real
@pytest.mark.neuron
def test_eleven_packages_run_again_give_their_rows(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    kept = recomputed.load_kept("models")
    kept = kept[(kept["protocol"] == "rest") & kept["settings"].str.contains("published")]
    kept["etype"] = [names.parse_model(m).etype for m in kept["model"]]
    kept = kept[kept["neuron"] == kept["neuron"].max()].set_index("model", drop=False)
    models = chosen(kept.reset_index(drop=True), commit())
    assert len(models) == len(names.ETYPES) == 11
    sweep(models, "rest", folder=tmp_path, n_workers=2, progress=False, mode="published")
    again = load_rows(sorted(tmp_path.glob("*.parquet"))).set_index("model")
    assert again["error"].isna().all()
    same = again["neuron"].iloc[0] == kept["neuron"].iloc[0]
    for model in models:
        assert again.loc[model, "package_sha256"] == kept.loc[model, "package_sha256"]
        for column in TOLERANCES:  # another NEURON turns some somata round
            allowed = 1e-4 if same else 0.03
            expected = pytest.approx(kept.loc[model, column], rel=allowed)
            assert again.loc[model, column] == expected, (model, column)
