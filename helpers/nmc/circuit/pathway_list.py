"""Which pathways the scoreboard records: every class of synapse that the packages hold."""

#: Presynaptic m-type and receiving model, by the sheet's class: sign of both ends, dynamics.
PATHWAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "E1 onto I": (
        ("L5_TTPC1", "L5_MC_bAC217_1"), ("L23_PC", "L23_MC_dNAC222_5"),
        ("L6_BPC", "L6_MC_cIR216_1"), ("L23_PC", "L4_MC_cNAC187_1"),
    ),
    "E2 onto E": (
        ("L5_TTPC1", "L5_TTPC1_cADpyr232_1"), ("L23_PC", "L23_PC_cADpyr229_1"),
        ("L23_PC", "L23_PC_cADpyr229_2"), ("L4_SS", "L23_PC_cADpyr229_1"),
        ("L4_PC", "L4_PC_cADpyr230_5"), ("L4_SS", "L4_SS_cADpyr230_1"),
        ("L4_PC", "L4_SP_cADpyr230_3"), ("L6_IPC", "L6_IPC_cADpyr231_3"),
        ("L5_TTPC2", "L5_TTPC2_cADpyr232_1"), ("L5_TTPC1", "L5_TTPC2_cADpyr232_1"),
    ),
    "E2 onto I": (
        ("L23_PC", "L23_NBC_cNAC187_1"), ("L23_PC", "L23_LBC_cSTUT189_1"),
        ("L5_TTPC1", "L5_LBC_bAC217_1"), ("L4_PC", "L4_ChC_dNAC222_1"),
        ("L5_TTPC1", "L5_SBC_bNAC219_1"),
    ),
    "E3 onto E": (
        ("L6_BPC", "L6_TPC_L1_cADpyr231_3"), ("L6_IPC", "L6_TPC_L4_cADpyr231_3"),
        ("L6_IPC", "L6_BPC_cADpyr231_1"),
    ),
    "I1 onto E": (
        ("L23_LBC", "L23_PC_cADpyr229_2"), ("L23_SBC", "L23_PC_cADpyr229_1"),
        ("L4_LBC", "L4_SS_cADpyr230_4"), ("L6_LBC", "L5_UTPC_cADpyr232_1"),
        ("L5_LBC", "L5_TTPC1_cADpyr232_1"),
    ),
    "I1 onto I": (("L23_LBC", "L23_BP_bIR215_3"),),
    "I2 onto E": (
        ("L23_MC", "L23_PC_cADpyr229_1"), ("L4_MC", "L4_SS_cADpyr230_1"),
        ("L6_MC", "L6_TPC_L1_cADpyr231_3"), ("L5_MC", "L5_TTPC1_cADpyr232_1"),
        ("L5_NBC", "L5_TTPC2_cADpyr232_1"),
    ),
    "I2 onto I": (
        ("L23_NBC", "L23_NBC_dNAC222_5"), ("L1_HAC", "L1_HAC_cNAC187_1"),
        ("L4_NBC", "L4_NBC_cACint209_1"), ("L5_MC", "L5_NBC_bAC217_1"),
        ("L6_LBC", "L6_LBC_bAC217_5"),
    ),
    "I3 onto E": (
        ("L23_NGC", "L4_SS_cADpyr230_3"), ("L6_NGC", "L5_UTPC_cADpyr232_1"),
        ("L23_NGC", "L5_TTPC1_cADpyr232_5"),
    ),
}  # fmt: skip


def pathways() -> list[tuple[str, str]]:
    """Return all of them: one of each class first, then the second of each, and so on."""
    longest = max(map(len, PATHWAYS.values()))
    return [rows[k] for k in range(longest) for rows in PATHWAYS.values() if k < len(rows)]
