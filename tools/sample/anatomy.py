"""Pathway anatomy measured on a synthetic microcircuit, by the definitions of the sheets.

The definitions are those that reproduce the portal's numbers when its connectome files are
measured: convergence is the in-degree over all postsynaptic cells, the probability is that of
pairs whose somata are closer than 100 µm, and the common-neighbour bias compares connected with
unconnected pairs (Reimann et al. 2015, Front. Comput. Neurosci. 9:120).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from nmc import names
from scipy import sparse
from scipy.spatial import cKDTree

from tools.sample import rule
from tools.sample.contacts import PopulationCounts
from tools.sample.wiring import Instance

PAIR_DISTANCE_UM = 100.0
_ROWS = 512
_DENSE_UP_TO = 4000


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
    pairs = _Pairs.of(instance)
    types, index = len(names.MTYPES), pairs.pathway_index()
    weights = counts.contacts.astype(float)
    edge_type = pairs.type_of_edges()
    connections = _total(edge_type, types)
    contacts = _total(edge_type, types, weights) / np.maximum(connections, 1)
    squares = _total(edge_type, types, weights**2) / np.maximum(connections, 1)
    near, near_connected = pairs.near()
    incoming, outgoing = pairs.degrees()
    inside = _total(edge_type, types, weights).astype(int)
    table = {
        "convergence_mean": pairs.per_type(incoming, "mean"),
        "convergence_std": pairs.per_type(incoming, "std"),
        "divergence_mean": pairs.per_type(outgoing, "mean").T,
        "divergence_std": pairs.per_type(outgoing, "std").T,
        "probability": near_connected / np.maximum(near, 1),
        "contacts_mean": contacts,
        "contacts_std": np.sqrt(np.maximum(squares - contacts**2, 0)),
        "connections": connections,
        "synapses": inside,
        "all_connections": connections + counts.outside[:, :, 0],
        "all_synapses": inside + counts.outside[:, :, 1],
    }
    result = pd.DataFrame(
        {name: matrix[index] for name, matrix in table.items()}, index=rule.pathways().index
    )
    adjacency = instance.adjacency.astype(np.float32)
    if adjacency.shape[0] <= _DENSE_UP_TO:
        adjacency = adjacency.toarray()
    result["bias"] = [
        common_neighbour_bias(adjacency, pairs.ranges[row.pre], pairs.ranges[row.post])
        for row in rule.pathways().itertuples()
    ]
    return result


@dataclass(frozen=True)
class _Pairs:
    """Cells by type, and their connections as lists of ends."""

    places: np.ndarray
    code: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    ranges: dict[str, slice]

    @classmethod
    def of(cls, instance: Instance) -> _Pairs:
        edges = instance.adjacency.tocoo()
        codes = pd.Categorical(instance.neurons["mtype"], categories=names.MTYPES).codes
        places = instance.neurons[["x_um", "y_um", "z_um"]].to_numpy(float)
        return cls(places, codes.astype(np.int64), edges.row, edges.col, instance.ranges())

    def pathway_index(self) -> tuple[np.ndarray, np.ndarray]:
        number = {m: k for k, m in enumerate(names.MTYPES)}
        table = rule.pathways()
        return table["pre"].map(number).to_numpy(), table["post"].map(number).to_numpy()

    def type_of_edges(self) -> np.ndarray:
        return self.code[self.pre] * len(names.MTYPES) + self.code[self.post]

    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs of each cell from each type, outputs to each type; (55, N) both."""
        n, types = len(self.code), len(names.MTYPES)
        shape = (types, n)
        incoming = np.bincount(self.code[self.pre] * n + self.post, minlength=types * n)
        outgoing = np.bincount(self.code[self.post] * n + self.pre, minlength=types * n)
        return incoming.reshape(shape), outgoing.reshape(shape)

    def per_type(self, degrees: np.ndarray, statistic: str) -> np.ndarray:
        """Mean or SD of a (55, N) table over the cells of each type; (55, 55)."""
        parts = [getattr(degrees[:, rows], statistic)(axis=1) for rows in self.ranges.values()]
        return np.column_stack(parts)

    def near(self) -> tuple[np.ndarray, np.ndarray]:
        """Ordered pairs closer than 100 µm and how many of them are connected; (55, 55) both."""
        types = len(names.MTYPES)
        i, j = cKDTree(self.places).query_pairs(PAIR_DISTANCE_UM, output_type="ndarray").T
        one_way = _total(self.code[i] * types + self.code[j], types)
        apart = np.linalg.norm(self.places[self.pre] - self.places[self.post], axis=1)
        close = apart < PAIR_DISTANCE_UM
        return one_way + one_way.T, _total(self.type_of_edges()[close], types)


def _total(kind: np.ndarray, types: int, weights: np.ndarray | None = None) -> np.ndarray:
    return np.bincount(kind, weights=weights, minlength=types**2).reshape(types, types)


def common_neighbour_bias(adjacency, a: slice, b: slice) -> float:
    """Common neighbours (inputs and outputs) of connected over those of unconnected pairs.

    Neighbours are counted among the cells of the two types; pairs count as connected in either
    direction.

    Parameters
    ----------
    adjacency : csr_array or ndarray of float32, (N, N)
        Rows presynaptic; an array is faster while it fits, the sparse form serves any size.
    a, b : slice
        Rows of the two types.

    Returns
    -------
    float
        0 where a pathway has no connected or no unconnected pair to compare.
    """
    stack, side = (sparse, "csr") if sparse.issparse(adjacency) else (np, None)
    keep = {"format": side} if side else {}
    among = [a] if a == b else [a, b]
    linked = (adjacency[a, b] + adjacency[b, a].T) > 0
    n_linked = int(linked.sum())
    n_apart = linked.shape[0] * (linked.shape[1] - (a == b)) - n_linked
    left = stack.hstack([m for k in among for m in (adjacency[k, a].T, adjacency[a, k])], **keep)
    right = stack.vstack([m for k in among for m in (adjacency[k, b], adjacency[b, k].T)], **keep)
    everything = float(left.sum(axis=0) @ right.sum(axis=1))
    if a == b:  # a cell is no pair with itself
        everything -= float((left * right.T).sum())
    shared = _sum_over(linked, left, right)
    if not n_linked or not n_apart or everything == shared:
        return 0.0
    return (shared / n_linked) / ((everything - shared) / n_apart)


def _sum_over(mask, left, right) -> float:
    """Sum of the entries of ``left @ right`` that ``mask`` keeps, a few rows at a time."""
    total = 0.0
    for start in range(0, mask.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        total += float(((left[rows] @ right) * mask[rows]).sum())
    return total
