"""Beyond one connection: shortest paths, the small world, and neighbours in common.

Each call raises `ConnectomeError` where a neuron connects to itself.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from nmc.connectome.arrays import (
    check_choice,
    chosen_neurons,
    generator,
    given_count,
    graph_of,
    group_codes,
    memory_for,
    must_hold,
    pathway_table,
    ratio,
    tasks,
    transpose,
)
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels.partners import fold_common
from nmc.connectome.kernels.topology import count_distances
from nmc.connectome.motifs import compute_clustering
from nmc.connectome.nulls import make_erdos_renyi


def compute_path_lengths(connectome: Connectome, sources: np.ndarray | None = None) -> pd.DataFrame:
    """Count ordered pairs of neurons by the number of connections on the shortest path.

    Exact, over all pairs: nothing is sampled, and no matrix of distances is formed.

    Parameters
    ----------
    sources : bool or int array, optional
        Neurons the paths start from, a mask of n or indices; default all. Paths may pass, and
        end at, any neuron.

    Returns
    -------
    pandas.DataFrame
        ``length`` (1, 2, …, and infinity for pairs without a path), ``pairs``, ``share`` (of all
        ordered pairs).
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
    """
    finite = lengths[np.isfinite(lengths["length"])]
    pairs = int(finite["pairs"].sum())
    mean = float((finite["length"] * finite["pairs"]).sum() / pairs) if pairs else float("nan")
    longest = int(finite["length"].max()) if pairs else 0
    return pd.Series({"mean": mean, "reachable": float(finite["share"].sum()), "longest": longest})


def compute_components(connectome: Connectome) -> pd.DataFrame:
    """Find the parts of the graph whose neurons reach one another.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table: ``strong``, the strongly connected component (paths
        both ways along the connections), and ``weak`` (directions forgotten); numbered from 0 by
        size, the largest first.
    """
    graph_of(connectome)  # refuses what no measure takes
    columns = {}
    for kind in ("strong", "weak"):
        _, label = connected_components(connectome.adjacency, connection=kind)
        by_size = np.argsort(-np.bincount(label), kind="stable")
        columns[kind] = np.argsort(by_size)[label] if label.size else label
    return pd.DataFrame(columns, index=connectome.neurons.index)


def compute_small_world(
    connectome: Connectome,
    *,
    rng: np.random.Generator | int,
    n_random: int = 3,
) -> pd.Series:
    """Compute the small-world index against random graphs of the same size.

    ``S = (C / C_random) / (L / L_random)``, with C the mean directed clustering (Fagiolo) and L the
    mean length of the shortest paths that exist; random graphs have as many neurons and
    connections. S above 1 is called a small world (Humphries and Gurney 2008, PLoS ONE 3:e0002051).

    Parameters
    ----------
    rng : numpy.random.Generator or int
        Draws the random graphs; or the seed of one that does.
    n_random : int
        How many, at least 1.

    Returns
    -------
    pandas.Series
        ``clustering``, ``clustering_random`` (mean), ``clustering_random_std``, ``path_length``,
        ``path_length_random``, ``path_length_random_std``, ``clustering_ratio``,
        ``path_length_ratio``, ``small_world_index``; NaN where a random graph has no triangle.
    """
    n_random = given_count(n_random, where="n_random", low=1)
    rng = generator(rng)
    clustering, path = _both(connectome)
    randoms = (make_erdos_renyi(connectome, rng=rng) for _ in range(n_random))
    drawn = np.array([_both(graph) for graph in randoms])
    (c_random, l_random), (c_std, l_std) = drawn.mean(axis=0), drawn.std(axis=0)
    c_ratio = clustering / c_random if c_random else np.nan
    l_ratio = path / l_random
    return pd.Series(
        {
            "clustering": clustering,
            "clustering_random": c_random,
            "clustering_random_std": c_std,
            "path_length": path,
            "path_length_random": l_random,
            "path_length_random_std": l_std,
            "clustering_ratio": c_ratio,
            "path_length_ratio": l_ratio,
            "small_world_index": c_ratio / l_ratio,
        }
    )


def _both(graph: Connectome) -> tuple[float, float]:
    """Return mean clustering and mean path length."""
    paths = summarise_paths(compute_path_lengths(graph))
    return float(compute_clustering(graph)["directed"].mean()), float(paths["mean"])


#: Which partners count as common: ``(targets shared, sources shared)``.
KINDS: dict[str, tuple[bool, bool]] = {
    "both": (True, True),
    "efferent": (True, False),
    "afferent": (False, True),
}


def compute_common_neighbour_bias(
    connectome: Connectome, by: str | None = "mtype", *, definition: str = "factsheet"
) -> pd.DataFrame:
    """Compute how many more neighbours connected pairs share than unconnected ones.

    Two definitions are in use, and give different numbers:

    ``"factsheet"``
        Shared sources plus shared targets. Within a group a pair counts as connected if there
        is a connection either way; this reproduces the portal's values. Between groups,
        where a fact sheet stands for each direction, if pre contacts post.
    ``"efferent"``
        Shared targets only, a pair connected if pre contacts post, as in later studies of the
        Blue Brain Project.

    Parameters
    ----------
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
    """
    check_choice("definition", definition, ("factsheet", "efferent"))
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
    table = pathway_table(
        labels,
        connected_pairs=linked,
        unconnected_pairs=rest,
        connected_mean=ratio(linked_sum, linked),
        unconnected_mean=ratio(rest_sum, rest),
    )
    table["bias"] = ratio(table["connected_mean"], table["unconnected_mean"])
    return table


def count_common_neighbours(connectome: Connectome, kind: str = "both") -> pd.DataFrame:
    """Count pairs by the number of neighbours they share (Perin et al. 2011, PNAS 108:5419).

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
    """
    check_choice("kind of neighbours", kind, KINDS)
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
            "probability": ratio(connected, pairs),
        }
    )


def _fold(connectome, by: str | None, kind: str):
    """Run the kernel; return group codes, labels, histogram, sums and pairs by group and state."""
    indptr, indices = graph_of(connectome)
    t_indptr, t_indices = transpose(indptr, indices)
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
