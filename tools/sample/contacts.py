"""Synapses of a synthetic microcircuit: contacts a connection makes, and partners outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from nmc import names

from tools.sample import rule
from tools.sample.wiring import Instance

# Mean contacts of a connection by class, and their spread: inventions of the right size.
_CONTACTS = {("E", "E"): 3.6, ("E", "I"): 6.0, ("I", "E"): 13.0, ("I", "I"): 11.0}
_SPREAD = 0.38
# Connections from outside the column, as a share of those inside, for a cell on the axis and
# for one at the rim.
_OUTSIDE_AXIS, _OUTSIDE_RIM = 0.2, 0.6
_STREAM = 77


@dataclass(frozen=True)
class PopulationCounts:
    """What the four population datasets hold, and the synapse numbers behind the sheets.

    Attributes
    ----------
    n_cell_aff, n_cell_eff, n_syn_aff, n_syn_eff : ndarray of int, (N,)
        Connections and synapses of each neuron, partners outside the column included.
    contacts : ndarray of uint8, (n_connections,)
        Synapses of each connection, in the order of the adjacency's stored entries.
    outside : ndarray of int, (55, 55, 2)
        Afferent connections and synapses from outside, by m-type of pre and post.
    """

    n_cell_aff: np.ndarray
    n_cell_eff: np.ndarray
    n_syn_aff: np.ndarray
    n_syn_eff: np.ndarray
    contacts: np.ndarray
    outside: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """The four datasets under the names they have in the files."""
        return {"nCellAff": self.n_cell_aff, "nCellEff": self.n_cell_eff,
                "nSynAff": self.n_syn_aff, "nSynEff": self.n_syn_eff}  # fmt: skip


def mean_contacts() -> pd.Series:
    """Mean number of synapses a connection of each pathway makes (the sample's truth)."""
    table = rule.pathways()
    rng = np.random.default_rng(_STREAM)
    base = [_CONTACTS[rule.sign(a), rule.sign(b)] for a, b in zip(table["pre"], table["post"],
                                                                strict=True)]  # fmt: skip
    return pd.Series(base * np.exp(rng.normal(0, 0.18, len(table))), index=table.index)


def count(instance: Instance) -> PopulationCounts:
    """Draw the contacts of every connection and the partners outside the column."""
    adjacency = instance.adjacency.tocoo()
    rng = np.random.default_rng([*instance.seed, _STREAM])
    code = pd.Categorical(instance.neurons["mtype"], categories=names.MTYPES).codes.astype(int)
    pair = code[adjacency.row] * len(names.MTYPES) + code[adjacency.col]
    mean = _mean_matrix()
    draw = rng.normal(mean.ravel()[pair], _SPREAD * mean.ravel()[pair])
    contacts = np.clip(np.rint(draw), 1, 255).astype(np.uint8)
    n = len(code)
    inside = _degrees(adjacency, contacts, n)
    rim = _outside_share(instance.neurons)
    types = len(names.MTYPES)
    pairs = np.bincount(pair, minlength=types**2).reshape(types, types)
    sizes = np.bincount(code, minlength=types)
    aff_mean = (pairs / sizes[None, :]).T[code] * rim[:, None]
    eff_mean = (pairs / sizes[:, None])[code] * rim[:, None]
    aff, eff = rng.poisson(aff_mean), rng.poisson(eff_mean)
    aff_syn = _synapses(aff, mean.T[code], rng)
    eff_syn = _synapses(eff, mean[code], rng)
    outside = np.zeros((types, types, 2), int)
    for k in range(types):
        mine = code == k
        outside[:, k, 0], outside[:, k, 1] = aff[mine].sum(0), aff_syn[mine].sum(0)
    return PopulationCounts(
        inside[0] + aff.sum(1), inside[1] + eff.sum(1),
        inside[2] + aff_syn.sum(1), inside[3] + eff_syn.sum(1), contacts, outside,
    )  # fmt: skip


def _mean_matrix() -> np.ndarray:
    means = mean_contacts()
    matrix = np.ones((len(names.MTYPES),) * 2)
    index = {m: k for k, m in enumerate(names.MTYPES)}
    for key, value in means.items():
        pre, post = key.split(":")
        matrix[index[pre], index[post]] = value
    return matrix


def _degrees(adjacency, contacts: np.ndarray, n: int) -> list[np.ndarray]:
    ends = (adjacency.col, adjacency.row)
    plain = [np.bincount(e, minlength=n) for e in ends]
    weighted = [np.bincount(e, weights=contacts, minlength=n).astype(int) for e in ends]
    return plain + weighted


def _outside_share(neurons: pd.DataFrame) -> np.ndarray:
    x, z = (neurons[c] - neurons[c].mean() for c in ("x_um", "z_um"))
    radius = np.hypot(x, z)
    return (_OUTSIDE_AXIS + (_OUTSIDE_RIM - _OUTSIDE_AXIS) * radius / radius.max()).to_numpy()


def _synapses(connections: np.ndarray, mean: np.ndarray, rng) -> np.ndarray:
    """Synapses of so many connections, each with the pathway's mean and spread; one at least."""
    draw = rng.normal(connections * mean, np.sqrt(connections) * _SPREAD * mean)
    return np.maximum(np.rint(draw).astype(int), connections)
