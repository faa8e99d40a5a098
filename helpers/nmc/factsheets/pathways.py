"""Pathways between m-types: anatomy and physiology, one row a pathway."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

import nmc
from nmc import names
from nmc.data import registry
from nmc.data.files import given_path
from nmc.errors import FormatError
from nmc.factsheets import sheets
from nmc.numbers import agrees, as_printed, shown

#: Field of the anatomy file → column.  Units are those the portal's pages print.
ANATOMY = sheets.fields("pathway anatomy")
#: Field of the physiology file → column; the synapse type stands in words.
PHYSIOLOGY = sheets.fields("pathway physiology")
_TYPE, _FACTOR = "synapse_type", "space_clamp_correction_factor"

#: Synapse type as printed → s-type of Markram et al. (2015).
S_TYPES = {
    "Excitatory, facilitating": "E1",
    "Excitatory, depressing": "E2",
    "Excitatory, pseudo-linear": "E3",
    "Inhibitory, facilitating": "I1",
    "Inhibitory, depressing": "I2",
    "Inhibitory, pseudo-linear": "I3",
}

#: What stands in place of a space-clamp factor when no conductance was measured.
NOT_MEASURED = "Synaptic conductance not measured experimentally"


def load_pathways(
    anatomy: str | os.PathLike | None = None, physiology: str | os.PathLike | None = None
) -> pd.DataFrame:
    """Return the pathways of the microcircuit, anatomy and physiology joined.

    Parameters
    ----------
    anatomy, physiology : path, optional
        Files to read instead of the source's ``pathways_anatomy_factsheets_simplified.json`` and
        ``pathways_physiology_factsheets_simplified.json``.

    Returns
    -------
    pandas.DataFrame
        One row a pathway (1,932 on the portal), ordered by presynaptic, then postsynaptic
        m-type.  ``pre``, ``post``, ``pre_layer``, ``post_layer`` are ordered categoricals;
        ``s_type`` is the class of short-term dynamics (E1…E3, I1…I3), ``synapse_type`` the
        same in the sheet's words.

        Anatomy: ``connection_probability_percent`` is that of pairs whose somata are less
        than 100 µm apart; ``convergence_mean`` and ``divergence_mean`` are numbers of
        neurons; ``synapses_per_connection_mean`` and ``total_synapse_count`` count contacts,
        the latter beyond the borders of the microcircuit.

        Physiology: ``u_mean``, ``d_mean_ms``, ``f_mean_ms`` are the parameters of the
        Tsodyks-Markram synapse; ``gsyn_mean_nS`` is the peak conductance of one contact.
        ``space_clamp_correction_factor`` is a nullable number, present only where
        ``conductance_measured`` is true.  The pages print no unit for the amplitude of the
        postsynaptic potential; mV is that of the paper.  ``.attrs`` hold ``origin`` and
        ``invented`` of the two files.

    Raises
    ------
    FormatError
        When a file does not hold what its format promises, or the two files do not speak of
        the same pathways.

    Notes
    -----
    Quantities as in Markram et al. (2015), Cell 163:456-492, and Reimann et al. (2015), Front.
    Comput. Neurosci. 9:120.  The files are read again only when their content has changed; each
    call returns a table of its own.

    Examples
    --------
    >>> pathways = load_pathways()  # doctest: +SKIP
    >>> pathways.query("pre == 'L5_TTPC1' and post == 'L5_MC'")["s_type"].item()  # doctest: +SKIP
    'E1'
    """
    given = {"sheet/pathways_anatomy": anatomy, "sheet/pathways_physiology": physiology}
    with registry.collect() as read:
        files = [nmc.fetch(key) if at is None else given_path(at) for key, at in given.items()]
        table = _join(*files).copy()
    table.attrs = registry.origin_of(read)
    return table


def pathway_matrix(pathways: pd.DataFrame, column: str) -> pd.DataFrame:
    """Lay one numeric column of `load_pathways` out as a matrix of m-types, in their order.

    Returns
    -------
    pandas.DataFrame, shape (55, 55)
        Rows presynaptic, columns postsynaptic; NaN where there is no pathway.

    Raises
    ------
    UnknownNameError
        When there is no such column of numbers.
    """
    sheets.column_of(pathways, column)
    wide = pathways.pivot(index="pre", columns="post", values=column)
    wide.index, wide.columns = wide.index.astype(str), wide.columns.astype(str)
    wide = wide.reindex(index=list(names.MTYPES), columns=list(names.MTYPES)).astype(float)
    return wide.rename_axis(index="presynaptic", columns="postsynaptic")


def layer_flow(pathways: pd.DataFrame, column: str | None = None) -> pd.DataFrame:
    """Add a column of `load_pathways` up between layers, or count pathways by default.

    Returns
    -------
    pandas.DataFrame, shape (5, 5)
        Rows presynaptic, columns postsynaptic layers.

    Raises
    ------
    UnknownNameError
        When there is no such column of numbers.
    """
    groups = pathways.groupby(["pre_layer", "post_layer"], observed=False)
    if column is None:
        return groups.size().unstack().astype(float)
    return groups[sheets.column_of(pathways, column).name].sum().unstack().astype(float)


def compute_totals(pathways: pd.DataFrame, mtypes: pd.DataFrame) -> dict[str, float]:
    """Add the pathways up to the connections and synapses of the whole microcircuit.

    Every postsynaptic neuron receives ``convergence_mean`` connections of a pathway, each
    with ``synapses_per_connection_mean`` contacts.  ``total_synapse_count`` does not serve:
    it reaches beyond the borders of the microcircuit.  The tables are those of `load_pathways`
    and `load_mtypes`.

    Returns
    -------
    dict
        ``connections`` and ``synapses``; both carry the rounding of the sheets, two digits a
        pathway.
    """
    neurons = mtypes.set_index("mtype")["n_neurons"]
    receivers = pathways["post"].map(neurons).astype(float)
    connections = pathways["convergence_mean"] * receivers
    synapses = connections * pathways["synapses_per_connection_mean"]
    return {"connections": float(connections.sum()), "synapses": float(synapses.sum())}


#: Label of a pathway page → field of the JSON files.  Of a mean and a standard deviation, the mean.
_PAGE = sheets.fields("pathway page")


def std_of(field: str) -> str:
    """Return the field of the JSON files that holds the standard deviation of a mean."""
    return field.removeprefix("mean_").removesuffix("_mean") + "_std"


def list_pathway_pages() -> pd.DataFrame:
    """Return the pages: name, pre, post, whether `filled`, spelled as on the portal, path."""
    folder = nmc.fetch_folder("page/pathways")
    rows = []
    for path in sorted(folder.rglob("*-*.html")):
        if path.stem == "index":
            continue
        pre, _, post = path.stem.partition("-L")
        ends = [pre, f"L{post}"]
        canonical = [sheets.spelled(f"{path}", names.canonical_mtype, name) for name in ends]
        rows.append({
            "name": path.stem,
            "pre": canonical[0],
            "post": canonical[1],
            "filled": b"factsheet-value" in path.read_bytes(),
            "portal_name": [names.portal_mtype(name) for name in canonical] == ends,
            "path": path,
        })  # fmt: skip
    if not rows:
        raise FormatError(f"{folder}: no page named PRE-POST.html in the archive.")
    return pd.DataFrame(rows)


def read_pathway_page(path: Path) -> dict[str, str]:
    """Return a page's printed values under the field names of the JSON files."""
    values: dict[str, str] = {}
    for fact in sheets.read_facts(path):
        field = sheets.field_of(f"{path}", fact, _PAGE).column
        mean, sign, std = (part.strip() for part in fact.text.partition("±"))
        if "±" not in fact.label:
            values[field] = fact.text
        elif sign:
            values |= {field: mean, std_of(field): std}
        else:
            raise FormatError(f"{path}: {fact.label!r}: {shown(fact.text)} is not 'mean ± std'.")
    return values


def agrees_with_page(field: str, printed: str, value: object) -> bool:
    """Whether a page's text stands for a value of the JSON, given the rounding of the print."""
    if isinstance(value, str) and field in (_TYPE, _FACTOR):
        return printed == value
    try:
        return agrees(as_printed(printed, where=field).value, value)
    except FormatError:
        return False


def read_records(
    file: Path, fields: Mapping[str, Any], content: bytes | None = None
) -> dict[str, dict[str, Any]]:
    """Return the records of a pathway file under canonical keys, each an object of `fields`."""
    records = {}
    for key, record in sheets.read_json(file, content).items():
        pathway = sheets.spelled(f"{file}: key {shown(key)}", names.parse_pathway, key)
        if not isinstance(record, dict):
            raise FormatError(
                f"{file}: key {key!r} holds {shown(record)} where an object is expected."
            )
        lost = [field for field in fields if field not in record]
        if lost:
            raise FormatError(f"{file}: key {key!r} lacks the field {lost[0]!r}.")
        if names.pathway(*pathway) in records:
            raise FormatError(f"{file}: the pathway {key!r} stands under two spellings.")
        records[names.pathway(*pathway)] = record
    return records


@sheets.once
def _join(
    anatomy_file: Path, physiology_file: Path, anatomy_text: bytes, physiology_text: bytes
) -> pd.DataFrame:
    anatomy = read_records(anatomy_file, ANATOMY, anatomy_text)
    physiology = read_records(physiology_file, {**PHYSIOLOGY, _TYPE: None}, physiology_text)
    if anatomy.keys() != physiology.keys():
        lost = sorted(anatomy.keys() ^ physiology.keys())
        raise FormatError(
            f"{anatomy_file} and {physiology_file} do not list the same pathways: {lost[0]!r} "
            f"stands in only one of them ({len(lost)} such pathways)."
        )
    types = {}
    for key, record in physiology.items():
        types[key] = kind = record.pop(_TYPE)
        if not isinstance(kind, str) or kind not in S_TYPES:
            where = f"{physiology_file}: key {key!r}, field {_TYPE!r}"
            known = ", ".join(map(repr, S_TYPES))
            raise FormatError(f"{where}: {shown(kind)} is none of {known}.")
        if str(record[_FACTOR]).strip() == NOT_MEASURED:
            del record[_FACTOR]
    table = _table(anatomy_file, anatomy, ANATOMY)
    table["synapse_type"] = pd.Series(types).astype(pd.CategoricalDtype(list(S_TYPES)))
    table = table.join(_table(physiology_file, physiology, PHYSIOLOGY))
    pre, post = zip(*(key.split(":") for key in table.index), strict=True)
    layers = [[name.split("_", 1)[0] for name in side] for side in (pre, post)]
    table.insert(0, "pre", pd.Categorical(pre, dtype=sheets.MTYPE))
    table.insert(1, "post", pd.Categorical(post, dtype=sheets.MTYPE))
    table.insert(2, "pre_layer", pd.Categorical(layers[0], dtype=sheets.LAYER))
    table.insert(3, "post_layer", pd.Categorical(layers[1], dtype=sheets.LAYER))
    s_type = table["synapse_type"].map(S_TYPES).astype(pd.CategoricalDtype(S_TYPES.values()))
    table.insert(table.columns.get_loc("synapse_type"), "s_type", s_type)
    table[_FACTOR] = table[_FACTOR].astype("Float64")
    table["conductance_measured"] = table[_FACTOR].notna()
    return table.sort_values(["pre", "post"]).reset_index(drop=True)


def _table(
    file: Path, records: Mapping[str, dict], fields: Mapping[str, sheets.Field]
) -> pd.DataFrame:
    def place(key: str) -> str:
        return f"{file}: key {key!r}"

    numbers = {
        key: sheets.numbers_of(place(key), sheets.facts_of_json(record), fields)
        for key, record in records.items()
    }
    return sheets.as_table(place, numbers, fields)
