"""Every figure draws what it was given, on the axes it was given, and leaves no setting behind."""

import matplotlib.pyplot as plt
import nmc
import numpy as np
import pandas as pd
import pytest
from nmc import names
from nmc.connectome import plots, plots_topology
from test_nulls import make_connectome


@pytest.fixture(scope="module")
def connectome():
    return make_connectome(5, n=80, density=0.15, n_types=4)


def drawn(connectome):
    rng = np.random.default_rng(0)
    null = nmc.make_erdos_renyi(connectome, rng=rng)
    degrees = nmc.compute_degrees(connectome)
    triads = nmc.count_triads(connectome)
    return {
        "somata": lambda ax: plots.plot_somata(connectome, ax),
        "adjacency": lambda ax: plots.plot_adjacency(connectome, ax),
        "degrees": lambda ax: plots_topology.plot_degrees(
            degrees, ax, null=nmc.compute_degrees(null)
        ),
        "by type": lambda ax: plots_topology.plot_degrees_by_type(degrees, "out_degree", ax),
        "distance": lambda ax: plots.plot_distance(nmc.compute_distance_profile(connectome), ax),
        "nulls": lambda ax: plots.plot_against_nulls(0.1, {"a": [0.1, 0.2]}, ax),
        "blocks": lambda ax: plots.plot_blocks(
            nmc.compute_block_densities(connectome), "density", ax
        ),
        "mixing": lambda ax: nmc.plot_mixing(nmc.compute_mixing(connectome, [0, 1], rng=rng), ax),
        "triads": lambda ax: plots_topology.plot_triads(triads, {"x": triads.to_frame().T}, ax),
        "neighbours": lambda ax: plots_topology.plot_common_neighbours(
            nmc.count_common_neighbours(connectome), ax
        ),
        "paths": lambda ax: plots_topology.plot_path_lengths(
            {"x": nmc.compute_path_lengths(connectome)}, ax
        ),
        "simplices": lambda ax: plots_topology.plot_simplices(
            {"x": nmc.count_simplices(connectome)}, ax
        ),
        "rich club": lambda ax: plots_topology.plot_rich_club(
            nmc.compute_rich_club(connectome, [nmc.make_degree_preserving(connectome, rng=rng)]),
            ax,
        ),
        "offsets": lambda ax: nmc.plot_offset_map(nmc.compute_offset_map(connectome), ax),
    }


NAMES = ["somata", "adjacency", "degrees", "by type", "distance", "nulls", "blocks", "mixing",
         "triads", "neighbours", "paths", "simplices", "rich club", "offsets"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_draws_on_the_given_axes(connectome, name):
    before = dict(plt.rcParams)
    figure, ax = plt.subplots()
    assert drawn(connectome)[name](ax) is ax
    assert ax.has_data() and (ax.get_xlabel() or ax.get_ylabel())
    assert dict(plt.rcParams) == before
    figure.canvas.draw()
    plt.close(figure)


def test_values_reach_the_figure(connectome):
    profile = nmc.compute_distance_profile(connectome, bin_um=100)
    ax = plots.plot_distance(profile)
    x, y = ax.lines[0].get_data()
    many = profile[profile["pairs"] >= 30]
    assert len(many) and np.allclose(y, 100 * many["probability"])
    assert np.allclose(x, many["from_um"] + 50)
    plt.close(ax.figure)


def test_triads_a_null_never_showed_have_no_point(connectome):
    triads = nmc.count_triads(connectome)
    null = triads.to_frame().T * 2
    null["300"] = 0
    ax = plots_topology.plot_triads(triads, {"x": null})
    y = ax.lines[0].get_ydata()
    assert np.isnan(y[-1]) and np.allclose(y[:4], 0.5)
    plt.close(ax.figure)


def test_many_types_stand_in_two_columns_and_none_is_left_out():
    layers = [names.layer_of(mtype) for mtype in names.MTYPES]
    table = pd.DataFrame({"mtype": names.MTYPES, "layer": layers, "in_degree": range(55)})
    table["excitatory"] = True
    axes = plots_topology.plot_degrees_by_type(table).figure.axes
    shown = [label.get_text() for ax in axes for label in ax.get_yticklabels()]
    assert len(axes) == 2 and shown == sorted(names.MTYPES)
    medians = [line.get_xdata()[0] for ax in axes for line in ax.lines[1::2]]
    assert medians == [list(names.MTYPES).index(mtype) for mtype in shown]
    plt.close(axes[0].figure)
