"""Communities given by the anatomy: how densely layers or types are wired to one another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import blank_unknown, graph_of, group_codes


def compute_block_densities(connectome, by: str = "layer") -> pd.DataFrame:
    """Compute the density of connections between every two groups of neurons.

    Parameters
    ----------
    connectome : Connectome
    by : str
        Column of the neuron table: ``"layer"``, ``"mtype"``, ``"excitatory"`` …

    Returns
    -------
    pandas.DataFrame
        One row an ordered pair of groups: ``pre``, ``post``, ``pairs`` (ordered, without a neuron
        and itself), ``connections``, ``density`` (0 … 1, NaN without pairs). NaN too where the
        connectome's coverage lacks the block.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or there is no column `by`.

    References
    ----------
    .. [1] Holland, Laskey and Leinhardt (1983), Stochastic blockmodels, Soc Netw 5:109.
    """
    codes, labels, blocks = _blocks(connectome, by)
    size = np.bincount(codes, minlength=len(labels))
    pairs = np.outer(size, size) - np.diag(size)
    density = np.full(pairs.shape, np.nan)
    np.divide(blocks, pairs, out=density, where=pairs > 0)
    names = np.array(labels, dtype=object)
    table = pd.DataFrame(
        {
            "pre": np.repeat(names, len(labels)),
            "post": np.tile(names, len(labels)),
            "pairs": pairs.ravel(),
            "connections": blocks.ravel(),
            "density": density.ravel(),
        }
    )
    return blank_unknown(table, connectome, by, ["density"])


def compute_modularity(connectome, by: str = "layer") -> float:
    """Compute how much more often connections stay within groups than degrees explain.

    The directed modularity ``Q = Σ_g (e_gg / m − out_g in_g / m²)`` of a partition given by the
    anatomy (Leicht and Newman 2008, Phys Rev Lett 100:118703), e_gg connections within group g
    of m in all, out_g and in_g the degrees of its neurons summed.

    Parameters
    ----------
    connectome : Connectome
    by : str
        Column of the neuron table that parts the neurons.

    Returns
    -------
    float
        Below 1; 0 for chance; NaN without connections.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or there is no column `by`.
    """
    _, _, blocks = _blocks(connectome, by)
    m = int(blocks.sum())
    if m == 0:
        return float("nan")
    expected = blocks.sum(axis=1).astype(float) @ blocks.sum(axis=0) / m
    return float((np.trace(blocks) - expected) / m)


def _blocks(connectome, by: str) -> tuple[np.ndarray, list, np.ndarray]:
    """Return group codes, labels, and connections by group of pre and post, (groups, groups)."""
    indptr, indices = graph_of(connectome)
    codes, labels = group_codes(connectome, by)
    pathway = np.repeat(codes, np.diff(indptr)) * np.int64(len(labels)) + codes[indices]
    counts = np.bincount(pathway, minlength=len(labels) ** 2)
    return codes, labels, counts.reshape(len(labels), len(labels))
