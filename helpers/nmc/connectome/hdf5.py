"""Read a connectome HDF5 file, block by block, into a compact folder of arrays.

This module runs in a process of its own (``python -m nmc.connectome.hdf5 IN OUT``): the HDF5
library parses files from anywhere, and a damaged one may take its process down.  It imports
little, so that the process starts quickly, and reports on standard output, a JSON line each
time.

The format is that of the portal's read-me and the readers made for it::

    /populations/<m-type>/locations                        (N, 3) µm, y vertical
    /populations/<m-type>/{nCellAff,nCellEff,nSynAff,nSynEff}   (N, 1), may be absent
    /connectivity/<pre>/<post>/cMat                        (N_pre, N_post) 0/1, may be absent
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from nmc import names
from nmc.connectome import store
from nmc.errors import FormatError, NMCError, UnknownNameError

#: The group of matrices; the second spelling stands in some of the portal's files.
CONNECTIVITY = ("connectivity", "connectivty")
COUNTS = ("nCellAff", "nCellEff", "nSynAff", "nSynEff")
#: Rows are read in slabs of about so many bytes.
SLAB_BYTES = 16 << 20
#: Files beyond these sizes are no microcircuit of this collaboration (31,346 neurons).
MAX_NEURONS = 400_000
MAX_CHUNK_BYTES = 1 << 30


def convert(path: Path, folder: Path, report: Callable[[dict], None] = lambda _: None) -> None:
    """Read a connectome file and write its compact form into `folder`.

    Parameters
    ----------
    path : Path
        An HDF5 file; any dtype, chunking and filter of its matrices.
    folder : Path
        An existing, empty folder.
    report : callable
        Called with ``{"total": blocks}`` once and ``{"done": blocks}`` as it goes on.

    Raises
    ------
    FormatError
        When the file is not a connectome file; the message names the place in the file.
    """
    try:
        with h5py.File(path, "r") as file:
            reader = _Reader(file)
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
    """One pass over one open file."""

    def __init__(self, file: h5py.File):
        self.file = file
        self.populations = self._populations()
        self.sizes = {m: g["locations"].shape[0] for m, g in self.populations.items()}
        if not 0 < sum(self.sizes.values()) <= MAX_NEURONS:
            raise FormatError(
                f"/populations has {sum(self.sizes.values()):,} neurons; "
                f"expected between 1 and {MAX_NEURONS:,}."
            )

    def read(self, report: Callable[[dict], None]) -> store.Compact:
        positions, counts, missing_counts = self._neurons()
        indptr, indices, missing_blocks = self._connections(report)
        codes = [names.MTYPES.index(m) for m in self.sizes]
        return store.Compact(
            mtypes=np.repeat(codes, list(self.sizes.values())).astype(np.int8),
            positions=positions,
            counts=counts,
            indptr=indptr,
            indices=indices,
            meta={
                "mtypes": list(self.sizes),
                "missing_counts": missing_counts,
                "missing_blocks": missing_blocks,
                "self_connections": self.n_self,
            },
        )

    # --- neurons

    def _populations(self) -> dict[str, h5py.Group]:
        groups = self._mtype_groups(_group(self.file, "populations"))
        if not groups:
            raise FormatError("/populations is empty.")
        for mtype, group in groups.items():
            data = _dataset(group, "locations")
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
        return {m: _group(parent, spelled) for m, spelled in _mtypes(parent).items()}

    def _spelled(self, parent: h5py.Group) -> dict[str, str]:
        """M-types a group of /connectivity holds, with their spelling there."""
        spelled = _mtypes(parent)
        for mtype in spelled:
            if mtype not in self.sizes:
                raise FormatError(
                    f"{parent.name} names {mtype}, which has no neurons in /populations."
                )
        return spelled

    def _neurons(self) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
        n = sum(self.sizes.values())
        positions = np.empty((n, 3))
        counts = {name: np.full(n, -1, np.int32) for name in COUNTS}
        start = 0
        for mtype, group in self.populations.items():
            here = slice(start, start + self.sizes[mtype])
            positions[here] = group["locations"][()]
            if not np.isfinite(positions[here]).all():
                raise FormatError(f"{group.name}/locations holds a value that is not finite.")
            for name in COUNTS:
                if name in group:
                    counts[name][here] = self._count(group, name, self.sizes[mtype])
            start = here.stop
        missing = [name for name, values in counts.items() if (values < 0).any()]
        return positions, counts, missing

    def _count(self, group: h5py.Group, name: str, n: int) -> np.ndarray:
        data = _dataset(group, name)
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
        connectivity = self._connectivity()
        mtypes = list(self.sizes)
        firsts = dict(zip(mtypes, np.cumsum([0, *self.sizes.values()]), strict=False))
        report({"total": len(mtypes) ** 2})
        missing, rows, columns = [], [np.zeros(1, np.int64)], []
        self.n_self = 0
        for done, pre in enumerate(mtypes, 1):
            group = connectivity.get(pre)
            posts = {} if group is None else self._spelled(group)
            strip = []
            for post in mtypes:
                block = self._block(group, posts[post], pre, post) if post in posts else None
                if block is None:
                    missing.append([pre, post])
                else:
                    n_out, columns_here = self._without_self(*block) if pre == post else block
                    strip.append((n_out, columns_here + np.int32(firsts[post])))
            n_out, targets = _merge(strip, self.sizes[pre])
            rows.append(n_out)
            columns.append(targets)
            report({"done": done * len(mtypes)})
        if len(missing) == len(mtypes) ** 2:
            raise FormatError(
                "there is no /connectivity/<pre>/<post>/cMat; at least one is needed."
            )
        indptr = np.cumsum(np.concatenate(rows))
        if indptr[-1] >= 2**31:
            raise FormatError(f"{indptr[-1]:,} connections are more than a microcircuit has.")
        return indptr.astype(np.int32), np.concatenate(columns), missing

    def _without_self(self, n_out: np.ndarray, columns: np.ndarray) -> tuple:
        """Take out connections of a neuron with itself; their number is reported."""
        rows = np.repeat(np.arange(len(n_out)), n_out)
        other = rows != columns
        self.n_self += int(columns.size - other.sum())
        return np.bincount(rows[other], minlength=len(n_out)), columns[other]

    def _connectivity(self) -> dict[str, h5py.Group]:
        spelled = next((s for s in CONNECTIVITY if s in self.file), None)
        if spelled is None:
            raise FormatError("it has no group /connectivity.")
        parent = _group(self.file, spelled)
        return {m: _group(parent, name) for m, name in self._spelled(parent).items()}

    def _block(
        self, group: h5py.Group, spelled: str, pre: str, post: str
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Connections a row, (N_pre,) int64, and their columns, row by row, int32."""
        _check_hard(group, spelled)
        try:
            data = _dataset(group, f"{spelled}/cMat")
        except _Absent:
            others = list(_group(group, spelled))
            if others:
                raise FormatError(f"{group.name}/{spelled} holds {others[0]}, no cMat.") from None
            return None
        where = data.name
        shape = self.sizes[pre], self.sizes[post]
        if data.shape != shape:
            raise FormatError(
                f"{where} has shape {data.shape}, but {pre} has {shape[0]:,} neurons and "
                f"{post} {shape[1]:,}."
            )
        if data.dtype.kind not in "biuf":
            raise FormatError(f"{where} has type {data.dtype}; expected 0/1 numbers.")
        n_out = np.zeros(shape[0], np.int64)
        columns = []
        for first, slab in _slabs(data):
            flat = _ones(slab, where, first)
            n_out[first : first + len(slab)] = np.bincount(flat // shape[1], minlength=len(slab))
            columns.append((flat % shape[1]).astype(np.int32))
        return n_out, np.concatenate(columns) if columns else np.empty(0, np.int32)


def _slabs(data: h5py.Dataset) -> Iterator[tuple[int, np.ndarray]]:
    """Yield ``(first row, rows)`` of a matrix, whole chunks at a time."""
    n_rows, n_columns = data.shape
    if n_rows == 0 or n_columns == 0:
        return
    chunk_rows = data.chunks[0] if data.chunks else 1
    row_bytes = n_columns * data.dtype.itemsize
    step = max(1, SLAB_BYTES // (row_bytes * chunk_rows)) * chunk_rows
    for first in range(0, n_rows, step):
        yield first, data[first : first + step]


def _ones(slab: np.ndarray, where: str, first: int) -> np.ndarray:
    """Flat positions of the ones; anything but 0 and 1 is an error."""
    flat = slab.reshape(-1)
    if flat.dtype.itemsize == 1:
        at, values = _nonzero_bytes(flat.view(np.uint8))
    else:
        at = np.flatnonzero(flat)
        values = flat[at]
    if (values != 1).any():
        bad = at[np.flatnonzero(values != 1)[0]]
        row, column = divmod(int(bad), slab.shape[1])
        raise FormatError(
            f"{where} holds {flat[bad]} at row {first + row}, column {column}; "
            "only 0 and 1 are connections."
        )
    return at


def _nonzero_bytes(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and values of the bytes that are not zero.

    Nearly all are zero, so eight at a time are looked at through a 64-bit view first.
    """
    n_words = flat.size // 8
    words = flat[: n_words * 8].view(np.uint64)
    busy = np.flatnonzero(words != 0)  # much quicker on bool than on the words themselves
    eight = np.flatnonzero(words[busy].view(np.uint8) != 0)
    rest = np.flatnonzero(flat[n_words * 8 :]) + n_words * 8
    at = np.concatenate([(busy[eight >> 3] << 3) + (eight & 7), rest])
    return at, flat[at]


def _merge(
    strip: list[tuple[np.ndarray, np.ndarray]], n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Put the blocks of one presynaptic type side by side, rows of CSR."""
    n_out = np.zeros(n_rows, np.int64)
    for in_block, _ in strip:
        n_out += in_block
    targets = np.empty(int(n_out.sum()), np.int32)
    filled = np.cumsum(n_out) - n_out  # where the next entry of each row goes
    for in_block, columns in strip:
        shift = filled - (np.cumsum(in_block) - in_block)
        targets[np.repeat(shift, in_block) + np.arange(columns.size)] = columns
        filled += in_block
    return n_out, targets


def _mtypes(parent: h5py.Group) -> dict[str, str]:
    """M-types among the members of a group, with their spelling there."""
    found: dict[str, str] = {}
    for spelled in parent:
        try:
            mtype = names.canonical_mtype(spelled)
        except UnknownNameError as error:
            raise FormatError(f"{_path(parent, spelled)}: {error}") from None
        if mtype in found:
            raise FormatError(
                f"{parent.name} holds {mtype} twice, as {found[mtype]} and {spelled}."
            )
        found[mtype] = spelled
    return found


class _Absent(FormatError):
    """A member that is not there."""


def _check_hard(parent: h5py.Group, name: str) -> None:
    """Refuse links that lead elsewhere (soft, external): they may be cyclic or leave the file."""
    try:
        link = parent.id.links.get_info(name.encode())
    except (KeyError, RuntimeError):
        raise _Absent(f"it has no {_path(parent, name)}.") from None
    if link.type != h5py.h5l.TYPE_HARD:
        raise FormatError(
            f"{_path(parent, name)} is a link to another place or file; that is not followed."
        )


def _group(parent: h5py.Group, name: str) -> h5py.Group:
    _check_hard(parent, name)
    item = h5py.h5o.open(parent.id, name.encode())
    if not isinstance(item, h5py.h5g.GroupID):
        raise FormatError(f"{_path(parent, name)} is not a group.")
    return h5py.Group(item)


def _dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    _check_hard(parent, name)
    item = h5py.h5o.open(parent.id, name.encode())
    where = _path(parent, name)
    if not isinstance(item, h5py.h5d.DatasetID):
        raise FormatError(f"{where} is not a dataset.")
    creation = item.get_create_plist()
    layout = creation.get_layout()
    if layout == h5py.h5d.VIRTUAL or creation.get_external_count():
        raise FormatError(f"{where} points into another file; that is not followed.")
    if layout == h5py.h5d.CHUNKED:
        chunk_bytes = np.prod(creation.get_chunk(), dtype=float) * item.dtype.itemsize
        if chunk_bytes > MAX_CHUNK_BYTES:
            raise FormatError(f"{where} has chunks of over a gigabyte, which are not read.")
    return h5py.Dataset(item)


def _path(parent: h5py.Group, name: str) -> str:
    return f"{parent.name.rstrip('/')}/{name}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def main(argv: list[str]) -> int:
    """Entry of the child process."""

    def report(message: dict) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    source, folder = map(Path, argv)
    try:
        convert(source, folder, report)
    except NMCError as error:
        report({"error": str(error)})
        return 1
    report({"ok": True})
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
