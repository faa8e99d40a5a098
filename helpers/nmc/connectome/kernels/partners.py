"""Partners of neurons: reciprocal ones, triangles, common ones."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True)
def mark_reciprocal(indptr, indices):
    """Mark every connection whose reverse exists, in the order of `indices`.

    What a target j asks of its own list moves on only as i grows: every list is walked once.
    """
    n = indptr.size - 1
    marks = np.zeros(indices.size, np.bool_)
    at = indptr[:-1].copy()
    for i in range(n):
        for p in range(at[i], indptr[i + 1]):  # from here on the targets are later neurons
            j = np.uint64(indices[p])
            q, end = at[j], indptr[j + np.uint64(1)]
            while q < end and indices[q] < i:
                q += 1
            at[j] = q
            if q < end and indices[q] == i:
                marks[p] = marks[q] = True
    return marks


#: Stands where a list has ended: after all neurons.
NOBODY = np.int32(2**31 - 1)


@njit(cache=True, inline="always")
def _merge_row(i, indptr, indices, t_indptr, t_indices, rank, packed, at):
    """Walk out- and in-list of ``i`` together; write higher-ranked partners if ``at >= 0``."""
    p, p_end = np.uint64(indptr[i]), np.uint64(indptr[i + 1])
    q, q_end = np.uint64(t_indptr[i]), np.uint64(t_indptr[i + 1])
    higher = mutual = 0
    while p < p_end or q < q_end:
        target = indices[p] if p < p_end else NOBODY
        source = t_indices[q] if q < q_end else NOBODY
        other = rank[np.uint64(min(target, source))]
        out, back = target <= source, source <= target
        if at >= 0 and other > rank[i]:
            packed[at + higher] = other << 2 | back << 1 | out
        higher += other > rank[i]
        mutual += out & back
        p += np.uint64(out)
        q += np.uint64(back)
    return higher, mutual


@njit(cache=True, parallel=True)
def rank_half(indptr, indices, t_indptr, t_indices, rank):
    """Relabel neurons by rank and keep, for each, its higher-ranked partners.

    A partner is packed with the direction seen from the lower-ranked neuron, ``partner << 2 |
    code``, code 1 out, 2 in, 3 both.  Ranking by degree keeps every list short, hubs' above all
    (Chiba and Nishizeki 1985; Latapy 2008).  Reciprocal partners are in the original order.
    """
    n = indptr.size - 1
    mutual = np.empty(n, np.int64)
    half_indptr = np.zeros(n + 1, np.int64)
    nothing = np.empty(0, np.int32)
    for i in prange(n):
        higher, mutual[i] = _merge_row(i, indptr, indices, t_indptr, t_indices, rank, nothing, -1)
        half_indptr[rank[i] + 1] = higher
    for r in range(n):
        half_indptr[r + 1] += half_indptr[r]
    packed = np.empty(half_indptr[n], np.int32)
    for i in prange(n):
        _merge_row(i, indptr, indices, t_indptr, t_indices, rank, packed, half_indptr[rank[i]])
    return half_indptr, packed, mutual


@njit(cache=True, parallel=True)
def count_triangles(half_indptr, packed, tasks):
    """Count triangles by the directions of their three sides, from the half graph of `rank_half`.

    For each neuron *i* mark its higher-ranked partners; every marked partner *k* of a partner *j*
    closes a triangle, met exactly once (Latapy 2008, doi:10.1016/j.tcs.2008.07.017).  The
    histogram's index is ``code_ij << 4 | code_jk << 2 | code_ik``; at each neuron (by rank)
    undirected triangles, and directed ones (a reciprocal side counts twice).
    """
    n = half_indptr.size - 1
    histogram = np.zeros((tasks, 64), np.int64)
    triangles = np.zeros((tasks, n, 2), np.int64)
    weight = np.zeros(64, np.int64)
    for t in range(64):
        weight[t] = (1 + (t >> 4 == 3)) * (1 + (t >> 2 & 3 == 3)) * (1 + (t & 3 == 3))
    marks = np.zeros((tasks, n), np.uint8)  # an allocation inside a task can fail unseen
    all_found = np.empty((tasks, np.diff(half_indptr).max() + 1 if n else 1), np.int32)
    for c in prange(tasks):
        mark, bins, here, found = marks[c], histogram[c], triangles[c], all_found[c]
        for i in range(c, n, tasks):
            first, last = np.uint64(half_indptr[i]), np.uint64(half_indptr[i + 1])
            for e in range(first, last):
                mark[packed[e] >> 2] = packed[e] & 3
            for e in range(first, last):
                j, code = packed[e] >> 2, packed[e] & 3
                end = np.uint64(0)
                # Most look-ups fail: written always, kept if marked, there is no branch to guess.
                # Unsigned: else every look-up also asks whether the index is negative.
                for f in range(np.uint64(half_indptr[j]), np.uint64(half_indptr[j + 1])):
                    found[end] = packed[f]
                    end += np.uint64(mark[np.uint64(packed[f]) >> np.uint64(2)] != 0)
                weighted = 0
                for f in range(end):
                    k, jk = np.uint64(found[f]) >> np.uint64(2), found[f] & 3
                    kind = code << 4 | jk << 2 | mark[k]
                    bins[kind] += 1
                    here[k, 0] += 1
                    here[k, 1] += weight[kind]
                    weighted += weight[kind]
                for v in (i, j):
                    here[v, 0] += np.int64(end)
                    here[v, 1] += weighted
            for e in range(first, last):
                mark[packed[e] >> 2] = 0
    return histogram.sum(axis=0), triangles.sum(axis=0)


@njit(cache=True, parallel=True)
def count_corners(half_indptr, packed, tasks):
    """Count the triangles at each neuron (by rank) by ``code_vu << 4 | code_uw << 2 | code_vw``."""
    n = half_indptr.size - 1
    corners = np.zeros((tasks, n, 64), np.int64)
    marks = np.zeros((tasks, n), np.uint8)  # an allocation inside a task can fail unseen
    flip = np.array([0, 2, 1, 3])
    for c in prange(tasks):
        mark, here = marks[c], corners[c]
        for i in range(c, n, tasks):
            row = packed[half_indptr[i] : half_indptr[i + 1]]
            for e in row:
                mark[e >> 2] = e & 3
            for e in row:
                j, ij = e >> 2, e & 3
                for f in packed[half_indptr[j] : half_indptr[j + 1]]:
                    ik = mark[np.uint64(f) >> np.uint64(2)]
                    if ik:
                        k, jk = f >> 2, f & 3
                        here[i, ij << 4 | jk << 2 | ik] += 1
                        here[j, flip[ij] << 4 | ik << 2 | jk] += 1
                        here[k, flip[ik] << 4 | ij << 2 | flip[jk]] += 1
            for e in row:
                mark[e >> 2] = 0
    return corners.sum(axis=0)


@njit(cache=True, parallel=True)
def weigh_triangles(half_indptr, packed, logs, tasks):
    """Add up the geometric mean weights of triangles by code, as `count_triangles` meets them.

    `logs` are the logarithms of the weights of each pair of partners, both directions added.
    """
    n = half_indptr.size - 1
    means = np.zeros((tasks, 64))
    marks = np.full((tasks, n), -1, np.int64)  # an allocation inside a task can fail unseen
    for c in prange(tasks):
        mark = marks[c]
        for i in range(c, n, tasks):
            first, last = half_indptr[i], half_indptr[i + 1]
            for e in range(first, last):
                mark[packed[e] >> 2] = e
            for e in range(first, last):
                j = packed[e] >> 2
                for f in range(half_indptr[j], half_indptr[j + 1]):
                    g = mark[packed[f] >> 2]
                    if g >= 0:
                        ij, jk, ik = packed[e] & 3, packed[f] & 3, packed[g] & 3
                        sides = 3 + (ij == 3) + (jk == 3) + (ik == 3)
                        mean = np.exp((logs[e] + logs[f] + logs[g]) / sides)
                        means[c, ij << 4 | jk << 2 | ik] += mean
            for e in range(first, last):
                mark[packed[e] >> 2] = -1
    return means.sum(axis=0)


@njit(cache=True)
def _add_row(i, indptr, indices, t_indptr, t_indices, common):
    """Add, for each later neuron j, the targets i and j share."""
    for k in indices[indptr[i] : indptr[i + 1]]:
        row = t_indices[t_indptr[k] : t_indptr[k + 1]]
        for j in row[np.searchsorted(row, i, side="right") :]:
            common[np.uint64(j)] += 1  # unsigned: no question whether it counts from the end


@njit(cache=True, parallel=True)
def fold_common(
    indptr, indices, t_indptr, t_indices, use_out, use_in, groups, n_groups, most, tasks
):
    """Count the common neighbours of every pair and fold them at once into sums.

    The pair matrix never exists: one row of counts is filled, summed by group, and cleared.
    Connection 0 is all pairs, 1 i→j only, 2 j→i only, 3 both: `histogram` by connection and
    count, `sums` and `pairs` by group of i, of j, and connection.
    """
    n = indptr.size - 1
    histogram = np.zeros((tasks, 4, most + 1), np.int64)
    sums = np.zeros((tasks, n_groups, n_groups, 4), np.int64)
    pairs = np.zeros((tasks, n_groups, n_groups, 4), np.int64)
    all_common = np.zeros((tasks, n), np.int32)  # an allocation inside a task can fail unseen
    all_state = np.zeros((tasks, n), np.uint8)
    for c in prange(tasks):
        common, state = all_common[c], all_state[c]
        for i in range(c, n, tasks):
            if use_out:
                _add_row(i, indptr, indices, t_indptr, t_indices, common)
            if use_in:
                _add_row(i, t_indptr, t_indices, indptr, indices, common)
            targets = indices[indptr[i] : indptr[i + 1]]
            sources = t_indices[t_indptr[i] : t_indptr[i + 1]]
            for j in targets:
                state[j] = 1
            for j in sources:
                state[j] += 2
            row_sums, tally = sums[c, groups[i]], histogram[c, 0]
            for j in range(i + 1, n):
                tally[common[j]] += 1
                row_sums[groups[j], 0] += common[j]
            for partners in (targets, sources):
                for j in partners:
                    if j > i and state[j]:
                        histogram[c, state[j], common[j]] += 1
                        row_sums[groups[j], state[j]] += common[j]
                        pairs[c, groups[i], groups[j], state[j]] += 1
                    state[j] = 0
            common[i + 1 :] = 0
    return histogram.sum(axis=0), sums.sum(axis=0), pairs.sum(axis=0)
