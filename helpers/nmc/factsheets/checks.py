"""Every disagreement between the sheets, listed and never repaired.

`COMPARISONS` is the list of what is held against what: a column of one sheet against a column of
another, item by item.  A column is a function of the `Sheets` that returns item → value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from operator import eq
from typing import Any, NamedTuple

import pandas as pd

import nmc
from nmc import names
from nmc.data import local
from nmc.errors import FormatError, NMCError
from nmc.factsheets import layers, models, pathways
from nmc.factsheets.sheets import read_bytes, read_json
from nmc.numbers import agrees, as_count, as_number


class Finding(NamedTuple):
    """One disagreement: what stands in a file, and what the rest of the data says."""

    check: str
    file: str
    item: str
    found: object
    expected: object
    remark: str


class Report:
    """Findings, and how many values each check compared."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.compared: Counter = Counter()

    def compare(self, agree: bool, *finding: Any) -> None:
        """Count one comparison, and keep the finding (the fields in order) if it failed."""
        self.compared[finding[0]] += 1
        if not agree:
            self.findings.append(Finding(*map(_plain, finding)))

    def table(self) -> pd.DataFrame:
        """Findings as a table; ``attrs["compared"]`` tells how much each check compared."""
        table = pd.DataFrame(self.findings, columns=list(Finding._fields))
        table.attrs["compared"] = dict(self.compared)
        return table


def check_factsheets() -> pd.DataFrame:
    """List every inconsistency in the fact sheets of the source.

    Compared are sums with their parts, one sheet with another, the downloadable JSON with
    the pages, and the ion channels of the pages with those of the packages at hand.  What a
    source does not hold is not compared.

    Returns
    -------
    pandas.DataFrame
        One row a disagreement: ``check``, ``file`` (catalogue key), ``item``, ``found``,
        ``expected`` (what the rest of the data says), ``remark``.  The table's
        ``attrs["compared"]`` says how many comparisons each check made.

    Raises
    ------
    FormatError
        When a sheet or a package cannot be read at all.

    Notes
    -----
    Nothing is mended: the readers return what the files say.
    """
    from tqdm import tqdm

    report, sheets = Report(), Sheets()
    steps = [*COMPARISONS, _compare_channels]
    for step in tqdm(steps, desc="checking fact sheets", delay=2, leave=False, disable=None):
        if isinstance(step, Comparison):
            _compare(report, sheets, step)
        else:
            step(report)
    return report.table()


class Sheets:
    """The sheets of the source, each read when it is first asked for."""

    @cached_property
    def circuit(self) -> pd.Series:
        """Values of the circuit sheet by (quantity, layer); layer "" for the whole."""
        return _circuit(nmc.load_circuit())

    @cached_property
    def circuit_page(self) -> pd.Series:
        """The same of the circuit's page."""
        return _circuit(nmc.load_circuit(nmc.fetch("page/circuit")))

    @cached_property
    def layers(self) -> pd.DataFrame:
        """Layer file, by layer."""
        return nmc.load_layers().astype({"layer": str}).set_index("layer")

    @cached_property
    def layer_counts(self) -> pd.DataFrame:
        """Neurons by type of the layer file."""
        return layers.load_layer_counts().astype({"layer": str})

    @cached_property
    def layer_pages(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Facts and counts of the layer pages."""
        facts, counts = layers.load_layer_pages()
        as_text = {"layer": str, "sublayer": str}
        return facts.astype(as_text), counts.astype(as_text)

    @cached_property
    def mtypes(self) -> pd.DataFrame:
        """M-type pages, by m-type."""
        return nmc.load_mtypes().astype({"mtype": str, "layer": str}).set_index("mtype")

    @cached_property
    def metypes(self) -> pd.DataFrame:
        """Me-types of the m-type pages."""
        return nmc.load_metypes().astype({"layer": str, "etype": str})

    @cached_property
    def pathways(self) -> pd.DataFrame:
        """Pathway files."""
        as_text = ("pre", "post", "pre_layer", "synapse_type", "s_type")
        return nmc.load_pathways().astype(dict.fromkeys(as_text, str))

    @cached_property
    def pathway_records(self) -> dict[str, dict]:
        """Pathway files as they stand, by pathway."""
        anatomy, physiology = (
            pathways.read_records(nmc.fetch(f"sheet/pathways_{name}"), {})
            for name in ("anatomy", "physiology")
        )
        return {key: {**anatomy[key], **physiology[key]} for key in anatomy}

    @cached_property
    def pathway_pages(self) -> tuple[dict[str, Any], int]:
        """Filled pages under the portal's names by pathway, and how many bear other names."""
        listed = pathways.list_pathway_pages()
        filled = listed[listed["filled"]]
        current = filled[filled["portal_name"]]
        paths = {f"{row.pre}:{row.post}": row.path for row in current.itertuples()}
        return paths, len(filled) - len(current)

    def held(self, layer: str) -> str:
        """Parts of a layer that its file holds: all that the page has, or one half of them."""
        counts = self.layer_pages[1]
        page = counts[(counts["layer"] == layer) & (counts["kind"] == "mtype")]
        file = self.layer_counts[self.layer_counts["kind"] == "mtype"]
        listed = _by_type(file[file["layer"] == layer])
        parts = list(dict.fromkeys(page["sublayer"]))
        halves = parts if len(parts) > 1 else ()
        same = (p for p in halves if _by_type(page[page["sublayer"] == p]) == listed)
        return next(same, " + ".join(parts))


class Comparison(NamedTuple):
    """A column of one sheet held against a column of another.

    Attributes
    ----------
    check : str
        What it is called.
    file : str
        Catalogue key of the file that a disagreement is put down to.
    found, expected : callable
        Columns, item → value; an item is a text, or a text and a quantity. An item that one of
        the two lacks counts as a disagreement.
    remark : str or callable
        A sentence for the reader, in which ``{quantity}`` is replaced; or a function of sheets,
        found and expected value that returns one.
    same : callable
        When two values agree.
    shown : callable
        How a value stands in a finding.
    needs : tuple of str
        Catalogue keys; where the source lacks one, nothing is compared.
    """

    check: str
    file: str
    found: Callable[[Sheets], Mapping[Hashable, Any]]
    expected: Callable[[Sheets], Mapping[Hashable, Any]]
    remark: str | Callable[[Sheets, Any, Any], str]
    same: Callable[[Any, Any], bool] = eq
    shown: Callable[[Any], object] = lambda value: value
    needs: tuple[str, ...] = ()


def _compare(report: Report, sheets: Sheets, row: Comparison) -> None:
    if not all(nmc.available(key) for key in row.needs):
        return
    found, expected = row.found(sheets), row.expected(sheets)
    for key in dict.fromkeys([*found, *expected]):
        one, other = found.get(key), expected.get(key)
        item, quantity = key if isinstance(key, tuple) else (key, "")
        agree = one is not None and other is not None and bool(row.same(one, other))
        if agree:
            report.compare(True, row.check)
            continue
        if callable(row.remark):
            remark = row.remark(sheets, one, other)
        else:
            remark = row.remark.format(quantity=quantity)
        report.compare(False, row.check, row.file, item,
                       row.shown(one), row.shown(other), remark)  # fmt: skip


_LABELS = {field.column: label for label, field in layers.QUANTITIES.items()}
_FILE = "sheet/layers"
_DISAGREE = "The downloadable file and the page disagree."


def _circuit(table: pd.DataFrame) -> pd.Series:
    layer = table["layer"].astype(object).where(table["layer"].notna(), "")
    return pd.Series(table["value"].to_numpy(), index=[table["quantity"], layer])


def _circuit_items(sheet: pd.Series) -> dict[str, float]:
    return {
        _LABELS[quantity] + (f", {layer}" if layer else ""): value
        for (quantity, layer), value in sheet.items()
    }


def _total(quantity: str, label: str | None = None) -> Callable[[Sheets], dict]:
    """One number of the circuit sheet, as an item under a label."""
    return lambda sheets: {_LABELS[label or quantity]: sheets.circuit[quantity, ""]}


def _layers_off(sheets: Sheets, found: float, expected: float) -> str:
    added = sheets.mtypes.groupby("layer")["n_neurons"].sum()
    off = [
        f"{layer} by {added[layer] - value:+,.0f}"
        for layer, value in sheets.circuit["neurons_per_layer"].items()
        if added[layer] != value
    ]
    return (
        "The neurons of the layers do not add up to the total; the m-type pages differ in "
        + ", ".join(off)
    )


def _numbers_of_types(sheets: Sheets) -> dict[str, float]:
    n_etypes = sheets.mtypes["n_etypes"]
    table = sheets.pathways
    counted = {
        "layers": len(sheets.circuit["thickness_um"]),
        "mtypes": len(sheets.mtypes),
        "etypes": sheets.metypes["etype"].nunique(),
        "metypes": len(sheets.metypes),
        "stypes": table["s_type"].nunique(),
        "mtype_pathways": len(table),
        "metype_pathways": (table["pre"].map(n_etypes) * table["post"].map(n_etypes)).sum(),
    }
    return {_LABELS[quantity]: value for quantity, value in counted.items()}


def _number_remark(sheets: Sheets, found: float, expected: float) -> str:
    if found == sheets.circuit["mtype_pathways", ""]:
        listed = sheets.layers["viable_pathways"].sum()
        return (f"The pathway files hold another number of pathways; the viable pathways of the "
                f"layer sheets sum to {listed:,}.")  # fmt: skip
    if found == sheets.circuit["metype_pathways", ""]:
        return (
            "Expected is what the pathway files allow: of each pathway, the e-types of the one "
            "m-type times those of the other. No sheet says what else was counted."
        )
    return "The circuit sheet counts otherwise than the sheets of the parts."


def _by_type(counts: pd.DataFrame) -> dict[str, int]:
    return counts.groupby("type")["n_neurons"].sum().to_dict()


def _by_layer(table: pd.DataFrame, column: str) -> dict[str, dict[str, int]]:
    """Layer → type → neurons; a type that is listed with none says the same as one that is not."""
    sums = table.groupby(["layer", column])["n_neurons"].sum()
    sums = sums[sums != 0]
    return {layer: sums[layer].to_dict() for layer in names.LAYERS}


def _etypes_off(sheets: Sheets, found: dict, expected: dict) -> str:
    off = {e: found.get(e, 0) - expected.get(e, 0) for e in sorted({*found, *expected})}
    return "E-types of the layer's sheet against the me-types of its m-types: " + ", ".join(
        f"{etype} {value:+,}" for etype, value in off.items() if value
    )


def _odd_keys(sheets: Sheets, usual: bool = False) -> dict[str, str]:
    """Layer → its keys that most layers spell otherwise, or the usual spelling of them."""
    data = read_json(nmc.fetch(_FILE))
    every = Counter(label for sheet in data.values() for label in sheet)
    known = [label for label in layers.FACTS if every[label] > len(data) / 2]
    spelling = {layers.FACTS[label].column: label for label in known}
    spelling["dendritic_length_um"] = "total dendritic length"
    odd = {
        layer: [k for k in data[layer] if k in layers.FACTS and k not in known] for layer in data
    }
    return {
        layer: ", ".join(
            sorted(spelling[layers.FACTS[key].column] if usual else key for key in keys)
        )
        for layer, keys in odd.items()
    }


def _layer_page(sheets: Sheets) -> dict[str, float]:
    """Facts and counts of the layer pages, of the part of a layer that the file holds."""
    facts, counts = sheets.layer_pages
    values = {}
    for layer in names.LAYERS:
        held = sheets.held(layer)
        split = facts.loc[facts["layer"] == layer, "sublayer"].nunique() > 1
        for row in facts[
            (facts["layer"] == layer) & facts["sublayer"].isin([held, layer])
        ].itertuples():
            # A half's own total stands under another key: found as an odd spelling.
            if not (split and row.quantity == "total_dendritic_length_um"):
                values[f"{layer} {row.quantity}"] = row.value
        page = counts[counts["layer"] == layer]
        if held in set(page["sublayer"]):
            page = page[page["sublayer"] == held]
        values |= {f"{layer} {name}": value for name, value in _by_type(page).items()}
    return values


def _layer_file(sheets: Sheets) -> dict[str, float]:
    """What the layer file has of `_layer_page`, and all of its counts."""
    asked = _layer_page(sheets)
    columns = (f.column for f in layers.FACTS.values())
    values = {
        f"{layer} {column}": sheets.layers.loc[layer, column]
        for column in dict.fromkeys(columns)
        for layer in names.LAYERS
        if f"{layer} {column}" in asked
    }
    for layer, counts in sheets.layer_counts.groupby("layer"):
        values |= {f"{layer} {name}": value for name, value in _by_type(counts).items()}
    return values


def _sums_of_pathways(sheets: Sheets) -> dict[str, int]:
    table = sheets.layers
    return {
        f"{layer} {one} + {other}": row[f"{one}_pathways"] + row[f"{other}_pathways"]
        for layer, row in table.iterrows()
        for one, other in (("excitatory", "inhibitory"), ("intralaminar", "interlaminar"))
    }


def _viable(sheets: Sheets) -> dict[str, int]:
    return {item: sheets.layers.loc[item.split()[0], "viable_pathways"]
            for item in _sums_of_pathways(sheets)}  # fmt: skip


def _joined(values: pd.Series) -> dict[str, str]:
    return {"number of viable pathways": "/".join(map(str, values.reindex(list(names.LAYERS))))}


def _wrong_signs(sheets: Sheets) -> dict[str, str]:
    sign = sheets.pathways["synapse_type"].str.split(",").str[0]
    expected = sheets.pathways["pre"].map(_sign)
    return _shares(sign != expected, sheets.pathways["pre"])


def _sign(mtype: str) -> str:
    return "Excitatory" if names.is_excitatory(mtype) else "Inhibitory"


#: Facilitation must outlast depression where the class says so, and nowhere else.
_CLASSES = {"E1": "F above D", "I1": "F above D", "E2": "F below D", "I2": "F below D"}


def _wrong_classes(sheets: Sheets) -> dict[str, str]:
    table = sheets.pathways[sheets.pathways["s_type"].isin(list(_CLASSES))]
    facilitating = table["f_mean_ms"] > table["d_mean_ms"]
    return _shares(facilitating != (table["s_type"].map(_CLASSES) == "F above D"), table["s_type"])


def _shares(wrong: pd.Series, by: pd.Series) -> dict[str, str]:
    return {key: f"{rows.sum()} of {len(rows)} pathways" for key, rows in wrong.groupby(by)}


def _none(found: str, expected: object) -> bool:
    return found.startswith("0 of ")


def _pages_remark(sheets: Sheets, found: int, expected: int) -> str:
    paths, records = set(sheets.pathway_pages[0]), set(sheets.pathway_records)
    return (f"{len(paths - records)} pages have no pathway in the JSON files, "
            f"{len(records - paths)} pathways have no page.")  # fmt: skip


def _pathway_values(sheets: Sheets) -> dict[tuple[str, str], tuple[str, object]]:
    """Values of the files, of the pathways that have a page."""
    return {
        (key, field): (field, value)
        for key in sorted(set(sheets.pathway_pages[0]) & set(sheets.pathway_records))
        for field, value in sheets.pathway_records[key].items()
    }


def _pathway_prints(sheets: Sheets) -> dict[tuple[str, str], str]:
    printed, asked = {}, _pathway_values(sheets)
    for key in dict.fromkeys(key for key, _ in asked):
        page = pathways.read_pathway_page(sheets.pathway_pages[0][key])
        printed |= {(key, field): text for field, text in page.items() if (key, field) in asked}
    return printed


def _model_values(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    return {(model, column): value for column in models.PHYSIOLOGY
            for model, value in table[column].items()}  # fmt: skip


def _tree(name: str) -> Any:
    file = nmc.fetch(f"tree/{name}")
    return read_json(file, b'{"tree": ' + read_bytes(file) + b"}")["tree"]


def _listed_models() -> set[str]:
    leaves, stack = set(), [_tree("download_tree")]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.append(node.get("nodes", []))
            if "file_id" in node:
                leaves.add(str(node.get("text")).removesuffix(".zip"))
        elif isinstance(node, list):
            stack.extend(node)
        else:
            raise FormatError(f"tree/download_tree: {node!r} stands where a node should.")
    return _canonical(leaves, lambda name: names.parse_model(name).name)


def _canonical(found: Any, spell: Callable[[str], str]) -> set[str]:
    """Known names in the package's spelling; an unknown one is kept as it is, and so is found."""
    known = set()
    for name in map(str, found if isinstance(found, (list, set, dict)) else ()):
        try:
            known.add(spell(name))
        except NMCError:
            known.add(name)
    return known


def _list_remark(sheets: Sheets, found: set, expected: set) -> str:
    return (f"The list names {len(found - expected)} that the sheets lack, "
            f"and lacks {len(expected - found)} of theirs.")  # fmt: skip


def _flow(tree: str) -> Callable[[Sheets], dict[str, float]]:
    """The layer-to-layer part of a flow diagram."""

    def read(sheets: Sheets) -> dict[str, float]:
        data, size = _tree(tree), len(names.LAYERS)
        part = data.get("L_L") if isinstance(data, dict) else None
        links = part.get("links") if isinstance(part, dict) else None
        if not isinstance(links, list) or not all(isinstance(link, dict) for link in links):
            raise FormatError(f"tree/{tree}: there is no list of links between layers.")
        values = {f"{pre} to {post}": 0.0 for pre in names.LAYERS for post in names.LAYERS}
        for link in links:
            where = f"tree/{tree}, link {link!r}"
            pre = as_count(link.get("source"), where=where, high=size - 1)
            post = as_count(link.get("target"), where=where, low=size, high=2 * size - 1)
            item = f"{names.LAYERS[pre]} to {names.LAYERS[post - size]}"
            values[item] = as_number(link.get("value"), where=where)
        return values

    return read


def _flow_sum(column: str | None) -> Callable[[Sheets], dict[str, float]]:
    def add(sheets: Sheets) -> dict[str, float]:
        table = nmc.layer_flow(nmc.load_pathways(), column)
        return {f"{pre} to {post}": table.loc[pre, post] for pre in names.LAYERS
                for post in names.LAYERS}  # fmt: skip

    return add


COMPARISONS = (
    Comparison(
        "layer sum", "sheet/circuit",
        lambda s: {_LABELS["neurons_per_layer"]: s.circuit["neurons_per_layer"].sum()},
        _total("neurons", "neurons_per_layer"), _layers_off,
    ),
    Comparison(
        "layer sum", "sheet/circuit", _total("neurons"),
        lambda s: {_LABELS["neurons"]: s.mtypes["n_neurons"].sum()},
        "The neurons on the m-type pages do not add up to the circuit's total.",
    ),
    Comparison(
        "numbers of types", "sheet/circuit",
        lambda s: {item: _circuit_items(s.circuit)[item] for item in _numbers_of_types(s)},
        _numbers_of_types, _number_remark,
    ),
    Comparison(
        "circuit JSON and page", "sheet/circuit",
        lambda s: _circuit_items(s.circuit), lambda s: _circuit_items(s.circuit_page),
        _DISAGREE, lambda file, page: agrees(page, file),
        needs=("sheet/circuit", "page/circuit"),
    ),
    Comparison(
        "m-type counts", _FILE,
        lambda s: _by_type(s.layer_pages[1].query("kind == 'mtype'")),
        lambda s: s.mtypes["n_neurons"].to_dict(),
        "The layer's sheet and the m-type's own page count its neurons otherwise.",
    ),
    Comparison(
        "e-type counts", _FILE,
        lambda s: _by_layer(s.layer_pages[1].query("kind == 'etype'"), "type"),
        lambda s: _by_layer(s.metypes, "etype"), _etypes_off,
        shown=lambda counts: sum(counts.values()),
    ),
    Comparison(
        "spelling of keys", _FILE, _odd_keys, lambda s: _odd_keys(s, usual=True),
        "The layers do not all spell this fact the same way; "
        "'dendritic length' beside 'total dendritic length' are two different numbers.",
    ),
    Comparison(
        "half a layer", _FILE, lambda s: {layer: s.held(layer) for layer in names.LAYERS},
        lambda s: {layer: " + ".join(dict.fromkeys(rows["sublayer"]))
                   for layer, rows in s.layer_pages[1].groupby("layer")},
        "The file holds one half of the layer, the page has both.",
    ),
    Comparison(
        "layer JSON and page", _FILE, _layer_file, _layer_page, _DISAGREE,
        lambda file, page: agrees(page, file),
    ),
    Comparison(
        "pathways of a layer", _FILE, _sums_of_pathways, _viable,
        "The parts do not add up to the viable pathways.",
    ),
    Comparison(
        "pathways of a layer", _FILE,
        lambda s: {f"{layer} possible": n for layer, n in s.layers["possible_pathways"].items()},
        lambda s: {f"{layer} possible": n * len(names.MTYPES)
                   for layer, n in s.layers["n_mtypes"].items()},
        "Every m-type of the layer could reach each of the 55.",
    ),
    Comparison(
        "pathways of a layer", _FILE, lambda s: _joined(s.layers["viable_pathways"]),
        lambda s: _joined(s.pathways.groupby("pre_layer").size()),
        "Pathways that start in each layer: the layer sheets against the pathway files.",
    ),
    Comparison(
        "lists", "tree/download_tree", lambda s: {"models": _listed_models()},
        lambda s: {"models": set(names.model_names())}, _list_remark, shown=len,
        needs=("tree/download_tree",),
    ),
    Comparison(
        "lists", "tree/metypes",
        lambda s: {"me-types": _canonical(_tree("metypes"), names.canonical_metype)},
        lambda s: {"me-types": set(names.METYPES)}, _list_remark, shown=len,
        needs=("tree/metypes",),
    ),
    Comparison(
        "lists", "tree/pathways_list",
        lambda s: {"pathways": _canonical(
            _tree("pathways_list"), lambda name: names.pathway(*names.parse_pathway(name)))},
        lambda s: {"pathways": set(s.pathway_records)}, _list_remark, shown=len,
        needs=("tree/pathways_list",),
    ),
    *(
        Comparison(
            "flow diagram", f"tree/{tree}", _flow(tree), _flow_sum(column),
            "The diagram and the sum over the pathway files disagree.", needs=(f"tree/{tree}",),
        )
        for tree, column in (("pathway_count", None), ("total_synapse", "total_synapse_count"))
    ),
    Comparison(
        "sign of synapses", "sheet/pathways_physiology", _wrong_signs,
        lambda s: {mtype: _sign(mtype) for mtype in s.pathways["pre"]},
        "Cells of one m-type give synapses of one sign; these pathways print the other.", _none,
    ),
    Comparison(
        "class of synapses", "sheet/pathways_physiology", _wrong_classes,
        lambda s: {kind: _CLASSES[kind] for kind in _wrong_classes(s)},
        "The class says facilitating or depressing, the mean time constants say the other.", _none,
    ),
    Comparison(
        "pathway JSON and page", "page/pathways",
        lambda s: {"filled pages": len(s.pathway_pages[0])},
        lambda s: {"filled pages": len(s.pathway_records)}, _pages_remark,
        lambda pages, files: pages == files, needs=("page/pathways",),
    ),
    Comparison(
        "pathway JSON and page", "page/pathways",
        lambda s: {"L1_SLAC, L1_DLAC": s.pathway_pages[1]}, lambda s: {"L1_SLAC, L1_DLAC": 0},
        "Pages under the names of the files, beside those under the portal's own spelling: they "
        "print numbers of another build.", needs=("page/pathways",),
    ),
    Comparison(
        "pathway JSON and page", "page/pathways", _pathway_prints, _pathway_values,
        "{quantity}: the page and the downloadable file disagree by more than the rounding.",
        lambda text, record: pathways.agrees_with_page(record[0], text, record[1]),
        lambda value: value[1] if isinstance(value, tuple) else value, needs=("page/pathways",),
    ),
    Comparison(
        "model summary and page", "sheet/models",
        lambda s: _model_values(models.read_model_summary()),
        lambda s: _model_values(models.read_model_pages().set_index("model")),
        "{quantity}: the summary file and the model's page differ by more than rounding.",
        lambda summary, page: agrees(page, summary), needs=("sheet/models",),
    ),
)  # fmt: skip

_DENSITIES = "sheet and package densities"
_STEP = 1e-6  # the pages print six decimals


def _compare_channels(report: Report) -> None:
    """Compare the ion channels of the me-type pages with those of the packages at hand."""
    at_hand = {name: local(f"model/{name}") for name in names.model_names()}
    packages = {name: models.read_densities(p, name) for name, p in at_hand.items() if p}
    templates = {names.parse_model(name).etype_id: values for name, values in packages.items()}
    metypes = sorted({names.parse_model(name).metype for name in packages})
    sheets = dict(list(models.load_channel_densities(metypes).groupby("model"))) if metypes else {}
    for metype in metypes:
        own = [name for name in packages if names.parse_model(name).metype == metype]
        printed = {name: _printed(sheets[name]) for name in own}
        report.compared[_DENSITIES] += sum(len(p) - 1 for p in printed.values()) + len(own) - 1
        wrong = {
            key for name in own for key, value in printed[name].items()
            if not _same_density(value, packages[name].get(key))
        }  # fmt: skip
        first = printed[own[0]]
        like = [
            name for name, values in templates.items()
            if wrong and all(_same_density(v, values.get(key)) for key, v in first.items())
        ]  # fmt: skip
        some = ", ".join(f"{parameter} ({section})" for section, parameter in sorted(wrong)[:3])
        report.compare(
            not wrong, _DENSITIES, f"page/metype/{metype}", "ion channels",
            f"{len(wrong)} of {len(first)} values differ",
            f"those of the packages {names.parse_model(own[0]).etype_id}",
            f"Such as {some}. "
            + (f"The page prints exactly the values of {', '.join(like)}." if like else ""),
        )  # fmt: skip


def _printed(sheet: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Section list and parameter with mechanism → printed factor of the distribution."""
    both = {"dendritic": ("basal", "apical")}
    return {
        (section, f"{row.parameter}_{row.mechanism}"): as_number(
            row.expression.partition("*")[0], where=f"{row.model}, {row.parameter}"
        )
        for row in sheet.dropna(subset="parameter").itertuples()
        for section in both.get(row.section, (row.section,))
    }


def _same_density(printed: float, value: float | None) -> bool:
    return value is not None and abs(value - printed) <= 0.5 * _STEP * (1 + 1e-6)


def _plain(value: object) -> object:
    """Whole numbers without a decimal point: a count is read as a count."""
    if hasattr(value, "item"):
        value = value.item()
    return int(value) if isinstance(value, float) and value.is_integer() else value
