"""The worker's side of geometry: the sections as NEURON has them."""

from __future__ import annotations

import numpy as np

from nmc.cells.build import build_cell


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """List a cell's sections, the soma first, with distance, length and diameter (µm)."""
    cell = build_cell(params["cell"])
    order = sorted(cell.sections, key=lambda name: name != "soma[0]")  # stable: the rest as it is
    sections = [cell.sections[name] for name in order]
    arrays = {
        "distance_um": np.array([cell.distance(section(0.5)) for section in sections]),
        "length_um": np.array([section.L for section in sections]),
        "diameter_um": np.array([section(0.5).diam for section in sections]),
    }
    return {"sections": order}, arrays
