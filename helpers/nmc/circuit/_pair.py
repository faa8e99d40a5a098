"""The worker's side of a paired recording: one cell, one presynaptic partner, many trials."""

from __future__ import annotations

import numpy as np

from nmc.cells import _run
from nmc.cells.build import build_cell
from nmc.circuit.contacts import place_contact, reseed

_REST_MS, _REST_STEP_MS = 500.0, 1.0


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Fire one presynaptic cell once a trial and record the soma.

    ``params``: ``cell``, ``contacts`` (from `nmc.circuit.contacts.to_spec`), ``trials``,
    ``seed``, ``onset_ms``, ``window_ms``, ``dt_ms``, ``sampling_ms``, ``v_init_mV``, and
    ``spikes_ms`` (times of the presynaptic spikes after the onset).

    Each trial starts from the settled cell, with rested synapses.  Arrays: ``t_ms`` (n,) with the
    first presynaptic spike at 0, ``v_mV`` (trials, n).
    """
    from neuron import h

    cell = build_cell(params["cell"])
    placed = [place_contact(h, cell, c, params["seed"]) for c in params["contacts"]]
    connections = []
    for contact, (synapse, _) in zip(params["contacts"], placed, strict=True):
        connection = h.NetCon(None, synapse)
        connection.delay = 0
        connection.weight[0] = contact["weight_nS"]
        connections.append(connection)
    _run.set_integration(h, {"dt_ms": params["dt_ms"], "order": 1})
    onset = params["onset_ms"]
    settings = {
        "tstop_ms": onset + params["window_ms"],
        "v_init_mV": params["v_init_mV"],
        "settle": True,
    }
    t = h.Vector().record(h._ref_t, params["sampling_ms"])
    v = h.Vector().record(cell.soma(0.5)._ref_v, params["sampling_ms"])
    traces = []
    for trial in range(params["trials"]):
        for contact, (_, stream) in zip(params["contacts"], placed, strict=True):
            reseed(stream, cell.gid, contact["synapse"], params["seed"] * 100_000 + trial)
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
    return {"segments": sum(s.nseg for s in cell.hoc.all)}, {"t_ms": time, "v_mV": voltage}


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
