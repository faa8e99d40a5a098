"""Read a connectome HDF5 file, block by block, into a compact folder of arrays.

This module runs in a process of its own (``python -m nmc.connectome.hdf5 IN OUT SHARE OF``): the
HDF5 library parses files from anywhere, and a damaged one may take its process down.  It imports
little, so that the process starts quickly, and reports on standard output, a JSON line each
time.  Several such processes may read one file, a share of its rows each.

The format is that of the portal's read-me and the readers made for it::

    /populations/<m-type>/locations                        (N, 3) µm, y vertical
    /populations/<m-type>/{nCellAff,nCellEff,nSynAff,nSynEff}   (N, 1), may be absent
    /connectivity/<pre>/<post>/cMat                        (N_pre, N_post) 0/1, may be absent
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from nmc import names
from nmc.connectome import hdf5_links as links
from nmc.connectome import store
from nmc.connectome.hdf5_blocks import Blocks, Strip
from nmc.errors import FormatError, NMCError

#: The group of matrices; the second spelling stands in some of the portal's files.
CONNECTIVITY = ("connectivity", "connectivty")
COUNTS = ("nCellAff", "nCellEff", "nSynAff", "nSynEff")
#: Files beyond these sizes are no microcircuit of this collaboration (31,346 neurons).
MAX_NEURONS = 400_000
#: What the library may remember of the places of chunks; every place is asked for once.
_METADATA_BYTES = 2 << 20


def convert(
    path: Path,
    folder: Path,
    report: Callable[[dict], None] = lambda _: None,
    *,
    share: int = 0,
    of: int = 1,
) -> None:
    """Read a connectome file, or a share of its rows, and write the compact form into `folder`.

    Parameters
    ----------
    path : Path
        An HDF5 file; any dtype, chunking and filter of its matrices.
    folder : Path
        An existing, empty folder.
    report : callable
        Called with ``{"total": blocks}`` of the file once and ``{"done": blocks}`` of the share
        as it goes on.
    share, of : int
        Which share of how many; `nmc.connectome.store.join` puts them together.

    Raises
    ------
    FormatError
        When the file is not a connectome file; the message names the place in the file.
    """
    try:
        # Every chunk is unpacked once: a cache for them would only take memory.
        with h5py.File(path, "r", rdcc_nbytes=0) as file:
            _limit_metadata(file)
            reader = _Reader(file, share, of)
            compact = reader.read(report)
    except NMCError as error:
        raise FormatError(f"{path.name}: {error}") from error
    except (OSError, RuntimeError, KeyError, ValueError, MemoryError) as error:
        raise FormatError(
            f"{path.name} cannot be read as HDF5 ({_first_line(error)}); it is damaged, cut "
            "short, or uses a filter this h5py does not have: fetch it again."
        ) from error
    compact.write(folder)


class _Reader:
    """One pass over a share of one open file: the rows of some presynaptic types."""

    def __init__(self, file: h5py.File, share: int, of: int):
        self.file = file
        self.populations = self._populations()
        self.sizes = {m: g["locations"].shape[0] for m, g in self.populations.items()}
        if not 0 < sum(self.sizes.values()) <= MAX_NEURONS:
            raise FormatError(
                f"/populations has {sum(self.sizes.values()):,} neurons; "
                f"expected between 1 and {MAX_NEURONS:,}."
            )
        self.own = _share_of(self.sizes, share, of)

    def read(self, report: Callable[[dict], None]) -> store.Compact:
        positions, counts, missing_counts = self._neurons()
        indptr, indices, missing_blocks = self._connections(report)
        codes = [names.MTYPES.index(m) for m in self.own]
        return store.Compact(
            mtypes=np.repeat(codes, list(self.own.values())).astype(np.int8),
            positions=positions,
            counts=counts,
            indptr=indptr,
            indices=indices,
            meta={
                "mtypes": list(self.own),
                "missing_counts": missing_counts,
                "missing_blocks": missing_blocks,
                "self_connections": self.n_self,
            },
        )

    # --- neurons

    def _populations(self) -> dict[str, h5py.Group]:
        groups = self._mtype_groups(links.group(self.file, "populations"))
        if not groups:
            raise FormatError("/populations is empty.")
        for mtype, group in groups.items():
            data = links.dataset(group, "locations")
            where = data.name
            if data.ndim != 2 or data.shape[1] != 3 or data.dtype.kind not in "iuf":
                raise FormatError(
                    f"{where} has shape {data.shape} and type {data.dtype}; "
                    "expected (N, 3) numbers."
                )
            if data.shape[0] > MAX_NEURONS:
                raise FormatError(f"{where} has {data.shape[0]:,} rows: too many for {mtype}.")
        return {m: groups[m] for m in names.MTYPES if m in groups}

    def _mtype_groups(self, parent: h5py.Group) -> dict[str, h5py.Group]:
        return {m: links.group(parent, spelled) for m, spelled in links.mtypes(parent).items()}

    def _neurons(self) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
        n = sum(self.own.values())
        positions = np.empty((n, 3))
        counts = {name: np.full(n, -1, np.int32) for name in COUNTS}
        start = 0
        for mtype, size in self.own.items():
            group = self.populations[mtype]
            here = slice(start, start + size)
            positions[here] = group["locations"][()]
            if not np.isfinite(positions[here]).all():
                raise FormatError(f"{group.name}/locations holds a value that is not finite.")
            for name in COUNTS:
                if name in group:
                    counts[name][here] = self._count(group, name, size)
            start = here.stop
        missing = [name for name, values in counts.items() if (values < 0).any()]
        return positions, counts, missing

    def _count(self, group: h5py.Group, name: str, n: int) -> np.ndarray:
        data = links.dataset(group, name)
        where = data.name
        if data.shape not in ((n, 1), (n,), (1, n)) or data.dtype.kind not in "iuf":
            raise FormatError(
                f"{where} has shape {data.shape} and type {data.dtype}; expected ({n}, 1) counts."
            )
        values = np.asarray(data[()], float).ravel()
        if not (np.isfinite(values).all() and (values >= 0).all() and (values < 2**31).all()):
            raise FormatError(f"{where} holds a value that is no count.")
        if (values != np.round(values)).any():
            raise FormatError(f"{where} holds a value that is no whole number.")
        return values.astype(np.int32)

    # --- connections

    def _connections(
        self, report: Callable[[dict], None]
    ) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
        strips = self._strips(report)
        self.n_self = sum(strip.n_self for strip in strips)
        missing = [pathway for strip in strips for pathway in strip.missing]
        indptr = np.cumsum(np.concatenate([[0], *(strip.n_out for strip in strips)]))
        indices = np.empty(indptr[-1], np.int32)
        at = 0
        while strips:  # each is let go once it is copied
            targets = strips.pop(0).targets
            indices[at : at + targets.size] = targets
            at += targets.size
        return indptr, indices, missing

    def _strips(self, report: Callable[[dict], None]) -> list[Strip]:
        spelled = next((s for s in CONNECTIVITY if s in self.file), None)
        if spelled is None:
            raise FormatError("it has no group /connectivity.")
        blocks = Blocks(links.group(self.file, spelled), self.sizes)
        report({"total": len(self.sizes) ** 2})
        strips = []
        for pre in self.own:
            strips.append(blocks.strip(pre))
            report({"done": len(strips) * len(self.sizes)})
        return strips


def _share_of(sizes: dict[str, int], share: int, of: int) -> dict[str, int]:
    """Types of one share: dealt out from the largest down, each to whoever has fewest neurons."""
    loads = [0] * of
    mine = set()
    for mtype in sorted(sizes, key=sizes.get, reverse=True):
        lightest = loads.index(min(loads))
        loads[lightest] += sizes[mtype]
        if lightest == share:
            mine.add(mtype)
    return {mtype: size for mtype, size in sizes.items() if mtype in mine}


def _limit_metadata(file: h5py.File) -> None:
    cache = file.id.get_mdc_config()
    cache.min_size = min(cache.min_size, _METADATA_BYTES)
    cache.initial_size = cache.max_size = _METADATA_BYTES
    file.id.set_mdc_config(cache)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def main(argv: list[str]) -> int:
    """Entry of the child process."""

    def report(message: dict) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    source, folder = map(Path, argv[:2])
    share, of = map(int, argv[2:])
    try:
        convert(source, folder, report, share=share, of=of)
    except NMCError as error:
        report({"error": str(error)})
        return 1
    report({"ok": True})
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # all is written; tidying up would only take time
