"""The synaptome of a cell: where its synapses sit, whose they are, and how many there should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names, style
from nmc.cells.morphology import section_paths, section_points
from nmc.cells.package import Package
from nmc.cells.protocols import as_package
from nmc.errors import PackageError


def locate_synapses(model: str | names.Model | Package) -> pd.DataFrame:
    """Find every synapse of a package in space.

    Parameters
    ----------
    model : str, Model or Package
        The cell.

    Returns
    -------
    pandas.DataFrame
        Index ``synapse``; ``pre_cell``, ``pre_mtype``, ``excitatory``, ``section``,
        ``weight_nS``, ``x_um``, ``y_um``, ``z_um`` (from the soma's centre, y towards the pia)
        and ``distance_um`` (path from the soma along the dendrite).

    Raises
    ------
    PackageError
        A synapse on a section that the morphology does not have.

    Notes
    -----
    ``dend[12]`` is the 13th basal section of the file, the branches taken depth first, as
    NEURON's import numbers them.
    """
    package = as_package(model)
    paths = section_paths(package)
    synapses = package.synapses
    rows = []
    for section, x in zip(synapses["section"], synapses["x"], strict=True):
        if section.startswith("soma"):
            rows.append((0.0, 0.0, 0.0, 0.0))
            continue
        if section not in paths:
            raise PackageError(
                f"{package.name}: a synapse stands on {section}, which the morphology lacks."
            )
        path = paths[section]
        at = x * path.along_um[-1]
        place = (np.interp(at, path.along_um, path.points[:, k]) for k in range(3))
        rows.append((*place, path.start_um + at))
    places = pd.DataFrame(
        rows, columns=["x_um", "y_um", "z_um", "distance_um"], index=synapses.index
    )
    kept = synapses[["pre_cell", "pre_mtype", "excitatory", "section", "weight_nS"]]
    table = kept.join(places)
    table.attrs["folder"] = str(package.folder)
    return table


def count_synaptome(model: str | names.Model | Package) -> pd.DataFrame:
    """Count a cell's synapses by presynaptic m-type, beside the pathway sheets.

    Parameters
    ----------
    model : str, Model or Package
        A model's name, or a package.

    Returns
    -------
    pandas.DataFrame
        Index ``pre_mtype``; ``excitatory``, ``cells`` and ``synapses`` of the package,
        ``sheet_cells`` (convergence) and ``sheet_synapses`` (convergence × synapses per
        connection; NaN where the sheets have no such pathway) and ``ratio`` of the synapses.

    Raises
    ------
    PackageError
        The package cannot be read.
    """
    from nmc.factsheets.pathways import load_pathways

    package = as_package(model)
    grouped = package.synapses.groupby("pre_mtype")
    table = pd.DataFrame(
        {
            "excitatory": grouped["excitatory"].first(),
            "cells": grouped["pre_cell"].nunique(),
            "synapses": grouped.size(),
        }
    )
    sheet = load_pathways()
    sheet = sheet[sheet["post"] == package.mtype]
    sheet = sheet.set_index(sheet["pre"].astype(str))
    cells = sheet["convergence_mean"].astype(float)
    table["sheet_cells"] = cells.reindex(table.index)
    each = sheet["synapses_per_connection_mean"].astype(float)
    table["sheet_synapses"] = (cells * each).reindex(table.index)
    table["ratio"] = table["synapses"] / table["sheet_synapses"]
    return table.sort_values("synapses", ascending=False)


def view_synaptome(places: pd.DataFrame):
    """Show a cell and its synapses in space; turns under the mouse, also on a static page.

    Parameters
    ----------
    places : DataFrame
        From `locate_synapses`.

    Returns
    -------
    object
        Shows itself in a notebook and on a built page.
    """
    from nmc.viewer3d import view_lines

    package = as_package(Path(places.attrs["folder"]))
    dendrites = [points for name, points in section_points(package).items() if name != "soma[0]"]
    segments = np.concatenate([np.stack([p[:-1], p[1:]], axis=1) for p in dendrites])
    groups = np.where(places["excitatory"], "excitatory synapse", "inhibitory synapse")
    return view_lines(
        segments,
        ["dendrite"] * len(segments),
        colours={
            "dendrite": style.GREY,
            "excitatory synapse": style.EXCITATORY,
            "inhibitory synapse": style.INHIBITORY,
        },
        points=places[["x_um", "y_um", "z_um"]].to_numpy(float),
        point_groups=list(groups),
        point_size=1.5,
        alt=f"The dendrites of {package.name} with its synapses as coloured points.",
    )
