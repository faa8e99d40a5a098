"""The explorer: every layer, type, model and pathway to be looked up in static pages.

A page a kind, data in small script shards, state in the address: it works from a folder on
a disk, without a server and without a network.  ``nmc explorer FOLDER`` writes the explorer of the
source in use; `view_table` shows one table so in a notebook.
"""

from __future__ import annotations

import html
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

import nmc
from nmc import names, units
from nmc.data import provenance, registry
from nmc.data.files import atomic_folder
from nmc.factsheets.sheets import plain

_TRUST = "book/factsheets/trust-the-data.html"
_ASSETS = ("explorer.js", "pages.js", "explorer.css")


#: Columns of the list of each kind; a page of one item shows all of its columns.
LISTED = {
    "layer": ["layer", "thickness_um", "n_neurons", "n_mtypes", "viable_pathways"],
    "mtype": ["mtype", "layer", "kind", "n_neurons", "n_etypes", "total_axonal_length_um"],
    "metype": ["metype", "layer", "etype", "firing", "n_neurons"],
    "model": [
        "model", "etype", "resting_membrane_potential_mV", "input_resistance_MOhm",
        "membrane_time_constant_ms", "axon_length_um", "basal_length_um",
    ],
    "pathway": [
        "pathway", "s_type", "connection_probability_percent", "convergence_mean",
        "divergence_mean", "synapses_per_connection_mean", "psp_amplitude_mean_mV",
    ],
}  # fmt: skip
TITLES = {
    "layer": ("Layers", "layer"),
    "mtype": ("M-types", "m-type"),
    "metype": ("Me-types", "me-type"),
    "model": ("Models", "model"),
    "pathway": ("Pathways", "pathway"),
}
#: Columns that repeat the name and would only lengthen a page.
_HIDDEN = {"pathway": ["pre_layer", "post_layer"], "model": ["instance"]}


def shards() -> Iterator[tuple[str, Any]]:
    """Yield every shard of the explorer, read through the source in use."""
    tables = _tables()
    yield "names", _names(tables)
    yield "layer", _packed(tables["layer"])
    yield "mtype", _packed(tables["mtype"])
    yield "metype", _packed(tables["metype"])
    for layer, rows in tables["model"].groupby("layer", observed=True):
        yield f"model-{layer}", _packed(rows)
    for pre, rows in tables["pathway"].groupby("pre", observed=True):
        yield f"pathway-{pre}", _packed(rows)
    yield "matrix", _matrix(tables["pathway"])
    for layer, rows in _channels().groupby("layer", observed=True):
        yield f"channels-{layer}", _packed(rows.drop(columns="layer"))
    # Last: by now every file has been fetched, so the note names all of them.
    yield "meta", _meta(tables)


def _tables() -> dict[str, pd.DataFrame]:
    mtypes = nmc.load_mtypes()
    mtypes.insert(
        2, "kind", mtypes.pop("excitatory").map({True: "excitatory", False: "inhibitory"})
    )
    metypes = nmc.load_metypes().drop(columns="excitatory")
    firing = [", ".join(names.describe_etype(name)) for name in metypes["etype"]]
    metypes.insert(metypes.columns.get_loc("etype") + 1, "firing", firing)
    pathways = nmc.load_pathways()
    pathways.insert(0, "pathway", pathways["pre"].astype(str) + ":" + pathways["post"].astype(str))
    return {
        "layer": nmc.load_layers(),
        "mtype": mtypes,
        "metype": metypes,
        "model": nmc.load_models(),
        "pathway": pathways,
    }


def _names(tables: dict[str, pd.DataFrame]) -> dict[str, list[str]]:
    kinds = ("layer", "mtype", "metype", "model")
    return {kind: tables[kind][kind].astype(str).tolist() for kind in kinds}


def _matrix(pathways: pd.DataFrame) -> dict:
    """Row by row, the connection probability of every pathway; null where there is none."""
    matrix = nmc.pathway_matrix(pathways, "connection_probability_percent")
    rows = [[*map(plain, row)] for row in matrix.to_numpy()]
    return {"mtypes": list(matrix.index), "percent": rows}


def _channels() -> pd.DataFrame:
    channels = nmc.load_channel_densities()
    channels = channels[channels["model"].str.endswith("_1")]  # the five models print the same
    channels = channels.drop(columns=["model", "value"])
    layer = [names.layer_of(name.rpartition("_")[0]) for name in channels["metype"].astype(str)]
    return channels.assign(layer=layer)


def _meta(tables: dict[str, pd.DataFrame]) -> dict:
    return {
        "note": provenance.note(),
        "invented": bool(registry.invented()),
        "kinds": {
            kind: {
                "title": TITLES[kind][0],
                "singular": TITLES[kind][1],
                "count": len(table),
                "listed": LISTED[kind],
                "columns": {
                    column: {"label": units.name_of(column), "unit": units.unit_of(column)}
                    for column in table.columns
                    if column not in _HIDDEN.get(kind, ())
                },
            }
            for kind, table in tables.items()
        },
    }


def _packed(table: pd.DataFrame) -> dict:
    """Columns once, then one list a row: half the size of a list of objects."""
    columns = [table[column] for column in table.columns]
    rows = [[*map(plain, row)] for row in zip(*columns, strict=True)]
    return {"columns": list(table.columns), "rows": rows}


def build_explorer(folder: str | os.PathLike, *, home: str = "../index.html") -> Path:
    """Write the explorer into a folder, from the fact sheets of the source in use.

    The folder is replaced whole, and only when everything has been written; `home` is the address
    of the book from there. Returns the explorer's ``index.html``.
    """
    folder = Path(folder)
    with atomic_folder(folder) as built:
        _write(built, home)
        if folder.exists():
            shutil.rmtree(folder)
    return folder / "index.html"


def _write(folder: Path, home: str) -> None:
    (folder / "data").mkdir()
    meta = {}
    for name, content in shards():
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        script = f"NMC.put({json.dumps(name)},{text});\n"
        (folder / "data" / f"{name}.js").write_text(script, encoding="utf-8")
        if name == "meta":
            meta = content
    for asset in _ASSETS:
        (folder / asset).write_text(_asset(asset), encoding="utf-8")
    trust = f"{home.rpartition('/')[0] or '.'}/{_TRUST}"
    for kind, title in {"index": "Explorer", **{k: t for k, (t, _) in TITLES.items()}}.items():
        filled = _filled(
            "page.html", kind=kind, title=html.escape(title), home=html.escape(home),
            trust=html.escape(trust), note=html.escape(meta["note"]), tabs=_tabs(kind),
        )  # fmt: skip
        (folder / f"{kind}.html").write_text(filled, encoding="utf-8")


def _tabs(current: str) -> str:
    mark = ' aria-current="page"'
    return "".join(
        f'<a href="{kind}.html"{mark if kind == current else ""}>{title}</a>'
        for kind, (title, _) in TITLES.items()
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text("utf-8")


def _filled(asset: str, **values: str) -> str:
    text = _asset(asset)
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


# A single table -----------------------------------------------------------------------------------


class TableView:
    """What `view_table` returns: shows its `table` in a notebook and in a built page."""

    def __init__(self, table: pd.DataFrame, caption: str):
        self.table, self._caption = table, caption

    def __repr__(self) -> str:
        return f"{self._caption}\n{self.table}"

    def _repr_html_(self) -> str:
        """Whole table as HTML: readable and printable even where no script runs."""
        ident = f"nmc-table-{uuid.uuid5(uuid.NAMESPACE_OID, self.table.to_csv()).hex[:12]}"
        head = "".join(_heading(self.table[column], column) for column in self.table)
        body = "".join(_table_row(row) for row in self.table.itertuples(index=False))
        return _filled(
            "table.html", ident=ident, caption=html.escape(self._caption),
            note=html.escape(provenance.note()), total=str(len(self.table)), head=head, body=body,
        )  # fmt: skip


def view_table(table: pd.DataFrame, *, caption: str = "") -> TableView:
    """Show a table with a search box and headings that sort.

    Parameters
    ----------
    table : pandas.DataFrame
        Up to a few thousand rows; units are taken from the column names.
    caption : str
        One line above it.

    Returns
    -------
    TableView
        Shows itself in a notebook or a page.
    """
    return TableView(table.reset_index(drop=True), caption)


def _heading(values: pd.Series, column: str) -> str:
    kind = ' class="n"' if pd.api.types.is_numeric_dtype(values) else ""
    label = html.escape(units.label(column))
    return f'<th scope="col"{kind}><button type="button">{label}</button></th>'


def _table_row(row) -> str:
    return f"<tr>{''.join(_cell(value) for value in row)}</tr>"


def _cell(value) -> str:
    if pd.isna(value):
        return '<td class="n"></td>'
    if isinstance(value, (int, float)):
        return f'<td class="n">{value:,.6g}</td>' if abs(value) < 1e6 else f"<td>{value:,.0f}</td>"
    return f"<td>{html.escape(str(value))}</td>"
