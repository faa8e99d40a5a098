"""Every directed simplex met one by one: which connections and ends it has, whether it is maximal;
and the simplices among the partners of each neuron.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from nmc.connectome.kernels.simplices import popcount

ONE = np.uint64(1)


@njit(cache=True)
def _set(bits, row, words, place):
    bits[row * words + (place >> 6)] |= ONE << np.uint64(place & 63)


@njit(cache=True)
def _neighbourhood(v, indptr, indices, inside, place, starts, edges, ids):
    """Write which targets of `v` contact which, by place, and which connections these are."""
    begin, size, end = indptr[v], indptr[v + 1] - indptr[v], 0
    for a in range(size):
        inside[indices[begin + a]] = 1
        place[indices[begin + a]] = a
    for a in range(size):
        t = indices[begin + a]
        for i in range(indptr[t], indptr[t + 1]):
            w = indices[i]
            if inside[w]:
                edges[end], ids[end] = place[w], i
                end += 1
        starts[a + 1] = end
    return size


@njit(cache=True)
def _bit_rows(v, size, indptr, indices, t_indptr, t_indices, inside, place, starts, edges, bits):
    """Write rows of bits for each target of `v`: whom it contacts, who contacts it, which of the
    neurons that contact `v` do, too; return the words of a row.
    """
    outs, ins, fronts = bits
    sources = t_indptr[v + 1] - t_indptr[v]
    words, front_words = (size + 63) >> 6, (sources + 63) >> 6
    outs[: size * words] = 0
    ins[: size * words] = 0
    fronts[: size * front_words] = 0
    for a in range(size):
        for e in range(starts[a], starts[a + 1]):
            _set(outs, a, words, edges[e])
            _set(ins, edges[e], words, a)
    for u in range(sources):
        t = t_indices[t_indptr[v] + u]
        for i in range(indptr[t], indptr[t + 1]):
            if inside[indices[i]]:
                _set(fronts, place[indices[i]], front_words, u)
    return words, front_words


@njit(cache=True)
def _grows(depth, at, lists, bits, words, front_words):
    """Return whether a neuron before, or between, makes the walk a larger simplex."""
    outs, ins, fronts = bits
    for k in range(front_words):
        word = ~np.uint64(0)
        for level in range(depth + 1):
            word &= fronts[lists[at[level] - 1] * front_words + k]
        if word:
            return True
    for between in range(depth + 1):
        for k in range(words):
            word = ~np.uint64(0)
            for level in range(depth + 1):
                row = lists[at[level] - 1] * words + k
                word &= outs[row] if level < between else ins[row]
            if word:
                return True
    return False


@njit(cache=True)
def _credit(turn, first, last, totals, before, sides, back, on_sides):
    """Credit the connections to the walk's last neuron with what was met since `before`."""
    while turn >= 0:
        for k in range(first, last):
            on_sides[sides[turn], k] += totals[k] - before[k]
        turn = back[turn]


@njit(cache=True)
def _go_on(depth, ends, x, starts, edges, ids, lists, sides, back, outs, words):
    """List the candidates that `x` contacts; return where the list ends."""
    first, end = ends[depth], ends[depth + 1]
    stop, e, e_end = end, starts[x], starts[x + 1]
    if depth == 0:  # all targets are candidates, each in its own place
        for i in range(e, e_end):
            lists[end], sides[end], back[end] = edges[i], ids[i], edges[i]
            end += 1
    elif words:
        for q in range(first, stop):
            y = lists[q]
            lists[end] = y
            end += np.int64(outs[x * words + (y >> 6)] >> np.uint64(y & 63) & ONE)
    else:
        for q in range(first, stop):
            while e < e_end and edges[e] < lists[q]:
                e += 1
            if e < e_end and edges[e] == lists[q]:
                lists[end], sides[end], back[end] = edges[e], ids[e], q
                end += 1
    return end


@njit(cache=True, parallel=True)
def visit_simplices(indptr, indices, t_indptr, t_indices, room, dimensions, which, tasks):
    """Walk through all directed simplices, depth first from their source.

    The candidates at depth d are ``lists[ends[d] : ends[d + 1]]``: targets of the source that all
    neurons of the walk contact. Each remembers the connection to it from the walk's last neuron,
    and its place in the list above, where that from the neuron before stands.

    Parameters
    ----------
    indptr, indices, t_indptr, t_indices : int array
        The graph of n neurons and m connections, and its transpose.
    room : (int, int, int)
        Largest out-degree, connections among targets, largest in-degree.
    dimensions : int
        Number of dimensions there are, at least 2.
    which : int
        1 for sides, 2 for maximal simplices, 0 for neither.

    Returns
    -------
    sources, sinks : int64 array, shape (n, dimensions)
        Simplices that begin, and end, at each neuron.
    sides : int64 array, shape (m, dimensions)
        Simplices that each connection is part of.
    maximal : int64 array, shape (dimensions,)
        Simplices that are part of no other.
    """
    n, (degree, edges_most, in_most) = indptr.size - 1, room
    wide = degree * ((degree + 63) >> 6) if which == 2 else 0
    front = degree * ((in_most + 63) >> 6) if which == 2 else 0
    ends_of = np.zeros((2, tasks, n, dimensions), np.int64)
    on_sides = np.zeros((tasks, indices.size if which == 1 else 0, dimensions), np.int64)
    maximal = np.zeros((tasks, dimensions), np.int64)
    # An allocation inside a task can fail unseen.
    all_inside, all_place = np.zeros((tasks, n), np.uint8), np.empty((tasks, n), np.int32)
    all_starts = np.zeros((tasks, degree + 1), np.int64)
    all_edges = np.empty((tasks, edges_most), np.int32)
    all_ids = np.empty((tasks, edges_most), np.int64)
    all_lists = np.empty((tasks, degree * (dimensions + 1) + 1), np.int32)
    all_sides = np.empty((tasks, 2, degree * (dimensions + 1)), np.int64)
    all_turns = np.zeros((tasks, 2, dimensions + 3), np.int64)
    all_totals = np.zeros((tasks, dimensions + 3, dimensions), np.int64)
    all_rows, all_fronts = (
        np.empty((tasks, 2, wide), np.uint64),
        np.empty((tasks, front), np.uint64),
    )
    for c in prange(tasks):
        inside, place, starts, edges = all_inside[c], all_place[c], all_starts[c], all_edges[c]
        ids, lists, sides, back = all_ids[c], all_lists[c], all_sides[c, 0], all_sides[c, 1]
        ends, at, totals, before = all_turns[c, 0], all_turns[c, 1], all_totals[c, 0], all_totals[c]
        sources, sinks, credited, whole = ends_of[0, c], ends_of[1, c], on_sides[c], maximal[c]
        outs, words, front_words = all_rows[c, 0], 0, 0
        bits = outs, all_rows[c, 1], all_fronts[c]
        for v in range(c, n, tasks):
            size = _neighbourhood(v, indptr, indices, inside, place, starts, edges, ids)
            if which == 2:
                words, front_words = _bit_rows(
                    v,
                    size,
                    indptr,
                    indices,
                    t_indptr,
                    t_indices,
                    inside,
                    place,
                    starts,
                    edges,
                    bits,
                )
                whole[0] += size == 0 and t_indptr[v] == t_indptr[v + 1]
            for a in range(size):
                inside[indices[indptr[v] + a]] = 0
                lists[a], sides[a], back[a] = a, indptr[v] + a, -1
            for k in range(dimensions):
                sources[v, k] -= totals[k]
            totals[0] += 1
            sinks[v, 0] += 1
            depth, ends[1], at[0] = 0, size, 0
            while depth >= 0:
                turn, stop = at[depth], ends[depth + 1]
                k = depth + 1  # the dimension of the walk with the next candidate
                if turn == stop:
                    depth -= 1
                    if which == 1 and depth >= 0:
                        k, turn = depth + 1, at[depth] - 1
                        _credit(turn, k, dimensions, totals, before[k], sides, back, credited)
                    continue
                at[depth] = turn + 1
                x = lists[turn]
                for d in range(k, dimensions):
                    before[k, d] = totals[d]
                totals[k] += 1
                sinks[indices[indptr[v] + x], k] += 1
                end = _go_on(depth, ends, x, starts, edges, ids, lists, sides, back, outs, words)
                if end > stop:
                    depth += 1
                    ends[depth + 1], at[depth] = end, stop
                elif which == 1:
                    _credit(turn, k, k + 1, totals, before[k], sides, back, credited)
                elif which == 2:
                    whole[k] += not _grows(depth, at, lists, bits, words, front_words)
            for k in range(dimensions):
                sources[v, k] += totals[k]
    for c in range(1, tasks):  # in place: the sum of all would take as much again
        for e in range(on_sides.shape[1]):
            for k in range(dimensions):
                on_sides[0, e, k] += on_sides[c, e, k]
    ends_found = ends_of.sum(axis=1)
    return ends_found[0], ends_found[1], on_sides[0], maximal.sum(axis=0)


@njit(cache=True, parallel=True)
def count_neighbourhoods(indptr, indices, t_indptr, t_indices, most, dimensions, tasks):
    """Count the simplices among the partners of every neuron.

    Partners are rows of bits, and the candidates to go on a walk with their intersection.

    Parameters
    ----------
    most : int
        No neuron has more partners, in or out.
    dimensions : int
        How many dimensions to count, at least 2: partners, connections among them …

    Returns
    -------
    int64 array, shape (n, dimensions)
    """
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
