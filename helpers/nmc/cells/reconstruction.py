"""A reconstruction as arrays: MorphIO reads the Neurolucida file.

A file that is not known may crash the parser, so its package's are read in a child process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nmc.child import run_child
from nmc.errors import PackageError
from nmc.numbers import as_numbers

#: MorphIO's section types → the names that the package uses, and the HOC array of such sections.
NEURITES = {2: "axon", 3: "basal dendrite", 4: "apical dendrite"}
ARRAYS = {2: "axon", 3: "dend", 4: "apic"}

_SECONDS = 120.0
_FARTHEST_UM = 1e6


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The tree of one cell, S sections and N points, in µm as the file has them.

    Attributes
    ----------
    soma, soma_diameters : (K, 3) array, (K,) array
        Outline of the soma.
    centre : (3,) array
        Its middle.
    points, diameters : (N, 3) array, (N,) array
        Of all sections, one after the other, depth first; each begins with the last point of
        the one that it grows from.
    starts : (S + 1,) int array
        Where each section begins in `points`.
    parents : (S,) int array
        Section that each grows from, −1 the soma.
    types : (S,) int array
        Keys of `NEURITES`.
    """

    soma: np.ndarray
    soma_diameters: np.ndarray
    centre: np.ndarray
    points: np.ndarray
    diameters: np.ndarray
    starts: np.ndarray
    parents: np.ndarray
    types: np.ndarray

    def count(self) -> dict[str, int]:
        """Number of sections of each HOC array; the soma is one section."""
        return {"soma": 1} | {a: int(np.sum(self.types == k)) for k, a in ARRAYS.items()}


def read_reconstruction(path: Path, model: str, *, known: bool) -> Reconstruction:
    """Read a Neurolucida file of a model; a known package's in this process."""
    _, arrays = call(read_arrays, path, model, known=known)
    return Reconstruction(**arrays)


def call(task: Callable, path: Path, model: str, *, known: bool, **params):
    """Call a task ``(params, report)`` on a file, in a child process unless the file is known."""
    params = {"path": str(path), "model": model, **params}
    if known:
        return task(params, lambda _: None)
    return run_child(
        f"{task.__module__}:{task.__qualname__}", params, label=f"{model}: {path.name}",
        error=PackageError, timeout_s=_SECONDS, progress=False,
    )  # fmt: skip


def read_arrays(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Task of `read_reconstruction`: the fields of a `Reconstruction`."""
    morphology = open_file(params)
    sections = list(morphology.iter())
    number = {section.id: k for k, section in enumerate(sections)}
    types = np.array([int(section.type) for section in sections], int)
    if not set(types.tolist()) <= NEURITES.keys():
        raise PackageError(f"{_where(params)} holds sections that are neither axon nor dendrite.")
    lengths = [len(section.points) for section in sections]
    soma = morphology.soma
    arrays = {
        "soma": np.array(soma.points, float).reshape(-1, 3),
        "soma_diameters": np.array(soma.diameters, float),
        "centre": np.array(soma.center, float),
        "points": np.concatenate([s.points for s in sections] or [np.empty((0, 3))]).astype(float),
        "diameters": np.concatenate([s.diameters for s in sections] or [[]]).astype(float),
        "starts": np.concatenate([[0], np.cumsum(lengths)]).astype(int),
        "parents": np.array([-1 if s.is_root else number[s.parent.id] for s in sections], int),
        "types": types,
    }
    for name in ("soma", "soma_diameters", "points", "diameters"):
        low = 0 if name.endswith("diameters") else -_FARTHEST_UM
        where = f"{_where(params)}: {name}"
        as_numbers(arrays[name].ravel(), where=where, low=low, high=_FARTHEST_UM,
                   error=PackageError)  # fmt: skip
    return {}, arrays


def open_file(params: dict, *, joined: bool = False):
    """Open ``params["path"]`` with MorphIO; `joined`: sections pass points with a single branch."""
    import morphio
    import morphio.mut

    _check_brackets(params)
    quiet = morphio.WarningHandlerCollector()  # keeps remarks about single branches off the screen
    try:
        if not joined:
            return morphio.Morphology(params["path"], warning_handler=quiet)
        morphology = morphio.mut.Morphology(params["path"], warning_handler=quiet)
    except Exception as error:  # MorphIO lets those of C++ through, and texts that are no UTF-8
        last = str(error).strip().rpartition("\n")[2]
        raise PackageError(f"{_where(params)} cannot be read: {last}") from error
    morphio.set_ignored_warning(morphio.Warning.only_child, True)
    try:
        morphology.remove_unifurcations()
    finally:
        morphio.set_ignored_warning(morphio.Warning.only_child, False)
    return morphology


def _check_brackets(params: dict) -> None:
    opened = closed = 0
    with open(params["path"], encoding="latin-1") as lines:
        for line in lines:
            bare = line.partition(";")[0] if '"' not in line else _bare(line)
            opened += bare.count("(")
            closed += bare.count(")")
    if not opened or opened != closed:
        raise PackageError(
            f"{_where(params)} is truncated (its brackets do not close). Fetch the package again."
        )


def _bare(line: str) -> str:
    """Text of a line outside its quotes, up to a comment."""
    outside = "".join(line.split('"')[::2])
    return outside.partition(";")[0]


def _where(params: dict) -> str:
    return f"{params['model']}: the morphology file {Path(params['path']).name}"
