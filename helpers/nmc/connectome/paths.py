"""Shortest paths: how many synapses lie between any two neurons, exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of, memory_for, must_hold, tasks, transpose
from nmc.connectome.given import check_table, chosen_neurons
from nmc.connectome.kernels.paths import count_distances


def compute_path_lengths(connectome, sources: np.ndarray | None = None) -> pd.DataFrame:
    """Count ordered pairs of neurons by the number of connections on the shortest path.

    Exact, over all pairs: nothing is sampled, and no matrix of distances is formed.

    Parameters
    ----------
    connectome : Connectome
        n neurons.
    sources : bool or int array, optional
        Neurons the paths start from, a mask of n or indices; default all. Paths may pass, and
        end at, any neuron.

    Returns
    -------
    pandas.DataFrame
        ``length`` (1, 2, …, and infinity for pairs without a path), ``pairs``, ``share`` (of all
        ordered pairs).

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself; if `sources` is neither a mask
        of all neurons nor indices of some.

    References
    ----------
    .. [1] Watts and Strogatz (1998), Collective dynamics of 'small-world' networks, Nature 393:440.
    """
    indptr, indices = graph_of(connectome)
    n = indptr.size - 1
    chosen = np.arange(n) if sources is None else chosen_neurons(sources, n)
    with memory_for("shortest paths"):
        turned = transpose(indptr, indices)
        counts = count_distances(indptr, indices, *turned, chosen, tasks(104 * n))
    must_hold(
        "paths",
        (counts[1:2].sum(), np.diff(indptr)[chosen].sum()),
        (counts.sum() <= chosen.size * max(n - 1, 0), True),
    )
    longest = int(np.flatnonzero(counts).max(initial=0))
    pairs = counts[1 : longest + 1]
    total = chosen.size * (n - 1) if n else 0
    pairs = np.append(pairs, total - pairs.sum())
    lengths = np.append(np.arange(1.0, longest + 1), np.inf)
    return pd.DataFrame({"length": lengths, "pairs": pairs, "share": pairs / max(total, 1)})


def summarise_paths(lengths: pd.DataFrame) -> pd.Series:
    """Reduce a table of path lengths to a few numbers.

    Parameters
    ----------
    lengths : pandas.DataFrame
        From `compute_path_lengths`.

    Returns
    -------
    pandas.Series
        ``mean`` over pairs with a path (NaN if there is none), ``reachable`` (their share),
        ``longest`` (the diameter of what is reachable).

    Raises
    ------
    ConnectomeError
        For another table.
    """
    check_table(lengths, ("length", "pairs", "share"), "nmc.compute_path_lengths")
    finite = lengths[np.isfinite(lengths["length"])]
    pairs = int(finite["pairs"].sum())
    mean = float((finite["length"] * finite["pairs"]).sum() / pairs) if pairs else float("nan")
    longest = int(finite["length"].max()) if pairs else 0
    return pd.Series({"mean": mean, "reachable": float(finite["share"].sum()), "longest": longest})
