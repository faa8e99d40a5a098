"""A package beside its NeuroML2 twin: densities, and spike times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.cells import _hoc
from nmc.cells.densities import PER_CM2
from nmc.cells.neuroml.biophysics import DETERMINISTIC
from nmc.cells.neuroml.cell import NeuroMLCell
from nmc.cells.package import Package

#: Where a density that varies along the tree is compared, µm.
DISTANCES_UM = (0.0, 250.0, 500.0, 1000.0)
_CABLE = {"cm": "uF/cm2", "Ra": "ohm cm"}
_REVERSALS = {"ena": "na", "ek": "k"}


def compare_densities(package: Package, twin: NeuroMLCell) -> pd.DataFrame:
    """Put the densities of a package beside those of its NeuroML2 twin.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.
    twin : NeuroMLCell
        From `nmc.load_neuroml`.

    Returns
    -------
    pandas.DataFrame
        One row a section list, mechanism and parameter of either: ``package``, ``neuroml`` (at
        the soma where it varies with distance), ``unit``, ``difference_percent`` (the largest
        over `DISTANCES_UM` µm), ``note``.  A last row counts the synapses, which no twin has.
    """
    left, right = _of_package(package), _of_twin(twin)
    keys = list(dict.fromkeys([*left, *right]))
    rows = [_row(key, left.get(key), right.get(key), twin) for key in keys]
    rows.append(("", "synapses", "number", len(package.synapses), 0, "", np.nan, "not converted"))
    columns = ["section_list", "mechanism", "parameter", "package", "neuroml", "unit"]
    table = pd.DataFrame(rows, columns=[*columns, "difference_percent", "note"])
    table.attrs = {"model": package.name}
    return table


def _row(key, left, right, twin: NeuroMLCell) -> tuple:
    formula, scale, unit = left or right
    far = np.array(DISTANCES_UM)
    a = _hoc.evaluate(left[0], far) * left[1] if left else np.full(len(far), np.nan)
    b = _hoc.evaluate(right[0], far) * right[1] if right else np.full(len(far), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(b / a - 1) * 100)
    note = "" if left and right else f"only in the {'package' if left else 'twin'}"
    if left and right:
        stand_in = f"{key[1]}{DETERMINISTIC}"
        if stand_in in twin.channels and key[2] == "g":
            note = f"{stand_in} in its place"
        elif np.ptp(a) > 0:
            note = "varies with distance"
    return (*key, a[0], b[0], unit, apart.max() if left and right else np.nan, note)


def _of_package(package: Package) -> dict[tuple, tuple]:
    """Key (section list, mechanism, parameter) → formula, factor to the twin's unit, unit."""
    found = {}
    table = package.biophysics
    lists = list(dict.fromkeys(table.query("section_list != 'all'")["section_list"]))
    for row in table.itertuples():
        everywhere = row.section_list == "all" and row.parameter != "Ra"
        parts = lists if everywhere else [row.section_list]  # a later row of a list wins
        for part in parts:
            name, unit = row.parameter, _CABLE.get(row.parameter, "")
            scale = 1.0
            if row.mechanism and name.startswith("g") and name != "gamma":
                name, unit, scale = "g", "S/cm2", PER_CM2.get(row.mechanism, 1.0)
            elif row.mechanism == "pas" and name == "e":
                unit = "mV"
            elif name in _REVERSALS:
                name, unit = f"e of {_REVERSALS[name]}", "mV"
            elif name == "decay":
                unit = "ms"
            found[part, row.mechanism, name] = (row.formula, scale, unit)
    return found


def _of_twin(twin: NeuroMLCell) -> dict[tuple, tuple]:
    """As `_of_package`; reversal potentials of ions stand once a section list."""
    found = {}
    table = twin.densities
    lists = list(dict.fromkeys(table.query("section_list != 'all'")["section_list"]))
    for row in table.itertuples():
        who = (row.mechanism, row.parameter)
        if row.parameter == "e" and row.mechanism != "pas":
            species = twin.channel(row.channel).species
            if species not in ("na", "k"):
                continue  # a constant inside the mechanism, as Ih's −45 mV
            who = ("", f"e of {species}")
        everywhere = row.section_list == "all" and row.parameter != "Ra"
        for part in lists if everywhere else [row.section_list]:
            found[(part, *who)] = (row.formula, 1.0, row.unit)
    return found


def compare_spikes(trace: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Put the spike times of two traces beside each other, first with first.

    Parameters
    ----------
    trace, other : pandas.DataFrame
        From ``simulate_*`` calls, with ``spike_times_ms`` in ``.attrs``.

    Returns
    -------
    pandas.DataFrame
        Index ``spike`` (from 1); ``t_ms``, ``t_other_ms`` (NaN where one has fewer spikes),
        ``difference_ms``, ``difference_percent`` of ``t_ms``, signs kept. ``.attrs`` hold
        ``largest_percent`` (largest size among the spikes that both have; NaN without any) and
        ``spike_counts`` of the two.
    """
    times = [np.asarray(t.attrs["spike_times_ms"], float) for t in (trace, other)]
    length = max(map(len, times))
    one, two = (np.append(t, np.full(length - len(t), np.nan)) for t in times)
    index = pd.RangeIndex(1, length + 1, name="spike")
    table = pd.DataFrame({"t_ms": one, "t_other_ms": two}, index=index)
    table["difference_ms"] = two - one
    table["difference_percent"] = table["difference_ms"] / one * 100
    largest = table["difference_percent"].abs().max() if length else np.nan
    table.attrs["largest_percent"] = float(largest)
    table.attrs["spike_counts"] = tuple(len(t) for t in times)
    return table
