"""Connections that are answered."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True)
def answered(indptr, indices, t_indptr, t_indices):
    """Mark every connection whose reverse exists, walking out- and in-list of a neuron together.

    Parameters
    ----------
    indptr, indices, t_indptr, t_indices : int array
        The graph and its transpose.

    Returns
    -------
    bool array, shape (connections,)
        In the order of `indices`.
    """
    marks = np.zeros(indices.size, np.bool_)
    for i in prange(indptr.size - 1):
        q, q_end = t_indptr[i], t_indptr[i + 1]
        for p in range(indptr[i], indptr[i + 1]):
            while q < q_end and t_indices[q] < indices[p]:
                q += 1
            marks[p] = q < q_end and t_indices[q] == indices[p]
    return marks
