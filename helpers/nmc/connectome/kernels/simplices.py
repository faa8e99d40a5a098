"""Directed simplices: cliques of neurons ordered from a source to a sink, counted in place."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.bits import popcount

ONE = np.uint64(1)


@njit(cache=True)
def lowest_bit(word):
    """Return the position of the lowest set bit of a word that is not 0."""
    return np.int64(popcount((word & (~word + ONE)) - ONE))


@njit(cache=True)
def _neighbourhood(v, indptr, indices, place, bits):
    """Write which targets of `v` contact which: row a, bit b for a→b; return words in use."""
    targets = indices[indptr[v] : indptr[v + 1]]
    words = (targets.size + 63) >> 6
    bits[: targets.size, :words] = 0
    for a in range(targets.size):
        place[targets[a]] = a
    for a in range(targets.size):
        row = bits[a]
        for w in indices[indptr[targets[a]] : indptr[targets[a] + 1]]:
            b = place[np.uint64(w)]  # unsigned: no question whether it counts from the end
            if b >= 0:
                row[b >> 6] |= ONE << np.uint64(b & 63)
    for w in targets:
        place[w] = -1
    return words


@njit(cache=True)
def _intersect(one, other, words, result):
    """Write the AND of two bit rows; return how many bits it has."""
    size = np.uint64(0)
    for w in range(words):
        result[w] = one[w] & other[w]
        size += popcount(result[w])
    return np.int64(size)


@njit(cache=True)
def _count_from(first, words, bits, sets, left, position, counts):
    """Count the simplices that begin with one connection, common targets `first`.

    Depth first without recursion: at each depth `sets` holds the neurons that extend the
    simplex, `left` those not yet tried, `position` the word the trial has come to.
    """
    size = _intersect(first, first, words, sets[0])
    counts[2] += size
    depth = 0 if size > 1 else -1
    left[0, :words] = sets[0, :words]
    position[0] = 0
    while depth >= 0:
        word = position[depth]
        while word < words and left[depth, word] == 0:
            word += 1
        position[depth] = word
        if word == words:
            depth -= 1
            continue
        last = word << 6 | lowest_bit(left[depth, word])
        left[depth, word] &= left[depth, word] - ONE
        size = _intersect(sets[depth], bits[last], words, sets[depth + 1])
        counts[depth + 3] += size
        if size > 1:
            depth += 1
            position[depth] = 0
            left[depth, :words] = sets[depth, :words]


@njit(cache=True, parallel=True)
def count_simplices(indptr, indices, largest, chunks):
    """Count directed simplices by dimension.

    A directed simplex is a tuple of neurons, each contacting all later ones (Reimann et al.
    2017, doi:10.3389/fncom.2017.00048). From each source a bit matrix of its targets is made;
    the neurons that extend a simplex are then the AND of a few rows, their number a popcount.

    Parameters
    ----------
    indptr, indices : int array
        The graph of n neurons.
    largest : int
        The largest out-degree.
    chunks : int
        Tasks that sources are dealt out to.

    Returns
    -------
    int64 array, shape (largest + 3,)
        By dimension: neurons, connections, 2-simplices …
    """
    n = indptr.size - 1
    counts = np.zeros((chunks, largest + 3), np.int64)
    words_most = (largest + 63) >> 6
    for c in prange(chunks):
        place = np.full(n, -1, np.int32)
        bits = np.empty((largest, words_most), np.uint64)
        sets = np.empty((largest + 2, words_most), np.uint64)
        left = np.empty_like(sets)
        position = np.empty(largest + 2, np.int64)
        for v in range(c, n, chunks):
            words = _neighbourhood(v, indptr, indices, place, bits)
            degree = indptr[v + 1] - indptr[v]
            counts[c, 0] += 1
            counts[c, 1] += degree
            for a in range(degree):
                _count_from(bits[a], words, bits, sets, left, position, counts[c])
    return counts.sum(axis=0)


@njit(cache=True)
def _credit_from(first, words, bits, targets, sets, left, position, trail, totals, marks, out):
    """Walk as `_count_from` does, and credit each neuron with the simplices it is part of.

    `totals` counts simplices by dimension as they are met; a neuron that is pushed remembers
    the totals in `marks`, and on leaving is credited with the difference.
    """
    _intersect(first, first, words, sets[0])
    left[0, :words] = sets[0, :words]
    position[0] = 0
    depth = 0
    while depth >= 0:
        word = position[depth]
        while word < words and left[depth, word] == 0:
            word += 1
        position[depth] = word
        if word == words:
            depth -= 1
            if depth >= 0:
                for k in range(depth + 2, totals.size):
                    out[trail[depth], k] += totals[k] - marks[depth, k]
            continue
        last = word << 6 | lowest_bit(left[depth, word])
        left[depth, word] &= left[depth, word] - ONE
        size = _intersect(sets[depth], bits[last], words, sets[depth + 1])
        if size == 0:
            totals[depth + 2] += 1
            out[targets[last], depth + 2] += 1
            continue
        trail[depth] = targets[last]
        marks[depth] = totals
        totals[depth + 2] += 1
        depth += 1
        position[depth] = 0
        left[depth, :words] = sets[depth, :words]


@njit(cache=True, parallel=True)
def count_participation(indptr, indices, largest, dimensions, chunks):
    """Count, for every neuron, the directed simplices of each dimension it is part of.

    Parameters
    ----------
    indptr, indices : int array
        The graph of n neurons.
    largest : int
        The largest out-degree.
    dimensions : int
        Number of dimensions there are, from `count_simplices`.
    chunks : int
        Tasks that sources are dealt out to.

    Returns
    -------
    int64 array, shape (n, dimensions)
    """
    n = indptr.size - 1
    out = np.zeros((chunks, n, dimensions), np.int64)
    words_most = (largest + 63) >> 6
    for c in prange(chunks):
        here = out[c]
        place = np.full(n, -1, np.int32)
        bits = np.empty((largest, words_most), np.uint64)
        sets = np.empty((dimensions + 1, words_most), np.uint64)
        left = np.empty_like(sets)
        position = np.empty(dimensions + 1, np.int64)
        trail = np.empty(dimensions + 1, np.int64)
        marks = np.empty((dimensions + 1, dimensions), np.int64)
        totals = np.zeros(dimensions, np.int64)
        for v in range(c, n, chunks):
            words = _neighbourhood(v, indptr, indices, place, bits)
            targets = indices[indptr[v] : indptr[v + 1]]
            before_v = totals.copy()
            for a in range(targets.size):
                before_a = totals.copy()
                totals[1] += 1
                _credit_from(
                    bits[a], words, bits, targets, sets, left, position, trail, totals, marks, here
                )
                here[targets[a]] += totals - before_a
            here[v] += totals - before_v
            here[v, 0] += 1
    return out.sum(axis=0)
