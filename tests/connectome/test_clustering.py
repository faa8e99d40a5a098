"""Clustering: by hand, against networkx, against the values of the real extracts."""

import networkx as nx
import numpy as np
import pytest
from nmc.connectome.motifs import compute_clustering
from small_graphs import from_edges, from_matrix, random_graph, to_networkx


def test_feed_forward_triangle_with_a_tail_by_hand():
    # Triangle 0, 1, 2 and a tail 2→3: neuron 2 has three partners, one pair of them connected.
    table = compute_clustering(from_edges(4, [(0, 1), (1, 2), (0, 2), (2, 3)]))
    assert table["triangles"].tolist() == [1, 1, 1, 0]
    assert table["undirected"].tolist() == pytest.approx([1, 1, 1 / 3, 0])
    # Fagiolo: one of 2·(d(d−1) − 2m)/2 directed triangles: 1/2, 1/2, 1/6.
    assert table["directed"].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 6, 0])


def test_complete_graph_is_all_ones():
    table = compute_clustering(from_matrix(1 - np.eye(4)))
    assert table["directed"].tolist() == [1.0] * 4
    assert table["undirected"].tolist() == [1.0] * 4


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_networkx(seed):
    graph = random_graph(70, (0.03, 0.15, 0.5)[seed], seed, reciprocal=0.3)
    peer = to_networkx(graph)
    table = compute_clustering(graph)
    directed, undirected = nx.clustering(peer), nx.clustering(peer.to_undirected())
    assert np.allclose(table["directed"], [directed[i] for i in range(70)])
    assert np.allclose(table["undirected"], [undirected[i] for i in range(70)])


def test_nothing_to_cluster():
    assert compute_clustering(from_edges(0, [])).empty


@pytest.mark.real
def test_values_of_the_real_extracts(mirror):
    from nmc import load_connectome

    connectome = load_connectome(mirror / "derived/cons_locs_L5_TTPC2_of_mc2.h5")
    table = compute_clustering(connectome)
    # Computed with networkx from the same wiring (netsci's copy), four decimals.
    assert table["undirected"].mean() == pytest.approx(0.0909, abs=5e-5)
    assert table["directed"].mean() == pytest.approx(0.0469, abs=5e-5)
    connectome = load_connectome(mirror / "derived/cons_locs_L6_LBC_of_mc2.h5")
    assert compute_clustering(connectome)["undirected"].mean() == pytest.approx(0.0512, abs=5e-5)
