"""Common neighbours: by hand, by dense matrix algebra, against the fact sheets."""

import numpy as np
import pytest
from nmc.connectome.paths import compute_common_neighbour_bias, count_common_neighbours
from small_graphs import from_edges, random_graph


def test_counts_by_hand():
    # 0 and 1 share the target 2 and are connected; 2 and 3 share the source 1.
    graph = from_edges(4, [(0, 1), (0, 2), (1, 2), (1, 3)])
    efferent = count_common_neighbours(graph, "efferent")
    assert efferent["pairs"].tolist() == [5, 1]
    assert efferent["connected"].tolist() == [3, 1]
    afferent = count_common_neighbours(graph, "afferent")
    # 1 and 2 share the source 0 (connected), 2 and 3 the source 1 (not).
    assert afferent["pairs"].tolist() == [4, 2]
    assert afferent["connected"].tolist() == [3, 1]
    assert afferent["probability"].tolist() == [0.75, 0.5]
    assert count_common_neighbours(graph)["pairs"].tolist() == [3, 3]


def test_bias_by_hand():
    graph = from_edges(4, [(0, 1), (0, 2), (1, 2), (1, 3)])
    (row,) = compute_common_neighbour_bias(graph).to_dict("records")
    # Connected: 0–1 one shared target, 1–2 one shared source, 0–2 and 1–3 none.
    assert (row["connected_pairs"], row["unconnected_pairs"]) == (4, 2)
    assert (row["connected_mean"], row["unconnected_mean"]) == (0.5, 0.5)
    assert row["bias"] == 1


def expected(matrix, kinds, pre, post, definition):
    """The same from the dense matrix product."""
    matrix = matrix.astype(int)
    common = matrix @ matrix.T
    linked = matrix > 0
    here = np.outer(kinds == pre, kinds == post) & ~np.eye(len(kinds), dtype=bool)
    if definition == "factsheet":
        common = common + matrix.T @ matrix
        if pre == post:
            linked = np.triu(linked | linked.T)
            here = np.triu(here)
    return common[here & linked], common[here & ~linked]


@pytest.mark.parametrize("definition", ["factsheet", "efferent"])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_matrix_product(definition, seed):
    kinds = np.array(list("ABC"))[np.random.default_rng(seed).integers(0, 3, 45)]
    graph = random_graph(45, 0.2, seed, reciprocal=0.3, mtype=kinds)
    table = compute_common_neighbour_bias(graph, definition=definition)
    assert len(table) == 9
    for row in table.itertuples():
        connected, rest = expected(graph.adjacency.toarray(), kinds, row.pre, row.post, definition)
        assert (row.connected_pairs, row.unconnected_pairs) == (connected.size, rest.size)
        assert row.connected_mean == pytest.approx(connected.mean())
        assert row.unconnected_mean == pytest.approx(rest.mean())
        assert row.bias == pytest.approx(connected.mean() / rest.mean())


@pytest.mark.parametrize("kind", ["both", "efferent", "afferent"])
def test_histogram_agrees_with_the_matrix_product(kind):
    graph = random_graph(50, 0.15, 8, reciprocal=0.3)
    matrix = graph.adjacency.toarray().astype(int)
    common = (kind != "afferent") * (matrix @ matrix.T) + (kind != "efferent") * (matrix.T @ matrix)
    upper = np.triu_indices(50, 1)
    table = count_common_neighbours(graph, kind)
    size = len(table)
    links = (matrix + matrix.T)[upper]
    assert table["pairs"].tolist() == np.bincount(common[upper], minlength=size).tolist()
    for column, wanted in (("connected", links > 0), ("reciprocal", links == 2)):
        found = np.bincount(common[upper][wanted], minlength=size)
        assert table[column].tolist() == found.tolist()


def test_no_pair_no_number():
    (row,) = compute_common_neighbour_bias(from_edges(1, [])).to_dict("records")
    assert np.isnan(row["bias"])
    assert count_common_neighbours(from_edges(0, [])).empty


def test_unknown_definition_is_refused():
    with pytest.raises(ValueError, match="factsheet"):
        compute_common_neighbour_bias(from_edges(2, []), definition="sheet")
    with pytest.raises(ValueError, match="afferent"):
        count_common_neighbours(from_edges(2, []), "in")


@pytest.mark.real
@pytest.mark.parametrize("mtype, bias", [("L5_TTPC2", 1.87), ("L6_LBC", 4.21)])
def test_bias_of_the_real_extracts(mirror, mtype, bias):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    (row,) = compute_common_neighbour_bias(connectome).to_dict("records")
    assert row["bias"] == pytest.approx(bias, abs=5e-3)


@pytest.mark.real
def test_later_definition_of_the_real_extract(mirror):
    from nmc import load_connectome

    connectome = load_connectome(mirror / "derived/cons_locs_L5_TTPC2_of_mc2.h5")
    (row,) = compute_common_neighbour_bias(connectome, definition="efferent").to_dict("records")
    assert row["bias"] == pytest.approx(1.98, abs=5e-3)
