"""Directed cliques: simplices of the directed flag complex, counted in every dimension."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import CHUNKS, graph_of
from nmc.connectome.kernels import simplices
from nmc.errors import ConnectomeError


def count_simplices(connectome) -> pd.Series:
    """Count directed simplices by dimension.

    A directed k-simplex is an ordered tuple of k + 1 neurons in which each contacts all later
    ones: dimension 0 are the neurons, 1 the connections, 2 the feed-forward triangles.
    Reciprocal connections make different tuples of the same neurons, all counted [1]_.

    Parameters
    ----------
    connectome : Connectome

    Returns
    -------
    pandas.Series
        Counts (int64), index ``dimension`` 0, 1, … up to the largest that occurs.

    Raises
    ------
    ConnectomeError
        If this is no Connectome, or a neuron connects to itself.

    References
    ----------
    .. [1] Reimann et al. (2017), Cliques of neurons bound into cavities provide a missing link
       between structure and function, Front Comput Neurosci 11:48.
    """
    counts = simplices.count_simplices(*_inputs(connectome), CHUNKS)
    counts = counts[: int(np.flatnonzero(counts).max(initial=0)) + 1]
    return pd.Series(counts, name="simplices").rename_axis("dimension")


def compute_participation(connectome) -> pd.DataFrame:
    """Count, for every neuron, the directed simplices of each dimension it is part of.

    Parameters
    ----------
    connectome : Connectome
        n neurons.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; one column a dimension (0 is 1 for everyone, 1 the
        degree). A column's sum is (dimension + 1) times the number of its simplices.

    Raises
    ------
    ConnectomeError
        If this is no Connectome, or a neuron connects to itself.

    References
    ----------
    .. [1] Reimann et al. (2017), Front Comput Neurosci 11:48.
    """
    dimensions = len(count_simplices(connectome))
    # With room for connections even where there are none.
    counts = simplices.count_participation(*_inputs(connectome), max(dimensions, 2), CHUNKS)
    table = pd.DataFrame(counts[:, :dimensions], index=connectome.neurons.index)
    return table.rename_axis(columns="dimension")


def compute_euler_characteristic(counts: pd.Series) -> int:
    """Compute the Euler characteristic, the alternating sum of simplex counts.

    Parameters
    ----------
    counts : pandas.Series
        From `count_simplices`; Betti numbers give the same number.

    Returns
    -------
    int

    Raises
    ------
    ConnectomeError
        If these are no counts by dimension.
    """
    if not isinstance(counts, pd.Series):
        raise ConnectomeError(
            f"A {type(counts).__name__} is no series of counts; nmc.count_simplices returns one."
        )
    return sum((-1) ** k * int(c) for k, c in enumerate(counts))


def _inputs(connectome) -> tuple:
    """Return the graph in its shortest form, and the room its largest neighbourhood needs."""
    indptr, indices = graph_of(connectome)
    indices = indices.astype(np.uint16 if indptr.size <= 2**16 else np.uint32)
    return indptr, indices, *simplices.rooms(indptr, indices)
