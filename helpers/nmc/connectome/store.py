"""The compact form of a connectome: a folder of plain arrays that opens at once.

``indptr`` and ``indices`` are those of the CSR adjacency (int32), ``mtypes`` the index of each
neuron's m-type in `nmc.names.MTYPES`, ``positions`` in µm, the four counts −1 where unknown.
Arrays are memory-mapped, so that opening costs no time and several processes share one copy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Part of the cache's key: a change of the form makes old entries unused.
VERSION = 1
_ARRAYS = ("mtypes", "positions", "indptr", "indices")


@dataclass(frozen=True)
class Compact:
    """Arrays of one connectome, and what is missing in it (``meta``)."""

    mtypes: np.ndarray
    positions: np.ndarray
    counts: dict[str, np.ndarray]
    indptr: np.ndarray
    indices: np.ndarray
    meta: dict

    def write(self, folder: Path) -> None:
        """Write into an existing folder; ``meta.json`` comes last and marks it complete."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        for name, values in self.counts.items():
            np.save(folder / f"{name}.npy", values)
        meta = self.meta | {"version": VERSION, "counts": list(self.counts)}
        (folder / "meta.json").write_text(json.dumps(meta), "utf-8")


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a compact form written to its end."""
    return (folder / "meta.json").is_file()


def open_compact(folder: Path) -> Compact:
    """Open a compact form; arrays are mapped copy-on-write, the files never change."""
    meta = json.loads((folder / "meta.json").read_text("utf-8"))

    def array(name: str) -> np.ndarray:
        path = folder / f"{name}.npy"
        # An empty file cannot be mapped; "c" keeps arrays writable without touching the file.
        return np.load(path, mmap_mode="c") if path.stat().st_size > 1024 else np.load(path)

    counts = {name: array(name) for name in meta.pop("counts")}
    return Compact(**{name: array(name) for name in _ARRAYS}, counts=counts, meta=meta)
