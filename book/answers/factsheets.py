"""Checks of Part II, fact sheets."""

import json
from statistics import median

import nmc
from nmc import names
from nmc.exercises import exercise
from nmc.factsheets.layers import load_layer_pages


@exercise("ex-layers-nearest", "A neuron's cube has a volume of one over the density, in µm³.")
def _distances_um() -> dict[str, float]:
    sheet = nmc.load_circuit().query("quantity == 'density_per_mm3'")
    density = dict(zip(sheet["layer"].astype(str), sheet["value"], strict=True))
    return {layer: 1000 / density[layer] ** (1 / 3) for layer in ("L4", "L1")}


@exercise("ex-layers-axon", "From the pages, with L2 and L3 apart: sublayer → axon over dendrite.")
def _axon_over_dendrite() -> dict[str, float]:
    lengths: dict[str, dict[str, float]] = {}
    for row in load_layer_pages()[0].itertuples():
        lengths.setdefault(row.sublayer, {})[row.quantity] = row.value
    return {
        layer: own["total_axonal_length_um"]
        / own.get("total_dendritic_length_um", own.get("dendritic_length_um"))
        for layer, own in lengths.items()
        if "total_axonal_length_um" in own
    }


@exercise("ex-types-name", "The column `n_mtypes` of `load_etypes()`.")
def _mtypes_with_bir() -> int:
    return sum("bIR" in names.etypes_of(mtype) for mtype in names.MTYPES)


@exercise("ex-types-share", "Without the excitatory cells: layer → the e-type with most neurons.")
def _most_frequent_etypes() -> dict[str, str]:
    inhibitory = nmc.load_metypes().query("not excitatory")
    counts = inhibitory.pivot_table(
        index="layer", columns="etype", values="n_neurons", aggfunc="sum", observed=True
    )
    return counts.idxmax(axis=1).astype(str).to_dict()


def _anatomy() -> dict[str, dict]:
    """Read the pathway file itself, not through the reader that the chapter uses."""
    return json.loads(nmc.fetch("sheet/pathways_anatomy").read_text("utf-8"))


@exercise("ex-anatomy-reader", "Add up over all senders: partners, partners times synapses.")
def _inputs_of_one_cell() -> dict[str, float]:
    onto = [row for key, row in _anatomy().items() if key.endswith(":L5_TTPC1")]
    partners = [row["number_of_convergent_neuron_mean"] for row in onto]
    contacts = [row["mean_number_of_synapse_per_connection"] for row in onto]
    synapses = sum(n * k for n, k in zip(partners, contacts, strict=True))
    return {"neurons": sum(partners), "synapses": synapses}


@exercise("ex-anatomy-asymmetry", "Pathways whose transposed cell of the matrix is empty.")
def _one_way_pathways() -> int:
    held = {tuple(key.split(":")) for key in _anatomy()}
    return sum((post, pre) not in held for pre, post in held)


@exercise("ex-physiology-train", "After the first spike the fraction 1 − U is left.", share=True)
def _second_over_first() -> float:
    available, responses = 1.0, []
    for _ in range(2):
        responses.append(0.5 * available)
        available -= responses[-1]
    return responses[1] / responses[0]


@exercise("ex-trust-names", "`names.portal_mtype` and `names.canonical_mtype`, each way once.")
def _both_spellings() -> list[str]:
    return ["L1_SLAC", "L1_LAC"]


@exercise("ex-trust-density", "The layer whose area is furthest from the median of the areas.")
def _odd_layer() -> str:
    values: dict[str, dict[str, float]] = {}
    for row in nmc.load_circuit().dropna(subset="layer").itertuples():
        values.setdefault(row.layer, {})[row.quantity] = row.value
    area = {
        layer: own["neurons_per_layer"] / (own["density_per_mm3"] * own["thickness_um"])
        for layer, own in values.items()
        if len(own) == 3
    }
    middle = median(area.values())
    return max(area, key=lambda layer: abs(area[layer] / middle - 1))
