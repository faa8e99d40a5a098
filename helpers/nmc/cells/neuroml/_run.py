"""The worker's side of a NeuroML2 net: run the script that jNeuroML wrote, and record the soma."""

from __future__ import annotations

import importlib.util
import os

import numpy as np

from nmc.cells._run import advance, check_finite, crossings


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Run one generated simulation with its own step and start voltage.

    Parameters
    ----------
    params : dict
        ``folder`` and ``script`` (what jNeuroML wrote), ``tstop_ms``, ``dt_ms``,
        ``sampling_ms``, ``threshold_mV``, ``model``.
    report : callable
        Takes the fraction that is done.

    Returns
    -------
    meta, arrays
        As `nmc.cells._run.run`: ``t_ms``, ``v_mV`` of the soma, ``spikes_ms``.
    """
    from neuron import h

    h.load_file("stdrun.hoc")
    os.chdir(params["folder"])  # the script reads and writes beside itself
    spec = importlib.util.spec_from_file_location("generated", params["script"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.NeuronSimulation(tstop=params["tstop_ms"], dt=params["dt_ms"])
    soma = next(s for s in h.allsec() if s.name().rpartition(".")[2] == "soma_0")
    middle = soma(0.5)._ref_v
    t, v = (h.Vector().record(r, params["sampling_ms"]) for r in (h._ref_t, middle))
    fine_t, fine_v = (h.Vector().record(r) for r in (h._ref_t, middle))
    h.stdinit()
    start = soma(0.5).v
    advance(h, params["tstop_ms"], report)
    arrays = {"t_ms": np.array(t), "v_mV": np.array(v)}
    check_finite(params["model"], "v_mV", arrays["v_mV"], arrays["t_ms"])
    arrays["spikes_ms"] = crossings(np.array(fine_t), np.array(fine_v), params["threshold_mV"])
    segments = sum(s.nseg for s in h.allsec())
    return {"segments": segments, "v_init_mV": start, "celsius": h.celsius}, arrays
