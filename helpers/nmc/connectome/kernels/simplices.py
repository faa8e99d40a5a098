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

from nmc.connectome.kernels import (
    BITS,
    IN_WORD,
    LINE,
    ONE,
    TWO,
    WORD,
    ZERO,
    extract,
    popcount,
    prefetch,
)

#: So many sets of candidates of a dimension are held at once.
CHUNK = 1024
#: Lists are asked for so many turns ahead, the first lines of memory of each.
AHEAD = np.uint64(3)
LINES = 4


@njit(cache=True)
def rooms(indptr, indices, most):
    """Bound what the targets of a neuron take: out-degree, and connections among them."""
    degree, edges = 0, 0
    for v in range(indptr.size - 1):
        size = indptr[v + 1] - indptr[v]
        if size > most:
            continue
        degree = max(degree, size)
        if size * (size - 1) <= edges:
            continue  # too few targets to be the most
        among = 0
        for a in indices[indptr[v] : indptr[v + 1]]:
            among += min(indptr[a + 1] - indptr[a], size - 1)
        edges = max(edges, among)
    return degree, min(edges, indices.size)


@njit(cache=True)
def _rooms(tasks, indices, n, room):
    """Take the memory of all tasks: inside, place, starts, edges, bits; lists, ends, turns."""
    degree, edges_most, entries, depth = room
    kind = indices.dtype
    return (
        np.zeros((tasks, n), np.uint8),
        np.empty((tasks, n), kind),
        np.zeros((tasks, degree + 1), np.uint64),
        np.empty((tasks, edges_most + 1), kind),
        np.empty((tasks, degree * ((degree + 63) >> 6)), np.uint64),
        np.empty((tasks, entries), kind),
        np.empty((tasks, depth), np.uint64),
        np.empty((tasks, depth), np.uint64),
    )


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
def _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits, ids=None):
    """Write which targets of `v` contact which; return the words in use of a row of bits.

    Target a contacts ``edges[starts[a] : starts[a + 1]]``: also row a of `bits`, without gaps.
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
            if ids is None:
                edges[end] = w
            else:
                ids[end] = i
            end += np.uint64(inside[w])
        for i in range(first, end):
            b = np.uint64(place[edges[i] if ids is None else indices[ids[i]]])
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
    """Write which of ``among[first:stop]`` `a` contacts to `lists` from `at`; return the end."""
    for i in range(first, stop):
        lists[at] = among[i]
        at += _has(bits, words, a, among[i])
    return at


@njit(cache=True)
def _meet(first, stop, indptr, indices, a, lists, at):
    """Do as `_pick` does where there are no bits: look the shorter list up in the longer."""
    p, p_end, q, q_end = first, stop, np.uint64(indptr[a]), np.uint64(indptr[a + 1])
    short, long = lists, indices
    if q_end - q < p_end - p:
        short, long, p, p_end, q, q_end = indices, lists, q, q_end, p, p_end
    for i in range(p, p_end):
        high = q_end
        while q < high:
            middle = (q + high) >> ONE
            if long[middle] < short[i]:
                q = middle + ONE
            else:
                high = middle
        if q < q_end and long[q] == short[i]:
            lists[at] = short[i]
            at += ONE
    return at


@njit(cache=True)
def _follow(stop, bits, words, indptr, indices, lists, ends, at, dimension, counts):
    """Count the simplices that go on with one of ``lists[:stop]`` and another after it.

    Entries are places among the targets of one neuron with rows of bits, else neurons.  Depth
    first, without recursion: candidates at depth d are ``lists[ends[d] : ends[d + 1]]``.
    """
    depth = 0
    ends[0], ends[1], at[0] = 0, stop, 0
    while depth >= 0:
        first, stop, turn = ends[depth], ends[depth + 1], at[depth]
        if turn == stop:
            depth -= 1
            continue
        at[depth] = turn + ONE
        if words:
            end = _pick(lists, first, stop, bits, words, lists[turn], lists, stop)
        else:
            end = _meet(first, stop, indptr, indices, lists[turn], lists, stop)
        counts[dimension + depth] += np.int64(end - stop)
        if end > stop + ONE:
            depth += 1
            ends[depth + 1], at[depth] = end, stop


@njit(cache=True)
def _unfold(sets, first, stop, rows, out):
    """Write ``set & rows[c]`` of every member c of ``sets[first:stop]``, if it has two members.

    Returns how many are written, and how many members all have.  One loop over all members, which
    never guesses: where a set is used up the next is taken, read two turns before.
    """
    members = end = size = ZERO
    for i in range(first, stop):
        members += popcount(sets[i])
    p = first + TWO
    here, rest, soon, later = sets[first], sets[first], sets[first + ONE], sets[p]
    for _ in range(members):
        left = rest & (rest - ONE)
        both = here & rows[popcount((rest ^ left) - ONE)]
        out[end] = both
        end += np.uint64((both & (both - ONE)) != ZERO)
        size += popcount(both)
        empty = left == ZERO
        here, rest = soon if empty else here, soon if empty else left
        soon = later if empty else soon
        p += np.uint64(empty)
        later = sets[p]
    return end, size


@njit(cache=True)
def _count_among(
    among, at, members, first, stop, bits, words, rows, sets, ends, turns, dim, counts
):
    """Count the simplices that go on with two of ``members[first:stop]``, 64 at most.

    These are the bits of ``among[at : at + words]``.  Whom each of them contacts is one word of
    bits, and so is each set of candidates; sets of one dimension are unfolded a chunk at a time.
    """
    end = size = ZERO
    for i in range(stop - first):
        b, row, before = np.uint64(members[first + i]) * words, ZERO, ZERO
        for k in range(words):
            mask = among[at + k]
            row |= extract(bits[b + k], mask) << (before & IN_WORD)
            before += popcount(mask)
        rows[i] = sets[0, end] = row
        end += np.uint64((row & (row - ONE)) != ZERO)
        size += popcount(row)
    counts[dim] += np.int64(size)
    depth = 0
    ends[0], turns[0] = end, ZERO
    while depth >= 0:
        turn = turns[depth]
        if turn == ends[depth]:
            depth -= 1
            continue
        turns[depth] = min(ends[depth], turn + np.uint64(CHUNK >> 6))
        end, size = _unfold(sets[depth], turn, turns[depth], rows, sets[depth + 1])
        counts[dim + 1 + depth] += np.int64(size)
        if end:
            depth += 1
            ends[depth], turns[depth] = end, ZERO


@njit(cache=True)
def _count_from(
    targets, words, starts, edges, bits, indptr, indices, lists, ends, at, among, rows, sets, counts
):
    """Count the simplices of three dimensions and more that begin with one source."""
    room = bits, words, rows, sets, ends, at
    for a in range(np.uint64(targets)):
        first, stop = starts[a], starts[a + ONE]
        found = most = ZERO
        for i in range(first, stop if stop > first + ONE else first):
            b, size = np.uint64(edges[i]), ZERO
            for k in range(words):
                size += popcount(bits[a * words + k] & bits[b * words + k])
            found += size
            most |= size
        if most > ONE and stop - first <= BITS:
            _count_among(bits, a * words, edges, first, stop, *room, 3, counts)
            continue
        counts[3] += np.int64(found)
        for i in range(first, stop if most > ONE else first):
            b = np.uint64(edges[i])
            for k in range(words):
                among[k] = bits[a * words + k] & bits[b * words + k]
            end = _pick(edges, first, stop, bits, words, b, lists, ZERO)
            if end > BITS:
                _follow(end, bits, words, indptr, indices, lists, ends, at, 4, counts)
            elif end > ONE:
                _count_among(among, ZERO, lists, ZERO, end, *room, 4, counts)


@njit(cache=True, parallel=True)
def count_simplices(indptr, indices, top, room, most, tasks, each):
    """Count directed simplices by dimension, shape (top + 5,) with `top` the largest out-degree."""
    n = indptr.size - 1
    counts, all_among = np.zeros((tasks, top + 5), np.int64), np.empty((tasks, room[0]), np.uint64)
    all_rows, all_sets = (
        np.empty((tasks, 64), np.uint64),
        np.empty((tasks, 65, CHUNK + 3), np.uint64),
    )
    all_inside, all_place, all_starts, all_edges, all_bits, all_lists, all_ends, all_at = _rooms(
        tasks, indices, n, room
    )
    for c in prange(tasks):
        inside, place, starts, edges = all_inside[c], all_place[c], all_starts[c], all_edges[c]
        bits, lists, ends, at, here = all_bits[c], all_lists[c], all_ends[c], all_at[c], counts[c]
        among, rows, sets = all_among[c], all_rows[c], all_sets[c]
        for v in range(c, n, tasks):
            targets = indptr[v + 1] - indptr[v]
            for k in range(each.shape[1]):
                each[v, k] -= here[k]
            here[0] += 1
            here[1] += targets
            if targets > most:
                for a in range(targets):
                    lists[a] = indices[indptr[v] + a]
                end, none = np.uint64(targets), np.uint64(0)
                _follow(end, bits, none, indptr, indices, lists, ends, at, 2, here)
            else:
                words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits)
                here[2] += np.int64(starts[targets])
                graph = targets, words, starts, edges, bits, indptr, indices
                _count_from(*graph, lists, ends, at, among, rows, sets, here)
            for k in range(each.shape[1]):
                each[v, k] += here[k]
    return counts.sum(axis=0)
