"""The morphology of a package, read by MorphIO from its Neurolucida file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from nmc.cells.package import Package
from nmc.errors import PackageError

#: MorphIO's section types → the names the packages use.
NEURITES = {
    "axon": "axon",
    "basal_dendrite": "basal dendrite",
    "apical_dendrite": "apical dendrite",
}
#: Neurite → the packages' HOC array of its sections.
_ARRAYS = {"axon": "axon", "basal dendrite": "dend", "apical dendrite": "apic"}


def read_morphology(package: Package):
    """Return a package's morphology as an immutable ``morphio.Morphology``.

    Raises
    ------
    PackageError
        MorphIO cannot read the file.
    """
    import morphio

    return _read(package, morphio.Morphology)


def open_mutable(package: Package):
    """Return a copy whose sections reach from one branch point to the next.

    Some reconstructions hold points with a single branch going on; MorphIO and NEURON begin a
    section there, the fact sheets do not.

    Raises
    ------
    PackageError
        MorphIO cannot read the file.
    """
    import morphio.mut

    morphology = _read(package, morphio.mut.Morphology)
    morphio.set_ignored_warning(morphio.Warning.only_child, True)  # joining them is what we want
    try:
        morphology.remove_unifurcations()
    finally:
        morphio.set_ignored_warning(morphio.Warning.only_child, False)
    return morphology


def _read(package: Package, kind: type):
    import morphio

    try:  # the collector keeps MorphIO's remarks about single branches off the screen
        return kind(str(package.morphology), warning_handler=morphio.WarningHandlerCollector())
    except (morphio.MorphioError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1]
        raise PackageError(
            f"{package.name}: the morphology {package.morphology.name} cannot be read: {first}"
        ) from error


def count_sections(package: Package) -> dict[str, int]:
    """Number of the reconstruction's dendritic sections, by their HOC array: dend and apic.

    Raises
    ------
    PackageError
        MorphIO cannot read the file.
    """
    import morphio

    types = list(read_morphology(package).section_types)
    kinds = {
        "dend": morphio.SectionType.basal_dendrite,
        "apic": morphio.SectionType.apical_dendrite,
    }
    return {array: types.count(int(kind)) for array, kind in kinds.items()}


class SectionPath(NamedTuple):
    """Where a section runs.

    Attributes
    ----------
    points : (n, 3) array
        In µm from the soma's centre, y towards the pia.
    diameters_um : (n,) array
        At each point.
    along_um : (n,) array
        Length from the section's start to each point.
    start_um : float
        Path from the soma to the section's start.
    """

    points: np.ndarray
    diameters_um: np.ndarray
    along_um: np.ndarray
    start_um: float


def section_paths(package: Package) -> dict[str, SectionPath]:
    """Follow each section of the reconstruction by its HOC name, the axon's included.

    ``dend[12]`` is the 13th basal section of the file, the branches taken depth first, as
    NEURON's import numbers them.

    Raises
    ------
    PackageError
        MorphIO cannot read the file.
    """
    morphology = read_morphology(package)
    centre = morphology.soma.center
    count = dict.fromkeys(_ARRAYS.values(), 0)
    found: dict[str, SectionPath] = {}
    ends: dict[int, float] = {}
    for section in morphology.iter():
        array = _ARRAYS[NEURITES[section.type.name]]
        points = section.points.astype(float) - centre
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        path = SectionPath(
            points=points,
            diameters_um=section.diameters.astype(float),
            along_um=np.concatenate([[0.0], np.cumsum(steps)]),
            start_um=0.0 if section.is_root else ends[section.parent.id],
        )
        found[f"{array}[{count[array]}]"] = path
        count[array] += 1
        ends[section.id] = path.start_um + path.along_um[-1]
    return found


def section_points(package: Package) -> dict[str, np.ndarray]:
    """Points of the soma's outline and of each dendritic section by its HOC name.

    Returns
    -------
    dict of str to numpy.ndarray of shape (n, 3)
        As in `section_paths`; ``soma[0]`` is the outline.
    """
    soma = read_morphology(package).soma
    found = {"soma[0]": soma.points.astype(float) - soma.center}
    paths = section_paths(package).items()
    return found | {name: p.points for name, p in paths if not name.startswith("axon")}


def load_morphology(package: Package) -> pd.DataFrame:
    """Points of a package's reconstruction, one row a point.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        ``section`` (MorphIO's id, −1 the soma), ``neurite`` (``soma``, ``axon``,
        ``basal dendrite``, ``apical dendrite``), ``x_um``, ``y_um``, ``z_um`` relative to the
        soma's centre (y towards the pia) and ``diameter_um``.

    Raises
    ------
    PackageError
        MorphIO cannot read the file.
    """
    morphology = read_morphology(package)
    centre = morphology.soma.center
    parts = [_points(-1, "soma", morphology.soma.points, morphology.soma.diameters)]
    for section in morphology.iter():
        parts.append(
            _points(section.id, NEURITES[section.type.name], section.points, section.diameters)
        )
    table = pd.concat(parts, ignore_index=True)
    table[["x_um", "y_um", "z_um"]] -= centre
    return table


def _points(section: int, neurite: str, points, diameters) -> pd.DataFrame:
    table = pd.DataFrame(points, columns=["x_um", "y_um", "z_um"]).astype(float)
    table["diameter_um"] = diameters
    table.insert(0, "neurite", neurite)
    table.insert(0, "section", section)
    return table
