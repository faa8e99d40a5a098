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
import tomllib
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

#: Kind → its title and name, and which of its columns are listed or hidden.
KINDS = tomllib.loads((files(__package__) / "explorer.toml").read_text("utf-8"))


def shards() -> Iterator[tuple[str, Any]]:
    """Yield every shard of the explorer, read through the source in use."""
    tables = _tables()
    kinds = ("layer", "mtype", "metype", "model")
    yield "names", {kind: tables[kind][kind].astype(str).tolist() for kind in kinds}
    for kind in ("layer", "mtype", "metype"):
        yield kind, _packed(tables[kind])
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
    kinds = {}
    for kind, about in KINDS.items():
        shown = [column for column in tables[kind] if column not in about["hidden"]]
        columns = {c: {"label": units.name_of(c), "unit": units.unit_of(c)} for c in shown}
        told = {name: about[name] for name in ("title", "singular", "listed")}
        kinds[kind] = told | {"count": len(tables[kind]), "columns": columns}
    return {"note": provenance.note(), "invented": bool(registry.invented()), "kinds": kinds}


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
    for kind, about in {"index": {"title": "Explorer"}, **KINDS}.items():
        filled = _filled(
            "page.html", {"tabs": _tabs(kind)}, kind=kind, title=about["title"], home=home,
            trust=trust, note=meta["note"],
        )  # fmt: skip
        (folder / f"{kind}.html").write_text(filled, encoding="utf-8")


def _tabs(current: str) -> str:
    mark = ' aria-current="page"'
    return "".join(
        f'<a href="{kind}.html"{mark if kind == current else ""}>{about["title"]}</a>'
        for kind, about in KINDS.items()
    )


def _asset(name: str) -> str:
    return (files(__package__) / "assets" / name).read_text("utf-8")


def _filled(asset: str, markup: dict[str, str], **texts: str) -> str:
    """Fill a template with markup, and with texts that are none."""
    filled = _asset(asset)
    for name, value in (markup | {name: html.escape(text) for name, text in texts.items()}).items():
        filled = filled.replace("{{" + name + "}}", value)
    return filled


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
        rows = self.table.itertuples(index=False)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
        return _filled(
            "table.html", {"head": head, "body": body}, ident=ident, caption=self._caption,
            note=provenance.note(), total=str(len(self.table)),
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


def _cell(value) -> str:
    if pd.isna(value):
        return '<td class="n"></td>'
    if isinstance(value, (int, float)):
        return f'<td class="n">{value:,.6g}</td>' if abs(value) < 1e6 else f"<td>{value:,.0f}</td>"
    return f"<td>{html.escape(str(value))}</td>"
