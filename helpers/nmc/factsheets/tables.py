"""Tables to search and sort in the page itself, and the portal's selector, live in a notebook."""

from __future__ import annotations

import html
import json
import uuid
from importlib.resources import files

import pandas as pd

from nmc import names, units
from nmc.data import provenance


class TableView:
    """What `view_table` returns: shows its `table` in a notebook and in a built page."""

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
        template = (files(__package__) / "table.html").read_text("utf-8")
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


_SHOWN = (
    "morphology", "resting_membrane_potential_mV", "input_resistance_MOhm",
    "membrane_time_constant_ms", "axon_length_um", "basal_length_um", "soma_diameter_um",
)  # fmt: skip


def choose_model(models: pd.DataFrame, model: str = "L5_TTPC1_cADpyr232_1"):
    """Build a search box and menus that lead from a layer to one model.

    Parameters
    ----------
    models : pandas.DataFrame
        From `nmc.load_models`.
    model : str
        Chosen at first.

    Returns
    -------
    ipywidgets.VBox
        Its attribute ``model`` is the name of the model now chosen; ``search`` is the box to
        type parts of a name in, in any order, and ``found`` the list of models that have them.

    Raises
    ------
    UnknownNameError
        When there is no model of that name.
    """
    import ipywidgets as widgets
    import traitlets

    first = names.parse_model(model)
    table = models.set_index("model")
    text = (table.index + " " + table["morphology"]).str.lower()

    class Selector(widgets.VBox):
        """A search box, its hits, four menus and a sheet."""

        model = traitlets.Unicode(first.name)

    search = widgets.Text(placeholder="L5 TTPC1", description="search")
    count = widgets.Label()
    found = widgets.Select(rows=6, description="found")
    layer = widgets.Dropdown(options=names.LAYERS, description="layer")
    mtype = widgets.Dropdown(description="m-type")
    etype = widgets.Dropdown(description="e-type")
    instance = widgets.Dropdown(options=names.INSTANCES, description="model")
    sheet = widgets.HTML()
    box = Selector([
        widgets.HBox([layer, mtype]), widgets.HBox([etype, instance]), sheet,
        widgets.HBox([search, count]), found,
    ])  # fmt: skip
    box.search, box.found = search, found

    def find(_=None) -> None:
        hits = text.index[[all(w in one for w in search.value.lower().split()) for one in text]]
        count.value = f"{len(hits):,} of {len(table):,} models"
        found.unobserve_all("value")  # a list that changes picks its first by itself
        found.options = list(hits)
        found.value = box.model if box.model in hits else None
        found.observe(pick, "value")

    def fill_mtypes(_=None) -> None:
        mtype.options = [name for name in names.MTYPES if names.layer_of(name) == layer.value]

    def fill_etypes(_=None) -> None:
        if mtype.value:
            etype.options = names.etypes_of(mtype.value)

    def go_to(parsed: names.Model) -> None:
        layer.value, mtype.value = parsed.layer, parsed.mtype
        etype.value, instance.value = parsed.etype, parsed.instance

    def pick(change) -> None:
        if change["new"]:
            go_to(names.parse_model(change["new"]))

    def show(_=None) -> None:
        if mtype.value and etype.value:
            box.model = names.Model(mtype.value, etype.value, instance.value).name
            sheet.value = _sheet(box.model, table.loc[box.model])

    layer.observe(fill_mtypes, "value")
    mtype.observe(fill_etypes, "value")
    for menu in (mtype, etype, instance):
        menu.observe(show, "value")
    search.observe(find, "value")
    fill_mtypes()
    fill_etypes()
    go_to(first)
    show()
    find()
    return box


def _sheet(model: str, row: pd.Series) -> str:
    lines = [
        f"<tr><td>{units.label(column)}</td><td><b>{_printed(row[column])}</b></td></tr>"
        for column in _SHOWN
    ]
    return f"<h4>{model}</h4><table>{''.join(lines)}</table>"


def _printed(value) -> str:
    return value if isinstance(value, str) else f"{value:,.6g}"
