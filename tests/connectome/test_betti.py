"""Betti numbers: by hand, by dense elimination, against pyflagser and the real extracts."""

from itertools import combinations, permutations

import networkx as nx
import numpy as np
import pytest
from nmc.connectome.cliques import (
    compute_betti_numbers,
    compute_euler_characteristic,
    count_simplices,
)
from small_graphs import from_edges, from_matrix, random_graph, to_networkx


def dense_rank(matrix):
    """Gaussian elimination over two elements."""
    matrix, rank = matrix.copy(), 0
    for column in range(matrix.shape[1]):
        rows = np.flatnonzero(matrix[rank:, column]) + rank
        if rows.size:
            matrix[[rank, rows[0]]] = matrix[[rows[0], rank]]
            below = np.flatnonzero(matrix[:, column])
            matrix[below[below != rank]] ^= matrix[rank]
            rank += 1
    return rank


def brute_force(graph):
    matrix = graph.adjacency.toarray()
    levels = [[(v,) for v in range(len(matrix))]]
    while levels[-1]:
        size = len(levels[-1][0]) + 1
        levels.append(
            [
                t
                for members in combinations(range(len(matrix)), size)
                for t in permutations(members)
                if all(matrix[a, b] for a, b in combinations(t, 2))
            ]
        )
    levels.pop()
    ranks = [0]
    for low, high in zip(levels, levels[1:], strict=False):
        place = {t: i for i, t in enumerate(low)}
        boundary = np.zeros((len(low), len(high)), bool)
        for column, t in enumerate(high):
            for skip in range(len(t)):
                boundary[place[t[:skip] + t[skip + 1 :]], column] = True
        ranks.append(dense_rank(boundary))
    ranks.append(0)
    return [len(s) - ranks[k] - ranks[k + 1] for k, s in enumerate(levels)]


def test_by_hand():
    # A cycle of three encloses a loop, a transitive triangle is filled.
    assert compute_betti_numbers(from_edges(3, [(0, 1), (1, 2), (2, 0)])).tolist() == [1, 1]
    assert compute_betti_numbers(from_edges(3, [(0, 1), (1, 2), (0, 2)])).tolist() == [1, 0, 0]
    # The two connections of a reciprocal pair enclose a loop.
    assert compute_betti_numbers(from_edges(2, [(0, 1), (1, 0)])).tolist() == [1, 1]
    assert compute_betti_numbers(from_edges(4, [(0, 1)])).tolist() == [3, 0]
    assert compute_betti_numbers(from_edges(3, [])).tolist() == [3]


def test_an_octahedron_is_a_hollow_sphere():
    # Three pairs of poles, each neuron connected to all but its opposite, in one order.
    edges = [(a, b) for a in range(6) for b in range(a + 1, 6) if a // 2 != b // 2]
    assert compute_betti_numbers(from_edges(6, edges)).tolist() == [1, 0, 1]


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_dense_elimination(seed):
    graph = random_graph(8, (0.25, 0.4, 0.55)[seed % 3], seed, reciprocal=0.3)
    assert compute_betti_numbers(graph).tolist() == brute_force(graph)


@pytest.mark.parametrize("n, p", [(60, 0.1), (40, 0.2), (16, 0.4)])
def test_gives_the_euler_characteristic_of_the_counts(n, p):
    graph = random_graph(n, p, 1, reciprocal=0.2)
    betti = compute_betti_numbers(graph)
    assert (betti >= 0).all()
    counts = count_simplices(graph)
    assert compute_euler_characteristic(betti) == compute_euler_characteristic(counts)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_pyflagser(seed):
    pyflagser = pytest.importorskip("pyflagser", reason="the peers extra is not installed")
    graph = random_graph(40, 0.2, seed, reciprocal=0.2)
    matrix = graph.adjacency.toarray()
    expected = pyflagser.flagser_unweighted(matrix, directed=True)
    assert compute_betti_numbers(graph).tolist() == list(expected["betti"])
    assert count_simplices(graph).tolist() == list(expected["cell_count"])


def test_simplices_of_an_ordered_graph_are_the_cliques_networkx_finds():
    """Where all connections go one way every undirected clique is one directed simplex."""
    graph = from_matrix(np.triu(random_graph(45, 0.35, 2).adjacency.toarray()))
    cliques = nx.enumerate_all_cliques(to_networkx(graph).to_undirected())
    sizes = np.bincount([len(c) for c in cliques])
    assert count_simplices(graph).tolist() == sizes[1:].tolist()


def test_complete_graph():
    assert compute_betti_numbers(from_matrix(1 - np.eye(4))).tolist() == [1, 0, 0, 9]


@pytest.mark.real
@pytest.mark.parametrize(
    "mtype, betti", [("L5_TTPC2", [1, 733, 132368, 541, 1, 0]), ("L6_LBC", [13, 841, 0, 0])]
)
def test_betti_numbers_of_the_real_extracts(mirror, mtype, betti):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    assert compute_betti_numbers(connectome).tolist() == betti


@pytest.mark.parametrize(
    "edges, betti",
    [
        ([(0, 1), (1, 2), (0, 2)], [1, 0, 0]),  # in order: filled
        ([(0, 1), (1, 2), (2, 0)], [1, 1]),  # a ring: a hole
        ([(a, b) for b in range(4) for a in range(b)], [1, 0, 0, 0]),  # a tetrahedron
        # Two that do not contact each other around a reciprocal pair: four triangles, a hollow.
        ([(0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 2)], [1, 0, 1]),
    ],
)
def test_what_is_filled_and_what_stays_empty(edges, betti):
    assert compute_betti_numbers(from_edges(max(max(edges)) + 1, edges)).tolist() == betti
