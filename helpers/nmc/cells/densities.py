"""Channel densities along the tree of the simulated cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.package import SECTION_ARRAYS, SECTION_LISTS, Package

#: StochKv's density counts in pS/µm², whatever its PARAMETER line says: its MOD multiplies by
#: 1e-4 when it computes the current.
PER_CM2 = {"StochKv": 1e-4}
_LIST_OF = dict(zip(SECTION_ARRAYS, SECTION_LISTS, strict=True))


def density_parameters(package: Package) -> pd.DataFrame:
    """Conductance densities of a package's table, a row a section list and channel.

    Returns
    -------
    pandas.DataFrame
        ``section_list``, ``channel``, ``parameter``, ``scale`` (to S/cm²); a later row of the
        file wins, and what is set everywhere stands once a list.
    """
    table = package.biophysics
    table = table[table["parameter"].str.match("g(?!amma)") & (table["mechanism"] != "")]
    rows = {}
    for row in table.itertuples():
        parts = SECTION_LISTS if row.section_list == "all" else (row.section_list,)
        for part in parts:
            scale = PER_CM2.get(row.mechanism, 1.0)
            rows[part, row.mechanism] = (part, row.mechanism, row.parameter, scale, row.formula)
    columns = ["section_list", "channel", "parameter", "scale", "formula"]
    return pd.DataFrame(list(rows.values()), columns=columns)


def compute_channel_densities(model: str | names.Model | Path | Package) -> pd.DataFrame:
    """Density of every channel in every section of the simulated cell.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        As for `nmc.simulate_step`.

    Returns
    -------
    pandas.DataFrame
        One row a section and channel: ``section``, ``part`` (``soma``, ``dend``, ``apic``,
        ``axon``), ``distance_um`` (path from the soma), ``channel``, ``density_S_per_cm2`` in
        the section's middle, ``conductance_nS`` (density times the section's membrane, all
        gates open). The axon is the stub of 60 µm that the packages simulate.

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
        The package cannot be read, or its cell not be built.
    """
    from nmc.cells import _hoc
    from nmc.cells.protocols import as_package
    from nmc.cells.stimulation import measure_places

    package = as_package(model)
    places = measure_places(package, None)
    places["section_list"] = places["part"].map(_LIST_OF)
    parts = []
    for row in density_parameters(package).itertuples():
        here = places[places["section_list"] == row.section_list]
        density = _hoc.evaluate(row.formula, here["distance_um"]) * row.scale
        area_cm2 = np.pi * here["diameter_um"] * here["length_um"] * 1e-8
        table = here[["section", "part", "distance_um"]].copy()
        table["channel"] = row.channel
        table["density_S_per_cm2"] = density
        table["conductance_nS"] = density * area_cm2 * 1e9
        parts.append(table)
    found = pd.concat(parts, ignore_index=True)
    found.attrs = {"model": package.name}
    return found
