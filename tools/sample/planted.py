"""The disagreements planted in the sample, like those the portal's own data hold.

Everything else in the sample agrees by construction.  A check of the fact sheets must find
exactly these.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """One planted disagreement.

    Attributes
    ----------
    name : str
        What it is called.
    file : str
        Kind of file that is wrong: the catalogue's key.
    item : str
        What in it is wrong, in the words of the check that must find it.
    truth : str
        What would be right.
    """

    name: str
    file: str
    item: str
    truth: str


#: Every planted disagreement.
PLANTED = (
    Planted(
        "l6_bp_count", "sheet/layers", "L6_BP",
        "The layer file and page print a tenth of the L6_BP cells of the connectome.",
    ),
    Planted(
        "l6_layer_total", "sheet/circuit", "No. of neurons per layer",
        "The circuit sheet's layers take over the wrong L6_BP, so they fall short of its total.",
    ),
    Planted(
        "l23_half", "sheet/layers", "L23",
        "The layer file holds the L3 half only; the page has L2 and L3.",
    ),
    Planted(
        "l23_keys", "sheet/layers", "L23",
        "'number of possible pathways' for 'No. of possible pathways'; the dendrites of L3 under "
        "'dendritic length', those of L2 under 'total dendritic length'.",
    ),
    Planted(
        "l4_etype_total", "sheet/layers", "L4",
        "The cADpyr cells of L4 outnumber its excitatory cells.",
    ),
    Planted(
        "pathway_total", "sheet/circuit",
        "No. of unique types of synaptic connections between m-types",
        "The circuit sheet says nine more than the pathway files hold.",
    ),
    Planted(
        "pathway_page", "page/pathways", "L4_PC:L4_PC",
        "The page prints half the total synapse count of the anatomy file.",
    ),
    Planted(
        "channel_densities", "page/metype/L5_TTPC1_cADpyr", "ion channels",
        "The page prints seven times the apical gImbar and nine times the apical gSKv3_1bar of "
        "the packages.",
    ),
    Planted(
        "input_resistance", "sheet/models", "L4_SS_cADpyr230_3",
        "The summary gives 1.2 times the input resistance of page and package.",
    ),
)  # fmt: skip

#: Factor by which the L6_BP count is too small, and what is added to the two others.
L6_BP_FACTOR = 10
EXTRA_CADPYR = 5
EXTRA_PATHWAYS = 9

#: Pathway, field of the anatomy file, and the factor its page is off by.
WRONG_PATHWAY = ("L4_PC:L4_PC", "total_synapse_count", 0.5)
#: Me-type, and by section list the factors its page is off by.
WRONG_DENSITIES = ("L5_TTPC1_cADpyr", {"apical": {"gImbar_Im": 7.0, "gSKv3_1bar_SKv3_1": 9.0}})
#: Model, and the factor the summary is off by.
WRONG_RIN = ("L4_SS_cADpyr230_3", 1.2)


def wrong_l6_bp(count: int) -> int:
    """The L6_BP count as the layer sheets misprint it."""
    return max(1, count // L6_BP_FACTOR)
