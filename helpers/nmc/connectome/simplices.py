"""What lies in directed simplices: each connection, each end, each neuron's neighbourhood.

`nmc.connectome.cliques` counts simplices; here they are met one by one, or listed.  Each call
raises `ConnectomeError` for what is no `Connectome` or connects a neuron to itself, and when there
is not enough memory.  Terms are those of Reimann et al. (2017), Front Comput Neurosci 11:48, and of
the field's toolbox *connectome-analysis*.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of, memory_for, must_hold, ratio, tasks, transpose
from nmc.connectome.cliques import count_simplices
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels import simplices, walks
from nmc.connectome.kernels.partners import mark_reciprocal
from nmc.connectome.kernels.topology import extend
from nmc.connectome.validation import check_number
from nmc.errors import ConnectomeError

#: So many bytes the list of simplices takes at most.
MOST_LISTED = 1 << 32


def count_maximal_simplices(connectome: Connectome) -> pd.Series:
    """Count the directed simplices that are part of no larger one, by dimension.

    A simplex is part of a larger one when some neuron can be put before, between or behind its
    own so that each still contacts all later ones.

    Returns
    -------
    pandas.Series
        Counts (int64), index ``dimension`` 0, 1, … as `count_simplices` gives them.
    """
    *_, maximal = _visit(connectome, _MAXIMAL)
    return pd.Series(maximal, name="maximal simplices").rename_axis("dimension")


def compute_simplex_degrees(connectome: Connectome) -> pd.DataFrame:
    """Count, for every neuron, the directed simplices that begin and that end at it.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; columns (``out`` | ``in``, dimension): simplices whose
        source, and whose sink, it is; dimension 1 are out- and in-degree.
    """
    sources, sinks, *_ = _visit(connectome)
    tables = {"out": pd.DataFrame(sources), "in": pd.DataFrame(sinks)}
    table = pd.concat(tables, axis=1, names=["end", "dimension"])
    return table.set_axis(connectome.neurons.index)


def compute_edge_participation(connectome: Connectome) -> pd.DataFrame:
    """Count, for every connection, the directed simplices of each dimension it is part of.

    Returns
    -------
    pandas.DataFrame
        m rows, index (``pre``, ``post``) in the order of ``adjacency.indices``; one column a
        dimension from 1 on.  A column's sum is its simplices times k(k + 1)/2.
    """
    _, _, sides, _ = _visit(connectome, _SIDES)
    graph = connectome.adjacency
    pre = np.repeat(np.arange(graph.shape[0], dtype=np.int32), np.diff(graph.indptr))
    ends = pd.MultiIndex.from_arrays([pre, graph.indices], names=["pre", "post"])
    table = pd.DataFrame(sides, index=ends)[range(1, sides.shape[1])]
    return table.rename_axis(columns="dimension")


def count_reciprocal_in_simplices(connectome: Connectome) -> pd.DataFrame:
    """Count the connections of simplices that have one in the other direction.

    Returns
    -------
    pandas.DataFrame
        By ``dimension`` from 1 on: ``connections`` that are part of a simplex of it,
        ``reciprocal`` of these, ``reciprocity`` (their share); ``sides`` of all its simplices,
        those ``sides_reciprocal``, and their share ``sides_reciprocity``, where a connection
        counts as often as there are simplices it is part of.
    """
    table = compute_edge_participation(connectome)
    marks = mark_reciprocal(*graph_of(connectome))
    columns: dict[str, pd.Series] = {}
    for name, counted in (("", table > 0), ("sides_", table)):
        whole, part = counted.sum(), counted[marks].sum()
        columns |= {name.rstrip("_") or "connections": whole, f"{name}reciprocal": part}
        columns[f"{name}reciprocity"] = ratio(part, whole)
    return pd.DataFrame(columns, index=table.columns)


def list_simplices(connectome: Connectome, dimension: int) -> np.ndarray:
    """List all directed simplices of one dimension.

    Parameters
    ----------
    dimension : int
        Of the simplices, 0 or more.

    Returns
    -------
    int32 array, (simplices, dimension + 1)
        Neurons from source to sink; rows in lexicographic order.

    Raises
    ------
    ConnectomeError
        For lists that take more than 4 GB, too.
    """
    check_number(dimension, "The dimension", 0)
    counts = count_simplices(connectome)
    most = int(counts.head(dimension + 1).max()) * 4 * (dimension + 2) if len(counts) else 0
    if most > MOST_LISTED:
        raise ConnectomeError(
            f"The simplices up to dimension {dimension} take {most / 1e9:.0f} GB: list those of a "
            "part (Connectome.subset), or count them."
        )
    indptr, indices = graph_of(connectome)
    found = np.arange(indptr.size - 1, dtype=np.int32)[:, None]
    start, last = indptr, indices
    with memory_for("a list of simplices"):
        for _ in range(dimension):
            found = np.column_stack([np.repeat(found, np.diff(start), axis=0), last])
            start, last = extend(start, last, indptr, indices)
    must_hold("listed simplices", (len(found), counts.get(dimension, 0)))
    return found


def compute_neighbourhoods(connectome: Connectome, dimension: int = 2) -> pd.DataFrame:
    """Measure the neighbourhood of every neuron: its partners, and what they form without it.

    Parameters
    ----------
    dimension : int
        Up to which dimension simplices are counted, 1 or more; higher ones take much longer.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table: ``size`` (partners, in or out), ``connections`` among
        them, ``density`` (over size(size − 1), NaN below two), and ``simplices_2`` … of the
        neighbourhood.
    """
    check_number(dimension, "The dimension", 1)
    indptr, indices = graph_of(connectome)
    with memory_for("the neighbourhoods of all neurons"):
        turned = transpose(indptr, indices)
        most = int((np.diff(indptr) + np.diff(turned[0])).max(initial=1))
        own = most * (most // 64 + 1) * 8 + 8 * indptr.size
        how = (most, dimension + 1, tasks(own))
        counts = walks.count_neighbourhoods(indptr, indices, *turned, *how)
    size, connections = counts[:, 0], counts[:, 1]
    columns = {
        "size": size,
        "connections": connections,
        "density": ratio(connections, size * (size - 1)),
    }
    columns |= {f"simplices_{k}": counts[:, k] for k in range(2, dimension + 1)}
    return pd.DataFrame(columns, index=connectome.neurons.index)


#: What `_visit` is to look at besides the ends.
_SIDES, _MAXIMAL = 1, 2


def _visit(connectome: Connectome, which: int = 0) -> tuple[np.ndarray, ...]:
    """Walk through all simplices; return sources, sinks, sides and maximal ones by dimension."""
    all_counts = count_simplices(connectome).to_numpy()
    dimensions = max(all_counts.size, 2)
    indptr, indices = graph_of(connectome)
    n = indptr.size - 1
    with memory_for("walking through the simplices"):
        turned = transpose(indptr, indices)
        degree, edges, _ = simplices.rooms(indptr, indices, n)
        in_degree = int(np.diff(turned[0]).max(initial=0))
        row = 2 * (degree // 64 + 1) + in_degree // 64 + 1
        own = 16 * n * dimensions + 5 * n + 12 * edges + 20 * degree * (dimensions + 1)
        own += 8 * (
            indices.size * dimensions * (which == _SIDES) + degree * row * (which == _MAXIMAL)
        )
        room = (degree, edges, in_degree)
        found = walks.visit_simplices(indptr, indices, *turned, room, dimensions, which, tasks(own))
    sources, sinks, sides, maximal = found
    k = np.arange(all_counts.size)
    sums = [table.sum(axis=0)[k] for table in (sources, sinks)]
    must_hold("simplices one by one", (sums, [all_counts] * 2))
    if which == _SIDES:
        must_hold("sides of simplices", (sides.sum(axis=0)[k], all_counts * k * (k + 1) // 2))
    return sources[:, k], sinks[:, k], sides[:, k], maximal[k]
