"""The worker's side of attenuation: which share of a synaptic charge reaches the soma."""

from __future__ import annotations

import numpy as np

from nmc.cells import _run
from nmc.cells.build import build_cell
from nmc.circuit._pair import _come_to_rest


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Compute, for every segment of a resting cell, transfer over input impedance of the soma.

    ``params``: ``cell``, ``v_init_mV``, ``dt_ms``.  At 0 Hz, the channels' own response
    included: the ratio of the charges that a small current there and at the soma leave.
    Arrays: ``section`` (number in the list of names), ``x``, ``share``.
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
