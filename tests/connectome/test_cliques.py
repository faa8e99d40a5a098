"""Directed simplices: by hand, by brute force, against the triad census and the real extracts."""

from itertools import combinations, permutations, product
from math import comb
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from nmc.connectome import cliques, kernels
from nmc.connectome.cliques import (
    compute_euler_characteristic,
    count_simplices,
)
from nmc.connectome.motifs import count_triads
from nmc.connectome.simplices import compute_participation
from nmc.errors import ConnectomeError
from numba import njit
from scipy import sparse
from small_graphs import from_edges, from_matrix, random_graph


def brute_force(graph):
    """Try every ordered tuple; return counts, and participation by neuron."""
    matrix = graph.adjacency.toarray()
    n = len(matrix)
    counts, part = [n], [np.ones(n, int)]
    for size in range(2, n + 1):
        found = [
            t
            for members in combinations(range(n), size)
            for t in permutations(members)
            if all(matrix[a, b] for a, b in combinations(t, 2))
        ]
        if not found:
            break
        counts.append(len(found))
        part.append(np.bincount(np.ravel(found), minlength=n))
    return counts, np.array(part).T


def by_sets(graph):
    """Extend simplices by common targets, as Python sets; return counts and participation."""
    targets = [set(row.tolist()) for row in np.split(
        graph.adjacency.indices, graph.adjacency.indptr[1:-1])]  # fmt: skip
    part = np.zeros((len(targets), len(targets) + 1), int)

    def extend(members, candidates):
        part[members, len(members) - 1] += 1
        for a in candidates:
            extend([*members, a], candidates & targets[a])

    for v, common in enumerate(targets):
        extend([v], common)
    dimensions = int(part.any(axis=0).sum())
    return (part.sum(axis=0)[:dimensions] // np.arange(1, dimensions + 1)), part[:, :dimensions]


def test_a_transitive_tournament_by_hand():
    # i→j for all i < j among 5: every subset is one simplex.
    graph = from_matrix(np.triu(np.ones((5, 5)), 1))
    counts = count_simplices(graph)
    assert counts.tolist() == [5, 10, 10, 5, 1]
    assert compute_euler_characteristic(counts) == 1
    assert compute_participation(graph).loc[2].tolist() == [1, 4, 6, 4, 1]


@pytest.mark.parametrize("layers, size", [(4, 32), (4, 33), (5, 33), (6, 12)])
def test_layers_that_contact_all_later_ones(layers, size):
    """Up to 64 candidates are one word of bits, where there are more others: 64, 66, 99 and 48."""
    layer = np.repeat(np.arange(layers), size)
    counts = count_simplices(from_matrix(layer[:, None] < layer))
    assert counts.tolist() == [comb(layers, k) * size**k for k in range(1, layers + 1)]


def test_bits_moved_together():
    here = njit(lambda word, mask: kernels.extract(word, mask))
    rng = np.random.default_rng(1)
    words = [0, 1, 2**63, 2**64 - 1, *map(int, rng.integers(0, 2**64, 20, np.uint64))]
    for word, mask in product(words, words):
        digits = [d for d, m in zip(f"{word:064b}", f"{mask:064b}", strict=True) if m == "1"]
        for way in (kernels._extract, here):
            assert way(np.uint64(word), np.uint64(mask)) == int("".join(digits) or "0", 2)


def test_reciprocal_pairs_give_a_simplex_in_each_order():
    assert count_simplices(from_matrix(1 - np.eye(3))).tolist() == [3, 6, 6]
    assert count_simplices(from_matrix(1 - np.eye(4))).tolist() == [4, 12, 24, 24]


def test_a_cycle_is_no_simplex():
    assert count_simplices(from_edges(3, [(0, 1), (1, 2), (2, 0)])).tolist() == [3, 3]


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_brute_force(seed):
    graph = random_graph(7, (0.2, 0.4, 0.6)[seed % 3], seed, reciprocal=0.3)
    counts, part = brute_force(graph)
    assert count_simplices(graph).tolist() == counts
    assert np.array_equal(compute_participation(graph), part)


@pytest.mark.parametrize("n, p", [(150, 0.15), (90, 0.2), (8, 0.9)])
def test_agrees_with_sets(n, p):
    # More than 64 targets a neuron, cliques of up to a dozen.
    graph = random_graph(n, p, 8, reciprocal=0.3)
    counts, part = by_sets(graph)
    assert count_simplices(graph).tolist() == counts.tolist()
    assert np.array_equal(compute_participation(graph), part)


def test_more_neurons_than_sixteen_bits_can_number():
    few = random_graph(50, 0.3, 3, reciprocal=0.3)
    n, spread = 70_000, 1_399
    pre = np.repeat(np.arange(50), np.diff(few.adjacency.indptr)) * spread
    pairs = (pre, few.adjacency.indices * spread)
    adjacency = sparse.csr_array((np.ones(pre.size, bool), pairs), shape=(n, n))
    many = SimpleNamespace(neurons=pd.DataFrame(index=range(n)), adjacency=adjacency)
    assert count_simplices(many).tolist() == [n, *count_simplices(few)[1:]]
    part = compute_participation(many).to_numpy()
    assert np.array_equal(part[np.arange(50) * spread], compute_participation(few))
    assert part.sum() - part[np.arange(50) * spread].sum() == n - 50


def test_one_neuron_contacts_all_others_and_nobody_else_anybody():
    star = from_edges(3_000, [(0, k) for k in range(1, 3_000)])
    assert count_simplices(star).tolist() == [3_000, 2_999]
    assert compute_participation(star).sum().tolist() == [3_000, 2 * 2_999]


@pytest.mark.parametrize("n, p", [(200, 0.1), (60, 0.25)])
def test_two_simplices_follow_from_the_triads(n, p):
    graph = random_graph(n, p, 5, reciprocal=0.2)
    triads = count_triads(graph)
    expected = triads["030T"] + triads["120C"] + 2 * (triads["120U"] + triads["120D"])
    expected += 3 * triads["210"] + 6 * triads["300"]
    counts = count_simplices(graph)
    assert counts[2] == expected
    sums = compute_participation(graph).sum()
    assert sums.tolist() == [(k + 1) * c for k, c in counts.items()]


def test_what_is_no_series_of_counts_has_no_euler_characteristic():
    with pytest.raises(ConnectomeError, match="NoneType is no series of counts"):
        compute_euler_characteristic(None)


def test_nothing_connected():
    assert count_simplices(from_edges(3, [])).tolist() == [3]
    assert compute_participation(from_edges(3, [])).to_numpy().tolist() == [[1]] * 3
    assert count_simplices(from_edges(1, [])).tolist() == [1]
    assert count_simplices(from_edges(0, [])).tolist() == [0]
    assert compute_participation(from_edges(0, [])).shape == (0, 1)


@pytest.mark.real
@pytest.mark.parametrize(
    "mtype, counts, euler",
    [
        ("L5_TTPC2", [2003, 102732, 319940, 91073, 2964, 6], 131096),
        ("L6_LBC", [463, 1480, 190, 1], -828),
    ],
)
def test_counts_of_the_real_extracts(mirror, mtype, counts, euler):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    found = count_simplices(connectome)
    assert found.tolist() == counts
    assert compute_euler_characteristic(found) == euler
    sums = compute_participation(connectome).sum()
    assert sums.tolist() == [(k + 1) * c for k, c in enumerate(counts)]


@pytest.mark.parametrize("n, p, most", [(90, 0.2, 0), (90, 0.2, 15), (150, 0.15, 40)])
def test_neurons_of_many_targets_are_walked_without_bits(n, p, most, monkeypatch):
    graph = random_graph(n, p, 8, reciprocal=0.3)
    counts, part = by_sets(graph)
    monkeypatch.setattr(cliques, "MOST_BY_BITS", most)
    assert count_simplices(graph).tolist() == counts.tolist()
    assert np.array_equal(compute_participation(graph), part)
