"""Breadth-first search from 256 neurons at once, one bit a source."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.bits import popcount

#: Sources searched from together: four words of 64 bits, half a cache line.
BATCH = 256


@njit(cache=True, parallel=True)
def count_distances(indptr, indices, t_indptr, t_indices, sources, tasks):
    """Count shortest paths by length, from each source to every neuron it reaches.

    A neuron's words hold a bit for each source that has reached it. A step ORs the words of its
    inputs, so one pass over the connections advances 256 searches, and stops early where all
    have arrived (multi-source BFS: Then et al. 2014, VLDB 8:449).

    Parameters
    ----------
    indptr, indices, t_indptr, t_indices : int array
        The graph of n neurons and its transpose.
    sources : int64 array
    tasks : int
        Tasks that batches of sources are dealt out to.

    Returns
    -------
    int64 array, shape (n + 1,)
        ``[d]`` ordered pairs at distance d ≥ 1.
    """
    n = indptr.size - 1
    counts = np.zeros((tasks, n + 1), np.int64)
    batches = (sources.size + BATCH - 1) // BATCH
    words = np.empty((tasks, 3, n, 4), np.uint64)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        seen, front, following = words[c, 0], words[c, 1], words[c, 2]
        for batch in range(c, batches, tasks):
            starts = sources[batch * BATCH : (batch + 1) * BATCH]
            _start(indptr, indices, starts, seen, front)
            reached = _count_bits(front)
            distance = 1
            while reached > 0:
                counts[c, distance] += reached
                distance += 1
                reached = _advance(t_indptr, t_indices, seen, front, following, starts.size)
                front, following = following, front
    return counts.sum(axis=0)


@njit(cache=True)
def _start(indptr, indices, starts, seen, front):
    """Take the first step: set each source's bit at itself and at its targets."""
    seen[:] = 0
    front[:] = 0
    for s in range(starts.size):
        word, bit = s >> 6, np.uint64(1) << np.uint64(s & 63)
        seen[starts[s], word] |= bit
        for v in indices[indptr[starts[s]] : indptr[starts[s] + 1]]:
            front[v, word] |= bit
            seen[v, word] |= bit


@njit(cache=True)
def _count_bits(words):
    total = np.uint64(0)
    for v in range(words.shape[0]):
        for k in range(4):
            total += popcount(words[v, k])
    return np.int64(total)


@njit(cache=True)
def _full(n_sources, word):
    """Return a word with the bit of every source it holds."""
    here = min(max(n_sources - 64 * word, 0), 64)
    return ~np.uint64(0) if here == 64 else (np.uint64(1) << np.uint64(here)) - np.uint64(1)


@njit(cache=True)
def _advance(t_indptr, t_indices, seen, front, following, n_sources):
    """Move every search one step on; return how many arrivals are new."""
    f0, f1 = _full(n_sources, 0), _full(n_sources, 1)
    f2, f3 = _full(n_sources, 2), _full(n_sources, 3)
    arrivals = np.uint64(0)
    for v in range(seen.shape[0]):
        # Bits still wanted here, and those found so far.
        w0, w1, w2, w3 = f0 & ~seen[v, 0], f1 & ~seen[v, 1], f2 & ~seen[v, 2], f3 & ~seen[v, 3]
        g0 = g1 = g2 = g3 = np.uint64(0)
        p, end = t_indptr[v], t_indptr[v + 1]
        while p < end and (w0 & ~g0) | (w1 & ~g1) | (w2 & ~g2) | (w3 & ~g3):
            for u in t_indices[p : min(p + 8, end)]:
                g0 |= front[u, 0]
                g1 |= front[u, 1]
                g2 |= front[u, 2]
                g3 |= front[u, 3]
            p += 8
        g0, g1, g2, g3 = g0 & w0, g1 & w1, g2 & w2, g3 & w3
        following[v, 0], following[v, 1], following[v, 2], following[v, 3] = g0, g1, g2, g3
        seen[v, 0] |= g0
        seen[v, 1] |= g1
        seen[v, 2] |= g2
        seen[v, 3] |= g3
        arrivals += popcount(g0) + popcount(g1) + popcount(g2) + popcount(g3)
    return np.int64(arrivals)
