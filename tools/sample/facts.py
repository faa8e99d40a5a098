"""Plain facts of the literature that the synthetic portal is shaped by.

Counts, thicknesses and densities are those the portal's circuit and layer fact sheets print
(Markram et al. 2015, Cell 163:456-492; Ramaswamy et al. 2015, Front. Neural Circuits 9:44).
Everything else in the sample is invented.
"""

from __future__ import annotations

import numpy as np
from nmc import names

#: Thickness of each cortical layer, µm (circuit fact sheet).
THICKNESS_UM = {"L1": 165.0, "L2": 149.0, "L3": 353.0, "L4": 190.0, "L5": 525.0, "L6": 700.0}

#: Neuron density of each cortical layer, 1/mm³ (circuit fact sheet).
DENSITY_PER_MM3 = {
    "L1": 14_200, "L2": 164_600, "L3": 83_800, "L4": 177_300, "L5": 83_900, "L6": 131_500,
}  # fmt: skip

#: Neurons of an average microcircuit (circuit fact sheet).
N_NEURONS = 31_346

# Neurons of each m-type in an average microcircuit, in the order of `names.MTYPES` (layer fact
# sheets; L6_BP with the 70 that the circuit's total of 31,346 asks for).
_COUNTS = (
    58, 24, 91, 72, 52, 41,
    28, 104, 61, 175, 456, 333, 268, 56, 5877, 166,
    8, 20, 8, 40, 122, 118, 96, 6, 2674, 60, 1098, 406,
    34, 76, 19, 96, 210, 395, 201, 8, 25, 302, 2403, 2003, 342,
    70, 3174, 54, 16, 31, 3476, 463, 336, 198, 17, 67, 1637, 1440, 1735,
)  # fmt: skip

#: Neurons of each m-type in an average microcircuit.
MTYPE_COUNTS = dict(zip(names.MTYPES, _COUNTS, strict=True))

#: Rank of e-types in an m-type with several, from common to rare: an invention.
_ETYPE_WEIGHT = {
    "cAC": 5.0, "cNAC": 4.0, "bAC": 3.0, "bNAC": 2.5, "dNAC": 2.5, "bIR": 2.0, "cSTUT": 2.0,
    "bSTUT": 1.2, "cIR": 1.0, "dSTUT": 1.0, "cADpyr": 1.0,
}  # fmt: skip


def neurons_per_area() -> float:
    """Neurons below one mm² of cortex, from densities and thicknesses (about 226,000)."""
    return sum(DENSITY_PER_MM3[k] * THICKNESS_UM[k] * 1e-3 for k in THICKNESS_UM)


def footprint_mm2(n_neurons: int) -> float:
    """Area of the column that holds ``n_neurons`` at the published densities, mm²."""
    return n_neurons / neurons_per_area()


def borders_um(scale: float = 1.0) -> dict[str, tuple[float, float]]:
    """Lower and upper border of each of the six layers, µm; 0 is the bottom of L6."""
    borders, low = {}, 0.0
    for layer in reversed(THICKNESS_UM):
        high = low + THICKNESS_UM[layer] * scale
        borders[layer] = (low, high)
        low = high
    return borders


def middle_um(layer: str) -> float:
    """Height of the middle of a layer (``L23`` counts as one), µm."""
    borders = borders_um()
    parts = ("L3", "L2") if layer == "L23" else (layer,)
    return (borders[parts[0]][0] + borders[parts[-1]][1]) / 2


def in_hexagon(n: int, area_mm2: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points evenly spread in a regular hexagon: a random rhombus of its three, then a place."""
    side = np.sqrt(area_mm2 * 2 / (3 * np.sqrt(3))) * 1e3
    turn = np.deg2rad(120.0) * rng.integers(3, size=n)
    u, v = rng.random((2, n)) * side
    ahead = turn + np.deg2rad(120.0)
    return u * np.cos(turn) + v * np.cos(ahead), u * np.sin(turn) + v * np.sin(ahead)


def share(total: int, weights: np.ndarray, least: int = 0) -> np.ndarray:
    """Split ``total`` into whole parts near ``weights``, each at least ``least``.

    Raises
    ------
    ValueError
        When ``total`` is too small to give every part its least.
    """
    weights = np.asarray(weights, float)
    if total < least * len(weights):
        raise ValueError(
            f"{total} neurons are too few: each of {len(weights)} types needs at least {least}; "
            f"ask for {least * len(weights)} or more."
        )
    exact = weights / weights.sum() * total
    parts = np.maximum(np.floor(exact), least).astype(int)
    while parts.sum() < total:
        parts[np.argmax(exact - parts)] += 1
    while parts.sum() > total:
        parts[np.argmax(np.where(parts > least, parts - exact, -np.inf))] -= 1
    return parts


def mtype_counts(n_neurons: int) -> dict[str, int]:
    """Neurons of each m-type in a sample of ``n_neurons``, at least two of each."""
    parts = share(n_neurons, np.array(_COUNTS), least=2)
    return dict(zip(names.MTYPES, parts.tolist(), strict=True))


def etype_counts(mtype: str, n_neurons: int) -> dict[str, int]:
    """Neurons of each e-type among ``n_neurons`` of an m-type."""
    etypes = names.etypes_of(mtype)
    parts = share(n_neurons, np.array([_ETYPE_WEIGHT[e] for e in etypes]))
    return dict(zip(etypes, parts.tolist(), strict=True))
