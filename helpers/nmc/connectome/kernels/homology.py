"""The directed flag complex as arrays, and the rank of its boundaries over two elements."""

from __future__ import annotations

import numpy as np
from numba import njit

from nmc.connectome.kernels.bits import popcount

ONE = np.uint64(1)


@njit(cache=True)
def extend(start, last, indptr, indices):
    """List the simplices one dimension up.

    The simplices of a dimension are kept as the leaves of a tree, in lexicographic order: those
    that extend simplex s are ``start[s] … start[s + 1]``, each known by its last neuron. A
    simplex p + x + y needs p + y beside p + x, and x→y: siblings of x that x contacts.

    Parameters
    ----------
    start : int64 array
        For each simplex of the dimension below, its first extension, and their number.
    last : int32 array
        Last neuron of each simplex of this dimension.
    indptr, indices : int array
        The graph.

    Returns
    -------
    start, last : int64, int32 array
        The same, one dimension up.
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
def faces_of(simplices, skip, index, start, last, depth):
    """Walk one neuron further down the tree for every simplex, `skip` left out.

    Parameters
    ----------
    simplices : int32 array, shape (m, k + 1)
    skip : int
        The neuron, by place, that the face lacks.
    index : int64 array, shape (m,)
        The first `depth` neurons of the face, as an index in their dimension; moved on in place.
    start, last : int array
        The tree from that dimension to the next.
    depth : int
        Neurons of the face found so far, at least 1.
    """
    place = depth + (depth >= skip)
    for s in range(index.size):
        first, stop = start[index[s]], start[index[s] + 1]
        index[s] = first + np.searchsorted(last[first:stop], simplices[s, place])


@njit(cache=True)
def rank_mod2(start, entries, rows):
    """Compute the rank of a sparse 0/1 matrix over the field of two elements.

    Columns are reduced from left to right: while the lowest entry of a column is that of an
    earlier one, that one is added (Edelsbrunner, Letscher and Zomorodian 2002). The column at
    work is a bit set, searched downwards only, since its lowest entry never sinks again.

    Parameters
    ----------
    start : int64 array, shape (columns + 1,)
    entries : int32 array
        Rows that are 1 in column c: ``entries[start[c] : start[c + 1]]``, ascending.
    rows : int

    Returns
    -------
    int
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
