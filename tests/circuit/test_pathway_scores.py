"""The kept pathways: recorded anew where missing, beside the sheets of the source in use."""

import nmc
import pandas as pd
import pytest
from nmc import names, recomputed
from nmc.circuit import pathway_scores
from nmc.circuit.pairs import SHEET
from nmc.circuit.pathway_list import PATHWAYS, pathways
from nmc.errors import SourceError


def test_the_list_holds_every_class_and_its_signs():
    assert len(pathways()) == len(set(pathways())) >= 20
    for kind, pairs in PATHWAYS.items():
        for pre, model in pairs:
            assert kind[0] == ("E" if names.is_excitatory(pre) else "I")
            post = names.parse_model(model).mtype
            assert kind[-1] == ("E" if names.is_excitatory(post) else "I")


@pytest.mark.real
def test_the_classes_are_the_sheets(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    sheet = nmc.load_pathways().set_index(["pre", "post"])["s_type"].astype(str)
    for kind, pairs in PATHWAYS.items():
        for pre, model in pairs:
            assert sheet[pre, names.parse_model(model).mtype] == kind[:2], (pre, model)


def test_kept_rows_hold_no_sheet_value_and_are_joined_at_reading():
    kept = recomputed.load_kept("pathways")
    assert len(kept) >= 20 and kept["error"].isna().all()
    assert not [c for c in kept if "sheet" in c or "publish" in c]
    scores = nmc.load_pathway_scores()
    assert len(scores) == len(kept)
    sheet = nmc.load_pathways()
    row = scores.iloc[0]
    own = sheet[(sheet["pre"] == row["pre"]) & (sheet["post"] == row["post"])].iloc[0]
    assert row["sheet_amplitude_mV"] == pytest.approx(float(own["psp_amplitude_mean_mV"]))
    for column in SHEET:
        inside = (scores[column] - scores[f"sheet_{column}"]).abs() <= scores[f"sheet_sd_{column}"]
        assert (inside == scores[f"within_{column}"]).all()
    counts = pathway_scores.summarise(scores)
    assert (counts["within one deviation"] <= counts["pathways"]).all()


@pytest.mark.real
def test_the_kept_rows_were_made_from_what_stands(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    scores = nmc.load_pathway_scores()
    assert set(scores["stale_because"]) <= {"", "code"}  # `nmc scoreboard --verify` sees to it
    assert set(scores["package"]) == {"unchanged"}
    by_pathway = scores.set_index("pathway")
    row = by_pathway.loc["L5_TTPC1:L5_TTPC1_cADpyr232_1"]
    for quantity in SHEET:
        assert row[f"within_{quantity}"], quantity
    # what Record a pair says of the two definitions, without the pathway they were compared on
    others = by_pathway.drop(index=row.name)
    fit = (others["decay_fit_ms"] - others["sheet_decay_ms"]).abs() <= others["sheet_sd_decay_ms"]
    assert others["within_decay_ms"].sum() > fit.sum()


@pytest.mark.neuron
def test_a_second_run_records_only_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        pathway_scores, "SETTINGS", {"trials": 3, "cells": 1, "dt_ms": 0.1, "window_ms": 60.0}
    )
    path = tmp_path / "pathways.parquet"
    package = nmc.load_package("L1_HAC_cNAC187_1")
    pre = package.synapses["pre_mtype"].value_counts().index[0]
    wanted = [(pre, package.name)]
    first = pathway_scores.run_pathways(wanted, path=path, progress=False)
    assert len(first) == 1 and first["error"].isna().all() and first["amplitude_mV"].gt(0).all()
    monkeypatch.setattr(pathway_scores, "measure", lambda *_: pytest.fail("recorded again"))
    pathway_scores.run_pathways(wanted, path=path, progress=False)
    rows = pd.read_parquet(path).assign(code_sha256="other")
    rows.to_parquet(path, index=False)
    assert pathway_scores.load_pathway_scores(path=path)["stale"].all()


def test_invented_packages_are_refused():
    with pytest.raises(SourceError, match="portal's packages only"):
        pathway_scores.run_pathways([("L5_TTPC1", "L5_TTPC1_cADpyr232_1")], progress=False)
