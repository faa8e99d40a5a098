"""Random graphs that keep the number of connections in every class of neuron pairs.

A pair's class is its pathway (the groups of its two neurons) and the bin of its distance.
With one group and one bin the class is all pairs; with groups alone it is the pathway.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.distance import distance_bin, over


@njit(cache=True, inline="always")
def _class_of(i, j, groups, n_groups, xyz, per_width, n_bins):
    dx = xyz[i, 0] - xyz[j, 0]
    dy = xyz[i, 1] - xyz[j, 1]
    dz = xyz[i, 2] - xyz[j, 2]
    b = distance_bin(dx, dy, dz, per_width, n_bins)
    return (groups[i] * n_groups + groups[j]) * n_bins + b


@njit(cache=True, parallel=True)
def count_classes(indptr, indices, groups, n_groups, xyz, width, n_bins, tasks):
    """Count pairs and connections of every class.

    Parameters
    ----------
    indptr, indices : int array
        The graph; no self-connections.
    groups : int array, shape (n,)
        Group of each neuron, from 0 to ``n_groups`` − 1.
    xyz : float array, shape (n, 3)
        Positions.
    width : float
        Of a distance bin; infinity puts every pair into the first.
    n_bins : int
        Number of distance bins; the last takes everything beyond.

    Returns
    -------
    pairs, connections : int64 array, shape (n_groups ** 2 * n_bins,)
    """
    n, per_width = indptr.size - 1, over(width)
    size = n_groups * n_groups * n_bins
    pairs = np.zeros((tasks, size), np.int64)
    connections = np.zeros((tasks, size), np.int64)
    for c in prange(tasks):
        for i in range(c, n, tasks):
            for j in range(n):
                if i != j:
                    k = _class_of(i, j, groups, n_groups, xyz, per_width, n_bins)
                    pairs[c, k] += 1
            for j in indices[indptr[i] : indptr[i + 1]]:
                k = _class_of(i, j, groups, n_groups, xyz, per_width, n_bins)
                connections[c, k] += 1
    return pairs.sum(axis=0), connections.sum(axis=0)


@njit(cache=True)
def draw_classes(pairs, connections, groups, n_groups, xyz, width, n_bins, rng):
    """Draw a graph uniformly among those with so many connections in each class.

    One pass over all pairs: a pair is taken with probability (still wanted) / (still to come)
    of its class, Knuth's selection sampling (The Art of Computer Programming 2, 3.4.2,
    algorithm S), which makes every such graph equally likely.

    Parameters
    ----------
    pairs, connections : int64 array
        From `count_classes`; both are used up.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    indptr, indices : int32 array
        The new graph, columns ascending.
    """
    n, per_width = groups.size, over(width)
    indptr = np.zeros(n + 1, np.int32)
    indices = np.empty(connections.sum(), np.int32)
    at = 0
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            c = _class_of(i, j, groups, n_groups, xyz, per_width, n_bins)
            wanted = connections[c]
            if wanted:
                if rng.random() * pairs[c] < wanted:
                    indices[at] = j
                    at += 1
                    connections[c] = wanted - 1
                pairs[c] -= 1
        indptr[i + 1] = at
    return indptr, indices
