"""Common neighbours of all pairs of neurons, a row at a time."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


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

    The pair matrix never exists: one row of counts is filled (targets' in-lists, sources'
    out-lists), summed by group, and cleared. Only connections need a look of their own; the
    unconnected pairs are the rest.

    Parameters
    ----------
    indptr, indices, t_indptr, t_indices : int array
        The graph of n neurons and its transpose.
    use_out, use_in : bool
        Count shared targets, shared sources, or both added.
    groups : int32 array, shape (n,)
    n_groups : int
    most : int
        No pair has more common neighbours than this.
    tasks : int
        Tasks that rows are dealt out to.

    Returns
    -------
    histogram : int64 array, shape (4, most + 1)
        Pairs i < j by connection (row 0 all pairs, 1 i→j only, 2 j→i only, 3 both) and count.
    sums : int64 array, shape (n_groups, n_groups, 4)
        Sum of counts over pairs i < j by group of i, of j, and connection as above.
    pairs : int64 array, shape (n_groups, n_groups, 4)
        Number of those pairs; ``[…, 0]``, all pairs, is left at 0.
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
