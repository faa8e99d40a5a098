"""A connectome of one's own: from a matrix, a graph, a table, or another tool's file.

Own names of types stand in the column ``mtype`` as the portal's do; every measure, null model and
figure takes them, and any other column by its name (``by="…"``).  Weights, such as synapses per
connection, are kept where they are asked for or the file has them.  What is no connectome is a
`ConnectomeError`; a file that cannot be read a `FormatError`, one that is not there a
`MissingFileError`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from nmc import names
from nmc.child import run_child
from nmc.connectome.export import library
from nmc.connectome.graph import COUNTS, POSITION, Connectome, Coverage, canonical, weighted
from nmc.data.files import given_path
from nmc.errors import ConnectomeError, FormatError, MissingFileError, UnknownNameError
from nmc.numbers import as_counts, as_numbers, shown

if TYPE_CHECKING:
    import networkx

#: What other tools call the columns of the neuron table.
_ALSO = {
    "type": "mtype", "cell_type": "mtype", "synapse_class": "excitatory",
    "x": "x_um", "y": "y_um", "z": "z_um",
}  # fmt: skip
_SIGNS = {
    "exc": True, "inh": False, "true": True, "false": False, "e": True, "i": False,
    "unknown": pd.NA,
}  # fmt: skip


def make_connectome(
    adjacency: sparse.sparray | np.ndarray,
    types: Iterable[str] | None = None,
    positions: np.ndarray | None = None,
    *,
    layers: Iterable[str] | None = None,
    excitatory: Iterable[bool] | None = None,
    columns: Mapping[str, Iterable] | None = None,
    weights: bool = False,
    name: str = "connectome",
) -> Connectome:
    """Make a connectome from an adjacency matrix.

    Parameters
    ----------
    adjacency : scipy sparse matrix or array, (N, N)
        What is not 0 is a connection; rows presynaptic.
    types : iterable of str, N, optional
        Type of each neuron: the portal's m-types or names of your own; default one type.
    positions : array, (N, 3), optional
        Soma positions x, y (vertical), z in µm; without them distances are not defined.
    layers, excitatory : iterable of str, of bool, N, optional
        Default the m-type's; for types of your own one layer, and unknown.
    columns : mapping of str to N values, optional
        Further columns of the neuron table.
    weights : bool
        Keep the values of `adjacency` as the connections' weights: synapses of each, say.
    name : str
        What to call it in a figure.

    Returns
    -------
    Connectome
        Neurons in the order given; connections of a neuron with itself are left out and counted
        in its coverage.

    Examples
    --------
    >>> ring = nmc.make_connectome(np.roll(np.eye(3), 1, axis=1), ["a", "b", "b"])
    >>> nmc.compute_degrees(ring)["degree"].tolist()
    [2, 2, 2]
    """
    graph, values = weighted(adjacency) if weights else (canonical(adjacency), None)
    n = graph.shape[0]
    given = {"mtype": types, "layer": layers, "excitatory": excitatory} | {
        str(name): values for name, values in ({} if columns is None else columns).items()
    }
    if positions is not None:
        places = np.asarray(positions, object)
        if places.shape != (n, 3):
            raise ConnectomeError(f"Positions have shape {places.shape}, not ({n}, 3).")
        given |= dict(zip(POSITION, places.T.tolist(), strict=True))
    neurons = _neuron_table(n, {k: v for k, v in given.items() if v is not None})
    n_self = int(np.count_nonzero(graph.diagonal()))
    if n_self:
        others = graph.indices != np.repeat(np.arange(n, dtype=np.int32), np.diff(graph.indptr))
        graph.data &= others
        graph.eliminate_zeros()
        values = None if values is None else values[others]
    present = neurons["mtype"].cat.categories[np.unique(neurons["mtype"].cat.codes)]
    coverage = Coverage(tuple(present), self_connections=n_self)
    return Connectome(neurons, graph, coverage, name, "made by the reader", weights=values)


def from_edges(
    edges: pd.DataFrame | str | Path,
    neurons: pd.DataFrame | str | Path | None = None,
    *,
    pre: str = "pre",
    post: str = "post",
    weight: str | None = None,
    id: str = "id",
    name: str = "",
) -> Connectome:
    """Make a connectome from a table of connections.

    Parameters
    ----------
    edges : pandas.DataFrame, or path of a CSV or Parquet file
        One row a connection; rows of the same two neurons are one.
    neurons : pandas.DataFrame, or path, optional
        One row a neuron: ``mtype`` (or ``type``), ``layer``, ``excitatory``, ``x_um``, ``y_um``,
        ``z_um`` and any other; default the neurons that the connections name.
    pre, post : str
        Columns of `edges`: presynaptic and postsynaptic neuron.
    weight : str, optional
        Column of `edges` to keep as weights, such as synapses per connection; rows of the same
        two neurons add up. Other columns are not read.
    id : str
        Column of `neurons` that these refer to; without it they are row numbers from 0 on.
    name : str
        What to call it in a figure; default the file's name.
    """
    name = name or (Path(edges).stem if isinstance(edges, str | Path) else "connectome")
    edges = _table(edges, pre, post)
    for column in (pre, post) if weight is None else (pre, post, weight):
        if column not in edges:
            known = ", ".join(map(str, edges.columns))
            raise ConnectomeError(
                f"The connections have no column {column!r}; they have {known}. Say which by "
                "pre=, post=, weight=; if header or separator differ, use pandas.read_csv first."
            )
    if pre == post:
        raise ConnectomeError(f"pre and post both name {pre!r}: a connection has two ends.")
    ends = _ids(edges[pre]), _ids(edges[post])
    if neurons is None:
        table = pd.DataFrame({id: pd.factorize(pd.concat(ends, ignore_index=True), sort=True)[1]})
    else:
        table = _table(neurons, id).reset_index(drop=True)
        if id not in (*table, "id"):
            raise ConnectomeError(
                f"The neurons have no column {id!r}; they have {', '.join(map(str, table))}."
            )
    known = pd.Index(_ids(table[id])) if id in table else pd.RangeIndex(len(table))
    if not known.is_unique or known.hasnans:
        raise ConnectomeError(f"A neuron's {id!r} is missing or that of another neuron, too.")
    rows = [known.get_indexer(end) for end in ends]
    for end, row in zip(ends, rows, strict=True):
        if (row < 0).any():
            raise ConnectomeError(
                f"A connection names neuron {end[row < 0].iloc[0]}, which is not in the table."
            )
    values = None if weight is None else edges[weight].to_numpy()
    return _from_table(table, *rows, name, values)


def _ids(column: pd.Series) -> pd.Series:
    """Return what neurons are known by, texts or numbers."""
    if column.dtype == object:
        for value in column[~column.map(pd.api.types.is_hashable)]:
            raise ConnectomeError(
                f"A neuron is known by a text or a number, not by the {type(value).__name__} "
                f"{shown(value)} of the column {column.name!r}."
            )
    return column


def from_networkx(graph: networkx.DiGraph, *, name: str = "") -> Connectome:
    """Make a connectome from a directed networkx graph; attributes of nodes become columns.

    Parameters
    ----------
    graph : networkx.DiGraph or MultiDiGraph
        Nodes that are not 0 … N−1 are kept in a column ``node``; where every edge has a
        ``weight``, weights are kept, and those of parallel edges added.
    name : str
        What to call it in a figure; default the graph's.
    """
    if not graph.is_directed():
        raise ConnectomeError("The graph has no direction; graph.to_directed() makes both.")
    # What GraphML says of all nodes and edges that say nothing themselves.
    usual = graph.graph.get("node_default", {})
    weight = graph.graph.get("edge_default", {}).get("weight")
    table = pd.DataFrame([{**usual, **data} for _, data in graph.nodes(data=True)])
    table = table.reindex(range(len(graph)))
    if [str(v) for v in graph] != [str(i) for i in range(len(graph))]:
        table["node"] = list(graph)
    number = {v: i for i, v in enumerate(graph)}
    edges = list(graph.edges(data="weight", default=weight))
    ends = np.array([(number[a], number[b]) for a, b, _ in edges], int).reshape(-1, 2)
    values = [value for *_, value in edges]
    known = bool(values) and all(value is not None for value in values)
    name = name or str(graph.graph.get("name", "")) or "connectome"
    return _from_table(table, *ends.T, name, np.array(values) if known else None)


def from_parquet(folder: str | Path) -> Connectome:
    """Read back what `to_parquet` wrote: neurons, connections, weights, name and coverage.

    Parameters
    ----------
    folder : str or Path
    """
    import pyarrow.parquet as pq

    folder = given_path(folder, ConnectomeError)
    table, edges = (_table(folder / f"{part}.parquet") for part in ("neurons", "connections"))
    weight = "weight" if "weight" in edges else None
    connectome = from_edges(edges, table, name="connectome", weight=weight)
    try:
        facts = pq.read_schema(folder / "neurons.parquet").metadata or {}
        name, origin = (facts.get(key, b"").decode() for key in (b"name", b"origin"))
        known = json.loads(facts.get(b"nmc", b"{}"))
        told = known.get("coverage", {})
        coverage = replace(
            connectome.coverage,
            missing_blocks=tuple((pre, post) for pre, post in told.get("missing_blocks", ())),
            missing_counts=tuple(map(str, told.get("missing_counts", ()))),
            part_of=str(told.get("part_of", "")),
            self_connections=int(told.get("self_connections", 0)),
        )
        instance, invented = str(known.get("instance", "")), known.get("invented") is True
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(
            f"neurons.parquet: what it says of itself is damaged: {error}."
        ) from error
    told = {"name": name or "connectome", "origin": origin}
    return replace(connectome, coverage=coverage, instance=instance, invented=invented, **told)


def from_graphml(path: str | Path) -> Connectome:
    """Read a directed GraphML file, of `to_graphml`, networkx, igraph, Gephi or others.

    Parameters
    ----------
    path : str or Path
        Data of nodes become columns, as `from_networkx` takes them.
    """
    path = _existing(path)
    networkx = library("networkx")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a key without a type is taken for a text
            graph = networkx.read_graphml(path)
    except Exception as error:  # of whatever kind: only networkx is at work
        raise FormatError(f"{path.name} is no GraphML that can be read: {error}.") from error
    if not graph.is_directed():
        raise FormatError(f"{path.name}: the graph has no direction.")
    return from_networkx(graph, name=str(graph.graph.get("name", path.stem)))


def from_sonata(config: str | Path, population: str | None = None) -> Connectome:
    """Read one population of a SONATA circuit and the connections within it.

    Parameters
    ----------
    config : str or Path
        The circuit's configuration (JSON).
    population : str, optional
        Name of the node population; default the only one.

    Returns
    -------
    Connectome
        Attributes of nodes as columns; all edges between the same two neurons are one connection.
        Its weight is their number, or the sum of their ``nsyns``; kept where one is above 1.
    """
    path = _existing(config)
    meta, arrays = run_child(
        "nmc.connectome.hdf5:read_sonata",
        {"path": str(path.absolute()), "population": population},
        label=path.name, progress=False, error=FormatError,
    )  # fmt: skip
    ends = [arrays.pop(name) for name in ("pre", "post", "synapses")]
    table = pd.DataFrame(
        {name: arrays[f"column {i}"] for i, name in enumerate(meta["columns"])},
        index=range(meta["nodes"]),
    )
    try:
        table = table.astype(meta["dtype"])
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path.name}: what it says of its nodes is damaged: {error}.") from error
    for name, label in meta["unknown"].items():
        table[name] = table[name].where(table[name] != label, None)
    found = _from_table(table, *ends[:2], meta["population"], ends[2])
    return found if (found.weights > 1).any() else replace(found, weights=None)


def _existing(path: str | Path) -> Path:
    path = given_path(path, ConnectomeError)
    if not path.is_file():
        raise MissingFileError(f"There is no file {path}{', but a folder' * path.is_dir()}.")
    return path


def _table(what: pd.DataFrame | str | Path, *ids: str) -> pd.DataFrame:
    """Return a table, read from a CSV or Parquet file if it is a path.

    In a CSV file 01 and 1 are different `ids`: where one begins with 0 they all stay texts.
    """
    if isinstance(what, pd.DataFrame):
        return what
    path = _existing(what)
    try:
        if path.suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        how = {"sep": "\t" if ".tsv" in path.suffixes else ","}
        texts = pd.read_csv(path, usecols=lambda name: name in ids, dtype=str, **how)
        padded = any(texts[name].str.match(r"\s*[+-]?0\d").any() for name in texts)
        return pd.read_csv(path, dtype=dict.fromkeys(ids, str) if padded else None, **how)
    except Exception as error:  # of whatever kind: only pandas and pyarrow are at work
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise FormatError(f"{path.name} cannot be read as a table: {said[0]}.") from error


def _from_table(
    table: pd.DataFrame, pre: np.ndarray, post: np.ndarray, name: str, weights: np.ndarray | None
) -> Connectome:
    """Make a connectome of a table of neurons, the ends of each connection and its weight."""
    n = len(table)
    table = table.rename(columns={k: v for k, v in _ALSO.items() if v not in table})
    values = np.ones(len(pre), bool)
    if weights is not None:
        values = as_numbers(weights, where="weights of connections", error=ConnectomeError)
    graph = sparse.coo_array((values, (pre, post)), shape=(n, n))
    columns = dict(table.items())
    return make_connectome(graph, columns=columns, name=name, weights=weights is not None)


def _neuron_table(n: int, given: dict[str, Iterable]) -> pd.DataFrame:
    """Build the neuron table of `Connectome` from the columns there are."""
    columns = {name: _column(name, values, n) for name, values in given.items()}
    mtype = _categories(columns.pop("mtype", pd.Series(["neuron"] * n, dtype=object)), "type")
    try:
        portal = [names.MTYPES.index(names.canonical_mtype(m)) for m in mtype.cat.categories]
    except UnknownNameError:
        portal = []  # types of the reader's own
    layer, signs = pd.Series(["all"] * n, dtype=object), pd.Series([pd.NA] * n, dtype="boolean")
    if portal:
        codes = np.array(portal)[mtype.cat.codes]
        mtype = pd.Series(pd.Categorical.from_codes(codes, names.MTYPES, ordered=True))
        layer, signs = (
            mtype.astype(object).map(of) for of in (names.layer_of, names.is_excitatory)
        )
    layer = _categories(columns.pop("layer", layer), "layer")
    if set(layer.cat.categories) <= set(names.LAYERS):
        layer = layer.cat.set_categories(names.LAYERS, ordered=True)
    signs = _signs(columns.pop("excitatory", signs))
    table = {"mtype": mtype, "layer": layer, "excitatory": signs}
    for axis in POSITION:
        table[axis] = _numbers(axis, columns.pop(axis, None), n, as_numbers)
    for count in COUNTS.values():
        table[count] = _numbers(count, columns.pop(count, None), n, as_counts).astype("Int64")
    return pd.DataFrame(table | columns, index=range(n))


def _numbers(name: str, column: pd.Series | None, n: int, parse: Callable) -> pd.Series:
    """Return a column of checked numbers, NaN where there is none."""
    if column is None:
        return pd.Series(np.full(n, np.nan))
    known = column[column.notna()]
    where = [f"{name} of neuron {i}" for i in known.index]
    parsed = parse(known.to_numpy(), where=where.__getitem__, error=ConnectomeError)
    return pd.Series(parsed, known.index).reindex(range(n))


def _column(name: str, values: Iterable, n: int) -> pd.Series:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConnectomeError(f"{name} is a value for each of {n} neurons, not {values!r}.")
    kept = isinstance(values, pd.Series | pd.api.extensions.ExtensionArray)
    column = pd.Series(values if kept else list(values))
    if len(column) != n:
        raise ConnectomeError(f"There are {n} neurons, but {len(column)} values of {name}.")
    return column.reset_index(drop=True)


def _categories(column: pd.Series, what: str) -> pd.Series:
    """Labels as ordered categories: as they are, or in order of first appearance."""
    if column.isna().any():
        raise ConnectomeError(f"Neuron {int(column.isna().argmax())} has no {what}.")
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.remove_unused_categories()
        labels = [str(label) for label in column.cat.categories]
    else:
        labels = list(dict.fromkeys(column.astype(str)))
    return pd.Series(pd.Categorical(column.astype(str), labels, ordered=True))


def _signs(column: pd.Series) -> pd.Series:
    """Excitatory or not, as bools; nullable where it is unknown of a neuron."""
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype):
        texts = [pd.NA if pd.isna(v) else _SIGNS.get(str(v).lower(), v) for v in column]
        column = pd.Series(texts, dtype=object)
    try:
        signs = column.astype("boolean")
    except (TypeError, ValueError):
        raise ConnectomeError(
            "A neuron is excitatory: True, False, EXC, INH or unknown (None), not another value."
        ) from None
    return signs if signs.isna().any() or not len(signs) else signs.astype(bool)
