"""The JSON trees behind the portal's menus and flow diagrams."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd
from nmc import layout, names

from tools.sample import jsontext

_BASE = "https://bbp.epfl.ch/public/nmc-models/pathways_stripped_prod"  # as the portal writes it


def write_menus(folder: Path, anatomy: pd.DataFrame) -> list[Path]:
    """Write all eight trees below ``folder`` at their portal paths.

    Parameters
    ----------
    folder : Path
        Root of the tree.
    anatomy : DataFrame
        From `anatomy.measure`: its totals with outside partners are what the flow diagrams show.
    """
    flows = {
        "pathway_count": pd.Series(1, index=anatomy.index),
        "nb_connection": anatomy["all_connections"],
        "total_synapse": anatomy["all_synapses"],
    }
    content = {name: flow_tree(values) for name, values in flows.items()}
    content["main"] = {"L_L": content["pathway_count"]["L_L"]}
    content["download_tree"] = download_tree()
    content["connectome"] = connectome_menu()
    content["metypes"] = [names.portal_metype(me) for me in names.METYPES]
    content["pathways_list"] = list(anatomy.index)
    return [jsontext.write(folder / layout.tree(name), content[name]) for name in layout.TREE_NAMES]


def download_tree() -> list[dict]:
    """Layers → m-types → me-types → packages, as the portal's model menu."""
    models = [names.parse_model(name) for name in names.model_names()]
    number = {model.name: k + 1 for k, model in enumerate(models)}
    tree = []
    for layer in names.LAYERS:
        mtypes = [m for m in names.MTYPES if names.layer_of(m) == layer]
        tree.append({"text": layer, "nodes": [_mtype_node(m, models, number) for m in mtypes]})
    return tree


def _mtype_node(mtype: str, models: list[names.Model], number: dict[str, int]) -> dict:
    shown = names.portal_mtype(mtype)
    nodes = []
    for etype in names.etypes_of(mtype):
        mine = [m for m in models if m.mtype == mtype and m.etype == etype]
        leaves = [{"text": f"{m.name}.zip", "file_id": number[m.name]} for m in mine]
        nodes.append({"text": f"{shown}:{etype}", "nodes": leaves})
    return {"text": shown, "nodes": nodes}


def connectome_menu() -> list[dict]:
    """The 77 instances and 9 group archives of the portal's connectome menu, with its addresses."""

    def leaf(path: str) -> dict:
        below = path.removeprefix(f"{layout.CONNECTOME}/")
        return {"url": f"{_BASE}/{below}", "text": below.rsplit("/", 1)[-1]}

    mcs = layout.MICROCIRCUITS
    averages = [leaf(layout.average(mc)) for mc in mcs]
    controls = [leaf(layout.control(mc, k)) for mc in mcs for k in layout.CONTROL_INSTANCES]
    animals = []
    for animal in layout.ANIMALS:
        nodes = [leaf(layout.individual(animal, mc)) for mc in mcs]
        animals.append({"text": f"pathways_{animal}", "nodes": nodes})
        animals.append(leaf(f"{layout.CONNECTOME}/individuals/pathways_{animal}_full.tar"))
    return [
        {"text": "AVERAGE: synthetic stand-ins for the average instances.", "nodes": averages},
        leaf(f"{layout.CONNECTOME}/average_full.tar"),
        {"text": "CONTROLS: synthetic stand-ins for the control instances.", "nodes": controls},
        leaf(f"{layout.CONNECTOME}/controls_full.tar"),
        {"text": "INDIVIDUALS: synthetic stand-ins for single animals.", "nodes": animals},
        leaf(f"{layout.CONNECTOME}/individuals_full.tar"),
    ]


def flow_tree(values: pd.Series) -> dict:
    """Nodes and links of the portal's flow diagrams.

    Eight views: by layer (``L``), by the m-types of one layer (``ML``), of one m-type (``m``) to
    all m-types (``M``) or to layers.  Left nodes come first; a link names two nodes and a value.

    Parameters
    ----------
    values : Series
        One number a pathway, index ``pre:post``.
    """
    flows = [_Flow.of(key, value) for key, value in values.items()]
    mtypes = sorted(names.portal_mtype(m) for m in names.MTYPES)
    layers = list(names.LAYERS)
    of_layer = {k: [m for m in mtypes if m.startswith(f"{k}_")] for k in layers}
    out = {k: [f for f in flows if f.pre_layer == k] for k in layers}
    into = {k: [f for f in flows if f.post_layer == k] for k in layers}
    tree: dict[str, dict] = {
        "ML_L": {k: _view(out[k], "pre", "post_layer", of_layer[k], layers) for k in layers},
        "L_ML": {k: _view(into[k], "pre_layer", "post", layers, of_layer[k]) for k in layers},
        "ML_ML": {
            a: {
                b: _view([f for f in out[a] if f.post_layer == b], "pre", "post",
                         of_layer[a], of_layer[b])
                for b in layers
            }
            for a in layers
        },
        "L_L": _view(flows, "pre_layer", "post_layer", layers, layers),
    }  # fmt: skip
    for mtype in mtypes:
        mine = [f for f in flows if f.pre == mtype]
        theirs = [f for f in flows if f.post == mtype]
        for name, other in (("m_M", "post"), ("m_L", "post_layer")):
            rights = sorted({getattr(f, other) for f in mine})
            tree.setdefault(name, {})[mtype] = _view(mine, "pre", other, [mtype], rights)
        for name, other in (("M_m", "pre"), ("L_m", "pre_layer")):
            lefts = sorted({getattr(f, other) for f in theirs})
            tree.setdefault(name, {})[mtype] = _view(theirs, other, "post", lefts, [mtype])
    return tree


class _Flow(NamedTuple):
    pre: str
    post: str
    pre_layer: str
    post_layer: str
    value: int

    @classmethod
    def of(cls, key: str, value: int) -> _Flow:
        pre, post = names.parse_pathway(key)
        ends = names.portal_mtype(pre), names.portal_mtype(post)
        return cls(*ends, names.layer_of(pre), names.layer_of(post), int(value))


def _view(flows: list[_Flow], left: str, right: str, lefts: list[str], rights: list[str]) -> dict:
    totals: dict[tuple[str, str], int] = {}
    for flow in flows:
        pair = getattr(flow, left), getattr(flow, right)
        totals[pair] = totals.get(pair, 0) + flow.value
    source = {name: k for k, name in enumerate(lefts)}
    target = {name: len(lefts) + k for k, name in enumerate(rights)}
    links = [{"source": source[a], "target": target[b], "value": v} for (a, b), v in totals.items()]
    return {"nodes": [{"name": n} for n in [*lefts, *rights]], "links": links}
