"""The reader against files of every storage kind, and against broken and hostile ones."""

import os
import shutil
import zlib

import h5py
import numpy as np
import pytest
from connectome_files import SIZES, write_file
from nmc import names
from nmc.connectome import hdf5
from nmc.connectome.read import load_connectome
from nmc.errors import ConnectomeError, FormatError, MissingFileError


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "<i4", ">i4", "i8", "f4", "f8"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"chunks": True, "compression": "gzip", "shuffle": True},
        {"chunks": (1, 1)},
        {"chunks": True, "compression": "lzf", "fletcher32": True},
    ],
    ids=["contiguous", "gzip", "tiny chunks", "lzf"],
)
def test_any_storage_gives_the_same_matrix(path, dtype, how):
    how = dict(how)
    if how.get("chunks") is True:
        how["chunks"] = (2, 3)
    dense = write_file(path, dtype=dtype, **how)
    assert (load_connectome(path).adjacency.toarray() == dense).all()


@pytest.mark.parametrize("chunks", [None, (2, 5), (7, 54), (41, 1)])
@pytest.mark.parametrize("dtype", ["u1", "f8"])
def test_large_block_is_read_in_slabs(path, monkeypatch, chunks, dtype):
    monkeypatch.setattr(hdf5, "SLAB_BYTES", 200)
    dense = write_file(path, {"L23_PC": 41, "L4_PC": 13}, chunks=_fit(chunks), dtype=dtype)
    meta, arrays = hdf5.read({"path": str(path)}, lambda _: None)
    assert (arrays["indices"] == np.nonzero(dense)[1]).all()
    assert (np.diff(arrays["indptr"]) == dense.sum(axis=1)).all()


def _fit(chunks):
    return chunks and (min(chunks[0], 13), min(chunks[1], 13))


def test_neuron_table(path):
    write_file(path)
    connectome = load_connectome(path)
    neurons = connectome.neurons
    assert list(neurons["mtype"].cat.categories) == list(names.MTYPES)
    assert neurons["mtype"].value_counts().reindex(SIZES).to_dict() == SIZES
    assert neurons["layer"].astype(str).unique().tolist() == ["L1", "L23", "L5"]
    assert neurons.groupby("mtype", observed=True)["excitatory"].first().tolist() == [
        False,
        True,
        True,
    ]
    with h5py.File(path) as file:
        pc = neurons["mtype"] == "L23_PC"
        group = file["populations/L23_PC"]
        assert (neurons.loc[pc, ["x_um", "y_um", "z_um"]].to_numpy() == group["locations"]).all()
        assert (neurons.loc[pc, "n_syn_eff"].to_numpy() == group["nSynEff"][:, 0]).all()
    assert connectome.groups.tolist() == np.repeat([0, 1, 2], list(SIZES.values())).tolist()


def test_second_load_opens_the_compact_form(path, monkeypatch):
    write_file(path)
    first = load_connectome(path)
    monkeypatch.setattr("nmc.connectome.read.run_child", None)  # would fail if it were called
    again = load_connectome(path)
    assert (again.adjacency != first.adjacency).nnz == 0
    assert again.neurons.equals(first.neurons)


def test_cache_follows_the_content_not_the_name(path):
    write_file(path, seed=1)
    first = load_connectome(path)
    dense = write_file(path, seed=2)
    assert (load_connectome(path).adjacency.toarray() == dense).all()
    assert (first.adjacency.toarray() != dense).any()


def test_misspelt_group_is_read(path):
    dense = write_file(path, spelled="connectivty")
    assert (load_connectome(path).adjacency.toarray() == dense).all()


def test_missing_parts_are_reported_not_guessed(path):
    write_file(path)
    with h5py.File(path, "a") as file:
        del file["populations/L23_PC/nSynAff"]
        del file["connectivity/L1_DAC/L5_TTPC1"]
    connectome = load_connectome(path)
    coverage = connectome.coverage
    assert coverage.missing_blocks == (("L1_DAC", "L5_TTPC1"),)
    assert coverage.missing_counts == ("n_syn_aff",)
    assert connectome.neurons.groupby("mtype", observed=True)["n_syn_aff"].apply(
        lambda column: column.isna().all()
    ).tolist() == [False, True, False]
    assert not coverage.whole and "3 of 55" in str(coverage)


def test_portal_spelling_of_a_type_is_understood(path):
    write_file(path, {"L1_SAC": 4})
    assert load_connectome(path).mtypes == ("L1_SLAC",)


def test_self_connections_are_left_out_and_counted(path):
    write_file(path)
    with h5py.File(path, "a") as file:
        block = file["connectivity/L1_DAC/L1_DAC/cMat"]
        block[0, 0] = 1
    connectome = load_connectome(path)
    assert connectome.coverage.self_connections == 1
    assert connectome.adjacency.diagonal().sum() == 0


def test_folder_with_one_file(path):
    dense = write_file(path)
    (path.parent / "Readme.txt").write_text("x")
    assert load_connectome(path.parent).adjacency.nnz == dense.sum()
    shutil.copy(path, path.parent / "other.h5")
    with pytest.raises(FormatError, match="one HDF5 file"):
        load_connectome(path.parent)


def test_no_such_file(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere.h5"):
        load_connectome(tmp_path / "nowhere.h5")


# --- broken and hostile files


def _no_populations(file):
    del file["populations"]


def _no_locations(file):
    del file["populations/L23_PC/locations"]


def _no_connectivity(file):
    del file["connectivity"]


def _no_block_at_all(file):
    for pre in SIZES:
        for post in SIZES:
            del file[f"connectivity/{pre}/{post}/cMat"]


def _wrong_shape(file):
    del file["connectivity/L1_DAC/L23_PC/cMat"]
    file["connectivity/L1_DAC/L23_PC/cMat"] = np.zeros((17, 3), "u1")


def _flat_locations(file):
    del file["populations/L23_PC/locations"]
    file["populations/L23_PC/locations"] = np.zeros(51)


def _nan_location(file):
    file["populations/L23_PC/locations"][2, 1] = np.nan


def _unknown_type(file):
    file["populations"].move("L23_PC", "L23_PX")


def _type_without_neurons(file):
    file["connectivity/L1_DAC/L6_BP/cMat"] = np.zeros((3, 1), "u1")


def _type_twice(file):
    file.copy("populations/L1_DAC", "populations/L1_SAC")
    file.copy("populations/L1_DAC", "populations/L1_SLAC")


def _two(file):
    file["connectivity/L23_PC/L23_PC/cMat"][5, 7] = 2


def _text(file):
    del file["connectivity/L1_DAC/L1_DAC/cMat"]
    file["connectivity/L1_DAC/L1_DAC/cMat"] = np.full((3, 3), b"1")


def _negative_count(file):
    file["populations/L1_DAC/nCellAff"][0] = -4


def _matrix_is_a_group(file):
    del file["connectivity/L1_DAC/L1_DAC/cMat"]
    file.create_group("connectivity/L1_DAC/L1_DAC/cMat")


def _soft_cycle(file):
    del file["connectivity/L23_PC"]
    file["connectivity/L23_PC"] = h5py.SoftLink("/connectivity/L23_PC")


def _hard_cycle(file):
    del file["connectivity/L23_PC"]
    file["connectivity/L23_PC"] = file["connectivity"]


def _external_link(file):
    del file["populations/L23_PC"]
    file["populations/L23_PC"] = h5py.ExternalLink("/etc/passwd", "/")


def _external_storage(file):
    del file["connectivity/L1_DAC/L1_DAC/cMat"]
    file["connectivity/L1_DAC/L1_DAC"].create_dataset(
        "cMat", (3, 3), "u1", external=[("/etc/hostname", 0, 9)]
    )


def _virtual(file):
    del file["connectivity/L1_DAC/L1_DAC/cMat"]
    layout = h5py.VirtualLayout((3, 3), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=(3, 3))
    file["connectivity/L1_DAC/L1_DAC"].create_virtual_dataset("cMat", layout)


def _endless(file):
    del file["populations/L23_PC/locations"]
    file.create_dataset("populations/L23_PC/locations", (2**50, 3), "f8", chunks=(10, 3))


def _giant_chunks(file):
    del file["populations/L23_PC/locations"]
    file.create_dataset("populations/L23_PC/locations", (17, 3), "f8", chunks=(2**27, 3),
                        maxshape=(None, 3))  # fmt: skip


def _unknown_filter(file):
    del file["connectivity/L1_DAC/L1_DAC/cMat"]
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((3, 3))
    how.set_filter(511, h5py.h5z.FLAG_OPTIONAL)  # a number that is nobody's
    block = h5py.h5d.create(
        file["connectivity/L1_DAC/L1_DAC"].id, b"cMat", h5py.h5t.STD_U8LE,
        h5py.h5s.create_simple((3, 3)), dcpl=how,
    )  # fmt: skip
    block.write_direct_chunk((0, 0), b"packed")


HOSTILE = {
    _no_populations: "no /populations",
    _no_locations: "no /populations/L23_PC/locations",
    _no_connectivity: "/connectivity",
    _no_block_at_all: "cMat",
    _wrong_shape: r"L1_DAC/L23_PC/cMat has shape \(17, 3\)",
    _flat_locations: r"expected \(N, 3\)",
    _nan_location: "not finite",
    _unknown_type: "L23_PX.*Did you mean 'L23_PC'",
    _type_without_neurons: "L6_BP, which has no neurons",
    _type_twice: "L1_SLAC twice",
    _two: "holds 2 at row 5, column 7",
    _text: "expected 0/1 numbers",
    _negative_count: "is below 0|not between 0",
    _matrix_is_a_group: "not a dataset",
    _soft_cycle: "link",
    _hard_cycle: "no cMat",
    _external_link: "link",
    _external_storage: "another file",
    _virtual: "another file",
    _endless: "too many",
    _giant_chunks: "gigabyte",
    _unknown_filter: "uses a filter this h5py does not have",
}


@pytest.mark.parametrize("break_it", HOSTILE, ids=lambda f: f.__name__.strip("_"))
def test_hostile_files_are_one_clear_error(path, break_it):
    write_file(path)
    with h5py.File(path, "a") as file:
        break_it(file)
    with pytest.raises(FormatError, match=HOSTILE[break_it]) as caught:
        load_connectome(path)
    assert "connectome.h5" in str(caught.value)


def test_truncated_and_random_files(path):
    write_file(path, {"L23_PC": 400}, chunks=(50, 50), compression="gzip")
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError, match="connectome.h5"):
            load_connectome(path)
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(FormatError, match="no HDF5 file"):
        load_connectome(path)


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"PK\x03\x04", "a zip archive"),
        (b"<!DOCTYPE html>", "a page"),
        (b"pre,post\n0,1\n", "has no signature"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_hdf5_is_told_by_its_signature(path, start, what):
    path.write_bytes(start)
    with pytest.raises(FormatError, match=f"connectome.h5 is no HDF5 file.*{what}"):
        load_connectome(path)


def test_an_empty_population_is_read_with_its_blocks(path):
    dense = write_file(path, {"L1_DAC": 3, "L23_PC": 17, "L4_PC": 0, "L5_TTPC1": 9})
    connectome = load_connectome(path)
    assert (connectome.adjacency.toarray() == dense).all()
    assert connectome.coverage.missing_blocks == () and connectome.n_neurons == 29
    assert connectome.groups.tolist() == np.repeat([0, 1, 3], [3, 17, 9]).tolist()


def test_a_fault_of_this_package_is_not_called_damage(path, monkeypatch):
    write_file(path)
    monkeypatch.setattr(hdf5, "_neurons", lambda _: np.zeros(2).reshape(7))
    with pytest.raises(ConnectomeError, match="failed inside this package .*need not be damaged"):
        hdf5.read({"path": str(path)}, lambda _: None)


def test_flipped_bytes_never_take_this_process_down(path):
    write_file(path, {"L23_PC": 60}, chunks=(20, 20), compression="gzip", fletcher32=True)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(12):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 20):
            damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            load_connectome(path)
        except FormatError:
            pass


def test_nothing_half_written_stays(path, sample_cache):
    write_file(path)
    with h5py.File(path, "a") as file:
        _two(file)
    before = _compact_folders(sample_cache)
    with pytest.raises(FormatError):
        load_connectome(path)
    assert _compact_folders(sample_cache) == before


def test_a_reader_killed_by_the_library_is_an_error(path, monkeypatch):
    write_file(path, seed=99)  # not in the cache yet
    (path.parent / "dies.py").write_text("import os\ndef read(*_):\n    os.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(path.parent), prepend=os.pathsep)
    monkeypatch.setattr("nmc.connectome.read.TASK", "dies:read")
    with pytest.raises(FormatError, match="connectome.h5: the process crashed"):
        load_connectome(path)


def _compact_folders(cache):
    home = cache / "connectome"
    return sorted(p.name for p in home.iterdir()) if home.exists() else []


# --- chunks stored in unusual ways

BLOCK = "connectivity/L23_PC/L23_PC/cMat"


def _rewrite(path, packed, *, filter_mask=0):
    """Write a connectome whose one block has a chunk stored as it is given; return the matrix."""
    dense = write_file(path, {"L23_PC": 40}, chunks=(20, 20), compression="gzip")
    with h5py.File(path, "a") as file:
        chunk = dense[20:, 20:].astype("u1").tobytes()
        file[BLOCK].id.write_direct_chunk((20, 20), packed(chunk), filter_mask=filter_mask)
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
    "packed",
    [
        lambda chunk: zlib.compress(chunk)[:-1],
        lambda chunk: zlib.compress(chunk)[:20],
        lambda chunk: zlib.compress(chunk)[:-4] + b"sums",
        lambda chunk: b"\x01" * 50,
        lambda chunk: chunk,
    ],
    ids=["no end", "cut", "wrong sum", "no stream", "not deflated"],
)
def test_damaged_chunks_are_one_clear_error(path, packed):
    _rewrite(path, packed)
    with pytest.raises(FormatError, match="connectome.h5: .*damaged"):
        load_connectome(path)


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


# --- the real extracts


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "neurons", "connections"),
    [  # as the packages netsci and neuromotifs and the 5 % network's own table print them
        ("cons_locs_L5_TTPC2_of_mc2.h5", 2_003, 102_732),
        ("cons_locs_L6_LBC_of_mc2.h5", 463, 1_480),
        ("cons_locs_5percent_of_mc0.h5", 1_540, 18_435),
        ("cons_locs_L1_DAC_of_mc0.h5", 59, 25),
    ],
)
def test_real_extracts(mirror, file, neurons, connections):
    connectome = load_connectome(mirror / "derived" / file)
    assert (connectome.n_neurons, connectome.n_connections) == (neurons, connections)
    assert not connectome.coverage.whole
