"""The sheets of the source side by side, and the columns of them that the checks compare.

A column is a function of the `Sheets` that returns item → value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd

import nmc
from nmc import names
from nmc.errors import FormatError, NMCError
from nmc.factsheets import layers, models, pathways
from nmc.factsheets.sheets import read_bytes, read_json
from nmc.numbers import as_count, as_number


class Sheets(dict):
    """The sheets of the source by name, each read when it is first asked for."""

    def __missing__(self, name: str) -> Any:
        self[name] = _READ[name](self)
        return self[name]


_READ: dict[str, Callable[[Sheets], Any]] = {
    "circuit": lambda s: _circuit(nmc.load_circuit()),
    "circuit page": lambda s: _circuit(nmc.load_circuit(nmc.fetch("page/circuit"))),
    "layers": lambda s: _text(nmc.load_layers(), "layer").set_index("layer"),
    "layer keys": lambda s: _odd_keys(read_json(nmc.fetch("sheet/layers"))),
    "layer counts": lambda s: _text(layers.load_layer_counts(), "layer"),
    "layer pages": lambda s: [
        _text(table, "layer", "sublayer") for table in layers.load_layer_pages()
    ],
    "held": lambda s: {layer: _held(s, layer) for layer in names.LAYERS},
    "mtypes": lambda s: _text(nmc.load_mtypes(), "mtype", "layer").set_index("mtype"),
    "metypes": lambda s: _text(nmc.load_metypes(), "layer", "etype"),
    "pathways": lambda s: _text(
        nmc.load_pathways(), "pre", "post", "pre_layer", "synapse_type", "s_type"
    ),
    "pathway records": lambda s: _records(),
    "pathway pages": lambda s: _filled_pages(pathways.list_pathway_pages()),
}


def _text(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Categories as plain text."""
    return table.astype(dict.fromkeys(columns, str))


LABELS = {field.column: label for label, field in layers.QUANTITIES.items()}


def _circuit(table: pd.DataFrame) -> pd.Series:
    """Values of a circuit sheet by (quantity, layer); layer "" for the whole."""
    layer = table["layer"].astype(object).where(table["layer"].notna(), "")
    return pd.Series(table["value"].to_numpy(), index=[table["quantity"], layer])


def circuit_items(sheet: pd.Series) -> dict[str, float]:
    """Values of a circuit sheet by label, and layer where there is one."""
    return {
        LABELS[quantity] + (f", {layer}" if layer else ""): value
        for (quantity, layer), value in sheet.items()
    }


def numbers_of_types(sheets: Sheets) -> dict[str, float]:
    """How many of each kind the other sheets hold, by the label of the circuit sheet."""
    mtypes, metypes, table = (sheets[name] for name in ("mtypes", "metypes", "pathways"))
    pairs = table["pre"].map(mtypes["n_etypes"]) * table["post"].map(mtypes["n_etypes"])
    counted = {
        "layers": len(sheets["circuit"]["thickness_um"]),
        "mtypes": len(mtypes),
        "etypes": metypes["etype"].nunique(),
        "metypes": len(metypes),
        "stypes": table["s_type"].nunique(),
        "mtype_pathways": len(table),
        "metype_pathways": pairs.sum(),
    }
    return {LABELS[quantity]: value for quantity, value in counted.items()}


def by_type(counts: pd.DataFrame, **where: str) -> dict[str, int]:
    """Neurons by type, of the rows that have these values."""
    for column, value in where.items():
        counts = counts[counts[column] == value]
    return counts.groupby("type")["n_neurons"].sum().to_dict()


def by_layer(table: pd.DataFrame, column: str) -> dict[str, dict[str, int]]:
    """Layer → type → neurons; a type that is listed with none says the same as one that is not."""
    sums = table.groupby(["layer", column])["n_neurons"].sum()
    return {layer: sums[sums != 0][layer].to_dict() for layer in names.LAYERS}


def _odd_keys(data: dict[str, dict]) -> dict[str, dict[str, str]]:
    """Layer → its keys that most layers spell otherwise → the usual spelling."""
    every = Counter(label for sheet in data.values() for label in sheet)
    known = [label for label in layers.FACTS if every[label] > len(data) / 2]
    usual = {layers.FACTS[label].column: label for label in known}
    usual["dendritic_length_um"] = "total dendritic length"
    return {
        layer: {
            key: usual[layers.FACTS[key].column]
            for key in sorted(sheet)
            if key in layers.FACTS and key not in known
        }
        for layer, sheet in data.items()
    }


def parts(sheets: Sheets, layer: str) -> list[str]:
    """Sublayers that a layer's page has apart."""
    counts = sheets["layer pages"][1]
    return list(dict.fromkeys(counts.loc[counts["layer"] == layer, "sublayer"]))


def _held(sheets: Sheets, layer: str) -> str:
    """Parts of a layer that its file holds: all that the page has, or one half of them."""
    apart = parts(sheets, layer)
    listed = by_type(sheets["layer counts"], layer=layer, kind="mtype")
    for part in apart if len(apart) > 1 else ():
        if by_type(sheets["layer pages"][1], layer=layer, sublayer=part, kind="mtype") == listed:
            return part
    return " + ".join(apart)


def layer_page(sheets: Sheets) -> dict[str, float]:
    """Facts and counts of the layer pages, of the part of a layer that the file holds."""
    facts, counts = sheets["layer pages"]
    values: dict[str, float] = {}
    for layer, held in sheets["held"].items():
        own = facts[(facts["layer"] == layer) & facts["sublayer"].isin([held, layer])]
        found = dict(zip(own["quantity"], own["value"], strict=True))
        if len(parts(sheets, layer)) > 1:  # a half's own total stands under another key
            found.pop("total_dendritic_length_um", None)
        part = {"sublayer": held} if held in parts(sheets, layer) else {}
        found |= by_type(counts, layer=layer, **part)
        values |= {f"{layer} {name}": value for name, value in found.items()}
    return values


def layer_file(sheets: Sheets) -> dict[str, float]:
    """What the layer file has of `layer_page`, and all of its counts."""
    asked, table = layer_page(sheets), sheets["layers"]
    values = {
        f"{layer} {column}": table.loc[layer, column]
        for column in table
        for layer in names.LAYERS
        if f"{layer} {column}" in asked
    }
    for layer in names.LAYERS:
        counts = by_type(sheets["layer counts"], layer=layer)
        values |= {f"{layer} {name}": value for name, value in counts.items()}
    return values


def pathway_sums(sheets: Sheets, viable: bool = False) -> dict[str, int]:
    """Pathways of a layer, added up from two halves; or the number that they should give."""
    return {
        f"{layer} {one} + {other}": row["viable_pathways"]
        if viable
        else row[f"{one}_pathways"] + row[f"{other}_pathways"]
        for layer, row in sheets["layers"].iterrows()
        for one, other in (("excitatory", "inhibitory"), ("intralaminar", "interlaminar"))
    }


def possible(values: pd.Series, times: int = 1) -> dict[str, int]:
    """Possible pathways by layer."""
    return {f"{layer} possible": value * times for layer, value in values.items()}


def joined(values: pd.Series) -> dict[str, str]:
    """Numbers of the five layers as one text."""
    return {"number of viable pathways": "/".join(map(str, values.reindex(list(names.LAYERS))))}


def wrong_signs(sheets: Sheets) -> dict[str, str]:
    """M-type → how many of its pathways print the other sign than its cells have."""
    table = sheets["pathways"]
    printed = table["synapse_type"].str.split(",").str[0]
    return _shares(printed != table["pre"].map(sign), table["pre"])


def sign(mtype: str) -> str:
    """First word of the synapse types of an m-type."""
    return "Excitatory" if names.is_excitatory(mtype) else "Inhibitory"


#: Facilitation must outlast depression where the class says so, and nowhere else.
CLASSES = {"E1": "F above D", "I1": "F above D", "E2": "F below D", "I2": "F below D"}


def wrong_classes(sheets: Sheets) -> dict[str, str]:
    """S-type → how many of its pathways have time constants of the other class."""
    table = sheets["pathways"][sheets["pathways"]["s_type"].isin(list(CLASSES))]
    facilitating = table["f_mean_ms"] > table["d_mean_ms"]
    return _shares(facilitating != (table["s_type"].map(CLASSES) == "F above D"), table["s_type"])


def _shares(wrong: pd.Series, by: pd.Series) -> dict[str, str]:
    return {key: f"{rows.sum()} of {len(rows)} pathways" for key, rows in wrong.groupby(by)}


def _records() -> dict[str, dict[str, object]]:
    """Pathway files as they stand, by pathway."""
    anatomy, physiology = (
        pathways.read_records(nmc.fetch(f"sheet/pathways_{name}"), {})
        for name in ("anatomy", "physiology")
    )
    return {key: {**anatomy[key], **physiology.get(key, {})} for key in anatomy}


def _filled_pages(listed: pd.DataFrame) -> tuple[dict[str, Any], int]:
    """Filled pages under the portal's names by pathway, and how many bear other names."""
    filled = listed[listed["filled"]]
    current = filled[filled["portal_name"]]
    paths = {f"{row.pre}:{row.post}": row.path for row in current.itertuples()}
    return paths, len(filled) - len(current)


def pathway_values(sheets: Sheets) -> dict[tuple[str, str], tuple[str, object]]:
    """Field and value of the files, of the pathways that have a page."""
    records = sheets["pathway records"]
    shared = sorted(set(sheets["pathway pages"][0]) & set(records))
    return {(key, field): (field, v) for key in shared for field, v in records[key].items()}


def pathway_prints(sheets: Sheets) -> dict[tuple[str, str], str]:
    """What the pathway pages print of `pathway_values`."""
    asked = pathway_values(sheets)
    printed: dict[tuple[str, str], str] = {}
    for key in dict.fromkeys(key for key, _ in asked):
        page = pathways.read_pathway_page(sheets["pathway pages"][0][key])
        printed |= {(key, field): text for field, text in page.items() if (key, field) in asked}
    return printed


def rest(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Resting values by model and column."""
    return {(model, column): value for column in models.PHYSIOLOGY
            for model, value in table[column].items()}  # fmt: skip


def tree(name: str) -> Any:
    """One of the trees behind the portal's menus, whatever JSON it is."""
    file = nmc.fetch(f"tree/{name}")
    return read_json(file, b'{"tree": ' + read_bytes(file) + b"}")["tree"]


def leaves(stack: list) -> Iterator[str]:
    """Names of the packages in the tree of downloads."""
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            stack.append(node.get("nodes", []))
            if "file_id" in node:
                yield str(node.get("text")).removesuffix(".zip")
        else:
            raise FormatError(f"tree/download_tree: {node!r} stands where a node should.")


def canonical(found: Iterable, spell: Callable[[str], object]) -> set[str]:
    """Known names in the package's spelling; an unknown one is kept as it is, and so is found."""
    known = set()
    for name in map(str, found):
        try:
            known.add(str(spell(name)))
        except NMCError:
            known.add(name)
    return known


def flow(name: str) -> dict[str, float]:
    """The layer-to-layer part of a flow diagram."""
    data, size = tree(name), len(names.LAYERS)
    part = data.get("L_L") if isinstance(data, dict) else None
    links = part.get("links") if isinstance(part, dict) else None
    if not isinstance(links, list) or not all(isinstance(link, dict) for link in links):
        raise FormatError(f"tree/{name}: there is no list of links between layers.")
    values = {f"{pre} to {post}": 0.0 for pre in names.LAYERS for post in names.LAYERS}
    for link in links:
        where = f"tree/{name}, link {link!r}"
        pre = as_count(link.get("source"), where=where, high=size - 1)
        post = as_count(link.get("target"), where=where, low=size, high=2 * size - 1) - size
        item = f"{names.LAYERS[pre]} to {names.LAYERS[post]}"
        values[item] = as_number(link.get("value"), where=where)
    return values


def flow_sum(column: str | None) -> dict[str, float]:
    """The same, added up over the pathway files."""
    table = nmc.layer_flow(nmc.load_pathways(), column).stack()
    return {f"{pre} to {post}": value for (pre, post), value in table.items()}
