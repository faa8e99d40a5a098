"""Clustering: how often the partners of a neuron are partners of each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of
from nmc.connectome.triangles import list_triangles


def compute_clustering(connectome) -> pd.DataFrame:
    """Compute the clustering coefficient of every neuron, directed and undirected.

    Directed, after Fagiolo [1]_: the directed triangles at a neuron over those its partners
    could form, ``(A + Aᵀ)³ᵢᵢ / 2(dᵢ(dᵢ − 1) − 2mᵢ)``, with dᵢ in- plus out-degree and mᵢ
    reciprocal partners. Undirected, after Watts and Strogatz [2]_: ``2tᵢ / kᵢ(kᵢ − 1)`` with
    kᵢ partners and tᵢ triangles, directions forgotten. Where no triangle is possible the
    coefficient is 0.

    Parameters
    ----------
    connectome : Connectome
        n neurons.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; ``directed``, ``undirected`` (0 … 1), ``triangles``
        (undirected triangles at the neuron).

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself.

    References
    ----------
    .. [1] Fagiolo (2007), Clustering in complex directed networks, Phys Rev E 76:026107.
    .. [2] Watts and Strogatz (1998), Collective dynamics of 'small-world' networks,
       Nature 393:440.
    """
    t = list_triangles(*graph_of(connectome))
    partners = t.out_only + t.in_only + t.mutual
    degree = partners + t.mutual
    return pd.DataFrame(
        {
            "directed": _ratio(t.directed, degree * (degree - 1) - 2 * t.mutual),
            "undirected": _ratio(2 * t.undirected, partners * (partners - 1)),
            "triangles": t.undirected,
        },
        index=connectome.neurons.index,
    )


def compute_transitivity(connectome) -> float:
    """Compute the share of connected undirected triples that close: 3 triangles / triples.

    Unlike the mean of `compute_clustering` it weighs every triple alike, so hubs count for more
    (Newman 2003, SIAM Rev 45:167).

    Parameters
    ----------
    connectome : Connectome

    Returns
    -------
    float
        0 … 1; 0 if no neuron has two partners.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, or a neuron connects to itself.
    """
    t = list_triangles(*graph_of(connectome))
    partners = t.out_only + t.in_only + t.mutual
    triples = int((partners * (partners - 1) // 2).sum())
    return int(t.undirected.sum()) / triples if triples else 0.0


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(part.size), where=whole > 0)
