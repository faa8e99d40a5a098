"""What a small circuit is made of, decided before NEURON starts: cells, contacts, delays, input.

A plan holds plain data only, so that any number of processes builds the same circuit from it:
every random choice is made here, or is keyed by a cell's number and not by where it runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Unpack

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.measures import STEP_OVER_RHEOBASE
from nmc.cells.mechanisms import rename_clashes
from nmc.cells.package import AnyModel, Package, as_package, by_name
from nmc.cells.settings import SynapseSettings, check_synaptic, scale_synapses
from nmc.circuit.synaptome import contacts_of, to_spec
from nmc.data import available
from nmc.errors import CircuitError, SynapseError
from nmc.numbers import as_count, as_counts, as_generator, as_number

if TYPE_CHECKING:
    from nmc.connectome.graph import Connectome

_number = partial(as_number, error=CircuitError)
_count = partial(as_count, error=CircuitError)
#: Axonal conduction and synaptic transmission: this book's choice, of the order measured in
#: cortical slices.
VELOCITY_um_per_ms = 300.0
SYNAPTIC_DELAY_ms = 0.5
#: Neighbourhoods of which the best connected is chosen.
_TRIES = 200


@dataclass(frozen=True, eq=False)
class CircuitPlan:
    """Everything that defines a run but its length.

    Attributes
    ----------
    neurons : DataFrame
        One row a cell: ``neuron`` (its number in the connectome), ``mtype``, ``model``,
        ``excitatory``, ``x_um``, ``y_um``, ``z_um``.
    connections : DataFrame
        One row a connection: ``pre``, ``post`` (rows of `neurons`), ``source`` (whose contacts
        it takes: a presynaptic cell of the receiving package), ``contacts``, ``distance_um``,
        ``delay_ms``, ``weight_nS`` (sum over its contacts).
    background : DataFrame
        One row a Poisson source: ``post``, ``source`` (as above).
    packages, synapses : mapping of str to Package, to DataFrame
        By model name: the package, and its synapses under the plan's conditions.
    settings : mapping
        ``drive_nA`` (per cell), ``background_Hz``, ``gain``, ``seed``, ``synaptic``.
    skipped : tuple of (str, str)
        Connections left out because the receiving package has no such synapse, as pathways.
    """

    neurons: pd.DataFrame
    connections: pd.DataFrame
    background: pd.DataFrame
    packages: Mapping[str, Package]
    synapses: Mapping[str, pd.DataFrame]
    settings: Mapping
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def contacts(self) -> pd.DataFrame:
        """One row a contact, those of the connections by sender, then the background's.

        Made anew at each use: of a whole m-type it takes 100 MB, and runs keep their plans.
        ``link`` numbers connections and Poisson sources together; ``pre`` (-1 for a source),
        ``post``, ``model``, ``synapse`` and its row in `synapses`, but with the connection's delay
        and its gain in the weight.
        """
        wired = self.connections[["pre", "post", "source", "delay_ms"]]
        wired = wired.sort_values("pre", kind="stable")
        links = pd.concat([wired, self.background.assign(pre=-1)], ignore_index=True)
        links = links.assign(link=links.index, model=self._models[links["post"]])
        every = pd.concat(self.synapses, names=["model"]).reset_index()
        found = links.merge(every, left_on=["model", "source"], right_on=["model", "pre_cell"],
                            suffixes=("", "_own"))  # fmt: skip
        return found.assign(
            delay_ms=found["delay_ms"].fillna(found.pop("delay_ms_own")),
            weight_nS=found["weight_nS"].where(
                found["pre"] < 0, found["weight_nS"] * self.settings["gain"]
            ),
        )

    @property
    def _models(self) -> np.ndarray:
        return self.neurons["model"].to_numpy()

    @cached_property
    def spec(self) -> dict:
        """Everything the workers need, ready for JSON: cells, contacts, input."""
        contacts, inside = self.contacts.set_index("synapse"), self.contacts["pre"].to_numpy() >= 0
        return {
            "cells": [self.packages[m].to_spec() for m in self._models],
            "random_channels": [bool(self.packages[m].stochastic) for m in self._models],
            "contacts": to_spec(contacts[inside]),
            "background": to_spec(contacts[~inside]),
            **{k: self.settings[k] for k in ("drive_nA", "background_Hz", "seed")},
        }

    def trusting(self) -> CircuitPlan:
        """Return the same plan with its packages trusted, see `nmc.load_package`."""
        if all(package.trusted for package in self.packages.values()):
            return self
        trusted = {name: as_package(p, trust=True) for name, p in self.packages.items()}
        return replace(self, packages=trusted)

    def __repr__(self) -> str:
        return (
            f"<CircuitPlan: {len(self.neurons)} cells of {self.neurons['mtype'].nunique()} "
            f"m-types, {len(self.connections)} connections, "
            f"{self.connections['contacts'].sum():.0f} contacts>"
        )


def choose_neurons(
    connectome: Connectome,
    counts: Mapping[str, int],
    *,
    rng: np.random.Generator | int,
) -> np.ndarray:
    """Choose neighbouring neurons that are well connected; their sorted numbers.

    Takes, around a random neuron, the nearest of each m-type; of 200 such the best connected.

    Parameters
    ----------
    connectome : Connectome
        Where from.
    counts : mapping of str to int
        How many of each m-type.
    rng : Generator or int
        What draws the neighbourhoods, or its seed.

    Raises
    ------
    UnknownNameError, CircuitError
        No such m-type; fewer neurons of one than asked for.
    """
    rng = as_generator(rng, error=CircuitError)
    counts = {
        names.canonical_mtype(m): _count(n, where=f"neurons of {m}", low=1)
        for m, n in counts.items()
    }
    if not counts:
        raise CircuitError("counts names no m-type.")
    mtypes = connectome.neurons["mtype"].astype(str).to_numpy()
    places = connectome.neurons[["x_um", "z_um"]].to_numpy(float)
    of = {mtype: np.flatnonzero(mtypes == mtype) for mtype in counts}
    for mtype, number in counts.items():
        if len(of[mtype]) < number:
            raise CircuitError(
                f"{number} neurons of {mtype} were asked for, but {connectome.name} has "
                f"{len(of[mtype])}."
            )
    best, most = np.empty(0, int), -1
    for centre in places[rng.choice(np.concatenate(list(of.values())), _TRIES)]:
        distance = np.hypot(*(places - centre).T)
        near = [at[np.argsort(distance[at], kind="stable")[: counts[m]]] for m, at in of.items()]
        chosen = np.sort(np.concatenate(near))
        connections = connectome.adjacency[chosen][:, chosen].nnz
        if connections > most:
            best, most = chosen, connections
    return best


def plan_circuit(
    connectome: Connectome,
    neurons: Sequence[int] | None = None,
    *,
    models: Mapping[str, AnyModel | Sequence[AnyModel]] | None = None,
    drive: float = 0.9,
    background_Hz: float = 5.0,
    background_cells: int = 20,
    gain: float = 1.0,
    missing: str = "error",
    seed: int = 0,
    **synaptic: Unpack[SynapseSettings],
) -> CircuitPlan:
    """Decide on cells, contacts, delays and input of a circuit.

    Parameters
    ----------
    connectome : Connectome
        From `nmc.load_connectome`, or a null of one.
    neurons : sequence of int, optional
        Which neurons; all of the connectome unless given.
    models : mapping of str to model or list of models, optional
        M-type → model, or models to alternate, each as for `nmc.load_package`; unless given
        the first the source has. Mechanisms that differ under one name get names of their own.
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
    **synaptic
        Calcium outside and other conditions, see `nmc.SynapseSettings`; of the background too.

    Returns
    -------
    CircuitPlan

    Raises
    ------
    CircuitError
        An m-type without a package, a neuron that is not there, a connection without a synapse;
        a number out of its range.

    Notes
    -----
    A connection takes all contacts that one presynaptic cell of that m-type makes in the
    receiving package, another cell's for each connection while there are enough; its delay is
    the distance of the somata over 300 µm/ms and 0.5 ms.
    """
    if not isinstance(models, Mapping | None):
        raise CircuitError(f"models is given by m-type, {{'L1_HAC': …}}, not as {models!r}.")
    if missing not in ("error", "skip"):
        raise CircuitError(f"missing is 'error' or 'skip'; got {missing!r}.")
    drive = _number(drive, where="drive", low=-100, high=100)
    gain = _number(gain, where="gain", low=0, high=1e6)
    background_Hz = _number(background_Hz, where="background_Hz", low=0, high=1e4)
    background_cells = _count(background_cells, where="background_cells")
    seed = _count(seed, where="seed", high=2**31 - 1)
    sub, numbers = _selected(connectome, neurons)
    table, packages = _neuron_table(sub, numbers, models)
    # the background is drawn first, so that it is the same whatever the wiring
    number = background_cells if background_Hz > 0 else 0
    synapses = {m: scale_synapses(p.synapses, p.mtype, **synaptic) for m, p in packages.items()}
    background = _background(table, synapses, number, np.random.default_rng([seed, 1]))
    rows, skipped = _wire(sub, table, packages, background, missing, seed)
    connections = _measure(rows, table, synapses, gain)
    rheobase = {m: p.hold_nA + p.steps_nA[0] / STEP_OVER_RHEOBASE for m, p in packages.items()}
    settings = {"drive_nA": [drive * rheobase[m] for m in table["model"]],
                "background_Hz": background_Hz, "gain": gain, "seed": seed,
                "synaptic": check_synaptic(synaptic)}  # fmt: skip
    skipped = tuple(skipped)
    return CircuitPlan(table, connections, background, packages, synapses, settings, skipped)


def _selected(connectome, neurons):
    if neurons is None:
        return connectome, np.arange(connectome.n_neurons)
    given = as_counts(list(neurons), where="neurons", low=-(2**53), error=CircuitError)
    numbers = np.unique(given)
    if not len(numbers) or numbers[0] < 0 or numbers[-1] >= connectome.n_neurons:
        raise CircuitError(
            f"Neurons of {connectome.name} are numbered 0 to {connectome.n_neurons - 1}; "
            f"got {list(neurons)[:6]}."
        )
    return connectome.select(numbers), numbers


def _neuron_table(sub, numbers, models) -> tuple[pd.DataFrame, dict[str, Package]]:
    """Neurons with the name of a package each, and the packages by name."""
    models = {names.canonical_mtype(m): v for m, v in (models or {}).items()}
    table = sub.neurons[["mtype", "excitatory", "x_um", "y_um", "z_um"]].reset_index(drop=True)
    table["mtype"] = table["mtype"].astype(str)
    table.insert(0, "neuron", numbers)
    choice: dict[str, list[Package]] = {}
    for mtype in table["mtype"].unique():
        given = models[mtype] if mtype in models else _first_model(mtype)
        given = [given] if isinstance(given, AnyModel) else given
        if not len(given):
            raise CircuitError(f"No model of {mtype} is named.")
        choice[mtype] = [as_package(model) for model in given]
    turn = table.groupby("mtype").cumcount()
    chosen = [choice[m][k % len(choice[m])] for m, k in zip(table["mtype"], turn, strict=True)]
    packages = {package.content_sha256: package for package in chosen}
    named = by_name(rename_clashes(packages.values()))
    keys = {package.content_sha256: name for name, package in named.items()}
    table.insert(2, "model", [keys[package.content_sha256] for package in chosen])
    return table, named


def _first_model(mtype: str) -> str:
    """The first model of an m-type that the source has."""
    every = (names.Model(mtype, etype, k).name for etype in names.etypes_of(mtype)
             for k in names.INSTANCES)  # fmt: skip
    for model in every:
        if available(f"model/{model}"):
            return model
    raise CircuitError(
        f"The source has no model package of {mtype}; leave its neurons out, or name a source "
        "that has one (NMC_SOURCE)."
    )


def _wire(sub, table, packages, background, missing, seed):
    """Give each connection the contacts of a presynaptic cell of the receiver's package.

    The choice depends on the receiver's number, the sending m-type and the seed alone.
    """
    mtypes, models = table["mtype"].to_numpy(), table["model"].to_numpy()
    taken = {post: set(rows["source"]) for post, rows in background.groupby("post")}
    skipped, blocks = [], []

    @cache
    def senders_in(model: str, mtype: str) -> np.ndarray:
        return np.unique(contacts_of(packages[model], mtype)["pre_cell"])

    columns = sub.adjacency.tocsc()
    for post in range(len(table)):
        senders = np.sort(columns.indices[columns.indptr[post] : columns.indptr[post + 1]])
        for mtype in np.unique(mtypes[senders]):
            pre = senders[mtypes[senders] == mtype]
            try:
                pool = senders_in(models[post], mtype)
            except SynapseError as error:
                if missing == "error":
                    raise CircuitError(
                        f"{error} Leave such connections out with missing='skip'."
                    ) from error
                skipped += [(mtype, mtypes[post])] * len(pre)
                continue
            key = [seed, 2, int(table["neuron"][post]), names.MTYPES.index(mtype)]
            pool = np.random.default_rng(key).permutation(pool)
            used = np.isin(pool, list(taken.get(post, ())))
            pool = np.concatenate([pool[~used], pool[used]])  # those of the background come last
            blocks.append((pre, np.full(len(pre), post), np.resize(pool, len(pre))))
    rows = np.concatenate([np.zeros((0, 3), int), *(np.stack(b, axis=1) for b in blocks)])
    return pd.DataFrame(rows.astype(int), columns=["pre", "post", "source"]), skipped


def _measure(found: pd.DataFrame, table, synapses, gain: float) -> pd.DataFrame:
    """Connections with their contacts, distance, delay and weight."""
    places = table[["x_um", "y_um", "z_um"]].to_numpy(float)
    distance = np.linalg.norm(places[found["pre"]] - places[found["post"]], axis=1)
    weights = {m: s.groupby("pre_cell")["weight_nS"] for m, s in synapses.items()}
    each = pd.concat({m: grouped.agg(["size", "sum"]) for m, grouped in weights.items()})
    keys = [table["model"].to_numpy()[found["post"]], found["source"]]
    own = each.reindex(pd.MultiIndex.from_arrays(keys))
    return found.assign(
        contacts=own["size"].to_numpy(int),
        distance_um=distance,
        delay_ms=SYNAPTIC_DELAY_ms + distance / VELOCITY_um_per_ms,
        weight_nS=gain * own["sum"].to_numpy(float),
    )


def _background(table, synapses, number: int, rng) -> pd.DataFrame:
    """Draw so many of each package's excitatory presynaptic cells for every cell."""
    pools = {m: np.unique(s.loc[s["excitatory"], "pre_cell"]) for m, s in synapses.items()}
    rows = []
    for post, model in enumerate(table["model"]):
        pool = pools[model]
        chosen = np.sort(rng.choice(pool, min(number, len(pool)), replace=False))
        rows += [(post, int(source)) for source in chosen]
    return pd.DataFrame(rows, columns=["post", "source"]).astype(int)
