"""The landing picture shows every neuron and every partner of the one it picks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb
from nmc import portrait, style
from scipy.sparse import csr_array


@pytest.fixture
def connectome():
    """Four neurons; number 2 has three connections, number 0 is the only L5_TTPC1."""
    edges = [(0, 1), (2, 1), (2, 3), (3, 2)]
    adjacency = csr_array((np.ones(4), np.array(edges).T), shape=(4, 4))
    neurons = pd.DataFrame(
        {
            "mtype": ["L5_TTPC1", "L6_BP", "L6_BP", "L1_DAC"],
            "layer": ["L5", "L6", "L6", "L1"],
            "x_um": [0.0, 10, -10, 5],
            "y_um": [900.0, 300, 200, 2000],
            "z_um": [0.0, 0, 50, -5],
        }
    )
    return SimpleNamespace(neurons=neurons, adjacency=adjacency)


def test_the_best_connected_of_the_type_or_of_all(connectome):
    assert portrait._best_connected(connectome, "L5_TTPC1") == 0
    assert portrait._best_connected(connectome, "L6_BP") == 2
    assert portrait._best_connected(connectome, "L4_PC") == 2


def test_inputs_and_outputs_are_drawn_as_the_matrix_has_them(connectome, monkeypatch):
    monkeypatch.setattr(portrait, "_draw_branches", lambda ax, package, soma: soma[None])
    package = SimpleNamespace(mtype="L6_BP")
    ax = portrait.plot_portrait(connectome, package)
    arcs = [len(collection.get_segments()) for collection in ax.collections[1::2]]
    assert arcs == [1, 2], "one input, two outputs of neuron 2"
    first = ax.collections[1].get_segments()[0]
    np.testing.assert_allclose(first[[0, -1]], [[200, -10 + 0.8 * 50], [2000, 5 - 0.8 * 5]])


def test_the_picture_fills_its_frame(connectome, monkeypatch):
    """The axes cover the figure, and the same scale both ways leaves no empty band."""
    monkeypatch.setattr(portrait, "_draw_branches", lambda ax, package, soma: soma[None])
    ax = portrait.plot_portrait(connectome, SimpleNamespace(mtype="L6_BP"))
    ax.figure.canvas.draw()
    assert ax.get_position().bounds == pytest.approx((0, 0, 1, 1))
    assert ax.get_xlim()[0] < 200 and ax.get_xlim()[1] > 2000


@pytest.mark.parametrize("own", [portrait._INPUT, portrait._OUTPUT])
def test_lines_have_a_hue_that_no_layer_has(own):
    """30 degrees of 360 is the distance of red from orange."""
    hue = lambda colour: 360 * rgb_to_hsv(to_rgb(colour))[0]  # noqa: E731
    for layers in (portrait._LAYERS, style.LAYER_COLOURS):
        for colour in layers.values():
            apart = abs(hue(own) - hue(colour))
            assert min(apart, 360 - apart) > 30, colour
