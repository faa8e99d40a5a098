"""The scoreboard: rows beside sheets; one package an e-type is run again at every commit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from nmc import names, recomputed, scoreboard
from nmc.cells.sweep import load_rows, makings, sweep
from nmc.data.registry import item
from nmc.errors import SourceError
from nmc.scoreboard import TOLERANCES

from .conftest import SMALL

OTHER = "L4_SBC_dNAC222_1"


def test_invented_packages_never_enter_the_store(own_tables):
    with pytest.raises(SourceError, match="portal's packages only"):
        scoreboard.run_scoreboard([SMALL])
    assert not list(own_tables.iterdir())


def test_on_invented_sheets_there_is_no_verdict():
    rows = scoreboard.load_scoreboard()
    assert len(rows) == rows["model"].nunique()
    assert set(rows["verdict"]) <= {"one side invented", "failed"}
    assert not [name for name in recomputed.load_kept("models") if "published" in name]


def test_rows_of_other_code_are_stale(monkeypatch):
    code_of_the_rows(monkeypatch)
    rows = scoreboard.load_scoreboard()
    assert not rows["stale"].any() and rows["stale_because"].eq("").all()
    code_of_the_rows(monkeypatch, "other")
    rows = scoreboard.load_scoreboard()
    assert rows["stale"].all() and rows["stale_because"].str.contains("code").all()


def code_of_the_rows(monkeypatch, code: str = "") -> None:
    """Let the code of today be that which the recorded rows name, or some other."""
    kept = recomputed.load_kept("models")
    made = {**makings("rest"), "code_sha256": code or kept["code_sha256"].iloc[0]}
    monkeypatch.setattr(scoreboard, "makings", lambda _: made)


def test_an_invented_package_is_not_held_against_a_row():
    from nmc.cells.package import load_package

    load_package(SMALL)
    rows = scoreboard.load_scoreboard(sheets=False).set_index("model")
    assert SMALL in rows.index and set(rows["package"]) == {"not at hand"}


def test_packages_are_compared_without_asking_any_address(monkeypatch):
    from nmc.data.web import WebTree

    asked = []
    monkeypatch.setenv("NMC_SOURCE", "http://127.0.0.1:9/")
    monkeypatch.setattr(WebTree, "serves", lambda _, wanted: asked.append(wanted))
    rows = scoreboard.load_scoreboard(sheets=False)
    assert set(rows["package"]) == {"not at hand"} and not asked


def test_a_package_is_hashed_in_its_archive_as_unpacked(tmp_path):
    from nmc import fetch
    from nmc.cells.package import load_package
    from nmc.recomputed import hash_archive

    archive = fetch(f"model/{SMALL}")
    assert hash_archive(archive, "as it is") == load_package(SMALL).content_sha256
    changed = _with_another_step(archive, tmp_path / "changed.zip")
    assert hash_archive(changed, "changed") != load_package(SMALL).content_sha256


@pytest.mark.real
def test_a_row_of_another_package_is_stale(mirror, monkeypatch, tmp_path):
    from nmc.data import registry

    place = tmp_path / item(f"model/{SMALL}").path
    place.parent.mkdir(parents=True)
    place.write_bytes((mirror / item(f"model/{SMALL}").path).read_bytes())
    monkeypatch.setenv("NMC_SOURCE", str(tmp_path))
    code_of_the_rows(monkeypatch)
    monkeypatch.setattr(registry, "_log", {})
    rows = scoreboard.load_scoreboard(sheets=False).set_index("model")
    assert not rows["stale"].any()
    assert rows["package"].value_counts().to_dict() == {"not at hand": len(rows) - 1,
                                                        "unchanged": 1}  # fmt: skip
    assert [r.key for r in registry.records()] == ["recomputed/models"]  # looked at, not used
    _with_another_step(mirror / item(f"model/{SMALL}").path, place)
    rows = scoreboard.load_scoreboard(sheets=False).set_index("model")
    assert rows.index[rows["stale"]].tolist() == [SMALL]
    assert rows.loc[SMALL, ["package", "stale_because"]].tolist() == ["another", "package"]


def _with_another_step(archive: Path, target: Path) -> Path:
    """Copy a package with other numbers in ``current_amps.dat``."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, b"0 1 2 3" if name.endswith("current_amps.dat") else text)
    return target


@pytest.mark.real
@pytest.mark.neuron
def test_an_ended_run_goes_on_where_it_was(mirror, monkeypatch, own_tables):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    file = own_tables / "models.parquet"
    plan = [("rest", {"mode": "converged"})]
    scoreboard.run_scoreboard([OTHER], plan=plan, n_workers=1)
    first = pd.read_parquet(file)
    assert first["model"].tolist() == [OTHER] and first["error"].isna().all()
    seen = []

    def spy(models, *given, **settings):
        seen.append(list(models))
        return sweep(models, *given, **settings)

    monkeypatch.setattr(scoreboard, "sweep", spy)
    scoreboard.run_scoreboard([OTHER, SMALL], plan=plan, n_workers=1)
    assert seen == [[SMALL]]  # the other stands
    assert pd.read_parquet(file)["model"].tolist() == [SMALL, OTHER]
    monkeypatch.setenv("NMC_CACHE", str(own_tables / "empty"))  # rows that stand need no run of old
    assert scoreboard.run_scoreboard([OTHER, SMALL], plan=plan).empty


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
    again = load_rows(tmp_path / "rest").set_index("model")
    assert again["error"].isna().all()
    same = again["neuron"].iloc[0] == kept["neuron"].iloc[0]
    for model in models:
        assert again.loc[model, "package_sha256"] == kept.loc[model, "package_sha256"]
        for column in TOLERANCES:  # another NEURON turns some somata round
            allowed = 1e-4 if same else 0.03
            expected = pytest.approx(kept.loc[model, column], rel=allowed)
            assert again.loc[model, column] == expected, (model, column)
