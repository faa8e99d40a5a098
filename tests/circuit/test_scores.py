"""The kept pathways: recorded anew where missing, beside the sheets of the source in use."""

import json

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc import names, recomputed
from nmc.circuit import scores as pathway_scores
from nmc.circuit.pairs import SHEET
from nmc.circuit.scores import load_list
from nmc.errors import SourceError


def test_the_list_holds_every_class_and_its_signs():
    listed = load_list()
    assert len(listed) >= 20 and not listed.duplicated(["pre", "model"]).any()
    for row in listed.itertuples():
        assert row.kind[0] == ("E" if names.is_excitatory(row.pre) else "I")
        post = names.parse_model(row.model).mtype
        assert row.kind[-1] == ("E" if names.is_excitatory(post) else "I")


@pytest.mark.real
def test_the_classes_are_the_sheets(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    sheet = nmc.load_pathways().set_index(["pre", "post"])["s_type"].astype(str)
    for row in load_list().itertuples():
        assert sheet[row.pre, names.parse_model(row.model).mtype] == row.kind[:2], row


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
    assert row["ratio_amplitude_mV"] == pytest.approx(
        row["amplitude_mV"] / row["sheet_amplitude_mV"], rel=1e-4
    )
    counts = pathway_scores.summarise(scores)
    assert (counts["agree"] + counts["differ"] <= counts["pathways"]).all()


@pytest.mark.real
def test_the_kept_rows_were_made_from_what_stands(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    code = recomputed.load_kept("pathways")["code_sha256"].iloc[0]
    made = pathway_scores.makings() | {"code_sha256": code}  # `nmc scoreboard --verify` sees to it
    monkeypatch.setattr(pathway_scores, "makings", lambda: made)
    scores = nmc.load_pathway_scores()
    assert set(scores["stale_because"]) == {""}
    assert set(scores["package"]) == {"unchanged"}
    by_pathway = scores.set_index("pathway")
    row = by_pathway.loc["L5_TTPC1:L5_TTPC1_cADpyr232_1"]
    assert (row[[f"verdict_{quantity}" for quantity in SHEET]] == "agrees").sum() >= 5
    # what Record a pair says of the two definitions, without the pathway they were compared on
    others = by_pathway.drop(index=row.name)
    sheet, allowed = others["sheet_decay_ms"], others["sheet_sd_decay_ms"]
    near = [((others[c] - sheet).abs() <= allowed).sum() for c in ("decay_ms", "decay_fit_ms")]
    assert near[0] > near[1]


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


def test_a_row_of_single_values_is_compared_by_them(tmp_path):
    """Two rows with the same mean and deviation: one keeps its connections, one does not."""
    kept = recomputed.load_kept("pathways")
    row = kept[kept["cells"] == 8].iloc[[0]].assign(amplitude_mV=1.0, amplitude_mV_sd=0.5)
    values = [0.5, 1.5] * 4
    path = tmp_path / "pathways.parquet"
    told = row.assign(settings="b", amplitude_mV_cells=json.dumps(values))
    pd.concat([row.assign(settings="a"), told]).to_parquet(path)
    bare, full = (r for _, r in nmc.load_pathway_scores(path=path).iterrows())
    sheet = bare["sheet_amplitude_mV"]
    reach = 2.3646 * 0.5 / np.sqrt(7)  # Student's t, 7 degrees of freedom
    assert bare["ratio_high_amplitude_mV"] == pytest.approx((1 + reach) / sheet, rel=1e-4)
    assert full["ratio_amplitude_mV"] == pytest.approx(1 / sheet)
    error = 0.5 / np.sqrt(8)
    assert full["ratio_high_amplitude_mV"] * sheet == pytest.approx(1 + 1.96 * error, abs=0.05)


def test_invented_packages_are_refused():
    with pytest.raises(SourceError, match="portal's packages only"):
        pathway_scores.run_pathways([("L5_TTPC1", "L5_TTPC1_cADpyr232_1")], progress=False)


def test_a_sheet_is_a_mixture_of_other_packages_or_it_is_not():
    """Half of one and half of another class is one; a U of the mean with an F of neither is not."""
    steady, tired = [0.5, 670.0, 17.0], [0.02, 194.0, 507.0]
    mean = [0.26, 432.0, 262.0]
    rows = [
        ("L4_PC:L4_SBC", steady, steady), ("L4_PC:L4_NBC", tired, tired),
        ("L4_PC:L4_LBC", tired, mean), ("L4_PC:L4_BP", steady, [0.26, 432.0, 17.0]),
        ("L4_MC:L4_PC", steady, mean),  # nobody else receives from such senders
    ]  # fmt: skip
    names_of = [f"{side}{name}" for side in ("", "sheet_") for name in ("U", "D_ms", "F_ms")]
    table = pd.DataFrame([[p, False, *own, *sheet] for p, own, sheet in rows],
                         columns=["pathway", "excitatory", *names_of])  # fmt: skip
    assert pathway_scores.find_mixtures(table).tolist() == [True, True, True, False, False]
    alone = table.assign(pathway="L4_PC:L4_SBC")  # a m-type's own packages are no evidence
    assert not pathway_scores.find_mixtures(alone).any()


def test_contacts_and_u_explain_what_follows_from_them(monkeypatch):
    """Eight contacts of U ½ fail in 1 of 256; four were recorded, or a U of 0.1."""
    sheet = pd.DataFrame({"pre": ["L4_PC"], "post": ["L4_SBC"], "u_mean": [0.5],
                          "failures_mean_percent": [100 / 256],
                          "synapses_per_connection_mean": [4.0]})  # fmt: skip
    monkeypatch.setattr(pathway_scores, "load_pathways", lambda: sheet)
    synapses = pd.DataFrame({"pathway": ["L4_PC:L4_SBC"], "model": ["m"], "U": [0.1]})

    def explained(quantity, ratio):
        row = pd.DataFrame({"pre": ["L4_PC"], "post": ["L4_SBC"], "model": ["m"],
                            "contacts": [4.0], f"ratio_low_{quantity}": [ratio * 0.95],
                            f"ratio_high_{quantity}": [ratio * 1.05]})  # fmt: skip
        return pathway_scores.explain(row, quantity, synapses)[0]

    by_contacts = {"amplitude_mV": 1 / 2, "cv": 2**0.5, "failures_percent": 0.5**4 / 0.5**8}
    by_u = {"amplitude_mV": 0.1 / 0.5, "cv": 3.0, "failures_percent": 0.9**4 / 0.5**4}
    for quantity in by_contacts:
        assert "contacts" in explained(quantity, by_contacts[quantity])
        assert "U" in explained(quantity, by_u[quantity])
        assert explained(quantity, 0.7).startswith("not explained")
    assert explained("decay_ms", 0.5).startswith("not explained")
