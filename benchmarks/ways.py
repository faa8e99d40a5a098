"""How each task is done by this package and by its peers, on the same CSR arrays.

A way is a function ``(graph) -> callable``: what it builds before it returns (the peer's own
graph object) is not timed; the callable is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import sparse

WAYS: dict[tuple[str, str], object] = {}


def way(task: str, tool: str):
    """Register a way."""

    def keep(function):
        WAYS[task, tool] = function
        return function

    return keep


#: What is looked at after the clock has stopped: task, tool → function (graph, result) → facts.
FACTS: dict[tuple[str, str], object] = {}


def load(path) -> SimpleNamespace:
    """Read a graph of `instance` as what the measures ask of a Connectome."""
    data = np.load(path)
    n = data["codes"].size
    ones = np.ones(data["indices"].size, np.bool_)
    adjacency = sparse.csr_array((ones, data["indices"], data["indptr"]), shape=(n, n))
    places = dict(zip(("x_um", "y_um", "z_um"), data["positions"].T, strict=True))
    neurons = pd.DataFrame({"mtype": data["codes"], "layer": 0, "excitatory": True} | places)
    return SimpleNamespace(neurons=neurons, adjacency=adjacency, path=path)


def _edges(graph):
    n = graph.adjacency.shape[0]
    pre = np.repeat(np.arange(n), np.diff(graph.adjacency.indptr))
    return n, pre, graph.adjacency.indices.astype(np.int64)


def _igraph(graph):
    import igraph

    n, pre, post = _edges(graph)
    return igraph.Graph(n=n, edges=np.column_stack([pre, post]), directed=True)


def _networkit(graph, directed=True):
    import networkit

    networkit.setNumberOfThreads(2)
    n, pre, post = _edges(graph)
    return networkit.GraphFromCoo((pre, post), n=n, directed=directed)


def _ours(task: str, module: str, name: str, *arguments, **options):
    @way(task, "nmc")
    def ready(graph):
        from importlib import import_module

        measure = getattr(import_module(f"nmc.connectome.{module}"), name)
        return lambda: measure(graph, *arguments, **options)


_ours("triads", "motifs", "count_triads")
_ours("clustering", "motifs", "compute_clustering")
_ours("paths", "paths", "compute_path_lengths")
_ours("simplices", "cliques", "count_simplices")
_ours("distance", "distance", "compute_distance_profile")
_ours("common neighbours", "paths", "count_common_neighbours", "efferent")
_ours("rich club", "degrees", "compute_rich_club")
_ours("reciprocity", "degrees", "compute_reciprocity")
_ours("degrees", "degrees", "compute_degrees")
_ours("maximal simplices", "simplices", "count_maximal_simplices")
_ours("edge participation", "simplices", "compute_edge_participation")
_ours("neighbourhoods", "simplices", "compute_neighbourhoods")
_ours("offset map", "distance", "compute_offset_map")


def _null(task: str, name: str):
    @way(task, "nmc")
    def ready(graph):
        import nmc
        from nmc.connectome.graph import Connectome, Coverage, make_neurons

        places = graph.neurons[["x_um", "y_um", "z_um"]].to_numpy()
        neurons = make_neurons(graph.neurons["mtype"].to_numpy(), places)
        connectome = Connectome(neurons, graph.adjacency, Coverage(()), "instance")
        return lambda: getattr(nmc, name)(connectome, rng=1)


_null("general null", "make_general_biological")
_null("degree-preserving null", "make_degree_preserving")


@way("randomise", "nmc")
def _(graph):
    from nmc.connectome.arrays import graph_of
    from nmc.connectome.kernels.pairs import curveball

    arrays = graph_of(graph)
    return lambda: curveball(*arrays, 10, 1)


@way("whole analysis", "nmc")
def _(graph):
    names = [
        "degrees", "reciprocity", "distance", "clustering", "triads", "paths", "simplices",
        "common neighbours", "rich club", "randomise",
    ]  # fmt: skip
    return lambda: [WAYS[task, "nmc"](graph)() for task in names]


def _in_place(graph, indptr, indices) -> dict:
    """Say which share of the connections a randomised graph has where they were."""
    was, n = graph.adjacency, graph.adjacency.shape[0]
    ones = np.ones(indices.size, np.int8)
    now = sparse.csr_array((ones, indices, indptr), shape=(n, n))
    return {"in_place": was.astype(np.int8).multiply(now).nnz / was.nnz}


FACTS["randomise", "nmc"] = lambda graph, result: _in_place(graph, *result)


def _in_place_networkit(graph, result):
    pre, post = np.array([(a, b) for a, b in result.iterEdges()]).T
    n = graph.adjacency.shape[0]
    turned = sparse.csr_array((np.ones(pre.size, bool), (pre, post)), shape=(n, n))
    turned.sort_indices()
    return _in_place(graph, turned.indptr, turned.indices)


FACTS["randomise", "networkit"] = _in_place_networkit


@way("triads", "igraph")
def _(graph):
    return _igraph(graph).triad_census


@way("triads", "networkx")
def _(graph):
    import networkx

    peer = networkx.from_scipy_sparse_array(graph.adjacency, create_using=networkx.DiGraph)
    return lambda: networkx.triadic_census(peer)


@way("paths", "networkit")
def _(graph):
    import networkit

    peer = _networkit(graph)
    # The distances of every source, counted at once: no n × n matrix is kept.

    def run():
        n = peer.numberOfNodes()
        for source in range(n):
            search = networkit.distance.BFS(peer, source, False)
            search.run()
            np.unique(np.asarray(search.getDistances()), return_counts=True)

    return run


@way("paths", "networkit APSP")
def _(graph):
    import networkit

    peer = _networkit(graph)
    return lambda: networkit.distance.APSP(peer).run()


@way("paths", "igraph")
def _(graph):
    peer = _igraph(graph)
    return lambda: peer.path_length_hist(directed=True)


@way("simplices", "pyflagser")
def _(graph):
    import pyflagser

    matrix = sparse.coo_matrix(graph.adjacency.astype(float))
    return lambda: pyflagser.flagser_count_unweighted(matrix, directed=True)


@way("simplices", "flagser-count")
def _(graph):
    import pyflagsercount

    matrix = sparse.csr_matrix(graph.adjacency.astype(np.int8))
    return lambda: pyflagsercount.flagser_count(matrix, threads=2)


@way("clustering", "igraph")
def _(graph):
    peer = _igraph(graph).as_undirected()
    return lambda: peer.transitivity_local_undirected(mode="zero")


@way("clustering", "networkit")
def _(graph):
    import networkit

    n = graph.adjacency.shape[0]
    pre, post = (graph.adjacency + graph.adjacency.T).nonzero()
    once = pre < post
    pre, post = pre[once].astype(np.int64), post[once].astype(np.int64)
    peer = networkit.GraphFromCoo((pre, post), n=n, directed=False)
    peer.sortEdges()
    return lambda: networkit.centrality.LocalClusteringCoefficient(peer, turbo=True).run()


@way("clustering", "scipy")
def _(graph):
    matrix = graph.adjacency.astype(np.int32).tocsr()
    both = (matrix + matrix.T).tocsr()

    # Fagiolo's formula by matrix algebra, in blocks of rows: the whole square does not fit.
    def run():
        triangles = np.zeros(matrix.shape[0], np.int64)
        for start in range(0, matrix.shape[0], 512):
            rows = both[start : start + 512]
            triangles[start : start + 512] = (rows @ both).multiply(rows).sum(axis=1)
        degree = both.sum(axis=1)
        mutual = matrix.multiply(matrix.T.tocsr()).sum(axis=1)
        return triangles / np.maximum(2 * (degree * (degree - 1) - 2 * mutual), 1)

    return run


@way("distance", "cdist")
def _(graph):
    from scipy.spatial.distance import cdist

    places = graph.neurons[["x_um", "y_um", "z_um"]].to_numpy()

    def run():
        counts = np.zeros(200, np.int64)
        for start in range(0, len(places), 512):
            d = cdist(places[start : start + 512], places[start:])
            counts += np.bincount((d.ravel() / 25).astype(np.int64), minlength=200)[:200]
        return counts

    return run


@way("distance", "gemm")
def _(graph):
    places = graph.neurons[["x_um", "y_um", "z_um"]].to_numpy(np.float32)
    places = places - places.mean(axis=0)

    def run():
        square = (places**2).sum(axis=1)
        counts = np.zeros(200, np.int64)
        for start in range(0, len(places), 512):
            block = places[start : start + 512]
            d2 = square[start : start + 512, None] + square[start:] - 2 * block @ places[start:].T
            d = np.sqrt(np.maximum(d2, 0)) / 25
            counts += np.bincount(d.ravel().astype(np.int64), minlength=200)[:200]
        return counts

    return run


@way("distance", "cKDTree")
def _(graph):
    from scipy.spatial import cKDTree

    tree = cKDTree(graph.neurons[["x_um", "y_um", "z_um"]].to_numpy())
    return lambda: tree.count_neighbors(tree, np.arange(25, 2500, 25.0), cumulative=False)


@way("common neighbours", "scipy row blocks")
def _(graph):
    matrix = graph.adjacency.astype(np.int32).tocsr()
    turned = matrix.T.tocsr()

    def run():
        counts = np.zeros(matrix.shape[0], np.int64)
        for start in range(0, matrix.shape[0], 512):
            block = matrix[start : start + 512] @ turned
            counts += np.bincount(block.data, minlength=counts.size)
        return counts

    return run


@way("randomise", "networkit")
def _(graph):
    import networkit

    peer = _networkit(graph)

    def run():
        trade = networkit.randomization.GlobalCurveball(
            peer, 10, allowSelfLoops=False, degreePreservingShufflePreprocessing=False
        )
        trade.run()
        return trade.getGraph()

    return run


@way("rich club", "connectome-analysis")
def _(graph):
    from connalysis.network.classic import efficient_rich_club_curve

    matrix = sparse.csr_matrix(graph.adjacency)
    return lambda: efficient_rich_club_curve(matrix)


@way("reciprocity", "igraph")
def _(graph):
    return _igraph(graph).reciprocity


@way("reciprocity", "scipy")
def _(graph):
    matrix = graph.adjacency
    return lambda: matrix.multiply(matrix.T.tocsr()).nnz / matrix.nnz


@way("degrees", "igraph, in and out only")
def _(graph):
    peer = _igraph(graph)
    return lambda: (peer.indegree(), peer.outdegree())


@way("degrees", "igraph, reciprocal too")
def _(graph):
    peer = _igraph(graph)

    def run():
        mutual = np.array(peer.is_mutual())
        reciprocal = np.bincount(graph.adjacency.indices[mutual], minlength=peer.vcount())
        return peer.indegree(), peer.outdegree(), reciprocal

    return run


@way("degrees", "scipy")
def _(graph):
    matrix = graph.adjacency
    # Out, in and reciprocal partners of every neuron, as compute_degrees gives.
    return lambda: (
        np.diff(matrix.indptr),
        np.bincount(matrix.indices, minlength=matrix.shape[0]),
        matrix.multiply(matrix.T.tocsr()).sum(axis=1),
    )


def _hdf5(kind: str) -> None:
    """Register the ways of reading a file of dense blocks."""

    @way(f"hdf5 {kind}", "nmc")
    def ours(graph):
        from tempfile import TemporaryDirectory

        from nmc import load_connectome
        from nmc.data.files import cache_folder, sha256_of

        # A cache of its own, empty; the hash is known, as it is of every file fetched.
        home = TemporaryDirectory()
        os.environ["NMC_CACHE"] = home.name
        path = graph.path.with_name(f"{graph.path.stem}-{kind}.h5")
        cache_folder().mkdir(parents=True, exist_ok=True)
        sha256_of(path)

        def run():
            assert home.name == os.environ["NMC_CACHE"]
            return load_connectome(path, progress=False)

        return run

    @way(f"hdf5 {kind}", "bare h5py")
    def bare(graph):
        import h5py

        def run():
            with h5py.File(graph.path.with_name(f"{graph.path.stem}-{kind}.h5")) as file:
                types = list(file["connectivity"])
                for a in types:
                    for b in types:
                        file[f"connectivity/{a}/{b}/cMat"][:]

        return run

    @way(f"hdf5 {kind}", "dense, then sparse")
    def dense(graph):
        import h5py

        def run():
            with h5py.File(graph.path.with_name(f"{graph.path.stem}-{kind}.h5")) as file:
                types = list(file["connectivity"])
                rows = [
                    np.hstack([file[f"connectivity/{a}/{b}/cMat"][:] for b in types]) for a in types
                ]
            return sparse.csr_array(np.vstack(rows))

        return run


_hdf5("raw")
_hdf5("gzip")


@way("hdf5 reopen", "nmc")
def _(graph):
    first = WAYS["hdf5 gzip", "nmc"](graph)
    first()
    return first


def _newcomer(task: str, code: str) -> None:
    """Register a line that a newcomer runs, with the sample and an empty cache, as a process."""

    @way(task, "nmc")
    def ready(graph):
        from tempfile import TemporaryDirectory

        home = TemporaryDirectory()
        env = os.environ | {"NMC_CACHE": home.name, "NMC_SOURCE": "sample"}

        def run():
            command = [sys.executable, "-c", code]
            return home, subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)

        return run


_newcomer("nmc list sheet", "from nmc.cli import main; main(['list', 'sheet'])")
_newcomer("first load_pathways", "import nmc; nmc.load_pathways()")


@way("second load_pathways", "nmc")
def _(graph):
    import nmc

    nmc.load_pathways()
    return nmc.load_pathways


@way("make a connectome", "nmc")
def _(graph):
    import nmc

    return lambda: nmc.make_connectome(graph.adjacency)
