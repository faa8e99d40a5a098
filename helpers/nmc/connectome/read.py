"""Load a connectome: a key of the catalogue or a path → `Connectome`.

A file is read once, in a child process, into a compact form that is kept in the cache under the
file's sha256 and the reading code's hash: a folder of plain arrays (``indptr`` and ``indices`` of
the adjacency, ``mtypes``, ``positions``, four counts) that are memory-mapped, so that opening
costs no time and several processes share one copy.  The folder appears when it is complete.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from nmc.child import run_child
from nmc.code_hash import code_hash
from nmc.connectome.arrays import check_choice, given_count
from nmc.connectome.graph import COUNTS, Connectome, Coverage, make_neurons
from nmc.data import available, fetch, fetch_folder, remember_path
from nmc.data.files import atomic_folder, cache_folder, sha256_of
from nmc.data.registry import item, items, records
from nmc.errors import FormatError, MissingFileError

HDF5_SUFFIXES = (".h5", ".hdf5")
#: What the child process runs, and the module it stands in.
TASK, READER = "nmc.connectome.hdf5:read", "nmc.connectome.hdf5"
#: How an HDF5 file begins, or what follows a user block of 512 bytes, 1,024, 2,048 …
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_OTHERS = {
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet table",
    b"\x93NUMPY": "a numpy array",
    b"<": "a page or an XML file",
    b"{": "a JSON text",
}

#: Kinds of whole instances.
KINDS = ("average", "individual", "control")
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

    Raises
    ------
    FormatError
        When the file is not a connectome file, or damaged; names the place in the file.
    MissingFileError, UnknownNameError
        When no tree of the source, and no path, has it; for a key that is not in the catalogue.
    """
    path = connectome_file(instance, source=source, progress=progress)
    folder = _compact_form(path, progress)
    name, part_of, mc = path.stem, "", ""
    if _is_key(instance):
        name = str(instance).removeprefix("connectome/")
        record = next(entry for entry in records() if entry.key == item(str(instance)).key)
        kind, mc = name.split("/")[:2]
        part_of = mc if kind == "extract" else ""
        mc = mc if kind in ("average", "extract") else name
    else:
        record = remember_path(path, sha256_of(path), path.name)
    return replace(_open(folder, name, record.origin, part_of, mc), invented=record.invented)


def connectome_file(
    instance: str | Path, *, source: str | None = None, progress: bool = True
) -> Path:
    """Return the path of a connectome's HDF5 file, fetched and unpacked where need be.

    Arguments and errors are those of `load_connectome`.
    """
    if not isinstance(instance, str | Path) or not str(instance).strip():
        raise MissingFileError(
            f"{instance!r} names no connectome; give a key such as 'connectome/average/mc2' or a "
            "path."
        )
    if not _is_key(instance):
        return _only_hdf5(Path(instance).expanduser())
    get = fetch if str(instance).startswith("connectome/extract/") else fetch_folder
    return _only_hdf5(get(str(instance), source=source, progress=progress))


def connectome_keys(*kinds: str, source: str | None = None) -> list[str]:
    """Return the keys of the connectomes that the source has.

    Parameters
    ----------
    *kinds : str
        ``average`` (7 on the portal), ``individual`` (5 animals × 7), ``control`` (7 × 5),
        ``extract``; default all. Another is an `UnknownNameError`.
    source : str, optional
        See `nmc.fetch`.

    Returns
    -------
    list of str
    """
    keys = [key for kind in kinds or (*KINDS, "extract") for key in _all_keys(kind)]
    return [key for key in keys if available(key, source=source)]


def _all_keys(kind: str) -> list[str]:
    check_choice("kind of connectome", kind, (*KINDS, "extract"))
    known = EXTRACTS if kind == "extract" else items()
    return [key for key in known if key.startswith(f"connectome/{kind}/")]


def default_key(*, min_mtypes: int = 1, source: str | None = None) -> str:
    """Key of the first whole instance the source has, else of its largest extract."""
    min_mtypes = given_count(min_mtypes, where="min_mtypes")
    whole = _all_keys("average") + _all_keys("individual")
    extracts = [key for key, n_mtypes in EXTRACTS.items() if n_mtypes >= min_mtypes]
    for key in [*whole, *extracts]:
        if available(key, source=source):
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
    min_mtypes : int
        Pass over extracts that hold fewer m-types.
    source, progress
        As for `load_connectome`.

    Returns
    -------
    Connectome
        Its ``name`` and ``coverage`` say which one it is.

    Raises
    ------
    MissingFileError
        When the source has no connectome of so many m-types.
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


def _check_signature(path: Path) -> None:
    """Refuse what is no HDF5 file before any library looks at it."""
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        start = file.read(8)
        while place < size:
            file.seek(place)
            if file.read(8) == SIGNATURE:
                return
            place = max(512, 2 * place)
    looks = next((what for begins, what in _OTHERS.items() if start.startswith(begins)), "")
    raise FormatError(
        f"{path.name} is no HDF5 file: it {f'looks like {looks}' if looks else 'has no signature'}"
        f"{'' if size else ' and is empty'}. A table, matrix or graph of your own becomes a "
        "connectome by nmc.make_connectome or one of nmc.from_*."
    )


def compact_name(sha256: str) -> str:
    """Name of a file's compact form in the cache: by its content and by the code that reads it."""
    return f"{sha256}-{code_hash(READER)[:16]}"


def _compact_form(path: Path, progress: bool) -> Path:
    """Folder of the compact form of a file, written now when it is not there yet."""
    folder = cache_folder() / "connectome" / compact_name(sha256_of(path))
    if folder.is_dir():
        return folder
    _check_signature(path)
    meta, arrays = run_child(
        TASK, {"path": str(path.absolute())},
        label=path.name, progress=progress, error=FormatError,
    )  # fmt: skip
    with atomic_folder(folder) as draft:
        for name, values in arrays.items():
            np.save(draft / f"{name}.npy", values)
        (draft / "meta.json").write_text(json.dumps(meta), "utf-8")
    return folder


def _open(folder: Path, name: str, origin: str, part_of: str, instance: str) -> Connectome:
    """Open a compact form; arrays are mapped copy-on-write, the files never change."""
    meta = json.loads((folder / "meta.json").read_text("utf-8"))

    def array(name: str) -> np.ndarray:
        path = folder / f"{name}.npy"
        # An empty file cannot be mapped; "c" keeps arrays writable without touching the file.
        return np.load(path, mmap_mode="c") if path.stat().st_size > 1024 else np.load(path)

    codes, indices = array("mtypes"), array("indices")
    adjacency = sparse.csr_array(
        (np.ones(len(indices), bool), indices, array("indptr")),
        shape=(len(codes), len(codes)),
        copy=False,
    )
    adjacency.has_canonical_format = True  # rows were written in column order, each once
    coverage = Coverage(
        mtypes=tuple(meta["mtypes"]),
        missing_blocks=tuple(tuple(b) for b in meta["missing_blocks"]),
        missing_counts=tuple(COUNTS[c] for c in meta["missing_counts"]),
        part_of=part_of,
        self_connections=meta["self_connections"],
    )
    counts = {column: array(c) for c, column in COUNTS.items()}
    neurons = make_neurons(codes, array("positions"), counts)
    weights = array("weights") if (folder / "weights.npy").exists() else None
    return Connectome(neurons, adjacency, coverage, name, origin, instance, weights=weights)
