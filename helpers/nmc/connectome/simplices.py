"""What lies in directed simplices: each connection, each end, each neuron's neighbourhood.

`nmc.connectome.cliques` counts simplices; here is what they hold.  Each call raises
`ConnectomeError` where a neuron connects to itself, and when there is not enough memory.  Terms are
those of Reimann et al. (2017), Front Comput Neurosci 11:48, and of the field's toolbox
*connectome-analysis*.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.arrays import (
    given_count,
    graph_of,
    memory_for,
    must_hold,
    ratio,
    tasks,
    transpose,
)
from nmc.connectome.cliques import count_by_source, count_simplices, walk_inputs
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels import LINE, walks
from nmc.connectome.kernels import sides as kernel
from nmc.connectome.kernels.partners import mark_reciprocal
from nmc.connectome.kernels.topology import extend
from nmc.errors import ConnectomeError

#: So many bytes the list of simplices takes at most, and what one neuron's targets take.
MOST_LISTED, MOST_OF_ONE = 1 << 32, 1 << 31
#: So many dimensions a table has room for at first (what is not written takes no memory), and so
#: many simplices of one it can hold in 32 bits.
COLUMNS, MOST_IN_32_BITS = 8, 1 << 31


def count_maximal_simplices(connectome: Connectome) -> pd.Series:
    """Count the directed simplices that are part of no larger one, by dimension.

    A simplex is part of a larger one when some neuron can be put before, between or behind its
    own so that each still contacts all later ones.

    Returns
    -------
    pandas.Series
        Counts (int64), index ``dimension`` 0, 1, … as `count_simplices` gives them.
    """
    indptr, indices = graph_of(connectome)
    with memory_for("counting maximal simplices"):
        turned, into = transpose(indptr, indices)
        into = into.astype(np.uint16 if turned.size <= 2**16 else np.uint32)
        degree, in_degree = (int(np.diff(p).max(initial=0)) for p in (indptr, turned))
        own = degree * (degree + in_degree) * 5 // 8
        _must_fit(own, degree)
        own += 520 * (degree + in_degree) + 5 * turned.size
        how = (degree, in_degree, tasks(own))
        seen, counts = walks.count_maximal(indptr, indices, turned, into, *how)
    must_hold("maximal simplices", (seen, [indptr.size - 1, indices.size]))
    counts = counts[: int(np.flatnonzero(counts).max(initial=0)) + 1]
    return pd.Series(counts, name="maximal simplices").rename_axis("dimension")


def _must_fit(own: int, degree: int) -> None:
    """Refuse a neuron of so many targets that which contacts which takes too much memory."""
    if own > MOST_OF_ONE:
        raise ConnectomeError(
            f"A neuron has {degree:,} targets, and which of them contact which takes "
            f"{own / 1e9:.1f} GB here: measure a part without it (Connectome.subset)."
        )


def compute_simplex_degrees(connectome: Connectome) -> pd.DataFrame:
    """Count, for every neuron, the directed simplices that begin and that end at it.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; columns (``out`` | ``in``, dimension): simplices whose
        source, and whose sink, it is; dimension 1 are out- and in-degree.
    """
    counts, arrays = count_simplices(connectome), graph_of(connectome)
    turned = transpose(*arrays)
    tables = {}
    for end, graph in (("out", arrays), ("in", turned)):
        _, each = count_by_source(*graph, len(counts))
        must_hold("simplices by their ends", (each.sum(axis=0), counts))
        tables[end] = pd.DataFrame(each)
    table = pd.concat(tables, axis=1, names=["end", "dimension"])
    return table.set_axis(connectome.neurons.index)


def compute_participation(connectome: Connectome) -> pd.DataFrame:
    """Count, for every neuron, the directed simplices of each dimension it is part of.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; one column a dimension (0 is 1 for everyone, 1 the
        degree). A column's sum is (dimension + 1) times the number of its simplices.
    """
    indptr, indices = graph_of(connectome)
    n = indptr.size - 1
    sides, all_counts = _count_sides(indptr, indices)
    counts = np.ones((n, all_counts.size), np.int64)
    for k in range(1, all_counts.size):
        # In a simplex that a neuron is part of it has k connections.
        here = sparse.csr_array((sides[:, k - 1].astype(np.int64), indices, indptr), shape=(n, n))
        counts[:, k] = (here.sum(axis=0) + here.sum(axis=1)) // k
    wanted = np.arange(1, all_counts.size + 1) * all_counts
    must_hold("the simplices of every neuron", (counts.sum(axis=0), wanted))
    table = pd.DataFrame(counts, index=connectome.neurons.index)
    return table.rename_axis(columns="dimension")


def compute_edge_participation(connectome: Connectome) -> pd.DataFrame:
    """Count, for every connection, the directed simplices of each dimension it is part of.

    Returns
    -------
    pandas.DataFrame
        m rows, index (``pre``, ``post``) in the order of ``adjacency.indices``; one column a
        dimension from 1 on.  A column's sum is its simplices times k(k + 1)/2.
    """
    sides, counts = _count_sides(*graph_of(connectome))
    k = np.arange(counts.size)
    must_hold("sides of simplices", (sides.sum(axis=0), (counts * k * (k + 1) // 2)[1:]))
    graph = connectome.adjacency
    everyone = np.arange(graph.shape[0], dtype=np.int32)
    codes = [np.repeat(everyone, np.diff(graph.indptr)), graph.indices]
    ends = pd.MultiIndex([everyone, everyone], codes, names=["pre", "post"])
    dimensions = pd.Index(k[1:], name="dimension")
    # Seen as signed, the table is no copy.
    return pd.DataFrame(sides.view(f"i{sides.itemsize}"), ends, dimensions, copy=False)


def _count_sides(indptr: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the simplices of each connection, a column a dimension from 1 on, and all of each.

    The numbers of a connection lie side by side, within one line of memory where they can.
    """
    columns, width, limit = COLUMNS, 4, MOST_IN_32_BITS
    with memory_for("the simplices of every connection"):
        start, short, room, own = walk_inputs(indptr, indices, indptr.size)
        own += 8 * room[1] + 44 * room[0] * (room[0] // 64 + 1)
        _must_fit(own, room[0])
        while True:
            sides = _in_lines(indices.size * columns, width)
            own += columns * (room[1] + 2 * room[0] + 64 * 128) * sides.itemsize
            met = np.zeros((tasks(own), columns + 2), np.int64)
            tables = _in_lines(len(met) * (room[1] + 1) * columns, width).reshape(len(met), -1)
            how = room, limit // len(met), columns
            kernel.count_sides(start, short, *how, sides, tables, met)
            counts = met.sum(axis=0)
            if counts[-1]:
                columns *= 2
                del sides, tables  # as large as the next
            elif met.max() >= limit // len(met):
                width, limit = 8, int(np.iinfo(np.int64).max)
            else:
                break
    must_hold("simplices", (counts[:2], [indptr.size - 1, indices.size]))
    counts = counts[: int(np.flatnonzero(counts).max(initial=0)) + 1]
    return sides.reshape(-1, columns)[:, : counts.size - 1], counts


def _in_lines(size: int, width: int) -> np.ndarray:
    """Return zeros of so many bytes each that begin where a line of memory does."""
    zeros = np.zeros(size + LINE, f"u{width}")
    return zeros[-zeros.ctypes.data % LINE // width :][:size]


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
    dimension = given_count(dimension, where="dimension")
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
    dimension = given_count(dimension, where="dimension", low=1)
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
