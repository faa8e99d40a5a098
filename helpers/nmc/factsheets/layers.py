"""The sheets of the whole circuit, its layers and its types of neurons, from JSON and pages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

import nmc
from nmc import names, units
from nmc.data.files import given_path
from nmc.errors import FormatError
from nmc.factsheets import sheets

#: Label on the circuit sheet → quantity.  The unit is the last part of the quantity's name.
QUANTITIES = sheets.fields("circuit")

_FIELDS = sheets.fields("layer")
#: Facts of a layer sheet by label: lists of neurons by type, and numbers.  The layers do not all
#: spell the same fact the same way.
COUNTS = {label: field for label, field in _FIELDS.items() if field.names}
FACTS = {label: field for label, field in _FIELDS.items() if not field.names}


def load_circuit(path: str | os.PathLike | None = None) -> pd.DataFrame:
    """Return the circuit fact sheet as one row a number.

    Parameters
    ----------
    path : path, optional
        A file to read, JSON or page. By default ``circuit_download.json`` where the source has
        it, else the portal's circuit page; `check_factsheets` compares the two.

    Returns
    -------
    pandas.DataFrame
        ``quantity`` (its unit is the last part of the name), ``layer`` (an ordered
        categorical of L1, L2, L3, L23, L4, L5, L6; missing for the whole circuit),
        ``value``, ``unit`` and ``approximate`` (the sheet writes ``~``).

    Raises
    ------
    FormatError
        When a fact or a layer is missing, unknown or no number.

    Notes
    -----
    The numbers are those of Markram et al. (2015), Cell 163:456-492, as the portal shows them.

    Examples
    --------
    >>> sheet = load_circuit()  # doctest: +SKIP
    >>> sheet.query("quantity == 'neurons'")["value"].item()  # doctest: +SKIP
    31346.0
    """
    if path is None:
        path = nmc.fetch("sheet/circuit" if nmc.available("sheet/circuit") else "page/circuit")
    path = given_path(path)
    page = path.suffix.lower() in (".html", ".htm")
    facts = sheets.read_facts(path) if page else sheets.facts_of_json(sheets.read_json(path))
    rank = [field.column for field in QUANTITIES.values()]
    layers = [None, *sheets.SUBLAYERS]
    values = sorted(
        sheets.values_of(f"{path}", facts, QUANTITIES),
        key=lambda value: (rank.index(value.column), layers.index(value.name)),
    )
    sheets.check_facts(f"{path}", (value.column for value in values), QUANTITIES)
    for label, field in QUANTITIES.items():
        if field.names:
            _check_layers(f"{path}: {label!r}", field.column, values)
    rows = [(v.column, v.name, float(v.value), units.unit_of(v.column), v.approximate)
            for v in values]  # fmt: skip
    table = pd.DataFrame(rows, columns=["quantity", "layer", "value", "unit", "approximate"])
    return table.astype({"layer": sheets.SUBLAYER})


def load_layers(
    path: str | os.PathLike | None = None, *, circuit: str | os.PathLike | None = None
) -> pd.DataFrame:
    """Return the layer fact sheets, one row a layer.

    Parameters
    ----------
    path : path, optional
        A ``layer_download.json`` to read instead of the source's.
    circuit : path, optional
        A circuit sheet, as for `load_circuit`, instead of the source's.

    Returns
    -------
    pandas.DataFrame
        Five rows, L1 on top.  ``thickness_um`` and ``n_neurons`` come from the circuit
        sheet (L23 is the sum of L2 and L3), everything else from ``layer_download.json``:
        ``n_neurons_listed`` adds up the m-types the layer's own sheet lists, then numbers
        of pathways that start in the layer, lengths and volumes of all its neurites, and
        ``synapse_density_per_mm3``.

        The sheets disagree in places and nothing is repaired here: see `check_factsheets`.
        In particular the portal's file holds only layer 3 under L23, except that its
        ``total_dendritic_length_um`` is that of layer 2, while layer 3's own stands under
        ``dendritic_length_um``, a column that is missing for every other layer.
        `load_layer_pages` has layers 2 and 3 apart.

    Raises
    ------
    FormatError
        Naming file, layer, fact and value of the first thing that is not as expected.
    """
    file, values = _layer_values(path)
    records = {
        layer: {v.column: v.value for v in found if v.name is None}
        for layer, found in values.items()
    }
    table = sheets.as_table(lambda layer: f"{file}: layer {layer!r}", records, FACTS)
    groups = _counts(values).groupby(["kind", "layer"], observed=False)["n_neurons"]
    table.insert(0, "n_neurons_listed", groups.sum()["mtype"].to_numpy())
    table.insert(1, "n_mtypes", groups.size()["mtype"].to_numpy())
    table.insert(2, "n_etypes", groups.size()["etype"].to_numpy())
    sheet = load_circuit(circuit).astype({"layer": str}).set_index(["quantity", "layer"])["value"]
    height = sheet["thickness_um"].to_dict()
    height.setdefault("L23", height.get("L2", 0.0) + height.get("L3", 0.0))
    table.insert(0, "n_neurons", sheet["neurons_per_layer"].reindex(table.index).astype("int64"))
    table.insert(0, "thickness_um", [float(height[layer]) for layer in table.index])
    table.insert(0, "layer", pd.Categorical(table.index, dtype=sheets.LAYER))
    return table.reset_index(drop=True)


def load_layer_counts(path: str | os.PathLike | None = None) -> pd.DataFrame:
    """Return the ``n_neurons`` of each ``type`` (``kind`` mtype or etype) that the JSON lists."""
    return _counts(_layer_values(path)[1]).drop(columns="sublayer")


def load_layer_pages() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return facts and counts of the layers as the portal's pages print them, L2 and L3 apart."""
    facts, counts = [], []
    for layer in names.LAYERS:
        file = nmc.fetch(f"page/layer/{layer}")
        values = _values(file, layer, sheets.read_facts(file))
        facts += [
            {"layer": layer, "sublayer": _sublayer(layer, value), "quantity": value.column,
             "value": float(value.value), "printed": value.printed}
            for value in values if value.name is None
        ]  # fmt: skip
        counts.append(_counts({layer: values}))
    return _ordered(pd.DataFrame(facts), ["layer", "sublayer"]), pd.concat(counts).reset_index(
        drop=True
    )


def _check_layers(where: str, column: str, values: list[sheets.Value]) -> None:
    """Refuse a list of the circuit sheet without all layers; all but one have L2 and L3 apart."""
    layers = {str(value.name) for value in values if value.column == column}
    if {"L2", "L3"} <= layers and column != "neurons_per_layer":
        layers = layers - {"L2", "L3"} | {"L23"}
    sheets.check_complete(where, layers, names.LAYERS, "layer")


def _layer_values(path: str | os.PathLike | None) -> tuple[Path, dict[str, list[sheets.Value]]]:
    file = nmc.fetch("sheet/layers") if path is None else given_path(path)
    data = sheets.read_json(file)
    sheets.check_complete(f"{file}", data, names.LAYERS, "layer")
    for layer, sheet in data.items():
        if not isinstance(sheet, dict):
            raise FormatError(f"{file}: layer {layer!r} holds {sheet!r}, not an object.")
    return file, {
        layer: _values(file, layer, sheets.facts_of_json(data[layer])) for layer in names.LAYERS
    }


def _values(file: Path, layer: str, facts: Iterable[sheets.Fact]) -> list[sheets.Value]:
    """Numbers of one layer's sheet; each of its lists of m-types is complete."""
    place = f"{file}: layer {layer!r}"
    values = list(sheets.values_of(place, facts, _FIELDS))
    sheets.check_facts(place, (value.column for value in values), COUNTS)
    own = [mtype for mtype in names.MTYPES if names.layer_of(mtype) == layer]
    listed = [value for value in values if value.column == "mtype"]
    for section in {value.section for value in listed}:
        found = [str(value.name) for value in listed if value.section == section]
        sheets.check_complete(f"{place}: {listed[0].label!r}", found, own, "m-type")
    return values


def _sublayer(layer: str, value: sheets.Value) -> str:
    head = value.section.split(" ", 1)[0]
    return head if head in sheets.SUBLAYERS else layer


def _counts(values: dict[str, list[sheets.Value]]) -> pd.DataFrame:
    rows = [
        (layer, _sublayer(layer, value), value.column, value.name, value.value)
        for layer, found in values.items() for value in found if value.name is not None
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["layer", "sublayer", "kind", "type", "n_neurons"])
    return _ordered(table, ["layer", "sublayer", "kind", "type"])


def _ordered(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    table = table.astype({"layer": sheets.LAYER, "sublayer": sheets.SUBLAYER})
    return table.sort_values(by, kind="stable").reset_index(drop=True)


# Types of neurons, from the m-type pages --------------------------------------------------------

#: Label of an m-type page → column.
_MTYPE_FACTS = sheets.fields("m-type")
_METYPES = "No. of cells per electrical types"


def load_mtypes(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Return the m-type fact sheets, one row an m-type.

    Parameters
    ----------
    folder : path, optional
        A folder of the 55 pages (``L1_DAC.html``, …) to read instead of the source's.

    Returns
    -------
    pandas.DataFrame
        55 rows: ``mtype``, ``layer``, ``excitatory``, ``n_neurons`` (the sum of its
        me-types), ``n_etypes``, and the total length (µm) and volume (µm³) of axons and
        dendrites of all its neurons.  Where a sheet splits dendrites into apical and basal
        ones, those columns are filled; what a sheet does not print is missing.

    Raises
    ------
    FormatError
        Naming page, fact and value of the first thing that is not as expected: a page lists
        every me-type of its m-type, and no other.
    """
    rows = [
        {"mtype": mtype, "n_neurons": sum(counts.values()), "n_etypes": len(counts), **amounts}
        for mtype, counts, amounts in _mtype_sheets(folder)
    ]
    amounts = (field.column for label, field in _MTYPE_FACTS.items() if label != _METYPES)
    columns = ["mtype", "n_neurons", "n_etypes", *amounts]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(1, "layer", table["mtype"].map(names.layer_of).astype(sheets.LAYER))
    table.insert(2, "excitatory", table["mtype"].map(names.is_excitatory))
    return table.astype({"mtype": sheets.MTYPE})


def load_metypes(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Return how many neurons of each me-type the microcircuit holds.

    Parameters
    ----------
    folder : path, optional
        As for `load_mtypes`, and the same errors.

    Returns
    -------
    pandas.DataFrame
        207 rows: ``metype``, ``mtype``, ``etype``, ``layer`` (ordered categoricals),
        ``excitatory``, ``n_neurons``.
    """
    rows = [
        {"metype": metype, "mtype": mtype, "etype": metype.rpartition("_")[2],
         "layer": names.layer_of(mtype), "excitatory": names.is_excitatory(mtype),
         "n_neurons": count}
        for mtype, counts, _ in _mtype_sheets(folder) for metype, count in counts.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return table.astype(sheets.TYPES).sort_values("metype").reset_index(drop=True)


def load_etypes(folder: str | os.PathLike | None = None) -> pd.DataFrame:
    """Return the e-types, one row an e-type.

    Parameters
    ----------
    folder : path, optional
        As for `load_mtypes`, and the same errors.

    Returns
    -------
    pandas.DataFrame
        11 rows: ``etype`` (ordered categorical), ``onset`` and ``steady_state`` (what the
        two parts of a name say: Petilla Interneuron Nomenclature Group 2008, Nat. Rev. Neurosci.
        9:557-568), ``excitatory``, ``n_neurons``, ``n_mtypes``.
    """
    groups = load_metypes(folder).groupby("etype", observed=False)
    table = pd.DataFrame({"n_neurons": groups["n_neurons"].sum(), "n_mtypes": groups.size()})
    onset, steady = zip(*(names.describe_etype(name) for name in table.index), strict=True)
    table.insert(0, "onset", onset)
    table.insert(1, "steady_state", steady)
    table.insert(2, "excitatory", [name == "cADpyr" for name in table.index])
    return table.reset_index()


def _mtype_sheets(
    folder: str | os.PathLike | None,
) -> Iterator[tuple[str, dict[str, int], dict[str, float]]]:
    """Yield each m-type with the numbers of its me-types and its lengths and volumes."""
    for mtype in names.MTYPES:
        page = f"{names.portal_mtype(mtype)}.html"
        file = nmc.fetch(f"page/mtype/{mtype}") if folder is None else given_path(folder) / page
        yield mtype, *read_mtype_page(file, mtype)


def read_mtype_page(file: Path, mtype: str) -> tuple[dict[str, int], dict[str, float]]:
    """Return what an m-type's page prints: neurons by me-type, and column → value (µm, µm³)."""
    values = list(sheets.values_of(f"{file}", sheets.read_facts(file), _MTYPE_FACTS))
    sheets.check_facts(f"{file}", (value.column for value in values), _MTYPE_FACTS)
    counts = {value.name: int(value.value) for value in values if value.name is not None}
    expected = [f"{mtype}_{etype}" for etype in names.etypes_of(mtype)]
    sheets.check_complete(f"{file}: {_METYPES!r}", counts, expected, "me-type")
    return counts, {value.column: value.value for value in values if value.name is None}
