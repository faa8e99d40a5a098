"""Sweeps: resumable, failures kept as rows."""

from __future__ import annotations

import pandas as pd
import pytest
from nmc.cells import passive
from nmc.cells.protocols import measure_step
from nmc.cells.sweep import sweep
from nmc.errors import UnknownNameError

from .conftest import SMALL

pytestmark = pytest.mark.neuron


def test_an_unknown_model_or_protocol_runs_nothing(tmp_path):
    with pytest.raises(UnknownNameError):
        sweep(["L9_X_cNAC187_1"], folder=tmp_path)
    with pytest.raises(UnknownNameError, match="step"):
        sweep([SMALL], "stpe", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_failures_are_rows_and_a_second_sweep_runs_only_what_is_missing(tmp_path, monkeypatch):
    other = "L4_SBC_dNAC222_1"
    calls = []

    def rest(package, **settings):
        calls.append(package.name)
        if package.name == other and len(calls) < 3:
            return measure_step(package, amplitude_nA=0.0, timeout_s=0.01)
        return {"answer": 42}

    monkeypatch.setattr(passive, "measure_rest", rest)
    rows = sweep([SMALL, other], "rest", folder=tmp_path, progress=False)
    assert rows["model"].tolist() == [SMALL, other]
    assert pd.isna(rows.loc[0, "error"]) and rows.loc[1, "error"].startswith("SimulationTimeout")
    again = sweep([SMALL, other], "rest", folder=tmp_path, progress=False)
    assert sorted(calls) == sorted([SMALL, other, other])  # the good row was not run again
    assert again["error"].isna().all() and (again["answer"] == 42).all()
    sweep([SMALL, other], "rest", folder=tmp_path, progress=False, mode="converged")
    assert len(calls) == 5  # other settings, other rows


def test_features_may_be_asked_for_from_many_threads(small):
    """eFEL is one global state; without a lock it mixes up the traces."""
    from concurrent.futures import ThreadPoolExecutor

    from nmc.cells.features import compute_features
    from nmc.cells.protocols import simulate_step

    traces = [simulate_step(small, step, mode="converged") for step in (1, 3)]
    alone = [compute_features(trace) for trace in traces]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compute_features, traces * 20))
    for i, found in enumerate(together):
        pd.testing.assert_series_equal(found, alone[i % 2])


@pytest.mark.parametrize(
    ("protocol", "settings", "column"),
    [
        ("fi", {"amplitudes_nA": [0.0, 0.3]}, "highest_rate_Hz"),
        ("chirp", {"duration_ms": 400.0, "mode": "converged"}, "highest_impedance_MOhm"),
        ("bap", {"n_places": 5}, "farthest_amplitude_mV"),
        ("epsp", {"section": "dend[5]"}, "soma_amplitude_mV"),
        ("bombardment", {"duration_ms": 50.0}, "spread_mV"),
    ],
)
def test_every_protocol_sweeps(tmp_path, protocol, settings, column):
    row = sweep([SMALL], protocol, folder=tmp_path, n_workers=1, progress=False, **settings).iloc[0]
    assert pd.isna(row["error"]), row["error"]
    assert row[column] > 0 and row["protocol"] == protocol


def test_what_is_wrong_with_a_setting_is_a_row(tmp_path):
    row = sweep([SMALL], "epsp", folder=tmp_path, n_workers=1, progress=False).iloc[0]
    assert "section" in row["error"]
