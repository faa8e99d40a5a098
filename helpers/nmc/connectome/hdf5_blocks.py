"""The 0/1 matrices of a connectome file, streamed into rows of a sparse matrix.

Matrices of one presynaptic type are read side by side into a tile of bytes that is used again
and again; a tile is scanned eight bytes at a time.  So a file costs little more than reading
it, and no more memory than a tile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import h5py
import numpy as np

from nmc.connectome import hdf5_links as links
from nmc.connectome.hdf5_chunks import Chunks, find_chunks
from nmc.errors import FormatError

#: A tile takes at most so many bytes, so that it is scanned while the processor's cache still
#: holds it; matrices larger than that are read in slabs of rows.
TILE_BYTES = 4 << 20
#: A tile is searched in pieces that stay in the processor's cache.
_PIECE_BYTES = 1 << 20
_NOT_ONES = np.uint64(0xFEFEFEFEFEFEFEFE)


class _Matrix(NamedTuple):
    """An open matrix and what is asked of it again and again; each question costs time."""

    data: h5py.h5d.DatasetID
    shape: tuple[int, int]
    dtype: np.dtype
    offset: int | None  # where its bytes begin, when they lie in the file as they are
    chunks: Chunks | None  # where its chunks lie, when they are deflated bytes


class Strip(NamedTuple):
    """The connections of one presynaptic type.

    Attributes
    ----------
    n_out : (N_pre,) int64 array
        Connections of each neuron.
    targets : int32 array
        Postsynaptic neurons, row by row, ascending.
    missing : list of [pre, post]
        Pathways for which there is no matrix.
    n_self : int
        Connections of a neuron with itself; they are left out.
    """

    n_out: np.ndarray
    targets: np.ndarray
    missing: list[list[str]]
    n_self: int


class Blocks:
    """The matrices below ``/connectivity``.

    Parameters
    ----------
    group : h5py.Group
        ``/connectivity``.
    sizes : dict of str to int
        Neurons of each m-type, in the order of the neurons.
    """

    def __init__(self, group: h5py.Group, sizes: dict[str, int]):
        self.sizes = sizes
        self._firsts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
        self._groups = {m: links.group(group, name) for m, name in self._known(group).items()}
        self._descriptor = group.file.id.get_vfd_handle()
        # Of a file with a user block no chunk's place is known: versions of the library differ.
        self._file_bytes = 0 if group.file.userblock_size else group.file.id.get_filesize()
        self._tile = np.empty(0, np.uint8)  # reused: fresh memory costs as much as the reading
        self._scratch = np.empty(0, np.uint8)

    def strip(self, pre: str) -> Strip:
        """Return the connections of one presynaptic type."""
        n_rows = self.sizes[pre]
        matrices = self._matrices(pre)
        parts = [self._part(pre, posts, matrices) for posts in self._batches(n_rows)]
        n_out, targets = _merge([part[:2] for part in parts], n_rows)
        missing = [[pre, post] for post in self.sizes if post not in matrices]
        return Strip(n_out, targets, missing, sum(part[2] for part in parts))

    def _known(self, parent: h5py.Group) -> dict[str, str]:
        """M-types a group of /connectivity holds, with their spelling there."""
        spelled = links.mtypes(parent)
        for mtype in spelled:
            if mtype not in self.sizes:
                raise FormatError(
                    f"{parent.name} names {mtype}, which has no neurons in /populations."
                )
        return spelled

    def _matrices(self, pre: str) -> dict[str, _Matrix]:
        """Open the matrices of a presynaptic type, checked against the numbers of neurons."""
        group = self._groups.get(pre)
        spelled = {} if group is None else self._known(group)
        found = {}
        for post in self.sizes:
            data = self._open(group, spelled[post]) if post in spelled else None
            if data is None:
                continue
            matrix = _Matrix(data, data.shape, data.dtype, data.get_offset(), None)
            shape = self.sizes[pre], self.sizes[post]
            if matrix.shape != shape:
                raise FormatError(
                    f"{_where(data)} has shape {data.shape}, but {pre} has {shape[0]:,} neurons "
                    f"and {post} {shape[1]:,}."
                )
            if matrix.dtype.kind not in "biuf":
                raise FormatError(f"{_where(data)} has type {data.dtype}; expected 0/1 numbers.")
            if matrix.offset is None and matrix.dtype.itemsize == 1 and self._file_bytes:
                matrix = matrix._replace(chunks=find_chunks(data, self._file_bytes))
            found[post] = matrix
        return found

    def _open(self, group: h5py.Group, spelled: str) -> h5py.h5d.DatasetID | None:
        links.check_hard(group, spelled)
        try:
            return links.dataset_id(group, f"{spelled}/cMat")
        except links.Absent:
            others = list(links.group(group, spelled))
            if others:
                raise FormatError(f"{group.name}/{spelled} holds {others[0]}, no cMat.") from None
            return None

    def _batches(self, n_rows: int) -> Iterator[list[str]]:
        """Postsynaptic types in turn, as many at a time as a tile has room for."""
        batch, width = [], 0
        for post, size in self.sizes.items():
            if batch and (width + size) * n_rows > TILE_BYTES:
                yield batch
                batch, width = [], 0
            batch.append(post)
            width += size
        yield batch

    def _part(
        self, pre: str, posts: list[str], matrices: dict
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """Connections a row, their columns row by row, and self-connections, of some types."""
        n_rows, width = self.sizes[pre], sum(self.sizes[p] for p in posts)
        n_out, columns, n_self = np.zeros(n_rows, np.int64), [np.empty(0, np.int32)], 0
        present = [p for p in posts if p in matrices]
        if not present or not width:
            return n_out, columns[0], n_self
        for first, last in self._slabs(n_rows, width, matrices[present[0]].data):
            tile = self._read(posts, matrices, first, last, width)
            ones = _ones(tile)
            if ones is None:
                self._complain(posts, matrices, first, last)
            row = ones // width  # np.divmod takes several times as long
            column = ones - row * width
            column += self._firsts[posts[0]]
            if pre in posts:
                other = column != row + (self._firsts[pre] + first)
                n_self += int(row.size - other.sum())
                row, column = row[other], column[other]
            n_out[first:last] = np.bincount(row, minlength=last - first)
            columns.append(column.astype(np.int32))
        return n_out, np.concatenate(columns), n_self

    def _slabs(self, n_rows: int, width: int, data) -> Iterator[tuple[int, int]]:
        """Ranges of rows, whole chunks at a time; all rows where the tile has room."""
        step = n_rows
        if n_rows * width > TILE_BYTES:
            chunk = data.get_create_plist()
            is_chunked = chunk.get_layout() == h5py.h5d.CHUNKED
            rows = chunk.get_chunk()[0] if is_chunked else 1
            step = max(1, TILE_BYTES // (width * rows)) * rows
        for first in range(0, n_rows, step):
            yield first, min(first + step, n_rows)

    def _read(self, posts, matrices, first: int, last: int, width: int) -> np.ndarray:
        """Fill the tile with rows of several matrices side by side, (last − first, width)."""
        n_rows = last - first
        self._tile = _at_least(self._tile, n_rows * width)
        tile = self._tile[: n_rows * width].reshape(n_rows, width)
        start = 0
        for post in posts:
            stop = start + self.sizes[post]
            if post not in matrices:
                tile[:, start:stop] = 0
            elif stop > start:
                self._read_one(matrices[post], first, last, tile[:, start:stop])
            start = stop
        return tile

    def _read_one(self, matrix: _Matrix, first: int, last: int, out: np.ndarray) -> None:
        if matrix.dtype.itemsize != 1:
            _check_and_copy(matrix.data, first, last, out)
            return
        if matrix.chunks is not None and matrix.chunks.read(self._descriptor, first, out):
            return
        whole = out
        if not out.flags.c_contiguous:
            self._scratch = _at_least(self._scratch, out.size)
            whole = self._scratch[: out.size].reshape(out.shape)
        if not self._read_bytes(matrix, first, whole):
            memory = file = h5py.h5s.ALL
            if (last - first) != matrix.shape[0]:
                memory, file = h5py.h5s.create_simple(out.shape), matrix.data.get_space()
                file.select_hyperslab((first, 0), out.shape)
            # The file's own type: bytes as they are.
            matrix.data.read(memory, file, whole, matrix.data.get_type())
        if whole is not out:
            out[...] = whole

    def _read_bytes(self, matrix: _Matrix, first: int, whole: np.ndarray) -> bool:
        """Read rows past the library, which takes twice as long; False where that cannot be."""
        if matrix.offset is None or not hasattr(os, "preadv"):
            return False
        start = matrix.offset + first * matrix.shape[1]
        return os.preadv(self._descriptor, [whole.reshape(-1)], start) == whole.size

    def _complain(self, posts, matrices, first: int, last: int) -> None:
        """Find what is neither 0 nor 1 in these rows, and say where."""
        for post in posts:
            if post in matrices:
                data = matrices[post].data
                _refuse(data, h5py.Dataset(data)[first:last], first)


def _check_and_copy(data: h5py.h5d.DatasetID, first: int, last: int, out: np.ndarray) -> None:
    """Copy a slab of wider numbers; what is not 0 or 1 is an error."""
    matrix = h5py.Dataset(data)
    rows = matrix.chunks[0] if matrix.chunks else 64
    step = max(1, _PIECE_BYTES // max(1, rows * matrix.shape[1])) * rows
    for start in range(first, last, step):
        values = matrix[start : min(start + step, last)]
        ones = values == 1
        if not (ones | (values == 0)).all():
            _refuse(data, values, start)
        out[start - first : start - first + len(values)] = ones


def _refuse(data: h5py.h5d.DatasetID, values: np.ndarray, first: int) -> None:
    bad = np.argwhere((values != 0) & (values != 1))
    if not len(bad):
        return
    row, column = bad[0]
    raise FormatError(
        f"{_where(data)} holds {values[row, column]} at row {first + row}, column {column}; "
        "only 0 and 1 are connections."
    )


def _where(data: h5py.h5d.DatasetID) -> str:
    return h5py.h5i.get_name(data).decode()


def _at_least(buffer: np.ndarray, size: int) -> np.ndarray:
    return buffer if buffer.size >= size else np.empty(size, np.uint8)


def _ones(tile: np.ndarray) -> np.ndarray | None:
    """Flat positions of the ones among zeros; None when there is any other value.

    Nearly all bytes are zero, so eight at a time are looked at through a 64-bit view first.
    """
    flat = tile.reshape(-1)
    n_words = flat.size // 8
    words = flat[: n_words * 8].view(np.uint64)
    found = []
    for start in range(0, n_words, _PIECE_BYTES // 8):
        piece = words[start : start + _PIECE_BYTES // 8]
        at = np.flatnonzero(piece != 0)  # much quicker on bool than on the words themselves
        busy = piece[at]
        if (busy & _NOT_ONES).any():
            return None
        eight = np.flatnonzero(busy.view(bool))
        at = at[eight >> 3]
        at += start
        at <<= 3
        at += eight & 7
        found.append(at)
    rest = flat[n_words * 8 :]
    if (rest > 1).any():
        return None
    return np.concatenate([*found, np.flatnonzero(rest) + n_words * 8])


def _merge(
    parts: list[tuple[np.ndarray, np.ndarray]], n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Put parts of the same rows side by side, rows of CSR."""
    if len(parts) == 1:
        return parts[0]
    n_out = np.zeros(n_rows, np.int64)
    for in_part, _ in parts:
        n_out += in_part
    targets = np.empty(int(n_out.sum()), np.int32)
    filled = np.cumsum(n_out) - n_out  # where the next entry of each row goes
    for in_part, columns in parts:
        shift = filled - (np.cumsum(in_part) - in_part)
        targets[np.repeat(shift, in_part) + np.arange(columns.size)] = columns
        filled += in_part
    return n_out, targets
