"""Two whole m-types of the connectome instance mc2 that netsci ships, as the portal's HDF5.

netsci's package data list every neuron (identifier and position) of L5_TTPC2 and of L6_LBC, and
every connection inside each type with its number of contacts.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from nmc.data.extracts.installed import folder_of, version_of

PACKAGE = "netsci"

#: Key → m-type, netsci's name of it, sha256 of its two files (neurons, synapses).
_PARTS = {
    "connectome/extract/mc2/L5_TTPC2": (
        "L5_TTPC2", "L5_TTPC",
        "a90344e041187fcf6b700c8fd912159882a863edc8446c3f527c6c88dd25e647",
        "17f943db0e002a7503932c4bb5331961a78b24d5350a2f295228d68010443560",
    ),
    "connectome/extract/mc2/L6_LBC": (
        "L6_LBC", "L6_LBC",
        "b832d4ffadaad390b352e7797a26aee11be3f1771b7fd5863d905e1a4a241fc4",
        "78eb3af4a7aeba63146d42f125f34280c8598e8d6b8662cef8a2352042faf6ee",
    ),
}  # fmt: skip

KEYS = tuple(_PARTS)


def version() -> str:
    """Return the installed version, or an empty text."""
    return version_of(PACKAGE) if place() else ""


def place() -> Path | None:
    """Return the folder of netsci's data sets, or None."""
    root = folder_of("netsci")
    data = root / "resources" / "datasets" if root else None
    return data if data and data.is_dir() else None


def refusal(key: str) -> str:
    """Say why a part is not offered; an empty text when it is."""
    _, _, *expected = _PARTS[key]
    for path, digest in zip(_files(key), expected, strict=True):
        if not path.is_file():
            return f"the installed {PACKAGE} has no {path.name}"
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return f"{PACKAGE} {version()} changed {path.name}"
    return ""


def write(key: str, target: Path) -> None:
    """Write the part in the layout of the portal's connectome files.

    ``/populations/<m-type>/locations`` holds positions (N, 3) in µm,
    ``/connectivity/<m-type>/<m-type>/cMat`` the 0/1 matrix (N, N), presynaptic along rows.
    """
    import h5py
    import numpy as np
    import pandas as pd

    mtype = _PARTS[key][0]
    neurons, synapses = (pd.read_csv(path) for path in _files(key))
    order = pd.Series(np.arange(len(neurons)), index=neurons["gid"])
    matrix = np.zeros((len(neurons), len(neurons)), dtype=np.uint8)
    matrix[order[synapses["from"]], order[synapses["to"]]] = 1
    with h5py.File(target, "w", track_order=True) as out:
        place_ = f"populations/{mtype}/locations"
        out.create_dataset(place_, data=neurons[["x", "y", "z"]].to_numpy(float))
        out.create_dataset(
            f"connectivity/{mtype}/{mtype}/cMat", data=matrix, chunks=True, compression="gzip"
        )


def _files(key: str) -> tuple[Path, Path]:
    root, name = place(), _PARTS[key][1]
    return tuple(root / f"connectome.{name}.{part}.csv.gz" for part in ("neurons", "synapses"))
