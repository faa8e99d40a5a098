"""Simplices and neighbourhoods, against *connectome-analysis*, the field's own toolbox."""

import numpy as np
import pytest
from nmc.connectome import simplices
from nmc.connectome.cliques import count_simplices
from nmc.connectome.paths import compute_components
from nmc.connectome.simplices import compute_participation
from scipy import sparse
from small_graphs import random_graph

pytest.importorskip("connalysis", reason="connectome-analysis is in the peers extra")
from connalysis.network import classic, local, topology  # noqa: E402

GRAPHS = {
    "sparse": random_graph(200, 0.03, 11, reciprocal=0.1),
    "dense": random_graph(90, 0.2, 12, reciprocal=0.4),
}


@pytest.fixture(params=GRAPHS)
def both(request):
    graph = GRAPHS[request.param]
    return graph, sparse.csr_matrix(graph.adjacency.astype(np.int8))


def test_counts_and_lists(both):
    graph, matrix = both
    counts = count_simplices(graph)
    assert topology.simplex_counts(matrix, threads=2).tolist() == counts.tolist()
    maximal = topology.simplex_counts(matrix, max_simplices=True, threads=2)
    assert maximal.tolist() == simplices.count_maximal_simplices(graph).tolist()
    for dimension, listed in topology.list_simplices_by_dimension(matrix).items():
        ours = simplices.list_simplices(graph, dimension)
        assert ours.tolist() == sorted(listed.tolist())


def test_participation(both):
    graph, matrix = both
    neurons = compute_participation(graph)
    theirs = topology.node_participation(matrix, threads=2)
    assert (neurons.to_numpy() == theirs.to_numpy()).all()
    edges = simplices.compute_edge_participation(graph)
    theirs = topology.edge_participation(matrix, threads=2)
    order = [tuple(pair) for pair in edges.index]
    assert (edges.to_numpy() == theirs.loc[order, edges.columns].to_numpy()).all()


def test_degrees_within_simplices(both):
    graph, matrix = both
    ours, theirs = simplices.compute_simplex_degrees(graph), topology.node_k_degree(matrix)
    for dimension in ours["out"].columns[2:]:
        for end in ("out", "in"):
            column = theirs[f"{dimension - 1}_{end}_degree"]
            assert ours[end, dimension].tolist() == column.tolist()


def test_neighbourhoods(both):
    graph, matrix = both
    table = simplices.compute_neighbourhoods(graph, 3)
    found = local.property_at_neighborhoods(
        matrix, topology.simplex_counts, include_center=False, threads=1
    )
    columns = ["size", "connections", "simplices_2", "simplices_3"]
    for v, counts in found.items():
        expected = counts.reindex(range(4), fill_value=0).tolist()
        assert table.loc[v, columns].tolist() == expected


def test_strong_components(both):
    graph, matrix = both
    sizes = classic.connected_components(matrix, connection="strong")
    assert sorted(compute_components(graph)["strong"].value_counts()) == sorted(sizes)
