"""Write synthetic instances in the portal's own packing: a tar with folder, HDF5 and read-me."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from nmc import names

from tools.sample.contacts import PopulationCounts
from tools.sample.wiring import Instance

_MTIME = 1_443_657_600  # a fixed date, so that the same seed gives the same bytes
_CHUNK = 1024
_PLAIN_BELOW = 4096  # bytes

README = """\
SYNTHETIC SAMPLE of a connectome file, written by the Python package nmc from a seed.
No number in it comes from the Blue Brain Project or from any animal.

{kind}

The HDF5 file is laid out as the portal's connectome files are:

/populations/<m-type>/locations   N x 3, position in um; y is the cortical vertical, L1 on top
/populations/<m-type>/nCellAff    N x 1, afferent connections of each neuron
/populations/<m-type>/nCellEff    N x 1, efferent connections
/populations/<m-type>/nSynAff     N x 1, afferent synapses
/populations/<m-type>/nSynEff     N x 1, efferent synapses
    These four counts take in partners outside the column, so they exceed the matrices' sums.
/connectivity/<pre>/<post>/cMat   N_pre x N_post, 1 where a connection is, inside the column only
    Rows are presynaptic neurons, columns postsynaptic ones.

This instance: {n_neurons} neurons, {n_connections} connections.
"""


def write_h5(path: Path, instance: Instance, counts: PopulationCounts) -> Path:
    """Write an instance in the HDF5 layout of the portal's connectome files.

    Blocks are made dense one m-type at a time, so that memory stays small at any size.
    """
    import h5py

    ranges = instance.ranges()
    places = instance.neurons[["x_um", "y_um", "z_um"]].to_numpy(float)
    with h5py.File(path, "w") as h5:
        for mtype in names.MTYPES:
            group = h5.create_group(f"populations/{mtype}")
            rows = ranges[mtype]
            group.create_dataset("locations", data=places[rows], track_times=False)
            for column, values in counts.columns().items():
                data = values[rows, None].astype(np.int64)
                group.create_dataset(column, data=data, track_times=False)
        for pre in names.MTYPES:
            _write_rows(h5.create_group(f"connectivity/{pre}"), instance, ranges, ranges[pre])
    return path


def _write_rows(group, instance: Instance, ranges: dict[str, slice], rows: slice) -> None:
    """Write the blocks of one presynaptic m-type.

    There are 3,025 blocks, most of them tiny: the library's low-level calls take a fifth of the
    time of its high-level ones.
    """
    from h5py import h5d, h5g, h5p, h5s, h5t

    dense = instance.adjacency[rows].toarray().view(np.uint8)
    for post, columns in ranges.items():
        block = np.ascontiguousarray(dense[:, columns])
        space = h5s.create_simple(block.shape)
        storage = _storage(h5p.create(h5p.DATASET_CREATE), block.shape)
        inner = h5g.create(group.id, post.encode())
        dataset = h5d.create(inner, b"cMat", h5t.STD_U8LE, space, storage)
        dataset.write(h5s.ALL, h5s.ALL, block)


def _storage(settings, shape: tuple[int, int]):
    """Compressed chunks, or plain where the index of chunks would outweigh the block."""
    settings.set_obj_track_times(False)  # the same seed gives the same bytes
    if shape[0] * shape[1] >= _PLAIN_BELOW:
        settings.set_chunk(tuple(min(_CHUNK, k) for k in shape))
        settings.set_deflate(2)
    return settings


def write_tar(target: Path, instance: Instance, counts: PopulationCounts, *, kind: str) -> Path:
    """Write the tar of one instance: ``NAME/NAME.h5`` and ``NAME/Connectome_readme_….txt``.

    Parameters
    ----------
    target : Path
        Where the tar goes; its stem names the folder and the HDF5 file inside.
    kind : str
        ``"AVERAGE"``, ``"INDIVIDUAL"`` or ``"CONTROL"``.
    """
    stem = target.stem
    target.parent.mkdir(parents=True, exist_ok=True)
    h5 = write_h5(target.with_suffix(".h5.part"), instance, counts)
    text = README.format(
        kind=_KINDS[kind],
        n_neurons=len(instance.neurons),
        n_connections=instance.adjacency.nnz,
    ).encode()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        folder = entry(stem, 0)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        readme = f"{stem}/Connectome_readme_{kind}_INSTANCE.txt"
        tar.addfile(entry(readme, len(text)), io.BytesIO(text))
        with h5.open("rb") as handle:
            tar.addfile(entry(f"{stem}/{stem}.h5", h5.stat().st_size), handle)
    h5.unlink()
    return target


_KINDS = {
    "AVERAGE": "It stands for an AVERAGE instance: average counts and layer thicknesses.",
    "INDIVIDUAL": "It stands for an INDIVIDUAL: counts and thicknesses vary from animal to animal.",
    "CONTROL": (
        "It stands for a CONTROL: the cells of the average instance, every pathway with the same\n"
        "number of connections, placed by distance alone."
    ),
}


def entry(name: str, size: int) -> tarfile.TarInfo:
    """A tar member that is the same from run to run."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, _MTIME, 0o644
    return info
