"""Shapes by m-type: how many branches, how long, how thick, and where they point.

The numbers are invented.  They only keep the order of things that the literature describes:
tufted pyramidal cells of layer 5 are the largest, bipolar and bitufted cells stand upright,
neurogliaform cells are small and dense, layer 1 cells lie flat (Markram et al. 2015,
Cell 163:456-492; Petilla terminology, Nature Reviews Neuroscience 9:557-568, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nmc import names


@dataclass(frozen=True)
class Plan:
    """What a morphology of one m-type looks like on average; lengths and diameters in µm.

    A neurite is a binary tree: ``levels`` = 2 is a stem with two children.  The apical
    dendrite is a trunk with one oblique at each inner node, and a binary tuft.
    """

    soma_radius: float = 7.0
    basal_stems: int = 5
    basal_levels: int = 2
    basal_length: float = 85.0
    basal_diameter: float = 1.6
    apical_trunks: int = 0
    trunk_sections: int = 4
    trunk_length: float = 90.0
    trunk_diameter: float = 2.4
    tuft_levels: int = 2
    tuft_length: float = 70.0
    apical_direction: float = 1.0
    axon_levels: int = 5
    axon_length: float = 110.0
    axon_diameter: float = 1.1
    axon_pull: tuple[float, float, float] = (0.0, -1.0, 0.0)
    #: Stretch of the dendritic directions along x, y (depth) and z.
    spread: tuple[float, float, float] = (1.0, 1.0, 1.0)


_PYRAMIDAL = Plan(soma_radius=8.5, basal_levels=2, basal_length=90.0, apical_trunks=1)

_EXCITATORY = {
    "L23_PC": {"trunk_length": 55.0, "trunk_diameter": 2.2},
    "L4_PC": {"trunk_length": 85.0, "trunk_diameter": 2.2, "tuft_length": 60.0},
    "L4_SP": {"trunk_length": 75.0, "trunk_diameter": 1.9, "tuft_levels": 0},
    "L4_SS": {"apical_trunks": 0, "basal_stems": 6, "soma_radius": 7.0},
    "L5_TTPC1": {"trunk_length": 190.0, "trunk_diameter": 4.0, "tuft_length": 110.0,
                 "soma_radius": 10.5, "basal_length": 110.0, "basal_diameter": 2.0},
    "L5_TTPC2": {"trunk_length": 185.0, "trunk_diameter": 3.8, "tuft_length": 95.0,
                 "soma_radius": 10.0, "basal_length": 105.0, "basal_diameter": 2.0},
    "L5_UTPC": {"trunk_length": 165.0, "trunk_diameter": 3.0, "tuft_levels": 0,
                "soma_radius": 9.0},
    "L5_STPC": {"trunk_length": 180.0, "trunk_diameter": 2.8, "tuft_levels": 1,
                "soma_radius": 9.0},
    "L6_TPC_L1": {"trunk_length": 220.0, "trunk_diameter": 3.0},
    "L6_TPC_L4": {"trunk_length": 130.0, "trunk_diameter": 2.6},
    "L6_UTPC": {"trunk_length": 120.0, "trunk_diameter": 2.4, "tuft_levels": 0},
    "L6_IPC": {"trunk_length": 90.0, "apical_direction": -1.0, "axon_pull": (0.0, 1.0, 0.0)},
    "L6_BPC": {"trunk_length": 95.0, "apical_trunks": 2, "basal_stems": 4, "tuft_levels": 1},
}  # fmt: skip

# By the part of an interneuron's m-type after its layer.
_INHIBITORY = {
    "DAC": {"axon_pull": (0.0, -1.5, 0.0), "spread": (1.3, 0.6, 1.0)},
    "HAC": {"axon_pull": (1.5, 0.0, 0.0), "spread": (1.5, 0.4, 1.0), "soma_radius": 6.5},
    "DLAC": {"axon_levels": 6, "spread": (1.3, 0.6, 1.0)},
    "SLAC": {"axon_levels": 4, "spread": (1.3, 0.6, 1.0)},
    "NGC-DA": {"axon_levels": 6, "axon_length": 60.0, "basal_length": 55.0, "basal_stems": 7},
    "NGC-SA": {"axon_levels": 5, "axon_length": 60.0, "basal_length": 55.0, "basal_stems": 7},
    "NGC": {"axon_levels": 6, "axon_length": 55.0, "basal_length": 55.0, "basal_stems": 7},
    "BP": {"basal_stems": 2, "basal_levels": 3, "basal_length": 80.0, "soma_radius": 6.0,
           "spread": (0.2, 1.0, 0.2)},
    "BTC": {"basal_stems": 4, "basal_length": 95.0, "spread": (0.4, 1.0, 0.4)},
    "DBC": {"basal_stems": 4, "basal_length": 85.0, "spread": (0.4, 1.0, 0.4),
            "axon_length": 130.0},
    "MC": {"basal_stems": 4, "basal_length": 105.0, "axon_pull": (0.0, 1.5, 0.0),
           "axon_levels": 6, "spread": (0.6, 1.0, 0.6)},
    "LBC": {"basal_stems": 5, "basal_length": 100.0, "axon_levels": 6, "soma_radius": 8.0},
    "NBC": {"basal_stems": 5, "basal_length": 85.0, "axon_levels": 6, "axon_length": 80.0},
    "SBC": {"basal_stems": 5, "basal_length": 75.0, "axon_length": 70.0},
    "ChC": {"basal_stems": 5, "basal_length": 80.0, "axon_levels": 6, "axon_length": 70.0},
}  # fmt: skip

_INTERNEURON = Plan(soma_radius=7.0, basal_diameter=1.3, axon_diameter=0.9)


def plan(mtype: str) -> Plan:
    """Return the average shape of an m-type."""
    mtype = names.canonical_mtype(mtype)
    if mtype in _EXCITATORY:
        return replace(_PYRAMIDAL, **_EXCITATORY[mtype])
    return replace(_INTERNEURON, **_INHIBITORY[mtype.split("_", 1)[1]])
