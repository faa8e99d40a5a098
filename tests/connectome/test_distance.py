"""Connection probability by distance: by hand, against scipy, against the fact sheets."""

import numpy as np
import pytest
from nmc.connectome.distance import compute_distance_profile, compute_pathway_probability
from scipy.spatial.distance import cdist
from small_graphs import from_edges, random_graph

# On a line: 0 — 100 — 150 µm high; 1 and 2 stand 30 µm to the side of 0.
PLACES = {"x_um": [0.0, 30.0, 30.0], "y_um": [0.0, 100.0, 150.0], "z_um": [0.0, 0.0, 0.0]}


def test_profile_by_hand():
    graph = from_edges(3, [(0, 1), (2, 1)], **PLACES)
    vertical = compute_distance_profile(graph, bin_um=50, axis="vertical")
    assert vertical["from_um"].tolist() == [0, 50, 100, 150]
    # Pairs at 50, 100 and 150 µm: each on the lower edge of its bin, two ordered pairs each.
    assert vertical["pairs"].tolist() == [0, 2, 2, 2]
    assert vertical["connections"].tolist() == [0, 1, 1, 0]
    assert np.isnan(vertical["probability"][0])
    assert vertical["probability"][1:].tolist() == [0.5, 0.5, 0.0]
    horizontal = compute_distance_profile(graph, bin_um=20, axis="horizontal")
    assert horizontal["pairs"].tolist() == [2, 4]
    assert horizontal["connections"].tolist() == [1, 1]


def test_closer_than_100_um_excludes_100_um():
    graph = from_edges(
        3, [(0, 1), (1, 2)], mtype=["A", "A", "B"], x_um=[0.0, 100.0, 199.0], y_um=0.0, z_um=0.0
    )
    table = compute_pathway_probability(graph).set_index(["pre", "post"])
    assert table.loc[("A", "A"), "pairs"] == 0
    assert np.isnan(table.loc[("A", "A"), "probability"])
    assert table.loc[("A", "B"), "pairs"] == 1
    assert table.loc[("A", "B"), "probability"] == 1
    assert table.loc[("B", "A"), "probability"] == 0


@pytest.mark.parametrize(
    "axis, used", [("3d", [0, 1, 2]), ("horizontal", [0, 2]), ("vertical", [1])]
)
def test_agrees_with_scipy(axis, used):
    rng = np.random.default_rng(3)
    places = rng.normal(0, 80, (90, 3))
    kinds = np.array(list("ABC"))[rng.integers(0, 3, 90)]
    columns = dict(zip(["x_um", "y_um", "z_um"], places.T, strict=True), mtype=kinds)
    graph = random_graph(90, 0.2, 4, **columns)
    matrix = graph.adjacency.toarray()
    distance = cdist(places[:, used], places[:, used])
    np.fill_diagonal(distance, np.inf)
    profile = compute_distance_profile(graph, bin_um=30, axis=axis, by="mtype")
    assert profile["pairs"].sum() == 90 * 89
    assert profile["connections"].sum() == matrix.sum()
    for row in profile.itertuples():
        here = np.outer(kinds == row.pre, kinds == row.post)
        here &= (distance >= row.from_um) & (distance < row.to_um)
        assert row.pairs == here.sum()
        assert row.connections == matrix[here].sum()
    for row in compute_pathway_probability(graph, within_um=75).itertuples():
        here = np.outer(kinds == row.pre, kinds == row.post)
        here &= cdist(places, places) < 75
        np.fill_diagonal(here, False)
        assert (row.pairs, row.connections) == (here.sum(), matrix[here].sum())
    everything = compute_pathway_probability(graph, within_um=np.inf)
    assert everything["pairs"].sum() == 90 * 89


def test_one_neuron_has_no_pairs():
    assert compute_distance_profile(from_edges(1, [])).empty
    assert compute_distance_profile(from_edges(0, [])).empty


@pytest.mark.parametrize(
    "wrong", [{"axis": "radial"}, {"bin_um": 0}, {"bin_um": -3}, {"by": "colour"}]
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError):
        compute_distance_profile(from_edges(2, [(0, 1)]), **wrong)


@pytest.mark.real
@pytest.mark.parametrize("mtype, percent", [("L5_TTPC2", 8.33), ("L6_LBC", 5.49)])
def test_probability_of_the_real_extracts(mirror, mtype, percent):
    from nmc import load_connectome

    connectome = load_connectome(mirror / f"derived/cons_locs_{mtype}_of_mc2.h5")
    (row,) = compute_pathway_probability(connectome).to_dict("records")
    assert 100 * row["probability"] == pytest.approx(percent, abs=5e-3)
