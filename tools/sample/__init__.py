"""The maker of the synthetic sample; it runs on maintainers' machines alone (``make sample``).

It writes a source tree with the files, names, layouts and units of the portal's, from a seed, and
puts it into the archive that the package ships.  Every number is invented, its truth is known
(`tools.sample.column`), and the few disagreements put in on purpose stand in ``planted.csv``.
"""

from __future__ import annotations

#: Seed of the sample that the book is built with.
SEED = 2015

#: The animals of the individual instances; the sample holds one of the first.
ANIMALS = ("P14-13", "P14-14", "P14-15", "P14-16", "P14-17")

#: The packages of the sample: all eleven e-types, and what chapters and tests open.
MODELS = (
    "L1_HAC_cNAC187_1", "L1_NGC-DA_cACint209_1", "L1_NGC-DA_cSTUT189_1",
    "L23_BP_bIR215_1", "L23_BP_dSTUT214_1", "L23_BTC_bAC217_1", "L23_LBC_cSTUT189_1",
    "L23_MC_bAC217_1", "L23_NBC_cNAC187_1", "L23_NBC_dNAC222_5", "L23_PC_cADpyr229_1",
    "L4_ChC_dNAC222_1", "L4_PC_cADpyr230_1", "L4_SBC_dNAC222_1", "L4_SS_cADpyr230_1",
    "L5_DBC_bSTUT213_1", "L5_LBC_bAC217_1", "L5_LBC_cACint209_1", "L5_MC_bAC217_1",
    "L5_NGC_bNAC219_1", "L5_TTPC1_cADpyr232_1", "L5_TTPC1_cADpyr232_2", "L5_TTPC2_cADpyr232_1",
    "L6_BPC_cADpyr231_1", "L6_IPC_cADpyr231_1", "L6_LBC_bIR215_1", "L6_MC_cIR216_1",
    "L6_NBC_bAC217_1",
)  # fmt: skip

#: Models with a NeuroML2 version: those of the public conversion, and one of each e-type.
NEUROML_MODELS = (
    "L5_TTPC1_cADpyr232_1", "L23_PC_cADpyr229_1", "L1_HAC_cNAC187_1", "L23_NBC_cNAC187_1",
    "L23_LBC_cSTUT189_1", "L5_LBC_cACint209_1", "L5_MC_bAC217_1", "L5_NGC_bNAC219_1",
    "L4_ChC_dNAC222_1", "L5_DBC_bSTUT213_1", "L23_BP_dSTUT214_1", "L6_MC_cIR216_1",
    "L23_BP_bIR215_1",
)  # fmt: skip
