"""Directed cliques, simplices of the directed flag complex, and the cavities they enclose
(Reimann et al. 2017, Cliques of neurons bound into cavities provide a missing link between
structure and function, Front Comput Neurosci 11:48).

Each call raises `ConnectomeError` where a neuron connects to itself, and when there is not enough
memory.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from nmc.connectome.arrays import graph_of, memory_for, must_hold, tasks
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels import simplices
from nmc.connectome.kernels.topology import extend, rank_mod2
from nmc.errors import ConnectomeError

#: Up to so many targets of a neuron are compared by bits: a square of them, 32 MB.
MOST_BY_BITS = 1 << 14


def count_simplices(connectome: Connectome) -> pd.Series:
    """Count directed simplices by dimension.

    A directed k-simplex is an ordered tuple of k + 1 neurons in which each contacts all later
    ones: dimension 0 are the neurons, 1 the connections, 2 the feed-forward triangles.
    Reciprocal connections make different tuples of the same neurons, all counted.

    Returns
    -------
    pandas.Series
        Counts (int64), index ``dimension`` 0, 1, … up to the largest that occurs.
    """
    counts, _ = count_by_source(*graph_of(connectome))
    return pd.Series(counts, name="simplices").rename_axis("dimension")


def count_by_source(
    indptr: np.ndarray, indices: np.ndarray, dimensions: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Count simplices by dimension, and by their first neuron up to so many dimensions."""
    n, top = indptr.size - 1, int(np.diff(indptr).max(initial=0))
    with memory_for("counting simplices"):
        each = np.zeros((n, dimensions), np.int64)
        indptr, indices, room, own = walk_inputs(indptr, indices)
        how = (top, room, MOST_BY_BITS, tasks(own))
        counts = simplices.count_simplices(indptr, indices, *how, each)
    must_hold("simplices", (counts[:2], [n, indices.size]))
    return counts[: int(np.flatnonzero(counts).max(initial=0)) + 1], each


def compute_euler_characteristic(counts: pd.Series) -> int:
    """Compute the Euler characteristic, the alternating sum of simplex counts.

    Parameters
    ----------
    counts : pandas.Series
        From `count_simplices`; Betti numbers give the same number.
    """
    if not isinstance(counts, pd.Series):
        raise ConnectomeError(
            f"A {type(counts).__name__} is no series of counts; nmc.count_simplices returns one."
        )
    return sum((-1) ** k * int(c) for k, c in enumerate(counts))


def walk_inputs(indptr: np.ndarray, indices: np.ndarray, most: int = MOST_BY_BITS) -> tuple:
    """Return the graph in its shortest form, the room a task needs, and that room in bytes."""
    n = indptr.size - 1
    indices = indices.astype(np.uint16 if n < 2**16 else np.uint32)
    degree, edges = simplices.rooms(indptr, indices, most)
    # The list at depth d lies in the out-lists of d + 1 neurons, and holds none of d of them.
    out_degree = np.sort(np.diff(indptr))[::-1]
    out_degree = out_degree[: int(out_degree[:1].sum())]
    longest = np.minimum(out_degree, out_degree[:1].sum() - np.arange(out_degree.size))
    room = (degree, edges, int(longest.sum()) + 2, out_degree.size + 3)
    own = n * (1 + indices.itemsize) + 8 * (degree + 2 * room[3] + degree * (degree // 64 + 1))
    return indptr, indices, room, own + indices.itemsize * (edges + room[2])


def compute_betti_numbers(connectome: Connectome) -> pd.Series:
    """Compute the Betti numbers of the directed flag complex, exactly, over two elements.

    The dimension-k Betti number counts independent k-dimensional cavities: 0 components, 1
    loops, 2 hollow volumes. Simplices are ordered tuples, so the two connections of a
    reciprocal pair are different 1-simplices and enclose a loop: an undirected simplex tree
    would give other numbers. Of each boundary matrix only the rank is needed; it is reduced by
    its shorter side (Lütgehetmann et al. 2020, Algorithms 13:19).

    Parameters
    ----------
    connectome : Connectome
        A part of a microcircuit: thousands of neurons take seconds to minutes, a whole one is
        no laptop job.

    Returns
    -------
    pandas.Series
        Betti numbers (int64), index ``dimension`` 0, 1, …, one for each dimension in which
        there are simplices.
    """
    indptr, indices = graph_of(connectome)
    with memory_for("the simplices and their boundaries"):
        sizes, ranks = _ranks(indptr, indices)
    betti = np.array(sizes) - np.array([0, *ranks]) - np.array([*ranks, 0])
    must_hold("cavities", ((betti >= 0).all(), True))
    return pd.Series(betti, name="betti", dtype="int64").rename_axis("dimension")


def _ranks(indptr: np.ndarray, indices: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the number of simplices by dimension, and the rank of each boundary above 0."""
    n = indptr.size - 1
    sizes: list[int] = [n]
    ranks: list[int] = []
    places: list[np.ndarray] = []
    found, start, last = np.arange(n, dtype=np.int32)[:, None], indptr, indices
    while last.size:
        parent = np.repeat(np.arange(sizes[-1]), np.diff(start))
        found = np.column_stack([found[parent], last])
        ranks.append(_rank(_boundary(found, places, n), sizes[-1]))
        sizes.append(last.size)
        places.append(parent * n + last)
        start, last = extend(start, last, indptr, indices)
    return sizes, ranks


def _boundary(simplices: np.ndarray, places: list[np.ndarray], n: int) -> np.ndarray:
    """Return the indices of the k + 1 faces of every k-simplex, (m, k + 1).

    `places` hold, ascending, of each simplex of a dimension the index of what it extends, times n,
    and the neuron it adds.
    """
    faces = np.empty(simplices.shape, np.int64)
    for skip in range(simplices.shape[1]):
        first, *rest = np.delete(simplices, skip, axis=1).T
        index = first.astype(np.int64)
        for there, neuron in zip(places, rest, strict=True):
            index = np.searchsorted(there, index * n + neuron)
        faces[:, skip] = index
    return faces


def _rank(faces: np.ndarray, rows: int) -> int:
    """Return the rank of the boundary with one column of faces a simplex, by its shorter side."""
    columns, width = faces.shape
    start = np.arange(columns + 1, dtype=np.int64) * width
    entries = np.sort(faces, axis=1).ravel()
    ones = np.ones(entries.size, np.bool_)
    if width == 2:  # of edges: as many as there are neurons, less one for each component
        graph = sparse.csr_array((ones[::2], (faces[:, 0], faces[:, 1])), shape=(rows, rows))
        return rows - connected_components(graph, directed=False, return_labels=False)
    if columns > rows:
        turned = sparse.csc_array((ones, entries, start), shape=(rows, columns)).tocsr()
        turned.sort_indices()
        start, entries, rows = turned.indptr.astype(np.int64), turned.indices, columns
    return int(rank_mod2(start, entries.astype(np.int32), rows))
