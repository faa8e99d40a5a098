"""How many partners neurons have, how often connections are answered, and who meets whom."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.graph import Connectome

_SPREADS = ("convergence_mean", "convergence_std", "divergence_mean", "divergence_std")


def compute_degrees(connectome: Connectome) -> pd.DataFrame:
    """Count the inputs and the outputs of every neuron.

    Parameters
    ----------
    connectome : Connectome
        N neurons.

    Returns
    -------
    pandas.DataFrame
        N rows in the order of the neurons: ``mtype``, ``layer``, ``excitatory``,
        ``in_degree`` (presynaptic partners), ``out_degree`` (postsynaptic partners) and
        ``mutual_degree`` (partners that are both), all within the volume.

    Notes
    -----
    Sums of the columns and of the rows of the adjacency.  ``n_cell_aff`` and ``n_cell_eff`` of
    the neuron table count partners outside the volume too, and so are larger.
    """
    graph = connectome.adjacency
    table = connectome.neurons[["mtype", "layer", "excitatory"]].copy()
    table["in_degree"] = np.bincount(graph.indices, minlength=graph.shape[0])
    table["out_degree"] = np.diff(graph.indptr).astype(np.int64)
    table["mutual_degree"] = _reciprocated(graph).sum(axis=1).astype(np.int64)
    return table


def compute_reciprocity(connectome: Connectome) -> float:
    """Return the share of connections that are answered by one in the other direction.

    Notes
    -----
    The number of connections *i* → *j* for which *j* → *i* exists too, over the number of
    connections; NaN without any.  A random graph of connection probability *p* has *p*.
    """
    graph = connectome.adjacency
    return _reciprocated(graph).nnz / graph.nnz if graph.nnz else float("nan")


def compute_convergence(connectome: Connectome) -> pd.DataFrame:
    """Compute connections, convergence and divergence of every pathway.

    Parameters
    ----------
    connectome : Connectome
        With P m-types.

    Returns
    -------
    pandas.DataFrame
        P² rows: ``pre``, ``post`` (ordered categories), ``connections``, ``pairs`` (ordered
        pairs of different neurons), ``probability`` (their quotient), ``convergence_mean`` and
        ``_std`` (presynaptic partners of type ``pre`` of each ``post`` neuron),
        ``divergence_mean`` and ``_std`` (postsynaptic partners of type ``post`` of each ``pre``
        neuron).  Missing where the file has no matrix for the pathway.

    Notes
    -----
    The fact sheets' definitions: means and population standard deviations over all neurons of
    the type, those without a partner included, within one microcircuit.  They give 51.29 ±
    25.38 and 51.29 ± 33.22 for L5_TTPC2 onto itself in mc2, where the sheet prints 51 ± 25 and
    51 ± 33.
    """
    groups, mtypes = connectome.groups, connectome.mtypes
    sizes = np.bincount(groups, minlength=len(mtypes))
    n, p = connectome.n_neurons, len(mtypes)
    members = sparse.csr_array((np.ones(n), (np.arange(n), groups)), shape=(n, p))
    graph = connectome.adjacency
    outputs = _product(graph, members)  # (N, P): targets of each neuron in each type
    inputs = _product(graph.T.tocsr(), members)
    per_type = members.T.tocsr()
    with np.errstate(invalid="ignore", divide="ignore"):
        divergence = (per_type @ outputs) / sizes[:, None]
        divergence_2 = (per_type @ outputs**2) / sizes[:, None]
        convergence = ((per_type @ inputs) / sizes[:, None]).T
        convergence_2 = ((per_type @ inputs**2) / sizes[:, None]).T
        pairs = np.outer(sizes, sizes) - np.diag(sizes)
        connections = divergence * sizes[:, None]
        table = pd.DataFrame(
            {
                "pre": _category(np.repeat(np.arange(p), p), mtypes),
                "post": _category(np.tile(np.arange(p), p), mtypes),
                "connections": np.nan_to_num(connections).round().astype(np.int64).ravel(),
                "pairs": pairs.ravel(),
                "probability": (connections / pairs).ravel(),
                "convergence_mean": convergence.ravel(),
                "convergence_std": _std(convergence, convergence_2).ravel(),
                "divergence_mean": divergence.ravel(),
                "divergence_std": _std(divergence, divergence_2).ravel(),
            }
        )
    return _blank_missing(table, connectome)


def compute_block_density(connectome: Connectome, by: str = "layer") -> pd.DataFrame:
    """Compute the share of ordered pairs connected, between groups of neurons.

    Parameters
    ----------
    connectome : Connectome
        What to measure.
    by : str
        Column of the neuron table that tells groups apart: ``layer``, ``mtype``,
        ``excitatory``.

    Returns
    -------
    pandas.DataFrame
        Rows presynaptic, columns postsynaptic groups, values from 0 to 1; NaN without a pair.
    """
    column = connectome.neurons[by]
    codes, labels = pd.factorize(column, sort=True)
    sizes = np.bincount(codes, minlength=len(labels))
    graph = connectome.adjacency
    rows = np.repeat(codes, np.diff(graph.indptr))
    flat = np.bincount(rows * len(labels) + codes[graph.indices], minlength=len(labels) ** 2)
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = flat.reshape(pairs.shape) / pairs
    labels = pd.Index(labels, name=f"pre {by}")
    return pd.DataFrame(share, index=labels, columns=labels.rename(f"post {by}"))


def _reciprocated(graph: sparse.csr_array) -> sparse.csr_array:
    return graph.multiply(graph.T.tocsr()).tocsr()


def _product(graph: sparse.csr_array, members: sparse.csr_array) -> np.ndarray:
    """Targets of every row among the members of each group, dense (N, P)."""
    n, p = members.shape
    groups = members.indices  # one entry a row
    rows = np.repeat(np.arange(n), np.diff(graph.indptr))
    flat = np.bincount(rows * p + groups[graph.indices], minlength=n * p)
    return flat.reshape(n, p).astype(float)


def _std(mean: np.ndarray, mean_of_squares: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(mean_of_squares - mean**2, 0))


def _category(codes: np.ndarray, mtypes: tuple[str, ...]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, list(mtypes), ordered=True)


def _blank_missing(table: pd.DataFrame, connectome: Connectome) -> pd.DataFrame:
    missing = set(connectome.coverage.missing_blocks)
    if missing:
        known = [(a, b) not in missing for a, b in zip(table["pre"], table["post"], strict=True)]
        table["connections"] = table["connections"].astype("Int64").where(known)
        for column in ("probability", *_SPREADS):
            table[column] = table[column].where(known)
    return table
