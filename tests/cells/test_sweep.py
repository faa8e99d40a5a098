"""Sweeps: resumable, failures kept as rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nmc
import pandas as pd
import psutil
import pytest
from dask import config
from distributed import LocalCluster
from nmc.cells import measures
from nmc.cells.package import load_package
from nmc.cells.protocols import measure_step
from nmc.cells.sweep import load_rows, measure, sweep
from nmc.errors import PartsError, ProtocolError, SimulationError, TrustError, UnknownNameError
from nmc.parts import start_run

from .conftest import SMALL

pytestmark = pytest.mark.neuron


def test_an_unknown_model_or_protocol_runs_nothing(tmp_path):
    with pytest.raises(UnknownNameError):
        sweep(["L9_X_cNAC187_1"], folder=tmp_path)
    with pytest.raises(UnknownNameError, match="step"):
        sweep([SMALL], "stpe", folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("protocol", "settings", "said"),
    [
        ("step", {"stpe": 1}, "Did you mean 'step'"),
        ("step", {"step": 4}, "step"),
        ("rest", {"mode": "quick"}, "mode"),
        ("rest", {"amplitude_nA": 1.0}, "setting of simulate_rest"),
        ("chirp", {"f_max_Hz": float("nan")}, "f_max_Hz"),
        ("fi", {"amplitude": 0.1}, "amplitudes_nA"),
        ("epsp", {}, "needs the setting section"),
        ("bombardment", {"duration_ms": -1}, "duration_ms"),
        ("step", {"n_workers": 0}, "n_workers"),
    ],
)
def test_settings_are_looked_at_before_anything_runs(tmp_path, protocol, settings, said):
    with pytest.raises((ProtocolError, UnknownNameError), match=said):
        sweep([SMALL], protocol, folder=tmp_path, **settings)
    with pytest.raises(ProtocolError, match="empty"):
        sweep([], "rest", folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_worker_on_other_data_refuses_and_the_row_says_so(tmp_path, monkeypatch):
    """A task carries the digest of the caller's package."""
    digest = "0" * 64  # of no package that this worker has
    told = {"model": SMALL, "origin": "sample", "invented": True, "package_sha256": digest}
    row = measure(SMALL, "rest", {"mode": "converged"}, told | {"trusted": False})
    assert "another package" in row["error"] and "NMC_SOURCE" in row["error"]
    assert "input_resistance_MOhm" not in row
    other = replace(load_package(SMALL), content_sha256=digest)
    rows = sweep([other], "rest", folder=tmp_path, progress=False)
    assert rows["error"].str.contains("another package").all()


def test_a_row_that_another_sweep_wrote_meanwhile_is_not_taken(tmp_path, monkeypatch):
    def rest(package, **settings):
        start_run(tmp_path / "rest", {SMALL: [SMALL]}, {"settings": "other"})
        return {"answer": 42}

    monkeypatch.setattr(measures, "measure_rest", rest)
    with pytest.raises(PartsError, match="Another run was started"):
        sweep([SMALL], "rest", folder=tmp_path, progress=False)


def test_a_sweep_on_this_machine_listens_to_nobody_and_logs_nothing(tmp_path, capfd, monkeypatch):
    def rest(package, **settings):
        found = psutil.Process(os.getpid()).net_connections("inet")
        return {"listening": sum(c.status == psutil.CONN_LISTEN for c in found)}

    monkeypatch.setattr(measures, "measure_rest", rest)
    before = rest(None)["listening"]
    rows = sweep([SMALL], "rest", folder=tmp_path, progress=False)
    assert rows["listening"].item() == before
    with pytest.raises(SimulationError, match="No Dask scheduler answers"):
        with config.set({"distributed.comm.timeouts.connect": "1s"}):
            sweep([SMALL], "rest", folder=tmp_path / "other", cluster="tcp://127.0.0.1:9")
    assert capfd.readouterr() == ("", "")


def test_failures_are_rows_and_a_second_sweep_runs_only_what_is_missing(tmp_path, monkeypatch):
    other = "L4_SBC_dNAC222_1"
    calls = []

    def rest(package, **settings):
        calls.append(package.name)
        if package.name == other and len(calls) < 3:
            return measure_step(package, amplitude_nA=0.0, timeout_s=0.01)
        return {"answer": 42}

    monkeypatch.setattr(measures, "measure_rest", rest)
    rows = sweep([SMALL, other], "rest", folder=tmp_path, progress=False)
    assert rows["model"].tolist() == [SMALL, other]
    assert pd.isna(rows.loc[0, "error"]) and rows.loc[1, "error"].startswith("SimulationTimeout")
    again = sweep([SMALL, other], "rest", folder=tmp_path, progress=False)
    assert sorted(calls) == sorted([SMALL, other, other])  # the good row was not run again
    assert again["error"].isna().all() and (again["answer"] == 42).all()
    table = pd.read_parquet(tmp_path / "rest/rows.parquet")
    assert table["model"].tolist() == load_rows(tmp_path / "rest")["model"].tolist()
    assert table["model"].tolist() == [SMALL, other] and (table["answer"] == 42).all()
    sweep([SMALL, other], "rest", folder=tmp_path, progress=False, mode="converged")
    assert len(calls) == 5  # other settings, other rows


def test_a_sweep_takes_paths_and_packages(small, copy, tmp_path):
    """An edited copy, by its path, beside the known package and one with channels scaled."""
    with (copy / "template.hoc").open("a") as file:
        file.write("// mine\n")
    with pytest.raises(TrustError):
        sweep([copy], "rest", folder=tmp_path / "rows", progress=False)
    scaled = nmc.scale_channels(small, {"Ih": 2.0})
    models = [SMALL, str(copy), scaled]
    rows = sweep(models, "rest", folder=tmp_path / "rows", progress=False, trust=True)
    assert rows["error"].isna().all() and rows["model"].tolist() == [SMALL] * 3
    assert rows["origin"].tolist() == ["sample", "own package", "sample, channels scaled"]
    resistance = rows["input_resistance_MOhm"]
    assert resistance[0] == resistance[1] > resistance[2]  # more open at rest, more leaky


def test_features_may_be_asked_for_from_many_threads(small):
    """eFEL is one global state; without a lock it mixes up the traces."""
    from concurrent.futures import ThreadPoolExecutor

    from nmc.cells.protocols import compute_features, simulate_step

    traces = [simulate_step(small, step, mode="converged") for step in (1, 3)]
    alone = [compute_features(trace) for trace in traces]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compute_features, traces * 20))
    for i, found in enumerate(together):
        pd.testing.assert_series_equal(found, alone[i % 2])


def test_a_sweep_is_interrupted_at_once_and_keeps_the_finished_rows(tmp_path):
    """Two threads, one of them busy for a minute: the process ends within seconds."""
    code = f"""
import time
from pathlib import Path
from nmc.cells import measures, sweep
def rest(package, **settings):
    if package.name != {SMALL!r}:
        print("runs", flush=True)
        time.sleep(60)
    return {{"answer": 42}}
measures.measure_rest = rest
sweep.sweep([{SMALL!r}, "L4_SBC_dNAC222_1"], "rest", folder=Path({str(tmp_path)!r}))
"""
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    run = subprocess.Popen(
        [sys.executable, "-c", f"{heed}\n{code}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    run.stdout.readline()
    while load_rows(tmp_path / "rest").empty:
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    assert run.wait(30) != 0
    assert load_rows(tmp_path / "rest")["answer"].tolist() == [42]


def test_results_of_a_cluster_are_the_same_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(measures, "measure_rest", lambda package, **settings: {"answer": 42})
    quiet = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, **quiet) as cluster:
        rows = sweep([SMALL], "rest", folder=tmp_path, cluster=cluster, progress=False)
    assert rows["answer"].tolist() == [42] and rows["error"].isna().all()


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


def test_what_only_a_model_can_tell_is_a_row(tmp_path):
    row = sweep([SMALL], "epsp", folder=tmp_path, progress=False, section="apic[999]").iloc[0]
    assert "section" in row["error"]
    assert (row["origin"], row["invented"]) == ("sample", True)
