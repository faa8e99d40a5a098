"""A table to search and sort in the page itself, without a library or a network."""

from __future__ import annotations

import html
import json
import uuid
from importlib.resources import files

import pandas as pd

from nmc import units
from nmc.data import provenance

#: Columns of the list of models.
MODEL_COLUMNS = (
    "model", "etype", "resting_membrane_potential_mV", "input_resistance_MOhm",
    "membrane_time_constant_ms", "axon_length_um", "basal_length_um",
)  # fmt: skip


class TableView:
    """What `view_table` returns: shows itself in a notebook and in a built page.

    Attributes
    ----------
    table : pandas.DataFrame
        What is shown.
    """

    def __init__(self, table: pd.DataFrame, caption: str, height_px: int):
        self.table = table
        self._caption = caption
        self._height_px = height_px

    def __repr__(self) -> str:
        return f"{self._caption}\n{self.table}"

    def _repr_html_(self) -> str:
        """Whole table as HTML: readable and printable even where no script runs."""
        ident = f"nmc-table-{uuid.uuid5(uuid.NAMESPACE_OID, self.table.to_csv()).hex[:12]}"
        head = "".join(_head(self.table[column], column) for column in self.table)
        body = "".join(_row(row) for row in self.table.itertuples(index=False))
        template = (files(__package__) / "table_view.html").read_text("utf-8")
        filled = {
            "ident": ident,
            "caption": html.escape(self._caption),
            "note": html.escape(provenance.note()),
            "height": str(self._height_px),
            "total": json.dumps(len(self.table)),
            "head": head,
            "body": body,
        }
        for name, text in filled.items():
            template = template.replace("{{" + name + "}}", text)
        return template


def view_table(table: pd.DataFrame, *, caption: str = "", height_px: int = 420) -> TableView:
    """Show a table with a search box and headings that sort.

    Parameters
    ----------
    table : pandas.DataFrame
        Up to a few thousand rows; units are taken from the column names.
    caption : str
        One line above it.
    height_px : int
        Height of the part that scrolls.

    Returns
    -------
    TableView
        Shows itself in a notebook or a page.
    """
    return TableView(table.reset_index(drop=True), caption, height_px)


def view_models(models: pd.DataFrame, columns: tuple[str, ...] = MODEL_COLUMNS) -> TableView:
    """Show models as a table to search and sort.

    Parameters
    ----------
    models : pandas.DataFrame
        From `nmc.load_models`, whole or chosen from.
    columns : tuple of str
        Which columns.

    Returns
    -------
    TableView
        Shows itself in a notebook or a page.
    """
    return view_table(models[list(columns)], caption=f"{len(models):,} models")


def _head(values: pd.Series, column: str) -> str:
    kind = ' class="n"' if pd.api.types.is_numeric_dtype(values) else ""
    label = html.escape(units.label(column))
    return f'<th scope="col"{kind}><button type="button">{label}</button></th>'


def _row(row) -> str:
    return f"<tr>{''.join(_cell(value) for value in row)}</tr>"


def _cell(value) -> str:
    if pd.isna(value):
        return '<td class="n"></td>'
    if isinstance(value, (int, float)):
        return f'<td class="n">{value:,.6g}</td>' if abs(value) < 1e6 else f"<td>{value:,.0f}</td>"
    return f"<td>{html.escape(str(value))}</td>"
