"""Fact sheet pages of the circuit, the layers and the m-types.

They print the same numbers as the JSON files, rounded as the portal rounds: five digits, with
the planted disagreements only where `planted` says so.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from nmc import layout, names

from tools.sample import markup
from tools.sample.layers import PARTS
from tools.sample.markup import bars, fact, printed, section, sheet

_CIRCUIT_UNITS = {
    "Microcircuit volume": "mm³", "No. of neurons": "neurons", "No. of s-types": "types",
    "No. of unique types of synaptic connections between m-types": "connection types",
    "No. of unique types of synaptic connections between me-types": "connection types",
    "No. of intrinsic connections": "connections", "No. of intrinsic synapses": "synapses",
    "No. of extrinsic connections": "connections", "No. of extrinsic synapses": "synapses",
    "No. of neurons per layer": "neurons", "Layer thicknesses": "µm",
    "Neuron densities": "neurons/mm³",
}  # fmt: skip
_LAYER_UNITS = {
    "total axonal length": "µm", "total axonal volume": "µm³", "total dendritic length": "µm",
    "dendritic length": "µm", "total dendritic volume": "µm³",
    "synapse density": "synapses/ mm³",
}  # fmt: skip
_ETYPES = "No. of neurons per electrical types"


def write(folder: Path, path: str, text: str) -> Path:
    """Write one page below the root of a tree."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def circuit_page(circuit: dict[str, object]) -> str:
    """The circuit's page, from `layers.circuit_facts`."""
    facts = [_entry(label, value, _CIRCUIT_UNITS) for label, value in circuit.items()]
    body = sheet("Microcircuit fact sheet", [section("", facts)])
    return markup.document("Microcircuit fact sheet", body)


def layer_page(layer: str, sheets: dict[str, dict[str, object]]) -> str:
    """A layer's page, from `layers.layer_facts`; that of L23 has layers 2 and 3 apart."""
    if layer != "L23":
        parts = _halves("", sheets[layer])
    else:
        pathways = _rename(sheets["L23"], "No. of possible pathways", "number of possible pathways")
        third = _rename(sheets["L3"], "total dendritic length", "dendritic length")
        facts = [_entry(k, v, _LAYER_UNITS) for k, v in pathways.items()]
        parts = [section("L23 anatomy", facts), *_halves("L2 ", sheets["L2"]),
                 *_halves("L3 ", third)]  # fmt: skip
    return sheet(f"Layer fact sheet - {layer}", parts)


def _halves(head: str, facts: dict[str, object]) -> list[str]:
    anatomy = [_entry(k, v, _LAYER_UNITS) for k, v in facts.items() if k != _ETYPES]
    physiology = [_entry(_ETYPES, facts[_ETYPES], _LAYER_UNITS)]
    if not head:
        return [section("Anatomy", anatomy), section("Physiology", physiology)]
    return [section(f"{head}anatomy", anatomy), section(f"{head}physiology", physiology)]


def _rename(facts: dict[str, object], old: str, new: str) -> dict[str, object]:
    return {new if k == old else k: v for k, v in facts.items()}


def _entry(label: str, value: object, units: dict[str, str]) -> str:
    unit = units.get(label, "")
    if isinstance(value, dict):
        return bars(label, value, unit)
    return fact(label, value if isinstance(value, str) else _number(value), unit)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else printed(value)


def mtype_pages(mtype: str, metypes: pd.Series, totals: pd.Series) -> tuple[str, str]:
    """An m-type's summary page and its details page.

    Parameters
    ----------
    mtype : str
        Which m-type.
    metypes : Series
        Cells of each of its me-types.
    totals : Series
        Summed lengths and volumes of all its cells, index `layers.PARTS`.
    """
    shown = names.portal_mtype(mtype)
    shapes = section("Anatomy", _shape_facts(totals))
    counts = {names.portal_metype(me): int(n) for me, n in metypes.items()}
    physiology = section("Physiology", [bars("No. of cells per electrical types", counts,
                                             "neurons")])  # fmt: skip
    summary = sheet(f"m-type fact sheet - {shown}", [shapes, physiology])
    details = (
        f'<h3 id="title"> m-type fact sheet - {shown}</h3> <div id="content"> '
        f'<div class="smw-panel-highlight"> {shapes} </div> {markup.NOTE} </div>\n'
    )
    return summary, details


def _shape_facts(totals: pd.Series) -> list[str]:
    """Facts of the neurites a type has; dendrites as one where there is no apical tree."""
    has_apical = totals["apical_length_um"] > 0
    shown = ("apical", "axon", "basal") if has_apical else ("axon", "dendritic")
    column = {"dendritic": "basal"}
    facts = []
    for part in shown:
        for size, unit in (("length", "µm"), ("volume", "µm³")):
            key = next(k for k in PARTS if k.startswith(f"{column.get(part, part)}_{size}_"))
            facts.append(fact(f"total {part} {size}", printed(float(totals[key])), unit))
    return facts


def synaptome_page(mtype: str) -> str:
    """An m-type's synaptome page: pictures and a film there, nothing to show here."""
    shown = names.portal_mtype(mtype)
    return (
        f'<h3 id="title"> Synaptome - {shown}</h3> <div id="content"> '
        f'<div class="smw-synaptome"> </div> {markup.NOTE} </div>\n'
    )


def write_pages(folder: Path, circuit: dict[str, object], sheets: dict[str, dict[str, object]],
                metypes: pd.DataFrame, sizes: pd.DataFrame) -> None:  # fmt: skip
    """Write the pages of circuit, layers, m-types and synaptomes below ``folder``.

    Parameters
    ----------
    folder : Path
        Root of the tree.
    circuit, sheets : dict
        From `layers.circuit_facts` and `layers.layer_facts`.
    metypes : DataFrame
        Cells by me-type (rows) and layer (columns).
    sizes : DataFrame
        Mean cell of each me-type, columns `layers.PARTS`.
    """
    write(folder, layout.CIRCUIT_PAGE, circuit_page(circuit))
    for layer in names.LAYERS:
        write(folder, layout.layer_page(layer), layer_page(layer, sheets))
    cells = metypes.sum(axis=1)
    totals = sizes.loc[cells.index].mul(cells, axis=0)
    owner = cells.index.str.rpartition("_").get_level_values(0)
    for mtype in names.MTYPES:
        mine = owner == mtype
        summary, details = mtype_pages(mtype, cells[mine], totals[mine].sum())
        write(folder, layout.mtype_page(mtype), summary)
        write(folder, layout.mtype_page(mtype, details=True), details)
        write(folder, layout.synaptome_page(mtype), synaptome_page(mtype))
