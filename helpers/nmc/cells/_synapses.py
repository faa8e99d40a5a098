"""The worker's side of synaptic bombardment: the package's own synapses, switched on by m-type."""

from __future__ import annotations

import numpy as np

from nmc.cells import _run
from nmc.cells.build import build_cell


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Simulate one cell under Poisson input from chosen presynaptic m-types.

    ``params`` are those of `nmc.cells._run.run` and ``rates_Hz`` (m-type number → rate) and
    ``seed``.  Each presynaptic cell is one Poisson source of its own random stream, as each
    is one NetStim in the package; synapses keep the package's seeds and weights.
    """
    from neuron import h

    cell = build_cell(params["cell"], synapses=True)
    sources = activate(h, cell, params["rates_Hz"], params["seed"])
    kept = [_run.add_stimulus(cell, stimulus) for stimulus in params["stimuli"]]
    _run.set_integration(h, params["integration"])
    every = params["sampling_ms"]
    recorded = {n: _run.record(cell, target, every) for n, target in params["record"].items()}
    t = h.Vector().record(h._ref_t, every)
    fine_t = h.Vector().record(h._ref_t)
    fine_v = h.Vector().record(cell.soma(0.5)._ref_v)
    _run.start(h, params)
    _run.advance(h, params["tstop_ms"], report)
    arrays = {"t_ms": np.array(t), **{name: np.array(v) for name, v in recorded.items()}}
    for name, values in arrays.items():
        _run.check_finite(cell.model, name, values, arrays["t_ms"])
    arrays["spikes_ms"] = _run.crossings(np.array(fine_t), np.array(fine_v), params["threshold_mV"])
    del kept
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
