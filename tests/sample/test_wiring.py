"""What was put into the wiring is found in the sample's connectomes again."""

import nmc
import numpy as np
import pytest
from nmc import names
from nmc.data.registry import item

from tools.sample import column
from tools.sample.column import borders_um, footprint_mm2, mtype_counts


@pytest.fixture(scope="module")
def mc0(opened):
    return opened(item("connectome/average/mc0").path)


@pytest.fixture(scope="module")
def control(opened):
    return opened(item("connectome/control/mc0/0").path)


def test_counts_and_order(mc0):
    counts = np.bincount(mc0.code)
    assert mc0.mtypes == list(names.MTYPES) and len(mc0.code) == 4000
    assert counts.min() >= 3


def test_full_size_has_the_published_counts():
    counts = mtype_counts(31_346)
    # Layer fact sheets, and the 70 L6_BP that the circuit's total asks for.
    assert counts["L4_MC"] == 118 and counts["L4_PC"] == 2674 and counts["L6_BP"] == 70
    assert sum(counts.values()) == 31_346


def test_footprint_gives_the_published_volume():
    # 0.29 mm³ and 2,082 µm, circuit fact sheet.
    assert footprint_mm2() * 2.082 == pytest.approx(0.29, abs=0.005)


def test_the_column_is_as_wide_and_high_as_the_portals(mc2):
    """462 by 400 by 2,082 µm: the hexagon of that area, and the layers' thicknesses."""
    x, y, z = np.ptp(mc2.places, axis=0)
    assert sorted((x, z)) == pytest.approx([400, 462], abs=12)
    assert y == pytest.approx(2082, abs=12)


def test_cells_stand_in_their_layer(mc2):
    for mtype in mc2.mtypes:
        y = mc2.places[mc2.code == mc2.mtypes.index(mtype), 1]
        layer = names.layer_of(mtype)
        ends = [borders_um()[k] for k in (("L3", "L2") if layer == "L23" else (layer,))]
        assert y.min() >= ends[0][0] and y.max() <= ends[-1][1], mtype


def test_layer_2_comes_before_layer_3(mc2):
    y = mc2.places[mc2.code == mc2.mtypes.index("L23_PC"), 1]
    upper = y >= borders_um()["L2"][0]
    assert upper[0] and not upper[-1] and (np.diff(upper.astype(int)) != 0).sum() == 1


def test_cells_fill_a_hexagon_evenly(mc0):
    """Area and second moment of a regular hexagon (side s: A = 3√3/2 s², mean r² = 5 s²/12)."""
    r2 = (mc0.places[:, [0, 2]] ** 2).sum(axis=1)
    side2 = footprint_mm2() * 1e6 * 2 / (3 * np.sqrt(3))
    assert r2.max() <= side2 * 1.0001
    assert r2.mean() == pytest.approx(5 / 12 * side2, rel=0.05)


def test_exactly_the_pathways_of_the_rule_have_connections(mc0):
    found = {f"{a}:{b}" for a in mc0.mtypes for b in mc0.mtypes if mc0.block(a, b).any()}
    assert len(found) == 1932
    assert found == set(column.pathways().index)


def test_no_self_connections(mc0, control):
    for each in (mc0, control):
        assert not np.diagonal(each.matrix).any() and set(np.unique(each.matrix)) == {0, 1}


def test_distance_curves_have_ten_filled_points_in_each_direction():
    connectome = nmc.load_connectome("connectome/average/mc2", source="sample")
    for axis in ("3d", "horizontal", "vertical"):
        profile = nmc.compute_distance_profile(connectome, axis=axis)
        filled = profile[(profile["pairs"] >= 100) & (profile["connections"] >= 10)]
        assert len(filled) >= 10, axis


def test_probability_falls_with_distance(mc2):
    rows = np.flatnonzero(mc2.code == mc2.mtypes.index("L23_PC"))
    places, block = mc2.places[rows], mc2.matrix[np.ix_(rows, rows)]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    other = ~np.eye(len(block), dtype=bool)
    shares = [block[(apart >= a) & (apart < b) & other].mean() for a, b in
              ((0, 100), (100, 200), (200, 300), (300, 500))]  # fmt: skip
    assert all(near > 1.3 * far for near, far in zip(shares, shares[1:], strict=False))


def test_reciprocal_pairs_are_tens_where_a_type_is_large(mc2):
    for mtype in ("L23_PC", "L4_PC", "L5_TTPC1", "L5_TTPC2", "L6_IPC"):
        block = mc2.block(mtype, mtype).astype(bool)
        assert (block & block.T).sum() / 2 >= 20, mtype


def test_control_keeps_numbers_and_loses_the_rest(mc0, control):
    for key, row in column.pathways().iterrows():
        a, b = row["pre"], row["post"]
        assert control.block(a, b).sum() == mc0.block(a, b).sum(), key
    assert np.array_equal(control.places, mc0.places)
    assert _reciprocity(control) < 0.85 * _reciprocity(mc0)  # the rule puts in 1.2 to 1.3
    assert _transitive(control) < 0.85 * _transitive(mc0)


def test_groups_and_hubs_share_partners_beyond_distance(mc0, control):
    """One-sided permutation test, 99 nulls, p = 0.01, of what the rule of L6_IPC puts in.

    There a connection depends on distance (its `lean` is 0), on groups and on preferred cells.
    Both directions of a pair are moved together to another pair as far apart (within 25 µm): of
    distance and reciprocity alone the observed bias is the largest of 100 by chance in 1 of 100.
    The control knows distance alone, so that it must not be.
    """
    assert column.pathways().loc["L6_IPC:L6_IPC", "lean"] == 0
    assert _rank_among_nulls(mc0, 99) == 100
    assert _rank_among_nulls(control, 99) < 100


def test_polarised_types_make_directed_paths(mc0):
    """Layer 5 pyramids lean downwards by the rule: the presynaptic cell tends to lie higher."""
    assert column.pathways().loc["L5_TTPC1:L5_TTPC1", "lean"] > 0
    y = mc0.places[mc0.code == mc0.mtypes.index("L5_TTPC1"), 1]
    pre, post = mc0.block("L5_TTPC1", "L5_TTPC1").nonzero()
    assert (y[pre] > y[post]).mean() > 0.6


def test_full_column_aims_at_the_published_connections():
    # 7.7 to 7.8 million in the files of the average instances.
    assert column.pathways()["expected"].sum() == pytest.approx(7.78e6)


def test_individuals_and_instances_differ_from_the_average(opened, mc0, mc2):
    one = opened(item("connectome/individual/P14-13/mc0").path)
    assert len(one.code) != len(mc0.code)
    assert abs(one.places[:, 1].max() - mc0.places[:, 1].max()) > 5
    assert not np.array_equal(np.bincount(mc0.code), np.bincount(mc2.code))


def _reciprocity(opened) -> float:
    return (opened.matrix & opened.matrix.T).sum() / opened.matrix.sum()


def _transitive(opened) -> float:
    a = opened.matrix.astype(np.float32)
    return float(((a @ a) * a).sum())


def _rank_among_nulls(opened, n_nulls: int) -> int:
    """Rank, from 1, of an instance's bias among nulls that keep its distance profile."""
    rng = np.random.default_rng(0)
    block = opened.block("L6_IPC", "L6_IPC")
    places = opened.places[opened.code == opened.mtypes.index("L6_IPC")]
    i, j = np.triu_indices(len(block), 1)
    ring = np.linalg.norm(places[i] - places[j], axis=1) // 25.0
    order = np.lexsort((np.arange(len(i)), ring))
    found = [_common_neighbour_bias(block)]
    for _ in range(n_nulls):
        moved = np.lexsort((rng.random(len(i)), ring))
        null = np.zeros_like(block)
        null[i[order], j[order]] = block[i[moved], j[moved]]
        null[j[order], i[order]] = block[j[moved], i[moved]]
        found.append(_common_neighbour_bias(null))
    return 1 + int(np.sum(np.array(found[1:]) < found[0]))


def _common_neighbour_bias(block: np.ndarray) -> float:
    """Common partners of connected pairs over those of others."""
    a = block.astype(float)
    common = a.T @ a + a @ a.T
    linked = (a + a.T) > 0
    apart = ~linked & ~np.eye(len(a), dtype=bool)
    return common[linked].mean() / common[apart].mean()
