"""Block densities and modularity: by hand, and against networkx."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from nmc import names
from nmc.connectome.blocks import compute_block_density, compute_modularity
from nmc.connectome.graph import Connectome, Coverage, canonical, make_neurons
from test_nulls import connectomes


@pytest.fixture
def by_hand():
    """Two cells a, b of L1_DAC, two c, d of L23_PC; a→b, b→a, a→c, a→d, b→d, d→a."""
    graph = np.zeros((4, 4), bool)
    for pre, post in ((0, 1), (1, 0), (0, 2), (0, 3), (1, 3), (3, 0)):
        graph[pre, post] = True
    codes = [names.MTYPES.index(m) for m in ("L1_DAC", "L1_DAC", "L23_PC", "L23_PC")]
    neurons = make_neurons(codes, np.zeros((4, 3)))
    return Connectome(neurons, canonical(graph), Coverage(("L1_DAC", "L23_PC")))


def test_blocks_by_hand(by_hand):
    by_layer = compute_block_density(by_hand)
    assert by_layer.loc["L1", "L23"] == 0.75 and by_layer.loc["L23", "L1"] == 0.25
    assert by_layer.loc["L1", "L1"] == 1.0 and by_layer.loc["L23", "L23"] == 0.0
    assert compute_block_density(by_hand, "excitatory").loc[False, True] == 0.75


def test_modularity_by_hand(by_hand):
    # within: 2 of 6; out of L1: 5, into L1: 3; out of L23: 1, into L23: 3
    assert compute_modularity(by_hand) == pytest.approx(2 / 6 - (5 * 3 + 1 * 3) / 36)


@settings(max_examples=30, deadline=None)
@given(connectomes)
def test_modularity_against_networkx(connectome):
    value = compute_modularity(connectome, "mtype")
    if not connectome.n_connections:
        assert np.isnan(value)
        return
    graph = nx.from_scipy_sparse_array(connectome.adjacency.astype(int), create_using=nx.DiGraph)
    groups = [set(g.index) for _, g in connectome.neurons.groupby("mtype", observed=True)]
    assert value == pytest.approx(nx.community.modularity(graph, groups), abs=1e-12)
