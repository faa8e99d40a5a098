"""Degrees, reciprocity and pathways, by hand, against networkx and against printed numbers."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from nmc import names
from nmc.connectome.degrees import (
    compute_block_density,
    compute_convergence,
    compute_degrees,
    compute_reciprocity,
)
from nmc.connectome.graph import Connectome, Coverage, canonical, make_neurons
from nmc.connectome.read import load_connectome
from test_nulls import connectomes


@pytest.fixture
def by_hand():
    """Two cells a, b of L1_DAC, two c, d of L23_PC; a→b, b→a, a→c, a→d, b→d, d→a."""
    graph = np.zeros((4, 4), bool)
    for pre, post in ((0, 1), (1, 0), (0, 2), (0, 3), (1, 3), (3, 0)):
        graph[pre, post] = True
    codes = [names.MTYPES.index(m) for m in ("L1_DAC", "L1_DAC", "L23_PC", "L23_PC")]
    neurons = make_neurons(codes, np.zeros((4, 3)))
    return Connectome(neurons, canonical(graph), Coverage(("L1_DAC", "L23_PC")))


def test_by_hand(by_hand):
    degrees = compute_degrees(by_hand)
    assert degrees["in_degree"].tolist() == [2, 1, 1, 2]
    assert degrees["out_degree"].tolist() == [3, 2, 0, 1]
    assert degrees["mutual_degree"].tolist() == [2, 1, 0, 1]
    assert compute_reciprocity(by_hand) == 4 / 6


def test_pathways_by_hand(by_hand):
    table = compute_convergence(by_hand).set_index(["pre", "post"])
    row = table.loc[("L1_DAC", "L23_PC")]
    assert (row["connections"], row["pairs"], row["probability"]) == (3, 4, 0.75)
    assert (row["convergence_mean"], row["convergence_std"]) == (1.5, 0.5)  # c has 1, d has 2
    assert (row["divergence_mean"], row["divergence_std"]) == (1.5, 0.5)  # a has 2, b has 1
    assert table.loc[("L23_PC", "L23_PC"), "pairs"] == 2
    assert table.loc[("L23_PC", "L23_PC"), "connections"] == 0


def test_blocks_by_hand(by_hand):
    by_layer = compute_block_density(by_hand)
    assert by_layer.loc["L1", "L23"] == 0.75 and by_layer.loc["L23", "L1"] == 0.25
    assert by_layer.loc["L1", "L1"] == 1.0 and by_layer.loc["L23", "L23"] == 0.0
    by_kind = compute_block_density(by_hand, "excitatory")
    assert by_kind.loc[False, True] == 0.75


def test_a_pathway_without_a_matrix_has_no_number(by_hand):
    coverage = Coverage(("L1_DAC", "L23_PC"), missing_blocks=(("L1_DAC", "L23_PC"),))
    table = compute_convergence(Connectome(by_hand.neurons, by_hand.adjacency, coverage))
    blank = table[(table["pre"] == "L1_DAC") & (table["post"] == "L23_PC")].iloc[0]
    assert blank[["connections", "probability", "divergence_mean"]].isna().all()
    assert table["connections"].isna().sum() == 1


@settings(max_examples=40, deadline=None)
@given(connectomes)
def test_against_networkx(connectome):
    graph = nx.from_scipy_sparse_array(connectome.adjacency, create_using=nx.DiGraph)
    degrees = compute_degrees(connectome)
    assert degrees["in_degree"].to_dict() == dict(graph.in_degree())
    assert degrees["out_degree"].to_dict() == dict(graph.out_degree())
    if connectome.n_connections:
        assert np.isclose(compute_reciprocity(connectome), nx.overall_reciprocity(graph))


@settings(max_examples=40, deadline=None)
@given(connectomes)
def test_pathways_against_the_dense_matrix(connectome):
    dense = connectome.adjacency.toarray()
    mtype = connectome.neurons["mtype"].astype(str).to_numpy()
    table = compute_convergence(connectome)
    assert len(table) == len(connectome.mtypes) ** 2
    for row in table.itertuples():
        block = dense[np.ix_(mtype == row.pre, mtype == row.post)]
        assert row.connections == block.sum()
        assert np.allclose([row.convergence_mean, row.convergence_std],
                           [block.sum(0).mean(), block.sum(0).std()])  # fmt: skip
        assert np.allclose([row.divergence_mean, row.divergence_std],
                           [block.sum(1).mean(), block.sum(1).std()])  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize(
    ("mtype", "convergence", "divergence", "reciprocal_pairs"),
    [  # sheets print 51±25, 51±33; 3.2±2.7, 3.2±2.8; pairs as neuromotifs' table prints them
        ("L5_TTPC2", (51.29, 25.38), (51.29, 33.22), 1752),
        ("L6_LBC", (3.20, 2.67), (3.20, 2.83), 17),
    ],
)
def test_whole_mtypes_of_mc2(mirror, mtype, convergence, divergence, reciprocal_pairs):
    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    row = compute_convergence(connectome).iloc[0]
    assert (round(row["convergence_mean"], 2), round(row["convergence_std"], 2)) == convergence
    assert (round(row["divergence_mean"], 2), round(row["divergence_std"], 2)) == divergence
    answered = compute_reciprocity(connectome) * connectome.n_connections
    assert round(answered) == 2 * reciprocal_pairs
    assert isinstance(compute_degrees(connectome), pd.DataFrame)
