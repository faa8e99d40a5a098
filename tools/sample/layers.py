"""The circuit and layer sheets of a synthetic microcircuit, as numbers.

`circuit_facts` and `layer_facts` are what both the JSON files and the fact sheet pages print.
"""

from __future__ import annotations

import pandas as pd
from nmc import names

from tools.sample import facts
from tools.sample import planted as wrong
from tools.sample.wiring import Instance

_SIX = tuple(facts.THICKNESS_UM)


def cell_counts(instance: Instance) -> pd.DataFrame:
    """Cells by m-type (rows) in each of the six layers (columns)."""
    neurons = instance.neurons
    return pd.crosstab(neurons["mtype"], neurons["layer6"]).reindex(columns=_SIX, fill_value=0)


def metype_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Cells by me-type (rows) in each of the six layers (columns), from those by m-type."""
    rows = {}
    for mtype, by_layer in counts.iterrows():
        split = {k: facts.etype_counts(mtype, int(n)) for k, n in by_layer.items()}
        for etype in names.etypes_of(mtype):
            rows[f"{mtype}_{etype}"] = [split[k][etype] for k in _SIX]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(_SIX))


def layer_facts(counts: pd.DataFrame, anatomy: pd.DataFrame, sizes: pd.DataFrame,
                area_mm2: float) -> dict[str, dict[str, object]]:  # fmt: skip
    """Facts of the six layers, with pathway numbers under ``L1, L23, L4, L5, L6``.

    Parameters
    ----------
    counts : DataFrame
        From `cell_counts`.
    anatomy : DataFrame
        From `anatomy.measure`.
    sizes : DataFrame
        Mean cell of each me-type, from `mean_sizes`.
    area_mm2 : float
        Footprint of the column.

    Returns
    -------
    dict
        Layer → key of the sheet → value.
    """
    metypes = metype_counts(counts)
    received = _synapses_received(counts, anatomy)
    sheets: dict[str, dict[str, object]] = {}
    for layer in _SIX:
        here = counts[layer][counts[layer] > 0]
        total = sizes.mul(metypes[layer], axis=0).sum()
        volume = area_mm2 * facts.THICKNESS_UM[layer] * 1e-3
        mtypes = {m: int(n) for m, n in here.items()}
        if layer == "L6":
            mtypes["L6_BP"] = wrong.wrong_l6_bp(mtypes["L6_BP"])
        sheets[layer] = {
            "No. of neurons per electrical types": _etype_totals(metypes[layer], layer),
            "No. of neurons per morphological types": mtypes,
            "total axonal length": round(float(total["axon_length_um"]), 2),
            "total axonal volume": round(float(total["axon_volume_um3"]), 2),
            "total dendritic length": round(
                float(total["apical_length_um"] + total["basal_length_um"]), 2
            ),
            "total dendritic volume": round(
                float(total["apical_volume_um3"] + total["basal_volume_um3"]), 2
            ),
            "synapse density": float(round(received[layer] / volume)),
        }
    for layer in names.LAYERS:
        sheets.setdefault(layer, {}).update(_pathway_facts(layer, anatomy))
    return sheets


def _etype_totals(metypes: pd.Series, layer: str) -> dict[str, int]:
    totals = dict.fromkeys(names.ETYPES, 0)
    for metype, cells in metypes.items():
        totals[metype.rpartition("_")[2]] += int(cells)
    if layer == "L4":
        totals["cADpyr"] += wrong.EXTRA_CADPYR
    return {etype: cells for etype, cells in totals.items() if cells}


def _synapses_received(counts: pd.DataFrame, anatomy: pd.DataFrame) -> pd.Series:
    """Synapses on the cells of each layer, those from outside the column included."""
    post = anatomy.index.str.split(":").str[1]
    by_mtype = anatomy["all_synapses"].groupby(post).sum()
    share = counts.div(counts.sum(axis=1), axis=0)
    return share.mul(by_mtype.reindex(share.index).fillna(0), axis=0).sum()


def _pathway_facts(layer: str, anatomy: pd.DataFrame) -> dict[str, int]:
    keys = [names.parse_pathway(k) for k in anatomy.index]
    mine = [(a, b) for a, b in keys if names.layer_of(a) == layer]
    excitatory = sum(names.is_excitatory(a) for a, _ in mine)
    within = sum(names.layer_of(b) == layer for _, b in mine)
    types = sum(names.layer_of(m) == layer for m in names.MTYPES)
    return {
        "No. of possible pathways": types * len(names.MTYPES),
        "number of viable pathways": len(mine),
        "number of excitatory pathways": excitatory,
        "number of inhibitory pathways": len(mine) - excitatory,
        "number of intralaminar pathways": within,
        "number of interlaminar pathways": len(mine) - within,
    }


def layer_json(sheets: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """Content of the layer file: five layers, and of L23 the L3 half only, under odd keys."""
    content = {layer: dict(sheets[layer]) for layer in ("L6", "L23", "L5", "L4", "L1")}
    half = content["L23"] = {**sheets["L3"], **content["L23"]}
    half["number of possible pathways"] = half.pop("No. of possible pathways")
    half["dendritic length"] = half["total dendritic length"]
    half["total dendritic length"] = sheets["L2"]["total dendritic length"]
    return content


def circuit_facts(
    counts: pd.DataFrame, anatomy: pd.DataFrame, area_mm2: float
) -> dict[str, object]:
    """Facts of the circuit sheet, keys as it prints them; approximate ones as text."""
    cells = counts.sum()
    height_mm = sum(facts.THICKNESS_UM.values()) * 1e-3
    true_bp = int(counts.loc["L6_BP"].sum())
    per_layer = {
        "L1": int(cells["L1"]), "L23": int(cells["L2"] + cells["L3"]), "L4": int(cells["L4"]),
        "L5": int(cells["L5"]), "L6": int(cells["L6"]) - true_bp + wrong.wrong_l6_bp(true_bp),
    }  # fmt: skip
    inside = anatomy[["connections", "synapses"]].sum()
    outside = anatomy[["all_connections", "all_synapses"]].sum().to_numpy() - inside.to_numpy()
    return {
        "Microcircuit volume": float(f"{area_mm2 * height_mm:.2g}"),
        "No. of neurons": int(cells.sum()),
        "No. of layers": len(_SIX),
        "No. of morphological types": len(names.MTYPES),
        "No. of neurons per layer": per_layer,
        "No. of morphoelectrical types": len(names.METYPES),
        "No. of electrical types": len(names.ETYPES),
        "No. of unique types of synaptic connections between m-types":
            len(anatomy) + wrong.EXTRA_PATHWAYS,
        "No. of unique types of synaptic connections between me-types": _metype_pathways(anatomy),
        "No. of s-types": 6,
        "No. of intrinsic connections": about(inside["connections"]),
        "No. of intrinsic synapses": about(inside["synapses"]),
        "No. of extrinsic connections": about(outside[0]),
        "No. of extrinsic synapses": about(outside[1]),
        "Layer thicknesses": {k: int(v) for k, v in facts.THICKNESS_UM.items()},
        "Neuron densities": {
            k: int(float(f"{cells[k] / (area_mm2 * facts.THICKNESS_UM[k] * 1e-3):.4g}"))
            for k in _SIX
        },
    }  # fmt: skip


def _metype_pathways(anatomy: pd.DataFrame) -> int:
    pairs = [names.parse_pathway(k) for k in anatomy.index]
    return sum(len(names.etypes_of(a)) * len(names.etypes_of(b)) for a, b in pairs)


def about(number: float) -> str:
    """A large number as the sheet rounds it: ``~8.1 million``, ``~45 thousand``."""
    unit, word = (1e6, "million") if number >= 1e6 else (1e3, "thousand")
    return f"~{float(f'{number / unit:.2g}'):g} {word}"


#: Columns of a mean cell's size.
PARTS = (
    "axon_length_um", "axon_volume_um3", "apical_length_um", "apical_volume_um3",
    "basal_length_um", "basal_volume_um3",
)  # fmt: skip


def mean_sizes(model_anatomy: pd.DataFrame) -> pd.DataFrame:
    """Mean cell of each me-type: the average of its five models; no apical tree counts as 0.

    Parameters
    ----------
    model_anatomy : DataFrame
        Index model, from `cells.expected_anatomy`.
    """
    metype = [names.parse_model(m).metype for m in model_anatomy.index]
    sizes = model_anatomy[list(PARTS)].astype(float).fillna(0.0)
    return sizes.groupby(metype).mean().loc[list(names.METYPES)]
