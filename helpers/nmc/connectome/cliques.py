"""Directed cliques: simplices of the directed flag complex, counted in every dimension."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of, memory_for, must_hold, tasks
from nmc.connectome.kernels import simplices
from nmc.errors import ConnectomeError

#: Up to so many targets of a neuron are compared by bits: a square of them, 32 MB.
MOST_BY_BITS = 1 << 14


def count_simplices(connectome) -> pd.Series:
    """Count directed simplices by dimension.

    A directed k-simplex is an ordered tuple of k + 1 neurons in which each contacts all later
    ones: dimension 0 are the neurons, 1 the connections, 2 the feed-forward triangles.
    Reciprocal connections make different tuples of the same neurons, all counted [1]_.

    Parameters
    ----------
    connectome : Connectome

    Returns
    -------
    pandas.Series
        Counts (int64), index ``dimension`` 0, 1, … up to the largest that occurs.

    Raises
    ------
    ConnectomeError
        If this is no Connectome, a neuron connects to itself, or there is not enough memory.

    References
    ----------
    .. [1] Reimann et al. (2017), Cliques of neurons bound into cavities provide a missing link
       between structure and function, Front Comput Neurosci 11:48.
    """
    with memory_for("counting simplices"):
        indptr, indices, room, own = _inputs(connectome)
        top = int(np.diff(indptr).max(initial=0))
        how = (top, room, MOST_BY_BITS, tasks(own))
        counts = simplices.count_simplices(indptr, indices, *how)
    must_hold("simplices", (counts[:2], [indptr.size - 1, indices.size]))
    counts = counts[: int(np.flatnonzero(counts).max(initial=0)) + 1]
    return pd.Series(counts, name="simplices").rename_axis("dimension")


def compute_participation(connectome) -> pd.DataFrame:
    """Count, for every neuron, the directed simplices of each dimension it is part of.

    Parameters
    ----------
    connectome : Connectome
        n neurons.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; one column a dimension (0 is 1 for everyone, 1 the
        degree). A column's sum is (dimension + 1) times the number of its simplices.

    Raises
    ------
    ConnectomeError
        If this is no Connectome, a neuron connects to itself, or there is not enough memory.

    References
    ----------
    .. [1] Reimann et al. (2017), Front Comput Neurosci 11:48.
    """
    all_counts = count_simplices(connectome).to_numpy()
    dimensions = all_counts.size
    with memory_for("counting the simplices of every neuron"):
        indptr, indices, room, own = _inputs(connectome)
        own += 8 * dimensions * (indptr.size - 1)
        # With room for connections even where there are none.
        how = (room, MOST_BY_BITS, max(dimensions, 2), tasks(own))
        counts = simplices.count_participation(indptr, indices, *how)
    sums = counts.sum(axis=0)[:dimensions]
    must_hold("the simplices of every neuron", (sums, np.arange(1, dimensions + 1) * all_counts))
    table = pd.DataFrame(counts[:, :dimensions], index=connectome.neurons.index)
    return table.rename_axis(columns="dimension")


def compute_euler_characteristic(counts: pd.Series) -> int:
    """Compute the Euler characteristic, the alternating sum of simplex counts.

    Parameters
    ----------
    counts : pandas.Series
        From `count_simplices`; Betti numbers give the same number.

    Returns
    -------
    int

    Raises
    ------
    ConnectomeError
        If these are no counts by dimension.
    """
    if not isinstance(counts, pd.Series):
        raise ConnectomeError(
            f"A {type(counts).__name__} is no series of counts; nmc.count_simplices returns one."
        )
    return sum((-1) ** k * int(c) for k, c in enumerate(counts))


def _inputs(connectome) -> tuple:
    """Return the graph in its shortest form, the room a task needs, and that room in bytes."""
    indptr, indices = graph_of(connectome)
    n = indptr.size - 1
    indices = indices.astype(np.uint16 if n < 2**16 else np.uint32)
    degree, edges, _ = simplices.rooms(indptr, indices, MOST_BY_BITS)
    # The list at depth d lies in the out-lists of d + 1 neurons, and holds none of d of them.
    out_degree = np.sort(np.diff(indptr))[::-1]
    out_degree = out_degree[: int(out_degree[:1].sum())]
    longest = np.minimum(out_degree, out_degree[:1].sum() - np.arange(out_degree.size))
    room = (degree, edges, int(longest.sum()) + 2, out_degree.size + 3)
    own = n * (1 + indices.itemsize) + 8 * (degree + 2 * room[3] + degree * (degree // 64 + 1))
    return indptr, indices, room, own + indices.itemsize * (edges + room[2])
