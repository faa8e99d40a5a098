"""Names of facts in the portal's files: label → column of our tables, and the unit printed.

Both sides of the waist need them: the readers of the sheets, and the sample that writes some.
"""

from __future__ import annotations

#: Anatomy of one model on a me-type page, in the page's own order and spelling.
MODEL_ANATOMY = {
    "axon length": ("axon_length_um", "µm"),
    "axon volume": ("axon_volume_um3", "µm³"),
    "axon maximum branch order": ("axon_max_branch_order", ""),
    "axon maximum section length": ("axon_max_section_length_um", "µm"),
    "apical length": ("apical_length_um", "µm"),
    "apical volume": ("apical_volume_um3", "µm³"),
    "apical maximum branch order": ("apical_max_branch_order", ""),
    "apical maximal section length": ("apical_max_section_length_um", "µm"),
    "basal volume": ("basal_volume_um3", "µm³"),
    "basal maximum branch order": ("basal_max_branch_order", ""),
    "basal length": ("basal_length_um", "µm"),
    "basal maximum section length": ("basal_max_section_length_um", "µm"),
    "soma diameter": ("soma_diameter_um", "µm"),
}

#: Physiology of one model on a me-type page.
MODEL_PHYSIOLOGY = {
    "resting membrane potential": ("resting_membrane_potential_mV", "mV"),
    "input resistance": ("input_resistance_MOhm", "MOhm"),
    "membrane time constant": ("membrane_time_constant_ms", "ms"),
}

#: Field of ``RmpRiTau_summary.json`` → column, and the unit its ``…_Units`` names.
MODEL_SUMMARY = {
    field: MODEL_PHYSIOLOGY[label]
    for field, label in (
        ("Rmp", "resting membrane potential"),
        ("Rin", "input resistance"),
        ("Tau", "membrane time constant"),
    )
}
