"""What the worker does for a protocol: build one cell, drive it, record it.

The parameters are plain data (see `run`), so a protocol is a dictionary, and its hash is part
of a result's key in the cache.
"""

from __future__ import annotations

import re

import numpy as np

from nmc.cells.build import Cell, build_cell
from nmc.errors import PackageError, SimulationError

_TARGET = re.compile(r"(?P<place>.+\))\.(?P<variable>\w+)")
#: Progress is written this many times a run.
_CHUNKS = 50


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Simulate one cell.

    Parameters
    ----------
    params : dict
        ``cell`` (from `nmc.cells.build.cell_spec`), ``stimuli`` (see `add_stimulus`),
        ``record`` (name → ``"dend[3](0.5).v"``), ``tstop_ms``, ``v_init_mV``,
        ``integration`` (``{"dt_ms", "order"}`` or
        ``{"atol", "max_order"}``), ``sampling_ms``,
        ``threshold_mV``; for the package's rest protocol ``settle: true``; under synaptic
        input ``rates_Hz`` (m-type number → rate) and ``seed``: each presynaptic cell is then one
        Poisson source of its own random stream, as each is one NetStim in the package, and
        synapses keep the package's seeds and weights.
    report : callable
        Takes the fraction that is done.

    Returns
    -------
    meta, arrays
        ``t_ms`` (regular for a fixed step, the integrator's own steps for a variable one), one
        array a recording, and ``spikes_ms``.  Under synaptic input the meta count
        ``presynaptic_cells`` and ``synapses``.
    """
    from neuron import h

    synaptic = "rates_Hz" in params
    cell = build_cell(params["cell"], synapses=synaptic)
    sources = activate(h, cell, params["rates_Hz"], params["seed"]) if synaptic else {}
    kept = [add_stimulus(cell, stimulus) for stimulus in params["stimuli"]]
    variable = set_integration(h, params["integration"])
    sampling = None if variable else params["sampling_ms"]
    recorded = {name: record(cell, target, sampling) for name, target in params["record"].items()}
    t = h.Vector().record(h._ref_t, *([] if variable else [sampling]))
    fine_t = h.Vector().record(h._ref_t)
    fine_v = h.Vector().record(cell.soma(0.5)._ref_v)
    start(h, params)
    advance(h, params["tstop_ms"], report)
    arrays = {"t_ms": np.array(t), **{name: np.array(v) for name, v in recorded.items()}}
    del kept
    for name, values in arrays.items():
        check_finite(cell.model, name, values, arrays["t_ms"])
    arrays["spikes_ms"] = crossings(np.array(fine_t), np.array(fine_v), params["threshold_mV"])
    segments = sum(s.nseg for s in cell.hoc.all)
    return {"segments": segments, "steps": len(fine_t), **sources}, arrays


def activate(h, cell, rates: dict[str, float], seed: int) -> dict[str, int]:
    """Give the synapses of the chosen m-types their weights, and their sources their rates."""
    room = cell.hoc.synapses
    # The template keeps the weights (nS) in the order of its list of connections.
    weight = {c.hname(): w for c, w in zip(room.netcon_list, room.weights, strict=True)}
    counts = {"presynaptic_cells": 0, "synapses": 0}
    for number, rate in rates.items():
        i = int(number)
        for connection in room.pre_mtype_netconlists.o(i):
            connection.weight[0] = weight[connection.hname()]
            counts["synapses"] += 1
        for place, source in enumerate(room.pre_mtype_netstimlists.o(i)):
            source.interval = 1000.0 / rate
            source.noiseFromRandom123(cell.gid, i * 100_000 + place, seed)
            counts["presynaptic_cells"] += 1
    return counts


def set_integration(h, how: dict) -> bool:
    """Choose fixed or variable steps; returns whether they are variable."""
    if "atol" in how:
        h.cvode_active(1)
        h.cvode.atol(how["atol"])
        h.cvode.maxorder(how["max_order"])
        return True
    h.cvode_active(0)
    h.secondorder = {1: 0, 2: 2}[how["order"]]
    h.steps_per_ms = 1 / how["dt_ms"]
    h.dt = how["dt_ms"]
    return False


def start(h, params: dict) -> None:
    """Initialise; with ``settle``, as ``run_RmpRiTau.py`` does, by ten steps of 1 s before 0."""
    h.tstop = params["tstop_ms"]
    h.v_init = params["v_init_mV"]
    h.stdinit()
    if not params.get("settle"):
        return
    variable = h.cvode_active()
    h.cvode_active(0)  # the long steps are implicit Euler in either mode
    dt, h.dt = h.dt, 1000
    h.t = -1e9
    for _ in range(10):
        h.fadvance()
    h.t = 0
    h.dt = dt
    if variable:
        h.cvode_active(1)
        h.cvode.re_init()
    h.frecord_init()


def advance(h, tstop: float, report) -> None:
    """Run to `tstop` (ms), reporting progress now and then."""
    for i in range(1, _CHUNKS + 1):
        h.continuerun(tstop * i / _CHUNKS)
        report(i / _CHUNKS)


def add_stimulus(cell: Cell, stimulus: dict):
    """Attach a stimulus; returns what must be kept alive.

    ``{"kind": "step", "at", "delay_ms", "duration_ms", "amplitude_nA"}`` is a current clamp;
    ``{"kind": "waveform", "at", "t_ms", "i_nA"}`` plays a current, linear between its points;
    ``{"kind": "epsp", "at", "onset_ms", "rise_ms", "decay_ms", "weight_uS", "reversal_mV"}`` is
    one double-exponential synaptic conductance.
    """
    from neuron import h

    segment = cell.segment(stimulus["at"])
    if stimulus["kind"] == "step":
        clamp = h.IClamp(segment)
        clamp.delay, clamp.dur = stimulus["delay_ms"], stimulus["duration_ms"]
        clamp.amp = stimulus["amplitude_nA"]
        return clamp
    if stimulus["kind"] == "waveform":
        clamp = h.IClamp(segment)
        clamp.delay, clamp.dur = 0, 1e9
        times, values = h.Vector(stimulus["t_ms"]), h.Vector(stimulus["i_nA"])
        values.play(clamp._ref_amp, times, 1)
        return clamp, times, values
    if stimulus["kind"] == "epsp":
        synapse = h.Exp2Syn(segment)
        synapse.tau1, synapse.tau2 = stimulus["rise_ms"], stimulus["decay_ms"]
        synapse.e = stimulus["reversal_mV"]
        source = h.VecStim() if hasattr(h, "VecStim") else h.NetStim()
        source.number, source.start, source.noise = 1, stimulus["onset_ms"], 0
        connection = h.NetCon(source, synapse)
        connection.weight[0], connection.delay = stimulus["weight_uS"], 0
        return synapse, source, connection
    raise PackageError(f"{cell.model}: there is no stimulus kind {stimulus['kind']!r}.")


def record(cell: Cell, target: str, sampling: float | None):
    """Record a variable such as ``dend[3](0.5).v`` or ``soma[0](0.5).ik``."""
    from neuron import h

    found = _TARGET.fullmatch(target)
    if not found:
        raise PackageError(
            f"{cell.model}: {target!r} cannot be recorded; write it as 'dend[12](0.5).v'."
        )
    segment = cell.segment(found["place"])
    try:
        reference = getattr(segment, f"_ref_{found['variable']}")
    except (AttributeError, LookupError, NameError, RuntimeError):
        raise PackageError(
            f"{cell.model}: {found['place']} has no variable {found['variable']!r}."
        ) from None
    return h.Vector().record(reference, *([] if sampling is None else [sampling]))


def crossings(t: np.ndarray, v: np.ndarray, threshold: float) -> np.ndarray:
    """Times of upward crossings, interpolated linearly between samples; shape (n,), ms."""
    before = np.flatnonzero((v[:-1] < threshold) & (v[1:] >= threshold))
    share = (threshold - v[before]) / (v[before + 1] - v[before])
    return t[before] + share * (t[before + 1] - t[before])


def check_finite(model: str, name: str, values: np.ndarray, t: np.ndarray) -> None:
    """Raise when a recording holds NaN or infinity."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise SimulationError(
            f"{model}: {name} is not finite from t = {t[min(bad[0], len(t) - 1)]:g} ms on; "
            "the model is unstable with these settings."
        )
