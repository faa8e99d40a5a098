"""Pathway anatomy measured on a synthetic microcircuit, by the definitions of the sheets.

The definitions are those that reproduce the portal's numbers when its connectome files are
measured: convergence is the in-degree over all postsynaptic cells, the probability is that of
pairs whose somata are closer than 100 µm, and the common-neighbour bias compares connected with
unconnected pairs (Reimann et al. 2015, Front. Comput. Neurosci. 9:120).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from nmc.sample import rule
from nmc.sample.contacts import PopulationCounts
from nmc.sample.wiring import Instance

PAIR_DISTANCE_UM = 100.0


def measure(instance: Instance, counts: PopulationCounts) -> pd.DataFrame:
    """Measure every pathway of an instance.

    Returns
    -------
    DataFrame
        Index ``pre:post``; columns ``convergence_mean, convergence_std, divergence_mean,
        divergence_std, probability`` (fraction), ``bias, contacts_mean, contacts_std,
        connections, synapses`` (inside the column), ``all_connections`` and ``all_synapses``
        (with those from outside).
    """
    ranges = instance.ranges()
    adjacency = instance.adjacency
    contacts = adjacency.copy().astype(np.int16)
    contacts.data = counts.contacts.astype(np.int16)
    order = list(ranges)
    trees = {m: cKDTree(_places(instance, s)) for m, s in ranges.items()}
    rows = {}
    for row in rule.pathways().itertuples():
        a, b = ranges[row.pre], ranges[row.post]
        block = adjacency[a, b]
        values = contacts[a, b].data
        incoming = np.bincount(block.indices, minlength=block.shape[1])
        outgoing = np.diff(block.indptr)
        outside = counts.outside[order.index(row.pre), order.index(row.post)]
        rows[row.Index] = (
            incoming.mean(), incoming.std(), outgoing.mean(), outgoing.std(),
            _probability(block, trees[row.pre], trees[row.post], row.pre == row.post),
            _bias(adjacency, a, b, block),
            values.mean(), values.std(), block.nnz, int(values.sum()),
            block.nnz + int(outside[0]), int(values.sum() + outside[1]),
        )  # fmt: skip
    columns = ["convergence_mean", "convergence_std", "divergence_mean", "divergence_std",
               "probability", "bias", "contacts_mean", "contacts_std", "connections", "synapses",
               "all_connections", "all_synapses"]  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _places(instance: Instance, rows: slice) -> np.ndarray:
    return instance.neurons[["x_um", "y_um", "z_um"]].to_numpy(float)[rows]


def _probability(block, pre: cKDTree, post: cKDTree, same: bool) -> float:
    """Connected share of the pairs closer than 100 µm; 0 where there is no such pair."""
    near = pre.sparse_distance_matrix(post, PAIR_DISTANCE_UM, output_type="coo_matrix")
    i, j = near.row, near.col
    if same:
        i, j = i[i != j], j[i != j]
    if not len(i):
        return 0.0
    return float(block.toarray()[i, j].mean())


def _bias(adjacency, a: slice, b: slice, block) -> float:
    """Common neighbours (inputs and outputs) of connected over those of unconnected pairs.

    Neighbours are counted among the cells of the two types; pairs count as connected in either
    direction.  0 where a pathway has no connected or no unconnected pair to compare.
    """
    rows = np.r_[a, b] if a != b else np.r_[a]
    first, second = slice(0, a.stop - a.start), slice(len(rows) - (b.stop - b.start), len(rows))
    local = adjacency[rows][:, rows].toarray().astype(np.float32)
    common = local[:, first].T @ local[:, second] + local[first] @ local[second].T
    linked = (local[first, second] + local[second, first].T) > 0
    apart = ~linked
    if a == b:
        np.fill_diagonal(apart, False)
    below = common[apart].mean() if apart.any() else 0.0
    if not linked.any() or below == 0:
        return 0.0
    return float(common[linked].mean() / below)
