"""Tasks that misbehave, for the worker's tests."""

import os
import signal
import time

import numpy as np


def fine(params, report):
    print("noise")
    report(0.5)
    return {"twice": 2 * params["x"]}, {"a": np.arange(3.0)}


def slow(params, report):
    time.sleep(60)
    return {}, {}


def hungry(params, report):
    keep = bytearray(400_000_000)
    time.sleep(20)
    return {"n": len(keep)}, {}


def crash(params, report):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(params, report):
    from neuron import h

    h("quit()")


def fails(params, report):
    from nmc.errors import PackageError

    raise PackageError("L5_X: the reason")


def breaks(params, report):
    return 1 / 0


def side_by_side(params, report):
    """Build several cells in this one process, drive each alike, and record every soma."""
    from neuron import h
    from nmc.cells import _run
    from nmc.cells.build import build_cell

    cells = [build_cell(spec) for spec in params["cells"]]
    kept = [_run.add_stimulus(cell, params["stimulus"]) for cell in cells]
    _run.set_integration(h, {"dt_ms": 0.025, "order": 1})
    vectors = [_run.record(cell, "soma[0](0.5).v", 0.1) for cell in cells]
    _run.start(h, {"tstop_ms": params["tstop_ms"], "v_init_mV": -65.0})
    _run.advance(h, params["tstop_ms"], report)
    del kept
    names = {s.name() for cell in cells for s in cell.hoc.all}
    counts = [len(cell.sections) for cell in cells]
    arrays = {f"v{i}": np.array(vector) for i, vector in enumerate(vectors)}
    return {"names": len(names), "sections": counts}, arrays
