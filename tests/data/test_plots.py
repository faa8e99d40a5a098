"""The picture of what there is to fetch."""

from __future__ import annotations

import matplotlib.pyplot as plt
import nmc
import numpy as np
import pytest
from nmc import names


@pytest.fixture
def points():
    def draw() -> np.ndarray:
        ax = nmc.plot_package_sizes()
        found = np.asarray(ax.collections[0].get_offsets())
        plt.close(ax.figure)
        return found

    return draw


def test_every_package_is_one_point_in_the_row_of_its_layer(points):
    drawn = points()
    catalogue = nmc.catalogue()
    models = catalogue[catalogue.index.str.startswith("model/")]
    layers = [names.LAYERS[round(row)] for row in drawn[:, 1]]
    assert layers == [names.parse_model(key.removeprefix("model/")).layer for key in models.index]
    assert drawn[:, 0] == pytest.approx(models["size_bytes"].astype(float).to_numpy() / 1e6)


def test_the_figure_is_the_same_whatever_was_drawn_before(points):
    np.random.seed(1)  # noqa: NPY002 - the global generator, which a figure must not depend on
    first = points()
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(points(), first)
