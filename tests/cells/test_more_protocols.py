"""Rate against current, impedance, back-propagation, cells in one's own session, features."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.cells import mechanisms
from nmc.cells.package import read_package
from nmc.cells.protocols import simulate_currents
from nmc.cells.stimuli import Step
from nmc.child import run_child
from nmc.errors import FormatError, ProtocolError, UnknownNameError

from .conftest import PYRAMIDAL, SMALL

pytestmark = pytest.mark.neuron
PULSE = Step(5.0, 40.0, 0.15)


@pytest.fixture(scope="module")
def pyramidal(sample_folder):
    return read_package(sample_folder / PYRAMIDAL)


def test_the_rate_follows_the_current(small):
    """The sample's weakest step is 120 % of its threshold: 0.7 of it is silent, itself is not."""
    weakest = small.steps_nA[0]
    table = nmc.simulate_fi(small, [1.5 * weakest, 0.7 * weakest, weakest])
    assert table["amplitude_nA"].is_monotonic_increasing and len(table) == 3
    assert table["spike_count"].iloc[0] == 0 and np.isnan(table["first_spike_ms"].iloc[0])
    assert table["spike_count"].iloc[1] > 0 and table["spike_count"].is_monotonic_increasing
    assert np.allclose(table["rate_Hz"], table["spike_count"] / 2)
    alone = nmc.simulate_step(small, 1, mode="converged")
    assert table["spike_count"].iloc[1] == alone.attrs["spike_count"]
    last = np.diff(alone.attrs["spike_times_ms"])[-1]
    assert table["final_rate_Hz"].iloc[1] == pytest.approx(1000 / last)


def test_several_models_step_in_the_order_given(small, pyramidal):
    traces = nmc.simulate_steps([small, pyramidal], 1)
    assert list(traces) == [SMALL, PYRAMIDAL]
    assert traces[SMALL].equals(nmc.simulate_step(small, 1, mode="converged"))
    # A variant goes by its model's name, and is another cell.
    variant = nmc.scale_channels(small, {"SKv3_1": 0.1})
    both = nmc.simulate_steps([small, variant, small], 1)
    assert list(both) == [SMALL, f"{SMALL}-{variant.content_sha256[:8]}"]
    assert both[SMALL].equals(traces[SMALL]) and not np.allclose(
        *(t["v_mV"] for t in both.values())
    )


def test_a_chirp_finds_the_resistance_at_rest_and_a_low_pass(small):
    """At low frequency the impedance is the input resistance that the sample was made with."""
    truth = nmc.load_models(step_currents=False).set_index("model").loc[SMALL]
    table = nmc.simulate_chirp(small, amplitude_nA=0.005, duration_ms=3000.0)
    assert table["frequency_Hz"].between(0.5, 50).all()
    slow = table.query("1 <= frequency_Hz <= 3")
    assert slow["impedance_MOhm"].mean() == pytest.approx(truth["input_resistance_MOhm"], rel=0.2)
    fast = table.query("40 <= frequency_Hz <= 48")
    assert fast["impedance_MOhm"].mean() < 0.5 * slow["impedance_MOhm"].mean()
    assert -np.pi / 2 < fast["phase_rad"].mean() < slow["phase_rad"].mean()
    assert table.attrs["protocol"] == "chirp" and table.attrs["spike_count"] == 0


def test_a_spike_travels_back_and_fades(pyramidal):
    table = nmc.simulate_bap(pyramidal, amplitude_nA=3.0, n_places=None)
    assert table["section"].is_unique and table["section"].iloc[0] == "soma[0]"
    assert set(table["part"]) == {"soma", "dend", "apic", "axon"}
    soma = table.set_index("section").loc["soma[0]"]
    assert table.attrs["spike_count"] >= 1 and soma["amplitude_mV"] > 60
    assert soma["delay_ms"] == 0 and soma["distance_um"] == 0
    far = table.loc[table.query("part == 'apic'")["distance_um"].idxmax()]
    assert far["amplitude_mV"] < soma["amplitude_mV"] and far["delay_ms"] > 0
    few = nmc.simulate_bap(pyramidal, amplitude_nA=3.0, n_places=6)
    assert len(few) == 6 and set(few["section"]) <= set(table["section"])


def test_a_cell_in_one_s_own_session_is_the_same_cell(small):
    """In a fresh process, driven by hand, it gives the protocol's trace."""
    code = f"""
import json
from pathlib import Path
import nmc
cell = nmc.load_cell(Path({str(small.folder)!r}))
again = nmc.load_cell(Path({str(small.folder)!r}))
from neuron import h
clamp = h.IClamp(cell.soma(0.5))
clamp.delay, clamp.dur, clamp.amp = 5, 40, 0.15
v = h.Vector().record(cell.soma(0.5)._ref_v, 0.1)
quiet = h.Vector().record(again.soma(0.5)._ref_v, 0.1)
h.dt, h.steps_per_ms, h.tstop, h.v_init = 0.025, 40, 60, -65
h.run()
try:
    cell.section("dend[999]")
except nmc.errors.PackageError as error:
    told = str(error)
x = cell.segment("dend[0](1)").x
print("\\n" + json.dumps([list(v), max(quiet), len(cell.sections), x, told]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=500, check=True
    )
    v, quiet, count, x, told = json.loads(done.stdout.strip().splitlines()[-1])
    trace = simulate_currents(small, [PULSE], tstop_ms=60)
    assert np.allclose(v, trace["v_mV"], atol=1e-6)
    assert trace["v_mV"].max() > quiet  # the second copy got no current
    assert x == 1 and count > 5 and SMALL in told and "dend[999]" in told


def test_models_in_one_process_do_not_disturb_one_another(small, pyramidal, monkeypatch):
    """Two models, one of them twice: each soma gives the trace it gives alone."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    packages = [small, pyramidal, small]
    mods = [m for package in (small, pyramidal) for m in package.needed_mods().values()]
    params = {"cells": [p.to_spec() for p in packages], "tstop_ms": 60.0}
    params["stimulus"] = PULSE.plain()
    meta, arrays = run_child(
        "tasks:side_by_side",
        params,
        libraries=mechanisms.library_for(mods),
        label="three cells",
    )
    assert meta["names"] == sum(meta["sections"])  # no section of one is another's
    assert meta["sections"][0] == meta["sections"][2] != meta["sections"][1]
    for i, package in enumerate(packages):
        alone = simulate_currents(package, [PULSE], tstop_ms=60)["v_mV"]
        assert np.allclose(arrays[f"v{i}"], alone, atol=1e-6), package.name


def test_every_trace_has_features(small):
    traces = {
        "step": nmc.simulate_step(small, 1, mode="converged"),
        "rest": nmc.simulate_rest(small, mode="converged"),
        "bombardment": nmc.simulate_bombardment(small, 30.0, duration_ms=80.0),
        "currents": simulate_currents(small, [PULSE], tstop_ms=60),
    }
    table = pd.DataFrame({name: nmc.compute_features(t) for name, t in traces.items()})
    assert (table.loc["spike_count"] == [t.attrs["spike_count"] for t in traces.values()]).all()
    assert table.loc["voltage_base_mV", "rest"] == pytest.approx(
        traces["rest"].attrs["resting_membrane_potential_mV"], abs=0.01
    )
    with pytest.raises(FormatError, match="t_ms and v_mV"):
        nmc.compute_features(table)


def test_cells_of_several_models_share_a_session_and_leave_no_trace(tmp_path, monkeypatch):
    """NEURON takes each name once, so the second cell's library holds what the first's lacks.

    A run of its own takes neither: whatever stands in the cache, its last bits are the same.
    """
    models = ["L1_HAC_cNAC187_1", "L23_PC_cADpyr229_1"]
    code = f"""
import json
import nmc
cells = [nmc.load_cell(model) for model in {models}]
from neuron import h
clamps = []
for cell in cells:
    clamps.append(h.IClamp(cell.soma(0.5)))
    clamps[-1].delay, clamps[-1].dur, clamps[-1].amp = 5, 40, 0.15
traces = [h.Vector().record(cell.soma(0.5)._ref_v, 0.1) for cell in cells]
h.dt, h.steps_per_ms, h.tstop, h.v_init = 0.025, 40, 60, -65
h.run()
print("\\n" + json.dumps([*map(list, traces)]))
"""
    alone = [simulate_currents(model, [PULSE], tstop_ms=60)["v_mV"] for model in models]
    monkeypatch.setenv("NMC_CACHE", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    traces = json.loads(done.stdout.strip().splitlines()[-1])
    assert np.allclose(traces, alone, atol=1e-6)
    assert len([*tmp_path.glob("mechanisms/*/libnrnmech.*")]) == 2
    again = simulate_currents(models[1], [PULSE], tstop_ms=60)["v_mV"]
    assert np.array_equal(again, alone[1])


def test_the_threshold_lies_between_a_silent_and_a_firing_step(small):
    tried = nmc.simulate_threshold(small, progress=False)
    rheobase = tried.attrs["rheobase_nA"]
    silent = tried.query("spike_count == 0")["amplitude_nA"].max()
    firing = tried.query("spike_count > 0")["amplitude_nA"].min()
    assert silent < rheobase < firing and firing - silent <= 0.0202 * firing
    below, above = (
        nmc.simulate_step(small, amplitude_nA=share * rheobase, mode="converged", progress=False)
        for share in (0.94, 1.06)
    )
    assert below.attrs["spike_count"] == 0 < above.attrs["spike_count"]
    held = below.query("600 <= t_ms < 700")["v_mV"]
    assert abs(held.mean() - tried.attrs["holding_potential_mV"]) < 0.01


def test_a_shorter_step_has_to_be_stronger(small):
    """Strength and duration: a step of 5 ms needs more; each bracket is what such steps do."""
    brief = nmc.simulate_threshold(small, accuracy=0.03, duration_ms=5.0, progress=False).attrs
    long = nmc.simulate_threshold(small, progress=False).attrs
    assert brief["duration_ms"] == 5.0 and brief["silent_nA"] > 1.5 * long["firing_nA"]
    for name, fires in (("silent_nA", False), ("firing_nA", True)):
        current = [Step(700.0, 5.0, brief[name]), Step(0.0, 705.0, small.hold_nA)]
        run = nmc.simulate_currents(small, current, mode="converged", progress=False)
        assert (run.attrs["spike_count"] > 0) == fires


@pytest.mark.parametrize("accuracy", [0, 1, -0.1, float("nan"), "fine"])
def test_an_accuracy_that_cannot_be_is_refused(small, accuracy):
    with pytest.raises(ProtocolError, match="accuracy"):
        nmc.simulate_threshold(small, accuracy=accuracy)


def test_a_number_that_is_missing_in_a_list_is_named(small):
    with pytest.raises(ProtocolError, match="rate of L1_HAC .Hz.: the value is missing"):
        nmc.simulate_bombardment(small, {"L1_HAC": None})
    with pytest.raises(ProtocolError, match="amplitudes_nA, value 2: the value is missing"):
        nmc.simulate_fi(small, [0.1, None])


def test_a_feature_that_efel_has_not_is_named():
    trace = pd.DataFrame({"t_ms": np.arange(100) * 0.1, "v_mV": np.full(100, -70.0)})
    with pytest.raises(UnknownNameError, match="eFEL feature 'AP_hight'. Did you mean 'AP_height'"):
        nmc.compute_features(trace, {"height": "AP_hight"})
