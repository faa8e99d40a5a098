"""What other tools see of a connectome is the connectome."""

import sys

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from nmc.connectome import export
from nmc.errors import MissingLibraryError
from test_nulls import make_connectome


@pytest.fixture(scope="module")
def connectome():
    return make_connectome(4, n=50, density=0.15, n_types=4)


@pytest.fixture(scope="module")
def pairs(connectome):
    return set(zip(*(ends.tolist() for ends in connectome.adjacency.nonzero()), strict=True))


def test_scipy_is_a_copy(connectome):
    matrix = export.to_scipy(connectome, float)
    assert matrix.dtype == float and matrix.sum() == connectome.n_connections
    matrix.data[:] = 7
    assert connectome.adjacency.data.all() and connectome.adjacency.dtype == bool


def test_networkx(connectome, pairs):
    graph = export.to_networkx(connectome)
    assert graph.is_directed() and set(graph.edges) == pairs and len(graph) == 50
    last = connectome.neurons.iloc[49]
    assert graph.nodes[49]["mtype"] == last["mtype"] and graph.nodes[49]["y_um"] == last["y_um"]


def test_graphml_is_read_by_networkx(connectome, pairs, tmp_path):
    graph = nx.read_graphml(export.to_graphml(connectome, tmp_path / "c.graphml"))
    assert graph.is_directed() and {(int(a), int(b)) for a, b in graph.edges} == pairs
    for i, neuron in enumerate(connectome.neurons.itertuples()):
        node = graph.nodes[str(i)]
        assert (node["mtype"], node["excitatory"]) == (neuron.mtype, neuron.excitatory)
        assert node["x_um"] == neuron.x_um


def test_parquet(connectome, pairs, tmp_path):
    folder = export.to_parquet(connectome, tmp_path / "out")
    edges = pd.read_parquet(folder / "connections.parquet")
    assert set(zip(edges["pre"], edges["post"], strict=True)) == pairs
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "neurons.parquet"), connectome.neurons)


def test_sonata_is_read_by_libsonata(connectome, pairs, tmp_path):
    libsonata = pytest.importorskip("libsonata")
    config = export.to_sonata(connectome, tmp_path / "sonata")
    circuit = libsonata.CircuitConfig.from_file(str(config))
    nodes = circuit.node_population("nmc")
    everyone = libsonata.Selection([(0, nodes.size)])
    assert list(nodes.get_attribute("mtype", everyone)) == connectome.neurons["mtype"].tolist()
    assert np.allclose(nodes.get_attribute("y", everyone), connectome.neurons["y_um"], rtol=1e-6)
    kinds = np.array(nodes.get_attribute("synapse_class", everyone))
    assert ((kinds == "EXC") == connectome.neurons["excitatory"]).all()
    edges = circuit.edge_population("nmc__nmc__chemical")
    all_edges = libsonata.Selection([(0, edges.size)])
    ends = zip(edges.source_nodes(all_edges), edges.target_nodes(all_edges), strict=True)
    assert {(int(a), int(b)) for a, b in ends} == pairs
    into = edges.afferent_edges([7])
    assert {int(a) for a in edges.source_nodes(into)} == {a for a, b in pairs if b == 7}
    out_of = edges.efferent_edges([7])
    assert {int(b) for b in edges.target_nodes(out_of)} == {b for a, b in pairs if a == 7}


def test_igraph(connectome, pairs):
    igraph = pytest.importorskip("igraph", reason="igraph is in the peers extra")
    graph = export.to_igraph(connectome)
    assert isinstance(graph, igraph.Graph) and graph.is_directed()
    assert set(graph.get_edgelist()) == pairs
    assert graph.vs["mtype"] == connectome.neurons["mtype"].tolist()


@pytest.mark.parametrize("name", ["networkx", "igraph", "libsonata"])
def test_a_missing_library_is_named(connectome, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    call = {
        "networkx": lambda: export.to_networkx(connectome),
        "igraph": lambda: export.to_igraph(connectome),
        "libsonata": lambda: export.to_sonata(connectome, tmp_path),
    }[name]
    with pytest.raises(MissingLibraryError, match=f"{name}: pip install"):
        call()
