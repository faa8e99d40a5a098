"""Whatever a call is given: it answers with a result, or one sentence that shows the way out."""

import inspect
import warnings
from dataclasses import replace

import matplotlib.pyplot as plt
import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.connectome.ensembles import MEASURES
from nmc.connectome.graph import Connectome, Coverage, canonical, make_neurons
from nmc.errors import ArgumentError, ConnectomeError, NMCError
from test_nulls import make_connectome

WING = [name for name, module in nmc._PUBLIC.items() if module.startswith("nmc.connectome")]
TAKERS = [name for name in WING if "connectome" in inspect.signature(getattr(nmc, name)).parameters]
WEIGHTED = ("compute_triad_intensity",)
TABLES = [n for n in WING if n.startswith("plot_") and n not in TAKERS] + [
    "compute_spread", "summarise_paths",
]  # fmt: skip


def call(name, connectome, folder):
    """Call by name with what else the call must have."""
    parameters = inspect.signature(getattr(nmc, name)).parameters
    more = {
        p: v
        for p, v in {"rng": 1, "folder": folder, "dimension": 2, "chosen": []}.items()
        if p in parameters
    }
    if name == "make_null":
        more["kind"] = "erdos_renyi"
    if name in ("to_igraph", "to_sonata"):
        pytest.importorskip({"to_igraph": "igraph", "to_sonata": "libsonata"}[name])
    if name in WEIGHTED and isinstance(connectome, Connectome):
        connectome = connectome.with_weights(np.ones(connectome.n_connections))
    if name == "to_graphml":
        more["path"] = folder / "file.graphml"
    return getattr(nmc, name)(connectome, **more)


def of_size(n):
    mtypes = ("L1_DAC",) if n else ()
    neurons = make_neurons(np.zeros(n, int), np.zeros((n, 3)))
    return Connectome(neurons, canonical(np.zeros((n, n))), Coverage(mtypes), f"of {n}")


def test_every_call_is_looked_at():
    assert len(TAKERS) >= 38 and len(TABLES) >= 15


@pytest.mark.parametrize("name", TAKERS)
def test_what_is_no_connectome_is_named(name, tmp_path):
    for wrong in ("connectome/average/mc2", None, pd.DataFrame({"mtype": ["L1_DAC"]}), np.eye(3)):
        told = f"^{name}: connectome takes Connectome, not {type(wrong).__name__}.$"
        with pytest.raises(ArgumentError, match=told):
            call(name, wrong, tmp_path)


@pytest.mark.parametrize("n", [0, 1, 60])
@pytest.mark.parametrize("name", TAKERS)
def test_nobody_one_and_strangers(name, n, tmp_path):
    """No neuron, one, and many that do not contact each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert call(name, of_size(n), tmp_path) is not None
        except NMCError as error:
            assert n == 0 and name in ("plot_somata", "plot_adjacency", "view_column")
            assert "no neuron to draw" in str(error)
    plt.close("all")


@pytest.mark.parametrize("name", TAKERS)
def test_a_neuron_without_a_position(name, tmp_path):
    """What asks for distances refuses it, all else does not care."""
    whole = make_connectome(3, n=40)
    positions = whole.neurons["y_um"].to_numpy().copy()
    positions[7] = np.nan
    connectome = replace(whole, neurons=whole.neurons.assign(y_um=positions))
    spatial = {
        "compute_distance_profile", "compute_pathway_probability", "compute_offset_map",
        "make_distance_dependent", "make_general_biological", "view_column", "compute_summary",
    }  # fmt: skip
    if name in spatial:
        with pytest.raises(ConnectomeError, match="Neuron 7 has a position"):
            call(name, connectome, tmp_path)
    else:
        call(name, connectome, tmp_path)
    plt.close("all")


@pytest.mark.parametrize("measure", MEASURES)
def test_summaries_of_nobody_and_one(measure):
    for n in (0, 1):
        assert nmc.compute_summary(of_size(n), measure)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "wrong", [None, 3, "x", {}, {"x": None}, pd.DataFrame({"a": [1]})], ids=repr
)
def test_a_table_of_something_else(name, wrong):
    more = {"plot_blocks": ["density"], "plot_ensemble": ["reciprocity"]}.get(name, [])
    first = [0.1, wrong] if name == "plot_against_nulls" else [wrong]
    if name == "plot_triads":
        more = [{"x": pd.DataFrame()}]
    with pytest.raises(NMCError):
        getattr(nmc, name)(*first, *more)
    plt.close("all")


@pytest.mark.parametrize("place", ["occupied/inside", "folder"])
@pytest.mark.parametrize("name", ["to_parquet", "to_graphml", "to_sonata"])
def test_a_place_that_cannot_be_written(name, place, tmp_path):
    (tmp_path / "occupied").touch()
    (tmp_path / "folder" / "connections.parquet").mkdir(parents=True)
    (tmp_path / "folder" / "edges.h5").mkdir()
    if name == "to_sonata":
        pytest.importorskip("libsonata")
    with pytest.raises(ConnectomeError, match="choose another place"):
        getattr(nmc, name)(make_connectome(1), tmp_path / place)
    with pytest.raises(ConnectomeError, match="is a path"):
        getattr(nmc, name)(make_connectome(1), None)


def test_groups_that_are_not_groups():
    connectome = make_connectome(1, n=1200, density=0.001)
    with pytest.raises(ConnectomeError, match="too many for groups"):
        nmc.compute_convergence(connectome, by="x_um")


@pytest.mark.parametrize("load", [nmc.load_connectome, nmc.connectome_file])
@pytest.mark.parametrize("what", [None, "", 3, "no/such.h5", "connectome/average/mc9"], ids=repr)
def test_what_names_no_connectome(load, what):
    with pytest.raises(NMCError, match="connectome"):
        load(what)
