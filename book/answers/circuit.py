"""Checks of Part V, circuits."""

import nmc
from nmc.circuit.plan import SYNAPTIC_DELAY_ms
from nmc.exercises import exercise


@exercise("ex-tire-second", "What is left, 1 − U, and what of the gap recovers.", share=True)
def _second_over_first(U: float, D: float, interval: float = 50.0) -> float:
    used, ready = nmc.compute_response(U, D, 0.0, [0.0, interval])
    return float(used[1] * ready[1] / (used[0] * ready[0]))


@exercise("ex-sort-share", "`classify_pathways`, and the mean of `agrees` by label.", share=True)
def _share_recovered() -> float:
    return float(nmc.classify_pathways().query("label == 'I2'")["agrees"].mean())


@exercise("ex-pair-contacts", "All n contacts fail together with probability (1 - U) to the n.")
def _contacts(pre: str = "L5_TTPC1", post: str = "L5_TTPC1", share: float = 0.01) -> int:
    U = float(nmc.load_synapse_parameters(f"{pre}:{post}")["U"].iloc[0])
    n = 1
    while (1 - U) ** n >= share:
        n += 1
    return n


@exercise("ex-sheets-implied", "(1 - U) to the n is the failure rate: take logarithms.")
def _implied_contacts() -> float:
    """Halve an interval until the failures of n contacts are those of the sheet."""
    pathways = nmc.load_pathways().set_index(["pre", "post"])
    row = pathways.loc[("L5_TTPC1", "L5_TTPC1")]
    low, high = 0.0, 1_000.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        more = (1 - row["u_mean"]) ** middle > row["failures_mean_percent"] / 100
        low, high = (middle, high) if more else (low, middle)
    return low


@exercise("ex-classes-latency", "`idxmax` of `latency_ms`; give the value of `pathway`.")
def _slowest_pathway() -> str:
    rows = nmc.load_pathway_scores().dropna(subset="latency_ms").to_dict("records")
    return max(rows, key=lambda row: row["latency_ms"])["pathway"]


@exercise(
    "ex-synaptome-most", "Count rows of `package.synapses` by `pre_cell`.", first_decides=True
)
def _busiest(model: str = "L5_TTPC1_cADpyr232_1") -> dict:
    synapses = nmc.load_package(model).synapses
    cell = synapses["pre_cell"].value_counts().idxmax()
    mtype = str(synapses.loc[synapses["pre_cell"] == cell, "pre_mtype"].iloc[0])
    return {"pre_mtype": mtype, "pre_cell": int(cell)}


@exercise("ex-synaptome-weight", "Sum weight_nS where excitatory is False, over all.", share=True)
def _inhibitory_weight(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    synapses = nmc.load_package(model).synapses
    excitatory = synapses.loc[synapses["excitatory"], "weight_nS"].sum()
    return 1 - excitatory / synapses["weight_nS"].sum()


@exercise("ex-circuit-delay", "Distance over velocity: 300 µm in a millisecond.")
def _conduction_ms(plan) -> float:
    return plan.connections["delay_ms"].max() - SYNAPTIC_DELAY_ms


@exercise("ex-shuffle-keep", "Kept pathways or kept out-degrees fix how many leave each cell.")
def _changing_nulls() -> list[str]:
    return ["erdos_renyi"]  # it keeps the number of connections alone: no data are needed


@exercise("ex-calcium-factor", "K is 2.79 mM; raise K, 2 and 1.0 to the fourth power first.")
def _steep_factor(calcium_mM: float = 1.0) -> float:
    fourth, half = calcium_mM**4, 2.79**4
    return (half + 16) / 16 * fourth / (half + fourth)


@exercise("ex-calcium-failures", "U at 1.2 mM, then all five contacts fail together.", share=True)
def _failures_of_five(pathway: str = "L5_TTPC1:L5_TTPC1", calcium_mM: float = 1.2) -> float:
    U = nmc.load_synapse_parameters(pathway, calcium_mM=calcium_mM)["U"].iloc[0]
    return float((1 - U) ** 5)


@exercise("ex-innervate-tuft", "The column `zone` of `locate_synapses`.", share=True)
def _in_the_tuft(model: str = "L5_TTPC1_cADpyr232_1") -> float:
    return float(nmc.locate_synapses(model)["zone"].eq("tuft").mean())


@exercise("ex-innervate-order", "Mean of `order` by `pre_mtype`, without those of few contacts.")
def _behind_most_forks(model: str = "L5_TTPC1_cADpyr232_1") -> str:
    order = nmc.locate_synapses(model).groupby("pre_mtype")["order"]
    return str(order.mean()[order.size() >= 20].idxmax())
