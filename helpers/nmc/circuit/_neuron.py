"""What runs inside NEURON: a package's contacts, paired recordings, attenuation, circuits.

`run_pair`, `run_attenuation` and `run_circuit` are tasks of `nmc.child.run_child`; the MPI ranks of
`nmc.circuit.ranks` call `simulate_share`.  Cells are dealt to the ranks in turn; random streams are
keyed by cell and synapse, so the spikes do not depend on the number of ranks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nmc.cells import _run
from nmc.cells.build import build_cell

_REST_MS, _REST_STEP_MS = 500.0, 1.0
_CLAMP_MOHM = 1e-3  # series resistance of the clamp that finds a holding current
_BACKGROUND = 50_000_000  # random streams of the background lie apart from the connections'
_CHUNKS = 40


# -- contacts ----------------------------------------------------------------------------------


def place_contact(h, cell, contact: dict, seed: int, offset: int = 0):
    """Make one contact's point process, as the package's ``synapses.hoc``, and its random stream.

    The stream is keyed by cell, synapse (plus `offset`, for a contact used twice) and `seed`.
    """
    segment = cell.section(contact["section"])(contact["x"])
    name = "ProbAMPANMDA_EMS" if contact["excitatory"] else "ProbGABAAB_EMS"
    synapse = getattr(h, cell.renamed.get(name, name))(segment)
    if contact["excitatory"]:
        synapse.tau_d_AMPA = contact["decay_ms"]
        settings = {"NMDA_ratio": "NMDA_ratio", "mg_mM": "mg"}
    else:
        synapse.tau_d_GABAA = contact["decay_ms"]
        rise = h.Random()
        rise.MCellRan4(contact["synapse"] * 100_000 + 100, cell.gid + 250)
        synapse.tau_r_GABAA = rise.lognormal(0.2, 0.1)
        settings = {"GABAB_ratio": "GABAB_ratio", "e_GABAA_mV": "e_GABAA", "e_GABAB_mV": "e_GABAB"}
    for column, name in settings.items():
        if column in contact:
            setattr(synapse, name, contact[column])
    synapse.Use = contact["utilisation"]
    synapse.Dep = contact["depression_ms"]
    synapse.Fac = contact["facilitation_ms"]
    stream = h.Random()
    _reseed(stream, cell.gid, contact["synapse"] + offset, seed)
    synapse.setRNG(stream)
    return synapse, stream


def _reseed(stream, gid: int, synapse: int, seed: int) -> None:
    """Start a contact's random stream anew."""
    stream.Random123(gid, synapse, seed)
    stream.uniform(0, 1)


def _connect(connection, contact: dict, delay_ms: float):
    connection.delay = delay_ms
    connection.weight[0] = contact["weight_nS"]
    return connection


def _come_to_rest(h) -> None:
    """Let the cell go on resting before time 0.

    The ten long steps of the rest protocol can end away from rest where several currents balance
    (an L4_ChC package drifts by 17 mV after them); half a second in steps of 1 ms ends there.
    """
    dt, h.dt = h.dt, _REST_STEP_MS
    h.t = -_REST_MS
    for _ in range(int(_REST_MS / _REST_STEP_MS)):
        h.fadvance()
    h.t, h.dt = 0, dt
    h.frecord_init()


# -- one cell ----------------------------------------------------------------------------------


def run_pair(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Fire one presynaptic cell once a trial, from rest with rested synapses, and record the soma.

    Arrays: ``t_ms`` (n,) with the first presynaptic spike at 0, ``v_mV`` (trials, n).
    """
    from neuron import h

    cell = build_cell(params["cell"])
    placed = [place_contact(h, cell, c, params["seed"]) for c in params["contacts"]]
    connections = [
        _connect(h.NetCon(None, synapse), contact, 0)
        for contact, (synapse, _) in zip(params["contacts"], placed, strict=True)
    ]
    _run.set_integration(h, {"dt_ms": params["dt_ms"], "order": 1})
    onset = params["onset_ms"]
    settings = {"tstop_ms": onset + params["window_ms"], "v_init_mV": params["v_init_mV"],
                "settle": True}  # fmt: skip
    clamp = h.IClamp(cell.soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = -1e10, 1e11, 0.0
    if params["hold_mV"] is not None:
        clamp.amp = _find_holding_current(h, cell, settings, params["hold_mV"])
    t = h.Vector().record(h._ref_t, params["sampling_ms"])
    v = h.Vector().record(cell.soma(0.5)._ref_v, params["sampling_ms"])
    traces = []
    for trial in range(params["trials"]):
        for contact, (_, stream) in zip(params["contacts"], placed, strict=True):
            _reseed(stream, cell.gid, contact["synapse"], params["seed"] * 100_000 + trial)
        _run.start(h, settings)
        _come_to_rest(h)
        for spike in params["spikes_ms"]:
            for contact, connection in zip(params["contacts"], connections, strict=True):
                connection.event(onset + spike + contact["delay_ms"])
        h.continuerun(settings["tstop_ms"])
        traces.append(np.array(v))
        report((trial + 1) / params["trials"])
    voltage, time = np.array(traces), np.array(t) - onset
    _run.check_finite(cell.model, "v_mV", voltage.mean(axis=0), time)
    meta = {"segments": sum(s.nseg for s in cell.hoc.all), "hold_nA": float(clamp.amp)}
    return meta, {"t_ms": time, "v_mV": voltage}


def _find_holding_current(h, cell, settings: dict, hold_mV: float) -> float:
    """Current, nA, that keeps the resting soma at a voltage: what a voltage clamp injects."""
    clamp = h.SEClamp(cell.soma(0.5))
    clamp.dur1, clamp.amp1, clamp.rs = 1e11, hold_mV, _CLAMP_MOHM
    _run.start(h, settings | {"v_init_mV": hold_mV})
    _come_to_rest(h)
    return float(clamp.i)


def run_attenuation(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Compute, for every segment of a resting cell, transfer over input impedance of the soma.

    At 0 Hz, with the channels' own response: the ratio of the charges that a small current there
    and at the soma leave.  Arrays: ``section``, ``x``, ``share``.
    """
    from neuron import h

    cell = build_cell(params["cell"])
    _run.set_integration(h, {"dt_ms": params["dt_ms"], "order": 1})
    _run.start(h, {"tstop_ms": 1.0, "v_init_mV": params["v_init_mV"], "settle": True})
    _come_to_rest(h)
    probe = h.Impedance()
    probe.loc(0.5, sec=cell.soma)
    probe.compute(0, 1)
    own = probe.input(0.5, sec=cell.soma)
    rows = [
        (number, segment.x, probe.transfer(segment.x, sec=section) / own)
        for number, section in enumerate(cell.sections.values())
        for segment in section
    ]
    number, x, share = np.array(rows).T
    meta = {"sections": list(cell.sections), "input_resistance_MOhm": own}
    return meta, {"section": number.astype(int), "x": x, "share": share}


# -- circuits ----------------------------------------------------------------------------------


def run_circuit(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Simulate the circuit in this process alone."""
    from neuron import h

    return simulate_share(h, h.ParallelContext(), params, report)


def simulate_share(h, pc, params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Build and run this process's share of a circuit, with the mechanisms loaded."""
    mine = cells_of(int(pc.id()), int(pc.nhost()), len(params["cells"]))
    cells = {gid: _place_cell(h, pc, gid, params) for gid in mine}
    alive = [_wire(h, pc, cells[c["post"]], c, params["seed"]) for c in params["contacts"]
             if c["post"] in cells]  # fmt: skip
    alive += [_add_background(h, cells[gid], gid, params) for gid in mine]
    variable = _run.set_integration(h, params["integration"])
    if variable:
        h.cvode.use_local_dt(1)  # each cell steps for itself
        h.cvode.condition_order(2)  # a spike's time is interpolated within the step
    pc.set_maxstep(10)
    times, gids = h.Vector(), h.Vector()
    pc.spike_record(-1, times, gids)
    sampling = params["sampling_ms"]
    recorded = [gid for gid in params["record"] if gid in cells]
    voltages = {gid: h.Vector().record(cells[gid].soma(0.5)._ref_v, sampling) for gid in recorded}
    h.v_init = params["v_init_mV"]
    h.stdinit()
    for k in range(1, _CHUNKS + 1):
        pc.psolve(params["tstop_ms"] * k / _CHUNKS)
        report(k / _CHUNKS)
    t = np.arange(round(params["tstop_ms"] / sampling)) * sampling
    arrays = {"spike_t_ms": np.array(times), "spike_gid": np.array(gids, int), "t_ms": t}
    for gid, voltage in voltages.items():
        arrays[f"v_{gid}"] = np.array(voltage)[: len(t)]
        _run.check_finite(cells[gid].model, f"v of cell {gid}", arrays[f"v_{gid}"], t)
    del alive
    segments = sum(s.nseg for cell in cells.values() for s in cell.hoc.all)
    return {"segments": segments, "cells": len(cells), "waited_s": float(pc.wait_time())}, arrays


def cells_of(rank: int, ranks: int, cells: int) -> list[int]:
    """Numbers of the cells that a rank simulates."""
    return list(range(rank, cells, ranks))


def _place_cell(h, pc, gid: int, params: dict):
    cell = build_cell(params["cells"][gid])
    # cells of one model stand in different places of the circuit: their streams differ
    cell.gid = params["cells"][gid]["gid"] * 1000 + gid
    if params["random_channels"][gid]:
        cell.hoc.re_init_rng(1 + gid)
    pc.set_gid2node(gid, pc.id())
    detector = h.NetCon(cell.soma(0.5)._ref_v, None, sec=cell.soma)
    detector.threshold = params["threshold_mV"]
    pc.cell(gid, detector)
    clamp = h.IClamp(cell.soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = 0, 1e9, params["drive_nA"][gid]
    cell.keep += [detector, clamp]
    return cell


def _wire(h, pc, cell, contact: dict, seed: int):
    # one receiving cell can get the same package contact from two senders: tell them apart
    placed = place_contact(h, cell, contact, seed, 100_000 * (1 + contact["pre"]))
    connection = pc.gid_connect(contact["pre"], placed[0])
    return placed, _connect(connection, contact, contact["delay_ms"])


def _add_background(h, cell, gid: int, params: dict):
    sources: dict[int, Any] = {}
    alive = []
    for contact in params["background"]:
        if contact["post"] != gid:
            continue
        if contact["pre_cell"] not in sources:
            source = sources[contact["pre_cell"]] = h.NetStim()
            source.start, source.number, source.noise = 0, 1e9, 1
            source.interval = 1000.0 / params["background_Hz"]
            source.noiseFromRandom123(gid, _BACKGROUND + len(sources), params["seed"])
        placed = place_contact(h, cell, contact, params["seed"], _BACKGROUND)
        connection = h.NetCon(sources[contact["pre_cell"]], placed[0])
        alive.append((placed, _connect(connection, contact, contact["delay_ms"])))
    return sources, alive
