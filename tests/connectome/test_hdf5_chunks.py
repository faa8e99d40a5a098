"""Chunks unpacked past the HDF5 library, against what the library itself reads."""

import zlib

import h5py
import numpy as np
import pytest
from connectome_files import write_file
from nmc.connectome.hdf5_chunks import find_chunks
from nmc.connectome.read import load_connectome
from nmc.errors import FormatError

BLOCK = "connectivity/L23_PC/L23_PC/cMat"
N = 23


def _matrix(path, shape=(N, 41), dtype="u1", **how):
    """Write one 0/1 matrix and return it."""
    values = (np.random.default_rng(8).random(shape) < 0.3).astype(dtype)
    with h5py.File(path, "w", userblock_size=how.pop("userblock_size", 0)) as file:
        file.create_dataset("m", data=values, **how)
    return values


def _read(file, first, last):
    """Read rows of the matrix by its chunks; None where they are left to the library."""
    data = file["m"].id
    chunks = find_chunks(data, file.id.get_filesize())
    out = np.full((last - first, data.shape[1] + 2), 9, np.uint8)
    if chunks is None or not chunks.read(file.id.get_vfd_handle(), first, out[:, 1:-1]):
        return None
    assert (out[:, [0, -1]] == 9).all()  # nothing beside the matrix is touched
    return out[:, 1:-1]


@pytest.mark.parametrize("chunks", [(N, 41), (5, 7), (23, 1), (1, 41), (32, 64), (6, 41), (12, 21)])
@pytest.mark.parametrize(
    ("dtype", "how"),
    [
        ("u1", {"compression": 0}),
        ("u1", {"compression": 1}),
        ("u1", {"compression": 9}),
        ("i1", {"compression": "gzip"}),
        ("?", {"compression": "gzip"}),
        ("u1", {"compression": "gzip", "shuffle": True}),
    ],
    ids=["level 0", "level 1", "level 9", "int8", "bool", "shuffle"],
)
def test_rows_are_those_the_library_reads(path, chunks, dtype, how):
    values = _matrix(path, dtype=dtype, chunks=chunks, maxshape=(None, None), **how)
    n_chunks = -(-N // chunks[0]) * -(-41 // chunks[1])
    with h5py.File(path) as file:
        for first, last in [(0, N), (0, 4), (3, 11), (22, 23)]:
            rows = _read(file, first, last)
            if n_chunks > 16:
                assert rows is None  # many small ones are left to the library
            else:
                assert (rows == values[first:last]).all()
                assert (rows == file["m"][first:last]).all()


def test_many_chunks_of_usual_size(path):
    values = _matrix(path, (330, 410), chunks=(64, 80), compression="gzip")
    with h5py.File(path) as file:
        assert file["m"].id.get_num_chunks() == 36
        assert (_read(file, 0, 330) == values).all()
        assert (_read(file, 64, 200) == values[64:200]).all()


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"chunks": (12, 41)},
        {"chunks": (12, 41), "compression": "lzf"},
        {"chunks": (12, 41), "compression": "gzip", "fletcher32": True},
        {"chunks": (12, 41), "compression": "gzip", "scaleoffset": 0},
    ],
    ids=["contiguous", "plain chunks", "lzf", "fletcher32", "scale and offset"],
)
def test_other_storage_is_left_to_the_library(path, how):
    _matrix(path, **how)
    with h5py.File(path) as file:
        assert _read(file, 0, N) is None


def test_giant_chunks_are_left_to_the_library(path):
    _matrix(path, chunks=(1 << 13, 1 << 12), maxshape=(None, None), compression="gzip")
    with h5py.File(path) as file:
        assert _read(file, 0, N) is None


def test_missing_chunks_are_left_to_the_library(path):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("m", (40, 40), "u1", chunks=(20, 20), compression="gzip")
        data[:20] = 1
    with h5py.File(path) as file:
        assert file["m"].id.get_num_chunks() == 2
        assert _read(file, 0, 40) is None


def test_chunks_beyond_the_end_are_left_to_the_library(path):
    _matrix(path, chunks=(12, 41), compression="gzip")
    with h5py.File(path) as file:
        places = [file["m"].id.get_chunk_info(k) for k in range(2)]
        end = max(place.byte_offset + place.size for place in places)
        assert find_chunks(file["m"].id, end) is not None
        assert find_chunks(file["m"].id, end - 1) is None
        assert find_chunks(file["m"].id, 1) is None


# --- whole files


def _rewrite(path, packed, *, filter_mask=0, at=(20, 20), **how):
    """Write a connectome whose one block has a chunk stored as it is given; return the matrix."""
    dense = write_file(path, {"L23_PC": 40}, chunks=(20, 20), compression="gzip", **how)
    with h5py.File(path, "a") as file:
        chunk = dense[20:, 20:].astype("u1").tobytes()
        file[BLOCK].id.write_direct_chunk(at, packed(chunk), filter_mask=filter_mask)
    return dense


@pytest.mark.parametrize(
    ("packed", "filter_mask"),
    [
        (zlib.compress, 0),
        (lambda chunk: zlib.compress(chunk) + b"and more", 0),  # as the library has it
        (lambda chunk: chunk, 1),
    ],
    ids=["deflated", "bytes after the stream", "one chunk not deflated"],
)
def test_unusual_chunks_give_the_same_matrix(path, packed, filter_mask):
    dense = _rewrite(path, packed, filter_mask=filter_mask)
    assert (load_connectome(path).adjacency.toarray() == dense).all()


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (lambda chunk: zlib.compress(chunk[:-1]), "wrong size at row 20, column 20"),
        (lambda chunk: zlib.compress(chunk + b"\0"), "wrong size at row 20, column 20"),
        (lambda chunk: zlib.compress(bytes(300_000)), "wrong size at row 20, column 20"),
        (lambda chunk: zlib.compress(bytes(30_000_000)), "wrong size at row 20, column 20"),
        (lambda chunk: zlib.compress(chunk)[:-1], "damaged"),
        (lambda chunk: zlib.compress(chunk)[:20], "damaged"),
        (lambda chunk: zlib.compress(chunk)[:-4] + b"sums", "damaged"),
        (lambda chunk: b"\x01" * 50, "damaged"),
        (lambda chunk: chunk, "damaged"),
    ],
    ids=[
        "short", "long", "bomb", "large bomb", "no end", "cut", "wrong sum", "no stream",
        "not deflated",
    ],
)  # fmt: skip
def test_damaged_chunks_are_one_clear_error(path, packed, message):
    _rewrite(path, packed)
    with pytest.raises(FormatError, match=message) as caught:
        load_connectome(path)
    assert "connectome.h5" in str(caught.value)


def test_user_block(path, tmp_path):
    """What stands before the HDF5 file moves every chunk."""
    dense = write_file(path, {"L23_PC": 40}, chunks=(20, 20), compression="gzip")
    moved = tmp_path / "moved.h5"
    with h5py.File(path) as file, h5py.File(moved, "w", userblock_size=2048) as other:
        for name in file:
            file.copy(name, other)
    assert (load_connectome(moved).adjacency.toarray() == dense).all()
    before = tmp_path / "before.h5"  # the same, by hand: the file says its base address is 0
    before.write_bytes(bytes(512) + path.read_bytes())
    assert (load_connectome(before).adjacency.toarray() == dense).all()


def test_missing_chunks_hold_the_fill_value(path):
    dense = write_file(path, {"L23_PC": 40})
    with h5py.File(path, "a") as file:
        del file[BLOCK]
        data = file.create_dataset(
            BLOCK, (40, 40), "u1", chunks=(20, 20), compression="gzip", fillvalue=1
        )
        data[:20] = dense[:20]
    expected = dense.copy()
    expected[20:] = True
    np.fill_diagonal(expected, False)
    assert (load_connectome(path).adjacency.toarray() == expected).all()


def test_what_is_no_connection_is_still_found(path):
    write_file(path, {"L23_PC": 40}, chunks=(20, 20), compression="gzip")
    with h5py.File(path, "a") as file:
        file[BLOCK][33, 7] = 3
    with pytest.raises(FormatError, match="holds 3 at row 33, column 7"):
        load_connectome(path)
