"""What was put into the wiring is found in it again."""

import numpy as np
import pytest
from nmc import names
from scipy import sparse

from tools.sample import average_instance, control_instance, individual_instance, rule
from tools.sample.facts import borders_um, footprint_mm2, mtype_counts, neurons_per_area


@pytest.fixture(scope="module")
def instance():
    return average_instance(0)


@pytest.fixture(scope="module")
def control(instance):
    return control_instance(instance, 0, 0)


def test_counts_and_order(instance):
    neurons = instance.neurons
    assert len(neurons) == instance.adjacency.shape[0] == 1500
    assert neurons["mtype"].is_monotonic_increasing
    counts = neurons["mtype"].value_counts()
    assert set(counts.index) == set(names.MTYPES) and counts.min() >= 2


def test_full_size_has_the_published_counts():
    counts = mtype_counts(31_346)
    # Layer fact sheets, and the 70 L6_BP that the circuit's total asks for.
    assert counts["L4_MC"] == 118 and counts["L4_PC"] == 2674 and counts["L6_BP"] == 70
    assert sum(counts.values()) == 31_346


def test_footprint_gives_the_published_volume():
    # 0.29 mm³ and 2,082 µm, circuit fact sheet.
    assert footprint_mm2(31_346) * 2.082 == pytest.approx(0.29, abs=0.005)
    assert neurons_per_area() == pytest.approx(31_346 / footprint_mm2(31_346))


def test_cells_stand_in_their_layer(instance):
    for layer, (low, high) in borders_um().items():
        y = instance.neurons.loc[instance.neurons["layer6"] == layer, "y_um"]
        assert len(y) and y.min() >= low and y.max() <= high


def test_layer_2_comes_before_layer_3(instance):
    layers = instance.neurons.loc[instance.neurons["mtype"] == "L23_PC", "layer6"].to_numpy()
    assert layers[0] == "L2" and layers[-1] == "L3"
    assert (np.diff(layers == "L3") != 0).sum() == 1


def test_cells_fill_a_hexagon_evenly(instance):
    """Area and second moment of a regular hexagon (side s: A = 3√3/2 s², mean r² = 5 s²/12)."""
    x, z = instance.neurons["x_um"].to_numpy(), instance.neurons["z_um"].to_numpy()
    side2 = footprint_mm2(1500) * 1e6 * 2 / (3 * np.sqrt(3))
    assert (x**2 + z**2).max() <= side2 * 1.0001
    assert (x**2 + z**2).mean() == pytest.approx(5 / 12 * side2, rel=0.1)


def test_exactly_the_pathways_of_the_rule_have_connections(instance):
    ranges = instance.ranges()
    found = {
        f"{a}:{b}"
        for a in names.MTYPES
        for b in names.MTYPES
        if instance.adjacency[ranges[a], ranges[b]].nnz
    }
    assert len(found) == 1932
    assert found == set(rule.pathways().index)


def test_no_self_connections_and_clean_storage(instance, control):
    for each in (instance, control):
        assert each.adjacency.diagonal().sum() == 0
        assert each.adjacency.has_canonical_format or each.adjacency.has_sorted_indices
        assert each.adjacency.dtype == bool


def test_probability_falls_with_distance(instance):
    rows = instance.ranges()["L23_PC"]
    places = instance.neurons[["x_um", "y_um", "z_um"]].to_numpy()[rows]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    block = instance.adjacency[rows, rows].toarray()
    other = ~np.eye(len(block), dtype=bool)
    shares = [block[(apart >= a) & (apart < b) & other].mean() for a, b in
              ((0, 100), (100, 200), (200, 300), (300, 500))]  # fmt: skip
    assert all(near > 1.3 * far for near, far in zip(shares, shares[1:], strict=False))


def test_control_keeps_numbers_and_loses_the_rest(instance, control):
    ranges = instance.ranges()
    for key, row in rule.pathways().iterrows():
        a, b = ranges[row["pre"]], ranges[row["post"]]
        assert control.adjacency[a, b].nnz == instance.adjacency[a, b].nnz, key
    assert control.neurons is instance.neurons
    assert _reciprocity(control) < 0.85 * _reciprocity(instance)  # the rule puts in 1.2 to 1.3
    assert _transitive(control) < 0.8 * _transitive(instance)


def test_groups_share_targets_beyond_distance(instance, control):
    """More connected pairs share partners than in the control: the groups and hubs put in."""
    assert _common(instance) > 1.2 * _common(control)


def test_polarised_types_make_directed_paths(instance):
    """Layer 5 pyramids lean downwards by the rule: the presynaptic cell tends to lie higher."""
    assert rule.pathways().loc["L5_TTPC1:L5_TTPC1", "lean"] > 0
    rows = instance.ranges()["L5_TTPC1"]
    y = instance.neurons["y_um"].to_numpy()[rows]
    pre, post = instance.adjacency[rows, rows].nonzero()
    assert (y[pre] > y[post]).mean() > 0.6


def test_full_column_aims_at_the_published_connections():
    # 7.7 to 7.8 million in the files of the average instances.
    assert rule.pathways()["expected"].sum() == pytest.approx(7.78e6)


@pytest.mark.slow
def test_full_size_instance():
    full = average_instance(2, n_neurons=31_346)
    assert full.adjacency.shape == (31_346, 31_346)
    assert full.adjacency.nnz == pytest.approx(7.78e6, rel=0.02)


def test_individuals_differ_from_the_average(instance):
    one, other = (individual_instance(a, 0) for a in ("P14-13", "P14-14"))
    heights = {round(i.neurons["y_um"].max()) for i in (instance, one, other)}
    sizes = {len(i.neurons) for i in (instance, one, other)}
    assert len(heights) == 3 and len(sizes) == 3


def test_instances_differ_and_repeat(instance):
    assert (average_instance(0).adjacency != instance.adjacency).nnz == 0
    other = average_instance(1)
    assert len(other.neurons) == 1500
    assert other.neurons["mtype"].value_counts().to_dict() != (
        instance.neurons["mtype"].value_counts().to_dict()
    )
    assert average_instance(0, seed=7).adjacency.nnz != instance.adjacency.nnz


def test_too_few_neurons_is_said_plainly():
    with pytest.raises(ValueError, match="ask for 110 or more"):
        average_instance(0, n_neurons=50)
    assert len(average_instance(0, n_neurons=110).neurons) == 110


def _reciprocity(instance) -> float:
    adjacency = instance.adjacency
    return adjacency.multiply(adjacency.T).nnz / adjacency.nnz


def _transitive(instance) -> int:
    a = instance.adjacency.astype(np.int64)
    return int((a @ a).multiply(a).sum())


def _common(instance) -> float:
    rows = instance.ranges()["L6_IPC"]
    a = sparse.csr_array(instance.adjacency[rows, rows]).astype(float).toarray()
    common = a.T @ a + a @ a.T
    linked = (a + a.T) > 0
    apart = ~linked & ~np.eye(len(a), dtype=bool)
    return common[linked].mean() / common[apart].mean()
