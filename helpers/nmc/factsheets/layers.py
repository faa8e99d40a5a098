"""Layer fact sheets: what each layer holds, from the JSON and from the pages."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nmc import names
from nmc.errors import FormatError, NMCError
from nmc.factsheets import circuit, numbers, pages, schema

#: Label of a sheet → column.  The layers do not all spell the same fact the same way.
FACTS = {
    "No. of possible pathways": "possible_pathways",
    "number of possible pathways": "possible_pathways",
    "number of viable pathways": "viable_pathways",
    "number of excitatory pathways": "excitatory_pathways",
    "number of inhibitory pathways": "inhibitory_pathways",
    "number of intralaminar pathways": "intralaminar_pathways",
    "number of interlaminar pathways": "interlaminar_pathways",
    "total axonal length": "total_axonal_length_um",
    "total axonal volume": "total_axonal_volume_um3",
    "total dendritic length": "total_dendritic_length_um",
    "dendritic length": "dendritic_length_um",
    "total dendritic volume": "total_dendritic_volume_um3",
    "synapse density": "synapse_density_per_mm3",
}
COUNTS = {
    "No. of neurons per morphological types": "mtype",
    "No. of neurons per electrical types": "etype",
}
_PAGE_UNITS = {"um": "µm", "um3": "µm³", "mm3": "synapses/ mm³"}

LAYER = pd.CategoricalDtype(names.LAYERS, ordered=True)


def load_layers() -> pd.DataFrame:
    """Return the layer fact sheets, one row a layer.

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
    import nmc

    file = nmc.fetch("sheet/layers")
    data = _layer_objects(file)
    scalars = {layer: _scalars(file, layer, sheet) for layer, sheet in data.items()}
    table = pd.DataFrame.from_dict(scalars, orient="index").reindex(names.LAYERS)
    if "dendritic_length_um" not in table:
        table["dendritic_length_um"] = float("nan")
    table = schema.validate(table.astype(object), _columns(), file)
    _add_counts(table, load_layer_counts())
    _add_circuit(table, circuit.load_circuit())
    table.insert(0, "layer", pd.Categorical(table.index, dtype=LAYER))
    return table.reset_index(drop=True)


def load_layer_counts() -> pd.DataFrame:
    """Return the neurons of each type that a layer's sheet lists, as the JSON has them.

    Returns
    -------
    pandas.DataFrame
        ``layer``, ``kind`` (``mtype`` or ``etype``), ``type``, ``n_neurons``.
    """
    import nmc

    file = nmc.fetch("sheet/layers")
    rows = [
        {"layer": layer, "kind": kind, "type": _type(file, layer, kind, name),
         "n_neurons": _whole(file, layer, name, value)}
        for layer, sheet in _layer_objects(file).items()
        for label, kind in COUNTS.items()
        for name, value in _mapping(file, layer, label, sheet).items()
    ]  # fmt: skip
    return _ordered(pd.DataFrame(rows), ["layer", "kind", "type"])


def load_layer_pages() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the layer sheets as the portal's pages print them, layers 2 and 3 apart.

    Returns
    -------
    facts : pandas.DataFrame
        ``layer``, ``sublayer`` (L1, L2, L3, L4, L5, L6; L23 for facts of both), ``quantity``
        (its unit is the last part of the name), ``value``, ``printed``.
    counts : pandas.DataFrame
        ``layer``, ``sublayer``, ``kind`` (``mtype`` or ``etype``), ``type``, ``n_neurons``.
    """
    import nmc

    facts, counts = [], []
    for layer in names.LAYERS:
        file = nmc.fetch(f"page/layer/{layer}")
        for fact in pages.read_facts(file):
            head = fact.section.split(" ", 1)[0]
            place = {"layer": layer, "sublayer": head if head in circuit.SUBLAYERS else layer}
            if fact.label in COUNTS:
                kind = COUNTS[fact.label]
                counts += [
                    {**place, "kind": kind, "type": _type(file, layer, kind, bar.name),
                     "n_neurons": _whole(file, layer, bar.name, bar.text)}
                    for bar in fact.bars
                ]  # fmt: skip
            else:
                facts.append({**place, **_page_fact(file, layer, fact)})
    return (
        _ordered(pd.DataFrame(facts), ["layer", "sublayer"]),
        _ordered(pd.DataFrame(counts), ["layer", "sublayer", "kind", "type"]),
    )


def _layer_objects(file: Path) -> dict[str, dict]:
    data = schema.read_json(file)
    if set(data) != set(names.LAYERS):
        odd = sorted(set(data) ^ set(names.LAYERS))[0]
        raise FormatError(f"{file}: the layers {', '.join(names.LAYERS)} are expected; see {odd!r}")
    for layer, sheet in data.items():
        if not isinstance(sheet, dict):
            raise FormatError(f"{file}: layer {layer!r} holds {sheet!r}, not an object.")
    return {layer: data[layer] for layer in names.LAYERS}


def _scalars(file: Path, layer: str, sheet: dict) -> dict:
    values: dict[str, object] = {}
    for label, value in sheet.items():
        if label in COUNTS:
            continue
        column = FACTS.get(label)
        if column is None:
            raise FormatError(f"{file}: layer {layer!r}: unknown fact {label!r} = {value!r}.")
        if column in values:
            raise FormatError(f"{file}: layer {layer!r} holds {label!r} under two spellings.")
        values[column] = value
    return values


def _columns() -> dict:
    columns = {
        column: schema.count() if column.endswith("pathways") else schema.number(low=0)
        for column in FACTS.values()
    }
    return {**columns, "dendritic_length_um": schema.number(low=0, missing=True)}


def _mapping(file: Path, layer: str, label: str, sheet: dict) -> dict:
    value = sheet.get(label)
    if not isinstance(value, dict):
        raise FormatError(f"{file}: layer {layer!r} lacks the list {label!r}.")
    return value


def _type(file: Path, layer: str, kind: str, name: str) -> str:
    try:
        return names.canonical_mtype(name) if kind == "mtype" else names.canonical_etype(name)
    except NMCError as error:
        raise FormatError(f"{file}: layer {layer!r}: {error}") from error


def _whole(file: Path, layer: str, name: str, value) -> int:
    try:
        number = numbers.parse_number(value).value
        if number != int(number) or number < 0:
            raise ValueError(f"{value!r} is no count")
    except ValueError as error:
        raise FormatError(f"{file}: layer {layer!r}, {name!r}: {error}.") from error
    return int(number)


def _page_fact(file: Path, layer: str, fact: pages.Fact) -> dict:
    quantity = FACTS.get(fact.label)
    if quantity is None:
        raise FormatError(f"{file}: unknown fact {fact.label!r} = {fact.text!r}.")
    unit = _PAGE_UNITS.get(quantity.rsplit("_", 1)[-1], "")
    value = pages.value_of(file, fact, unit, of=f"layer {layer!r}")
    return {"quantity": quantity, "value": value, "printed": fact.text}


def _ordered(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    table["layer"] = table["layer"].astype(LAYER)
    if "sublayer" in table:
        sublayer = pd.CategoricalDtype(circuit.SUBLAYERS, ordered=True)
        table["sublayer"] = table["sublayer"].astype(sublayer)
    return table.sort_values(by, kind="stable").reset_index(drop=True)


def _add_counts(table: pd.DataFrame, counts: pd.DataFrame) -> None:
    mtypes = counts[counts["kind"] == "mtype"].groupby("layer", observed=False)["n_neurons"]
    etypes = counts[counts["kind"] == "etype"].groupby("layer", observed=False)["n_neurons"]
    table.insert(0, "n_neurons_listed", mtypes.sum().to_numpy())
    table.insert(1, "n_mtypes", mtypes.size().to_numpy())
    table.insert(2, "n_etypes", etypes.size().to_numpy())


def _add_circuit(table: pd.DataFrame, sheet: pd.DataFrame) -> None:
    neurons = sheet[sheet["quantity"] == "neurons_per_layer"].set_index("layer")["value"]
    height = sheet[sheet["quantity"] == "thickness_um"].set_index("layer")["value"]
    height.index, neurons.index = height.index.astype(str), neurons.index.astype(str)
    if "L23" not in height:
        height["L23"] = height["L2"] + height["L3"]
    table.insert(0, "n_neurons", neurons.reindex(table.index).astype("int64"))
    table.insert(0, "thickness_um", height.reindex(table.index).astype(float))
