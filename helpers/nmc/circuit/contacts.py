"""Contacts of a presynaptic cell on a package: which there are, and how they are put on the cell.

A *contact* is one row of ``synapses.tsv``.  `contacts_of` chooses rows; `place_contact` runs
inside a worker and makes the point process that the package's own HOC would make.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.package import Package
from nmc.circuit.synapses import check_parameters
from nmc.errors import SynapseError
from nmc.numbers import as_count

#: Columns of `Package.synapses` that a worker needs.
_NEEDED = [
    "pre_cell", "section", "x", "excitatory", "depression_ms", "facilitation_ms", "utilisation",
    "decay_ms", "delay_ms", "weight_nS", "NMDA_ratio", "mg_mM", "GABAB_ratio", "e_GABAA_mV",
    "e_GABAB_mV",
]  # fmt: skip


def contacts_of(package: Package, pre_mtype: str) -> pd.DataFrame:
    """Return the synapses that cells of an m-type make on a package.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.
    pre_mtype : str
        Presynaptic m-type, in any of its spellings.

    Returns
    -------
    pandas.DataFrame
        Rows of ``package.synapses``, index ``synapse``.

    Raises
    ------
    UnknownNameError
        No such m-type.
    SynapseError
        None of the cell's synapses comes from that m-type, or one has impossible parameters.
    """
    mtype = names.canonical_mtype(pre_mtype)
    every = package.synapses
    rows = every[every["pre_mtype"] == mtype]
    if rows.empty:
        there = ", ".join(sorted(every["pre_mtype"].unique())) or "none at all"
        raise SynapseError(
            f"{package.name} has no synapse from {mtype}; its presynaptic m-types are {there}."
        )
    used = rows["utilisation"].to_numpy()
    # packages draw each contact's U at random and cut it at 0: such a contact never releases
    check_parameters(np.where(used == 0, 1, used), rows["depression_ms"], rows["facilitation_ms"])
    return rows


def choose_cells(contacts: pd.DataFrame, number: int | None, rng) -> np.ndarray:
    """Choose presynaptic cells, all of them when `number` is None; sorted."""
    cells = np.unique(contacts["pre_cell"])
    if number is None:
        return cells
    number = as_count(number, where="presynaptic cells", low=1, error=SynapseError)
    if number >= len(cells):
        return cells
    return np.sort(rng.choice(cells, number, replace=False))


def to_spec(contacts: pd.DataFrame, weight_factor: float = 1.0) -> list[dict]:
    """Turn rows into dictionaries for a worker; what the package does not set is left out."""
    table = contacts[_NEEDED].assign(weight_nS=contacts["weight_nS"] * weight_factor)
    return [
        {"synapse": int(number)} | {k: _plain(v) for k, v in row.items() if v == v}
        for number, row in zip(table.index, table.to_dict("records"), strict=True)
    ]


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def place_contact(h, cell, contact: dict, seed: int, offset: int = 0):
    """Make one contact's point process; returns it and its random stream.

    Parameters follow the package's own ``synapses.hoc``.  The stream is Random123, keyed by cell,
    synapse (plus `offset`, for a contact used twice) and `seed`, so that it does not depend on
    what else runs in the process.
    """
    segment = cell.section(contact["section"])(contact["x"])
    if contact["excitatory"]:
        synapse = h.ProbAMPANMDA_EMS(segment)
        synapse.tau_d_AMPA = contact["decay_ms"]
        settings = {"NMDA_ratio": "NMDA_ratio", "mg_mM": "mg"}
    else:
        synapse = h.ProbGABAAB_EMS(segment)
        synapse.tau_d_GABAA = contact["decay_ms"]
        rise = h.Random()
        rise.MCellRan4(contact["synapse"] * 100_000 + 100, cell.gid + 250)
        synapse.tau_r_GABAA = rise.lognormal(0.2, 0.1)
        settings = {"GABAB_ratio": "GABAB_ratio", "e_GABAA_mV": "e_GABAA", "e_GABAB_mV": "e_GABAB"}
    for column, name in settings.items():
        if column in contact:
            setattr(synapse, name, contact[column])
    synapse.Use = contact["utilisation"]
    synapse.Dep = contact["depression_ms"]
    synapse.Fac = contact["facilitation_ms"]
    stream = h.Random()
    reseed(stream, cell.gid, contact["synapse"] + offset, seed)
    synapse.setRNG(stream)
    return synapse, stream


def reseed(stream, gid: int, synapse: int, seed: int) -> None:
    """Start a contact's random stream anew."""
    stream.Random123(gid, synapse, seed)
    stream.uniform(0, 1)


def origin_of(packages: Iterable[Package]) -> dict:
    """Say where packages come from, and whether any of their numbers are synthetic."""
    packages = list(packages)
    return {
        "origin": ", ".join(dict.fromkeys(package.origin for package in packages)),
        "invented": any(package.invented for package in packages),
    }
