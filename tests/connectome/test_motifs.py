"""The triad census: by hand, against networkx, against the printed counts."""

import networkx as nx
import numpy as np
import pytest
from nmc.connectome.motifs import TRIADS, count_triads
from small_graphs import from_edges, random_graph, to_networkx

# neuromotifs, motifs.csv.gz: 13 counts of the biological circuit, mc2.
PRINTED = {
    "L5_TTPC2": "4187617 2738360 3162677 281224 208612 174242 29961 4328 7555 7808 6694 689 15",
    "L6_LBC": "4051 2967 3163 173 128 123 16 3 3 4 3 0 0",
}


def test_chain_fan_and_loop_by_hand():
    # 0→1→2 is a chain; with 0→2 it is a feed-forward triangle; 3 ⇄ 4 stand apart.
    census = count_triads(from_edges(5, [(0, 1), (1, 2), (0, 2), (3, 4), (4, 3)]))
    assert census["030T"] == 1 and census.sum() == 1
    chain = count_triads(from_edges(4, [(0, 1), (1, 2), (0, 3)]))
    assert chain["021C"] == chain["021D"] == 1 and chain.sum() == 2


@pytest.mark.parametrize("name", TRIADS)
def test_each_picture_is_its_own_class(name):
    edges = [("ABC".index(s[0]), "ABC".index(s[2])) for s in TRIADS[name].split()]
    graph = from_edges(3, edges)
    assert nx.triadic_census(to_networkx(graph))[name] == 1
    census = count_triads(graph)
    assert census[name] == 1 and census.sum() == 1


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_networkx(seed):
    graph = random_graph(60, (0.02, 0.1, 0.3, 0.6)[seed], seed, reciprocal=0.3)
    expected = nx.triadic_census(to_networkx(graph))
    assert count_triads(graph).to_dict() == {name: expected[name] for name in TRIADS}


def test_within_groups_drops_connections_between_them():
    kinds = np.array(["L1_DAC", "L1_HAC"])[np.arange(40) % 2]
    graph = random_graph(40, 0.3, 5, reciprocal=0.2, mtype=kinds)
    table = count_triads(graph, by="mtype")
    for kind in ("L1_DAC", "L1_HAC"):
        peer = to_networkx(graph).subgraph(np.flatnonzero(kinds == kind))
        expected = nx.triadic_census(peer)
        assert table.loc[kind].to_dict() == {c: expected[c] for c in TRIADS}


def test_no_neurons_no_triads():
    assert count_triads(from_edges(0, [])).sum() == 0
    assert count_triads(from_edges(2, [(0, 1)])).sum() == 0


def test_self_connection_is_refused():
    with pytest.raises(ValueError, match="itself"):
        count_triads(from_edges(2, []).with_adjacency(np.eye(2), "itself"))


def test_unknown_column_is_named():
    with pytest.raises(ValueError, match="no column 'colour'"):
        count_triads(from_edges(2, [(0, 1)]), by="colour")


@pytest.mark.real
@pytest.mark.parametrize("mtype", PRINTED)
def test_printed_counts_of_the_real_extracts(mirror, mtype):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    assert count_triads(connectome).tolist() == [int(c) for c in PRINTED[mtype].split()]
