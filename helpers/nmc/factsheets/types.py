"""Types of neurons: m-types, e-types and their combinations, from the m-type pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nmc import names
from nmc.errors import FormatError, NMCError
from nmc.factsheets import numbers, pages

#: Label of an m-type page → column.
MTYPE_FACTS = {
    f"total {part} {size}": f"total_{column}_{size}_{unit}"
    for part, column in (
        ("axon", "axonal"),
        ("dendritic", "dendritic"),
        ("apical", "apical"),
        ("basal", "basal"),
    )
    for size, unit in (("length", "um"), ("volume", "um3"))
}
_COUNTS = "No. of cells per electrical types"
_PAGE_UNITS = {"um": "µm", "um3": "µm³"}

LAYER = pd.CategoricalDtype(names.LAYERS, ordered=True)
MTYPE = pd.CategoricalDtype(names.MTYPES, ordered=True)
ETYPE = pd.CategoricalDtype(names.ETYPES, ordered=True)
METYPE = pd.CategoricalDtype(names.METYPES, ordered=True)


def load_mtypes() -> pd.DataFrame:
    """Return the m-type fact sheets, one row an m-type.

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
        Naming page, fact and value of the first thing that is not as expected.
    """
    rows = []
    for mtype, file, facts in _sheets():
        counts = [count for _, count in _metype_counts(file, facts)]
        row = {"mtype": mtype, "n_neurons": sum(counts), "n_etypes": len(counts)}
        for fact in facts:
            if fact.label != _COUNTS:
                row.update([_amount(file, fact)])
        rows.append(row)
    table = pd.DataFrame(rows).reindex(
        columns=["mtype", "n_neurons", "n_etypes", *MTYPE_FACTS.values()]
    )
    table.insert(1, "layer", table["mtype"].map(names.layer_of).astype(LAYER))
    table.insert(2, "excitatory", table["mtype"].map(names.is_excitatory))
    table["mtype"] = table["mtype"].astype(MTYPE)
    return table


def load_metypes() -> pd.DataFrame:
    """Return how many neurons of each me-type the microcircuit holds.

    Returns
    -------
    pandas.DataFrame
        207 rows: ``metype``, ``mtype``, ``etype``, ``layer`` (ordered categoricals),
        ``excitatory``, ``n_neurons``.

    Raises
    ------
    FormatError
        When a page lists no me-type, an unknown one, or a count that is none.
    """
    rows = [
        {"metype": metype, "mtype": mtype, "etype": metype.rpartition("_")[2], "n_neurons": count}
        for mtype, file, facts in _sheets()
        for metype, count in _metype_counts(file, facts)
    ]
    table = pd.DataFrame(rows)
    table.insert(3, "layer", table["mtype"].map(names.layer_of).astype(LAYER))
    table.insert(4, "excitatory", table["mtype"].map(names.is_excitatory))
    for column, dtype in (("metype", METYPE), ("mtype", MTYPE), ("etype", ETYPE)):
        table[column] = table[column].astype(dtype)
    return table.sort_values("metype").reset_index(drop=True)


def load_etypes() -> pd.DataFrame:
    """Return the e-types, one row an e-type.

    Returns
    -------
    pandas.DataFrame
        11 rows: ``etype`` (ordered categorical), ``onset`` and ``steady_state`` (what the
        two parts of a Petilla name say), ``excitatory``, ``n_neurons``, ``n_mtypes``.

    Raises
    ------
    FormatError
        As for `load_metypes`.

    Notes
    -----
    Names follow the Petilla terminology (Petilla Interneuron Nomenclature Group 2008, Nat.
    Rev. Neurosci. 9:557-568) as used by Markram et al. (2015).
    """
    metypes = load_metypes()
    groups = metypes.groupby("etype", observed=False)
    table = pd.DataFrame({"n_neurons": groups["n_neurons"].sum(), "n_mtypes": groups.size()})
    onset, steady = zip(*(describe_etype(name) for name in table.index), strict=True)
    table.insert(0, "onset", onset)
    table.insert(1, "steady_state", steady)
    table.insert(2, "excitatory", [name == "cADpyr" for name in table.index])
    return table.reset_index()


_ONSETS = {"c": "continuous", "b": "burst", "d": "delayed"}
_STEADY = {
    "ADpyr": "adapting (pyramidal)",
    "AC": "accommodating",
    "NAC": "non-accommodating",
    "STUT": "stuttering",
    "IR": "irregular",
}


def describe_etype(etype: str) -> tuple[str, str]:
    """Return onset and steady state of an e-type in words: ``bNAC`` → burst, non-accommodating."""
    etype = names.canonical_etype(etype)
    return _ONSETS[etype[0]], _STEADY[etype[1:]]


def _sheets() -> Iterator[tuple[str, Path, list[pages.Fact]]]:
    import nmc

    for mtype in names.MTYPES:
        file = nmc.fetch(f"page/mtype/{mtype}")
        yield mtype, file, pages.read_facts(file)


def _metype_counts(file: Path, facts: list[pages.Fact]) -> list[tuple[str, int]]:
    bars = [bar for fact in facts if fact.label == _COUNTS for bar in fact.bars]
    if not bars:
        raise FormatError(f"{file}: the list {_COUNTS!r} is missing.")
    try:
        return [
            (names.canonical_metype(bar.name), int(numbers.parse_number(bar.text).value))
            for bar in bars
        ]
    except (NMCError, ValueError) as error:
        raise FormatError(f"{file}: {_COUNTS!r}: {error}") from error


def _amount(file: Path, fact: pages.Fact) -> tuple[str, float]:
    column = MTYPE_FACTS.get(fact.label)
    if column is None:
        raise FormatError(f"{file}: unknown fact {fact.label!r} = {fact.text!r}.")
    return column, pages.value_of(file, fact, _PAGE_UNITS[column.rsplit("_", 1)[-1]])
