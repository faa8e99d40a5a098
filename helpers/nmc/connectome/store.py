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

from nmc.errors import FormatError
from nmc.names import MTYPES

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


def join(shares: list[Compact]) -> Compact:
    """Put the shares of a file together, each the rows of some m-types, in the order of m-types.

    Raises
    ------
    FormatError
        When there is no matrix in any of them, or more connections than int32 can number.
    """
    missing = [pathway for share in shares for pathway in share.meta["missing_blocks"]]
    mtypes = sorted((m for s in shares for m in s.meta["mtypes"]), key=MTYPES.index)
    if len(missing) == len(mtypes) ** 2:
        raise FormatError("there is no /connectivity/<pre>/<post>/cMat; at least one is needed.")
    rows = sorted((r for share in shares for r in _rows_by_mtype(share)), key=lambda r: r[0])
    n_out = np.concatenate([np.diff(share.indptr[a : b + 1]) for _, a, b, share in rows])
    indptr = np.concatenate([[0], np.cumsum(n_out)])
    if indptr[-1] >= 2**31:
        raise FormatError(f"{indptr[-1]:,} connections are more than a microcircuit has.")
    names = shares[0].counts
    lacking = {name for share in shares for name in share.meta["missing_counts"]}
    return Compact(
        mtypes=np.concatenate([share.mtypes[a:b] for _, a, b, share in rows]),
        positions=np.concatenate([share.positions[a:b] for _, a, b, share in rows]),
        counts={n: np.concatenate([s.counts[n][a:b] for _, a, b, s in rows]) for n in names},
        indptr=indptr.astype(np.int32),
        indices=np.concatenate([s.indices[s.indptr[a] : s.indptr[b]] for _, a, b, s in rows]),
        meta={
            "mtypes": mtypes,
            "missing_counts": [name for name in names if name in lacking],
            "missing_blocks": sorted(missing, key=lambda p: [MTYPES.index(m) for m in p]),
            "self_connections": sum(share.meta["self_connections"] for share in shares),
        },
    )


def _rows_by_mtype(share: Compact) -> list[tuple[int, int, int, Compact]]:
    """Return code, first and last row of each m-type with neurons in a share."""
    found = zip(*np.unique(share.mtypes, return_index=True, return_counts=True), strict=True)
    return [(code, first, first + size, share) for code, first, size in found]
