"""Synthetic me-type packages for any of the 1,035 model names, with known truth.

`write_package` writes a zip in the portal's format; `expected_rest` and `expected_anatomy`
say, without NEURON, what a measurement on it must find.
"""

from nmc.sample.cells.biophysics import channel_densities
from nmc.sample.cells.expected import expected_anatomy, expected_rest
from nmc.sample.cells.package import package_members, write_package

#: What the sample tree holds from the start: all eleven e-types, and what the chapters open.
DEFAULT_MODELS = (
    "L5_TTPC1_cADpyr232_1", "L23_PC_cADpyr229_1", "L4_SS_cADpyr230_1",
    "L1_HAC_cNAC187_1", "L23_NBC_cNAC187_1", "L23_LBC_cSTUT189_1",
    "L5_LBC_cACint209_1", "L5_MC_bAC217_1", "L5_NGC_bNAC219_1", "L4_ChC_dNAC222_1",
    "L5_DBC_bSTUT213_1", "L23_BP_dSTUT214_1", "L6_MC_cIR216_1", "L6_LBC_bIR215_1",
)  # fmt: skip

__all__ = [
    "DEFAULT_MODELS",
    "channel_densities",
    "expected_anatomy",
    "expected_rest",
    "package_members",
    "write_package",
]
