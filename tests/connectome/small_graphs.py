"""Small graphs for the tests of the measures, and networkx graphs of them."""

from __future__ import annotations

from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse


def from_matrix(matrix, **columns):
    """Make what a measure needs of a Connectome from a 0/1 matrix and neuron columns."""
    adjacency = sparse.csr_array(np.asarray(matrix, bool))
    n = adjacency.shape[0]
    neurons = pd.DataFrame({"mtype": ["L1_DAC"] * n, "layer": "L1", "excitatory": False} | columns)
    for axis in ("x_um", "y_um", "z_um"):
        if axis not in neurons:
            neurons[axis] = 0.0
    return SimpleNamespace(neurons=neurons, adjacency=adjacency)


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
