"""Tasks that misbehave, for tests of the child process."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def fine(params, report):
    print("noise")
    report(0.5)
    left = tempfile.mkdtemp()  # what a task leaves behind goes with its folder
    return {"twice": 2 * params["x"], "temporary": left}, {"a": np.arange(3.0)}


def slow(params, report):
    Path("at-work").touch()
    time.sleep(60)
    return {}, {}


def deaf(params, report):
    """Never let another thread run, as compiled code does, and ignore what can be ignored."""
    import ctypes

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path("at-work").touch()
    ctypes.PyDLL(None).sleep(60)  # keeps Python's lock
    return {}, {}


def deaf_elsewhere(params, report):
    """The same on a system that does not tell a child of its parent's death, as Linux does."""
    import ctypes
    from types import SimpleNamespace

    from nmc import child

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 0)
    child.sys = SimpleNamespace(platform="other")
    child.die_with(os.getppid())
    deaf(params, report)


def hungry(params, report):
    keep = bytearray(400_000_000)
    time.sleep(20)
    return {"n": len(keep)}, {}


def crash(params, report):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(params, report):
    os._exit(7)


def fails(params, report):
    from nmc.errors import PackageError

    raise PackageError("L5_X: the reason")


def breaks(params, report):
    return 1 / 0


def mechanisms(params, report):
    from neuron import h

    section = h.Section()
    known = []
    for name in ("hostile", "hh"):
        try:
            section.insert(name)
            known.append(True)
        except (ValueError, RuntimeError):
            known.append(False)
    return {"known": known}, {}


def side_by_side(params, report):
    """Build several cells in this one process, drive each alike, and record every soma."""
    from neuron import h
    from nmc.cells import _run
    from nmc.cells.build import build_cell
    from nmc.cells.stimuli import from_plain

    cells = [build_cell(spec) for spec in params["cells"]]
    kept = [_run.attach(h, cell, from_plain(params["stimulus"])) for cell in cells]
    _run.set_integration(h, {"dt_ms": 0.025, "order": 1})
    vectors = [_run.record(cell, "soma[0](0.5).v", [0.1]) for cell in cells]
    _run.start(h, {"tstop_ms": params["tstop_ms"], "v_init_mV": -65.0})
    _run.advance(h, params["tstop_ms"], report)
    del kept
    names = {s.name() for cell in cells for s in cell.hoc.all}
    counts = [len(cell.sections) for cell in cells]
    arrays = {f"v{i}": np.array(vector) for i, vector in enumerate(vectors)}
    return {"names": len(names), "sections": counts}, arrays
