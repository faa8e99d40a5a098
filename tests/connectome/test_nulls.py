"""What each null model promises to keep, on graphs of every shape."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nmc import names
from nmc.connectome import nulls
from nmc.connectome.degrees import compute_convergence
from nmc.connectome.distance import compute_distance_profile
from nmc.connectome.graph import Connectome, Coverage, make_neurons
from nmc.connectome.read import load_connectome
from nmc.errors import ConnectomeError, UnknownNameError
from scipy import sparse
from scipy.spatial.distance import cdist
from scipy.stats import chisquare


def make_connectome(seed, n=40, density=0.2, n_types=3):
    rng = np.random.default_rng(seed)
    codes = np.sort(rng.choice([0, 14, 38, 42, 47][:n_types], n))
    graph = rng.random((n, n)) < density
    np.fill_diagonal(graph, False)
    mtypes = tuple(names.MTYPES[c] for c in np.unique(codes))
    neurons = make_neurons(codes, rng.uniform(0, 300, (n, 3)))
    return Connectome(neurons, sparse.csr_array(graph), Coverage(mtypes), "made")


connectomes = st.builds(
    make_connectome,
    seed=st.integers(0, 2**32),
    n=st.integers(2, 60),
    density=st.floats(0, 1),
    n_types=st.integers(1, 5),
)


def check_sound(null, connectome):
    graph = null.adjacency
    assert graph.shape == connectome.adjacency.shape and graph.dtype == bool
    assert graph.indices.dtype == graph.indptr.dtype == np.int32
    assert graph.nnz == connectome.n_connections
    assert not graph.diagonal().any()
    for row in range(graph.shape[0]):
        assert (np.diff(graph.indices[graph.indptr[row] : graph.indptr[row + 1]]) > 0).all()
    assert null.neurons is connectome.neurons and null.name != connectome.name


def by_class(connectome, groups, bin_um):
    xyz = connectome.positions
    bins = (cdist(xyz, xyz) / bin_um).astype(int) if np.isfinite(bin_um) else 0
    label = (groups[:, None] * 1000 + groups) * 1000 + bins
    return np.unique(label[connectome.adjacency.toarray()], return_counts=True)


@settings(max_examples=60, deadline=None)
@given(connectomes, st.integers(0, 99))
def test_erdos_renyi_keeps_the_number_of_connections(connectome, seed):
    check_sound(nulls.make_erdos_renyi(connectome, rng=np.random.default_rng(seed)), connectome)


@settings(max_examples=60, deadline=None)
@given(connectomes, st.integers(0, 99))
def test_degree_preserving_keeps_every_degree(connectome, seed):
    null = nulls.make_degree_preserving(connectome, rng=np.random.default_rng(seed))
    check_sound(null, connectome)
    for axis in (0, 1):
        assert (null.adjacency.sum(axis) == connectome.adjacency.sum(axis)).all()


@settings(max_examples=60, deadline=None)
@given(connectomes, st.integers(0, 99), st.sampled_from([30.0, 75.0, 1e4]))
def test_class_nulls_keep_every_class(connectome, seed, bin_um):
    zero = np.zeros(connectome.n_neurons, int)
    for make, groups, how in (
        (nulls.make_distance_dependent, zero, {"bin_um": bin_um}),
        (nulls.make_pathway_preserving, connectome.groups, {}),
        (nulls.make_general_biological, connectome.groups, {"bin_um": bin_um}),
    ):
        null = make(connectome, rng=np.random.default_rng(seed), **how)
        check_sound(null, connectome)
        width = how.get("bin_um", np.inf)
        for kept, had in zip(
            by_class(null, groups, width), by_class(connectome, groups, width), strict=True
        ):
            assert (kept == had).all()


@pytest.mark.parametrize("kind", nulls.NULLS)
def test_seed_decides_and_graphs_differ(kind):
    connectome = make_connectome(1)
    first, again, other = (
        nulls.make_null(connectome, kind, rng=np.random.default_rng(s)).adjacency.toarray()
        for s in (3, 3, 4)
    )
    assert (first == again).all() and (first != other).any()
    assert (first != connectome.adjacency.toarray()).any()


@pytest.mark.parametrize("kind", nulls.NULLS)
def test_every_possible_connection_comes_equally_often(kind):
    """One type, no distance, equal degrees: then all pairs are alike in every null."""
    n, degree, draws = 12, 3, 400
    ring = (np.arange(n)[:, None] + np.arange(1, degree + 1)) % n
    graph = np.zeros((n, n), bool)
    np.put_along_axis(graph, ring, True, axis=1)
    neurons = make_neurons(np.zeros(n, int), np.zeros((n, 3)))
    connectome = Connectome(neurons, sparse.csr_array(graph), Coverage(("L1_DAC",)), "ring")
    rng = np.random.default_rng(8)
    total = sum(nulls.make_null(connectome, kind, rng=rng).adjacency.toarray().astype(int)
                for _ in range(draws))  # fmt: skip
    off = ~np.eye(n, dtype=bool)
    p = degree / (n - 1)
    z = (total[off] - draws * p) / np.sqrt(draws * p * (1 - p))
    assert np.abs(z).max() < 5  # 132 pairs: five sigma
    assert z.std() < 1.3


@pytest.mark.parametrize("kind", nulls.NULLS)
def test_a_seed_stands_for_its_generator(kind):
    connectome = make_connectome(1)
    one = nulls.make_null(connectome, kind, rng=5)
    other = nulls.NULLS[kind](connectome, rng=np.random.default_rng(5))
    assert (one.adjacency != other.adjacency).nnz == 0
    for wrong in ("5", 1.5, True, None, -1):
        with pytest.raises(ConnectomeError, match="a numpy Generator or a seed"):
            nulls.make_null(connectome, kind, rng=wrong)


@pytest.mark.parametrize("rng", [4, np.random.default_rng(4)])
def test_mixing_goes_on_with_one_generator(rng):
    """Each number of rounds is drawn anew: a seed must not start each of them alike."""
    connectome = make_connectome(1)
    table = nulls.compute_mixing(connectome, [0, 3, 3, 3], rng=rng)
    assert table["in_place"][0] == 1 and table["in_place"][1:].nunique() > 1


def test_pathways_need_no_positions():
    connectome = make_connectome(1)
    bare = replace(connectome, neurons=connectome.neurons.assign(y_um=np.nan))
    null = nulls.make_pathway_preserving(bare, rng=0)
    assert (null.adjacency != nulls.make_pathway_preserving(connectome, rng=0).adjacency).nnz == 0
    with pytest.raises(ConnectomeError, match="Neuron 0 has a position"):
        nulls.make_general_biological(bare, rng=0)


def test_the_portal_s_control_keeps_every_pathway():
    """The sample's file in the place of the portal's, read as that would be."""
    control, instance = (
        load_connectome(f"connectome/{kind}") for kind in ("control/mc0/0", "average/mc0")
    )
    assert control.name == "control/mc0/0" and control.coverage.whole
    assert control.positions.tolist() == instance.positions.tolist()
    kept = compute_convergence(control)["connections"]
    assert kept.equals(compute_convergence(instance)["connections"])
    assert (control.adjacency != instance.adjacency).nnz > 0.5 * control.n_connections
    with pytest.raises(UnknownNameError, match="control/mc7/0"):
        load_connectome("connectome/control/mc7/0")


def test_unknown_null_and_bad_bin():
    connectome, rng = make_connectome(2), np.random.default_rng(0)
    with pytest.raises(UnknownNameError, match="Did you mean 'erdos_renyi'"):
        nulls.make_null(connectome, "erdos_reny", rng=rng)
    with pytest.raises(ValueError, match="wider than 0"):
        nulls.make_distance_dependent(connectome, rng=rng, bin_um=0)
    with pytest.raises(ConnectomeError, match="take wider ones"):
        nulls.make_general_biological(connectome, rng=rng, bin_um=1e-6)
    with pytest.raises(ConnectomeError, match="rounds: -1 is below 0"):
        nulls.make_degree_preserving(connectome, rng=rng, rounds=-1)


#: Five neurons whose degrees 19 graphs have; trades alone hardly lead from one to another.
SLOW = [[0, 1, 0, 0, 0], [1, 0, 1, 0, 1], [0, 0, 0, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]
#: Its degrees are those of the ring turned round, and of no other graph.
RING = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("matrix, graphs", [(SLOW, 19), (RING, 2)], ids=["slow", "ring"])
def test_small_graphs_of_the_same_degrees_come_equally_often(matrix, graphs):
    graph = sparse.csr_array(np.array(matrix, bool))
    neurons = make_neurons(np.zeros(len(matrix), int), np.zeros((len(matrix), 3)))
    connectome = Connectome(neurons, graph, Coverage(("L1_DAC",)), "small")
    draws = 100 * graphs
    seen = Counter(
        nulls.make_degree_preserving(connectome, rng=seed).adjacency.toarray().tobytes()
        for seed in range(draws)
    )
    assert len(seen) == graphs
    assert chisquare(list(seen.values())).pvalue > 1e-3


@pytest.mark.parametrize("bin_um", [0.1, 0.3, 1.1, 7.7])
def test_bins_of_the_null_are_those_of_the_profile(bin_um):
    """Distances that are multiples of the width, but for rounding."""
    n = 30
    places = np.zeros((n, 3))
    places[:, 1] = np.arange(n) * bin_um
    whole = make_connectome(7, n=n)
    axes = dict(zip(("x_um", "y_um", "z_um"), places.T, strict=True))
    connectome = replace(whole, neurons=whole.neurons.assign(**axes))
    null = nulls.make_distance_dependent(connectome, rng=1, bin_um=bin_um)
    profiles = [compute_distance_profile(c, bin_um=bin_um) for c in (connectome, null)]
    assert profiles[0]["pairs"].tolist() == [0, *(2 * (n - k) for k in range(1, n))]
    assert profiles[0].equals(profiles[1])


def kinds_of_partners(matrix):
    """One-way inputs and outputs, and reciprocal partners, of every neuron."""
    both = matrix & matrix.T
    one_way = matrix & ~both
    return one_way.sum(axis=0), one_way.sum(axis=1), both.sum(axis=0)


@settings(max_examples=40, deadline=None)
@given(connectomes, st.integers(0, 99))
def test_reciprocal_pairs_are_kept(connectome, seed):
    null = nulls.make_reciprocity_preserving(connectome, rng=seed, rounds=1)
    check_sound(null, connectome)
    graphs = (c.adjacency.toarray() for c in (null, connectome))
    for kept, had in zip(*map(kinds_of_partners, graphs), strict=True):
        assert (kept == had).all()


@pytest.mark.parametrize(
    "matrix",
    [
        [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]],
        [[0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0]],
    ],
)
def test_all_graphs_with_the_same_partners_come_equally_often(matrix):
    """Of the 4,096 graphs of four neurons, those that keep what the null keeps; and no others."""
    matrix = np.array(matrix, bool)
    off = np.argwhere(~np.eye(4, dtype=bool))
    wanted, alike = np.concatenate(kinds_of_partners(matrix)), set()
    for bits in range(4096):
        other = np.zeros((4, 4), bool)
        other[tuple(off[[bits >> k & 1 == 1 for k in range(12)]].T)] = True
        if (np.concatenate(kinds_of_partners(other)) == wanted).all():
            alike.add(other.tobytes())
    neurons = make_neurons(np.zeros(4, int), np.zeros((4, 3)))
    connectome = Connectome(neurons, sparse.csr_array(matrix), Coverage(("L1_DAC",)), "small")
    draws = 100 * len(alike)
    seen = Counter(
        nulls.make_reciprocity_preserving(connectome, rng=seed, rounds=1)
        .adjacency.toarray()
        .tobytes()
        for seed in range(draws)
    )
    assert set(seen) == alike and len(alike) > 1
    assert chisquare(list(seen.values())).pvalue > 1e-3


def test_a_matched_sample_has_the_same_types_and_near_degrees():
    connectome = make_connectome(5, n=300, n_types=3)
    degrees = connectome.adjacency.sum(axis=0) + connectome.adjacency.sum(axis=1)
    rng = np.random.default_rng(2)
    chosen = rng.choice(300, 40, replace=False)
    sample = nulls.make_matched_sample(connectome, chosen, rng=1, nearest=3)
    types = connectome.neurons["mtype"].iloc[chosen].value_counts()
    assert sample.neurons["mtype"].value_counts().equals(types)
    places = list(map(tuple, connectome.positions))
    drawn = [places.index(tuple(place)) for place in sample.positions]
    assert not set(drawn) & set(chosen) and len(set(drawn)) == 40
    assert abs(degrees[drawn].mean() - degrees[chosen].mean()) < 0.25 * degrees.std()
    with pytest.raises(ConnectomeError, match="not enough other neurons"):
        nulls.make_matched_sample(connectome, np.arange(299), rng=1)
