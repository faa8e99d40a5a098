"""Small worlds: a ring with shortcuts is one, a random graph is none."""

import numpy as np
import pytest
from nmc.connectome.smallworld import compute_small_world
from small_graphs import from_edges, random_graph


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


def test_a_seed_stands_for_its_generator():
    graph = random_graph(40, 0.2, 1)
    one = compute_small_world(graph, rng=6)
    assert one.equals(compute_small_world(graph, rng=np.random.default_rng(6)))


def test_wrong_number_is_refused():
    with pytest.raises(ValueError, match="1 or more"):
        compute_small_world(random_graph(9, 0.3, 0), rng=np.random.default_rng(0), n_random=0)
