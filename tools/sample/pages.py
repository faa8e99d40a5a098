"""Fact sheet pages in the structure of the portal's, and the JSON trees behind its menus.

Labels stand in ``dt``, values in ``dd.factsheet-value`` with a ``span.factsheet-unit``, lists in
tables of ``div.smwbar`` and ``span.smwbarvalue``: what a reader of those pages relies on.  Texts
and styling are the sample's own; numbers are those of the JSON files, rounded as the portal
rounds, with the planted disagreements only where `sheets.PLANTED` says so.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

import pandas as pd
from nmc import layout, names
from nmc.factsheets import models as sheets_of_models

from tools.sample import sheets as wrong
from tools.sample.biophysics import channel_densities
from tools.sample.sheets import write_json

NOTE = '<p class="nmc-invented">Synthetic sample: every number is invented.</p>'
_ETYPES = "No. of neurons per electrical types"
_UNITS = {
    "Microcircuit volume": "mm³", "No. of neurons": "neurons", "No. of s-types": "types",
    "No. of unique types of synaptic connections between m-types": "connection types",
    "No. of unique types of synaptic connections between me-types": "connection types",
    "No. of intrinsic connections": "connections", "No. of intrinsic synapses": "synapses",
    "No. of extrinsic connections": "connections", "No. of extrinsic synapses": "synapses",
    "No. of neurons per layer": "neurons", "Layer thicknesses": "µm",
    "Neuron densities": "neurons/mm³",
    "total axonal length": "µm", "total axonal volume": "µm³", "total dendritic length": "µm",
    "dendritic length": "µm", "total dendritic volume": "µm³",
    "synapse density": "synapses/ mm³",
}  # fmt: skip
#: Label of a pathway page → name in the physiology file, unit.
_RESPONSE = {
    "gSyn": ("gsyn", "nS"), "u": ("u", ""), "d": ("d", "ms"), "f": ("f", "ms"),
    "risetime": ("risetime", "ms"), "latency": ("latency", "ms"), "decay": ("decay", "ms"),
    "failures": ("failures", "%"), "PSP amplitude": ("epsp", ""),
    "CV of PSP amplitude": ("cv_psp_amplitude", ""),
}  # fmt: skip


def write(folder: Path, path: str, text: str) -> None:
    """Write one page below the root of a tree."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def printed(value: float, digits: int = 5) -> str:
    """A number as the sheets print it: significant digits, thousands separated."""
    number = float(f"{value:.{digits}g}")
    return f"{int(number):,}" if number.is_integer() else f"{number:,.10f}".rstrip("0")


# Pieces ----------------------------------------------------------------------------------------


def _label(label: str) -> str:
    return (
        f'<dt> <span class="smw-tooltip" title="{escape(label)}">{escape(label)}'
        '<sup class="smw-tooltip-hint">?</sup></span> </dt> '
    )


def _fact(label: str, value: str, unit: str = "") -> str:
    return (
        f'{_label(label)}<dd class="factsheet-value">{escape(value)} '
        f'<span class="factsheet-unit">{unit}</span> </dd>'
    )


def _bars(label: str, values: Mapping[str, float], unit: str = "") -> str:
    rows = "".join(
        f'<tr> <td> <div class="smwbar">{escape(name)}</div> </td> <td><span class="smwbarvalue">'
        f'{printed(value, 8)}</span> <span class="factsheet-unit">{unit}</span></td> </tr> '
        for name, value in values.items()
    )
    return f'{_label(label)}<dd> <table class="table smwbartable"> {rows}</table> </dd>'


def _section(title: str, facts: Iterable[str]) -> str:
    head = f"<h6>{escape(title)}</h6> " if title else ""
    return f'{head}<dl class="dl-horizontal"> {" ".join(facts)} </dl>'


def _sheet(title: str, sections: Iterable[str]) -> str:
    return (
        f'<div> <h3> {escape(title)}</h3> <div class="smw-panel-highlight"> {" ".join(sections)} '
        f"</div> {NOTE} </div>\n"
    )


def _entries(facts: Mapping[str, object]) -> list[str]:
    out = []
    for label, value in facts.items():
        unit = _UNITS.get(label, "")
        if isinstance(value, dict):
            out.append(_bars(label, value, unit))
        elif isinstance(value, str):
            out.append(_fact(label, value, unit))
        else:
            out.append(
                _fact(label, f"{value:,}" if isinstance(value, int) else printed(value), unit)
            )
    return out


# Circuit, layers, m-types ----------------------------------------------------------------------


def write_pages(folder: Path, circuit: dict[str, object], sheets: dict[str, dict[str, object]],
                metypes: pd.DataFrame, sizes: pd.DataFrame) -> None:  # fmt: skip
    """Write the pages of circuit, layers, m-types and synaptomes below ``folder``.

    ``circuit`` and ``sheets`` come from `sheets.circuit_facts` and `sheets.layer_facts`;
    ``metypes`` are cells by me-type (rows) and layer, ``sizes`` the mean cell of each me-type.
    """
    title = "Microcircuit fact sheet"
    body = _sheet(title, [_section("", _entries(circuit))])
    write(folder, layout.CIRCUIT_PAGE,
          f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
          f"</head>\n<body>\n{body}</body>\n</html>\n")  # fmt: skip
    for layer in names.LAYERS:
        page = _sheet(f"Layer fact sheet - {layer}", _layer_sections(layer, sheets))
        write(folder, layout.layer_page(layer), page)
    cells = metypes.sum(axis=1)
    totals = sizes.loc[cells.index].mul(cells, axis=0)
    owner = cells.index.str.rpartition("_").get_level_values(0)
    for mtype in names.MTYPES:
        mine = owner == mtype
        _write_mtype(folder, mtype, cells[mine], totals[mine].sum())


def _layer_sections(layer: str, sheets: dict[str, dict[str, object]]) -> list[str]:
    """A layer's sections; the page of L23 has layers 2 and 3 apart, each with its own key."""

    def halves(head: str, facts: dict[str, object]) -> list[str]:
        shape = _entries({k: v for k, v in facts.items() if k != _ETYPES})
        kinds = _entries({_ETYPES: facts[_ETYPES]})
        return [_section(f"{head}anatomy", shape), _section(f"{head}physiology", kinds)]

    def renamed(facts: dict[str, object], old: str, new: str) -> dict[str, object]:
        return {new if k == old else k: v for k, v in facts.items()}

    if layer != "L23":
        return [s.replace("<h6>a", "<h6>A").replace("<h6>p", "<h6>P")
                for s in halves("", sheets[layer])]  # fmt: skip
    pathways = renamed(sheets["L23"], "No. of possible pathways", "number of possible pathways")
    third = renamed(sheets["L3"], "total dendritic length", "dendritic length")
    return [_section("L23 anatomy", _entries(pathways)), *halves("L2 ", sheets["L2"]),
            *halves("L3 ", third)]  # fmt: skip


def _write_mtype(folder: Path, mtype: str, metypes: pd.Series, totals: pd.Series) -> None:
    """Write an m-type's summary, details and synaptome pages; dendrites as one without apical."""
    shown = names.portal_mtype(mtype)
    apical = totals["apical_length_um"] > 0
    parts = {"apical": "apical", "axon": "axon", "basal": "basal"}
    facts = [
        _fact(f"total {label} {size}", printed(float(totals[f"{part}_{size}_{unit}"])), text)
        for label, part in (parts if apical else {"axon": "axon", "dendritic": "basal"}).items()
        for size, unit, text in (("length", "um", "µm"), ("volume", "um3", "µm³"))
    ]
    shapes = _section("Anatomy", facts)
    counts = {names.portal_metype(me): int(n) for me, n in metypes.items()}
    kinds = _section("Physiology", [_bars("No. of cells per electrical types", counts, "neurons")])
    write(folder, layout.mtype_page(mtype), _sheet(f"m-type fact sheet - {shown}", [shapes, kinds]))
    head = f'<h3 id="title"> m-type fact sheet - {shown}</h3> <div id="content"> '
    write(folder, layout.mtype_page(mtype, details=True),
          f'{head}<div class="smw-panel-highlight"> {shapes} </div> {NOTE} </div>\n')  # fmt: skip
    write(folder, layout.synaptome_page(mtype),
          f'<h3 id="title"> Synaptome - {shown}</h3> <div id="content"> '
          f'<div class="smw-synaptome"> </div> {NOTE} </div>\n')  # fmt: skip


# Models ----------------------------------------------------------------------------------------


def summary_json(rest: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Content of the models' summary: numbers as text of six digits, with units.

    The file itself was never found; its form is taken from what a package's own script writes.
    """
    content = {}
    for model, row in rest.iterrows():
        entry = {}
        for field, (column, unit, *_) in sheets_of_models.SUMMARY.items():
            entry[field], entry[f"{field}_Units"] = f"{row[column]:.6g}", unit
        content[model] = entry
    model, factor = wrong.WRONG_RIN
    content[model]["Rin"] = f"{factor * rest.loc[model, 'input_resistance_MOhm']:.6g}"
    return content


def write_model_pages(folder: Path, anatomy: pd.DataFrame, rest: pd.DataFrame) -> None:
    """Write the 207 me-type pages, five models each (`packages.anatomy_table`, `rest_table`)."""
    for metype in names.METYPES:
        mtype, _, etype = metype.rpartition("_")
        models = [names.Model(mtype, etype, k) for k in names.INSTANCES]
        channels = _channel_table(models[0])
        heads, tabs = [], []
        for k, model in enumerate(models):
            shape = escape(str(anatomy.loc[model.name, "morphology"]))
            heads.append(
                f'<li title="{shape}" class="smw-tab-selector{"" if k else " active"}" '
                f'data-tab="smw-tab-{k}"><a href="#">{shape[:25]}...</a></li>'
            )
            tab = _tab(model, anatomy.loc[model.name], rest.loc[model.name], channels)
            active = "" if k else " smw-active-tab"
            tabs.append(f'<div class="smw-tab-{k}{active} smw-tab"> {tab} </div>')
        write(folder, layout.metype_page(metype),
              f'<h3 id="title"> me-type fact sheet - {names.portal_metype(metype)}</h3> '
              '<div id="content"> <div class="smw-details-view"> '
              f'<ul id="tabs" class="nav nav-tabs" data-tabs="tabs"> {" ".join(heads)} </ul> '
              f'<div class="tab-content"> {" ".join(tabs)} </div> </div> {NOTE} '
              "</div>\n")  # fmt: skip


def _tab(model: names.Model, shape: pd.Series, rest: pd.Series, channels: str) -> str:
    def column(title: str, table: pd.Series, facts: Mapping, digits: int) -> str:
        entries = " ".join(
            f"<dt title='{label}'>{label}</dt> <dd class=\"factsheet-value\">"
            f'{printed(table[name], digits)} <span class="factsheet-unit">{unit}</span>'
            for label, (name, unit, *_) in facts.items()
            if pd.notna(table[name])
        )
        return (f'<div class="span3"> <h6 class="title-fact">{title}</h6> '
                f'<dl class="smaller-fact"> {entries} </dl> </div>')  # fmt: skip

    name = model.name.replace(model.mtype, names.portal_mtype(model.mtype), 1)
    package = f"./{layout.STATIC}/METypes/{names.portal_metype(model.metype)}/{name}.zip"
    return (
        '<div class="smw-panel-highlight"> <div class="row-fluid"> '
        f"{column('Anatomy', shape, sheets_of_models.ANATOMY_FACTS, 2)} "
        f"{column('Physiology', rest, sheets_of_models.PHYSIOLOGY_FACTS, 5)} "
        f'<div class="span6"> <h6 class="title-fact">Channel mechanisms</h6> {channels} '
        f'<a class="btn smw-detail-button" href="{package}">download model</a> </div> </div> </div>'
    )


def _channel_table(model: names.Model) -> str:
    table = channel_densities(model.name)
    table = table[table["mechanism"] != "pas"]
    by_list = {k: part.drop(columns="section_list").reset_index(drop=True)
               for k, part in table.groupby("section_list", sort=False)}  # fmt: skip
    if by_list["basal"].equals(by_list["apical"]):
        by_list["dendrite"] = by_list.pop("basal")
        del by_list["apical"]
    planted = wrong.WRONG_DENSITIES[1] if model.metype == wrong.WRONG_DENSITIES[0] else {}
    rows = []
    for name in ("dendrite", "basal", "apical", "axonal", "somatic"):
        if name not in by_list:
            continue
        links = []
        for mechanism, part in by_list[name].groupby("mechanism", sort=False):
            spans = "".join(
                _span(row, mechanism, planted.get(name, {})) for row in part.itertuples()
            )
            links.append(f'<a class="smw-equation" href="#"> {spans}{mechanism}</a>')
        rows.append(f'<tr> <td style="width: 20%">{name}</td> <td> {" ".join(links)} </td> </tr>')
    head = '<thead> <th style="width: 20%">sections</th> <th>mechanisms</th> </thead>'
    body = f'<table class="table"> {head} {" ".join(rows)} </table>'
    return f'<dl class="channel-fact"> <dd> {body} </dd> </dl>'


def _span(row, mechanism: str, planted: dict[str, float]) -> str:
    text, kind = f"{row.value * planted.get(row.parameter, 1.0):.6f}", "uniform"
    if "exp(" in row.formula:  # the portal's pages write the distance as x
        text, kind = f"{text}*(-0.8696 + 2.087*exp(x*0.0031))", "exponential"
    label = row.parameter.removesuffix(f"_{mechanism}")
    return f'<span data-equation="{text}" data-latex="{text}" data-name="{kind}">{label}</span> '


# Pathways --------------------------------------------------------------------------------------


def write_pathway_pages(folder: Path, anatomy: dict, physiology: dict) -> None:
    """Write ``pathway.tar.gz`` from the content of the two pathway files.

    A page is named by the portal's spelling of its m-types; under the other spelling of L1_SLAC
    and L1_DLAC stands an empty page, as in the portal's tree.
    """
    target = folder / layout.PATHWAY_PAGES
    target.parent.mkdir(parents=True, exist_ok=True)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in _pathway_members(anatomy, physiology):
            info = tarfile.TarInfo(f"pathway/{name}.html")
            info.size, info.mode = len(text.encode()), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    # A fixed time in the header keeps the bytes the same from run to run.
    target.write_bytes(gzip.compress(plain.getvalue(), compresslevel=0, mtime=0))


def _pathway_members(anatomy: dict, physiology: dict) -> Iterator[tuple[str, str]]:
    wrong_key, field, factor = wrong.WRONG_PATHWAY
    for key in sorted(anatomy):
        pre, post = names.parse_pathway(key)
        name = f"{names.portal_mtype(pre)}-{names.portal_mtype(post)}"
        shape = dict(anatomy[key])
        if key == wrong_key:
            shape[field] *= factor
        yield name, _pathway_page(name, shape, physiology[key])
        if name != f"{pre}-{post}":
            yield f"{pre}-{post}", ""


def _pathway_page(name: str, shape: dict, response: dict) -> str:
    def pair(label: str, mean: float, std: float, unit: str = "") -> str:
        return _fact(f"{label} (mean ± std)", f"{printed(mean, 2)} ± {printed(std, 2)}", unit)

    first = [
        _fact("total synapse count", printed(shape["total_synapse_count"]), "synapses"),
        _fact("connection probability", printed(shape["connection_probability"], 2), "%"),
        _fact("common neighbor bias", printed(shape["common_neighbor_bias"], 2)),
        *(
            pair(f"No. of {way} neurons", shape[f"number_of_{way}_neuron_mean"],
                 shape[f"number_of_{way}_neuron_std"])
            for way in ("convergent", "divergent")
        ),
        pair("No. of synapse per connection", shape["mean_number_of_synapse_per_connection"],
             shape["number_of_synapse_per_connection_std"], "synapses"),
    ]  # fmt: skip
    second = [_fact("synapse type", response["synapse_type"])]
    for label, (field, unit) in _RESPONSE.items():
        second.append(pair(label, response[f"{field}_mean"], response[f"{field}_std"], unit))
    factor = response["space_clamp_correction_factor"]
    clamp = factor if isinstance(factor, str) else printed(factor, 2)
    second.insert(5, _fact("space clamp correction factor", clamp))
    sections = [_section("Anatomy", first), _section("Physiology", second)]
    return _sheet(f"Pathway fact sheet - {name}", sections)


# Menus -----------------------------------------------------------------------------------------


def write_menus(folder: Path, anatomy: pd.DataFrame) -> None:
    """Write the JSON trees behind the portal's menus and flow diagrams.

    The totals with outside partners of `anatomy.measure` are what the flow diagrams show.
    """
    flows = {
        "pathway_count": pd.Series(1, index=anatomy.index),
        "nb_connection": anatomy["all_connections"],
        "total_synapse": anatomy["all_synapses"],
    }
    content: dict[str, object] = {name: _flow_tree(values) for name, values in flows.items()}
    content["main"] = {"L_L": content["pathway_count"]["L_L"]}
    content["download_tree"] = _download_tree()
    content["connectome"] = _connectome_menu()
    content["metypes"] = [names.portal_metype(me) for me in names.METYPES]
    content["pathways_list"] = list(anatomy.index)
    for name in layout.TREE_NAMES:
        write_json(folder / layout.tree(name), content[name])


def _download_tree() -> list[dict]:
    """Layers → m-types → me-types → packages, as the portal's model menu."""
    models = [names.parse_model(name) for name in names.model_names()]
    number = {model.name: k + 1 for k, model in enumerate(models)}

    def of_mtype(mtype: str) -> dict:
        nodes = []
        for etype in names.etypes_of(mtype):
            mine = [m.name for m in models if m.mtype == mtype and m.etype == etype]
            leaves = [{"text": f"{name}.zip", "file_id": number[name]} for name in mine]
            nodes.append({"text": f"{names.portal_mtype(mtype)}:{etype}", "nodes": leaves})
        return {"text": names.portal_mtype(mtype), "nodes": nodes}

    return [
        {"text": layer, "nodes": [of_mtype(m) for m in names.MTYPES if names.layer_of(m) == layer]}
        for layer in names.LAYERS
    ]


def _connectome_menu() -> list[dict]:
    """The 77 instances and 9 group archives of the portal's connectome menu, with its addresses."""
    base = "https://bbp.epfl.ch/public/nmc-models/pathways_stripped_prod"  # as the portal has it

    def leaf(path: str) -> dict:
        below = path.removeprefix(f"{layout.CONNECTOME}/")
        return {"url": f"{base}/{below}", "text": below.rsplit("/", 1)[-1]}

    def group(kind: str, what: str, nodes: list[dict], path: str) -> list[dict]:
        head = {"text": f"{kind}: synthetic stand-ins for {what}.", "nodes": nodes}
        return [head, leaf(f"{layout.CONNECTOME}/{path}_full.tar")]

    mcs = layout.MICROCIRCUITS
    animals = []
    for animal in layout.ANIMALS:
        nodes = [leaf(layout.individual(animal, mc)) for mc in mcs]
        animals.append({"text": f"pathways_{animal}", "nodes": nodes})
        animals.append(leaf(f"{layout.CONNECTOME}/individuals/pathways_{animal}_full.tar"))
    controls = [leaf(layout.control(mc, k)) for mc in mcs for k in layout.CONTROL_INSTANCES]
    return [
        *group("AVERAGE", "the average instances", [leaf(layout.average(mc)) for mc in mcs],
               "average"),
        *group("CONTROLS", "the control instances", controls, "controls"),
        *group("INDIVIDUALS", "single animals", animals, "individuals"),
    ]  # fmt: skip


def _flow_tree(values: pd.Series) -> dict:
    """Nodes and links of the portal's flow diagrams.

    Eight views: by layer (``L``), by the m-types of one layer (``ML``), of one m-type (``m``) to
    all m-types (``M``) or to layers.  Left nodes come first; a link names two nodes and a value.
    """
    flows = pd.DataFrame({"value": values.astype(int)})
    ends = pd.DataFrame([names.parse_pathway(k) for k in flows.index], flows.index, ["pre", "post"])
    for end in ("pre", "post"):
        flows[f"{end}_layer"] = ends[end].map(names.layer_of)
        flows[end] = ends[end].map(names.portal_mtype)
    mtypes = sorted(names.portal_mtype(m) for m in names.MTYPES)
    layers = list(names.LAYERS)
    of_layer = {k: [m for m in mtypes if m.startswith(f"{k}_")] for k in layers}
    out, into = ({k: flows[flows[f"{end}_layer"] == k] for k in layers} for end in ("pre", "post"))
    tree: dict[str, dict] = {
        "ML_L": {k: _view(out[k], "pre", "post_layer", of_layer[k], layers) for k in layers},
        "L_ML": {k: _view(into[k], "pre_layer", "post", layers, of_layer[k]) for k in layers},
        "ML_ML": {
            a: {b: _view(out[a][out[a]["post_layer"] == b], "pre", "post", of_layer[a], of_layer[b])
                for b in layers}
            for a in layers
        },
        "L_L": _view(flows, "pre_layer", "post_layer", layers, layers),
    }  # fmt: skip
    for view, mine, other in (("m_M", "pre", "post"), ("m_L", "pre", "post_layer"),
                              ("M_m", "post", "pre"), ("L_m", "post", "pre_layer")):  # fmt: skip
        tree[view] = {}
        for mtype in mtypes:
            rows = flows[flows[mine] == mtype]
            others = sorted(rows[other].unique())
            ways = (
                (mine, other, [mtype], others) if mine == "pre" else (other, mine, others, [mtype])
            )
            tree[view][mtype] = _view(rows, *ways)
    return tree


def _view(flows: pd.DataFrame, left: str, right: str, lefts: list[str], rights: list[str]) -> dict:
    totals = flows.groupby([left, right], sort=False)["value"].sum()
    source = {name: k for k, name in enumerate(lefts)}
    target = {name: len(lefts) + k for k, name in enumerate(rights)}
    links = [{"source": source[a], "target": target[b], "value": int(v)}
             for (a, b), v in totals.items()]  # fmt: skip
    return {"nodes": [{"name": n} for n in [*lefts, *rights]], "links": links}
