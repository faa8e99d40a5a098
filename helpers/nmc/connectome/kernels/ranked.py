"""The ranked half graph: every connected pair once, stored at its lower-ranked neuron."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

OUT, IN, BOTH = 1, 2, 3


@njit(cache=True, inline="always")
def _merge_row(i, indptr, indices, t_indptr, t_indices, rank, packed, at):
    """Walk out- and in-list of ``i`` together; write higher-ranked partners if ``at >= 0``.

    Returns the number of higher-ranked partners and of reciprocal partners.
    """
    p, p_end = indptr[i], indptr[i + 1]
    q, q_end = t_indptr[i], t_indptr[i + 1]
    higher = 0
    mutual = 0
    while p < p_end or q < q_end:
        if q == q_end or (p < p_end and indices[p] < t_indices[q]):
            j, code = indices[p], OUT
            p += 1
        elif p == p_end or t_indices[q] < indices[p]:
            j, code = t_indices[q], IN
            q += 1
        else:
            j, code = indices[p], BOTH
            p += 1
            q += 1
            mutual += 1
        if rank[j] > rank[i]:
            if at >= 0:
                packed[at + higher] = rank[j] << 2 | code
            higher += 1
    return higher, mutual


@njit(cache=True, parallel=True)
def rank_half(indptr, indices, t_indptr, t_indices, rank):
    """Relabel neurons by rank and keep, for each, its higher-ranked partners.

    Each partner is packed with the direction of the connection seen from the lower-ranked
    neuron, ``partner << 2 | code``, code 1 out, 2 in, 3 both. Ranking by degree keeps every
    list short, hubs' above all (Chiba and Nishizeki 1985; Latapy 2008).

    Parameters
    ----------
    indptr, indices : int array
        The graph, and ``t_indptr, t_indices`` its transpose.
    rank : int32 array, shape (n,)
        A permutation of ``0 … n - 1``.

    Returns
    -------
    half_indptr : int64 array, shape (n + 1,)
    packed : int32 array
        Rows in order of rank.
    mutual : int64 array, shape (n,)
        Reciprocal partners of each neuron, in the original order.
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
