"""Betti numbers: the cavities that directed cliques enclose."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from nmc.connectome.arrays import graph_of
from nmc.connectome.kernels.homology import extend, faces_of, rank_mod2


def compute_betti_numbers(connectome) -> pd.Series:
    """Compute the Betti numbers of the directed flag complex, exactly, over two elements.

    The dimension-k Betti number counts independent k-dimensional cavities: 0 components, 1
    loops, 2 hollow volumes. Simplices are ordered tuples, so the two connections of a
    reciprocal pair are different 1-simplices and enclose a loop: an undirected simplex tree
    would give other numbers. Of each boundary matrix only the rank is needed; it is reduced by
    its shorter side.

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

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself.

    References
    ----------
    .. [1] Reimann et al. (2017), Front Comput Neurosci 11:48; Lütgehetmann et al. (2020),
       Computing persistent homology of directed flag complexes, Algorithms 13:19.
    """
    indptr, indices = graph_of(connectome)
    sizes, ranks = _ranks(indptr, indices)
    betti = np.array(sizes) - np.array([0, *ranks]) - np.array([*ranks, 0])
    return pd.Series(betti, name="betti", dtype="int64").rename_axis("dimension")


def _ranks(indptr: np.ndarray, indices: np.ndarray) -> tuple[list[int], list[int]]:
    """Return the number of simplices by dimension, and the rank of each boundary above 0."""
    n = indptr.size - 1
    sizes, ranks = [n], []
    if indices.size:
        sizes.append(indices.size)
        ranks.append(n - _components(indptr, indices))
    starts, lasts = [indptr], [indices]
    simplices = np.column_stack([np.repeat(np.arange(n, dtype=np.int32), np.diff(indptr)), indices])
    while lasts[-1].size:
        start, last = extend(starts[-1], lasts[-1], indptr, indices)
        if not last.size:
            break
        simplices = np.column_stack([np.repeat(simplices, np.diff(start), axis=0), last])
        faces = _boundary(simplices, starts, lasts)
        ranks.append(_rank(faces, sizes[-1]))
        sizes.append(last.size)
        starts.append(start)
        lasts.append(last)
    return sizes, ranks


def _boundary(simplices: np.ndarray, starts: list, lasts: list) -> np.ndarray:
    """Return the indices of the k + 1 faces of every k-simplex, (m, k + 1)."""
    faces = np.empty(simplices.shape, np.int64)
    for skip in range(simplices.shape[1]):
        index = simplices[:, int(skip == 0)].astype(np.int64)
        for depth in range(1, simplices.shape[1] - 1):
            faces_of(simplices, skip, index, starts[depth - 1], lasts[depth - 1], depth)
        faces[:, skip] = index
    return faces


def _components(indptr: np.ndarray, indices: np.ndarray) -> int:
    n = indptr.size - 1
    graph = sparse.csr_array((np.ones(indices.size, np.bool_), indices, indptr), shape=(n, n))
    return int(connected_components(graph, directed=False, return_labels=False))


def _rank(faces: np.ndarray, rows: int) -> int:
    """Return the rank of the boundary with one column of faces a simplex, by its shorter side."""
    columns, width = faces.shape
    start = np.arange(columns + 1, dtype=np.int64) * width
    entries = np.sort(faces, axis=1).ravel()
    if columns > rows:
        ones = np.ones(entries.size, np.bool_)
        turned = sparse.csc_array((ones, entries, start), shape=(rows, columns)).tocsr()
        turned.sort_indices()
        start, entries, rows = turned.indptr.astype(np.int64), turned.indices, columns
    return int(rank_mod2(start, entries.astype(np.int32), rows))
