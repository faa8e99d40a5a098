"""Every disagreement between the sheets, listed and never repaired.

`COMPARISONS` is the list of what is held against what: a column of one sheet against a column of
another, item by item.  The columns stand in `nmc.factsheets.columns`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from operator import eq
from typing import Any, NamedTuple

import pandas as pd
from tqdm import tqdm

import nmc
from nmc import names
from nmc.data import local
from nmc.factsheets import columns as of
from nmc.factsheets import models, pathways
from nmc.factsheets.columns import LABELS, Sheets
from nmc.factsheets.sheets import plain
from nmc.numbers import agrees, as_number


class Finding(NamedTuple):
    """One disagreement: what stands in a file, and what the rest of the data says."""

    check: str
    file: str
    item: str
    found: object
    expected: object
    remark: str
    values: int = 1


def check_factsheets() -> pd.DataFrame:
    """List every inconsistency in the fact sheets of the source.

    Compared are sums with their parts, one sheet with another, the downloadable JSON with
    the pages, and the ion channels of the pages with those of the packages at hand.  What a
    source does not hold is not compared.

    Returns
    -------
    pandas.DataFrame
        One row a disagreement: ``check``, ``file`` (catalogue key), ``item``, ``found``,
        ``expected`` (what the rest of the data says), ``remark``, ``values`` (how many numbers
        it stands for).  The table's ``attrs`` say how many each check ``compared``, and how many
        ``differ``.

    Raises
    ------
    FormatError
        When a sheet or a package cannot be read at all.

    Notes
    -----
    Nothing is mended: the readers return what the files say.
    """
    sheets, findings = Sheets(), []
    compared: Counter[str] = Counter()
    steps = [*COMPARISONS, None]
    for row in tqdm(steps, desc="checking fact sheets", delay=2, leave=False, disable=None):
        if row is None:
            found = list(_channels(compared))
        elif all(map(nmc.available, row.needs)):
            found = list(_compare(sheets, row, compared))
        else:
            continue
        findings += [Finding(*map(plain, finding)) for finding in found]
    table = pd.DataFrame(findings, columns=list(Finding._fields))
    table.attrs["compared"] = dict(compared)
    table.attrs["differ"] = table.groupby("check")["values"].sum().to_dict()
    return table


class Comparison(NamedTuple):
    """A column of one sheet held against a column of another, put down to a `file`.

    Columns are item → value; an item is a text, or a text and a quantity (``{quantity}`` in the
    remark); one that a column lacks disagrees.  Nothing is compared where `needs` are lacking.
    """

    check: str
    file: str
    found: Callable[[Sheets], Mapping[Any, Any]]
    expected: Callable[[Sheets], Mapping[Any, Any]]
    remark: str | Callable[[Sheets, Any, Any], str]
    same: Callable[[Any, Any], bool] = eq
    shown: Callable[[Any], object] = lambda value: value
    needs: tuple[str, ...] = ()


def _compare(sheets: Sheets, row: Comparison, compared: Counter) -> Iterator[tuple]:
    found, expected = row.found(sheets), row.expected(sheets)
    keys = dict.fromkeys([*found, *expected])
    compared[row.check] += len(keys)
    for key in keys:
        one, other = found.get(key), expected.get(key)
        if one is None or other is None or not row.same(one, other):
            item, quantity = key if isinstance(key, tuple) else (key, "")
            remark = row.remark if callable(row.remark) else _as_written(row.remark, quantity)
            values = [None if value is None else row.shown(value) for value in (one, other)]
            yield row.check, row.file, item, *values, remark(sheets, one, other)


def _as_written(remark: str, quantity: str) -> Callable[[Sheets, Any, Any], str]:
    return lambda sheets, found, expected: remark.format(quantity=quantity)


def _layers_off(sheets: Sheets, found: float, expected: float) -> str:
    added = sheets["mtypes"].groupby("layer")["n_neurons"].sum()
    differences = added - sheets["circuit"]["neurons_per_layer"]
    off = [f"{layer} by {value:+,.0f}" for layer, value in differences.items() if value]
    return (
        "The neurons of the layers do not add up to the total; the m-type pages differ in "
        + ", ".join(off)
    )


def _number_remark(sheets: Sheets, found: float, expected: float) -> str:
    if found == sheets["circuit"]["mtype_pathways", ""]:
        return (
            "The pathway files hold another number of pathways; the viable pathways of the layer "
            f"sheets sum to {sheets['layers']['viable_pathways'].sum():,}."
        )
    if found == sheets["circuit"]["metype_pathways", ""]:
        return (
            "Expected is what the pathway files allow: of each pathway, the e-types of the one "
            "m-type times those of the other. No sheet says what else was counted."
        )
    return "The circuit sheet counts otherwise than the sheets of the parts."


def _etypes_off(sheets: Sheets, found: dict, expected: dict) -> str:
    off = {e: found.get(e, 0) - expected.get(e, 0) for e in sorted({*found, *expected})}
    return "E-types of the layer's sheet against the me-types of its m-types: " + ", ".join(
        f"{etype} {value:+,}" for etype, value in off.items() if value
    )


def _pages_remark(sheets: Sheets, found: int, expected: int) -> str:
    paths, records = set(sheets["pathway pages"][0]), set(sheets["pathway records"])
    return (
        f"{len(paths - records)} pages have no pathway in the JSON files, "
        f"{len(records - paths)} pathways have no page."
    )


def _list_remark(sheets: Sheets, found: set, expected: set) -> str:
    return (
        f"The list names {len(found - expected)} that the sheets lack, "
        f"and lacks {len(expected - found)} of theirs."
    )


def _none(found: str, expected: object) -> bool:
    return found.startswith("0 of ")


def _file_and_page(file: float, page: float) -> bool:
    return agrees(page, file)


_DISAGREE = "The downloadable file and the page disagree."
COMPARISONS = (
    Comparison(
        "layer sum", "sheet/circuit",
        lambda s: {LABELS["neurons_per_layer"]: s["circuit"]["neurons_per_layer"].sum()},
        lambda s: {LABELS["neurons_per_layer"]: s["circuit"]["neurons", ""]}, _layers_off,
    ),
    Comparison(
        "layer sum", "sheet/circuit", lambda s: {LABELS["neurons"]: s["circuit"]["neurons", ""]},
        lambda s: {LABELS["neurons"]: s["mtypes"]["n_neurons"].sum()},
        "The neurons on the m-type pages do not add up to the circuit's total.",
    ),
    Comparison(
        "numbers of types", "sheet/circuit",
        lambda s: {item: of.circuit_items(s["circuit"])[item] for item in of.numbers_of_types(s)},
        of.numbers_of_types, _number_remark,
    ),
    Comparison(
        "circuit JSON and page", "sheet/circuit", lambda s: of.circuit_items(s["circuit"]),
        lambda s: of.circuit_items(s["circuit page"]), _DISAGREE, _file_and_page,
        needs=("sheet/circuit", "page/circuit"),
    ),
    Comparison(
        "m-type counts", "sheet/layers", lambda s: of.by_type(s["layer pages"][1], kind="mtype"),
        lambda s: s["mtypes"]["n_neurons"].to_dict(),
        "The layer's sheet and the m-type's own page count its neurons otherwise.",
    ),
    Comparison(
        "e-type counts", "sheet/layers",
        lambda s: of.by_layer(s["layer pages"][1].query("kind == 'etype'"), "type"),
        lambda s: of.by_layer(s["metypes"], "etype"), _etypes_off,
        shown=lambda counts: sum(counts.values()),
    ),
    Comparison(
        "spelling of keys", "sheet/layers",
        lambda s: {layer: ", ".join(keys) for layer, keys in s["layer keys"].items()},
        lambda s: {k: ", ".join(sorted(keys.values())) for k, keys in s["layer keys"].items()},
        "The layers do not all spell this fact the same way; "
        "'dendritic length' beside 'total dendritic length' are two different numbers.",
    ),
    Comparison(
        "half a layer", "sheet/layers", lambda s: s["held"],
        lambda s: {layer: " + ".join(of.parts(s, layer)) for layer in names.LAYERS},
        "The file holds one half of the layer, the page has both.",
    ),
    Comparison(
        "layer JSON and page", "sheet/layers", of.layer_file, of.layer_page, _DISAGREE,
        _file_and_page,
    ),
    Comparison(
        "pathways of a layer", "sheet/layers", of.pathway_sums,
        lambda s: of.pathway_sums(s, viable=True),
        "The parts do not add up to the viable pathways.",
    ),
    Comparison(
        "pathways of a layer", "sheet/layers",
        lambda s: of.possible(s["layers"]["possible_pathways"]),
        lambda s: of.possible(s["layers"]["n_mtypes"], len(names.MTYPES)),
        "Every m-type of the layer could reach each of the 55.",
    ),
    Comparison(
        "pathways of a layer", "sheet/layers", lambda s: of.joined(s["layers"]["viable_pathways"]),
        lambda s: of.joined(s["pathways"].groupby("pre_layer").size()),
        "Pathways that start in each layer: the layer sheets against the pathway files.",
    ),
    *(
        Comparison(
            "lists", f"tree/{tree}",
            lambda s, read=read, item=item, spell=spell: {item: of.canonical(read(), spell)},
            lambda s, item=item, held=held: {item: set(held(s))},
            _list_remark, shown=len, needs=(f"tree/{tree}",),
        )
        for tree, item, read, spell, held in (
            ("download_tree", "models", lambda: of.leaves([of.tree("download_tree")]),
             names.parse_model, lambda s: names.model_names()),
            ("metypes", "me-types", lambda: of.tree("metypes"), names.canonical_metype,
             lambda s: names.METYPES),
            ("pathways_list", "pathways", lambda: of.tree("pathways_list"),
             lambda name: ":".join(names.parse_pathway(name)), lambda s: s["pathway records"]),
        )
    ),
    *(
        Comparison(
            "flow diagram", f"tree/{tree}", lambda s, tree=tree: of.flow(tree),
            lambda s, column=column: of.flow_sum(column),
            "The diagram and the sum over the pathway files disagree.", needs=(f"tree/{tree}",),
        )
        for tree, column in (("pathway_count", None), ("total_synapse", "total_synapse_count"))
    ),
    Comparison(
        "sign of synapses", "sheet/pathways_physiology", of.wrong_signs,
        lambda s: {mtype: of.sign(mtype) for mtype in s["pathways"]["pre"]},
        "Cells of one m-type give synapses of one sign; these pathways print the other.", _none,
    ),
    Comparison(
        "class of synapses", "sheet/pathways_physiology", of.wrong_classes,
        lambda s: {kind: of.CLASSES[kind] for kind in of.wrong_classes(s)},
        "The class says facilitating or depressing, the mean time constants say the other.", _none,
    ),
    Comparison(
        "pathway JSON and page", "page/pathways",
        lambda s: {"filled pages": len(s["pathway pages"][0])},
        lambda s: {"filled pages": len(s["pathway records"])}, _pages_remark,
        needs=("page/pathways",),
    ),
    Comparison(
        "pathway JSON and page", "page/pathways",
        lambda s: {"L1_SLAC, L1_DLAC": s["pathway pages"][1]}, lambda s: {"L1_SLAC, L1_DLAC": 0},
        "Pages under the names of the files, beside those under the portal's own spelling: they "
        "print numbers of another build.", needs=("page/pathways",),
    ),
    Comparison(
        "pathway JSON and page", "page/pathways", of.pathway_prints, of.pathway_values,
        "{quantity}: the page and the downloadable file disagree by more than the rounding.",
        lambda text, record: pathways.agrees_with_page(record[0], text, record[1]),
        lambda value: value[1] if isinstance(value, tuple) else value, needs=("page/pathways",),
    ),
    Comparison(
        "model summary and page", "sheet/models", lambda s: of.rest(models.read_model_summary()),
        lambda s: of.rest(models.read_model_pages().set_index("model")),
        "{quantity}: the summary file and the model's page differ by more than rounding.",
        _file_and_page, needs=("sheet/models",),
    ),
)  # fmt: skip


def _channels(compared: Counter) -> Iterator[tuple]:
    """Compare the ion channels of the me-type pages with those of the packages at hand."""
    at_hand = {name: local(f"model/{name}") for name in names.model_names()}
    packages = {name: models.read_densities(p, name) for name, p in at_hand.items() if p}
    templates = {names.parse_model(name).etype_id: values for name, values in packages.items()}
    metypes = sorted({names.parse_model(name).metype for name in packages})
    sheets = dict(list(models.load_channel_densities(metypes).groupby("model"))) if metypes else {}
    for metype in metypes:
        own = [name for name in packages if names.parse_model(name).metype == metype]
        printed = {name: _printed(sheets[name]) for name in own}
        compared["sheet and package densities"] += sum(map(len, printed.values()))
        apart = {name: _differing(printed[name], packages[name]) for name in own}
        wrong = sorted({key for keys in apart.values() for key in keys})
        if not wrong:
            continue
        first = printed[own[0]]
        like = ", ".join(name for name, v in templates.items() if not _differing(first, v))
        some = ", ".join(f"{parameter} ({section})" for section, parameter in wrong[:3])
        yield (
            "sheet and package densities", f"page/metype/{metype}", "ion channels",
            f"{len(wrong)} of {len(first)} values differ",
            f"those of the packages {names.parse_model(own[0]).etype_id}",
            f"Such as {some}. {f'The page prints exactly the values of {like}.' if like else ''}",
            sum(map(len, apart.values())),
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


def _differing(printed: dict[tuple, float], package: dict[tuple, float]) -> list[tuple]:
    """Keys of the values that differ by more than the six decimals that the pages print."""
    inf = float("inf")
    return [k for k, value in printed.items() if abs(package.get(k, inf) - value) > 0.5000005e-6]
