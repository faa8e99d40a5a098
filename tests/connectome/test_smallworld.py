"""Small worlds: a ring with shortcuts is one, a random graph is none."""

import networkx as nx
import numpy as np
import pytest
from nmc.connectome.paths import compute_small_world
from small_graphs import from_edges, from_matrix, random_graph, to_networkx


def ring(n, reach, rewired, seed):
    """Watts and Strogatz's ring, directed."""
    rng = np.random.default_rng(seed)
    edges = [(i, (i + s) % n) for i in range(n) for s in range(1, reach + 1)]
    edges = [(i, int(rng.integers(n)) if rng.random() < rewired else j) for i, j in edges]
    return from_edges(n, [(i, j) for i, j in edges if i != j])


def test_ring_with_shortcuts_is_a_small_world():
    index = compute_small_world(ring(300, 6, 0.1, 0), rng=np.random.default_rng(1))
    assert index["clustering_ratio"] > 5
    assert 1 < index["path_length_ratio"] < 2
    assert index["small_world_index"] == pytest.approx(
        index["clustering_ratio"] / index["path_length_ratio"]
    )
    assert index["small_world_index"] > 3


def test_random_graph_is_none():
    graph = random_graph(400, 0.03, 2)
    index = compute_small_world(graph, rng=np.random.default_rng(3))
    assert index["small_world_index"] == pytest.approx(1, abs=0.1)
    # Directed clustering of a random graph is its density.
    assert index["clustering_random"] == pytest.approx(0.03, rel=0.1)


def test_a_complete_network_by_hand():
    """There is but one graph with all connections: the random ones are the same."""
    index = compute_small_world(from_matrix(1 - np.eye(5)), rng=0)
    assert index["clustering"] == index["clustering_random"] == 1
    assert index["path_length"] == index["path_length_random"] == 1
    assert index["small_world_index"] == 1 and index["clustering_random_std"] == 0


def test_agrees_with_networkx():
    graph = ring(60, 4, 0.1, 5)
    peer = to_networkx(graph)
    index = compute_small_world(graph, rng=2, n_random=1)
    assert index["clustering"] == pytest.approx(nx.average_clustering(peer))
    lengths = dict(nx.all_pairs_shortest_path_length(peer))
    finite = [d for found in lengths.values() for d in found.values() if d]
    assert index["path_length"] == pytest.approx(np.mean(finite))


def test_a_seed_stands_for_its_generator():
    graph = random_graph(40, 0.2, 1)
    one = compute_small_world(graph, rng=6)
    assert one.equals(compute_small_world(graph, rng=np.random.default_rng(6)))


def test_wrong_number_is_refused():
    with pytest.raises(ValueError, match="n_random: 0 is below 1"):
        compute_small_world(random_graph(9, 0.3, 0), rng=np.random.default_rng(0), n_random=0)
