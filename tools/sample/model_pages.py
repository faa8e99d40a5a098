"""Me-type pages, and the summary of rest, resistance and time constant of all models.

What they print is what the sample's own packages hold or give: shapes and channel densities are
read off the generator, rest from its cable theory (`tools.sample.cells`).
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import pandas as pd
from nmc import labels, layout, names

from tools.sample import markup
from tools.sample import planted as wrong
from tools.sample.cells import channel_densities
from tools.sample.markup import printed
from tools.sample.pages import write


def summary_json(rest: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Content of the models' summary: numbers as text of six digits, with units.

    The file itself was never found; its form is taken from what a package's own script writes.
    """
    content = {}
    for model, row in rest.iterrows():
        entry = {}
        for field, (column, unit) in labels.MODEL_SUMMARY.items():
            entry[field], entry[f"{field}_Units"] = f"{row[column]:.6g}", unit
        content[model] = entry
    model, factor = wrong.WRONG_RIN
    content[model]["Rin"] = f"{factor * rest.loc[model, 'input_resistance_MOhm']:.6g}"
    return content


def write_model_pages(folder: Path, anatomy: pd.DataFrame, rest: pd.DataFrame) -> None:
    """Write the 207 me-type pages, five models each.

    Parameters
    ----------
    folder : Path
        Root of the tree.
    anatomy, rest : DataFrame
        Index model; from `cells.expected_anatomy` and `cells.expected_rest`.
    """
    channels: dict[tuple[str, str], str] = {}
    for metype in names.METYPES:
        mtype, _, etype = metype.rpartition("_")
        models = [names.Model(mtype, etype, k) for k in names.INSTANCES]
        special = mtype if metype == wrong.WRONG_DENSITIES[0] else ""
        key = (models[0].etype_id, special)
        if key not in channels:
            channels[key] = _channel_table(models[0])
        tabs = [_tab(m, anatomy.loc[m.name], rest.loc[m.name], channels[key]) for m in models]
        write(folder, layout.metype_page(metype), _page(metype, models, anatomy, tabs))


def _page(metype: str, models: list[names.Model], anatomy: pd.DataFrame, tabs: list[str]) -> str:
    heads = []
    for k, model in enumerate(models):
        shape = escape(str(anatomy.loc[model.name, "morphology"]))
        active = " active" if k == 0 else ""
        heads.append(f'<li title="{shape}" class="smw-tab-selector{active}" '
                     f'data-tab="smw-tab-{k}"><a href="#">{shape[:25]}...</a></li>')  # fmt: skip
    shown = " ".join(
        f'<div class="smw-tab-{k}{" smw-active-tab" if k == 0 else ""} smw-tab"> {tab} </div>'
        for k, tab in enumerate(tabs)
    )
    return (
        f'<h3 id="title"> me-type fact sheet - {names.portal_metype(metype)}</h3> '
        '<div id="content"> <div class="smw-details-view"> '
        f'<ul id="tabs" class="nav nav-tabs" data-tabs="tabs"> {" ".join(heads)} </ul> '
        f'<div class="tab-content"> {shown} </div> </div> {markup.NOTE} </div>\n'
    )


def _tab(model: names.Model, shape: pd.Series, rest: pd.Series, channels: str) -> str:
    anatomy = [_fact(k, printed(shape[c], 2), u) for k, (c, u) in labels.MODEL_ANATOMY.items()
               if pd.notna(shape[c])]  # fmt: skip
    physiology = [_fact(k, printed(rest[c], 5), u) for k, (c, u) in labels.MODEL_PHYSIOLOGY.items()]
    metype = names.portal_metype(model.metype)
    name = model.name.replace(model.mtype, names.portal_mtype(model.mtype), 1)
    package = f"./{layout.STATIC}/METypes/{metype}/{name}.zip"
    return (
        '<div class="smw-panel-highlight"> <div class="row-fluid"> '
        f"{_column('Anatomy', anatomy)} {_column('Physiology', physiology)} "
        f'<div class="span6"> <h6 class="title-fact">Channel mechanisms</h6> {channels} '
        f'<a class="btn smw-detail-button" href="{package}">download model</a> </div> </div> </div>'
    )


def _column(title: str, facts: list[str]) -> str:
    return (
        f'<div class="span3"> <h6 class="title-fact">{title}</h6> '
        f'<dl class="smaller-fact"> {" ".join(facts)} </dl> </div>'
    )


def _fact(label: str, value: str, unit: str) -> str:
    return (
        f"<dt title='{label}'>{label}</dt> <dd class=\"factsheet-value\">{value} "
        f'<span class="factsheet-unit">{unit}</span>'
    )


def _channel_table(model: names.Model) -> str:
    table = channel_densities(model.name)
    table = table[table["mechanism"] != "pas"]
    by_list = {k: part for k, part in table.groupby("section_list", sort=False)}
    if _same(by_list.get("basal"), by_list.get("apical")):
        by_list["dendrite"] = by_list.pop("basal")
        by_list.pop("apical")
    planted = wrong.WRONG_DENSITIES[1] if model.metype == wrong.WRONG_DENSITIES[0] else {}
    rows = []
    for name in ("dendrite", "basal", "apical", "axonal", "somatic"):
        if name in by_list:
            cell = _mechanisms(by_list[name], planted.get(name, {}))
            rows.append(f'<tr> <td style="width: 20%">{name}</td> <td> {cell} </td> </tr>')
    head = '<thead> <th style="width: 20%">sections</th> <th>mechanisms</th> </thead>'
    return (
        f'<dl class="channel-fact"> <dd> <table class="table"> {head} {" ".join(rows)} </table> '
        "</dd> </dl>"
    )


def _same(one: pd.DataFrame | None, other: pd.DataFrame | None) -> bool:
    if one is None or other is None:
        return False
    columns = ["mechanism", "parameter", "formula"]
    return one[columns].reset_index(drop=True).equals(other[columns].reset_index(drop=True))


def _mechanisms(table: pd.DataFrame, planted: dict[str, float]) -> str:
    links = []
    for mechanism, part in table.groupby("mechanism", sort=False):
        spans = "".join(_span(row, mechanism, planted) for row in part.itertuples())
        links.append(f'<a class="smw-equation" href="#"> {spans}{mechanism}</a>')
    return " ".join(links)


def _span(row, mechanism: str, planted: dict[str, float]) -> str:
    value = row.value * planted.get(row.parameter, 1.0)
    text, kind = f"{value:.6f}", "uniform"
    if "exp(" in row.formula:  # the portal's pages write the distance as x
        text, kind = f"{value:.6f}*(-0.8696 + 2.087*exp(x*0.0031))", "exponential"
    label = row.parameter.removesuffix(f"_{mechanism}")
    return f'<span data-equation="{text}" data-latex="{text}" data-name="{kind}">{label}</span> '
