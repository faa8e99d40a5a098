"""Small graphs for the tests of the measures, and networkx graphs of them."""

from __future__ import annotations

import networkx as nx
import numpy as np
from nmc.connectome.build import make_connectome


def from_matrix(matrix, **columns):
    """Make a Connectome from a 0/1 matrix and neuron columns."""
    n = len(matrix)
    given = {axis: np.zeros(n) for axis in ("x_um", "y_um", "z_um")} | columns
    types = given.pop("mtype", ["L1_DAC"] * n)
    return make_connectome(
        np.asarray(matrix, bool),
        types,
        columns={name: np.broadcast_to(values, n) for name, values in given.items()},
    )


def from_edges(n, edges, **columns):
    """Make one from a list of connections (pre, post)."""
    matrix = np.zeros((n, n), bool)
    for pre, post in edges:
        matrix[pre, post] = True
    return from_matrix(matrix, **columns)


def random_graph(n, p, seed, reciprocal=0.0, **columns):
    """Make a random directed graph; `reciprocal` is the chance that a connection has a reverse."""
    rng = np.random.default_rng(seed)
    matrix = rng.random((n, n)) < p
    matrix |= (rng.random((n, n)) < reciprocal) & matrix.T
    np.fill_diagonal(matrix, False)
    return from_matrix(matrix, **columns)


def to_networkx(connectome) -> nx.DiGraph:
    """Return a networkx graph."""
    return nx.from_scipy_sparse_array(
        connectome.adjacency.astype(int), create_using=nx.DiGraph, edge_attribute="w"
    )
