"""Types of neurons: m-types, e-types and their combinations, from the m-type pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import nmc
from nmc import names
from nmc.errors import FormatError
from nmc.factsheets import sheets

#: Label of an m-type page → column.
_FIELDS = sheets.fields("m-type")
_COUNTS = "No. of cells per electrical types"


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
        for mtype, counts, amounts in _sheets(folder)
    ]
    amounts = (field.column for label, field in _FIELDS.items() if label != _COUNTS)
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
        for mtype, counts, _ in _sheets(folder) for metype, count in counts.items()
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


def _sheets(
    folder: str | os.PathLike | None,
) -> Iterator[tuple[str, dict[str, int], dict[str, float]]]:
    """Yield each m-type with the numbers of its me-types and its lengths and volumes."""
    for mtype in names.MTYPES:
        if folder is None:
            file = nmc.fetch(f"page/mtype/{mtype}")
        else:
            file = Path(folder) / f"{names.portal_mtype(mtype)}.html"
        yield mtype, *read_mtype_page(file, mtype)


def read_mtype_page(file: Path, mtype: str) -> tuple[dict[str, int], dict[str, float]]:
    """Return what an m-type's page prints: neurons by me-type, and column → value (µm, µm³)."""
    counts: dict[str, int] = {}
    amounts: dict[str, float] = {}
    for value in sheets.values_of(file, sheets.read_facts(file), _FIELDS):
        if (value.column == "n_neurons") == (value.name is None):
            form = "a list" if value.name is None else "one number"
            raise FormatError(f"{file}: {value.label!r} should be {form}.")
        if value.name is None:
            amounts[value.column] = float(value.value)
        else:
            metype = sheets.spelled(f"{file}: {_COUNTS!r}", names.canonical_metype, value.name)
            counts[metype] = int(value.value)
    if not counts:
        raise FormatError(f"{file}: the list {_COUNTS!r} is missing.")
    expected = [f"{mtype}_{etype}" for etype in names.etypes_of(mtype)]
    sheets.check_complete(f"{file}: {_COUNTS!r}", counts, expected, "me-type")
    return counts, amounts
