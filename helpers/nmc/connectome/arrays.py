"""From a connectome to the bare arrays the kernels take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.validation import check_connectome
from nmc.errors import ConnectomeError

#: What the tasks of one kernel may take together for their own work, in bytes.
ROOM_BYTES = 1 << 29
#: Groups of neurons at most: measures by pathway keep the square of their number.
MOST_GROUPS = 1000


def graph_of(connectome) -> tuple[np.ndarray, np.ndarray]:
    """Return the connections as CSR arrays, rows presynaptic, targets ascending; checked."""
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


def tasks(bytes_each: int = 0) -> int:
    """Return how many tasks a kernel deals its rows out to: one a thread, fewer for large ones.

    A kernel takes their memory before they begin: the error of an allocation that fails inside
    ``prange`` is lost.
    """
    from numba import get_num_threads

    return max(1, min(get_num_threads(), ROOM_BYTES // max(int(bytes_each), 1)))


@contextmanager
def memory_for(what: str) -> Iterator[None]:
    """Turn a failed allocation into a `ConnectomeError` that says what there was no memory for."""
    try:
        yield
    except MemoryError as error:
        raise ConnectomeError(
            f"There is not enough memory for {what}: measure a part of the connectome "
            "(Connectome.subset), or use a machine with more."
        ) from error


def must_hold(what: str, *equal: tuple[object, object]) -> None:
    """Raise a `ConnectomeError` unless each pair is equal: sums a correct count cannot miss."""
    for found, expected in equal:
        if not np.array_equal(found, expected):
            raise ConnectomeError(
                f"Counting {what} went wrong: {found} where {expected} must be.  This is a fault "
                "of this package or of the machine, not of the data; please report it."
            )


def transpose(indptr: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the graph with every connection reversed: rows postsynaptic."""
    from nmc.connectome.kernels.partners import transpose_graph

    with memory_for("the transposed connections"):
        return transpose_graph(indptr, indices)


def group_codes(connectome, by: str) -> tuple[np.ndarray, list]:
    """Number the groups of a column of the neuron table: codes (int32) and the label of each."""
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


def pathway_table(labels: list, **columns: np.ndarray) -> pd.DataFrame:
    """Make a table of all ordered pairs of groups, ``pre`` changing slowest."""
    names = np.empty(len(labels), dtype=object)
    names[:] = labels
    ends = {"pre": np.repeat(names, len(labels)), "post": np.tile(names, len(labels))}
    return pd.DataFrame(ends | {name: np.ravel(values) for name, values in columns.items()})


def ratio(part: np.ndarray, whole: np.ndarray, otherwise: float = np.nan) -> np.ndarray:
    """Divide where `whole` is above 0, and give `otherwise` elsewhere."""
    whole = np.asarray(whole)
    return np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0)


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
    """Blank `numbers` and `count` of pathways that the file had no matrix of: unknown, not zero."""
    unknown = set(getattr(getattr(connectome, "coverage", None), "missing_blocks", ()))
    if by == "mtype" and unknown:
        lost = [pair in unknown for pair in zip(table["pre"], table["post"], strict=True)]
        table[count] = table[count].astype("Int64")
        table.loc[lost, count] = pd.NA
        table.loc[lost, numbers] = np.nan
    return table
