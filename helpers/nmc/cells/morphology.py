"""The morphology of a package: its points as a table, its sections by HOC name, and as SWC."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.reconstruction import ARRAYS, NEURITES
from nmc.data.files import given_path, written
from nmc.errors import PackageError

#: SWC's numbers are those of MorphIO's section types; the soma is 1.
_SWC_SOMA = 1


class SectionPath(NamedTuple):
    """Where a section runs, in µm.

    ``points`` (n, 3) from the soma's centre, y towards the pia; ``diameters_um`` (n,) and the
    length ``along_um`` (n,) from the section's start at each; the path ``start_um`` from the soma.
    """

    points: np.ndarray
    diameters_um: np.ndarray
    along_um: np.ndarray
    start_um: float


def section_paths(package: Package) -> dict[str, SectionPath]:
    """Follow each section of the reconstruction by its HOC name, numbered as by NEURON's import."""
    tree = package.reconstruction
    count = dict.fromkeys(ARRAYS.values(), 0)
    found: dict[str, SectionPath] = {}
    ends: list[float] = []
    for k, (kind, parent) in enumerate(zip(tree.types, tree.parents, strict=True)):
        own = slice(tree.starts[k], tree.starts[k + 1])
        points = tree.points[own] - tree.centre
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        start = 0.0 if parent < 0 else ends[parent]
        array = ARRAYS[int(kind)]
        found[f"{array}[{count[array]}]"] = SectionPath(points, tree.diameters[own], along, start)
        count[array] += 1
        ends.append(start + along[-1])
    return found


def section_points(package: Package) -> dict[str, np.ndarray]:
    """Points (n, 3) of the soma's outline and of each dendrite by HOC name, as `section_paths`."""
    tree = package.reconstruction
    paths = section_paths(package).items()
    dendrites = {name: p.points for name, p in paths if not name.startswith("axon")}
    return {"soma[0]": tree.soma - tree.centre} | dendrites


def cut_dendrite(package: Package) -> tuple[np.ndarray, pd.DataFrame]:
    """Cut the dendrites at their points: ends (n, 2, 3) in µm, and a row a piece.

    ``section``, ``distance_um`` (path from the soma to its middle), ``length_um``, ``diameter_um``.
    """
    paths = {n: path for n, path in section_paths(package).items() if not n.startswith("axon")}
    ends = [np.stack([path.points[:-1], path.points[1:]], axis=1) for path in paths.values()]
    middle = [p.start_um + (p.along_um[1:] + p.along_um[:-1]) / 2 for p in paths.values()]
    pieces = pd.DataFrame(
        {"section": np.repeat(list(paths), [len(part) for part in ends]),
         "distance_um": np.concatenate(middle),
         "length_um": np.concatenate([np.diff(path.along_um) for path in paths.values()]),
         "diameter_um": np.concatenate([path.diameters_um[1:] for path in paths.values()])}
    )  # fmt: skip
    return np.concatenate(ends), pieces.astype({"section": "str"})


def load_morphology(model: AnyModel) -> pd.DataFrame:
    """Points of a package's reconstruction, one row a point.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        ``section`` (−1 the soma), ``parent`` (the section that it grows from, −1 the soma),
        ``neurite`` (``soma``, ``axon``, ``basal dendrite``, ``apical dendrite``), ``x_um``,
        ``y_um``, ``z_um`` relative to the soma's centre (y towards the pia) and
        ``diameter_um``. A section begins with the last point of the one that it grows from.

    Raises
    ------
    PackageError
        The package or its morphology cannot be read.
    """
    tree = as_package(model).reconstruction
    section = np.repeat(np.arange(len(tree.types)), np.diff(tree.starts))
    kinds = np.array([NEURITES[int(k)] for k in tree.types], dtype=object)
    outline = np.full(len(tree.soma), -1)
    table = pd.DataFrame(
        np.concatenate([tree.soma, tree.points]) - tree.centre, columns=["x_um", "y_um", "z_um"]
    )
    table["diameter_um"] = np.concatenate([tree.soma_diameters, tree.diameters])
    table.insert(0, "neurite", np.concatenate([["soma"] * len(outline), kinds[section]]))
    table.insert(0, "parent", np.concatenate([outline, tree.parents[section]]).astype(int))
    table.insert(0, "section", np.concatenate([outline, section]).astype(int))
    return table


def outline_diameter(outline: np.ndarray) -> float:
    """Diameter of the circle that has the area of a closed outline, shape (n, 2)."""
    x, y = np.asarray(outline, float).T
    area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return float(2 * np.sqrt(area / np.pi))


def to_swc(model: AnyModel, path: str | Path, *, axon: bool = True) -> Path:
    """Write a package's reconstruction as SWC, which most tools of the field read.

    SWC knows no outline of a soma: it is written as the three points that NeuroMorpho.org uses,
    a cylinder along y as long as it is wide, with the diameter of the circle that has the
    outline's area.  Neurites grow from its middle.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.
    path : str or pathlib.Path
        The file to write.
    axon : bool
        Write the reconstructed axon, too; the simulated cell has a stub in its place.

    Returns
    -------
    pathlib.Path
        The file: ``number type x y z radius parent``, µm from the soma's centre, y towards the
        pia; types 1 soma, 2 axon, 3 basal and 4 apical dendrite.

    Raises
    ------
    PackageError
        The package or its morphology cannot be read, or the file not be written.
    """
    package = as_package(model)
    tree = package.reconstruction
    r = outline_diameter(tree.soma[:, :2]) / 2
    rows = [(_SWC_SOMA, 0.0, y, 0.0, r, parent) for y, parent in ((0.0, -1), (-r, 1), (r, 1))]
    last: dict[int, int] = {}  # section → number of its last point
    for k, (kind, parent) in enumerate(zip(tree.types, tree.parents, strict=True)):
        if kind == 2 and not axon:
            continue
        first = tree.starts[k] + (parent >= 0)  # its parent's last point is written already
        before = last[parent] if parent >= 0 else 1
        for n in range(first, tree.starts[k + 1]):
            x, y, z = tree.points[n] - tree.centre
            rows.append((int(kind), x, y, z, tree.diameters[n] / 2, before))
            before = len(rows)
        last[k] = before
    head = f"# {package.name}, {package.origin}; soma as three points; µm from the soma's centre\n"
    lines = (
        f"{number} {kind} {x:.6g} {y:.6g} {z:.6g} {radius:.6g} {parent}\n"
        for number, (kind, x, y, z, radius, parent) in enumerate(rows, start=1)
    )
    path = given_path(path, PackageError)
    with written(path, PackageError) as draft:
        draft.write_text(head + "".join(lines), "utf-8")
    return path
