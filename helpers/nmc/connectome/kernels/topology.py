"""Shortest paths, by breadth-first search from 256 neurons at once, one bit a source; and the
directed flag complex as arrays, with the rank of its boundaries over two elements.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels import popcount

#: Sources searched from together: four words of 64 bits, half a cache line.
BATCH = 256


@njit(cache=True, parallel=True)
def count_distances(indptr, indices, t_indptr, t_indices, sources, tasks):
    """Count shortest paths by length, from each source to every neuron it reaches; ``[d]`` pairs.

    A neuron's words hold a bit for each source that has reached it: one pass over the connections
    advances 256 searches (multi-source BFS: Then et al. 2014, VLDB 8:449).
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


ONE = np.uint64(1)


@njit(cache=True)
def extend(start, last, indptr, indices):
    """List the simplices one dimension up.

    They are the leaves of a tree, in lexicographic order: those that extend simplex s are
    ``start[s] … start[s + 1]``, each known by its last neuron.  A simplex p + x + y needs p + y
    beside p + x, and x→y: siblings of x that x contacts.
    """
    next_start = np.zeros(last.size + 1, np.int64)
    next_last = np.empty(1024, np.int32)
    size = 0
    for p in range(start.size - 1):
        siblings = last[start[p] : start[p + 1]]
        for s in range(start[p], start[p + 1]):
            q, end = indptr[last[s]], indptr[last[s] + 1]
            for y in siblings:
                while q < end and indices[q] < y:
                    q += 1
                if q < end and indices[q] == y:
                    if size == next_last.size:
                        next_last = np.concatenate((next_last, np.empty_like(next_last)))
                    next_last[size] = y
                    size += 1
            next_start[s + 1] = size
    return next_start, next_last[:size].copy()


@njit(cache=True)
def rank_mod2(start, entries, rows):
    """Compute the rank of a sparse 0/1 matrix over the field of two elements.

    While the lowest entry of a column is that of an earlier one, that one is added (Edelsbrunner,
    Letscher and Zomorodian 2002).  Column c has ones in rows ``entries[start[c] : start[c + 1]]``.
    """
    owner = np.full(rows, -1, np.int64)  # the reduced column with this lowest entry
    store = np.empty(max(entries.size, 16), np.int32)
    store_start = np.zeros(start.size, np.int64)
    work = np.zeros((rows >> 6) + 1, np.uint64)
    rank = np.int64(0)
    for c in range(start.size - 1):
        column = entries[start[c] : start[c + 1]]
        if column.size == 0:
            continue
        low = np.int64(column[-1])
        size = store_start[rank]
        if owner[low] < 0:
            count = column.size
            if size + count > store.size:
                store = np.concatenate((store, np.empty_like(store)))
            store[size : size + count] = column
        else:
            for r in column:
                work[r >> 6] ^= ONE << np.uint64(r & 63)
            while low >= 0 and owner[low] >= 0:
                other = owner[low]
                for r in store[store_start[other] : store_start[other + 1]]:
                    work[r >> 6] ^= ONE << np.uint64(r & 63)
                low = _lowest(work, low)
            if low < 0:
                continue
            count = 0
            for w in range((low >> 6) + 1):
                word = work[w]
                work[w] = 0
                while word != 0:
                    if size + count == store.size:
                        store = np.concatenate((store, np.empty_like(store)))
                    bit = popcount((word & (~word + ONE)) - ONE)
                    store[size + count] = w << 6 | np.int64(bit)
                    count += 1
                    word &= word - ONE
        owner[low] = rank
        rank += 1
        store_start[rank] = size + count
    return rank


@njit(cache=True)
def _lowest(work, start):
    """Return the largest set bit at or below `start`, -1 if there is none."""
    w = start >> 6
    while w >= 0 and work[w] == 0:
        w -= 1
    if w < 0:
        return np.int64(-1)
    word = work[w]
    for shift in (1, 2, 4, 8, 16, 32):  # smear the top bit down, then count
        word |= word >> np.uint64(shift)
    return w << 6 | np.int64(popcount(word) - ONE)
