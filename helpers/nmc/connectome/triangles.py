"""Degrees by kind of partner and every triangle: what motifs and clustering share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nmc.connectome.arrays import memory_for, must_hold, tasks, transpose
from nmc.connectome.kernels.ranked import rank_half
from nmc.connectome.kernels.triangles import count_triangles


class Triangles(NamedTuple):
    """What one pass over the triangles of a graph of n neurons gives.

    Attributes
    ----------
    histogram : int64 array, shape (64,)
        Triangles by the directions of their sides, ``code_ij << 4 | code_jk << 2 | code_ik``;
        code 1 out, 2 in, 3 both.
    undirected, directed : int64 array, shape (n,)
        Triangles at each neuron, and directed ones, a reciprocal side counting twice.
    out_only, in_only, mutual : int64 array, shape (n,)
        Partners of each neuron by direction.
    """

    histogram: np.ndarray
    undirected: np.ndarray
    directed: np.ndarray
    out_only: np.ndarray
    in_only: np.ndarray
    mutual: np.ndarray


def list_triangles(indptr: np.ndarray, indices: np.ndarray) -> Triangles:
    """Count every triangle once, at its neuron of least degree.

    Raises
    ------
    ConnectomeError
        If there is not enough memory.
    """
    with memory_for("listing triangles"):
        return _list_triangles(indptr, indices)


def _list_triangles(indptr: np.ndarray, indices: np.ndarray) -> Triangles:
    t_indptr, t_indices = transpose(indptr, indices)
    out_degree, in_degree = np.diff(indptr), np.diff(t_indptr)
    rank = np.empty(out_degree.size, np.int32)
    rank[np.argsort(out_degree + in_degree, kind="stable")] = np.arange(rank.size, dtype=np.int32)
    half_indptr, packed, mutual = rank_half(indptr, indices, t_indptr, t_indices, rank)
    histogram, at_rank = count_triangles(half_indptr, packed, tasks(17 * rank.size))
    undirected, directed = at_rank[rank].T
    both = (np.arange(64)[:, None] >> [4, 2, 0] & 3) == 3  # a reciprocal side counts twice
    must_hold(
        "triangles",
        (2 * half_indptr[-1], int((out_degree + in_degree - mutual).sum())),
        (undirected.sum(), 3 * histogram.sum()),
        (directed.sum(), 3 * (histogram * 2 ** both.sum(axis=1)).sum()),
    )
    return Triangles(
        histogram, undirected, directed, out_degree - mutual, in_degree - mutual, mutual
    )
