"""The trees behind the portal's menus and flow diagrams against the sheets."""

from __future__ import annotations

import json

import numpy as np

import nmc
from nmc import names
from nmc.errors import NMCError
from nmc.factsheets.checks.report import Report
from nmc.factsheets.pathways import layer_flow


def check(report: Report) -> None:
    """Compare the menu trees that the source holds."""
    if nmc.available("tree/download_tree"):
        _models(report)
    if nmc.available("tree/metypes"):
        _metypes(report)
    pathways = nmc.load_pathways()
    if nmc.available("tree/pathways_list"):
        _pathways(report, pathways)
    for tree, column in (("pathway_count", None), ("total_synapse", "total_synapse_count")):
        if nmc.available(f"tree/{tree}"):
            _flow(report, tree, layer_flow(pathways, column))


def _models(report: Report) -> None:
    leaves: set[str] = set()
    stack = list(_read("download_tree"))
    while stack:
        node = stack.pop()
        stack.extend(node.get("nodes", ()))
        if "file_id" in node:
            leaves.add(node["text"].removesuffix(".zip"))
    listed = _canonical(leaves, lambda name: names.parse_model(name).name)
    _same_set(report, "tree/download_tree", "models", listed, set(names.model_names()))


def _metypes(report: Report) -> None:
    listed = _canonical(_read("metypes"), names.canonical_metype)
    _same_set(report, "tree/metypes", "me-types", listed, set(names.METYPES))


def _pathways(report: Report, pathways) -> None:
    def canonical(name: str) -> str:
        return names.pathway(*names.parse_pathway(name))

    listed = _canonical(_read("pathways_list"), canonical)
    held = {f"{pre}:{post}" for pre, post in zip(pathways["pre"], pathways["post"], strict=True)}
    _same_set(report, "tree/pathways_list", "pathways", listed, held)


def _flow(report: Report, tree: str, expected) -> None:
    """Compare the layer-to-layer part of a flow diagram with the sum over pathways."""
    size = len(names.LAYERS)
    flow = np.zeros((size, size))
    for link in _read(tree)["L_L"]["links"]:
        flow[link["source"], link["target"] - size] = link["value"]
    for i, pre in enumerate(names.LAYERS):
        for j, post in enumerate(names.LAYERS):
            value = expected.iloc[i, j]
            report.compare(
                flow[i, j] == value, "flow diagram", f"tree/{tree}", f"{pre} to {post}",
                flow[i, j], value, "The diagram and the sum over the pathway files disagree.",
            )  # fmt: skip


def _same_set(report: Report, file: str, item: str, listed: set, held: set) -> None:
    report.compare(
        listed == held, "lists", file, item, len(listed), len(held),
        f"The list names {len(listed - held)} that the sheets lack, "
        f"and lacks {len(held - listed)} of theirs.",
    )  # fmt: skip


def _canonical(found, spell) -> set[str]:
    known = set()
    for name in found:
        try:
            known.add(spell(name))
        except NMCError:
            known.add(name)
    return known


def _read(tree: str):
    return json.loads(nmc.fetch(f"tree/{tree}").read_text("utf-8"))
