"""What a call is given, checked, and a connectome as the bare arrays the kernels take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.errors import ConnectomeError, UnknownNameError
from nmc.numbers import as_count, as_generator, as_number

#: A whole number, and what draws numbers or its seed, that a call is given, checked.
given_count = partial(as_count, error=ConnectomeError)
generator = partial(as_generator, error=ConnectomeError)


def given_width(value: float, where: str, *, finite: bool = True) -> float:
    """Return a length above 0 µm that a call is given; infinity is one unless `finite`."""
    if not finite and isinstance(value, float) and np.isposinf(value):
        return value
    width = as_number(value, where=where, low=0, error=ConnectomeError)
    if not width:
        raise ConnectomeError(f"{where} must be wider than 0 µm.")
    return width


def listed(given: Any) -> list:
    """Return several things as a list; a name or a path alone is a list of one."""
    return [given] if isinstance(given, str | Path) else list(given)


def check_choice(what: str, value: Any, choices: Iterable) -> None:
    """Refuse what is none of a few choices."""
    if value not in list(choices):
        raise UnknownNameError.of(what, value, map(str, choices))


def chosen_neurons(chosen, n: int) -> np.ndarray:
    """Turn a mask of n neurons, or indices of some, into indices: ascending, each once, int64."""
    chosen = np.asarray(chosen)
    if chosen.dtype == bool and chosen.shape == (n,):
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.empty(0, np.int64)
    whole = chosen.dtype.kind in "iu" and chosen.ndim == 1
    if whole and chosen.min() >= 0 and chosen.max() < n:
        return np.unique(chosen).astype(np.int64)
    span = f", from {chosen.min()} to {chosen.max()}" if whole else ""
    raise ConnectomeError(
        f"Neurons are chosen by a mask of {n} bools or by indices from 0 to {n - 1}, not by "
        f"{chosen.dtype} of shape {chosen.shape}{span}."
    )


def finite(positions: np.ndarray) -> np.ndarray:
    """Return soma positions; one that is no finite number is refused: it has no distances."""
    bad = ~np.isfinite(positions)
    if bad.any():
        neuron = int(np.flatnonzero(bad.reshape(len(positions), -1).any(axis=1))[0])
        raise ConnectomeError(
            f"Neuron {neuron} has a position that is no finite number; give it one, or leave it "
            "out with Connectome.select."
        )
    return positions


#: What the tasks of one kernel may take together for their own work, in bytes.
ROOM_BYTES = 1 << 29
#: Groups of neurons at most: measures by pathway keep the square of their number.
MOST_GROUPS = 1000


def graph_of(connectome) -> tuple[np.ndarray, np.ndarray]:
    """Return the connections as CSR arrays, rows presynaptic, targets ascending; checked."""
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


def must_hold(what: str, *equal: tuple[Any, Any]) -> None:
    """Raise a `ConnectomeError` unless each pair is equal: sums a correct count cannot miss."""
    for found, expected in equal:
        if not np.array_equal(found, expected):
            raise ConnectomeError(
                f"Counting {what} went wrong: {found} where {expected} must be.  This is a fault "
                "of this package or of the machine, not of the data; please report it."
            )


def transpose(indptr: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the graph with every connection reversed: rows postsynaptic."""
    n = indptr.size - 1
    with memory_for("the transposed connections"):
        parts = np.ones(indices.size, bool), indices, indptr.astype(np.int32)
        turned = sparse.csr_array(parts, shape=(n, n)).tocsc()
    return turned.indptr.astype(np.int64), turned.indices


def group_codes(connectome, by: str | None) -> tuple[np.ndarray, list]:
    """Number the groups of a column of the neuron table: codes (int32) and the label of each.

    Without a column all neurons are one group.
    """
    if by is None:
        return np.zeros(len(connectome.neurons), np.int32), ["all"]
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


def blank_unknown(
    table: pd.DataFrame, connectome, by: str, numbers: list[str], count: str = "connections"
) -> pd.DataFrame:
    """Blank `numbers` and `count` of pathways that the file had no matrix of: unknown, not zero."""
    unknown = set(connectome.coverage.missing_blocks)
    if by == "mtype" and unknown:
        lost = [pair in unknown for pair in zip(table["pre"], table["post"], strict=True)]
        table[count] = table[count].astype("Int64")
        table.loc[lost, count] = pd.NA
        table.loc[lost, numbers] = np.nan
    return table
