"""Block densities and modularity: by hand and against networkx."""

import networkx as nx
import numpy as np
import pytest
from nmc.connectome.degrees import compute_block_densities, compute_modularity
from small_graphs import from_edges, random_graph, to_networkx


def test_densities_by_hand():
    graph = from_edges(3, [(0, 1), (0, 2), (1, 2)], layer=["L1", "L1", "L4"])
    table = compute_block_densities(graph).set_index(["pre", "post"])
    assert table["pairs"].to_dict() == {
        ("L1", "L1"): 2, ("L1", "L4"): 2, ("L4", "L1"): 2, ("L4", "L4"): 0
    }  # fmt: skip
    assert table.loc[("L1", "L1"), "density"] == 0.5
    assert table.loc[("L1", "L4"), "density"] == 1
    assert table.loc[("L4", "L1"), "density"] == 0
    assert np.isnan(table.loc[("L4", "L4"), "density"])


def test_modularity_by_hand():
    # Four connections, three of them within {0, 1} or {2, 3}; out- and in-degrees by group 3, 1
    # and 2, 2: Q = 3/4 − (3·2 + 1·2)/16.
    graph = from_edges(4, [(0, 1), (1, 0), (1, 2), (2, 3)], layer=["L1", "L1", "L4", "L4"])
    assert compute_modularity(graph) == pytest.approx(3 / 4 - 8 / 16)


@pytest.mark.parametrize("seed", range(3))
def test_densities_agree_with_networkx(seed):
    layers = np.array(["L1", "L4", "L5"])[np.random.default_rng(seed).integers(0, 3, 40)]
    graph = random_graph(40, 0.2, seed, layer=layers)
    peer = to_networkx(graph)
    nx.set_node_attributes(peer, dict(enumerate(layers.tolist())), "layer")
    place = {layer: i for i, layer in enumerate(np.unique(layers))}
    mixing = nx.attribute_mixing_matrix(peer, "layer", mapping=place, normalized=False)
    for row in compute_block_densities(graph).itertuples():
        pairs = (layers == row.pre).sum() * ((layers == row.post).sum() - (row.pre == row.post))
        assert row.connections == mixing[place[row.pre], place[row.post]]
        assert row.density == pytest.approx(row.connections / pairs)


@pytest.mark.parametrize("seed", range(3))
def test_modularity_agrees_with_networkx(seed):
    layers = np.array(["L1", "L4", "L5"])[np.random.default_rng(seed).integers(0, 3, 40)]
    graph = random_graph(40, 0.2, seed, layer=layers)
    parts = [set(np.flatnonzero(layers == x)) for x in np.unique(layers)]
    expected = nx.community.modularity(to_networkx(graph), parts, weight=None)
    assert compute_modularity(graph) == pytest.approx(expected)


def test_no_connections():
    assert np.isnan(compute_modularity(from_edges(3, [])))
