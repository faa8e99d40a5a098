"""The worker process: ``python -m nmc.cells._worker FOLDER``; started by `nmc.cells.worker`.

Whatever the model's code prints goes to the log that the parent opened; only files in FOLDER
speak to the parent.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def main(folder: Path) -> int:
    """Run the task that ``spec.json`` names; write ``meta.json`` and ``arrays.npz``."""
    spec = json.loads((folder / "spec.json").read_text("utf-8"))
    parent = spec["parent"]

    def report(fraction: float) -> None:
        if os.getppid() != parent:  # nobody is left to want the result
            os._exit(3)
        (folder / "progress").write_text(f"{fraction:.4f}")

    try:
        load_libraries(spec["libraries"])
        module, _, function = spec["task"].partition(":")
        started = time.process_time()
        meta, arrays = getattr(importlib.import_module(module), function)(spec["params"], report)
        meta = {**meta, "cpu_s": time.process_time() - started}
        np.savez(folder / "arrays.npz", **arrays)
        partial = folder / "meta.json.part"
        partial.write_text(json.dumps(meta), "utf-8")
        partial.rename(folder / "meta.json")
    except Exception as error:
        told = {"type": type(error).__name__, "message": str(error)}
        (folder / "error.json").write_text(json.dumps(told), "utf-8")
        import traceback

        traceback.print_exc()
        return 1
    return 0


def load_libraries(paths: list[str]) -> None:
    """Load compiled mechanisms into this process."""
    from neuron import h

    for path in paths:
        if not h.nrn_load_dll(path):
            raise RuntimeError(f"NEURON cannot load {path}")


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing to tidy up; NEURON's own exit prints and takes time
