"""Roles in triads and weighted triads, against every triple tried and networkx."""

from itertools import combinations, permutations

import networkx as nx
import nmc
import numpy as np
import pytest
from nmc.connectome.motifs import (
    ROLES,
    TRIADS,
    compute_triad_intensity,
    count_triad_roles,
    count_triads,
)
from nmc.errors import ConnectomeError
from small_graphs import from_matrix, random_graph, to_networkx

GRAPHS = {
    "sparse": random_graph(25, 0.08, 1),
    "dense": random_graph(14, 0.4, 2, reciprocal=0.4),
    "full": from_matrix(~np.eye(4, dtype=bool)),
    "nobody": from_matrix(np.zeros((3, 3))),
}


@pytest.fixture(params=GRAPHS)
def graph(request):
    return GRAPHS[request.param]


def by_isomorphism(matrix):
    """Match every triple with the pictures, and name each neuron's corner by its orbit."""
    counts = {role: np.zeros(len(matrix), int) for role in ROLES}
    for triple in combinations(range(len(matrix)), 3):
        for name, picture in TRIADS.items():
            wanted = {tuple(side.split(">")) for side in picture.split()}
            fits = [
                dict(zip(order, "ABC", strict=True))
                for order in permutations(triple)
                if {
                    (a, b)
                    for (a, i), (b, j) in permutations(zip("ABC", order, strict=True), 2)
                    if matrix[i, j]
                }
                == wanted
            ]
            if fits:
                for one in triple:
                    counts[f"{name} {min(fit[one] for fit in fits)}"][one] += 1
                break
    return counts


def test_there_are_thirty_roles():
    assert len(ROLES) == 30 and {role[:-2] for role in ROLES} == set(TRIADS)


def test_roles(graph):
    table = count_triad_roles(graph)
    expected = by_isomorphism(graph.adjacency.toarray())
    assert {role: table[role].tolist() for role in ROLES} == {
        role: counts.tolist() for role, counts in expected.items()
    }


def test_roles_of_a_class_sum_to_three_times_its_count():
    graph = random_graph(400, 0.05, 5, reciprocal=0.2)
    sums = count_triad_roles(graph).sum().groupby(lambda role: role[:-2]).sum()
    assert sums.to_dict() == (3 * count_triads(graph)).to_dict()
    census = nx.triadic_census(to_networkx(graph))
    assert sums.to_dict() == {name: 3 * census[name] for name in TRIADS}


def weighted(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(1, 9, (40, 40)) * (rng.random((40, 40)) < 0.25)
    np.fill_diagonal(matrix, 0)
    return nmc.make_connectome(matrix, weights=True)


def test_equal_weights_are_the_intensity():
    connectome = weighted(3)
    equal = connectome.with_weights(np.full(connectome.n_connections, 4))
    table = compute_triad_intensity(equal)
    assert table["intensity"].dropna().to_numpy() == pytest.approx(4)
    assert table["triads"].to_dict() == count_triads(equal)[table.index].to_dict()


def test_intensity_of_every_triple():
    connectome = weighted(4)
    matrix = nmc.to_scipy(connectome, float, weights=True).toarray()
    peer = nmc.to_networkx(connectome)
    found = {}
    for triple in combinations(range(40), 3):
        some = matrix[np.ix_(triple, triple)]
        if all(some[a, b] or some[b, a] for a, b in combinations(range(3), 2)):
            kind = nx.triad_type(peer.subgraph(triple))
            found.setdefault(kind, []).append(np.exp(np.log(some[some > 0]).mean()))
    table = compute_triad_intensity(connectome)
    assert set(found) <= set(table.index) and len(table) == 7
    for kind, values in found.items():
        assert table.loc[kind, "triads"] == len(values)
        assert table.loc[kind, "intensity"] == pytest.approx(np.mean(values))


def test_weights_there_must_be():
    plain = nmc.make_connectome(np.roll(np.eye(3), 1, axis=1))
    with pytest.raises(ConnectomeError, match="are unknown"):
        compute_triad_intensity(plain)
    with pytest.raises(ConnectomeError, match="above 0"):
        compute_triad_intensity(plain.with_weights([1, -1, 2]))


def test_strengths_cores_and_components():
    connectome = weighted(6)
    matrix = nmc.to_scipy(connectome, float, weights=True).toarray()
    degrees = nmc.compute_degrees(connectome)
    assert degrees["in_weight"].tolist() == matrix.sum(axis=0).tolist()
    assert degrees["out_weight"].tolist() == matrix.sum(axis=1).tolist()
    row = nmc.compute_block_densities(connectome, by="mtype").iloc[0]
    assert row["weight"] == matrix.sum() and row["weight_mean"] == matrix[matrix > 0].mean()


@pytest.mark.parametrize("p", [0.0, 0.02, 0.05, 0.3])
def test_cores_and_components_are_those_of_networkx(p):
    graph = random_graph(60, p, 9, reciprocal=0.1)
    peer = to_networkx(graph)
    assert nmc.compute_core_numbers(graph).to_dict() == nx.core_number(peer)
    table = nmc.compute_components(graph)
    for kind, parts in (
        ("strong", nx.strongly_connected_components(peer)),
        ("weak", nx.weakly_connected_components(peer)),
    ):
        found = {frozenset(some.index) for _, some in table.groupby(kind)}
        assert found == set(map(frozenset, parts))
        assert table[kind].value_counts().sort_index().is_monotonic_decreasing
