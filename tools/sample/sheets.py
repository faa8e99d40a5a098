"""The two pathway files of the Downloads page, for a synthetic microcircuit.

Anatomy is measured on instance mc2 of the same sample, physiology is that of `physiology`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tools.sample import SEED, facts, physiology, rule
from tools.sample.jsontext import percent, rounded

_ANATOMY = {
    "number_of_convergent_neuron_mean": "convergence_mean",
    "number_of_convergent_neuron_std": "convergence_std",
    "number_of_divergent_neuron_mean": "divergence_mean",
    "number_of_divergent_neuron_std": "divergence_std",
    "mean_number_of_synapse_per_connection": "contacts_mean",
    "number_of_synapse_per_connection_std": "contacts_std",
    "common_neighbor_bias": "bias",
}
_PHYSIOLOGY = (
    "gsyn", "epsp", "risetime", "f", "u", "d", "decay", "latency", "failures", "cv_psp_amplitude",
)  # fmt: skip


def pathway_table(seed: int = SEED) -> pd.DataFrame:
    """What one pathway is like, for whoever builds synapses of single models.

    Returns
    -------
    DataFrame
        Index ``pre:post``; ``pre, post, synapse_type, U, D_ms, F_ms, gsyn_nS, space_clamp_factor``
        (NaN where not measured), ``tau_decay_ms`` (1.7 excitatory, 8.3 inhibitory),
        ``contacts`` (synapses per connection) and ``convergence`` (presynaptic cells per
        postsynaptic cell in a column of 31,346 neurons).
    """
    table = physiology.dynamics(seed)
    excitatory = table["synapse_type"].str.startswith("Excitatory")
    n_post = table["post"].map(facts.MTYPE_COUNTS).astype(float)
    return pd.DataFrame({
        "pre": table["pre"], "post": table["post"], "synapse_type": table["synapse_type"],
        "U": table["u_mean"], "D_ms": table["d_mean"], "F_ms": table["f_mean"],
        "gsyn_nS": table["gsyn_mean"],
        "space_clamp_factor": table["space_clamp_correction_factor"],
        "tau_decay_ms": np.where(excitatory, 1.7, 8.3),
        "contacts": table["contacts"],
        "convergence": rule.pathways()["expected"] / n_post,
    })  # fmt: skip


def anatomy_json(anatomy: pd.DataFrame) -> dict[str, dict]:
    """Content of the pathway anatomy file: two digits, probability in percent."""
    content = {}
    for key, row in anatomy.iterrows():
        entry = {name: rounded(row[column]) for name, column in _ANATOMY.items()}
        entry["connection_probability"] = percent(row["probability"])
        entry["total_synapse_count"] = int(row["all_synapses"])
        content[key] = entry
    return content


def physiology_json(seed: int) -> dict[str, dict]:
    """Content of the pathway physiology file."""
    content = {}
    for key, row in physiology.table(seed).iterrows():
        entry: dict[str, object] = {"synapse_type": row["synapse_type"]}
        for name in _PHYSIOLOGY:
            entry[f"{name}_mean"] = rounded(row[f"{name}_mean"])
            entry[f"{name}_std"] = rounded(row[f"{name}_std"])
        factor = row["space_clamp_correction_factor"]
        measured = np.isfinite(factor)
        entry["space_clamp_correction_factor"] = factor if measured else physiology.NOT_MEASURED
        content[key] = entry
    return content
