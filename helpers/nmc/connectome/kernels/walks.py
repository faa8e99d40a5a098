"""What lies in directed simplices: the sides of each, and which of them no neuron makes larger;
and the simplices among the partners of each neuron.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.simplices import (
    AHEAD,
    IN_WORD,
    ONE,
    WORD,
    _clear,
    _fetch,
    _mark,
    _neighbourhood,
    _pick,
    _rooms,
    popcount,
    prefetch,
)

ZERO = np.uint64(0)
#: Counts of a connection are asked for so many turns ahead.
SOON = np.uint64(8)


@njit(cache=True)
def _set(bits, row, words, place):
    row, place = np.uint64(row), np.uint64(place)
    bits[row * np.uint64(words) + (place >> WORD)] |= ONE << (place & IN_WORD)


@njit(cache=True)
def _turn(targets, words, starts, edges, ins):
    """Write which targets contact each target, as rows of bits."""
    ins[: targets * words] = 0
    for a in range(targets):
        for e in range(starts[a], starts[a + ONE]):
            _set(ins, edges[e], words, a)


@njit(cache=True, parallel=True)
def count_sides(indptr, indices, room, sides):
    """Count, for every connection, the simplices of each dimension it is part of.

    Up to three dimensions bits are compared: targets of a source before, between and after two
    that are connected.  Column k of `sides` (tasks, connections, columns) is dimension k + 1.
    """
    n, (tasks, _, columns) = indptr.size - 1, sides.shape
    all_inside, all_place, all_starts, all_edges, all_bits, all_lists, all_ends, all_at = _rooms(
        tasks, indices, n, room
    )
    all_ins, all_ids = np.empty_like(all_bits), np.empty(all_edges.shape, np.uint32)
    all_path = np.empty((tasks, columns + 3), np.uint64)
    all_marks = np.zeros((tasks, columns + 3, columns), np.uint64)
    for c in prange(tasks):
        inside, place, starts, edges = all_inside[c], all_place[c], all_starts[c], all_edges[c]
        bits, lists, ends, at, ins = all_bits[c], all_lists[c], all_ends[c], all_at[c], all_ins[c]
        ids, path, marks, here = all_ids[c], all_path[c], all_marks[c], sides[c]
        for v in range(c, n, tasks):
            first, targets = np.uint64(indptr[v]), np.uint64(indptr[v + 1] - indptr[v])
            words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits, ids)
            _turn(targets, words, starts, edges, ins)
            for a in range(targets):
                for e in range(starts[a], starts[a + ONE]):
                    soon = np.uint64(ids[min(e + SOON, starts[targets])])
                    prefetch(here, soon * np.uint64(columns))
                    b = np.uint64(edges[e])
                    before = between = after = ZERO
                    for w in range(words):
                        out_a, in_b = bits[a * words + w], ins[b * words + w]
                        before += popcount(ins[a * words + w] & in_b)
                        between += popcount(out_a & in_b)
                        after += popcount(out_a & bits[b * words + w])
                    here[ids[e], 1] += 1
                    here[ids[e], 2] += before + between + after
                    here[first + a, 1] += 1
                    here[first + a, 2] += after
                    here[first + b, 1] += 1
                    here[first + b, 2] += before + after
                    if after > ONE:
                        path[0], path[1] = a, b
                        end = _pick(edges, starts[a], starts[a + ONE], bits, words, b, lists, ZERO)
                        local = first, words, starts, bits, ids
                        _credit_deeper(end, local, lists, ends, at, path, marks, here)
    for c in range(1, tasks):  # in place: the sum of all would take as much again
        for e in range(indices.size):
            for k in range(columns):
                sides[0, e, k] += sides[c, e, k]
    sides[0, :, 0] = 1


@njit(cache=True)
def _credit_deeper(stop, local, lists, ends, at, path, marks, here):
    """Credit the sides of simplices of four and more dimensions, from ``path[:2]`` on."""
    _, words, _, bits, _ = local
    totals, columns, depth = marks[-1], marks.shape[1], 0
    totals[:] = 0
    ends[0], ends[1], at[0] = 0, stop, 0
    while True:
        first, stop, turn = ends[depth], ends[depth + 1], at[depth]
        if turn == stop:
            if depth == 0:
                break
            depth -= 1
            _credit(depth + 2, depth + 2 if depth else 3, columns, local, path, marks, here)
            continue
        at[depth] = turn + ONE
        path[depth + 2] = lists[turn]
        for k in range(depth + 2, columns):
            marks[depth + 2, k] = totals[k]
        end = _pick(lists, first, stop, bits, words, lists[turn], lists, stop)
        if depth:
            totals[depth + 2] += ONE
            if end == stop:
                _credit(depth + 2, depth + 2, depth + 3, local, path, marks, here)
        if end > stop:
            depth += 1
            ends[depth + 1], at[depth] = end, stop
    for last in range(2 if totals.any() else 0):
        _credit(last, 3, columns, local, path, marks, here)


@njit(cache=True)
def _credit(last, low, high, local, path, marks, here):
    """Credit the sides to ``path[last]`` with the simplices met since it came into the path."""
    first, words, starts, bits, ids = local
    x, totals = path[last], marks[-1]
    side = first + x
    for j in range(last + 1):
        for k in range(low, high):
            here[side, k] += totals[k] - marks[last, k]
        if j < last:  # which of the connections of path[j] it is: as many as set bits before it
            row = path[j] * words
            rank = starts[path[j]]
            for w in range(x >> WORD):
                rank += popcount(bits[row + w])
            rest = bits[row + (x >> WORD)] & ((ONE << (x & IN_WORD)) - ONE)
            side = ids[rank + popcount(rest)]


@njit(cache=True, parallel=True)
def count_maximal(indptr, indices, t_indptr, t_indices, room, in_degree, top, tasks):
    """Count the directed simplices that are part of no larger one, and all, by dimension.

    As Bron and Kerbosch (1973) do for cliques, a walk keeps who may follow its last neuron, and
    who may stand before or between its own; with x next both are narrowed, ``after & out(x)``
    and ``(elsewhere | after) & in(x)``, and it is maximal when both are empty.
    """
    n, degree, depths = indptr.size - 1, room[0], top + 1
    all_inside, all_place, all_starts, all_edges, all_bits, all_lists, _, all_at = _rooms(
        tasks, indices, n, room
    )
    wide, front_wide = (degree + 63) >> 6, (in_degree + 63) >> 6
    all_ins, all_fronts = (
        np.empty_like(all_bits),
        np.empty((tasks, degree * front_wide), np.uint64),
    )
    all_after = np.empty((tasks, 3, depths, wide), np.uint64)
    all_before = np.empty((tasks, depths, front_wide), np.uint64)
    maximal = np.zeros((tasks, 2, top + 1), np.int64)
    for c in prange(tasks):
        inside, place, starts, edges = all_inside[c], all_place[c], all_starts[c], all_edges[c]
        bits, ins, fronts, found = all_bits[c], all_ins[c], all_fronts[c], all_lists[c]
        before, at, here = all_before[c], all_at[c], maximal[c]
        after, left, anywhere = all_after[c]
        for v in range(c, n, tasks):
            targets = np.uint64(indptr[v + 1] - indptr[v])
            sources = np.uint64(t_indptr[v + 1] - t_indptr[v])
            here[0, 0] += 1
            if targets == 0:
                here[1, 0] += sources == 0
                continue
            words = _neighbourhood(v, indptr, indices, inside, place, starts, edges, bits)
            _turn(targets, words, starts, edges, ins)
            front_words = (sources + IN_WORD) >> WORD
            fronts[: targets * front_words] = 0
            _mark(v, indptr, indices, inside, place)
            for u in range(sources):
                t, end = t_indices[np.uint64(t_indptr[v]) + u], ZERO
                soon = t_indices[np.uint64(t_indptr[v]) + min(u + AHEAD, sources - ONE)]
                _fetch(np.uint64(indptr[soon]), indices)
                for i in range(np.uint64(indptr[t]), np.uint64(indptr[t + 1])):
                    w = indices[i]
                    found[end] = w
                    end += np.uint64(inside[w])
                for i in range(end):
                    _set(fronts, place[found[i]], front_words, u)
            _clear(v, indptr, indices, inside)
            for w in range(words):
                rest = targets - (w << WORD)
                every = ~ZERO if rest > IN_WORD else (ONE << rest) - ONE
                after[0, w] = left[0, w] = anywhere[0, w] = every
            before[0, :front_words] = ~ZERO
            _count_maximal(
                words, front_words, bits, ins, fronts, after, left, anywhere, before, at, here
            )
    return maximal.sum(axis=0)


@njit(cache=True)
def _count_maximal(
    words, front_words, bits, ins, fronts, after, left, anywhere, before, at, counts
):
    """Count the maximal simplices of one source; `left` are those of `after` still to come."""
    depth, at[0] = 0, 0
    while depth >= 0:
        k = at[depth]
        while k < words and left[depth, k] == 0:
            k += ONE
        at[depth] = k
        if k == words:
            depth -= 1
            continue
        word = left[depth, k]
        rest = word & (word - ONE)
        left[depth, k] = rest
        x = (k << WORD) + popcount((word ^ rest) - ONE)
        row, front = x * words, x * front_words
        counts[0, depth + 1] += 1
        more = ZERO
        for w in range(words):
            both = after[depth, w] & bits[row + w]
            after[depth + 1, w] = both
            more |= both
        if more:
            for w in range(words):
                left[depth + 1, w] = after[depth + 1, w]
                anywhere[depth + 1, w] = after[depth + 1, w] | (anywhere[depth, w] & ins[row + w])
            for w in range(front_words):
                before[depth + 1, w] = before[depth, w] & fronts[front + w]
            depth += 1
            at[depth] = ZERO
            continue
        w = ZERO
        while w < words and not more:
            more = anywhere[depth, w] & ins[row + w]
            w += ONE
        w = ZERO
        while w < front_words and not more:
            more = before[depth, w] & fronts[front + w]
            w += ONE
        counts[1, depth + 1] += more == ZERO


@njit(cache=True, parallel=True)
def count_neighbourhoods(indptr, indices, t_indptr, t_indices, most, dimensions, tasks):
    """Count the simplices among the partners of every neuron, which are rows of bits."""
    n, wide = indptr.size - 1, (most + 63) >> 6
    counts = np.zeros((n, dimensions), np.int64)
    all_place = np.full((tasks, n), -1, np.int32)  # an allocation inside a task can fail unseen
    all_members = np.empty((tasks, most), np.int32)
    all_outs = np.empty((tasks, most * wide), np.uint64)
    all_stacks = np.empty((tasks, 2, dimensions, wide), np.uint64)
    for c in prange(tasks):
        place, members, outs = all_place[c], all_members[c], all_outs[c]
        candidates, left = all_stacks[c, 0], all_stacks[c, 1]
        for v in range(c, n, tasks):
            size = 0
            for partners in (
                indices[indptr[v] : indptr[v + 1]],
                t_indices[t_indptr[v] : t_indptr[v + 1]],
            ):
                for t in partners:
                    if place[t] < 0:
                        place[t] = size
                        members[size] = t
                        size += 1
            words = (size + 63) >> 6
            outs[: size * words] = 0
            here = counts[v]
            here[0] = size
            for a in range(size):
                for t in indices[indptr[members[a]] : indptr[members[a] + 1]]:
                    if place[t] >= 0:
                        _set(outs, a, words, place[t])
                        here[1] += 1
            for a in range(size):
                place[members[a]] = -1
            if dimensions > 2:
                for a in range(size):
                    for k in range(words):
                        candidates[0, k] = left[0, k] = outs[a * words + k]
                    _follow(outs, words, candidates, left, here)
    return counts


@njit(cache=True)
def _follow(outs, words, candidates, left, counts):
    """Count the simplices that go on with one of ``candidates[0]``; `left` are those to come."""
    depth, k = 0, 0
    while depth >= 0:
        k = 0
        while k < words and left[depth, k] == 0:
            k += 1
        if k == words:
            depth -= 1
            continue
        word = left[depth, k]
        left[depth, k] = word & (word - ONE)
        row = (k * 64 + np.int64(popcount((word & (~word + ONE)) - ONE))) * words
        size = np.uint64(0)
        for w in range(words):
            candidates[depth + 1, w] = candidates[depth, w] & outs[row + w]
            size += popcount(candidates[depth + 1, w])
        counts[depth + 2] += np.int64(size)
        if size and depth + 3 < counts.size:
            depth += 1
            for w in range(words):
                left[depth, w] = candidates[depth, w]
