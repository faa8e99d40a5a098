"""Common neighbours: whether connected neurons share more partners than unconnected ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import (
    graph_of,
    group_codes,
    memory_for,
    must_hold,
    tasks,
    transpose,
)
from nmc.connectome.given import check_choice
from nmc.connectome.kernels.neighbours import fold_common

#: Which partners count as common: ``(targets shared, sources shared)``.
KINDS: dict[str, tuple[bool, bool]] = {
    "both": (True, True),
    "efferent": (True, False),
    "afferent": (False, True),
}


def compute_common_neighbour_bias(
    connectome, by: str | None = "mtype", *, definition: str = "factsheet"
) -> pd.DataFrame:
    """Compute how many more neighbours connected pairs share than unconnected ones.

    Two definitions are in use, and give different numbers:

    ``"factsheet"``
        Shared sources plus shared targets. Within a group a pair counts as connected if there
        is a connection either way; this reproduces the portal's values [1]_. Between groups,
        where a fact sheet stands for each direction, if pre contacts post.
    ``"efferent"``
        Shared targets only, a pair connected if pre contacts post, as in later studies of the
        Blue Brain Project.

    Parameters
    ----------
    connectome : Connectome
    by : str or None
        Column of the neuron table whose groups form the pathways; None for one group of all.
    definition : {"factsheet", "efferent"}

    Returns
    -------
    pandas.DataFrame
        One row an ordered pair of groups: ``pre``, ``post``, ``connected_pairs``,
        ``unconnected_pairs``, ``connected_mean``, ``unconnected_mean`` (common neighbours of such
        a pair), ``bias`` (their ratio). NaN where there is no pair to average or divide by. Common
        neighbours of any group count, inside the graph.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or for an unknown definition or
        column.

    References
    ----------
    .. [1] Pathway fact sheets of the Neocortical Microcircuit portal; the effect: Perin, Berger and
       Markram (2011), PNAS 108:5419.
    """
    check_choice(definition, "The definition", ("factsheet", "efferent"))
    kind = "both" if definition == "factsheet" else "efferent"
    codes, labels, _, sums, pairs = _fold(connectome, by, kind)
    size = np.bincount(codes, minlength=len(labels))
    # State 1 is a connection from the earlier neuron to the later, 2 the reverse, 3 both.
    linked_sum, linked = (a[..., 1] + a[..., 3] + (a[..., 2] + a[..., 3]).T for a in (sums, pairs))
    total_sum = sums[..., 0] + sums[..., 0].T
    total = np.outer(size, size) - np.diag(size)
    if definition == "factsheet":  # unordered pairs within a group, connected either way
        either_sum, either = (a[..., 1:].sum(axis=2).diagonal() for a in (sums, pairs))
        for array, within in (
            (linked_sum, either_sum),
            (linked, either),
            (total_sum, total_sum.diagonal() // 2),
            (total, total.diagonal() // 2),
        ):
            np.fill_diagonal(array, within)
    rest_sum, rest = total_sum - linked_sum, total - linked
    names = np.array(labels, dtype=object)
    table = pd.DataFrame(
        {
            "pre": np.repeat(names, len(labels)),
            "post": np.tile(names, len(labels)),
            "connected_pairs": linked.ravel(),
            "unconnected_pairs": rest.ravel(),
            "connected_mean": _ratio(linked_sum, linked).ravel(),
            "unconnected_mean": _ratio(rest_sum, rest).ravel(),
        }
    )
    table["bias"] = _ratio(table["connected_mean"].to_numpy(), table["unconnected_mean"].to_numpy())
    return table


def count_common_neighbours(connectome, kind: str = "both") -> pd.DataFrame:
    """Count pairs of neurons by the number of neighbours they share, connected or not.

    Parameters
    ----------
    connectome : Connectome
        n neurons; all n(n − 1)/2 pairs are counted.
    kind : {"both", "efferent", "afferent"}
        Shared targets plus shared sources, targets only, sources only.

    Returns
    -------
    pandas.DataFrame
        ``common`` (0, 1, …), ``pairs``, ``connected`` (pairs with a connection either way),
        ``reciprocal`` (both ways), ``probability`` (connected / pairs, NaN without pairs).

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or for an unknown kind.

    References
    ----------
    .. [1] Perin, Berger and Markram (2011), PNAS 108:5419.
    """
    check_choice(kind, "The kind", KINDS)
    _, _, histogram, _, _ = _fold(connectome, None, kind)
    most = int(np.flatnonzero(histogram[0]).max(initial=-1)) + 1
    pairs, *linked = histogram[:, :most]
    connected = sum(linked)
    return pd.DataFrame(
        {
            "common": np.arange(most),
            "pairs": pairs,
            "connected": connected,
            "reciprocal": linked[2],
            "probability": _ratio(connected, pairs),
        }
    )


def _fold(connectome, by: str | None, kind: str):
    """Run the kernel; return group codes, labels, histogram, sums and pairs by group and state."""
    indptr, indices = graph_of(connectome)
    t_indptr, t_indices = transpose(indptr, indices)
    if by is None:
        codes, labels = np.zeros(indptr.size - 1, np.int32), ["all"]
    else:
        codes, labels = group_codes(connectome, by)
    use_out, use_in = KINDS[kind]
    degrees = [np.diff(p) for p, use in ((indptr, use_out), (t_indptr, use_in)) if use]
    most = sum(int(d.max(initial=0)) for d in degrees)
    own = 5 * codes.size + 64 * len(labels) ** 2 + 32 * (most + 1)
    with memory_for("counting common neighbours"):
        histogram, sums, pairs = fold_common(
            indptr, indices, t_indptr, t_indices, use_out, use_in, codes, len(labels), most,
            tasks(own),
        )  # fmt: skip
    n, linked = codes.size, histogram[1:].sum(axis=1)
    # A neuron is a common source of every two of its targets, a common target of two sources.
    partners = [np.diff(p) for p, use in ((t_indptr, use_out), (indptr, use_in)) if use]
    shared = sum(int((d * (d - 1) // 2).sum()) for d in partners)
    must_hold(
        "common neighbours",
        (histogram[0].sum(), n * (n - 1) // 2),
        (linked @ [1, 1, 2], indices.size),
        (pairs.sum(axis=(0, 1))[1:], linked),
        (histogram[0] @ np.arange(most + 1), shared),
        (sums[..., 0].sum(), shared),
    )
    return codes, labels, histogram, sums, pairs


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
