"""The circuit fact sheet: the few numbers that describe the whole microcircuit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nmc import units
from nmc.errors import FormatError
from nmc.factsheets import numbers, pages, schema

#: Label on the sheet → quantity.  The unit is the last part of the quantity's name.
QUANTITIES = {
    "Microcircuit volume": "volume_mm3",
    "No. of neurons": "neurons",
    "No. of layers": "layers",
    "No. of morphological types": "mtypes",
    "No. of electrical types": "etypes",
    "No. of morphoelectrical types": "metypes",
    "No. of s-types": "stypes",
    "No. of unique types of synaptic connections between m-types": "mtype_pathways",
    "No. of unique types of synaptic connections between me-types": "metype_pathways",
    "No. of intrinsic connections": "intrinsic_connections",
    "No. of intrinsic synapses": "intrinsic_synapses",
    "No. of extrinsic connections": "extrinsic_connections",
    "No. of extrinsic synapses": "extrinsic_synapses",
    "No. of neurons per layer": "neurons_per_layer",
    "Layer thicknesses": "thickness_um",
    "Neuron densities": "density_per_mm3",
}

#: The sheet keeps layers 2 and 3 apart in two of its lists.
SUBLAYERS = ("L1", "L2", "L3", "L23", "L4", "L5", "L6")

# Units as the page prints them, by quantity; an empty list accepts any word ("neurons").
_PAGE_UNITS = {"volume_mm3": "mm³", "thickness_um": "µm", "density_per_mm3": "neurons/mm³"}


def load_circuit() -> pd.DataFrame:
    """Return the circuit fact sheet as one row a number.

    Read from ``circuit_download.json`` where the source has it, else from the portal's
    circuit page; `check_factsheets` compares the two where both exist.

    Returns
    -------
    pandas.DataFrame
        ``quantity`` (its unit is the last part of the name), ``layer`` (an ordered
        categorical of L1, L2, L3, L23, L4, L5, L6; missing for the whole circuit),
        ``value``, ``unit`` and ``approximate`` (the sheet writes ``~``).

    Raises
    ------
    FormatError
        When a fact is missing, unknown or no number.

    Notes
    -----
    The numbers are those of Markram et al. (2015), Cell 163:456-492, as the portal shows them.

    Examples
    --------
    >>> sheet = load_circuit()  # doctest: +SKIP
    >>> sheet.query("quantity == 'neurons'")["value"].item()  # doctest: +SKIP
    31346.0
    """
    import nmc

    return read_circuit_json() if nmc.available("sheet/circuit") else read_circuit_page()


def read_circuit_json() -> pd.DataFrame:
    """Return the circuit sheet from the downloadable JSON; see `load_circuit`."""
    import nmc

    file = nmc.fetch("sheet/circuit")
    return _table(file, _json_facts(file, schema.read_json(file)))


def read_circuit_page() -> pd.DataFrame:
    """Return the circuit sheet from the portal's page; see `load_circuit`."""
    import nmc

    file = nmc.fetch("page/circuit")
    return _table(file, _page_facts(file))


def _json_facts(file: Path, data: dict) -> Iterator[tuple]:
    for label, value in data.items():
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for layer, text in parts:
            yield label, layer, text


def _page_facts(file: Path) -> Iterator[tuple]:
    for fact in pages.read_facts(file):
        quantity = QUANTITIES.get(fact.label)
        parts = [(bar.name, bar.text, bar.unit) for bar in fact.bars]
        for layer, text, unit in parts or [(None, fact.text, fact.unit)]:
            expected = _PAGE_UNITS.get(quantity, unit)
            if unit != expected:
                raise FormatError(
                    f"{file}: {fact.label!r}: the unit {unit!r} stands where {expected!r} should."
                )
            yield fact.label, layer, text


def _table(file: Path, facts: Iterator[tuple]) -> pd.DataFrame:
    rows = [_row(file, *fact) for fact in facts]
    table = pd.DataFrame(rows)
    lost = set(QUANTITIES.values()) - set(table["quantity"] if len(table) else ())
    if lost:
        label = next(k for k, v in QUANTITIES.items() if v in lost)
        raise FormatError(f"{file}: the fact {label!r} is missing.")
    rank = {quantity: i for i, quantity in enumerate(QUANTITIES.values())}
    table["layer"] = table["layer"].astype(pd.CategoricalDtype(SUBLAYERS, ordered=True))
    return table.sort_values(
        ["quantity", "layer"], key=lambda c: c.map(rank) if c.name == "quantity" else c
    ).reset_index(drop=True)


def _row(file: Path, label: str, layer: str | None, text) -> dict:
    if label not in QUANTITIES:
        raise FormatError(f"{file}: unknown fact {label!r} with the value {text!r}.")
    if layer is not None and layer not in SUBLAYERS:
        raise FormatError(f"{file}: {label!r} names a layer {layer!r}.")
    try:
        number = numbers.parse_number(text)
    except ValueError as error:
        raise FormatError(f"{file}: {label!r}: {error}.") from error
    quantity = QUANTITIES[label]
    return {
        "quantity": quantity,
        "layer": layer,
        "value": float(number.value),
        "unit": units.unit_of(quantity),
        "approximate": number.approximate,
    }
