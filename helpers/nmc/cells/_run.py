"""What the worker does for a protocol: build one cell, drive it, record it.

The parameters are plain data (see `run`), so a protocol is a dictionary, and its hash is part
of a result's key in the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nmc.cells.build import Cell, build_cell
from nmc.cells.stimuli import (
    Current,
    OUConductance,
    SpikeTrain,
    Step,
    Stimulus,
    SynapseTrain,
    VoltageClamp,
    from_plain,
)
from nmc.errors import PackageError, SimulationError

#: Progress is written this many times a run.
_CHUNKS = 50


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Simulate one cell.

    Parameters
    ----------
    params : dict
        ``cell`` (from `Package.to_spec`), ``stimuli`` (each from `Stimulus.plain`),
        ``record`` (name → ``"dend[3](0.5).v"``), ``tstop_ms``, ``window_ms`` (what of it is
        returned), ``v_init_mV``, ``integration`` (``{"dt_ms", "order"}`` or
        ``{"atol", "max_order"}``), ``sampling_ms``, ``threshold_mV``; ``channel_seed`` for random
        channels; for the package's rest protocol ``settle: true``; under synaptic input
        ``rates_Hz`` and ``release`` (m-type number → rate, factor on Use), ``weight_scale``,
        ``mg_mM`` and ``seed``: each presynaptic cell is then one
        Poisson source of its own random stream, as each is one NetStim in the package, and
        synapses keep the package's seeds and weights.
    report : callable
        Takes the fraction that is done.

    Returns
    -------
    meta, arrays
        ``t_ms`` (regular for a fixed step, the integrator's own steps for a variable one), one
        array a recording, ``clamps_nA`` where conductances or clamps inject, and ``spikes_ms``.
        Under synaptic input the meta count ``presynaptic_cells`` and ``synapses``.
    """
    from neuron import h

    stimuli = [from_plain(stimulus) for stimulus in params["stimuli"]]
    trains = any(isinstance(stimulus, SynapseTrain) for stimulus in stimuli)
    cell = build_cell(params["cell"], synapses=trains or "rates_Hz" in params)
    if params.get("channel_seed") is not None:
        cell.hoc.re_init_rng(params["channel_seed"])
    sources = activate(h, cell, params) if "rates_Hz" in params else {}
    if trains:
        silence(cell, params.get("rates_Hz", {}))
    attached = [attach(h, cell, stimulus) for stimulus in stimuli]
    h.cvode.use_fast_imem(any(t.endswith(".i_membrane_") for t in params["record"].values()))
    variable = set_integration(h, params["integration"])
    sampling = [] if variable else [params["sampling_ms"]]
    recorded = {name: record(cell, target, sampling) for name, target in params["record"].items()}
    clamps = [(sign, h.Vector().record(i, *sampling)) for _, sign, i in attached if sign]
    t = h.Vector().record(h._ref_t, *sampling)
    fine_t = h.Vector().record(h._ref_t)
    fine_v = h.Vector().record(cell.soma(0.5)._ref_v)
    start(h, params)
    advance(h, params["tstop_ms"], report)
    arrays = {"t_ms": np.array(t), **{name: np.array(v) for name, v in recorded.items()}}
    if clamps:
        arrays["clamps_nA"] = np.sum([sign * np.array(i) for sign, i in clamps], axis=0)
    for name, values in arrays.items():
        check_finite(cell.model, name, values, arrays["t_ms"])
    arrays = _within(arrays, params.get("window_ms"))
    arrays["spikes_ms"] = crossings(np.array(fine_t), np.array(fine_v), params["threshold_mV"])
    segments = sum(s.nseg for s in cell.hoc.all)
    return {"segments": segments, "steps": len(fine_t), **sources}, arrays


def _within(arrays: dict[str, np.ndarray], window: list[float] | None) -> dict[str, np.ndarray]:
    """The samples within a window, and one on either side to interpolate from."""
    if window is None:
        return arrays
    t = arrays["t_ms"]
    first = max(np.searchsorted(t, window[0] + 1e-9) - 1, 0)
    last = np.searchsorted(t, window[1] - 1e-9) + 1
    return {name: values[first:last] for name, values in arrays.items()}


def activate(h, cell, params: dict) -> dict[str, int]:
    """Give the synapses of the chosen m-types their weights, and their sources their rates."""
    room = cell.hoc.synapses
    # The template keeps the weights (nS) in the order of its list of connections.
    weight = {c.hname(): w for c, w in zip(room.netcon_list, room.weights, strict=True)}
    counts = {"presynaptic_cells": 0, "synapses": 0}
    for number, rate in params["rates_Hz"].items():
        i = int(number)
        for connection in room.pre_mtype_netconlists.o(i):
            connection.weight[0] = weight[connection.hname()] * params["weight_scale"]
            synapse = connection.syn()
            synapse.Use = min(synapse.Use * params["release"][number], 1.0)
            if params["mg_mM"] is not None and hasattr(synapse, "mg"):
                synapse.mg = params["mg_mM"]
            counts["synapses"] += 1
        for place, source in enumerate(room.pre_mtype_netstimlists.o(i)):
            source.interval = 1000.0 / rate
            source.noiseFromRandom123(cell.gid, i * 100_000 + place, params["seed"])
            counts["presynaptic_cells"] += 1
    return counts


def silence(cell: Cell, rates: dict[str, float]) -> None:
    """Stop the package's own sources, which use up synapses that are silent, too."""
    lists = cell.hoc.synapses.pre_mtype_netstimlists
    for number in range(int(lists.count())):
        if str(number) not in rates:
            for source in lists.o(number):
                source.number = 0


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


def attach(h, cell: Cell, stimulus: Stimulus) -> tuple[list, int, Any]:
    """Put a stimulus on a cell."""
    segment = cell.segment(stimulus.at)
    if isinstance(stimulus, Current):
        clamp = h.IClamp(segment)
        clamp.delay, clamp.dur = stimulus.start_ms, stimulus.end_ms - stimulus.start_ms
        if isinstance(stimulus, Step):
            clamp.amp = stimulus.amplitude_nA
            return [clamp], 0, None
        return [clamp, *_play(h, clamp._ref_amp, *stimulus.points())], 0, None
    if isinstance(stimulus, OUConductance):
        # An alpha function so slow that its top lasts for ever: its peak is a conductance to play.
        synapse = h.AlphaSynapse(segment)
        synapse.tau, synapse.onset, synapse.e = 1e9, -1e9, stimulus.reversal_mV
        t, g = stimulus.points()
        t, g = np.r_[0.0, t[0], t, t[-1], t[-1] + 1], np.r_[0.0, 0.0, g, 0.0, 0.0]
        return [synapse, *_play(h, synapse._ref_gmax, t, g / 1000)], -1, synapse._ref_i
    if isinstance(stimulus, VoltageClamp):
        clamp = h.SEClamp(segment)
        clamp.rs, clamp.dur1 = stimulus.series_MOhm, stimulus.end_ms
        clamp.amp1 = stimulus.levels_mV[0]
        return [clamp, *_play(h, clamp._ref_amp1, *stimulus.points())], 1, clamp._ref_i
    if isinstance(stimulus, SpikeTrain):
        synapse = h.Exp2Syn(segment)
        synapse.tau1, synapse.tau2 = stimulus.rise_ms, stimulus.decay_ms
        synapse.e = stimulus.reversal_mV
        connection = h.NetCon(None, synapse)
        connection.weight[0], connection.delay = stimulus.weight_nS / 1000, 0
        times = stimulus.times_ms
        events = h.FInitializeHandler(lambda: [connection.event(time) for time in times])
        return [synapse, connection, events], 0, None
    if isinstance(stimulus, SynapseTrain):
        room = cell.hoc.synapses
        theirs = [room.netcon_list.o(number) for number in stimulus.synapses]
        ours = [h.NetCon(None, connection.syn()) for connection in theirs]
        for number, connection in zip(stimulus.synapses, ours, strict=True):
            connection.weight[0] = stimulus.weight_scale * room.weights.x[number]
        delays = [connection.delay for connection in theirs]
        spikes = stimulus.times_ms
        events = h.FInitializeHandler(
            lambda: [c.event(t + d) for c, d in zip(ours, delays, strict=True) for t in spikes]
        )
        return [*ours, events], 0, None
    raise SimulationError(f"{cell.model}: {stimulus!r} cannot be attached.")


def _play(h, reference, t: np.ndarray, values: np.ndarray) -> tuple:
    """Let a variable follow values that are linear between times, and keep the last one."""
    times, levels = h.Vector(t), h.Vector(values)
    levels.play(reference, times, 1)
    return times, levels


def record(cell: Cell, target: str, sampling: list[float]):
    """Record a variable such as ``dend[3](0.5).v`` or ``soma[0](0.5).ik``."""
    from neuron import h

    place, _, variable = target.rpartition(".")
    segment = cell.segment(place)
    try:
        reference = getattr(segment, f"_ref_{variable}")
    except (AttributeError, LookupError, NameError, RuntimeError):
        raise PackageError(f"{cell.model}: {place} has no variable {variable!r}.") from None
    return h.Vector().record(reference, *sampling)


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
