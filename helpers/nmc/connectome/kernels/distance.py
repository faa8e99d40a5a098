"""All pairs of neurons by distance: half a billion, binned as they are formed."""

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
    width : float
    bins, tasks : int
        Number of bins; of tasks that rows are dealt out to.

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
    """Count connections by pre group, post group and distance bin, as `pairs_by_distance` does.

    Returns
    -------
    int64 array, shape (n_groups, n_groups, bins)
    """
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
