"""The offset map, pair by pair on a small graph, and by hand."""

import numpy as np
import pytest
from nmc import names
from nmc.connectome.distance import compute_offset_map
from nmc.connectome.graph import Connectome, Coverage, canonical, make_neurons
from test_nulls import make_connectome


def test_by_hand():
    """One contacts two, which lies 60 µm aside and 120 µm below."""
    xyz = np.array([[0.0, 500.0, 0.0], [36.0, 380.0, 48.0]])
    neurons = make_neurons([names.MTYPES.index("L5_TTPC2")] * 2, xyz)
    graph = canonical(np.array([[0, 1], [0, 0]]))
    table = compute_offset_map(Connectome(neurons, graph, Coverage(("L5_TTPC2",))), bin_um=50)
    found = table[table["pairs"] > 0].set_index(["aside_um", "up_um"])
    assert found["connections"].to_dict() == {(75.0, -125.0): 1, (75.0, 125.0): 0}


def test_against_every_pair():
    connectome = make_connectome(6, n=45)
    table = compute_offset_map(connectome, bin_um=40, aside_um=200, up_um=160)
    xyz, graph = connectome.positions, connectome.adjacency.toarray()
    pairs = connections = 0
    for i in range(45):
        for j in range(45):
            dx, dy, dz = xyz[j] - xyz[i]
            if i != j and 40 <= np.hypot(dx, dz) < 80 and -80 <= dy < -40:
                pairs += 1
                connections += graph[i, j]
    row = table[(table["aside_um"] == 60) & (table["up_um"] == -60)].iloc[0]
    assert (row["pairs"], row["connections"]) == (pairs, connections) and pairs > 20


def test_a_bin_without_width():
    with pytest.raises(ValueError, match="wider than 0"):
        compute_offset_map(make_connectome(1), bin_um=0)
