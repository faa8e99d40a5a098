"""The circuit sheet against its own parts and against the other sheets."""

from __future__ import annotations

import nmc
from nmc.factsheets import circuit, numbers
from nmc.factsheets.checks.report import Report

_FILE = "sheet/circuit"
_LABELS = {quantity: label for label, quantity in circuit.QUANTITIES.items()}
_OTHERWISE = "The circuit sheet counts otherwise than the sheets of the parts."
_REMARKS = {
    "mtype_pathways": "The pathway files hold another number of pathways.",
    "metype_pathways": "Expected is what the pathway files allow: of each pathway, the e-types of "
    "the one m-type times those of the other. No sheet says what else was counted.",
}


def check(report: Report) -> None:
    """Compare the circuit sheet with everything that should add up to it."""
    if not (nmc.available("sheet/circuit") or nmc.available("page/circuit")):
        return
    sheet = nmc.load_circuit()
    _layer_sum(report, sheet)
    _numbers_of_types(report, sheet)
    _json_and_page(report)


def _layer_sum(report: Report, sheet) -> None:
    total = _value(sheet, "neurons")
    layers = sheet[sheet["quantity"] == "neurons_per_layer"]
    added = layers["value"].sum()
    mtypes = nmc.load_mtypes().groupby("layer", observed=False)["n_neurons"].sum()
    off = [
        f"{layer} by {mtypes[layer] - value:+,.0f}"
        for layer, value in zip(layers["layer"], layers["value"], strict=True)
        if mtypes[layer] != value
    ]
    report.compare(
        added == total, "layer sum", _FILE, _LABELS["neurons_per_layer"], added, total,
        "The neurons of the layers do not add up to the total; the m-type pages differ in "
        + ", ".join(off),
    )  # fmt: skip
    report.compare(
        mtypes.sum() == total, "layer sum", _FILE, _LABELS["neurons"], total, mtypes.sum(),
        "The neurons on the m-type pages do not add up to the circuit's total.",
    )  # fmt: skip


def _numbers_of_types(report: Report, sheet) -> None:
    pathways, mtypes = nmc.load_pathways(), nmc.load_mtypes()
    n_etypes = mtypes.set_index(mtypes["mtype"].astype(str))["n_etypes"]
    pairs = pathways["pre"].astype(str).map(n_etypes) * pathways["post"].astype(str).map(n_etypes)
    counted = {
        "layers": (sheet["quantity"] == "thickness_um").sum(),
        "mtypes": len(mtypes),
        "etypes": len(nmc.load_etypes()),
        "metypes": len(nmc.load_metypes()),
        "stypes": pathways["s_type"].nunique(),
        "mtype_pathways": len(pathways),
        "metype_pathways": pairs.sum(),
    }
    for quantity, count in counted.items():
        value = _value(sheet, quantity)
        report.compare(
            value == count, "numbers of types", _FILE, _LABELS[quantity], value, count,
            _REMARKS.get(quantity, _OTHERWISE),
        )  # fmt: skip


def _json_and_page(report: Report) -> None:
    if not (nmc.available("sheet/circuit") and nmc.available("page/circuit")):
        return
    keys = ["quantity", "layer"]
    one = circuit.read_circuit_json().set_index(keys)["value"]
    other = circuit.read_circuit_page().set_index(keys)["value"]
    for key in one.index.union(other.index):
        label = _LABELS[key[0]] + ("" if key[1] is None or key[1] != key[1] else f", {key[1]}")
        found, expected = one.get(key), other.get(key)
        both = found is not None and expected is not None
        report.compare(
            both and numbers.agrees(expected, found), "circuit JSON and page", _FILE, label,
            found, expected, "The downloadable file and the page disagree.",
        )  # fmt: skip


def _value(sheet, quantity: str) -> float:
    return sheet.loc[sheet["quantity"] == quantity, "value"].item()
