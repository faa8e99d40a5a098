"""The morphology of a package, read by MorphIO from its Neurolucida file."""

from __future__ import annotations

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


def section_points(package: Package) -> dict[str, np.ndarray]:
    """Points of each dendritic section by its HOC name.

    ``dend[12]`` is the 13th basal section of the file, the branches taken depth first, as
    NEURON's import numbers them.

    Returns
    -------
    dict of str to numpy.ndarray of shape (n, 3)
        In µm from the soma's centre, y towards the pia; the soma is ``soma[0]``, its outline.
    """
    morphology = read_morphology(package)
    centre = morphology.soma.center
    found = {"soma[0]": morphology.soma.points.astype(float) - centre}
    arrays = {"basal dendrite": "dend", "apical dendrite": "apic"}
    count = dict.fromkeys(arrays.values(), 0)
    for section in morphology.iter():
        array = arrays.get(NEURITES[section.type.name])
        if array:
            found[f"{array}[{count[array]}]"] = section.points.astype(float) - centre
            count[array] += 1
    return found


def load_morphology(package: Package) -> pd.DataFrame:
    """Points of a package's reconstruction, one row a point.

    Returns
    -------
    pandas.DataFrame
        ``section`` (MorphIO's id, −1 the soma), ``neurite`` (``soma``, ``axon``,
        ``basal dendrite``, ``apical dendrite``), ``x_um``, ``y_um``, ``z_um`` relative to the
        soma's centre (y towards the pia) and ``diameter_um``.
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
