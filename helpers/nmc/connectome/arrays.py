"""From a connectome to the bare arrays the kernels take."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.given import check_connectome
from nmc.errors import ConnectomeError

#: Tasks a kernel deals its rows out to; more than there are cores, so that no core waits long.
CHUNKS = 8
#: Groups of neurons at most: measures by pathway keep the square of their number.
MOST_GROUPS = 1000


def graph_of(connectome) -> tuple[np.ndarray, np.ndarray]:
    """Return the connections as CSR arrays, rows presynaptic.

    Parameters
    ----------
    connectome : Connectome
        Anything with an ``adjacency``, a square scipy CSR of n neurons.

    Returns
    -------
    indptr : int64 array, shape (n + 1,)
    indices : int32 array, shape (connections,)
        Postsynaptic neurons, ascending within a row, each once.

    Raises
    ------
    ConnectomeError
        If this is no connectome, or a neuron connects to itself: no measure here is defined
        for that.
    """
    check_connectome(connectome)
    adjacency = connectome.adjacency
    if not adjacency.has_canonical_format:
        adjacency = adjacency.copy()
        adjacency.sum_duplicates()
    if adjacency.diagonal().any():
        raise ConnectomeError(
            "The adjacency has a connection of a neuron with itself; remove it first: "
            "adjacency.setdiag(0), then connectome.with_adjacency(adjacency, name)."
        )
    return adjacency.indptr.astype(np.int64), adjacency.indices.astype(np.int32, copy=False)


def transpose(indptr: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the graph with every connection reversed: rows postsynaptic."""
    from nmc.connectome.kernels.reciprocal import turn_round

    return turn_round(indptr, indices)


def group_codes(connectome, by: str) -> tuple[np.ndarray, list]:
    """Number the groups of a column of the neuron table.

    Parameters
    ----------
    connectome : Connectome
    by : str
        A column of ``neurons``: ``"mtype"``, ``"layer"``, ``"excitatory"`` …

    Returns
    -------
    codes : int32 array, shape (n,)
    labels : list
        Label of each code, in order of first appearance.

    Raises
    ------
    ConnectomeError
        If the neuron table has no such column, a neuron has no value in it, or there are more
        groups than `MOST_GROUPS`.
    """
    if not isinstance(by, str) or by not in connectome.neurons:
        known = ", ".join(map(str, connectome.neurons.columns))
        raise ConnectomeError(f"The neuron table has no column {by!r}; it has {known}.")
    codes, labels = connectome.neurons[by].factorize()
    if len(labels) > MOST_GROUPS:
        raise ConnectomeError(
            f"The column {by!r} has {len(labels):,} different values, too many for groups "
            f"({MOST_GROUPS:,}): group by mtype or layer, or add a column of fewer groups."
        )
    if (codes < 0).any():
        raise ConnectomeError(f"A neuron has no {by}; give every neuron one.")
    return codes.astype(np.int32), list(labels)


def subgraph(
    indptr: np.ndarray, indices: np.ndarray, members: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the connections among `members` (ascending indices), renumbered from 0."""
    n = indptr.size - 1
    ones = np.ones(indices.size, np.bool_)
    part = sparse.csr_array((ones, indices, indptr), shape=(n, n))[members][:, members]
    part.sort_indices()
    return part.indptr.astype(np.int64), part.indices.astype(np.int32, copy=False)


def blank_unknown(
    table: pd.DataFrame, connectome, by: str, numbers: list[str], count: str = "connections"
) -> pd.DataFrame:
    """Blank the rows of pathways of which the connectome's file had no matrix: unknown, not zero.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a pathway, columns ``pre`` and ``post``.
    connectome : Connectome
    by : str
        What the pathways run between; only those of m-types can be missing in a file.
    numbers : list of str
        Columns to set to NaN.
    count : str
        Column of counts, nullable afterwards.
    """
    unknown = set(getattr(getattr(connectome, "coverage", None), "missing_blocks", ()))
    if by == "mtype" and unknown:
        lost = [pair in unknown for pair in zip(table["pre"], table["post"], strict=True)]
        table[count] = table[count].astype("Int64")
        table.loc[lost, count] = pd.NA
        table.loc[lost, numbers] = np.nan
    return table
