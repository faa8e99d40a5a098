"""Connections that are answered, and the graph turned round."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def turn_round(indptr, indices):
    """Return the graph with every connection reversed, by counting: rows postsynaptic.

    Parameters
    ----------
    indptr, indices : int array
        The graph of n neurons.

    Returns
    -------
    t_indptr : int64 array, shape (n + 1,)
    t_indices : int32 array
        Presynaptic neurons, ascending within a row.
    """
    n = indptr.size - 1
    t_indptr = np.zeros(n + 1, np.int64)
    for j in indices:
        t_indptr[np.uint64(j) + np.uint64(1)] += 1
    for j in range(n):
        t_indptr[j + 1] += t_indptr[j]
    at = t_indptr[:-1].copy()
    t_indices = np.empty(indices.size, np.int32)
    for i in range(n):
        for j in indices[indptr[i] : indptr[i + 1]]:
            t_indices[at[np.uint64(j)]] = i
            at[np.uint64(j)] += 1
    return t_indptr, t_indices


@njit(cache=True)
def answered(indptr, indices):
    """Mark every connection whose reverse exists, without turning the graph round.

    Neurons are taken in turn. What a target j asks of its own list, whether it holds i, moves
    on only as i grows, so a place in each list is kept and every list is walked through once.

    Parameters
    ----------
    indptr, indices : int array
        The graph of n neurons.

    Returns
    -------
    bool array, shape (connections,)
        In the order of `indices`.
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
