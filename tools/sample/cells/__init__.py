"""Synthetic me-type packages for any of the 1,035 model names, with known truth.

`write_package` writes a zip in the portal's format; `expected_rest` and `expected_anatomy`
say, without NEURON, what a measurement on it must find.
"""

from tools.sample.cells.biophysics import channel_densities
from tools.sample.cells.expected import expected_anatomy, expected_rest
from tools.sample.cells.package import package_members, write_package

#: The packages of the sample: all eleven e-types, and what chapters and tests open.
DEFAULT_MODELS = (
    "L1_HAC_cNAC187_1", "L1_NGC-DA_cACint209_1", "L1_NGC-DA_cSTUT189_1",
    "L23_BP_bIR215_1", "L23_BP_dSTUT214_1", "L23_BTC_bAC217_1", "L23_LBC_cSTUT189_1",
    "L23_MC_bAC217_1", "L23_NBC_cNAC187_1", "L23_NBC_dNAC222_5", "L23_PC_cADpyr229_1",
    "L4_ChC_dNAC222_1", "L4_PC_cADpyr230_1", "L4_SBC_dNAC222_1", "L4_SS_cADpyr230_1",
    "L5_DBC_bSTUT213_1", "L5_LBC_bAC217_1", "L5_LBC_cACint209_1", "L5_MC_bAC217_1",
    "L5_NGC_bNAC219_1", "L5_TTPC1_cADpyr232_1", "L5_TTPC1_cADpyr232_2", "L5_TTPC2_cADpyr232_1",
    "L6_BPC_cADpyr231_1", "L6_IPC_cADpyr231_1", "L6_LBC_bIR215_1", "L6_MC_cIR216_1",
    "L6_NBC_bAC217_1",
)  # fmt: skip

__all__ = [
    "DEFAULT_MODELS",
    "channel_densities",
    "expected_anatomy",
    "expected_rest",
    "package_members",
    "write_package",
]
