"""Communities: how densely groups of neurons connect within and between themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of, group_codes


def compute_block_density(connectome, by: str = "layer") -> pd.DataFrame:
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
    labels, connections, pairs = _blocks(connectome, by)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = connections / pairs
    index = pd.Index(labels, name=f"pre {by}")
    return pd.DataFrame(share, index=index, columns=index.rename(f"post {by}"))


def compute_modularity(connectome, by: str = "layer") -> float:
    """Compute how much more groups keep to themselves than their degrees alone would have them.

    Parameters
    ----------
    connectome : Connectome
        What to measure.
    by : str
        Column of the neuron table that tells groups apart.

    Returns
    -------
    float
        0 when connections ignore the groups, towards 1 when they never leave them; NaN without
        connections.

    Notes
    -----
    Directed modularity, ``Q = Σ_g (m_gg / m − out_g in_g / m²)`` with m_gg the connections
    within group g and out_g, in_g those that leave and enter its neurons (Leicht and Newman
    2008, Phys. Rev. Lett. 100:118703).
    """
    _, connections, _ = _blocks(connectome, by)
    m = connections.sum()
    if not m:
        return float("nan")
    expected = connections.sum(axis=1) * connections.sum(axis=0) / m
    return float((connections.diagonal() - expected).sum() / m)


def _blocks(connectome, by: str) -> tuple[list, np.ndarray, np.ndarray]:
    """Labels, connections and ordered pairs between groups, (G, G) float."""
    indptr, indices = graph_of(connectome)
    codes, labels = group_codes(connectome, by)
    n_groups = len(labels)
    pre = np.repeat(codes.astype(np.int64), np.diff(indptr))
    flat = np.bincount(pre * n_groups + codes[indices], minlength=n_groups**2)
    sizes = np.bincount(codes, minlength=n_groups).astype(float)
    return (
        labels,
        flat.reshape(n_groups, n_groups).astype(float),
        np.outer(sizes, sizes) - np.diag(sizes),
    )
