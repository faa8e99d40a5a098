"""The frozen sample's tree, and an independent way to open its connectomes."""

from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import nmc
import numpy as np
import pytest
from nmc import names
from nmc.data.registry import item


@dataclass(frozen=True)
class Opened:
    """A connectome file read with h5py alone: dense, in the file's own order."""

    mtypes: list[str]
    code: np.ndarray
    places: np.ndarray
    counts: dict[str, np.ndarray]
    matrix: np.ndarray

    def block(self, pre: str, post: str) -> np.ndarray:
        """The block of one pathway."""
        i, j = (self.code == self.mtypes.index(m) for m in (pre, post))
        return self.matrix[np.ix_(i, j)]


def open_tar(path: Path) -> Opened:
    """Open ``NAME/NAME.h5`` of an instance's tar."""
    with tarfile.open(path) as tar:
        data = tar.extractfile(f"{path.stem}/{path.stem}.h5").read()
    with h5py.File(io.BytesIO(data)) as h5:
        mtypes = list(h5["populations"])
        groups = [h5["populations"][m] for m in mtypes]
        places = np.concatenate([g["locations"][:] for g in groups])
        code = np.repeat(np.arange(len(mtypes)), [len(g["locations"]) for g in groups])
        counts = {
            k: np.concatenate([g[k][:, 0] for g in groups])
            for k in ("nCellAff", "nCellEff", "nSynAff", "nSynEff")
        }
        rows = [np.hstack([h5[f"connectivity/{a}/{b}/cMat"][:] for b in mtypes]) for a in mtypes]
    return Opened(mtypes, code, places, counts, np.vstack(rows))


@pytest.fixture(scope="session")
def tree() -> Path:
    """The unpacked sample that the package ships."""
    path = nmc.fetch("sheet/layers", source="sample")
    return path.parents[len(Path(item("sheet/layers").path).parents) - 1]


@pytest.fixture(scope="session")
def opened(tree):
    """Return a function: an instance by its path in the tree, read once a session."""
    return cache(lambda path: open_tar(tree / path))


@pytest.fixture(scope="session")
def mc2(opened) -> Opened:
    """The instance the sheets are measured on."""
    opened = opened(item("connectome/average/mc2").path)
    assert opened.mtypes == list(names.MTYPES)
    return opened


@pytest.fixture(scope="session")
def members():
    """Return a function: the text of every file of a model's package, by its path inside."""

    def read(model: str) -> dict[str, str]:
        with zipfile.ZipFile(nmc.fetch(f"model/{model}", source="sample")) as archive:
            return {n.partition("/")[2]: archive.read(n).decode() for n in archive.namelist()}

    return read
