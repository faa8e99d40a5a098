"""A package beside its NeuroML2 version: densities, and spike times."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.cells import formula
from nmc.cells.densities import PER_CM2
from nmc.cells.neuroml.cell import NeuroMLCell
from nmc.cells.neuroml.channel import DETERMINISTIC
from nmc.cells.package import Package

#: Where a density that varies along the tree is compared, µm.
DISTANCES_UM = (0.0, 250.0, 500.0, 1000.0)
#: Units of cable properties and other parameters that are no conductance.
_PARAMETER_UNITS = {"cm": "uF/cm2", "Ra": "ohm cm", "decay": "ms"}
_REVERSALS = {"ena": "na", "ek": "k"}


def compare_densities(package: Package, neuroml: NeuroMLCell) -> pd.DataFrame:
    """Put the densities of a package beside those of its NeuroML2 version.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.
    neuroml : NeuroMLCell
        From `nmc.load_neuroml`.

    Returns
    -------
    pandas.DataFrame
        One row a section list, mechanism and parameter of either: ``package``, ``neuroml`` (at
        the soma where it varies with distance), ``unit``, ``difference_percent`` (the largest
        over `DISTANCES_UM` µm), ``note``.  A last row counts the synapses, which no NeuroML2
        version has.
    """
    left = _by_list(package.biophysics, _of_package)
    right = _by_list(neuroml.densities, lambda row: _of_neuroml(row, neuroml))
    keys = list(dict.fromkeys([*left, *right]))
    rows = [_row(key, left.get(key), right.get(key), neuroml) for key in keys]
    rows.append(("", "synapses", "number", len(package.synapses), 0, "", np.nan, "not converted"))
    columns = ["section_list", "mechanism", "parameter", "package", "neuroml", "unit"]
    table = pd.DataFrame(rows, columns=[*columns, "difference_percent", "note"])
    table.attrs = {"model": package.name}
    return table


def _row(key, left, right, neuroml: NeuroMLCell) -> tuple:
    far = np.array(DISTANCES_UM)
    a, b = (
        np.full(len(far), np.nan)
        if side is None
        else np.broadcast_to(formula.evaluate(side[0], {"d": far}) * side[1], far.shape)
        for side in (left, right)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(b / a - 1) * 100)
    stand_in = f"{key[1]}{DETERMINISTIC}"
    if not (left and right):
        note = f"only in the {'package' if left else 'NeuroML2 version'}"
    elif stand_in in neuroml.channels and key[2] == "g":
        note = f"{stand_in} in its place"
    else:
        note = "varies with distance" if np.ptp(a) > 0 else ""
    return (*key, a[0], b[0], (left or right)[2],
            apart.max() if left and right else np.nan, note)  # fmt: skip


def _by_list(table: pd.DataFrame, told) -> dict[tuple, tuple]:
    """Key (section list, mechanism, parameter) → formula, factor to NeuroML2's unit, unit."""
    found = {}
    lists = [part for part in dict.fromkeys(table["section_list"]) if part != "all"]
    for row in table.itertuples():
        if (known := told(row)) is not None:
            mechanism, name, scale, unit = known
            everywhere = row.section_list == "all" and row.parameter != "Ra"
            for part in lists if everywhere else [row.section_list]:
                found[part, mechanism, name] = (row.formula, scale, unit)
    return found


def _of_package(row) -> tuple[str, str, float, str]:
    name = row.parameter
    if row.mechanism and name.startswith("g") and name != "gamma":
        return row.mechanism, "g", PER_CM2.get(row.mechanism, 1.0), "S/cm2"
    if name in _REVERSALS:
        return row.mechanism, f"e of {_REVERSALS[name]}", 1.0, "mV"
    unit = "mV" if (row.mechanism, name) == ("pas", "e") else _PARAMETER_UNITS.get(name, "")
    return row.mechanism, name, 1.0, unit


def _of_neuroml(row, neuroml: NeuroMLCell) -> tuple[str, str, float, str] | None:
    """As `_of_package`; reversal potentials of ions stand once a section list."""
    if row.parameter != "e" or row.mechanism == "pas":
        return row.mechanism, row.parameter, 1.0, row.unit
    species = neuroml.channel(row.channel).species
    # Another one is a constant inside the mechanism, as Ih's −45 mV.
    return ("", f"e of {species}", 1.0, row.unit) if species in _REVERSALS.values() else None


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
