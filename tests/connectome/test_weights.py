"""Weights, such as synapses per connection: carried, chosen, added up, and written out."""

from itertools import product

import h5py
import networkx as nx
import nmc
import numpy as np
import pandas as pd
import pytest
from connectome_files import SIZES, write_file
from nmc.errors import ConnectomeError, FormatError
from scipy import sparse


def matrix(n=30, seed=3, whole=True):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 9, (n, n)) if whole else rng.uniform(0.5, 2.0, (n, n))
    values = values * (rng.random((n, n)) < 0.2)
    np.fill_diagonal(values, 0)
    return values


def weighted(whole=True):
    types = ["a", "b", "c"] * 10
    return nmc.make_connectome(matrix(whole=whole), types, weights=True, name="own")


def dense(connectome):
    return nmc.to_scipy(connectome, float, weights=True).toarray()


def by_edges(connectome, folder):
    pre, post = connectome.adjacency.nonzero()
    edges = pd.DataFrame({"pre": pre, "post": post, "synapses": connectome.weights})
    edges.sample(frac=1, random_state=1).to_csv(folder / "edges.csv", index=False)
    return nmc.from_edges(folder / "edges.csv", connectome.neurons, weight="synapses")


def by_sonata(connectome, folder):
    pytest.importorskip("libsonata")
    return nmc.from_sonata(nmc.to_sonata(connectome, folder / "sonata"))


WAYS = {
    "parquet": lambda c, folder: nmc.from_parquet(nmc.to_parquet(c, folder / "p")),
    "graphml": lambda c, folder: nmc.from_graphml(nmc.to_graphml(c, folder / "g")),
    "networkx": lambda c, _: nmc.from_networkx(nmc.to_networkx(c)),
    "edges": by_edges,
    "sonata": by_sonata,
    "scipy": lambda c, _: nmc.make_connectome(nmc.to_scipy(c, float, weights=True), weights=True),
}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_there_and_back(way, whole, tmp_path):
    there = weighted(whole)
    back = WAYS[way](there, tmp_path)
    assert (dense(back) == matrix(whole=whole)).all()
    assert back.weights.dtype == there.weights.dtype == (np.int64 if whole else float)


@pytest.mark.parametrize("way", ["parquet", "graphml", "networkx", "sonata"])
def test_without_weights_there_are_none_afterwards(way, tmp_path):
    plain = nmc.make_connectome(matrix(), ["a", "b", "c"] * 10)
    back = WAYS[way](plain, tmp_path)
    assert back.weights is None and (back.adjacency != plain.adjacency).nnz == 0
    with pytest.raises(ConnectomeError, match="weights of .* are unknown"):
        nmc.to_scipy(back, weights=True)


def test_parts_keep_theirs_and_nulls_have_none():
    connectome, keep = weighted(), np.array([20, 3, 4, 11, 29])
    assert (dense(connectome.select(keep)) == matrix()[np.ix_(np.sort(keep), np.sort(keep))]).all()
    some = connectome.subset(mtype=["a", "b"])
    rows = np.flatnonzero(np.arange(30) % 3 < 2)
    assert (dense(some) == matrix()[np.ix_(rows, rows)]).all()
    assert nmc.make_erdos_renyi(connectome, rng=1).weights is None


def test_rows_of_the_same_two_neurons_add_up():
    edges = pd.DataFrame({"pre": [0, 1, 0, 1], "post": [1, 0, 1, 1], "n": [2, 5, 3, 7]})
    connectome = nmc.from_edges(edges, weight="n")
    assert dense(connectome).tolist() == [[0, 5], [5, 0]]
    assert connectome.coverage.self_connections == 1
    graph = nx.MultiDiGraph()
    graph.add_weighted_edges_from([(0, 1, 2.0), (0, 1, 1.5)])
    assert dense(nmc.from_networkx(graph)).tolist() == [[0, 3.5], [0, 0]]


def test_sonata_counts_edges_where_it_says_nothing_else(tmp_path):
    """Most SONATA circuits hold an edge a synapse."""
    libsonata = pytest.importorskip("libsonata")
    plain = nmc.make_connectome(np.roll(np.eye(4), 1, axis=1))
    config = nmc.to_sonata(plain, tmp_path)
    with h5py.File(tmp_path / "edges.h5", "r+") as file:
        group = file["edges/nmc__nmc__chemical"]
        del group["indices"]
        for name in list(group):
            if isinstance(group[name], h5py.Dataset):
                doubled = np.append(group[name][()], group[name][:1])
                told = dict(group[name].attrs)
                del group[name]
                group[name] = doubled
                group[name].attrs.update(told)
    assert libsonata.EdgeStorage(str(tmp_path / "edges.h5")).open_population("nmc__nmc__chemical")
    back = nmc.from_sonata(config)
    assert sorted(back.weights.tolist()) == [1, 1, 1, 2]
    assert back.n_connections == 4


@pytest.mark.parametrize(
    "wrong", [[1, 2], np.zeros(4), [1, 2, 3, np.nan], ["x"] * 4, [True] * 4, "abc", None]
)
def test_weights_that_are_none(wrong):
    ring = nmc.make_connectome(np.roll(np.eye(4), 1, axis=1))
    with pytest.raises(ConnectomeError, match=r"[Ww]eights"):
        ring.with_weights(wrong)


def test_weights_of_ones_own():
    ring = nmc.make_connectome(np.roll(np.eye(4), 1, axis=1)).with_weights([1, 2, 3, 4.5])
    assert dense(ring)[2, 3] == 3 and dense(ring)[3, 0] == 4.5
    with pytest.raises(ConnectomeError, match="no finite number"):
        nmc.make_connectome(sparse.csr_array([[0, np.inf], [0, 0]]), weights=True)
    with pytest.raises(ConnectomeError, match="no column 'n'"):
        nmc.from_edges(pd.DataFrame({"pre": [0], "post": [1]}), weight="n")


def test_contacts_of_a_file_are_weights(tmp_path):
    path = tmp_path / "c.h5"
    dense = write_file(path)
    rng = np.random.default_rng(3)
    contacts = dense * rng.integers(1, 20, dense.shape)
    starts = dict(zip(SIZES, np.cumsum([0, *SIZES.values()]), strict=False))
    with h5py.File(path, "r+") as file:
        for pre, post in product(SIZES, SIZES):
            rows, columns = (slice(starts[m], starts[m] + SIZES[m]) for m in (pre, post))
            block = contacts[rows, columns]
            file[f"connectivity/{pre}/{post}"].create_dataset("contacts", data=block)
    connectome = nmc.load_connectome(path)
    assert (nmc.to_scipy(connectome, int, weights=True).toarray() == contacts).all()
    assert not connectome.adjacency.diagonal().any()
    row, column = np.argwhere(~dense[3:20, :3])[0]
    with h5py.File(path, "r+") as file:
        file["connectivity/L23_PC/L1_DAC/contacts"][row, column] = 2
        del file["connectivity/L23_PC/L23_PC/contacts"]
    with pytest.raises(FormatError, match="L1_DAC/contacts does not count"):
        nmc.load_connectome(path)
    with h5py.File(path, "r+") as file:
        file["connectivity/L23_PC/L1_DAC/contacts"][row, column] = 0
    assert nmc.load_connectome(path).weights is None  # unknown of one pathway: unknown
