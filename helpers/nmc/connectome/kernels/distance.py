"""All pairs of neurons by distance: half a billion, binned as they are formed; and graphs drawn
at random that keep the number of connections in every class of pairs.

A pair's class is its pathway (the groups of its two neurons) and the bin of its distance.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.randomise import next_random


@njit(cache=True, parallel=True)
def pairs_by_distance(x, y, z, starts, width, bins, tasks):
    """Count unordered pairs by groups and distance bin; no distance is kept.

    Bin b holds ``b·width ≤ d < (b + 1)·width``, the last all that is farther; a distance is taken
    as on the edge when short of it by less than rounding (10⁻¹² of it).  Neurons of a group stand
    together, from `starts` on; only ``[g, h]`` with ``g ≤ h`` of the result is filled.
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


@njit(cache=True, parallel=True)
def draw_classes(x, y, z, starts, width, bins, pairs, connections, seed, tasks):
    """Draw a graph uniformly among those with so many connections in each class.

    A pair is taken with probability (still wanted) / (still to come) of its class, Knuth's
    selection sampling (The Art of Computer Programming 2, 3.4.2, algorithm S), which makes every
    such graph equally likely.  Each presynaptic group has random numbers of its own: the seed
    decides, not the number of tasks.  `pairs` and `connections` are used up.
    """
    n, groups, per_width = x.size, starts.size - 1, over(width)
    n_out = np.zeros(n, np.int64)
    firsts = np.zeros(groups + 1, np.int64)
    for g in range(groups):
        firsts[g + 1] = firsts[g] + connections[g].sum()
    targets = np.empty(firsts[groups], np.int32)
    all_where = np.empty((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        where = all_where[c]
        for g in range(c, groups, tasks):
            state, at = np.uint64(seed) + np.uint64(g) * np.uint64(0xD1342543DE82EF95), firsts[g]
            for i in range(starts[g], starts[g + 1]):
                before = at
                _bin_row(x[i], y[i], z[i], x, y, z, per_width, bins, where)
                for h in range(groups):
                    left, wanted = pairs[g, h], connections[g, h]
                    for j in range(starts[h], starts[h + 1]):
                        b = where[j]
                        if wanted[b] and i != j:
                            state, u = next_random(state)
                            if u * left[b] < wanted[b]:
                                targets[at] = j
                                at += 1
                                wanted[b] -= 1
                            left[b] -= 1
                n_out[i] = at - before
    return n_out, targets


@njit(cache=True)
def _offset_row(x0, y0, z0, x, y, z, width, n_aside, n_up, where):
    """Write in which bin aside and up every point lies, seen from one; the last is outside."""
    per_width = over(width)
    for j in range(x.size):
        aside = distance_bin(x[j] - x0, 0.0, z[j] - z0, per_width, n_aside + 1)
        up = np.floor((y[j] - y0) / width) + n_up
        inside = aside < n_aside and 0 <= up < 2 * n_up
        where[j] = aside * 2 * n_up + np.int32(up) if inside else n_aside * 2 * n_up


@njit(cache=True, parallel=True)
def pairs_by_offset(indptr, indices, x, y, z, width, n_aside, n_up, tasks):
    """Count ordered pairs, and connections, by horizontal distance and height; last the farther."""
    n = x.size
    counts = np.zeros((tasks, 2, n_aside * 2 * n_up + 1), np.int64)
    all_where = np.empty((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        where, pairs, connections = all_where[c], counts[c, 0], counts[c, 1]
        for i in range(c, n, tasks):
            _offset_row(x[i], y[i], z[i], x, y, z, width, n_aside, n_up, where)
            for b in where:
                pairs[b] += 1
            pairs[where[i]] -= 1
            for j in indices[indptr[i] : indptr[i + 1]]:
                connections[where[j]] += 1
    return counts.sum(axis=0)
