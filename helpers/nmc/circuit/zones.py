"""Zones of a cell's tree, which presynaptic types reach differently.

The *axon* (its initial segment), the *soma*, dendrite *near* it (within `NEAR_um` of path), the
*tuft* (apical dendrite more than half as far from the soma as its farthest end, along the path),
and the *rest*.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.cells.morphology import section_paths
from nmc.cells.package import Package

ZONES = ("axon", "soma", "near", "rest", "tuft")
NEAR_um = 50.0


def name_zones(package: Package, section: pd.Series, distance_um: pd.Series) -> np.ndarray:
    """Name the zone of places: their sections, and their paths to the soma."""
    paths = section_paths(package).items()
    ends = [path.start_um + path.along_um[-1] for name, path in paths if name.startswith("apic")]
    part = section.str.split("[").str[0]
    far = part.eq("apic") & (distance_um > max(ends, default=0.0) / 2)
    zone = np.where(distance_um <= NEAR_um, "near", np.where(far, "tuft", "rest"))
    return np.where(part.isin(["soma", "axon"]), part, zone)


def count_forks(package: Package) -> pd.Series:
    """Count the forks between the soma and each section, by its HOC name."""
    order: list[int] = []
    for parent in package.reconstruction.parents:  # a section stands behind the one it grows from
        order.append(0 if parent < 0 else order[parent] + 1)
    return pd.Series(order, pd.Index(list(section_paths(package)), name="section"), name="order")


def cut_dendrite(package: Package) -> tuple[np.ndarray, pd.DataFrame]:
    """Cut the dendrites at their points: ends (n, 2, 3) in µm, and a row a piece with its zone."""
    paths = {n: path for n, path in section_paths(package).items() if not n.startswith("axon")}
    counts = [len(path.points) - 1 for path in paths.values()]
    ends = [np.stack([path.points[:-1], path.points[1:]], axis=1) for path in paths.values()]
    middle = [p.start_um + (p.along_um[1:] + p.along_um[:-1]) / 2 for p in paths.values()]
    pieces = pd.DataFrame(
        {"section": np.repeat(list(paths), counts), "distance_um": np.concatenate(middle),
         "length_um": np.concatenate([np.diff(path.along_um) for path in paths.values()])}
    )  # fmt: skip
    zone = name_zones(package, pieces["section"].astype("str"), pieces["distance_um"])
    return np.concatenate(ends), pieces.assign(zone=zone)
