"""Load a connectome: a key of the catalogue or a path → `Connectome`.

A file is read once, in child processes, into a compact form that is kept in the cache under
the file's sha256; after that it is memory-mapped.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse

from nmc import layout
from nmc.connectome import store
from nmc.connectome.given import check_number
from nmc.connectome.graph import COUNTS, Connectome, Coverage, make_neurons
from nmc.connectome.hdf5_process import read_hdf5
from nmc.data.files import cache_folder, sha256_of
from nmc.errors import FormatError, MissingFileError

HDF5_SUFFIXES = (".h5", ".hdf5")

#: Known extracts of instances, most connections first: key → number of m-types they hold.
EXTRACTS = {
    "connectome/extract/mc2/L5_TTPC2": 1,
    "connectome/extract/mc0/5percent": 48,
    "connectome/extract/mc2/L6_LBC": 1,
    "connectome/extract/mc0/L1_DAC": 1,
}


def load_connectome(
    instance: str | Path, *, source: str | None = None, progress: bool = True
) -> Connectome:
    """Load a connectome.

    Parameters
    ----------
    instance : str or Path
        A key of the catalogue (``connectome/average/mc2``, ``connectome/individual/P14-13/mc0``,
        ``connectome/control/mc0/0``, ``connectome/extract/mc2/L5_TTPC2``), or the path of an
        HDF5 file or of a folder that holds just one.
    source : str, optional
        Where keys are fetched from; see `nmc.fetch`.
    progress : bool
        Show progress on stderr while a file is read for the first time.

    Returns
    -------
    Connectome

    Raises
    ------
    FormatError
        When the file is not a connectome file, or damaged; names the place in the file.
    MissingFileError
        When no tree of the source, and no path, has it.
    UnknownNameError
        For a key that is not in the catalogue.

    Notes
    -----
    The matrices are read in slabs and never held whole.  The compact form stands in the cache
    under ``connectome/`` and takes about 4 bytes a connection.
    """
    path = connectome_file(instance, source=source, progress=progress)
    name, origin, part_of = path.stem, path.name, ""
    if _is_key(instance):
        import nmc

        name = str(instance).removeprefix("connectome/")
        origin = nmc.provenance().loc[str(instance), "origin"]
        part_of = name.split("/")[1] if name.startswith("extract/") else ""
    return _open(_compact_form(path, progress), name, origin, part_of)


def connectome_file(
    instance: str | Path, *, source: str | None = None, progress: bool = True
) -> Path:
    """Return the HDF5 file of a connectome, fetched and unpacked where need be.

    Parameters
    ----------
    instance, source, progress
        As for `load_connectome`.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FormatError
        When a folder does not hold just one HDF5 file.
    MissingFileError
        When no tree of the source, and no path, has it.
    UnknownNameError
        For a key that is not in the catalogue.
    """
    if not isinstance(instance, str | Path) or not str(instance).strip():
        raise MissingFileError(
            f"{instance!r} names no connectome; give a key such as 'connectome/average/mc2' or a "
            "path."
        )
    if not _is_key(instance):
        return _only_hdf5(Path(instance).expanduser())
    import nmc

    one_file = str(instance).startswith("connectome/extract/")
    get = nmc.fetch if one_file else nmc.fetch_folder
    return _only_hdf5(get(str(instance), source=source, progress=progress))


def default_key(*, min_mtypes: int = 1, source: str | None = None) -> str:
    """Key of the first whole instance the source has, else of its largest extract.

    Parameters
    ----------
    min_mtypes : int
        Pass over extracts that hold fewer m-types.
    source : str, optional
        See `nmc.fetch`.

    Raises
    ------
    MissingFileError
        When the source has no connectome at all, or none with enough m-types.
    ConnectomeError
        If `min_mtypes` is no whole number.
    """
    import nmc

    check_number(min_mtypes, "min_mtypes", 0)
    whole = [f"connectome/average/mc{mc}" for mc in layout.MICROCIRCUITS]
    for animal in layout.ANIMALS:
        whole += [f"connectome/individual/{animal}/mc{mc}" for mc in layout.MICROCIRCUITS]
    extracts = [key for key, n_mtypes in EXTRACTS.items() if n_mtypes >= min_mtypes]
    for key in [*whole, *extracts]:
        if nmc.available(key, source=source):
            return key
    raise MissingFileError(
        f"The source has no connectome of {min_mtypes} m-types or more: add a tree that has "
        "one to NMC_SOURCE, e.g. 'sample'."
    )


def default_connectome(
    *, min_mtypes: int = 1, source: str | None = None, progress: bool = True
) -> Connectome:
    """Load the first whole instance the source has, else its largest extract.

    Parameters
    ----------
    min_mtypes, source, progress
        As for `default_key` and `load_connectome`.

    Returns
    -------
    Connectome
        Its ``name`` and ``coverage`` say which one it is.

    Raises
    ------
    MissingFileError
        When the source has no connectome at all, or none with enough m-types.
    FormatError
        When the file is damaged.
    """
    key = default_key(min_mtypes=min_mtypes, source=source)
    return load_connectome(key, source=source, progress=progress)


def _is_key(instance: str | Path) -> bool:
    return str(instance).startswith("connectome/") and not Path(instance).exists()


def _only_hdf5(path: Path) -> Path:
    if not path.exists():
        raise MissingFileError(
            f"There is no file {path}; give a key such as 'connectome/average/mc2' or a path."
        )
    if path.is_file():
        return path
    found = [p for suffix in HDF5_SUFFIXES for p in sorted(path.rglob(f"*{suffix}"))]
    if len(found) != 1:
        listed = ", ".join(p.name for p in found) or "none"
        raise FormatError(f"{path.name} should hold one HDF5 file, but has {listed}.")
    return found[0]


def _compact_form(path: Path, progress: bool) -> Path:
    """Folder of the compact form of a file, written now when it is not there yet."""
    home = cache_folder() / "connectome"
    folder = home / f"{sha256_of(path)}-v{store.VERSION}"
    if store.is_complete(folder):
        return folder
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home))
    try:
        read_hdf5(path, draft, progress=progress)
        try:
            draft.rename(folder)
        except OSError:  # another process was first
            if not store.is_complete(folder):
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _open(folder: Path, name: str, origin: str, part_of: str) -> Connectome:
    compact = store.open_compact(folder)
    n = len(compact.mtypes)
    mtypes = tuple(compact.meta["mtypes"])
    adjacency = sparse.csr_array(
        (np.ones(len(compact.indices), bool), compact.indices, compact.indptr),
        shape=(n, n),
        copy=False,
    )
    adjacency.has_canonical_format = True  # rows were written in column order, each once
    coverage = Coverage(
        mtypes=mtypes,
        missing_blocks=tuple(tuple(b) for b in compact.meta["missing_blocks"]),
        missing_counts=tuple(COUNTS[c] for c in compact.meta["missing_counts"]),
        part_of=part_of,
        self_connections=compact.meta["self_connections"],
    )
    counts = {COUNTS[c]: values for c, values in compact.counts.items()}
    neurons = make_neurons(compact.mtypes, compact.positions, counts)
    return Connectome(neurons, adjacency, coverage, name, origin)
