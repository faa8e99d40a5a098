"""Ways out: a connectome as the objects and files that other tools read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.graph import POSITION, Connectome
from nmc.connectome.validation import check_connectome
from nmc.data.files import atomic_write
from nmc.errors import ConnectomeError, MissingLibraryError

if TYPE_CHECKING:
    import igraph
    import networkx


def to_scipy(connectome: Connectome, dtype=bool) -> sparse.csr_array:
    """Return the adjacency as a `scipy.sparse.csr_array` of its own, rows presynaptic.

    Parameters
    ----------
    connectome : Connectome
        N neurons.
    dtype : dtype
        Type of the ones; ``float`` suits linear algebra, where bool does not count.

    Returns
    -------
    scipy.sparse.csr_array, shape (N, N)

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`.
    """
    check_connectome(connectome)
    return connectome.adjacency.astype(dtype, copy=True)


def to_networkx(connectome: Connectome) -> networkx.DiGraph:
    """Return a `networkx.DiGraph`: nodes 0 … N−1 with the columns of the neuron table.

    What is unknown of a neuron is no attribute of its node.

    Parameters
    ----------
    connectome : Connectome
        A whole microcircuit takes about 3 GB that way; take a subset.

    Returns
    -------
    networkx.DiGraph

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`.
    MissingLibraryError
        When networkx is not installed.
    """
    check_connectome(connectome)
    networkx = _library("networkx", "pip install networkx")
    graph = networkx.from_scipy_sparse_array(
        connectome.adjacency.astype(np.int8), create_using=networkx.DiGraph, edge_attribute="n"
    )
    for _, _, data in graph.edges(data=True):
        data.clear()
    for column, values in _plain_columns(connectome).items():
        known = {i: value for i, value in enumerate(values) if value is not None}
        networkx.set_node_attributes(graph, known, column)
    graph.graph["name"] = connectome.name
    return graph


def to_igraph(connectome: Connectome) -> igraph.Graph:
    """Return a directed `igraph.Graph` with the columns of the neuron table as attributes.

    Parameters
    ----------
    connectome : Connectome

    Returns
    -------
    igraph.Graph

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`.
    MissingLibraryError
        When igraph is not installed; it is GPL, and no dependency of this package.
    """
    check_connectome(connectome)
    igraph = _library("igraph", "pip install igraph")
    return igraph.Graph(
        n=connectome.n_neurons,
        edges=np.column_stack(_ends(connectome)),
        directed=True,
        vertex_attrs=_plain_columns(connectome),
        graph_attrs={"name": connectome.name},
    )


def to_parquet(connectome: Connectome, folder: str | Path) -> Path:
    """Write ``neurons.parquet`` and ``connections.parquet`` (``pre``, ``post``) into a folder.

    Rows are numbered as in the adjacency; the name, the origin and the coverage stand in the
    files' metadata.  `from_parquet` reads them back.

    Parameters
    ----------
    connectome : Connectome
        What to write.
    folder : str or Path
        Where; made when it is missing.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or the place cannot be written.
    """
    check_connectome(connectome)
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = _place(folder)
    facts = {
        "name": connectome.name,
        "origin": connectome.origin,
        "coverage": str(connectome.coverage),
        "nmc": json.dumps(
            {
                "coverage": asdict(connectome.coverage),
                "instance": connectome.instance,
                "invented": connectome.invented,
            }
        ),
    }
    pre, post = _ends(connectome)
    tables = {
        "neurons": pa.Table.from_pandas(connectome.neurons, preserve_index=False),
        "connections": pa.table({"pre": pre, "post": post}),
    }
    for name, table in tables.items():
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **facts})
        with _written(folder / f"{name}.parquet") as path:
            pq.write_table(table, path)
    return folder


def to_graphml(connectome: Connectome, path: str | Path) -> Path:
    """Write a GraphML file, streamed: directed edges, and the neuron table's columns on nodes.

    Parameters
    ----------
    connectome : Connectome
        What to write.
    path : str or Path
        The file to write.

    Returns
    -------
    pathlib.Path
        The file; networkx, igraph, Gephi and others read it.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or the place cannot be written.
    """
    check_connectome(connectome)
    path = _place(path)
    with _written(path) as draft, draft.open("w", encoding="utf-8") as out:
        out.writelines(_graphml(connectome))
    return path


def to_sonata(connectome: Connectome, folder: str | Path, population: str = "nmc") -> Path:
    """Write SONATA files: ``nodes.h5``, ``edges.h5`` and a ``circuit_config.json``.

    Parameters
    ----------
    connectome : Connectome
        What to write.
    folder : str or Path
        Where; made when it is missing.
    population : str
        Name of the node population; edges are ``<population>__<population>__chemical``.

    Returns
    -------
    pathlib.Path
        Path of the configuration.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`; for a name with a ``/``, or none;
        if the place cannot be written.
    MissingLibraryError
        When libsonata, which writes the edge index, is not installed (extra ``export``).

    Notes
    -----
    Format: Dai et al. (2020), PLoS Comput. Biol. 16:e1007696.  Edges are sorted by their target
    as SONATA advises.  A connection is one edge: the portal's files do not say how many
    synapses it has.
    """
    check_connectome(connectome)
    if not isinstance(population, str) or not population or "/" in population:
        raise ConnectomeError(f"The population needs a name without '/', not {population!r}.")
    libsonata = _library("libsonata", "pip install 'nmc[export]'")
    folder = _place(folder)
    edges = f"{population}__{population}__chemical"
    with _written(folder / "nodes.h5") as draft:
        _write_nodes(draft, connectome, population)
    with _written(folder / "edges.h5") as draft:
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
    with _written(folder / "circuit_config.json") as draft:
        draft.write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    return folder / "circuit_config.json"


def _place(path: str | Path) -> Path:
    if not isinstance(path, str | Path):
        raise ConnectomeError(f"The place to write to is a path, not {path!r}.")
    return Path(path).expanduser()


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Give a draft that becomes `path` when the block succeeds; say what is in the way."""
    try:
        with atomic_write(path) as draft:
            yield draft
    except OSError as error:
        raise ConnectomeError(
            f"{path} cannot be written ({error.strerror or error}): choose another place."
        ) from error


def _write_nodes(path: Path, connectome: Connectome, population: str) -> None:
    neurons = connectome.neurons
    with h5py.File(path, "w") as file:
        group = file.create_group(f"nodes/{population}")
        group["node_type_id"] = np.full(len(neurons), -1, np.int64)
        group["node_group_id"] = np.zeros(len(neurons), np.int64)
        group["node_group_index"] = np.arange(len(neurons))
        inside = group.create_group("0")
        for axis in "xyz":
            inside[axis] = neurons[f"{axis}_um"].to_numpy(float)
        signs = neurons["excitatory"].astype("boolean").map({True: "EXC", False: "INH"})
        own = neurons.drop(columns=["excitatory", *POSITION])
        for name, column in (own.assign(synapse_class=signs.fillna("unknown"))).items():
            if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
                inside[name] = column.to_numpy(np.uint8)
                inside[name].attrs["nmc_dtype"] = "bool"
            elif pd.api.types.is_numeric_dtype(column.dtype):
                missing = column.isna().any()
                inside[name] = column.to_numpy(float, na_value=np.nan) if missing else column
            else:
                column = column.astype("category")
                inside[name] = column.cat.codes.to_numpy(np.uint32)
                labels = [str(label) for label in column.cat.categories]
                inside.create_dataset(f"@library/{name}", data=labels, dtype=h5py.string_dtype())


def _write_edges(path: Path, connectome: Connectome, nodes: str, edges: str) -> None:
    by_target = connectome.adjacency.tocsc()
    target = np.repeat(np.arange(connectome.n_neurons), np.diff(by_target.indptr))
    with h5py.File(path, "w") as file:
        group = file.create_group(f"edges/{edges}")
        for name, values in (("source", by_target.indices), ("target", target)):
            group[f"{name}_node_id"] = values.astype(np.uint64)
            group[f"{name}_node_id"].attrs["node_population"] = nodes
        group["edge_type_id"] = np.full(len(target), -1, np.int64)
        group["edge_group_id"] = np.zeros(len(target), np.int64)
        group["edge_group_index"] = np.arange(len(target))
        group.create_group("0")


def _graphml(connectome: Connectome) -> Iterator[str]:
    columns = _plain_columns(connectome)
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for name in columns:
        dtype = connectome.neurons[name].dtype
        kind = "double" if pd.api.types.is_numeric_dtype(dtype) else "string"
        kind = "long" if pd.api.types.is_integer_dtype(dtype) else kind
        kind = "boolean" if pd.api.types.is_bool_dtype(dtype) else kind
        key = quoteattr(name)
        yield f'<key id={key} for="node" attr.name={key} attr.type="{kind}"/>\n'
    yield f'<graph id={quoteattr(connectome.name)} edgedefault="directed">\n'
    for i, values in enumerate(zip(*columns.values(), strict=True)):
        parts = (
            f"<data key={quoteattr(name)}>{escape(_xml_value(value))}</data>"
            for name, value in zip(columns, values, strict=True)
            if value is not None
        )
        yield f'<node id="{i}">{"".join(parts)}</node>\n'
    for pre, post in zip(*(ends.tolist() for ends in _ends(connectome)), strict=True):
        yield f'<edge source="{pre}" target="{post}"/>\n'
    yield "</graph>\n</graphml>\n"


def _xml_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ends(connectome: Connectome) -> tuple[np.ndarray, np.ndarray]:
    """Pre- and postsynaptic neuron of each connection, int32."""
    graph = connectome.adjacency
    pre = np.repeat(np.arange(connectome.n_neurons, dtype=np.int32), np.diff(graph.indptr))
    return pre, np.asarray(graph.indices)


def _plain_columns(connectome: Connectome) -> dict[str, list]:
    """Columns of the neuron table as Python's own values; None where one is unknown."""
    found = {}
    for name, column in connectome.neurons.items():
        values = column.astype(object)
        found[str(name)] = [None if pd.isna(v) else v for v in values.tolist()]
    return found


def _library(name: str, how: str):
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingLibraryError(f"This needs the library {name}: {how}.") from error
