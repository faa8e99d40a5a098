"""Where a simulated cell's segments are, and recordings of every one of them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from nmc.cells.build import cell_spec
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.package_files import SECTION_ARRAYS, SECTION_LISTS
from nmc.cells.results import run_cached
from nmc.errors import PackageError

_COMMENT = re.compile(r"(?s)\bCOMMENT\b.*?\bENDCOMMENT\b|[:?][^\n]*")
_NEURON_BLOCK = re.compile(r"\bNEURON\s*\{([^}]*)\}")
_WRITTEN = re.compile(r"(?:\bWRITE|\bNONSPECIFIC_CURRENT)\s+(i\w*)")


def locate_segments(model: AnyModel, *, trust: bool = False) -> pd.DataFrame:
    """Every segment of the simulated cell, with place and size.

    Parameters
    ----------
    model, trust
        As for `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        One row a segment, the soma's first: ``place`` (``dend[3](0.5)``), ``section``, ``part``
        (``soma``, ``dend``, ``apic``, ``axon``), ``x`` (position on the section, 0 to 1),
        ``distance_um`` (path from the soma's middle), ``length_um``, ``diameter_um``,
        ``area_um2`` (its membrane), and where it begins and ends in space: ``x0_um``, ``y0_um``,
        ``z0_um``, ``x1_um``, ``y1_um``, ``z1_um``.  The axon is the stub of 60 µm that the
        packages simulate, drawn by NEURON where it has no points.  ``.attrs`` name the model.

    Raises
    ------
    TrustError, PackageError, MechanismError, CompilerError, SimulationError
        The package may not run or cannot be read, or its cell not be built.
    """
    package = as_package(model, trust=trust)
    task, params = "nmc.cells.build:list_segments", {"cell": cell_spec(package)}
    meta, arrays = run_cached(task, params, [package], progress=False)
    table = pd.DataFrame(arrays)
    table["section"] = np.array(meta["sections"])[table["section"].astype(int)]
    table.insert(1, "part", table["section"].str.partition("[")[0])
    places = [f"{name}({x:.6g})" for name, x in zip(table["section"], table["x"], strict=True)]
    table.insert(0, "place", places)
    table.attrs = package.source
    return table


def record_segments(model: AnyModel, variable: str = "i_membrane_") -> dict[str, str]:
    """Name a recording in every segment, for the ``record`` of any ``simulate_*`` call.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    variable : str
        ``i_membrane_`` is all current that leaves the segment through its membrane, in nA:
        capacitive, through channels and through synapses; what an electrode injects leaves the
        cell somewhere as membrane current, so that the sum over all segments is the injected
        current. ``v`` is the voltage, in mV.

    Returns
    -------
    dict of str to str
        The segment's ``place`` in `nmc.locate_segments` → its variable.

    Examples
    --------
    >>> record = nmc.record_segments("L1_HAC_cNAC187_1")  # doctest: +SKIP
    >>> trace = nmc.simulate_step(
    ...     "L1_HAC_cNAC187_1", record=record, window_ms=(695, 750)
    ... )  # doctest: +SKIP
    >>> trace[list(record)].to_numpy().T  # nA, shape (segments, times) # doctest: +SKIP
    """
    return {place: f"{place}.{variable}" for place in locate_segments(model)["place"]}


def record_channels(model: AnyModel, place: str = "soma[0](0.5)") -> dict[str, str]:
    """Name a recording of every channel's current at one place, for ``record``.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    place : str
        Section and position, such as ``"dend[3](0.5)"``.

    Returns
    -------
    dict of str to str
        Channel → its current density there, in mA/cm², outward positive; ``pas`` is the leak.
        With ``i_cap``, the capacitive current, they add up to the membrane's.

    Raises
    ------
    PackageError
        There is no such section, or a MOD file does not let its current be seen from outside.
    """
    package = as_package(model)
    package.check_section(place.partition("(")[0])
    there = dict(zip(SECTION_ARRAYS, SECTION_LISTS, strict=True))[place.partition("[")[0]]
    found = {}
    for channel in (*package.mechanisms.get("all", ()), *package.mechanisms.get(there, ())):
        if channel == "pas":
            found[channel] = f"{place}.i_pas"
        elif channel in package.mods:
            text = package.text(f"mechanisms/{channel}.mod")
            block = _NEURON_BLOCK.search(_COMMENT.sub("", text))
            lines = block[1] if block else ""
            for current in _WRITTEN.findall(lines):
                if not re.search(rf"\bRANGE\b[^\n]*\b{current}\b", lines):
                    raise PackageError(
                        f"{package.name}: {channel}.mod does not name {current} under RANGE, so "
                        "that it cannot be recorded."
                    )
                found[channel] = f"{place}.{current}_{channel}"
    return found


def measure_places(package: Package, n_places: int | None) -> pd.DataFrame:
    """Sections of the cell, the soma first: part, length, distance and diameter of the middle."""
    segments = locate_segments(package)
    sections = segments.groupby("section", sort=False)
    table = segments[sections.cumcount() == sections["x"].transform("size") // 2]
    table = table[["section", "part", "distance_um", "diameter_um"]].reset_index(drop=True)
    table["length_um"] = sections["length_um"].sum().to_numpy()
    if n_places and len(table) > n_places:
        kept = np.unique(np.linspace(0, len(table) - 1, n_places).round().astype(int))
        table = table.iloc[kept].reset_index(drop=True)
    return table
