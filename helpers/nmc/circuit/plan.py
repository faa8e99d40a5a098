"""What a small circuit is made of, decided before NEURON starts: cells, contacts, delays, input.

A plan holds plain data only, so that any number of processes builds the same circuit from it:
every random choice is made here, or is keyed by a cell's number and not by where it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.build import cell_spec
from nmc.cells.package import Package, load_package
from nmc.circuit.contacts import contacts_of, to_spec
from nmc.errors import CircuitError, SynapseError

#: Axonal conduction and synaptic transmission: this book's choice, of the order measured in
#: cortical slices.
VELOCITY_um_per_ms = 300.0
SYNAPTIC_DELAY_ms = 0.5
_STEP_OVER_RHEOBASE = 1.2  # the packages' first step is 120 % of rheobase


@dataclass(frozen=True)
class CircuitPlan:
    """Everything that defines a run but its length.

    Attributes
    ----------
    neurons : DataFrame
        One row a cell: ``neuron`` (its number in the connectome), ``mtype``, ``model``,
        ``excitatory``, ``x_um``, ``y_um``, ``z_um``.
    connections : DataFrame
        One row a connection: ``pre``, ``post`` (rows of `neurons`), ``contacts``,
        ``distance_um``, ``delay_ms``, ``weight_nS`` (sum over its contacts).
    packages : mapping of str to Package
        By model name.
    spec : dict
        The same for the workers, ready for JSON.
    skipped : tuple of (str, str)
        Connections left out because the receiving package has no such synapse, as pathways.
    """

    neurons: pd.DataFrame
    connections: pd.DataFrame
    packages: Mapping[str, Package]
    spec: dict
    skipped: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        kinds = self.neurons["mtype"].nunique()
        return (
            f"<CircuitPlan: {len(self.neurons)} cells of {kinds} m-types, "
            f"{len(self.connections)} connections, "
            f"{int(self.connections['contacts'].sum())} contacts>"
        )


def choose_neurons(connectome, counts: Mapping[str, int], *, rng, tries: int = 200) -> np.ndarray:
    """Choose neighbouring neurons that are well connected.

    Takes, around a random neuron, the nearest of each m-type; of many such neighbourhoods the
    one with the most connections.

    Parameters
    ----------
    connectome : Connectome
        Where from.
    counts : mapping of str to int
        How many of each m-type.
    rng : numpy.random.Generator
    tries : int
        How many neighbourhoods to look at.

    Returns
    -------
    int array
        Sorted numbers of neurons.

    Raises
    ------
    UnknownNameError, CircuitError
        No such m-type; fewer neurons of one than asked for.
    """
    counts = {names.canonical_mtype(m): int(n) for m, n in counts.items()}
    mtypes = connectome.neurons["mtype"].astype(str).to_numpy()
    places = connectome.neurons[["x_um", "z_um"]].to_numpy(float)
    for mtype, number in counts.items():
        there = int((mtypes == mtype).sum())
        if there < number or number < 1:
            raise CircuitError(
                f"{number} neurons of {mtype} were asked for, but {connectome.name} has {there}."
            )
    of = {mtype: np.flatnonzero(mtypes == mtype) for mtype in counts}
    best, most = None, -1
    for centre in places[rng.choice(np.concatenate(list(of.values())), tries)]:
        distance = np.hypot(*(places - centre).T)
        near = [at[np.argsort(distance[at], kind="stable")[: counts[m]]] for m, at in of.items()]
        chosen = np.sort(np.concatenate(near))
        connections = connectome.adjacency[chosen][:, chosen].nnz
        if connections > most:
            best, most = chosen, connections
    return best


def plan_circuit(
    connectome,
    neurons: Sequence[int] | None = None,
    *,
    models: Mapping[str, str | Sequence[str]] | None = None,
    drive: float = 0.9,
    background_Hz: float = 5.0,
    background_cells: int = 20,
    gain: float = 1.0,
    missing: str = "error",
    seed: int = 0,
) -> CircuitPlan:
    """Decide on cells, contacts, delays and input of a circuit.

    Parameters
    ----------
    connectome : Connectome
        From `nmc.load_connectome`, or a null of one.
    neurons : sequence of int, optional
        Which neurons; all of the connectome unless given.
    models : mapping of str to str or list of str, optional
        M-type → model, or models to alternate; unless given the first the source has.
    drive : float
        Constant current into each soma, as a share of the cell's rheobase.
    background_Hz, background_cells : float, int
        Poisson input: so many of the package's own excitatory presynaptic cells, each firing at
        that rate; 0 for none.
    gain : float
        Factor on the weights of the connections (not of the background).
    missing : {"error", "skip"}
        What to do with a connection for which the receiving package has no synapse.
    seed : int
        Chooses contacts and background.

    Returns
    -------
    CircuitPlan

    Raises
    ------
    CircuitError
        An m-type without a package, a neuron that is not there, a connection without a synapse.

    Notes
    -----
    A connection takes all contacts that one presynaptic cell of that m-type makes in the
    receiving package, another cell's for each connection while there are enough; its delay is
    the distance of the somata over 300 µm/ms and 0.5 ms.
    """
    if missing not in ("error", "skip"):
        raise CircuitError(f"missing is 'error' or 'skip'; got {missing!r}.")
    sub, numbers = _selected(connectome, neurons)
    table = _neuron_table(sub, numbers, models)
    packages = {model: load_package(model) for model in table["model"].unique()}
    # the background is drawn first, so that it is the same whatever the wiring
    number = background_cells if background_Hz > 0 else 0
    rng = np.random.default_rng([seed, 1])
    background = [_background(packages[m], number, rng) for m in table["model"]]
    rng = np.random.default_rng([seed, 2])
    connections, contacts, skipped = _wire(sub, table, packages, background, gain, missing, rng)
    spec = {
        "cells": [cell_spec(packages[m]) for m in table["model"]],
        "random_channels": [bool(packages[m].stochastic) for m in table["model"]],
        "contacts": contacts,
        "drive_nA": [drive * _rheobase(packages[m]) for m in table["model"]],
        "background": background,
        "background_Hz": background_Hz,
        "seed": seed,
    }
    return CircuitPlan(table, connections, packages, spec, tuple(skipped))


def _selected(connectome, neurons):
    if neurons is None:
        return connectome, np.arange(connectome.n_neurons)
    numbers = np.unique(np.asarray(neurons, int))
    if not len(numbers) or numbers[0] < 0 or numbers[-1] >= connectome.n_neurons:
        raise CircuitError(
            f"Neurons of {connectome.name} are numbered 0 to {connectome.n_neurons - 1}; "
            f"got {list(neurons)[:6]}."
        )
    return connectome.select(numbers), numbers


def _neuron_table(sub, numbers, models) -> pd.DataFrame:
    models = {names.canonical_mtype(m): v for m, v in (models or {}).items()}
    table = sub.neurons[["mtype", "excitatory", "x_um", "y_um", "z_um"]].reset_index(drop=True)
    table["mtype"] = table["mtype"].astype(str)
    table.insert(0, "neuron", numbers)
    choice: dict[str, list[str]] = {}
    for mtype in table["mtype"].unique():
        given = models.get(mtype, None)
        choice[mtype] = (
            [_first_model(mtype)]
            if given is None
            else [names.parse_model(m).name for m in ([given] if isinstance(given, str) else given)]
        )
    turn = table.groupby("mtype").cumcount()
    chosen = [choice[m][k % len(choice[m])] for m, k in zip(table["mtype"], turn, strict=True)]
    table.insert(2, "model", chosen)
    return table


def _first_model(mtype: str) -> str:
    """The first model of an m-type that the source has."""
    from nmc.data.fetch import available

    for etype in names.etypes_of(mtype):
        for instance in names.INSTANCES:
            model = names.Model(mtype, etype, instance).name
            if available(f"model/{model}"):
                return model
    raise CircuitError(
        f"The source has no model package of {mtype}; leave its neurons out, or name a source "
        "that has one (NMC_SOURCE)."
    )


def _rheobase(package: Package) -> float:
    """Current from 0 that brings the cell to threshold: holding current and 5/6 of step 1."""
    return package.hold_nA + package.steps_nA[0] / _STEP_OVER_RHEOBASE


def _wire(sub, table, packages, background, gain, missing, rng):
    adjacency = sub.adjacency.tocoo()
    places = table[["x_um", "y_um", "z_um"]].to_numpy(float)
    rows, contacts, skipped = [], [], []
    used = [{contact["pre_cell"] for contact in own} for own in background]
    order = np.lexsort((adjacency.row, adjacency.col))
    for pre, post in zip(adjacency.row[order].tolist(), adjacency.col[order].tolist(), strict=True):
        mtype, package = table["mtype"][pre], packages[table["model"][post]]
        try:
            found = contacts_of(package, mtype)
        except SynapseError as error:
            if missing == "error":
                raise CircuitError(
                    f"{error} Leave such connections out with missing='skip'."
                ) from error
            skipped.append((mtype, table["mtype"][post]))
            continue
        cells = np.unique(found["pre_cell"])
        free = np.setdiff1d(cells, list(used[post]))
        source = int(rng.choice(free if len(free) else cells))
        used[post].add(source)
        own = found[found["pre_cell"] == source]
        distance = float(np.linalg.norm(places[pre] - places[post]))
        delay = SYNAPTIC_DELAY_ms + distance / VELOCITY_um_per_ms
        rows.append(
            {"pre": pre, "post": post, "contacts": len(own), "distance_um": distance,
             "delay_ms": delay, "weight_nS": gain * own["weight_nS"].sum()}
        )  # fmt: skip
        contacts += [
            contact | {"pre": pre, "post": post, "delay_ms": delay}
            for contact in to_spec(own, gain)
        ]
    columns = ["pre", "post", "contacts", "distance_um", "delay_ms", "weight_nS"]
    return pd.DataFrame(rows, columns=columns), contacts, skipped


def _background(package: Package, number: int, rng) -> list[dict]:
    """Contacts of so many of the package's excitatory presynaptic cells."""
    synapses = package.synapses[package.synapses["excitatory"]]
    cells = np.unique(synapses["pre_cell"])
    chosen = rng.choice(cells, min(number, len(cells)), replace=False)
    return to_spec(synapses[synapses["pre_cell"].isin(chosen)])
