"""A connectome of one's own: made from anything, measured and drawn like the portal's, and back."""

import inspect
import json
import warnings

import h5py
import matplotlib.pyplot as plt
import networkx as nx
import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.connectome import nulls
from nmc.connectome.build import (
    from_edges,
    from_graphml,
    from_networkx,
    from_parquet,
    from_sonata,
    make_connectome,
)
from nmc.connectome.export import to_graphml, to_networkx, to_parquet, to_scipy, to_sonata
from nmc.errors import ConnectomeError, FormatError, MissingFileError
from scipy import sparse
from test_bad_input import TAKERS, call
from test_nulls import make_connectome as portal_like

N = 24


def own(positions=True, seed=2):
    """Types and layers of the reader's own, in no order, and three more columns."""
    rng = np.random.default_rng(seed)
    graph = rng.random((N, N)) < 0.2
    np.fill_diagonal(graph, False)
    return make_connectome(
        graph,
        rng.choice(["Pyr", "PV+", "O'LM <1>"], N),
        rng.uniform(0, 300, (N, 3)) if positions else None,
        layers=rng.choice(["oriens", "pyramidale"], N),
        excitatory=rng.random(N) < 0.5,
        columns={"area": rng.choice(["CA1", "CA3"], N), "age_ms": rng.random(N),
                 "visits": np.arange(N), "kept": rng.random(N) < 0.3},
        name="own",
    )  # fmt: skip


def same(one, other):
    """Same connections, and every column with the same values."""
    assert (one.adjacency != other.adjacency).nnz == 0
    assert set(one.neurons) == set(other.neurons)
    for name, column in one.neurons.items():
        there = other.neurons[name]
        assert [None if pd.isna(v) else v for v in column] == [
            None if pd.isna(v) else v for v in there
        ], name
    for name in ("mtype", "layer"):
        assert one.neurons[name].cat.ordered and other.neurons[name].cat.ordered
    assert set(one.mtypes) == set(other.mtypes)


WAYS = {
    "scipy": lambda c, _: make_connectome(
        to_scipy(c), c.neurons["mtype"], c.positions, layers=c.neurons["layer"],
        excitatory=c.neurons["excitatory"],
        columns=c.neurons.drop(columns=["mtype", "layer", "excitatory", "x_um", "y_um", "z_um"]),
    ),
    "networkx": lambda c, _: from_networkx(to_networkx(c)),
    "GraphML": lambda c, folder: from_graphml(to_graphml(c, folder / "c.graphml")),
    "GraphML by networkx": lambda c, folder: (
        nx.write_graphml(to_networkx(c), folder / "n.graphml"),
        from_graphml(folder / "n.graphml"),
    )[1],
    "Parquet": lambda c, folder: from_parquet(to_parquet(c, folder / "p")),
    "SONATA": lambda c, folder: from_sonata(to_sonata(c, folder / "s", "pop")),
    "CSV": lambda c, folder: _through_csv(c, folder),
}  # fmt: skip


def _through_csv(connectome, folder):
    pre, post = connectome.adjacency.nonzero()
    pd.DataFrame({"pre": pre, "post": post}).to_csv(folder / "edges.csv", index=False)
    connectome.neurons.to_csv(folder / "neurons.csv", index=False)
    return from_edges(folder / "edges.csv", folder / "neurons.csv")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["own", "portal's"])
def test_round_trips_keep_every_column(way, kind, tmp_path):
    if way == "SONATA":
        pytest.importorskip("libsonata")
    connectome = own() if kind == "own" else portal_like(3, n=30)
    same(connectome, WAYS[way](connectome, tmp_path))


def test_parquet_keeps_name_origin_coverage_and_instance(tmp_path):
    connectome = nmc.load_connectome("connectome/average/mc0").subset(layer="L1")
    again = from_parquet(to_parquet(connectome, tmp_path))
    same(connectome, again)
    for what in ("name", "origin", "coverage", "instance", "mtypes"):
        assert getattr(again, what) == getattr(connectome, what)


@pytest.mark.parametrize("name", [n for n in TAKERS if n != "to_igraph"])
def test_every_call_takes_own_types(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(name, own(), tmp_path) is not None
    plt.close("all")


@pytest.mark.parametrize("by", ["mtype", "layer", "area", "kept"])
def test_every_by_takes_own_columns(by):
    connectome = own()
    for name in TAKERS:
        takes = inspect.signature(getattr(nmc, name)).parameters
        # A picture of its own, and a call that takes chosen neurons besides.
        if "by" in takes and name not in ("view_column", "make_matched_sample"):
            table = getattr(nmc, name)(connectome, by=by)
            if isinstance(table, pd.DataFrame) and "pre" in table:
                assert set(table["pre"]) == set(connectome.neurons[by])


def test_numbers_are_those_of_the_matrix():
    matrix = np.array([[1, 2, 0], [0, 0, 1], [1, 0, 0]])
    connectome = make_connectome(matrix, ["a", "b", "a"], columns={"tag": [1, 2, 3]})
    assert connectome.adjacency.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert connectome.coverage.self_connections == 1 and connectome.mtypes == ("a", "b")
    assert connectome.groups.tolist() == [0, 1, 0]
    assert nmc.compute_convergence(connectome)["connections"].tolist() == [1, 1, 1, 0]
    assert connectome.neurons["excitatory"].isna().all()
    assert connectome.subset(mtype="a").neurons["tag"].tolist() == [1, 3]
    assert connectome.subset(excitatory=True).n_neurons == 0
    assert make_connectome(sparse.coo_array(matrix)).mtypes == ("neuron",)


def test_the_portal_s_types_bring_layer_and_sign():
    connectome = make_connectome(np.zeros((3, 3)), ["L5_TTPC2", "L1_SAC", "L23_PC"])
    assert connectome.mtypes == ("L1_SLAC", "L23_PC", "L5_TTPC2")
    assert connectome.neurons["layer"].tolist() == ["L5", "L1", "L23"]
    assert connectome.neurons["excitatory"].tolist() == [True, False, True]
    assert connectome.subset(layer="L2/3").n_neurons == 1


@pytest.mark.parametrize("kind", nulls.NULLS)
def test_nulls_keep_own_neurons(kind):
    connectome = own()
    null = nulls.make_null(connectome, kind, rng=1)
    assert null.neurons is connectome.neurons
    assert null.n_connections == connectome.n_connections


def test_edges_by_names_and_neurons_without_connections():
    edges = pd.DataFrame({"from": ["b", "b", "a"], "to": ["a", "a", "c"], "weight": [1, 2, 3]})
    cells = pd.DataFrame({"id": ["c", "b", "a", "d"], "type": list("ppii")})
    connectome = from_edges(edges, cells, pre="from", post="to")
    assert [list(map(int, pair)) for pair in zip(*connectome.adjacency.nonzero(), strict=True)] == [
        [1, 2],
        [2, 0],
    ]
    assert connectome.neurons["id"].tolist() == list("cbad") and connectome.mtypes == ("p", "i")
    alone = from_edges(edges, pre="from", post="to")
    assert alone.neurons["id"].tolist() == list("abc") and alone.n_connections == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_connectome([[0, 1]]), "list is no adjacency"),
        (lambda: make_connectome(np.zeros((2, 3))), "must be square"),
        (lambda: make_connectome(np.full((2, 2), np.nan)), "what is no number"),
        (lambda: make_connectome(np.full((2, 2), "x")), "what is no number"),
        (lambda: make_connectome(np.zeros((2, 2)), ["a"]), "2 neurons, but 1 values of mtype"),
        (lambda: make_connectome(np.zeros((2, 2)), "ab"), "a value for each of 2 neurons"),
        (lambda: make_connectome(np.zeros((2, 2)), ["a", None]), "Neuron 1 has no type"),
        (lambda: make_connectome(np.zeros((2, 2)), None, np.zeros((2, 2))), "Positions have shape"),
        (lambda: make_connectome(np.zeros((2, 2)), excitatory=["up", "EXC"]), "EXC, INH or unk"),
        (lambda: make_connectome(np.zeros((2, 2)), columns={"x_um": [0, np.inf]}), "x_um"),
        (lambda: from_edges(pd.DataFrame({"a": [1]})), "no column 'pre'"),
        (lambda: from_edges(pd.DataFrame({"pre": [0], "post": [9]}), pd.DataFrame({"q": [1]})),
         "names neuron 9"),
        (lambda: from_edges(pd.DataFrame({"pre": [0], "post": [0]}), pd.DataFrame({"id": [0, 0]})),
         "that of another neuron"),
        (lambda: from_edges(pd.DataFrame({"pre": [0], "post": [0]}),
                            pd.DataFrame({"gid": [7]}), id="gdi"), "no column 'gdi'"),
        (lambda: from_edges(pd.DataFrame({"a": [1]}), pre="a", post="a"), "has two ends"),
        (lambda: from_edges(pd.DataFrame({"pre": [[0]], "post": [1]})),
         r"by a text or a number, not by the list \[0\] of the column 'pre'"),
        (lambda: from_edges(pd.DataFrame({"pre": [0], "post": [0]}),
                            pd.DataFrame({"id": [{0}]})), "not by the set"),
        (lambda: from_edges(pd.DataFrame({"pre;post": ["0;1"]})), "separator"),
        (lambda: make_connectome(np.zeros((1, 1)), positions=[["a", 0, 0]]), "'a' is not a num"),
        (lambda: from_networkx(nx.path_graph(3)), "no direction"),
        (lambda: from_graphml(None), "is a path"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_connectome_is_one_clear_error(make, message):
    with pytest.raises(ConnectomeError, match=message):
        make()


@pytest.mark.parametrize("read", [from_graphml, from_sonata, from_edges, from_parquet])
def test_files_that_are_not_there_or_something_else(read, tmp_path):
    with pytest.raises(MissingFileError, match="There is no file"):
        read(tmp_path / "nowhere")
    for name in ("neurons.parquet", "connections.parquet"):
        (tmp_path / name).write_bytes(b"\x00\xff not a file of any kind <")
    what = tmp_path if read is from_parquet else tmp_path / "neurons.parquet"
    with pytest.raises(FormatError, match="neurons.parquet"):
        read(what)


UNKNOWN = {
    "tag": ["x", None] * (N // 2),
    "n": pd.array([1, None] * (N // 2), dtype="Int64"),
    "kind": pd.Categorical(["p", None] * (N // 2)),
}


@pytest.mark.parametrize("way", WAYS)
def test_round_trips_keep_what_is_unknown_of_a_neuron(way, tmp_path):
    if way == "SONATA":
        pytest.importorskip("libsonata")
    graph = np.roll(np.eye(N), 1, axis=1)
    connectome = make_connectome(graph, ["a", "b"] * (N // 2), np.ones((N, 3)), columns=UNKNOWN)
    same(connectome, WAYS[way](connectome, tmp_path))


def test_parquet_keeps_dates(tmp_path):
    days = pd.Series(pd.to_datetime(["2020-01-01", None]))
    dated = make_connectome(np.zeros((2, 2)), columns={"when": days})
    found = from_parquet(to_parquet(dated, tmp_path)).neurons["when"]
    assert found.dtype == days.dtype and found.equals(days)


def test_sonata_tells_an_empty_text_from_none_and_keeps_kinds_of_numbers(tmp_path):
    pytest.importorskip("libsonata")
    columns = {
        "note": ["", None, "x?"],
        "small": np.array([1, -2, 3], np.int8),
        "some": pd.array([1, None, 3], dtype="Int8"),
        "sure": pd.array([True, None, False], dtype="boolean"),
        "half": np.array([0.5, np.nan, 2], np.float32),
    }
    connectome = make_connectome(np.zeros((3, 3)), positions=np.ones((3, 3)), columns=columns)
    config = to_sonata(connectome, tmp_path)
    again = from_sonata(config)
    same(connectome, again)
    kinds = ["small", "some", "sure", "half"]
    assert again.neurons[kinds].dtypes.tolist() == connectome.neurons[kinds].dtypes.tolist()
    with h5py.File(tmp_path / "nodes.h5", "a") as file:
        file["nodes/nmc/0/small"].attrs["nmc_dtype"] = "rocket"
    with pytest.raises(FormatError, match="circuit_config.json: .* of its nodes is damaged"):
        from_sonata(config)


def test_ids_with_zeros_in_front_are_those_of_other_neurons(tmp_path):
    edges, cells = tmp_path / "edges.csv", tmp_path / "cells.csv"
    edges.write_text("pre,post\n01,1\n1,2\n")
    alone = from_edges(edges)
    assert alone.neurons["id"].tolist() == ["01", "1", "2"] and alone.n_connections == 2
    cells.write_text("id,type\n01,p\n1,i\n2,i\n")
    both = from_edges(edges, cells)
    assert both.neurons["id"].tolist() == ["01", "1", "2"]
    assert both.adjacency.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    cells.write_text("id,type\n1,p\n2,i\n")
    with pytest.raises(ConnectomeError, match="names neuron 01, which is not in the table"):
        from_edges(edges, cells)
    edges.write_text("pre,post\n1,0\n")
    assert from_edges(edges).neurons["id"].tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["coo", "csr", "csc", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_every_sparse_matrix_is_an_adjacency(kind, dtype):
    given = np.array([[0, 1, 0], [0, 0, 3], [0, 0, 0]]).astype(dtype)
    connectome = make_connectome(getattr(sparse, f"{kind}_array")(given), weights=True)
    assert connectome.adjacency.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert connectome.weight_matrix.toarray().tolist() == given.astype(float).tolist()


def test_a_place_listed_twice_adds_up_beyond_its_dtype():
    """128 + 128 is 0 in a byte, which would be no connection at all."""
    twice = sparse.coo_array((np.array([128, 128], np.uint8), ([0, 0], [1, 1])), shape=(2, 2))
    assert make_connectome(twice).n_connections == 1
    assert make_connectome(twice, weights=True).weights.tolist() == [256]
    again = make_connectome(np.zeros((2, 2))).with_adjacency(twice, "twice")
    assert again.n_connections == 1 and twice.nnz == 2
    half = np.array([[0, 1.5], [0, 0]], np.float16)
    assert make_connectome(half, weights=True).weights.tolist() == [1.5]


def test_neurons_go_by_names_and_numbers_at_once():
    connectome = from_edges(pd.DataFrame({"pre": ["a", 1], "post": [1, "b"]}))
    assert connectome.neurons["id"].tolist() == [1, "a", "b"]
    assert connectome.adjacency.toarray().tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_what_a_format_cannot_hold_is_said(tmp_path):
    mixed = make_connectome(np.zeros((2, 2)), columns={"tag": [1, "a"]})
    with pytest.raises(ConnectomeError, match="one kind of value a column.*tag"):
        to_parquet(mixed, tmp_path)
    for values in (
        pd.to_datetime(["2020-01-01", None]), pd.to_timedelta([1, 2], "s"), [(1, 2), "x"], [1j, 2],
        pd.Categorical([1, 2]), pd.period_range("2020", periods=2, freq="M"),
    ):  # fmt: skip
        told = make_connectome(np.zeros((2, 2)), columns={"when": values})
        for write in (to_graphml, to_sonata):
            with pytest.raises(ConnectomeError, match="holds numbers, yes or no, and text.*'when'"):
                write(told, tmp_path / "there")
    pytest.importorskip("libsonata")
    with pytest.raises(ConnectomeError, match="names without '/', not 'E/I'"):
        to_sonata(make_connectome(np.zeros((2, 2)), columns={"E/I": [1, 2]}), tmp_path)


def test_sonata_of_others_has_variables_in_variables_and_files_of_many_populations(tmp_path):
    """As the circuits of the Allen Institute: $NETWORK_DIR is "$BASE_DIR/network"."""
    pytest.importorskip("libsonata")
    first, second = own(), own(seed=5)
    config = json.loads(to_sonata(first, tmp_path / "network/v1", "v1").read_text())
    more = json.loads(to_sonata(second, tmp_path / "network/lgn", "lgn").read_text())
    config["manifest"] = {"$BASE_DIR": ".", "$NET": "no", "$NETWORK_DIR": "$BASE_DIR/network"}
    config["networks"] = {
        kind: [
            {**listed[kind][0], f"{kind}_file": f"$NETWORK_DIR/{population}/{kind}.h5"}
            for population, listed in (("v1", config["networks"]), ("lgn", more["networks"]))
        ]
        for kind in ("nodes", "edges")
    }
    path = tmp_path / "circuit_config.json"
    path.write_text(json.dumps(config))
    same(first, from_sonata(path, "v1"))
    same(second, from_sonata(path, "lgn"))
    with pytest.raises(FormatError, match="no node population None, but v1, lgn"):
        from_sonata(path)


def test_graphml_has_values_for_all_that_say_none(tmp_path):
    (tmp_path / "g.graphml").write_text(
        """<graphml><key id="w" for="edge" attr.name="weight" attr.type="int"><default>2</default>
        </key><key id="t" for="node" attr.name="type"><default>PC</default></key>
        <graph edgedefault="directed"><node id="a"/><node id="b"><data key="t">BC</data></node>
        <edge source="a" target="b"/><edge source="b" target="a"><data key="w">5</data></edge>
        </graph></graphml>"""
    )
    connectome = from_graphml(tmp_path / "g.graphml")
    assert connectome.neurons["mtype"].tolist() == ["PC", "BC"]
    assert connectome.weight_matrix.toarray().tolist() == [[0, 2], [5, 0]]
    (tmp_path / "page.graphml").write_text("<html><body/></html>")
    with pytest.raises(FormatError, match="page.graphml is no GraphML"):
        from_graphml(tmp_path / "page.graphml")


def test_graphml_of_others(tmp_path):
    graph = nx.DiGraph([("x", "y"), ("y", "z")])
    nx.set_node_attributes(graph, {"x": "Pyr", "y": "PV", "z": "PV"}, "cell_type")
    nx.write_graphml(graph, tmp_path / "g.graphml")
    connectome = from_graphml(tmp_path / "g.graphml")
    assert connectome.neurons["node"].tolist() == ["x", "y", "z"]
    assert connectome.neurons["mtype"].tolist() == ["Pyr", "PV", "PV"]
    nx.write_graphml(nx.path_graph(3), tmp_path / "u.graphml")
    with pytest.raises(FormatError, match="no direction"):
        from_graphml(tmp_path / "u.graphml")


def test_a_figure_without_positions_says_so():
    with pytest.raises(ConnectomeError, match="No neuron has a position"):
        nmc.plot_somata(own(positions=False))
    with pytest.raises(ConnectomeError, match="has a position that is no finite"):
        nmc.compute_distance_profile(own(positions=False))
