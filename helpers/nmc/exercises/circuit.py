"""Checks of Part V, circuits."""

from __future__ import annotations

from nmc.exercises.core import exercise


@exercise("ex-tire-second", "A spike leaves 1 - U; of the gap, exp(-Δt/D) stays open.")
def _second(pathway: str = "L5_TTPC1:L5_TTPC1", interval_ms: float = 50.0) -> float:
    import nmc

    U, D, _ = nmc.load_synapse_parameters(pathway).iloc[0]
    used, ready = nmc.compute_response(U, D, 0.0, [0.0, interval_ms])
    return float(used[1] * ready[1] / (used[0] * ready[0]))


@exercise("ex-pair-contacts", "All n contacts fail together with probability (1 - U) to the n.")
def _contacts(pre: str = "L5_TTPC1", post: str = "L5_TTPC1", share: float = 0.01) -> int:
    import nmc

    U = float(nmc.load_synapse_parameters(f"{pre}:{post}")["U"].iloc[0])
    n = 1
    while (1 - U) ** n >= share:
        n += 1
    return n


@exercise("ex-synaptome-most", "Count the rows of `package.synapses` by `pre_cell`.")
def _busiest(model: str = "L5_TTPC1_cADpyr232_1") -> str:
    import nmc

    synapses = nmc.load_package(model).synapses
    cell = synapses["pre_cell"].value_counts().idxmax()
    return str(synapses.loc[synapses["pre_cell"] == cell, "pre_mtype"].iloc[0])


@exercise("ex-circuit-delay", "Look for the largest `delay_ms` of `plan.connections`.")
def _longest_delay(plan) -> float:
    import numpy as np

    places = plan.neurons[["x_um", "y_um", "z_um"]].to_numpy(float)
    pre, post = plan.connections["pre"], plan.connections["post"]
    return float(0.5 + np.linalg.norm(places[pre] - places[post], axis=1).max() / 300.0)


@exercise("ex-shuffle-keep", "Ask of each null: does a neuron's number of outputs stay?")
def _free_inhibition(nulls=("erdos_renyi", "degree_preserving", "pathway_preserving")) -> list[str]:
    # kept by whole neurons, or by pathways of one sending type each; free in the others
    keeps = {"degree_preserving", "pathway_preserving", "general_biological"}
    return [null for null in nulls if null not in keeps]
