"""List every triangle once: the 64-bin type histogram and the triangles at each neuron."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True)
def count_triangles(half_indptr, packed, tasks):
    """Count triangles by the directions of their three sides.

    For each neuron *i* mark its higher-ranked partners; for each partner *j*, every marked
    partner *k* of *j* closes a triangle. Each one is met exactly once, at its lowest rank.
    The work is one table look-up per ordered wedge (Latapy 2008, doi:10.1016/j.tcs.2008.07.017).

    Parameters
    ----------
    half_indptr, packed : int array
        The ranked half graph of `rank_half`.
    tasks : int
        Rows are dealt out to this many tasks, each with counters of its own.

    Returns
    -------
    histogram : int64 array, shape (64,)
        Index ``code_ij << 4 | code_jk << 2 | code_ik``.
    triangles : int64 array, shape (n, 2)
        At each neuron (by rank): triangles of the undirected graph, and directed triangles
        (a reciprocal side counts twice, so one undirected triangle holds 1, 2, 4 or 8).
    """
    n = half_indptr.size - 1
    histogram = np.zeros((tasks, 64), np.int64)
    triangles = np.zeros((tasks, n, 2), np.int64)
    weight = np.zeros(64, np.int64)
    for t in range(64):
        weight[t] = (1 + (t >> 4 == 3)) * (1 + (t >> 2 & 3 == 3)) * (1 + (t & 3 == 3))
    marks = np.zeros((tasks, n), np.uint8)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        mark, bins, here = marks[c], histogram[c], triangles[c]
        for i in range(c, n, tasks):
            row = packed[half_indptr[i] : half_indptr[i + 1]]
            for e in row:
                mark[e >> 2] = e & 3
            for e in row:
                j, code = e >> 2, e & 3
                closed = weighted = 0
                for f in packed[half_indptr[j] : half_indptr[j + 1]]:
                    # Unsigned: else every look-up also asks whether the index is negative.
                    seen = mark[np.uint64(f) >> np.uint64(2)]
                    if seen:
                        bins[code << 4 | (f & 3) << 2 | seen] += 1
                        w = weight[code << 4 | (f & 3) << 2 | seen]
                        here[f >> 2, 0] += 1
                        here[f >> 2, 1] += w
                        closed += 1
                        weighted += w
                for v in (i, j):
                    here[v, 0] += closed
                    here[v, 1] += weighted
            for e in row:
                mark[e >> 2] = 0
    return histogram.sum(axis=0), triangles.sum(axis=0)
