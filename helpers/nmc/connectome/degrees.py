"""Degrees, reciprocity, and the fact sheet's convergence and divergence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import blank_unknown, graph_of, group_codes
from nmc.connectome.kernels.reciprocal import answered
from nmc.connectome.kernels.richclub import count_inputs


def compute_degrees(connectome) -> pd.DataFrame:
    """Count the partners of every neuron.

    Parameters
    ----------
    connectome : Connectome
        n neurons.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table: ``mtype``, ``layer``, ``excitatory`` as there;
        ``in_degree`` (presynaptic partners), ``out_degree`` (postsynaptic), ``reciprocal``
        (partners in both ways), ``degree`` (in + out); int64. Only partners in the graph count.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself.

    References
    ----------
    .. [1] Newman (2003), The structure and function of complex networks, SIAM Rev 45:167.
    """
    indptr, indices = graph_of(connectome)
    out_degree = np.diff(indptr)
    in_degree = count_inputs(indices, out_degree.size)
    # An answered connection is found in both lists: its targets are those that have one.
    marks = answered(indptr, indices)
    table = connectome.neurons[["mtype", "layer", "excitatory"]].copy()
    table["in_degree"] = in_degree
    table["out_degree"] = out_degree
    table["reciprocal"] = np.bincount(indices[marks], minlength=out_degree.size)
    table["degree"] = in_degree + out_degree
    return table


def compute_reciprocity(connectome) -> float:
    """Compute the share of connections that are answered by one in the other direction.

    Parameters
    ----------
    connectome : Connectome

    Returns
    -------
    float
        0 … 1; NaN without connections. In a random graph it equals the connection probability
        (Newman, Forrest and Balthrop 2002, Phys Rev E 66:035101).

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself.
    """
    indptr, indices = graph_of(connectome)
    marks = answered(indptr, indices)
    return float(marks.mean()) if marks.size else float("nan")


def compute_pathway_reciprocity(connectome, by: str = "mtype") -> pd.DataFrame:
    """Compute reciprocity pathway by pathway.

    Parameters
    ----------
    connectome : Connectome
    by : str
        Column of the neuron table whose groups form the pathways.

    Returns
    -------
    pandas.DataFrame
        One row a pathway with connections: ``pre``, ``post``, ``connections``, ``answered``
        (connections whose reverse exists), ``reciprocity`` (their share).

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or there is no column `by`.

    References
    ----------
    .. [1] Newman, Forrest and Balthrop (2002), Phys Rev E 66:035101, within each pathway.
    """
    indptr, indices = graph_of(connectome)
    codes, labels = group_codes(connectome, by)
    marks = answered(indptr, indices)
    pathway = np.repeat(codes, np.diff(indptr)) * np.int64(len(labels)) + codes[indices]
    counts = np.bincount(pathway, minlength=len(labels) ** 2)
    both = np.bincount(pathway[marks], minlength=len(labels) ** 2)
    table = _pathway_table(labels, connections=counts, answered=both)
    table = table[table["connections"] > 0].reset_index(drop=True)
    table["reciprocity"] = table["answered"] / table["connections"]
    return table


def compute_convergence(connectome, by: str = "mtype") -> pd.DataFrame:
    """Compute convergence and divergence of every pathway as the fact sheets define them.

    Convergence is the number of presynaptic neurons of one type that contact a neuron of the
    other, divergence the number of postsynaptic ones it contacts; mean and standard deviation
    are over all neurons, those without a partner included, and only partners inside the
    volume count.

    Parameters
    ----------
    connectome : Connectome
    by : str
        Column of the neuron table whose groups form the pathways.

    Returns
    -------
    pandas.DataFrame
        One row an ordered pair of groups: ``pre``, ``post``, ``n_pre``, ``n_post``,
        ``connections``, ``convergence_mean``, ``convergence_std``, ``divergence_mean``,
        ``divergence_std``. NaN where the connectome's coverage lacks the block.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or there is no column `by`.

    References
    ----------
    .. [1] Pathway fact sheets of the Neocortical Microcircuit portal; the definition is the one
       that reproduces their values from the connectome.
    """
    indptr, indices = graph_of(connectome)
    codes, labels = group_codes(connectome, by)
    sizes = np.bincount(codes, minlength=len(labels))
    rows = np.repeat(np.arange(codes.size, dtype=np.int32), np.diff(indptr))
    inputs = _per_neuron(codes[rows], indices, codes.size, len(labels))
    outputs = _per_neuron(codes[indices], rows, codes.size, len(labels))
    into_mean, into_std = _over_groups(inputs, codes, sizes)  # [pre, post]
    out_mean, out_std = _over_groups(outputs, codes, sizes)  # [post, pre]
    table = _pathway_table(
        labels,
        n_pre=np.repeat(sizes, len(labels)),
        n_post=np.tile(sizes, len(labels)),
        connections=np.rint(into_mean * sizes).astype(np.int64).ravel(),
        convergence_mean=into_mean.ravel(),
        convergence_std=into_std.ravel(),
        divergence_mean=out_mean.T.ravel(),
        divergence_std=out_std.T.ravel(),
    )
    spread = [column for column in table if column.endswith(("_mean", "_std"))]
    return blank_unknown(table, connectome, by, spread)


def _per_neuron(groups: np.ndarray, neurons: np.ndarray, n: int, n_groups: int) -> np.ndarray:
    """Count connections of each neuron by the group at the other end, (n_groups, n)."""
    flat = groups.astype(np.int64) * n + neurons
    return np.bincount(flat, minlength=n_groups * n).reshape(n_groups, n)


def _over_groups(counts: np.ndarray, codes: np.ndarray, sizes: np.ndarray):
    """Return mean and standard deviation of each row over the neurons of each group."""
    if not sizes.size:  # no neurons, no groups
        return np.empty((0, 0)), np.empty((0, 0))
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    counts = counts[:, order].astype(float)
    mean = np.add.reduceat(counts, starts, axis=1) / sizes
    square = np.add.reduceat((counts - np.repeat(mean, sizes, axis=1)) ** 2, starts, axis=1)
    return mean, np.sqrt(square / sizes)


def _pathway_table(labels: list, **columns: np.ndarray) -> pd.DataFrame:
    """Make a table of all ordered pairs of labels, pre changing slowest."""
    pre = np.repeat(np.arange(len(labels)), len(labels))
    post = np.tile(np.arange(len(labels)), len(labels))
    names = np.array(labels, dtype=object)
    return pd.DataFrame({"pre": names[pre], "post": names[post], **columns})
