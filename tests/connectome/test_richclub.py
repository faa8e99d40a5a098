"""Rich club and hubs: by hand and against networkx."""

import networkx as nx
import numpy as np
import pytest
from nmc.connectome.arrays import graph_of
from nmc.connectome.degrees import compute_hubs, compute_rich_club
from nmc.connectome.kernels.pairs import curveball
from nmc.errors import NMCError
from scipy import sparse
from small_graphs import from_edges, from_matrix, random_graph, to_networkx


def same_degrees(graph, seed):
    indptr, indices = curveball(*graph_of(graph), 30, seed)
    matrix = sparse.csr_array((np.ones(indices.size), indices, indptr), graph.adjacency.shape)
    return from_matrix(matrix.toarray())


def test_by_hand():
    # Degrees 3, 3, 2, 1, 1: 0→1, 1→0, 0→2, 1→2... and a tail.
    graph = from_edges(5, [(0, 1), (0, 2), (1, 2), (0, 3), (4, 1)])
    table = compute_rich_club(graph)
    assert table["degree"].tolist() == [0, 1, 2]
    assert table["neurons"].tolist() == [5, 3, 2]
    assert table["connections"].tolist() == [5, 3, 1]
    assert table["density"].tolist() == [5 / 20, 3 / 6, 1 / 2]


def test_agrees_with_networkx_where_it_is_defined():
    # networkx knows the undirected curve: answer every connection, and halve.
    graph = random_graph(60, 0.1, 3, reciprocal=1.0)
    undirected = to_networkx(graph).to_undirected()
    expected = nx.rich_club_coefficient(undirected, normalized=False)
    table = compute_rich_club(graph).set_index("degree")["density"]
    for k, phi in expected.items():
        assert table[2 * k] == pytest.approx(phi)


@pytest.mark.parametrize("seed", range(3))
def test_directed_curve_and_hubs_agree_with_networkx(seed):
    """Of each subgraph that networkx makes of the neurons above a degree."""
    graph = random_graph(50, 0.12, seed, reciprocal=0.3)
    peer = to_networkx(graph)
    degree = dict(peer.degree())
    table = compute_rich_club(graph)
    assert len(table) == max(degree.values())
    for row in table.itertuples():
        club = peer.subgraph(i for i, d in degree.items() if d > row.degree)
        assert (row.neurons, row.connections) == (len(club), club.number_of_edges())
        if len(club) > 1:
            assert row.density == pytest.approx(nx.density(club))
    for kind, of in (("degree", peer.degree), ("in_degree", peer.in_degree)):
        least = sorted(dict(of()).values())[-5]
        hubs = compute_hubs(graph, 0.1, kind=kind)
        assert set(hubs.index) == {i for i, d in of() if d >= least}


def test_normalised_by_graphs_of_the_same_degrees():
    graph = random_graph(80, 0.1, 4)
    table = compute_rich_club(graph, (same_degrees(graph, s) for s in range(5)))
    assert table.loc[0, "null_std"] == 0 and table.loc[0, "normalised"] == 1
    assert (table["null_std"].dropna() >= 0).all()
    plain = compute_rich_club(graph)
    assert table[plain.columns].equals(plain)


def test_a_planted_club_is_found():
    rng = np.random.default_rng(0)
    matrix = rng.random((120, 120)) < 0.05
    matrix[:15, :] |= rng.random((15, 120)) < 0.15  # hubs
    matrix[:15, :15] = rng.random((15, 15)) < 0.9  # that stick together
    np.fill_diagonal(matrix, False)
    graph = from_matrix(matrix)
    table = compute_rich_club(graph, [same_degrees(graph, s) for s in range(5)])
    club = table[table["neurons"].between(8, 15)]
    assert (club["normalised"] > 1.5).all()


def test_a_null_of_other_degrees_is_refused():
    with pytest.raises(NMCError, match="same degrees"):
        compute_rich_club(random_graph(30, 0.2, 1), [random_graph(30, 0.2, 2)])


def test_hubs():
    graph = from_edges(5, [(0, 1), (0, 2), (1, 2), (0, 3), (4, 1)])
    assert compute_hubs(graph, 0.2).index.tolist() == [0, 1]  # both of degree 3
    assert compute_hubs(graph, 0.2, kind="out_degree").index.tolist() == [0]
    with pytest.raises(ValueError, match="share"):
        compute_hubs(graph, 0)
    with pytest.raises(ValueError, match="in_degree"):
        compute_hubs(graph, kind="weight")


def test_no_connections():
    assert compute_rich_club(from_edges(3, [])).empty
