"""One row of each pathway file, as the portal's files have them; the tests change it."""

from __future__ import annotations

ANATOMY = {
    "connection_probability": 8.8,
    "number_of_convergent_neuron_mean": 51,
    "number_of_convergent_neuron_std": 25,
    "number_of_divergent_neuron_mean": 51,
    "number_of_divergent_neuron_std": 33,
    "mean_number_of_synapse_per_connection": 6.0,
    "number_of_synapse_per_connection_std": 2.4,
    "total_synapse_count": 1200,
    "common_neighbor_bias": 1.9,
}

PHYSIOLOGY = {
    "synapse_type": "Excitatory, depressing",
    "space_clamp_correction_factor": 5.1,
    **{
        f"{name}_{kind}": 0.5
        for name in ("gsyn", "u", "d", "f", "epsp", "cv_psp_amplitude", "risetime", "latency",
                     "decay", "failures")
        for kind in ("mean", "std")
    },
}  # fmt: skip
