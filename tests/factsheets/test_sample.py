"""The readers on the synthetic portal, whose truth is known; its files take the same road."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import nmc
import numpy as np
import pytest
from nmc import names, style
from nmc.errors import UnknownNameError
from nmc.factsheets import models, plots


@pytest.fixture(autouse=True)
def sample(monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", "sample")


def test_every_reader_finds_every_row():
    sizes = {
        nmc.load_layers: 5, nmc.load_mtypes: 55, nmc.load_etypes: 11, nmc.load_metypes: 207,
        nmc.load_models: 1035, nmc.load_pathways: 1932, nmc.load_circuit: 30,
    }  # fmt: skip
    for load, size in sizes.items():
        assert len(load()) == size, load.__name__


def test_the_circuit_is_read_from_the_file_and_agrees_with_the_page():
    assert nmc.available("sheet/circuit") and nmc.available("page/circuit")
    one, other = (nmc.load_circuit(nmc.fetch(f"{kind}/circuit")) for kind in ("sheet", "page"))
    assert nmc.load_circuit().equals(one)
    assert (one["quantity"] == other["quantity"]).all()
    assert np.allclose(one["value"], other["value"], rtol=1e-4)


def test_models_take_the_resting_values_of_the_summary():
    table = nmc.load_models(step_currents=False).set_index("model")
    summary = json.loads(nmc.fetch("sheet/models").read_text())
    for column, field in zip(models.PHYSIOLOGY, ("Rmp", "Rin", "Tau"), strict=True):
        printed = [float(summary[model][field]) for model in table.index]
        assert table[column].tolist() == printed, column


def test_counts_of_types_add_up():
    metypes, mtypes = nmc.load_metypes(), nmc.load_mtypes()
    sums = metypes.groupby("mtype", observed=False)["n_neurons"].sum()
    assert (sums.to_numpy() == mtypes["n_neurons"].to_numpy()).all()


def test_step_currents_only_where_a_package_is_at_hand():
    from nmc.data import local

    table = nmc.load_models().set_index("model")
    at_hand = [name for name in table.index if local(f"model/{name}")]
    assert table["step1_current_nA"].notna().sum() == len(at_hand)


def _axes(drawn):
    return np.ravel(drawn)[0]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.plot_layers(nmc.load_layers(), "dendritic_length_um"),
        lambda: plots.plot_density(nmc.load_circuit()),
        lambda: plots.plot_mtypes(nmc.load_mtypes()),
        lambda: plots.plot_metypes(nmc.load_metypes()),
        lambda: plots.plot_composition(nmc.load_metypes()),
        lambda: plots.plot_by_type(
            nmc.load_models(step_currents=False), "input_resistance_MOhm", "etype"
        ),
        lambda: plots.plot_pathways(nmc.load_pathways(), "convergence_mean", log=True),
        lambda: plots.plot_pathways(nmc.load_pathways()),
        lambda: plots.plot_pathways(nmc.load_pathways(), "s_type"),
        lambda: plots.plot_dynamics(nmc.load_pathways()),
        lambda: plots.plot_by_type(nmc.load_pathways(), "gsyn_mean_nS", "s_type"),
        lambda: plots.plot_flow(nmc.load_pathways(), "total_synapse_count"),
    ],
)
def test_figures_draw_and_say_where_their_data_come_from(draw):
    before = dict(plt.rcParams)
    figure = _axes(draw()).figure
    figure.canvas.draw()
    notes = [text.get_text() for text in figure.texts if text.get_gid() == style.NOTE_GID]
    assert notes == ["Data: synthetic sample, invented numbers"]
    assert dict(plt.rcParams) == before
    plt.close(figure)


def test_each_mtype_has_its_line_in_one_half_of_the_figure():
    axes = plots.plot_mtypes(nmc.load_mtypes()).figure.axes
    shown = [label.get_text() for ax in axes for label in ax.get_yticklabels()]
    assert sorted(shown) == sorted(name.split("_", 1)[1] for name in names.MTYPES)
    assert [len(ax.get_yticks()) for ax in axes] == [28, 27]
    plt.close(axes[0].figure)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.plot_layers(nmc.load_layers(), "n_neuron"),
        lambda: plots.plot_mtypes(nmc.load_mtypes(), "n_neuron"),
        lambda: plots.plot_by_type(nmc.load_pathways(), "latency_ms", "s_type"),
        lambda: nmc.pathway_matrix(nmc.load_pathways(), "latency_ms"),
        lambda: nmc.layer_flow(nmc.load_pathways(), "latency_ms"),
    ],
)
def test_a_column_that_is_none_is_named_and_the_nearest_suggested(draw):
    with pytest.raises(UnknownNameError, match=r"no column .* Did you mean"):
        draw()
    plt.close("all")


def test_a_given_axes_is_drawn_on():
    figure, ax = plt.subplots()
    assert plots.plot_layers(nmc.load_layers(), ax=ax) is ax
    plt.close(figure)


def test_the_flow_counts_every_pathway_once():
    pathways = nmc.load_pathways()
    assert nmc.layer_flow(pathways).to_numpy().sum() == len(pathways)
    total = nmc.layer_flow(pathways, "total_synapse_count").to_numpy().sum()
    assert total == pathways["total_synapse_count"].sum()
