"""Hubs, and whether they form a club: the rich-club curve, normalised by null models."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of
from nmc.connectome.given import check_choice
from nmc.connectome.kernels.richclub import count_by_smaller_degree, count_inputs
from nmc.errors import ConnectomeError


def compute_rich_club(connectome, nulls: Iterable = ()) -> pd.DataFrame:
    """Compute how densely the neurons above each degree are connected among themselves.

    For each k, the connections among the N neurons of degree (in + out) above k over the
    N(N − 1) there could be. High degrees alone make the density rise; a rich club is what
    exceeds graphs of the same degrees [1]_ [2]_.

    Parameters
    ----------
    connectome : Connectome
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
        If this is no `Connectome`, or a neuron connects to itself; if a null's neurons do not
        have the degrees of the connectome.

    References
    ----------
    .. [1] Colizza, Flammini, Serrano and Vespignani (2006), Detecting rich-club ordering in
       complex networks, Nat Phys 2:110.
    .. [2] Gal et al. (2017), Rich cell-type-specific network topology in neocortical
       microcircuitry, Nat Neurosci 20:1004.
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
    if not isinstance(nulls, Iterable):
        raise ConnectomeError(f"Nulls are a list of connectomes, not {nulls!r}.")
    for null in nulls:
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
        ratio = np.full(density.size, np.nan)
        np.divide(density, table["null_mean"], out=ratio, where=table["null_mean"] > 0)
        table["normalised"] = ratio
    return table


def compute_hubs(connectome, share: float = 0.01, *, kind: str = "degree") -> pd.DataFrame:
    """Find the neurons with the most partners.

    Parameters
    ----------
    connectome : Connectome
    share : float
        Share of all neurons to call hubs, above 0 and at most 1. All that tie with the last are
        in.
    kind : {"degree", "in_degree", "out_degree"}
        What to rank by.

    Returns
    -------
    pandas.DataFrame
        Rows of the degree table (`compute_degrees`) of the hubs, largest first.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself; for another kind or share.

    References
    ----------
    .. [1] Van den Heuvel and Sporns (2013), Network hubs in the human brain, Trends Cogn Sci
       17:683; in this microcircuit: Gal et al. (2017), Nat Neurosci 20:1004.
    """
    from nmc.connectome.degrees import compute_degrees

    check_choice(kind, "What hubs are ranked by", ("degree", "in_degree", "out_degree"))
    if not isinstance(share, Real) or not 0 < share <= 1:
        raise ConnectomeError(f"The share of hubs lies above 0 and at most at 1, not {share!r}.")
    table = compute_degrees(connectome)
    wanted = int(np.ceil(share * len(table)))
    return table.nlargest(wanted, kind, keep="all")


def _curve(connectome) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return degrees, and by k: density, neurons and connections above k."""
    indptr, indices = graph_of(connectome)
    out_degree = np.diff(indptr)
    degree = (out_degree + count_inputs(indices, out_degree.size)).astype(np.int32)
    top = int(degree.max(initial=0)) + 1
    neurons = _above(np.bincount(degree, minlength=top))
    # A connection lies above k while k is below the smaller degree of its two ends.
    connections = _above(count_by_smaller_degree(indptr, indices, degree, top))
    pairs = neurons * (neurons - 1)
    density = np.full(neurons.size, np.nan)
    np.divide(connections, pairs, out=density, where=pairs > 0)
    return degree, density, neurons, connections


def _above(counts: np.ndarray) -> np.ndarray:
    """Turn counts of the values 0, 1, … into counts of values greater than 0, 1, …"""
    return counts[::-1].cumsum()[::-1][1:]
