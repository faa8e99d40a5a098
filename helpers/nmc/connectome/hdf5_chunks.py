"""Deflated chunks of a matrix, unpacked past the HDF5 library.

Why zlib-ng: unpacking is most of the time a compressed file takes, and zlib-ng unpacks such
streams, nearly all zeros, several times as fast as the zlib that HDF5 and Python have.  Only what
writers usually write is read this way: bytes, every chunk stored, deflated and nothing else.  All
else is left to the library.
"""

from __future__ import annotations

import math
import os
from itertools import product
from typing import NamedTuple

import h5py
import numpy as np
from zlib_ng import zlib_ng

from nmc.errors import FormatError

#: Larger chunks are left to the library, as are many small ones: it is as quick with them.
_MAX_BYTES = 16 << 20
_SMALL_BYTES, _FEW = 4096, 16
#: A deflated chunk is at most a little larger than the chunk itself; no more of it is read.
_MAX_GROWTH, _MARGIN_BYTES = 1.01, 64


class Chunks(NamedTuple):
    """Where the chunks of a matrix lie in its file.

    Attributes
    ----------
    name : str
        The matrix, for messages.
    shape : (int, int)
        Rows and columns of a chunk; those at the edges reach over the matrix.
    places : list of (row, column, offset, size)
        First row and column of each chunk, and its bytes in the file.
    """

    name: str
    shape: tuple[int, int]
    places: list[tuple[int, int, int, int]]

    def read(self, descriptor: int, first: int, out: np.ndarray) -> bool:
        """Fill `out` with the rows of the matrix from `first` on; False where that cannot be.

        Raises
        ------
        FormatError
            When a chunk unpacks to another size than it must have.
        """
        height, width = self.shape
        last = first + len(out)
        for row, column, offset, size in self.places:
            if row >= last or row + height <= first:
                continue
            values = _inflate(os.pread(descriptor, size, offset), height * width)
            if values is None:
                return False
            if values.size != height * width:
                raise FormatError(
                    f"{self.name} has a chunk of a wrong size at row {row}, column {column}: "
                    "fetch the file again."
                )
            top, bottom = max(row, first), min(row + height, last)
            here = out[top - first : bottom - first, column : column + width]
            here[...] = values.reshape(self.shape)[top - row : bottom - row, : here.shape[1]]
        return True


def find_chunks(data: h5py.h5d.DatasetID, file_bytes: int) -> Chunks | None:
    """Find the chunks of a matrix of bytes; None where they are left to the library.

    Parameters
    ----------
    data : h5py.h5d.DatasetID
        A matrix of one-byte numbers.
    file_bytes : int
        Size of its file, which has no user block.
    """
    creation = data.get_create_plist()
    if not (_is_deflated(creation) and hasattr(os, "pread") and hasattr(data, "chunk_iter")):
        return None
    shape = creation.get_chunk()
    n_bytes = math.prod(shape)
    grid = [range(0, n, step) for n, step in zip(data.shape, shape, strict=True)]
    n_chunks = math.prod(map(len, grid))
    if n_bytes > _MAX_BYTES or (n_bytes < _SMALL_BYTES and n_chunks > _FEW):
        return None
    found: list[h5py.h5d.StoreInfo] = []

    def keep(chunk: h5py.h5d.StoreInfo) -> bool | None:
        found.append(chunk)
        return None if len(found) <= n_chunks else False  # all but None ends the search

    data.chunk_iter(keep)
    if sorted(chunk.chunk_offset for chunk in found) != list(product(*grid)):
        return None
    if any(
        chunk.filter_mask  # a filter was left out
        or chunk.byte_offset is None
        or chunk.size > file_bytes - chunk.byte_offset
        for chunk in found
    ):
        return None
    most = int(n_bytes * _MAX_GROWTH) + _MARGIN_BYTES
    places = [(*chunk.chunk_offset, chunk.byte_offset, min(chunk.size, most)) for chunk in found]
    return Chunks(h5py.h5i.get_name(data).decode(), shape, places)


def _is_deflated(creation: h5py.h5p.PropDCID) -> bool:
    """Whether chunks are deflated and nothing else; shuffling single bytes changes nothing."""
    if creation.get_layout() != h5py.h5d.CHUNKED:
        return False
    filters = [creation.get_filter(k) for k in range(creation.get_nfilters())]
    steps = [(code, values) for code, _, values, _ in filters]
    if steps and steps[0] == (h5py.h5z.FILTER_SHUFFLE, (1,)):
        steps = steps[1:]
    return [code for code, _ in steps] == [h5py.h5z.FILTER_DEFLATE]


def _inflate(packed: bytes, n_bytes: int) -> np.ndarray | None:
    """Unpack at most one byte more than a chunk should have; None for what is no whole stream."""
    stream = zlib_ng.decompressobj()
    try:
        values = stream.decompress(packed, n_bytes + 1)
    except zlib_ng.error:
        return None
    return np.frombuffer(values, np.uint8) if stream.eof or len(values) > n_bytes else None
