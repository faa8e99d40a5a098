"""Connections by the smaller degree of their two ends."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def count_by_smaller_degree(indptr, indices, degree, top):
    """Count connections by the smaller degree of their two ends.

    Parameters
    ----------
    indptr, indices : int array
        The graph of n neurons.
    degree : int32 array, shape (n,)
    top : int
        More than the largest degree.

    Returns
    -------
    int64 array, shape (top,)
    """
    counts = np.zeros(top, np.int64)
    for i in range(indptr.size - 1):
        for j in indices[indptr[i] : indptr[i + 1]]:
            counts[np.uint64(min(degree[i], degree[np.uint64(j)]))] += 1
    return counts


@njit(cache=True)
def count_inputs(indices, n):
    """Count how often each of n neurons is a target."""
    counts = np.zeros(n, np.int64)
    for j in indices:
        counts[np.uint64(j)] += 1
    return counts
