"""Directed simplices: cliques of neurons ordered from a source to a sink, counted in place.

From each source v the connections among its targets are written twice: as lists, which are short
and quickly walked, and as rows of bits, which are quickly compared. A simplex that begins with v
is then a path through these targets on which each contacts all later ones.

Rows are named by number and never cut out as views: a view adds two atomic counts to a loop of
a few instructions.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.bits import popcount
from nmc.connectome.kernels.memory import LINE, prefetch

# Unsigned throughout: no question whether an index counts from the end.
ONE = np.uint64(1)
WORD = np.uint64(6)
IN_WORD = np.uint64(63)
TWO = np.uint64(2)
#: Lists are asked for so many turns ahead, the first lines of memory of each.
AHEAD = np.uint64(3)
LINES = 4


@njit(cache=True)
def rooms(indptr, indices):
    """Bound what the targets of one neuron can take.

    Returns
    -------
    degree : int
        The largest out-degree.
    edges : int
        No neuron has more connections among its targets.
    row : int
        No target contacts more of the other targets.
    """
    degree, edges, row = 0, 0, 0
    for v in range(indptr.size - 1):
        size = indptr[v + 1] - indptr[v]
        degree = max(degree, size)
        if size * (size - 1) <= edges and size - 1 <= row:
            continue  # too few targets to be the most
        among = 0
        for a in indices[indptr[v] : indptr[v + 1]]:
            bound = min(indptr[a + 1] - indptr[a], size - 1)
            among += bound
            row = max(row, bound)
        edges = max(edges, among)
    return degree, edges, row


@njit(cache=True)
def _hood_room(n, indices, degree, edges_most):
    """Return room for what `_neighbourhood` writes: inside, place, starts, edges, bits."""
    inside = np.zeros(n, np.uint8)
    place = np.empty(n, indices.dtype)
    starts = np.zeros(degree + 1, np.uint64)
    edges = np.empty(edges_most + 1, indices.dtype)
    return inside, place, starts, edges, np.empty(degree * ((degree + 63) >> 6), np.uint64)


@njit(cache=True)
def _walk_room(indices, row_most):
    """Return room for a walk: lists, and the ends and turns of those that are open."""
    # Each list is shorter than the one before: none contains the neuron that it follows.
    lists = np.empty(row_most * (row_most + 1) // 2 + 1, indices.dtype)
    return lists, np.empty(row_most + 2, np.uint64), np.empty(row_most + 2, np.uint64)


@njit(cache=True)
def _fetch(at, indices):
    """Ask for the beginning of a list."""
    step = np.uint64(LINE // indices.itemsize)
    for k in range(LINES):
        prefetch(indices, at + np.uint64(k) * step)


@njit(cache=True)
def _mark(v, indptr, indices, inside, place):
    """Note that targets of `v` are inside, and the place of each among them."""
    begin = np.uint64(indptr[v])
    for a in range(np.uint64(indptr[v + 1]) - begin):
        w = indices[begin + a]
        inside[w] = 1
        place[w] = a


@njit(cache=True)
def _clear(v, indptr, indices, inside):
    for i in range(np.uint64(indptr[v]), np.uint64(indptr[v + 1])):
        inside[indices[i]] = 0


@njit(cache=True)
def _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits):
    """Write which targets of `v` contact which; return the words in use of a row of bits.

    Target a contacts the targets ``edges[starts[a] : starts[a + 1]]``: also row a of `bits`, whose
    rows follow one another without gaps, to stay near.
    """
    begin = np.uint64(indptr[v])
    targets = np.uint64(indptr[v + 1]) - begin
    words = (targets + IN_WORD) >> WORD
    _mark(v, indptr, indices, inside, place)
    bits[: targets * words] = 0
    end = np.uint64(0)
    for a in range(targets):
        first = end
        t = indices[begin + a]
        soon = indices[begin + min(a + AHEAD, targets - ONE)]
        _fetch(np.uint64(indptr[soon]), indices)
        # Nearly every look-up fails: written always, kept if inside, there is no branch to guess.
        for i in range(np.uint64(indptr[t]), np.uint64(indptr[t + 1])):
            w = indices[i]
            edges[end] = w
            end += np.uint64(inside[w])
        for i in range(first, end):
            b = np.uint64(place[edges[i]])
            edges[i] = b
            bits[a * words + (b >> WORD)] |= ONE << (b & IN_WORD)
        starts[a + ONE] = end
    _clear(v, indptr, indices, inside)
    return words


@njit(cache=True)
def _has(bits, words, a, b):
    """Return 1 if `a` contacts `b`, else 0."""
    b = np.uint64(b)
    return bits[np.uint64(a) * words + (b >> WORD)] >> (b & IN_WORD) & ONE


@njit(cache=True)
def _pick(among, first, stop, bits, words, a, lists, at):
    """Write those of ``among[first:stop]`` that `a` contacts to `lists` from `at`; return the end.

    Written always, kept if contacted: one more entry than is kept can be written.
    """
    for i in range(first, stop):
        lists[at] = among[i]
        at += _has(bits, words, a, among[i])
    return at


@njit(cache=True)
def _shared(bits, a, b, words):
    """Return how many bits two rows share."""
    size = np.uint64(0)
    one, other = np.uint64(a) * words, np.uint64(b) * words
    for k in range(words):
        size += popcount(bits[one + k] & bits[other + k])
    return size


@njit(cache=True)
def _follow(stop, bits, words, lists, ends, at, dimension, counts):
    """Count the simplices that go on with one of ``lists[:stop]`` and another after it.

    Depth first, without recursion, which a compiled cache cannot hold: the candidates at depth d
    are ``lists[ends[d] : ends[d + 1]]``, `at` is the one whose turn it is.
    """
    if stop == TWO:  # the most frequent by far
        counts[dimension] += np.int64(
            _has(bits, words, lists[0], lists[1]) + _has(bits, words, lists[1], lists[0])
        )
        return
    depth = 0
    ends[0], ends[1], at[0] = 0, stop, 0
    while depth >= 0:
        first, stop, turn = ends[depth], ends[depth + 1], at[depth]
        if turn == stop:
            depth -= 1
            continue
        at[depth] = turn + ONE
        end = _pick(lists, first, stop, bits, words, lists[turn], lists, stop)
        counts[dimension + depth] += np.int64(end - stop)
        if end > stop + ONE:
            depth += 1
            ends[depth + 1], at[depth] = end, stop


@njit(cache=True)
def _count_from(targets, words, starts, edges, bits, lists, ends, at, counts):
    """Count the simplices of three dimensions and more that begin with one source."""
    found = np.uint64(0)
    for a in range(targets):
        first, stop = starts[a], starts[a + 1]
        if stop < first + TWO:
            continue
        for i in range(first, stop):
            b = edges[i]
            size = _shared(bits, a, b, words)
            found += size
            if size > ONE:
                end = _pick(edges, first, stop, bits, words, b, lists, np.uint64(0))
                _follow(end, bits, words, lists, ends, at, 4, counts)
    counts[3] += np.int64(found)


@njit(cache=True, parallel=True)
def count_simplices(indptr, indices, degree, edges_most, row_most, chunks):
    """Count directed simplices by dimension.

    A directed simplex is a tuple of neurons, each contacting all later ones (Reimann et al.
    2017, doi:10.3389/fncom.2017.00048).

    Parameters
    ----------
    indptr : int64 array, shape (n + 1,)
    indices : unsigned int array
        The graph of n neurons.
    degree, edges_most, row_most : int
        From `rooms`.
    chunks : int
        Tasks that sources are dealt out to.

    Returns
    -------
    int64 array, shape (degree + 5,)
        By dimension: neurons, connections, 2-simplices …
    """
    n = indptr.size - 1
    counts = np.zeros((chunks, degree + 5), np.int64)
    for c in prange(chunks):
        inside, place, starts, edges, bits = _hood_room(n, indices, degree, edges_most)
        lists, ends, at = _walk_room(indices, row_most)
        for v in range(c, n, chunks):
            targets = indptr[v + 1] - indptr[v]
            words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits)
            counts[c, 0] += 1
            counts[c, 1] += targets
            counts[c, 2] += np.int64(starts[targets])
            _count_from(targets, words, starts, edges, bits, lists, ends, at, counts[c])
    return counts.sum(axis=0)


@njit(cache=True)
def _credit(stop, bits, words, lists, ends, at, neurons, totals, marks, out):
    """Walk as `_follow` does, and credit each neuron with the simplices it is part of.

    `totals` counts simplices by dimension as they are met; a neuron remembers the totals in
    `marks`, and is credited with the difference once all that follows it is walked.
    """
    depth = 0
    ends[0], ends[1], at[0] = 0, stop, 0
    while True:
        first, stop, turn = ends[depth], ends[depth + 1], at[depth]
        if turn == stop:
            if depth == 0:
                return
            depth -= 1
            neuron = neurons[lists[at[depth] - ONE]]
            for k in range(depth + 3, totals.size):
                out[neuron, k] += totals[k] - marks[depth, k]
            continue
        at[depth] = turn + ONE
        totals[depth + 2] += 1
        out[neurons[lists[turn]], depth + 2] += 1
        end = _pick(lists, first, stop, bits, words, lists[turn], lists, stop)
        if end > stop:
            for k in range(depth + 3, totals.size):
                marks[depth, k] = totals[k]
            depth += 1
            ends[depth + 1], at[depth] = end, stop


@njit(cache=True, parallel=True)
def count_participation(indptr, indices, degree, edges_most, row_most, dimensions, chunks):
    """Count, for every neuron, the directed simplices of each dimension it is part of.

    Parameters
    ----------
    indptr : int64 array, shape (n + 1,)
    indices : unsigned int array
        The graph of n neurons.
    degree, edges_most, row_most : int
        From `rooms`.
    dimensions : int
        Number of dimensions there are, from `count_simplices`; at least 2.
    chunks : int
        Tasks that sources are dealt out to.

    Returns
    -------
    int64 array, shape (n, dimensions)
    """
    n = indptr.size - 1
    out = np.zeros((chunks, n, dimensions), np.int64)
    for c in prange(chunks):
        here = out[c]
        inside, place, starts, edges, bits = _hood_room(n, indices, degree, edges_most)
        lists, ends, at = _walk_room(indices, row_most)
        marks = np.empty((dimensions, dimensions), np.int64)
        totals = np.zeros(dimensions, np.int64)
        for v in range(c, n, chunks):
            words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits)
            targets = indices[indptr[v] : indptr[v + 1]]
            before_v = totals.copy()
            totals[0] += 1
            for a in range(targets.size):
                before_a = totals.copy()
                totals[1] += 1
                row = edges[starts[a] : starts[a + 1]]
                lists[: row.size] = row
                _credit(row.size, bits, words, lists, ends, at, targets, totals, marks, here)
                here[targets[a]] += totals - before_a
            here[v] += totals - before_v
    return out.sum(axis=0)
