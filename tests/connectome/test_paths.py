"""Shortest paths: by hand, against scipy, against the values of the real extracts."""

import numpy as np
import pytest
from nmc.connectome.paths import compute_path_lengths, summarise_paths
from nmc.errors import ConnectomeError
from scipy.sparse.csgraph import shortest_path
from small_graphs import from_edges, random_graph


def expected(graph, sources=slice(None)):
    distance = shortest_path(graph.adjacency.astype(float), unweighted=True)[sources]
    lengths, pairs = np.unique(distance[distance > 0], return_counts=True)
    return dict(zip(lengths, pairs.tolist(), strict=True))


def nonzero(table):
    return {k: v for k, v in zip(table["length"], table["pairs"], strict=True) if v}


def test_a_chain_by_hand():
    table = compute_path_lengths(from_edges(4, [(0, 1), (1, 2), (2, 3)]))
    assert table["length"].tolist() == [1, 2, 3, np.inf]
    assert table["pairs"].tolist() == [3, 2, 1, 6]
    assert table["share"].sum() == pytest.approx(1)
    summary = summarise_paths(table)
    assert summary["mean"] == pytest.approx(10 / 6)
    assert summary["reachable"] == pytest.approx(0.5)
    assert summary["longest"] == 3


@pytest.mark.parametrize("n, p", [(40, 0.05), (257, 0.01), (600, 0.02)])
def test_agrees_with_scipy(n, p):
    graph = random_graph(n, p, n)
    table = compute_path_lengths(graph)
    assert {k: v for k, v in zip(table["length"], table["pairs"], strict=True) if v} == expected(
        graph
    )


def test_from_some_sources():
    graph = random_graph(300, 0.02, 9)
    some = np.arange(300) % 7 == 0
    table = compute_path_lengths(graph, some)
    assert nonzero(table) == expected(graph, some)
    assert table["share"].sum() == pytest.approx(1)
    again = compute_path_lengths(graph, np.flatnonzero(some)[::-1])
    assert again.equals(table)


@pytest.mark.parametrize("sources", [[5], [-1], [0.5], [True], "a"])
def test_a_source_that_is_not_there(sources):
    with pytest.raises(ConnectomeError, match="indices from 0 to 1"):
        compute_path_lengths(from_edges(2, [(0, 1)]), sources)


def test_from_nobody():
    table = compute_path_lengths(from_edges(2, [(0, 1)]), [])
    assert table["pairs"].tolist() == [0]


def test_a_long_chain_has_its_full_length():
    table = compute_path_lengths(from_edges(700, [(i, i + 1) for i in range(699)]))
    assert summarise_paths(table)["longest"] == 699


def test_nothing_connected():
    summary = summarise_paths(compute_path_lengths(from_edges(3, [])))
    assert np.isnan(summary["mean"]) and summary["reachable"] == 0
    assert len(compute_path_lengths(from_edges(0, []))) == 1


@pytest.mark.real
@pytest.mark.parametrize(
    "mtype, mean, percent, longest", [("L5_TTPC2", 2.512, 97.7, 7), ("L6_LBC", 5.534, 59, 15)]
)
def test_values_of_the_real_extracts(mirror, mtype, mean, percent, longest):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    summary = summarise_paths(compute_path_lengths(connectome))
    assert summary["mean"] == pytest.approx(mean, abs=5e-4)
    assert 100 * summary["reachable"] == pytest.approx(percent, abs=0.5)
    assert summary["longest"] == longest
