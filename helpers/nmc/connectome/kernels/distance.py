"""All pairs of neurons by distance: half a billion, binned as they are formed."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True)
def pairs_by_distance(x, y, z, starts, width, bins, chunks):
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
    bins, chunks : int
        Number of bins; of tasks that rows are dealt out to.

    Returns
    -------
    int64 array, shape (groups, groups, bins)
        Only ``[g, h]`` with ``g ≤ h`` is filled.
    """
    n, groups = x.size, starts.size - 1
    per_width = _per_width(width)
    counts = np.zeros((chunks, groups, groups, bins), np.int64)
    for c in prange(chunks):
        where = np.empty(n, np.int32)
        for i in range(c, n, chunks):
            g = np.searchsorted(starts, i, side="right") - 1
            _bin_row(x[i], y[i], z[i], x[i + 1 :], y[i + 1 :], z[i + 1 :], per_width, bins, where)
            for h in range(g, groups):
                tally = counts[c, g, h]
                for b in where[max(starts[h] - i - 1, 0) : starts[h + 1] - i - 1]:
                    tally[b] += 1
    return counts.sum(axis=0)


@njit(cache=True, inline="always")
def _per_width(width):
    """Return one over the width: a multiplication costs less than a division a pair."""
    return (1 + 1e-12) / width


@njit(cache=True)
def _bin_row(x0, y0, z0, x, y, z, per_width, bins, where):
    """Write the distance bin of every point seen from one."""
    for j in range(x.size):
        d = np.sqrt((x[j] - x0) ** 2 + (y[j] - y0) ** 2 + (z[j] - z0) ** 2) * per_width
        where[j] = np.int32(min(d, bins - 1.0))


@njit(cache=True, parallel=True)
def connections_by_distance(indptr, indices, x, y, z, groups, n_groups, width, bins, chunks):
    """Count connections by pre group, post group and distance bin, as `pairs_by_distance` does.

    Returns
    -------
    int64 array, shape (n_groups, n_groups, bins)
    """
    n = x.size
    per_width = _per_width(width)
    counts = np.zeros((chunks, n_groups, n_groups, bins), np.int64)
    for c in prange(chunks):
        for i in range(c, n, chunks):
            tally = counts[c, groups[i]]
            for j in indices[indptr[i] : indptr[i + 1]]:
                d2 = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2 + (z[j] - z[i]) ** 2
                d = np.sqrt(d2) * per_width
                tally[groups[j], np.int32(min(d, bins - 1.0))] += 1
    return counts.sum(axis=0)
