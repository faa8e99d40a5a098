"""Cells that are handed on to LFPy and NetPyNE do there what they do in the session."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.neuron

MODEL = "L5_MC_bAC217_1"
SESSION = f"""
import json
import numpy as np
import nmc
cell, package = nmc.load_cell({MODEL!r}), nmc.load_package({MODEL!r})
from neuron import h
clamps = [h.IClamp(cell.soma(0.5)) for _ in range(2)]
hold, step = clamps
hold.delay, hold.dur, hold.amp = 0, 1e9, package.hold_nA
step.delay, step.dur, step.amp = 100, 200, package.step_nA(2)
h.cvode_active(0)
h.dt, h.steps_per_ms, h.v_init, h.tstop = 0.025, 40, -65, 300
times = h.Vector()
seen = h.NetCon(cell.soma(0.5)._ref_v, None, sec=cell.soma)
seen.threshold = 10
seen.record(times)
h.run()
own = list(times)
"""


def run(code: str) -> tuple[np.ndarray, np.ndarray]:
    done = subprocess.run(
        [sys.executable, "-c", SESSION + code + "\nprint('\\n' + json.dumps([own, theirs]))"],
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    own, theirs = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(own) > 2
    return np.array(own), np.array(theirs)


def test_netpyne_gives_the_same_spikes():
    pytest.importorskip("netpyne")
    own, theirs = run(
        """
from netpyne import sim, specs
from netpyne.conversion import neuronPyHoc
fresh = nmc.load_cell(package.name)  # without clamps, which would be copied, too
secs, lists, _, globals_ = neuronPyHoc.getCellParams(fresh.hoc, neuronPyHoc.mechVarList(), {})
net = specs.NetParams()
net.cellParams["cell"] = {"secs": secs, "secLists": lists, "globals": globals_}
net.popParams["one"] = {"cellType": "cell", "numCells": 1}
for name, start, length, amp in [
    ("hold", 0, 1e9, package.hold_nA), ("step", 100, 200, package.step_nA(2))
]:
    net.stimSourceParams[name] = {"type": "IClamp", "del": start, "dur": length, "amp": amp}
    net.stimTargetParams[name] = {
        "source": name, "sec": "soma_0", "loc": 0.5, "conds": {"pop": "one"}
    }
config = specs.SimConfig()
config.duration, config.dt, config.verbose = 300, 0.025, False
config.hParams = {"celsius": 34, "v_init": -65}
sim.create(net, config)
sim.simulate()
theirs = list(sim.simData["spkt"])
"""
    )
    # Both count a threshold's crossing, at 10 mV each, on the same grid of 0.025 ms.
    assert len(own) == len(theirs) and np.abs(own - theirs).max() <= 0.05


def test_lfpy_gives_the_same_voltage():
    pytest.importorskip("LFPy")
    own, theirs = run("""
import LFPy
trace = h.Vector().record(cell.soma(0.5)._ref_v, 0.1)
h.run()
own = list(trace)
lfpy_cell = LFPy.Cell(
    morphology=cell.hoc.all, v_init=-65, celsius=34, dt=0.025, tstart=0, tstop=300,
    passive=False, nsegs_method=None, delete_sections=False, pt3d=False,
)
lfpy_cell.simulate(rec_imem=True, rec_vmem=True)
theirs = list(lfpy_cell.vmem[lfpy_cell.get_idx("soma")[0]][::4])
""")
    n = min(len(own), len(theirs))
    assert n > 2900 and np.abs(own[:n] - theirs[:n]).max() < 1e-3


def test_lfpy_hears_the_same_spike_from_outside():
    """The line source on recorded membrane currents, against LFPy's own cell and electrode."""
    pytest.importorskip("LFPy")
    own, theirs = run("""
import LFPy, lfpykit
places = nmc.locate_segments(package)
record = nmc.record_segments(package)
pulse = nmc.Step(5, 30, 0.3)
trace = nmc.simulate_currents(
    package, [pulse], tstop_ms=40, v_init_mV=-65, mode="published", record=record,
    sampling_ms=0.025,
)
ends = [places[[f"{k}0_um", f"{k}1_um"]].to_numpy() for k in "xyz"]
geometry = lfpykit.CellGeometry(*ends, d=places["diameter_um"].to_numpy())
soma = [end[0].mean() for end in ends]
x, y, z = (np.array([at + away for away in (20, 50, 200)]) for at in soma)
line = lfpykit.LineSourcePotential(geometry, x, y, z, 0.3).get_transformation_matrix()
own = np.ptp(line @ trace[list(record)].to_numpy().T[:, 40:], axis=1).tolist()

hold.amp, step.delay, step.dur, step.amp = 0, 5, 30, 0.3
lfpy_cell = LFPy.Cell(
    morphology=cell.hoc.all, v_init=-65, celsius=34, dt=0.025, tstart=0, tstop=40,
    passive=False, nsegs_method=None, delete_sections=False,
)
lfpy_cell.simulate(rec_imem=True)
middle = [getattr(lfpy_cell, k)[lfpy_cell.get_idx("soma")[0]].mean() for k in "xyz"]
x, y, z = (np.array([at + away for away in (20, 50, 200)]) for at in middle)
electrode = LFPy.RecExtElectrode(lfpy_cell, x=x, y=y, z=z, sigma=0.3, method="linesource")
theirs = np.ptp(electrode.get_transformation_matrix() @ lfpy_cell.imem[:, 40:], axis=1).tolist()
""")
    assert np.abs(own / theirs - 1).max() < 0.02
