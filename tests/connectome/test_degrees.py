"""Degrees, reciprocity, convergence: by hand, against networkx, against the fact sheets."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from nmc.connectome.degrees import (
    compute_convergence,
    compute_degrees,
    compute_pathway_reciprocity,
    compute_reciprocity,
)
from small_graphs import from_edges, random_graph, to_networkx

TWO = {"mtype": ["A", "A", "B", "B"]}
EDGES = [(0, 1), (1, 0), (0, 2), (1, 2), (3, 0)]


def test_degrees_by_hand():
    table = compute_degrees(from_edges(4, EDGES, **TWO))
    assert table["in_degree"].tolist() == [2, 1, 2, 0]
    assert table["out_degree"].tolist() == [2, 2, 0, 1]
    assert table["reciprocal"].tolist() == [1, 1, 0, 0]
    assert table["degree"].tolist() == [4, 3, 2, 1]


def test_reciprocity_by_hand():
    graph = from_edges(4, EDGES, **TWO)
    assert compute_reciprocity(graph) == pytest.approx(2 / 5)
    table = compute_pathway_reciprocity(graph).set_index(["pre", "post"])["reciprocity"]
    assert table.to_dict() == {("A", "A"): 1.0, ("A", "B"): 0.0, ("B", "A"): 0.0}


def test_convergence_by_hand():
    table = compute_convergence(from_edges(4, EDGES, **TWO)).set_index(["pre", "post"])
    # A→B: neuron 2 gets two inputs, neuron 3 none; neurons 0 and 1 give one each.
    assert table.loc[("A", "B"), "convergence_mean"] == 1
    assert table.loc[("A", "B"), "convergence_std"] == 1
    assert table.loc[("A", "B"), "divergence_mean"] == 1
    assert table.loc[("A", "B"), "divergence_std"] == 0
    # B→A: one connection, 3→0.
    assert table.loc[("B", "A"), "connections"] == 1
    assert table.loc[("B", "A"), "convergence_mean"] == 0.5
    assert table.loc[("B", "A"), "divergence_std"] == 0.5


def test_a_block_that_is_not_in_the_file_is_unknown_not_zero():
    graph = from_edges(4, EDGES, **TWO)
    graph = replace(graph, coverage=replace(graph.coverage, missing_blocks=(("B", "B"),)))
    table = compute_convergence(graph).set_index(["pre", "post"])
    assert table.loc[("B", "B"), "connections"] is pd.NA
    assert np.isnan(table.loc[("B", "B"), "divergence_mean"])
    assert table.loc[("A", "B"), "convergence_mean"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_networkx(seed):
    graph = random_graph(50, 0.15, seed, reciprocal=0.4)
    peer = to_networkx(graph)
    table = compute_degrees(graph)
    assert table["in_degree"].tolist() == [d for _, d in peer.in_degree()]
    assert table["out_degree"].tolist() == [d for _, d in peer.out_degree()]
    assert compute_reciprocity(graph) == pytest.approx(nx.overall_reciprocity(peer))


@pytest.mark.parametrize("seed", range(3))
def test_pathways_agree_with_networkx(seed):
    """Inputs from a type, outputs to a type, reciprocal connections: all from its edge lists."""
    kinds = np.array(list("ABC"))[np.random.default_rng(seed).integers(0, 3, 40)]
    graph = random_graph(40, 0.2, seed, reciprocal=0.3, mtype=kinds)
    peer = to_networkx(graph)
    table = compute_convergence(graph).set_index(["pre", "post"])
    reciprocal = compute_pathway_reciprocity(graph).set_index(["pre", "post"])["reciprocal"]
    for pre, post in table.index:
        here, there = np.flatnonzero(kinds == pre), np.flatnonzero(kinds == post)
        within = peer.subgraph(here).edges
        edges = list(within if pre == post else nx.edge_boundary(peer, here, there))
        inputs = [sum(b == i for _, b in edges) for i in there]
        outputs = [sum(a == i for a, _ in edges) for i in here]
        row = table.loc[(pre, post)]
        assert row["connections"] == len(edges)
        assert row["convergence_mean"] == pytest.approx(np.mean(inputs))
        assert row["convergence_std"] == pytest.approx(np.std(inputs))
        assert row["divergence_mean"] == pytest.approx(np.mean(outputs))
        assert row["divergence_std"] == pytest.approx(np.std(outputs))
        assert reciprocal[(pre, post)] == sum(peer.has_edge(b, a) for a, b in edges)


def test_no_connections_no_reciprocity():
    assert np.isnan(compute_reciprocity(from_edges(3, [])))


@pytest.mark.real
@pytest.mark.parametrize(
    "mtype, mean, into, out",
    [("L5_TTPC2", 51.29, 25.38, 33.22), ("L6_LBC", 3.20, 2.67, 2.83)],
)
def test_convergence_of_the_real_extracts(mirror, mtype, mean, into, out):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    (row,) = compute_convergence(connectome).to_dict("records")
    assert row["convergence_mean"] == pytest.approx(mean, abs=5e-3)
    assert row["divergence_mean"] == pytest.approx(mean, abs=5e-3)
    assert row["convergence_std"] == pytest.approx(into, abs=5e-3)
    assert row["divergence_std"] == pytest.approx(out, abs=5e-3)


@pytest.mark.real
def test_reciprocity_of_the_real_extract(mirror):
    from nmc import load_connectome

    connectome = load_connectome(mirror / "derived/cons_locs_L5_TTPC2_of_mc2.h5")
    assert compute_reciprocity(connectome) == pytest.approx(0.0341, abs=5e-5)
