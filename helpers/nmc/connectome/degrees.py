"""How many partners neurons have: degrees, reciprocity, convergence, hubs and their rich club,
and how densely groups of neurons are wired to one another.

Each raises `ConnectomeError` where a neuron connects to itself, and for a `by` that is no column of
the neuron table.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.arrays import (
    blank_unknown,
    check_choice,
    graph_of,
    group_codes,
    must_hold,
    pathway_table,
    ratio,
)
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels.partners import mark_reciprocal
from nmc.errors import ConnectomeError


def compute_degrees(connectome: Connectome) -> pd.DataFrame:
    """Count the partners of every neuron (Newman 2003, SIAM Rev 45:167).

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table: ``mtype``, ``layer``, ``excitatory`` as there;
        ``in_degree`` (presynaptic partners), ``out_degree`` (postsynaptic), ``reciprocal``
        (partners in both ways), ``degree`` (in + out); int64. Only partners in the graph count.
        With weights also ``in_weight`` and ``out_weight``, their sums (strengths).
    """
    indptr, indices = graph_of(connectome)
    out_degree = np.diff(indptr)
    in_degree = np.bincount(indices, minlength=out_degree.size)
    # A reciprocal connection is found in both lists: its targets are those that have one.
    marks = mark_reciprocal(indptr, indices)
    must_hold("degrees", (in_degree.sum(), indices.size), (marks.sum() % 2, 0))
    table = connectome.neurons[["mtype", "layer", "excitatory"]].copy()
    table["in_degree"] = in_degree
    table["out_degree"] = out_degree
    table["reciprocal"] = np.bincount(indices[marks], minlength=out_degree.size)
    table["degree"] = in_degree + out_degree
    if connectome.weights is not None:
        matrix = connectome.weight_matrix
        table["in_weight"], table["out_weight"] = matrix.sum(axis=0), matrix.sum(axis=1)
    return table


def compute_core_numbers(connectome: Connectome) -> pd.Series:
    """Compute the largest k for which each neuron is in the k-core.

    In the k-core every neuron has k connections, in and out, with others of it (Seidman 1983, Soc
    Netw 5:269; for directed graphs as networkx counts them).

    Returns
    -------
    pandas.Series
        n core numbers (int64), index of the neuron table.
    """
    graph_of(connectome)  # refuses what no measure takes
    n, graph = connectome.n_neurons, connectome.adjacency
    both = sparse.hstack([graph, graph.T], format="csr")  # each neuron's targets, then its sources
    core, degree, k = np.zeros(n, np.int64), np.diff(both.indptr), 0
    left = np.ones(n, bool)
    while left.any():  # whoever has k or fewer among those left goes, and so takes from others
        k = max(k, int(degree[left].min()))
        gone = np.flatnonzero(left & (degree <= k))
        core[gone], left[gone] = k, False
        degree = degree - np.bincount(both[gone].indices % n, minlength=n)
    return pd.Series(core, index=connectome.neurons.index, name="core")


def compute_reciprocity(connectome: Connectome) -> float:
    """Compute the share of connections that have one in the other direction.

    Returns
    -------
    float
        0 … 1; NaN without connections. In a random graph it equals the connection probability
        (Newman, Forrest and Balthrop 2002, Phys Rev E 66:035101).
    """
    indptr, indices = graph_of(connectome)
    marks = mark_reciprocal(indptr, indices)
    return float(marks.mean()) if marks.size else float("nan")


def compute_pathway_reciprocity(connectome: Connectome, by: str = "mtype") -> pd.DataFrame:
    """Compute reciprocity pathway by pathway (as `compute_reciprocity`).

    Parameters
    ----------
    by : str
        Column of the neuron table whose groups form the pathways.

    Returns
    -------
    pandas.DataFrame
        One row a pathway with connections: ``pre``, ``post``, ``connections``, ``reciprocal``
        (connections whose reverse exists), ``reciprocity`` (their share).
    """
    _, labels, counts = _blocks(connectome, by)
    both = _blocks(connectome, by, mark_reciprocal(*graph_of(connectome)))[2].astype(np.int64)
    table = pathway_table(labels, connections=counts, reciprocal=both)
    table = table[table["connections"] > 0].reset_index(drop=True)
    table["reciprocity"] = table["reciprocal"] / table["connections"]
    return table


def compute_convergence(connectome: Connectome, by: str = "mtype") -> pd.DataFrame:
    """Compute convergence and divergence of every pathway as the portal's fact sheets define them.

    Convergence is the number of presynaptic neurons of one type that contact a neuron of the
    other, divergence the number of postsynaptic ones it contacts; mean and standard deviation
    are over all neurons, those without a partner included, and only partners inside the
    volume count. It is this definition that gives the sheets' values from the connectome.

    Parameters
    ----------
    by : str
        Column of the neuron table whose groups form the pathways.

    Returns
    -------
    pandas.DataFrame
        One row an ordered pair of groups: ``pre``, ``post``, ``n_pre``, ``n_post``,
        ``connections``, ``convergence_mean``, ``convergence_std``, ``divergence_mean``,
        ``divergence_std``. NaN where the connectome's coverage lacks the block.
    """
    indptr, indices = graph_of(connectome)
    codes, labels = group_codes(connectome, by)
    sizes = np.bincount(codes, minlength=len(labels))
    rows = np.repeat(np.arange(codes.size, dtype=np.int32), np.diff(indptr))
    inputs = _per_neuron(codes[rows], indices, codes.size, len(labels))
    outputs = _per_neuron(codes[indices], rows, codes.size, len(labels))
    into, out = (pd.DataFrame(counts.T).groupby(codes) for counts in (inputs, outputs))
    into_mean, into_std = into.mean().to_numpy().T, into.std(ddof=0).to_numpy().T  # [pre, post]
    out_mean, out_std = out.mean().to_numpy(), out.std(ddof=0).to_numpy()  # [pre, post]
    table = pathway_table(
        labels,
        n_pre=np.repeat(sizes, len(labels)),
        n_post=np.tile(sizes, len(labels)),
        connections=np.rint(into_mean * sizes).astype(np.int64),
        convergence_mean=into_mean,
        convergence_std=into_std,
        divergence_mean=out_mean,
        divergence_std=out_std,
    )
    spread = [column for column in table if column.endswith(("_mean", "_std"))]
    return blank_unknown(table, connectome, by, spread)


def _per_neuron(groups: np.ndarray, neurons: np.ndarray, n: int, n_groups: int) -> np.ndarray:
    """Count connections of each neuron by the group at the other end, (n_groups, n)."""
    flat = groups.astype(np.int64) * n + neurons
    return np.bincount(flat, minlength=n_groups * n).reshape(n_groups, n)


def compute_rich_club(connectome: Connectome, nulls: Iterable = ()) -> pd.DataFrame:
    """Compute how densely the neurons above each degree are connected among themselves.

    For each k, the connections among the N neurons of degree (in + out) above k over the
    N(N − 1) there could be. High degrees alone make the density rise; a rich club is what
    exceeds graphs of the same degrees [1]_ [2]_.

    Parameters
    ----------
    nulls : iterable of Connectome, or one, optional
        Graphs in which every neuron has the same in- and out-degree, from
        `make_degree_preserving`; taken one at a time, so a generator saves memory.

    Returns
    -------
    pandas.DataFrame
        ``degree`` k, ``neurons`` above it, ``connections`` among them, ``density`` (NaN below two
        neurons); with nulls also ``null_mean``, ``null_std`` of their density, and ``normalised``
        (density / null_mean). One row for each k from 0 to below the largest degree.

    Raises
    ------
    ConnectomeError
        If a null's neurons do not have the degrees of the connectome.

    References
    ----------
    .. [1] Colizza, Flammini, Serrano and Vespignani (2006), Nat Phys 2:110.
    .. [2] Gal et al. (2017), Nat Neurosci 20:1004, on neocortical microcircuitry.
    """
    degree, density, neurons, connections = _curve(connectome)
    table = pd.DataFrame(
        {
            "degree": np.arange(density.size),
            "neurons": neurons,
            "connections": connections,
            "density": density,
        }
    )
    curves = []
    if hasattr(nulls, "adjacency"):
        nulls = [nulls]
    for null in nulls:
        if not hasattr(null, "adjacency"):
            raise ConnectomeError(f"Nulls are a list of connectomes, not of {null!r}.")
        null_degree, curve, _, _ = _curve(null)
        if not np.array_equal(null_degree, degree):
            raise ConnectomeError(
                "A rich club is normalised by graphs of the same degrees, and this null's differ; "
                "use make_degree_preserving."
            )
        curves.append(curve)
    if curves:
        table["null_mean"] = np.mean(curves, axis=0)
        table["null_std"] = np.std(curves, axis=0)
        table["normalised"] = ratio(density, table["null_mean"])
    return table


def compute_hubs(
    connectome: Connectome, share: float = 0.01, *, kind: str = "degree"
) -> pd.DataFrame:
    """Find the hubs, the neurons with the most partners (van den Heuvel and Sporns 2013).

    Parameters
    ----------
    share : float
        Share of all neurons to call hubs, above 0 and at most 1; with all that tie with the last.
    kind : {"degree", "in_degree", "out_degree"}
        What to rank by.

    Returns
    -------
    pandas.DataFrame
        Rows of the degree table (`compute_degrees`) of the hubs, largest first.
    """
    check_choice("degree", kind, ("degree", "in_degree", "out_degree"))
    if not isinstance(share, Real) or not 0 < share <= 1:
        raise ConnectomeError(f"The share of hubs lies above 0 and at most at 1, not {share!r}.")
    table = compute_degrees(connectome)
    wanted = int(np.ceil(share * len(table)))
    return table.nlargest(wanted, kind, keep="all")


def _curve(connectome) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return degrees, and by k: density, neurons and connections above k."""
    indptr, indices = graph_of(connectome)
    out_degree = np.diff(indptr)
    degree = (out_degree + np.bincount(indices, minlength=out_degree.size)).astype(np.int32)
    top = int(degree.max(initial=0)) + 1
    neurons = _above(np.bincount(degree, minlength=top))
    # A connection lies above k while k is below the smaller degree of its two ends.
    smaller = np.minimum(np.repeat(degree, out_degree), degree[indices])
    by_smaller = np.bincount(smaller, minlength=top)
    must_hold("the rich club", (by_smaller.sum(), indices.size), (degree.sum(), 2 * indices.size))
    connections = _above(by_smaller)
    pairs = neurons * (neurons - 1)
    return degree, ratio(connections, pairs), neurons, connections


def _above(counts: np.ndarray) -> np.ndarray:
    """Turn counts of the values 0, 1, … into counts of values greater than 0, 1, …"""
    return counts[::-1].cumsum()[::-1][1:]


def compute_block_densities(connectome: Connectome, by: str = "layer") -> pd.DataFrame:
    """Compute the density of connections between every two groups of neurons.

    The densities of a stochastic blockmodel (Holland, Laskey and Leinhardt 1983, Soc Netw 5:109).

    Parameters
    ----------
    by : str
        Column of the neuron table: ``"layer"``, ``"mtype"``, ``"excitatory"`` …

    Returns
    -------
    pandas.DataFrame
        One row an ordered pair of groups: ``pre``, ``post``, ``pairs`` (ordered, without a neuron
        and itself), ``connections``, ``density`` (0 … 1). NaN without pairs, and where the
        connectome's coverage lacks the block. With weights also ``weight``, their sum, and
        ``weight_mean`` of a connection.
    """
    codes, labels, blocks = _blocks(connectome, by)
    size = np.bincount(codes, minlength=len(labels))
    pairs = np.outer(size, size) - np.diag(size)
    table = pathway_table(labels, pairs=pairs, connections=blocks, density=ratio(blocks, pairs))
    if connectome.weights is None:
        return blank_unknown(table, connectome, by, ["density"])
    weights = _blocks(connectome, by, connectome.weights)[2]
    table["weight"] = weights.ravel()
    table["weight_mean"] = ratio(weights, blocks).ravel()
    return blank_unknown(table, connectome, by, ["density", "weight", "weight_mean"])


def compute_modularity(connectome: Connectome, by: str = "layer") -> float:
    """Compute how much more often connections stay within groups than degrees explain.

    The directed modularity ``Q = Σ_g (e_gg / m − out_g in_g / m²)`` of a partition given by the
    anatomy (Leicht and Newman 2008, Phys Rev Lett 100:118703), e_gg connections within group g
    of m in all, out_g and in_g the degrees of its neurons summed.

    Parameters
    ----------
    by : str
        Column of the neuron table that parts the neurons.

    Returns
    -------
    float
        Below 1; 0 for chance; NaN without connections.
    """
    _, _, blocks = _blocks(connectome, by)
    m = int(blocks.sum())
    if m == 0:
        return float("nan")
    expected = blocks.sum(axis=1).astype(float) @ blocks.sum(axis=0) / m
    return float((np.trace(blocks) - expected) / m)


def _blocks(connectome, by: str, weights=None) -> tuple[np.ndarray, list, np.ndarray]:
    """Return group codes, labels, and connections, or weights, by group of pre and post."""
    indptr, indices = graph_of(connectome)
    codes, labels = group_codes(connectome, by)
    pathway = np.repeat(codes, np.diff(indptr)) * np.int64(len(labels)) + codes[indices]
    counts = np.bincount(pathway, weights, minlength=len(labels) ** 2)
    return codes, labels, counts.reshape(len(labels), len(labels))
