"""Fact sheet pages in the structure of the portal's, and the JSON trees behind its menus.

Labels stand in ``dt``, values in ``dd.factsheet-value`` with a ``span.factsheet-unit``, lists in
tables of ``div.smwbar`` and ``span.smwbarvalue``: what a reader of those pages relies on
(``templates/pages``).  Texts and styling are the sample's own; numbers are those of the JSON
files, rounded as the portal rounds, with the disagreements of ``planted.csv`` alone.
"""

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nmc import names
from nmc.data.registry import item, match
from nmc.factsheets import models as sheets_of_models
from nmc.factsheets.pathways import std_of
from nmc.factsheets.sheets import fields

from tools.sample import ANIMALS
from tools.sample import sheets as wrong
from tools.sample.packages import densities
from tools.sample.sheets import to_json, write

_PACKAGES = "./assets/documents/static/METypes"
NOTE = '<p class="nmc-invented">Synthetic sample: every number is invented.</p>'
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates" / "pages"),
    undefined=StrictUndefined,
)
#: Label, value (a mapping is a list of bars) and unit.
Fact = tuple[str, str | dict[str, str], str]
_ETYPES = "No. of neurons per electrical types"
_UNITS = {
    **{label: field.unit or "" for label, field in (fields("circuit") | fields("layer")).items()},
    "No. of neurons": "neurons", "No. of s-types": "types",
    "No. of unique types of synaptic connections between m-types": "connection types",
    "No. of unique types of synaptic connections between me-types": "connection types",
    "No. of intrinsic connections": "connections", "No. of intrinsic synapses": "synapses",
    "No. of extrinsic connections": "connections", "No. of extrinsic synapses": "synapses",
    "No. of neurons per layer": "neurons",
}  # fmt: skip


def render(template: str, **values) -> str:
    """Fill a page's template; white space in it is one blank, as in the portal's pages."""
    text = _PAGES.get_template(f"{template}.html").render(note=NOTE, **values)
    return " ".join(text.split()) + "\n"


def write_page(folder: Path, key: str, template: str, **values) -> None:
    """Write one page of a tree."""
    write(folder, f"page/{key}", render(template, **values))


def printed(value: float, digits: int = 5) -> str:
    """A number as the sheets print it: significant digits, thousands separated."""
    number = float(f"{value:.{digits}g}")
    return f"{int(number):,}" if number.is_integer() else f"{number:,.10f}".rstrip("0")


def _facts(values: Mapping[str, object]) -> list[Fact]:
    return [(label, _shown(value), _UNITS.get(label, "")) for label, value in values.items()]


def _shown(value) -> str | dict[str, str]:
    if isinstance(value, dict):
        return {name: printed(one, 8) for name, one in value.items()}
    return value if isinstance(value, str) else printed(value, 99 if isinstance(value, int) else 5)


# Circuit, layers, m-types ----------------------------------------------------------------------


def write_pages(folder: Path, circuit: dict[str, object], sheets: dict[str, dict[str, object]],
                metypes: pd.DataFrame, sizes: pd.DataFrame) -> None:  # fmt: skip
    """Write the pages of circuit, layers, m-types and synaptomes below ``folder``."""
    title = "Microcircuit fact sheet"
    body = render("sheet", title=title, sections=[("", _facts(circuit))])
    write(folder, "page/circuit",
          f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
          f"</head>\n<body>\n{body}</body>\n</html>\n")  # fmt: skip
    for layer in names.LAYERS:
        sections = _layer_sections(layer, sheets)
        title = f"Layer fact sheet - {layer}"
        write_page(folder, f"layer/{layer}", "sheet", title=title, sections=sections)
    cells = metypes.sum(axis=1)
    totals = sizes.loc[cells.index].mul(cells, axis=0)
    owner = cells.index.str.rpartition("_").get_level_values(0)
    for mtype in names.MTYPES:
        mine = owner == mtype
        _write_mtype(folder, mtype, cells[mine], totals[mine].sum())


def _layer_sections(layer: str, sheets: dict[str, dict]) -> list[tuple[str, list[Fact]]]:
    """A layer's sections; the page of L23 has layers 2 and 3 apart, each with its own key."""

    def halves(facts: dict[str, object], anatomy: str, physiology: str) -> list:
        etypes = [fact for fact in _facts(facts) if fact[0] == _ETYPES]
        return [(anatomy, [f for f in _facts(facts) if f not in etypes]), (physiology, etypes)]

    def renamed(facts: dict[str, object], old: str, new: str) -> dict[str, object]:
        return {new if k == old else k: v for k, v in facts.items()}

    if layer != "L23":
        return halves(sheets[layer], "Anatomy", "Physiology")
    pathways = renamed(sheets["L23"], "No. of possible pathways", "number of possible pathways")
    third = renamed(sheets["L3"], "total dendritic length", "dendritic length")
    return [("L23 anatomy", _facts(pathways)),
            *halves(sheets["L2"], "L2 anatomy", "L2 physiology"),
            *halves(third, "L3 anatomy", "L3 physiology")]  # fmt: skip


def _write_mtype(folder: Path, mtype: str, metypes: pd.Series, totals: pd.Series) -> None:
    """Write an m-type's summary, details and synaptome pages; dendrites as one without apical."""
    shown = names.portal_mtype(mtype)
    apical = totals["apical_length_um"] > 0
    parts = {"apical": "apical", "axon": "axon", "basal": "basal"}
    facts = [
        (f"total {label} {size}", printed(float(totals[f"{part}_{size}_{unit}"])), text)
        for label, part in (parts if apical else {"axon": "axon", "dendritic": "basal"}).items()
        for size, unit, text in (("length", "um", "µm"), ("volume", "um3", "µm³"))
    ]
    counts = _shown({names.portal_metype(me): int(n) for me, n in metypes.items()})
    anatomy = ("Anatomy", facts)
    physiology = ("Physiology", [("No. of cells per electrical types", counts, "neurons")])
    title = f"m-type fact sheet - {shown}"
    write_page(folder, f"mtype/{mtype}", "sheet", title=title, sections=[anatomy, physiology])
    write_page(folder, f"mtype_details/{mtype}", "details", title=title, sections=[anatomy])
    title = f"Synaptome - {shown}"
    write_page(folder, f"synaptome/{mtype}", "details", title=title, sections=[])


# Models ----------------------------------------------------------------------------------------


def summary_json(rest: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Content of the models' summary, in the form that a package's own script writes."""
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
        tabs = [_tab(m, anatomy.loc[m.name], rest.loc[m.name]) for m in models]
        title = f"me-type fact sheet - {names.portal_metype(metype)}"
        channels = _channels(models[0])
        write_page(folder, f"metype/{metype}", "metype", title=title, tabs=tabs, channels=channels)


def _tab(model: names.Model, shape: pd.Series, rest: pd.Series) -> dict[str, object]:
    def column(table: pd.Series, facts: Mapping, digits: int) -> list[Fact]:
        return [
            (label, printed(table[name], digits), unit)
            for label, (name, unit, *_) in facts.items()
            if pd.notna(table[name])
        ]

    name = model.name.replace(model.mtype, names.portal_mtype(model.mtype), 1)
    return {
        "shape": shape["morphology"],
        "package": f"{_PACKAGES}/{names.portal_metype(model.metype)}/{name}.zip",
        "columns": {
            "Anatomy": column(shape, sheets_of_models.ANATOMY_FACTS, 2),
            "Physiology": column(rest, sheets_of_models.PHYSIOLOGY_FACTS, 5),
        },
    }


def _channels(model: names.Model) -> dict[str, dict[str, list[tuple[str, str, str]]]]:
    """Section list → mechanism → parameter, equation and its kind; equal dendrites are one."""
    table = densities(model)
    table = table[table["mechanism"] != "pas"]
    by_list = {k: part.drop(columns="section_list").reset_index(drop=True)
               for k, part in table.groupby("section_list", sort=False)}  # fmt: skip
    if by_list["basal"].equals(by_list["apical"]):
        by_list["dendrite"] = by_list.pop("basal")
        del by_list["apical"]
    planted = wrong.WRONG_DENSITIES[1] if model.metype == wrong.WRONG_DENSITIES[0] else {}
    found: dict[str, dict] = {}
    for name in ("dendrite", "basal", "apical", "axonal", "somatic"):
        for row in by_list[name].itertuples() if name in by_list else ():
            factor = planted.get(name, {}).get(row.parameter, 1.0)
            text, kind = f"{row.value * factor:.6f}", "uniform"
            if row.growing:  # the portal's pages write the distance as x
                text, kind = f"{text}*(-0.8696 + 2.087*exp(x*0.0031))", "exponential"
            label = row.parameter.removesuffix(f"_{row.mechanism}")
            mechanisms = found.setdefault(name, {})
            mechanisms.setdefault(row.mechanism, []).append((label, text, kind))
    return found


# Pathways --------------------------------------------------------------------------------------


def write_pathway_pages(folder: Path, anatomy: dict, physiology: dict) -> None:
    """Write ``pathway.tar.gz``, with empty pages under other spellings of L1_SLAC, L1_DLAC."""
    target = folder / item("page/pathways").path
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
        values = anatomy[key] | physiology[key]
        if key == wrong_key:
            values[field] *= factor
        yield name, _pathway_page(name, values)
        if name != f"{pre}-{post}":
            yield f"{pre}-{post}", ""


def _pathway_page(name: str, values: dict) -> str:
    facts: list[Fact] = []
    for label, (field, unit, *_) in fields("pathway page").items():
        text = values[field]
        if "±" in label:
            text = f"{printed(text, 2)} ± {printed(values[std_of(field)], 2)}"
        elif not isinstance(text, str):
            text = printed(text, 5 if field == "total_synapse_count" else 2)
        facts.append((label, text, unit or ""))
    end = next(n for n, fact in enumerate(facts) if fact[0] == "synapse type")
    sections = [("Anatomy", facts[:end]), ("Physiology", facts[end:])]
    return render("sheet", title=f"Pathway fact sheet - {name}", sections=sections)


# Menus -----------------------------------------------------------------------------------------


def write_menus(folder: Path, anatomy: pd.DataFrame) -> None:
    """Write the JSON trees behind the portal's menus and flow diagrams."""
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
    for name, value in content.items():
        write(folder, f"tree/{name}", to_json(value))


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
    root = "public/nmc-models/pathways_stripped_prod"

    def leaf(path: str) -> dict:
        return {"url": f"https://bbp.epfl.ch/{path}", "text": path.rsplit("/", 1)[-1]}

    def leaves(family: str) -> list[dict]:
        return [leaf(one.path) for one in match([f"connectome/{family}"])]

    def group(kind: str, what: str, nodes: list[dict], path: str) -> list[dict]:
        head = {"text": f"{kind}: synthetic stand-ins for {what}.", "nodes": nodes}
        return [head, leaf(f"{root}/{path}_full.tar")]

    animals = []
    for animal in ANIMALS:
        animals.append({"text": f"pathways_{animal}", "nodes": leaves(f"individual/{animal}")})
        animals.append(leaf(f"{root}/individuals/pathways_{animal}_full.tar"))
    return [
        *group("AVERAGE", "the average instances", leaves("average"), "average"),
        *group("CONTROLS", "the control instances", leaves("control"), "controls"),
        *group("INDIVIDUALS", "single animals", animals, "individuals"),
    ]


def _flow_tree(values: pd.Series) -> dict:
    """Nodes and links of the portal's flow diagrams."""
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
        for mtype, rows in flows.groupby(mine):
            ends = {mine: [mtype], other: sorted(rows[other].unique())}
            left, right = sorted(ends, key=lambda end: not end.startswith("pre"))
            tree[view][mtype] = _view(rows, left, right, ends[left], ends[right])
    return tree


def _view(flows: pd.DataFrame, left: str, right: str, lefts: list[str], rights: list[str]) -> dict:
    totals = flows.groupby([left, right], sort=False)["value"].sum()
    source = {name: k for k, name in enumerate(lefts)}
    target = {name: len(lefts) + k for k, name in enumerate(rights)}
    links = [{"source": source[a], "target": target[b], "value": int(v)}
             for (a, b), v in totals.items()]  # fmt: skip
    return {"nodes": [{"name": n} for n in [*lefts, *rights]], "links": links}
