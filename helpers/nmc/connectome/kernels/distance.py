"""All pairs of neurons by distance: half a billion, binned as they are formed; and graphs drawn
at random that keep the number of connections in every class of pairs.

A pair's class is its pathway (the groups of its two neurons) and the bin of its distance.
With one group and one bin the class is all pairs; with groups alone it is the pathway.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True)
def pairs_by_distance(x, y, z, starts, width, bins, tasks):
    """Count unordered pairs by groups and distance bin; no distance is kept.

    A row of distances to all later neurons is binned in one vectorised loop, then counted
    group by group. Bin b holds ``b·width ≤ d < (b + 1)·width``, the last bin all that is farther;
    a distance is taken as on the edge when it is short of it by less than rounding (10⁻¹² of it).

    Parameters
    ----------
    x, y, z : float64 array, shape (n,)
        Positions, neurons of a group together; zeros for an axis that shall not count.
    starts : int64 array, shape (groups + 1,)
        First neuron of each group, and n.

    Returns
    -------
    int64 array, shape (groups, groups, bins)
        Only ``[g, h]`` with ``g ≤ h`` is filled.
    """
    n, groups = x.size, starts.size - 1
    per_width = over(width)
    counts = np.zeros((tasks, groups, groups, bins), np.int64)
    all_where = np.empty((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        where = all_where[c]
        for i in range(c, n, tasks):
            g = np.searchsorted(starts, i, side="right") - 1
            _bin_row(x[i], y[i], z[i], x[i + 1 :], y[i + 1 :], z[i + 1 :], per_width, bins, where)
            for h in range(g, groups):
                tally = counts[c, g, h]
                for b in where[max(starts[h] - i - 1, 0) : starts[h + 1] - i - 1]:
                    tally[b] += 1
    return counts.sum(axis=0)


@njit(cache=True, inline="always")
def over(width):
    """Return one over the width: a multiplication costs less than a division a pair."""
    return (1 + 1e-12) / width


@njit(cache=True, inline="always")
def distance_bin(dx, dy, dz, per_width, bins):
    """Return the bin of a distance, for every measure and null model the same."""
    return np.int32(min(np.sqrt(dx * dx + dy * dy + dz * dz) * per_width, bins - 1.0))


@njit(cache=True)
def _bin_row(x0, y0, z0, x, y, z, per_width, bins, where):
    """Write the distance bin of every point seen from one."""
    for j in range(x.size):
        where[j] = distance_bin(x[j] - x0, y[j] - y0, z[j] - z0, per_width, bins)


@njit(cache=True, parallel=True)
def connections_by_distance(indptr, indices, x, y, z, groups, n_groups, width, bins, tasks):
    """Count connections by pre group, post group and distance bin, as `pairs_by_distance` does."""
    n = x.size
    per_width = over(width)
    counts = np.zeros((tasks, n_groups, n_groups, bins), np.int64)
    for c in prange(tasks):
        for i in range(c, n, tasks):
            tally = counts[c, groups[i]]
            for j in indices[indptr[i] : indptr[i + 1]]:
                b = distance_bin(x[j] - x[i], y[j] - y[i], z[j] - z[i], per_width, bins)
                tally[groups[j], b] += 1
    return counts.sum(axis=0)


@njit(cache=True, inline="always")
def _class_of(i, j, groups, n_groups, xyz, per_width, n_bins):
    dx = xyz[i, 0] - xyz[j, 0]
    dy = xyz[i, 1] - xyz[j, 1]
    dz = xyz[i, 2] - xyz[j, 2]
    b = distance_bin(dx, dy, dz, per_width, n_bins)
    return (groups[i] * n_groups + groups[j]) * n_bins + b


@njit(cache=True, parallel=True)
def count_classes(indptr, indices, groups, n_groups, xyz, width, n_bins, tasks):
    """Count pairs and connections of every class, both of shape (n_groups ** 2 * n_bins,).

    A `width` of infinity puts every pair into the first bin; the last takes everything beyond.
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
    algorithm S), which makes every such graph equally likely. What `count_classes` gave is
    used up; returns int32 indptr and indices, columns ascending.
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
