"""The sheets of the Downloads page, as numbers and as the portal writes them in JSON.

What the JSON files and the fact sheet pages print of the circuit, its layers and pathways is
measured on instance mc2 of the same sample (`measure`) and on its cells.  The disagreements
that the sample holds on purpose, like those of the portal's own data, are listed in
``planted.csv``: the kind of file that is wrong (the catalogue's key), what in it in the words of
the check that must find it, and what is told of it.  All else agrees.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from nmc import names
from nmc.data.registry import item

from tools.sample import column
from tools.sample.wiring import Instance

#: Factor by which the L6_BP count is too small, and what is added to the two others.
L6_BP_FACTOR = 10
EXTRA_CADPYR = 5
EXTRA_PATHWAYS = 9

#: Pathway, field of the anatomy file, and the factor its page is off by.
WRONG_PATHWAY = ("L4_PC:L4_PC", "total_synapse_count", 0.5)
#: Me-type, and by section list the factors its page is off by.
WRONG_DENSITIES = ("L5_TTPC1_cADpyr", {"apical": {"gImbar_Im": 7.0, "gSKv3_1bar_SKv3_1": 9.0}})
#: Model, and the factor the summary is off by.
WRONG_RIN = ("L4_SS_cADpyr230_3", 1.2)


def wrong_l6_bp(count: int) -> int:
    """The L6_BP count as the layer sheets misprint it."""
    return max(1, count // L6_BP_FACTOR)


# JSON ----------------------------------------------------------------------------------------


def write(folder: Path, key: str, text: str) -> None:
    """Write one file of a tree, by its key in the catalogue."""
    path = folder / item(key).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def to_json(content: object) -> str:
    """Return ``content`` with four spaces of indent and no space after a colon."""
    return json.dumps(content, indent=4, separators=(",", ":")) + "\n"


def rounded(value: float, digits: int = 2) -> int | float:
    """Round to significant digits as the sheets do; whole numbers become ``int``."""
    if not np.isfinite(value) or value == 0:
        return 0
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() else number


def percent(fraction: float) -> int | float:
    """A fraction in percent, rounded before it is scaled: ``0.0056`` gives 0.5599999999999999."""
    number = float(f"{fraction:.2g}") * 100
    return int(number) if number.is_integer() else number


# Pathways ------------------------------------------------------------------------------------

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


def anatomy_json(anatomy: pd.DataFrame) -> dict[str, dict]:
    """Content of the pathway anatomy file: two digits, probability in percent."""
    content = {}
    for key, row in anatomy.iterrows():
        entry = {name: rounded(row[column]) for name, column in _ANATOMY.items()}
        entry["connection_probability"] = percent(row["probability"])
        entry["total_synapse_count"] = int(row["all_synapses"])
        content[key] = entry
    return content


def physiology_json(rest: pd.DataFrame) -> dict[str, dict]:
    """Content of the pathway physiology file; ``rest`` is `packages.rest_table`."""
    content = {}
    for key, row in column.physiology(rest).iterrows():
        entry: dict[str, object] = {"synapse_type": row["synapse_type"]}
        for name in _PHYSIOLOGY:
            entry[f"{name}_mean"] = rounded(row[f"{name}_mean"])
            entry[f"{name}_std"] = rounded(row[f"{name}_std"])
        factor = row["space_clamp_correction_factor"]
        measured = np.isfinite(factor)
        entry["space_clamp_correction_factor"] = factor if measured else column.NOT_MEASURED
        content[key] = entry
    return content


# Circuit and layers --------------------------------------------------------------------------

_SIX = tuple(column.THICKNESS_UM)


def cell_counts(instance: Instance) -> pd.DataFrame:
    """Cells by m-type (rows) in each of the six layers (columns)."""
    neurons = instance.neurons
    return pd.crosstab(neurons["mtype"], neurons["layer6"]).reindex(columns=_SIX, fill_value=0)


def metype_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Cells by me-type (rows) in each of the six layers (columns), from those by m-type."""
    rows = {}
    for mtype, by_layer in counts.iterrows():
        split = {k: column.etype_counts(mtype, int(n)) for k, n in by_layer.items()}
        for etype in names.etypes_of(mtype):
            rows[f"{mtype}_{etype}"] = [split[k][etype] for k in _SIX]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(_SIX))


def layer_facts(
    counts: pd.DataFrame, anatomy: pd.DataFrame, sizes: pd.DataFrame
) -> dict[str, dict[str, object]]:
    """Facts of the six layers by the sheet's keys, pathway numbers under L1, L23, L4, L5, L6."""
    metypes = metype_counts(counts)
    received = _synapses_received(counts, anatomy)
    sheets: dict[str, dict[str, object]] = {}
    for layer in _SIX:
        here = counts[layer][counts[layer] > 0]
        total = sizes.mul(metypes[layer], axis=0).sum()
        volume = column.footprint_mm2() * column.THICKNESS_UM[layer] * 1e-3
        mtypes = {m: int(n) for m, n in here.items()}
        if layer == "L6":
            mtypes["L6_BP"] = wrong_l6_bp(mtypes["L6_BP"])
        sheet: dict[str, object] = {
            "No. of neurons per electrical types": _etype_totals(metypes[layer], layer),
            "No. of neurons per morphological types": mtypes,
        }
        for label, parts in (("axonal", ["axon"]), ("dendritic", ["apical", "basal"])):
            for size in ("length_um", "volume_um3"):
                sheet[f"total {label} {size.partition('_')[0]}"] = round(
                    float(sum(total[f"{part}_{size}"] for part in parts)), 2
                )
        sheets[layer] = sheet | {"synapse density": float(round(received[layer] / volume))}
    for layer in names.LAYERS:
        sheets.setdefault(layer, {}).update(_pathway_facts(layer, anatomy))
    return sheets


def _etype_totals(metypes: pd.Series, layer: str) -> dict[str, int]:
    totals = metypes.groupby([me.rpartition("_")[2] for me in metypes.index]).sum()
    if layer == "L4":
        totals["cADpyr"] += EXTRA_CADPYR
    return {etype: int(totals[etype]) for etype in names.ETYPES if totals[etype]}


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


def circuit_facts(counts: pd.DataFrame, anatomy: pd.DataFrame) -> dict[str, object]:
    """Facts of the circuit sheet, keys as it prints them; approximate ones as text."""
    cells = counts.sum()
    true_bp = int(counts.loc["L6_BP"].sum())
    per_layer = {
        "L1": int(cells["L1"]), "L23": int(cells["L2"] + cells["L3"]), "L4": int(cells["L4"]),
        "L5": int(cells["L5"]), "L6": int(cells["L6"]) - true_bp + wrong_l6_bp(true_bp),
    }  # fmt: skip
    area, thickness = column.footprint_mm2(), column.THICKNESS_UM
    ends = [names.parse_pathway(k) for k in anatomy.index]
    kinds = sum(len(names.etypes_of(a)) * len(names.etypes_of(b)) for a, b in ends)
    inside = anatomy[["connections", "synapses"]].sum()
    outside = anatomy[["all_connections", "all_synapses"]].sum().to_numpy() - inside.to_numpy()
    return {
        "Microcircuit volume": float(f"{area * (sum(thickness.values()) * 1e-3):.2g}"),
        "No. of neurons": int(cells.sum()),
        "No. of layers": len(_SIX),
        "No. of morphological types": len(names.MTYPES),
        "No. of neurons per layer": per_layer,
        "No. of morphoelectrical types": len(names.METYPES),
        "No. of electrical types": len(names.ETYPES),
        "No. of unique types of synaptic connections between m-types":
            len(anatomy) + EXTRA_PATHWAYS,
        "No. of unique types of synaptic connections between me-types": kinds,
        "No. of s-types": 6,
        "No. of intrinsic connections": about(inside["connections"]),
        "No. of intrinsic synapses": about(inside["synapses"]),
        "No. of extrinsic connections": about(outside[0]),
        "No. of extrinsic synapses": about(outside[1]),
        "Layer thicknesses": {k: int(v) for k, v in thickness.items()},
        "Neuron densities": {
            k: int(float(f"{cells[k] / (area * t * 1e-3):.4g}")) for k, t in thickness.items()
        },
    }  # fmt: skip


def about(number: float) -> str:
    """A large number as the sheet rounds it: ``~8.1 million``, ``~45 thousand``."""
    unit, word = (1e6, "million") if number >= 1e6 else (1e3, "thousand")
    return f"~{float(f'{number / unit:.2g}'):g} {word}"


def mean_sizes(model_anatomy: pd.DataFrame) -> pd.DataFrame:
    """Mean cell of each me-type: the average of its five models; no apical tree counts as 0."""
    parts = [f"{part}_{size}" for part in ("axon", "apical", "basal")
             for size in ("length_um", "volume_um3")]  # fmt: skip
    metype = [names.parse_model(m).metype for m in model_anatomy.index]
    sizes = model_anatomy[parts].astype(float).fillna(0.0)
    return sizes.groupby(metype).mean().loc[list(names.METYPES)]
