"""What lies in simplices, against every tuple of neurons tried, and networkx."""

from functools import cache
from itertools import combinations, permutations
from math import comb

import networkx as nx
import numpy as np
import pytest
from nmc.connectome import simplices
from nmc.connectome.cliques import count_simplices
from nmc.connectome.kernels import walks
from nmc.connectome.simplices import compute_participation
from nmc.errors import ConnectomeError
from numba import njit
from small_graphs import from_edges, from_matrix, random_graph

GRAPHS = {
    "sparse": random_graph(16, 0.2, 1),
    "dense": random_graph(11, 0.55, 2, reciprocal=0.3),
    "reciprocal": random_graph(7, 0.4, 3, reciprocal=0.9),
    "full": from_matrix(~np.eye(5, dtype=bool)),
    "alone": from_edges(4, [(0, 1)]),
    "nobody": from_matrix(np.zeros((3, 3))),
}


@cache
def tuples(graph):
    """Every tuple of neurons in which each contacts all later ones, by dimension."""
    matrix, n = graph.adjacency.toarray(), graph.adjacency.shape[0]
    found = []
    for size in range(1, n + 1):
        there = [
            one
            for some in combinations(range(n), size)
            for one in permutations(some)
            if all(matrix[a, b] for a, b in combinations(one, 2))
        ]
        if not there:
            break
        found.append(there)
    return found


def within(small, large):
    """Whether the tuple `small` is `large` with some neurons left out."""
    rest = iter(large)
    return all(one in rest for one in small)


@pytest.fixture(params=GRAPHS)
def graph(request):
    return GRAPHS[request.param]


def test_lists(graph):
    for dimension, there in enumerate(tuples(graph)):
        listed = simplices.list_simplices(graph, dimension)
        assert listed.tolist() == sorted(map(list, there))
    assert simplices.list_simplices(graph, len(tuples(graph))).shape == (0, len(tuples(graph)) + 1)


def test_maximal(graph):
    expected = [
        sum(not any(within(one, larger) for larger in above) for one in there)
        for there, above in zip(tuples(graph), [*tuples(graph)[1:], []], strict=True)
    ]
    assert simplices.count_maximal_simplices(graph).tolist() == expected


def test_ends(graph):
    table = simplices.compute_simplex_degrees(graph)
    for dimension, there in enumerate(tuples(graph)):
        for end, place in (("out", 0), ("in", -1)):
            counts = np.bincount([one[place] for one in there], minlength=len(graph.neurons))
            assert table[end, dimension].tolist() == counts.tolist()


def test_edges_and_the_reciprocal_ones(graph):
    table = simplices.compute_edge_participation(graph)
    matrix = graph.adjacency.toarray()
    assert list(table.index) == [tuple(map(int, pair)) for pair in np.argwhere(matrix)]
    shares = simplices.count_reciprocal_in_simplices(graph)
    for dimension, there in list(enumerate(tuples(graph)))[1:]:
        sides = [pair for one in there for pair in combinations(one, 2)]
        assert table[dimension].tolist() == [sides.count(pair) for pair in table.index]
        row = shares.loc[dimension]
        back = [pair for pair in sides if matrix[pair[::-1]]]
        assert (row["sides"], row["sides_reciprocal"]) == (len(sides), len(back))
        assert (row["connections"], row["reciprocal"]) == (len(set(sides)), len(set(back)))
        assert row["reciprocity"] == len(set(back)) / len(set(sides))


def test_neighbourhoods(graph):
    peer = nx.from_numpy_array(graph.adjacency.toarray().astype(int), create_using=nx.DiGraph)
    table = simplices.compute_neighbourhoods(graph, 4)
    for v, row in table.iterrows():
        partners = set(nx.all_neighbors(peer, v))
        there = [[one for one in some if set(one) <= partners] for some in tuples(graph)]
        counts = [len(some) for some in there] + [0] * 5
        assert row["size"] == counts[0] == len(partners) and row["connections"] == counts[1]
        assert [row[f"simplices_{k}"] for k in (2, 3, 4)] == counts[2:5]
        if len(partners) > 1:
            assert row["density"] == nx.density(peer.subgraph(partners))
        else:
            assert np.isnan(row["density"])


def test_larger_graphs_by_the_lists_of_their_simplices():
    """With hubs, whose targets fill more than a word of bits, and those of three together, too."""
    matrix = random_graph(150, 0.06, 7, reciprocal=0.3).adjacency.toarray()
    matrix[:3] = matrix[50:100, 1] = True
    np.fill_diagonal(matrix, False)
    graph = from_matrix(matrix)
    counts, edges = count_simplices(graph), simplices.compute_edge_participation(graph)
    degrees = simplices.compute_simplex_degrees(graph)
    maximal, of_neurons = simplices.count_maximal_simplices(graph), compute_participation(graph)
    assert len(counts) > 6 and counts.max() > 10_000
    inside: set[tuple] = set()
    for k in reversed(counts.index):
        listed = simplices.list_simplices(graph, k)
        assert counts[k] == len(listed)
        assert maximal[k] == len(set(map(tuple, listed.tolist())) - inside)
        inside = {
            tuple(face) for i in range(k + 1) for face in np.delete(listed, i, axis=1).tolist()
        }
        assert (of_neurons[k] == np.bincount(listed.ravel(), minlength=150)).all()
        for end, at in (("out", 0), ("in", -1)):
            assert (degrees[end, k] == np.bincount(listed[:, at], minlength=150)).all()
        if k:
            assert (edges[k] == sides_of(listed, matrix)).all()


def sides_of(listed, matrix):
    """In how many of the simplices each connection is, in the order of the matrix."""
    table = np.zeros(matrix.shape, np.int64)
    for i, j in combinations(range(listed.shape[1]), 2):
        np.add.at(table, (listed[:, i], listed[:, j]), 1)
    return table[matrix]


@pytest.mark.parametrize(
    ("size", "first"), [(62, 3), (63, 3), (64, 3), (65, 3), (130, 1), (130, 5)]
)
def test_sides_where_so_many_follow_the_first_neurons(size, first, monkeypatch):
    """About as many as a word has bits; in 32 bits, and in 64 where a count may not fit these."""
    matrix = np.zeros((size + first, size + first), bool)
    among = random_graph(size, 10 / size, size, reciprocal=0.3)
    matrix[first:, first:] = among.adjacency.toarray()
    for source in range(first):
        matrix[source, source + 1 :] = True
    graph = from_matrix(matrix)
    edges = simplices.compute_edge_participation(graph)
    for k in edges:
        listed = simplices.list_simplices(graph, k)
        assert len(listed) and (edges[k] == sides_of(listed, matrix)).all()
    monkeypatch.setattr(simplices, "MOST_IN_32_BITS", 1000)
    again = simplices.compute_edge_participation(graph)
    assert (edges.dtypes == np.int32).all() and (again.dtypes == np.int64).all()
    assert (again == edges).all(axis=None)


def test_sides_of_one_large_simplex():
    """Of 20 neurons in order, any k - 1 of the other 18 make a simplex with a connection."""
    edges = simplices.compute_edge_participation(from_matrix(np.triu(np.ones((20, 20)), 1)))
    assert list(edges) == list(range(1, 20)) and len(edges) == 190
    assert all((edges[k] == comb(18, k - 1)).all() for k in edges)


def test_a_list_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(simplices, "MOST_LISTED", 1000)
    with pytest.raises(ConnectomeError, match="list those of a part"):
        simplices.list_simplices(random_graph(30, 0.5, 1), 2)


@pytest.mark.parametrize(
    "measure",
    [
        simplices.count_maximal_simplices,
        simplices.compute_edge_participation,
        simplices.compute_participation,
    ],
)
def test_a_neuron_of_too_many_targets_is_refused(measure, monkeypatch):
    monkeypatch.setattr(simplices, "MOST_OF_ONE", 5000)
    graph = random_graph(300, 0.02, 1)
    measure(graph)
    matrix = graph.adjacency.tolil()
    matrix[0, 1:] = True
    with pytest.raises(ConnectomeError, match="A neuron has 299 targets, and which of them"):
        measure(graph.with_adjacency(matrix.tocsr(), "with a hub"))


def test_sets_are_narrowed_alike_eight_at_once_and_one_by_one():
    here = njit(lambda *given: walks.narrow(*given))
    rng = np.random.default_rng(1)
    for word, bit in rng.integers(0, 2**64, (20, 2), np.uint64):
        given = rng.integers(0, 2**64, 8, np.uint64) & rng.integers(0, 2**64, 8, np.uint64)
        for mask, one in ((word, bit), (np.uint64(2**63), np.uint64(1)), (word, np.uint64(4))):
            kept = [int(s & mask) for s in given if s & mask and s & one]
            for way in (walks._narrow, here):
                sets = np.concatenate([given, np.zeros(9, np.uint64)])
                count = way(sets, np.uint64(0), mask, one, np.uint64(8))
                assert count == len(kept) and sets[8 : 8 + len(kept)].tolist() == kept
