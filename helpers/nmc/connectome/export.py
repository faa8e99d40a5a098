"""Ways out: a connectome as the objects and files that other tools read.

A place that cannot be written is a `ConnectomeError`; a library that is not installed a
`MissingLibraryError` that says how to get it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.graph import POSITION, Connectome
from nmc.data.files import given_path, written
from nmc.errors import ConnectomeError, optional

if TYPE_CHECKING:
    import igraph
    import networkx


def to_scipy(
    connectome: Connectome, dtype: type | np.dtype = bool, *, weights: bool = False
) -> sparse.csr_array:
    """Return the adjacency as a matrix of its own, rows presynaptic.

    Parameters
    ----------
    dtype : dtype
        Type of the values; ``float`` suits linear algebra, where bool does not count.
    weights : bool
        Weights instead of ones; a `ConnectomeError` where the connectome has none.

    Returns
    -------
    scipy.sparse.csr_array, shape (N, N)
    """
    matrix = connectome.weight_matrix if weights else connectome.adjacency
    return matrix.astype(dtype, copy=True)


def to_networkx(connectome: Connectome) -> networkx.DiGraph:
    """Return a `networkx.DiGraph`: nodes 0 … N−1 with the columns of the neuron table.

    What is unknown of a neuron is no attribute of its node; edges have a ``weight`` where there
    are weights.

    Parameters
    ----------
    connectome : Connectome
        A whole microcircuit takes about 3 GB that way; take a subset.

    Returns
    -------
    networkx.DiGraph
    """
    networkx = library("networkx")
    graph = networkx.DiGraph(name=connectome.name)
    graph.add_nodes_from(range(connectome.n_neurons))
    graph.add_edges_from(zip(*(ends.tolist() for ends in _ends(connectome)), strict=True))
    for column, values in _plain_columns(connectome).items():
        known = {i: value for i, value in enumerate(values) if value is not None}
        networkx.set_node_attributes(graph, known, column)
    if connectome.weights is not None:
        weights = dict(zip(graph.edges, connectome.weights.tolist(), strict=True))
        networkx.set_edge_attributes(graph, weights, "weight")
    return graph


def to_igraph(connectome: Connectome) -> igraph.Graph:
    """Return a directed `igraph.Graph`, neuron columns and weights as attributes.

    Returns
    -------
    igraph.Graph
        igraph is GPL, and no dependency of this package.
    """
    igraph = library("igraph")
    weights = connectome.weights
    return igraph.Graph(
        n=connectome.n_neurons,
        edges=np.column_stack(_ends(connectome)),
        directed=True,
        vertex_attrs=_plain_columns(connectome),
        edge_attrs={} if weights is None else {"weight": weights.tolist()},
        graph_attrs={"name": connectome.name},
    )


def to_parquet(connectome: Connectome, folder: str | Path) -> Path:
    """Write ``neurons.parquet`` and ``connections.parquet`` (``pre``, ``post``, ``weight``).

    Rows are numbered as in the adjacency; the name, the origin and the coverage stand in the
    files' metadata.  `from_parquet` reads them back.

    Parameters
    ----------
    folder : str or Path
        Where; made when it is missing.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = given_path(folder, ConnectomeError)
    known = {
        "coverage": asdict(connectome.coverage),
        "instance": connectome.instance,
        "invented": connectome.invented,
    }
    facts = {
        "name": connectome.name,
        "origin": connectome.origin,
        "coverage": str(connectome.coverage),
        "nmc": json.dumps(known),
    }
    columns = dict(zip(("pre", "post"), _ends(connectome), strict=True))
    if connectome.weights is not None:
        columns["weight"] = connectome.weights
    try:
        neurons = pa.Table.from_pandas(connectome.neurons, preserve_index=False)
    except pa.ArrowException as error:
        raise ConnectomeError(f"Parquet has one kind of value a column: {error}.") from error
    for name, table in (("neurons", neurons), ("connections", pa.table(columns))):
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **facts})
        with written(folder / f"{name}.parquet", ConnectomeError) as path:
            pq.write_table(table, path)
    return folder


def to_graphml(connectome: Connectome, path: str | Path) -> Path:
    """Write a GraphML file by networkx: the neuron table's columns on nodes, weights on edges.

    Parameters
    ----------
    connectome : Connectome
        See `to_networkx`: of a whole microcircuit take a subset.
    path : str or Path
        The file to write.

    Returns
    -------
    pathlib.Path
        The file; networkx, igraph, Gephi and others read it.
    """
    _check_plain(connectome, "GraphML")
    path = given_path(path, ConnectomeError)
    graph = to_networkx(connectome)
    with written(path, ConnectomeError) as draft:
        library("networkx").write_graphml(graph, draft)
    return path


def to_sonata(connectome: Connectome, folder: str | Path, population: str = "nmc") -> Path:
    """Write SONATA files: ``nodes.h5``, ``edges.h5`` and a ``circuit_config.json``.

    Parameters
    ----------
    folder : str or Path
        Where; made when it is missing.
    population : str
        Name of the node population, without ``/``; edges are
        ``<population>__<population>__chemical``.

    Returns
    -------
    pathlib.Path
        Path of the configuration.

    Notes
    -----
    Format: Dai et al. (2020), PLoS Comput. Biol. 16:e1007696.  Edges are sorted by their target
    as SONATA advises.  A connection is one edge; weights stand in ``nsyns``, its synapses.
    libsonata writes the edge index (extra ``export``).
    """
    _check_plain(connectome, "SONATA")
    for name in (population, *connectome.neurons):
        if not isinstance(name, str) or not name or "/" in name:
            raise ConnectomeError(f"SONATA needs names without '/', not {name!r}.")
    libsonata = library("libsonata")
    folder = given_path(folder, ConnectomeError)
    edges = f"{population}__{population}__chemical"
    with written(folder / "nodes.h5", ConnectomeError) as draft:
        _write_nodes(draft, connectome, population)
    with written(folder / "edges.h5", ConnectomeError) as draft:
        _write_edges(draft, connectome, population, edges)
        n = connectome.n_neurons
        libsonata.EdgePopulation.write_indices(str(draft), edges, n, n)
    kind = {"type": "point_neuron"}  # no morphologies stand beside it
    config = {
        "version": 2,
        "manifest": {"$BASE_DIR": "."},
        "networks": {
            "nodes": [{"nodes_file": "$BASE_DIR/nodes.h5", "populations": {population: kind}}],
            "edges": [
                {"edges_file": "$BASE_DIR/edges.h5", "populations": {edges: {"type": "chemical"}}}
            ],
        },
    }
    with written(folder / "circuit_config.json", ConnectomeError) as draft:
        draft.write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    return folder / "circuit_config.json"


def _write_nodes(path: Path, connectome: Connectome, population: str) -> None:
    neurons = connectome.neurons
    with h5py.File(path, "w") as file:
        inside = _sonata_group(file, f"nodes/{population}", "node", len(neurons))
        for axis in "xyz":
            inside[axis] = neurons[f"{axis}_um"].to_numpy(float)
        signs = neurons["excitatory"].astype("boolean").map({True: "EXC", False: "INH"})
        own = neurons.drop(columns=["excitatory", *POSITION])
        for name, column in (own.assign(synapse_class=signs.fillna("unknown"))).items():
            if pd.api.types.is_numeric_dtype(column.dtype):  # a bool is a number
                kind = (
                    float if column.hasnans else getattr(column.dtype, "numpy_dtype", column.dtype)
                )
                kind = np.uint8 if pd.api.types.is_bool_dtype(kind) else kind
                inside[name] = column.astype(kind).to_numpy()
                inside[name].attrs["nmc_dtype"] = str(column.dtype)
            else:
                texts = column.astype(object).map(str, na_action="ignore")
                taken = (texts == "").any()
                unknown = max(texts.dropna(), key=len) + "?" if taken else ""
                codes, labels = texts.fillna(unknown).factorize()
                inside[name] = codes.astype(np.uint32)
                inside[name].attrs["nmc_unknown"] = unknown
                string = h5py.string_dtype()
                inside.create_dataset(f"@library/{name}", data=list(labels), dtype=string)


def _write_edges(path: Path, connectome: Connectome, nodes: str, edges: str) -> None:
    pre, post = _ends(connectome)
    by_target = np.argsort(post, kind="stable")
    with h5py.File(path, "w") as file:
        inside = _sonata_group(file, f"edges/{edges}", "edge", len(post))
        for name, values in (("source", pre), ("target", post)):
            ids = f"edges/{edges}/{name}_node_id"
            file[ids] = values[by_target].astype(np.uint64)
            file[ids].attrs["node_population"] = nodes
        if connectome.weights is not None:
            inside["nsyns"] = connectome.weights[by_target]


def _sonata_group(file: h5py.File, place: str, what: str, n: int) -> h5py.Group:
    """Make a population of n nodes or edges, and return the group of their attributes."""
    group = file.create_group(place)
    group[f"{what}_type_id"] = np.full(n, -1, np.int64)
    group[f"{what}_group_id"] = np.zeros(n, np.int64)
    group[f"{what}_group_index"] = np.arange(n)
    return group.create_group("0")


def _ends(connectome: Connectome) -> tuple[np.ndarray, np.ndarray]:
    """Pre- and postsynaptic neuron of each connection, int32."""
    graph = connectome.adjacency
    pre = np.repeat(np.arange(connectome.n_neurons, dtype=np.int32), np.diff(graph.indptr))
    return pre, np.asarray(graph.indices)


def _plain_columns(connectome: Connectome) -> dict[str, list]:
    """Columns of the neuron table as Python's own values; None where one is unknown."""
    return {
        name: column.astype(object).where(column.notna(), None).tolist()
        for name, column in connectome.neurons.items()
    }


def _check_plain(connectome: Connectome, form: str) -> None:
    """Refuse columns that would come back as text: dates, objects, categories of numbers."""
    for name, column in connectome.neurons.items():
        number = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "c"
        text = pd.api.types.infer_dtype(column.astype(object), skipna=True) in ("string", "empty")
        if not number and not text:  # a bool is a number
            raise ConnectomeError(
                f"{form} holds numbers, yes or no, and text, not the {column.dtype} of the column "
                f"{name!r}: make it text, or write Parquet (nmc.to_parquet)."
            )


def library(name: str) -> Any:
    """Return an optional library; a `MissingLibraryError` says how to get it."""
    with optional(f"This needs the library {name}", f"{name}, or 'nmc[export]'"):
        return import_module(name)
