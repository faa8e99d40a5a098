"""The layer sheets against themselves, their pages, and the m-type pages."""

from __future__ import annotations

import pandas as pd

import nmc
from nmc import names
from nmc.factsheets import layers, numbers, schema
from nmc.factsheets.checks.report import Report

_FILE = "sheet/layers"
_PATHWAYS = {column: label for label, column in layers.FACTS.items() if "pathways" in column}
#: The spelling most layers use; another one is a finding.
_USUAL = {**_PATHWAYS, "possible_pathways": "No. of possible pathways"}


def check(report: Report) -> None:
    """Compare counts, sums, spellings, and the JSON with the pages."""
    facts, counts = layers.load_layer_pages()
    _mtype_counts(report, counts)
    _etype_counts(report, counts)
    _spellings(report)
    _json_and_pages(report, facts, counts)
    _pathway_numbers(report)


def _mtype_counts(report: Report, counts: pd.DataFrame) -> None:
    listed = counts[counts["kind"] == "mtype"].groupby("type")["n_neurons"].sum()
    own = nmc.load_mtypes().set_index("mtype")["n_neurons"]
    for mtype in names.MTYPES:
        report.compare(
            listed.get(mtype) == own[mtype], "m-type counts", _FILE, mtype, listed.get(mtype),
            own[mtype], "The layer's sheet and the m-type's own page count its neurons otherwise.",
        )  # fmt: skip


def _etype_counts(report: Report, counts: pd.DataFrame) -> None:
    listed = counts[counts["kind"] == "etype"].groupby(["layer", "type"], observed=True)
    listed = listed["n_neurons"].sum()
    metypes = nmc.load_metypes()
    own = metypes.groupby(["layer", "etype"], observed=True)["n_neurons"].sum()
    for layer in names.LAYERS:
        here, there = listed.loc[layer], own.loc[layer]
        there.index = there.index.astype(str)
        off = here.subtract(there, fill_value=0)
        off = off[off != 0].astype(int)
        report.compare(
            off.empty, "e-type counts", _FILE, layer, int(here.sum()), int(there.sum()),
            "E-types of the layer's sheet against the me-types of its m-types: "
            + ", ".join(f"{etype} {value:+,}" for etype, value in off.items()),
        )  # fmt: skip


def _spellings(report: Report) -> None:
    data = schema.read_json(nmc.fetch(_FILE))
    usual = {column: label for label, column in layers.FACTS.items() if label in _known(data)}
    for layer, sheet in data.items():
        odd = [label for label in sheet if label in layers.FACTS and _is_odd(label, usual)]
        report.compare(
            not odd, "spelling of keys", _FILE, layer, ", ".join(sorted(odd)),
            ", ".join(sorted(_usual_label(label) for label in odd)),
            "The layers do not all spell this fact the same way; "
            "'dendritic length' beside 'total dendritic length' are two different numbers.",
        )  # fmt: skip


def _known(data: dict) -> set[str]:
    """Labels that most layers use."""
    every = [label for sheet in data.values() for label in sheet]
    return {label for label in every if every.count(label) > len(data) / 2}


def _is_odd(label: str, usual: dict[str, str]) -> bool:
    return label not in usual.values()


def _usual_label(label: str) -> str:
    if label == "dendritic length":
        return "total dendritic length"
    return _USUAL.get(layers.FACTS[label], label)


def _json_and_pages(report: Report, facts: pd.DataFrame, counts: pd.DataFrame) -> None:
    data = layers.load_layer_counts()
    table = nmc.load_layers().set_index("layer")
    for layer in names.LAYERS:
        page = counts[counts["layer"] == layer]
        parts = list(dict.fromkeys(page["sublayer"].astype(str)))
        held = _sublayer_held(data[data["layer"] == layer], page, parts)
        whole = len(parts) == 1 or held is None
        report.compare(
            whole, "half a layer", _FILE, layer, held, " + ".join(parts),
            "The file holds one half of the layer, the page has both.",
        )  # fmt: skip
        _compare_counts(report, layer, data[data["layer"] == layer], page, held)
        sheet = facts[(facts["layer"] == layer) & facts["sublayer"].isin([held or layer, layer])]
        for row in sheet.itertuples():
            value = table.loc[layer, row.quantity]
            # The half's own total stands under another key: found as an odd spelling.
            if len(parts) > 1 and row.quantity == "total_dendritic_length_um":
                continue
            report.compare(
                numbers.agrees(row.value, value), "layer JSON and page", _FILE,
                f"{layer} {row.quantity}", value, row.value,
                "The downloadable file and the page disagree.",
            )  # fmt: skip


def _sublayer_held(data: pd.DataFrame, page: pd.DataFrame, parts: list[str]) -> str | None:
    """Sublayer whose m-type counts the JSON repeats, if it is one of several."""
    listed = _by_type(data[data["kind"] == "mtype"])
    for part in parts if len(parts) > 1 else ():
        here = page[(page["sublayer"] == part) & (page["kind"] == "mtype")]
        if _by_type(here) == listed:
            return part
    return None


def _compare_counts(report: Report, layer: str, data, page, held: str | None) -> None:
    page = page[page["sublayer"] == held] if held else page
    for kind in layers.COUNTS.values():
        json_counts = _by_type(data[data["kind"] == kind])
        page_counts = _by_type(page[page["kind"] == kind])
        for name in sorted({*json_counts, *page_counts}):
            found, expected = json_counts.get(name), page_counts.get(name)
            report.compare(
                found == expected, "layer JSON and page", _FILE, f"{layer} {name}", found,
                expected, "The downloadable file and the page disagree.",
            )  # fmt: skip


def _by_type(counts: pd.DataFrame) -> dict[str, int]:
    return counts.groupby("type")["n_neurons"].sum().to_dict()


def _pathway_numbers(report: Report) -> None:
    table = nmc.load_layers().set_index("layer")
    pathways = nmc.load_pathways()
    held = pathways.groupby("pre_layer", observed=False).size()
    for layer, row in table.iterrows():
        viable = row["viable_pathways"]
        for one, other in (("excitatory", "inhibitory"), ("intralaminar", "interlaminar")):
            parts = row[f"{one}_pathways"] + row[f"{other}_pathways"]
            report.compare(
                parts == viable, "pathways of a layer", _FILE, f"{layer} {one} + {other}",
                parts, viable, "The parts do not add up to the viable pathways.",
            )  # fmt: skip
        possible = row["n_mtypes"] * len(names.MTYPES)
        report.compare(
            row["possible_pathways"] == possible, "pathways of a layer", _FILE,
            f"{layer} possible", row["possible_pathways"], possible,
            "Every m-type of the layer could reach each of the 55.",
        )  # fmt: skip
    viable = table["viable_pathways"]
    report.compare(
        (viable == held.loc[viable.index]).all(), "pathways of a layer", _FILE,
        "number of viable pathways", "/".join(map(str, viable)), "/".join(map(str, held)),
        "Pathways that start in each layer: the layer sheets against the pathway files.",
    )  # fmt: skip
