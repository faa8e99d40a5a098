"""Three neurons more closely: the part each one plays, and the weights of what connects them.

Each call raises `ConnectomeError` for what is no `Connectome` or connects a neuron to itself.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.arrays import graph_of, memory_for, must_hold, ratio, tasks, transpose
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels.partners import (
    count_corners,
    mark_reciprocal,
    rank_half,
    weigh_triangles,
)
from nmc.connectome.motifs import CLASS_OF, FLIP, TRIADS, by_degree, code_of, list_triangles
from nmc.errors import ConnectomeError


def _roles() -> dict[tuple[int, str], str]:
    """Name the role at each corner of every code, by the first letter of those alike."""
    found: dict[tuple[int, str], str] = {}
    for name, picture in TRIADS.items():
        for order in permutations("ABC"):
            code = code_of(
                frozenset(picture.translate(str.maketrans("ABC", "".join(order))).split())
            )
            for letter, corner in zip("ABC", order, strict=True):
                role = f"{name} {letter}"
                found[code, corner] = min(role, found.get((code, corner), role))
    return found


_ROLE = _roles()
#: The thirty roles: class and corner of its picture in `TRIADS`.
ROLES = sorted(set(_ROLE.values()), key=lambda role: (list(TRIADS).index(role[:-2]), role))


def count_triad_roles(connectome: Connectome) -> pd.DataFrame:
    """Count, for every neuron, in which part of which class of three neurons it stands.

    The thirteen classes of `count_triads` have thirty such roles (Milo et al. 2002, Science
    298:824, for the classes): source, middle or sink of a feed-forward triangle, and so on.
    Triangles are listed once each; open triads follow from the partners' partners by subtraction.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table, counts (int64); columns such as ``030T A``: the class,
        and the corner of its picture in `nmc.connectome.motifs.TRIADS`, the first of those alike.
        A class's columns sum to three times its count.
    """
    indptr, indices = graph_of(connectome)
    n = indptr.size - 1
    with memory_for("the roles of all neurons"):
        turned = transpose(indptr, indices)
        rank = by_degree(indptr, turned[0])
        half_indptr, packed, mutual = rank_half(indptr, indices, *turned, rank)
        corners = count_corners(half_indptr, packed, tasks(520 * n))[rank]
    must_hold(
        "triangles at corners", (corners.sum(), list_triangles(indptr, indices).undirected.sum())
    )
    counts = {role: np.zeros(n, np.int64) for role in ROLES}
    marks = mark_reciprocal(indptr, indices)
    one_way = sparse.csr_array(((~marks).astype(np.int64), indices, indptr), shape=(n, n))
    partners = {1: np.diff(indptr) - mutual, 2: np.diff(turned[0]) - mutual, 3: mutual}
    both_ways = sparse.csr_array((marks.astype(np.int64), indices, indptr), shape=(n, n))
    over = {1: one_way, 2: one_way.T.tocsr(), 3: both_ways}
    for a in (1, 2, 3):
        for b in (1, 2, 3):
            # An end sees its partner by `a`, and that one the third neuron by `b`.
            ends = over[a] @ partners[b] - (partners[a] if FLIP[a] == b else 0)
            counts[_ROLE[a << 4 | b << 2, "A"]] += ends
            if a <= b:
                pairs = partners[a] * partners[b]
                middles = pairs if a < b else (pairs - partners[a]) // 2
                counts[_ROLE[FLIP[a] << 4 | b << 2, "B"]] += middles
    for code in np.flatnonzero(corners.any(axis=0)).tolist():
        here = corners[:, code]
        vu, uw, vw = code >> 4, code >> 2 & 3, code & 3
        counts[_ROLE[code, "A"]] += here
        counts[_ROLE[vu << 4 | uw << 2, "A"]] -= here
        counts[_ROLE[vw << 4 | FLIP[uw] << 2, "A"]] -= here
        counts[_ROLE[FLIP[vu] << 4 | vw << 2, "B"]] -= here
    table = pd.DataFrame(counts, index=connectome.neurons.index)
    must_hold("roles", ((table.to_numpy() >= 0).all(), True))
    return table.rename_axis(columns="role")


def compute_weighted_clustering(connectome: Connectome) -> pd.Series:
    """Compute the weighted clustering coefficient of every neuron, in all directions.

    Fagiolo's (2007, Phys Rev E 76:026107), ``(W + Wᵀ)³ᵢᵢ / 2(dᵢ(dᵢ − 1) − 2mᵢ)`` with W the cube
    roots of the weights over the largest, dᵢ in- plus out-degree and mᵢ reciprocal partners.

    Parameters
    ----------
    connectome : Connectome
        n neurons; weights above 0.

    Returns
    -------
    pandas.Series
        n values from 0 to 1, index of the neuron table; 0 where no triangle is possible.
    """
    products, _ = _weigh(connectome)
    t = list_triangles(*graph_of(connectome))
    degree = t.out_only + t.in_only + 2 * t.mutual
    values = ratio(products, degree * (degree - 1) - 2 * t.mutual, 0.0)
    return pd.Series(values, index=connectome.neurons.index, name="weighted clustering")


def compute_triad_intensity(connectome: Connectome) -> pd.DataFrame:
    """Compute how strongly the triangles of each class are connected.

    The intensity of a triad is the geometric mean of its connections' weights (Onnela et al.
    2005, Phys Rev E 71:065103).

    Parameters
    ----------
    connectome : Connectome
        With weights above 0.

    Returns
    -------
    pandas.DataFrame
        By ``class``, the seven whose neurons are all partners: ``triads`` and ``intensity``, its
        mean over them (NaN without one), in units of the weights.
    """
    _, means = _weigh(connectome)
    histogram = list_triangles(*graph_of(connectome)).histogram
    closed = [code for code in CLASS_OF if code & 3 and code >> 2 & 3 and code >> 4]
    sums = pd.DataFrame({"triads": histogram, "intensity": means}).loc[closed]
    table = sums.groupby([CLASS_OF[code] for code in closed]).sum()
    table["intensity"] = ratio(table["intensity"], table["triads"])
    return table.loc[[name for name in TRIADS if name in table.index]].rename_axis("class")


def _weigh(connectome: Connectome) -> tuple[np.ndarray, np.ndarray]:
    """Return of each neuron the products of its triangles' roots, and by code the sum of means."""
    indptr, indices = graph_of(connectome)
    weights = connectome.weight_matrix.data.astype(float)
    if (weights <= 0).any():
        raise ConnectomeError("This is defined for weights above 0 alone; some are below.")
    n = indptr.size - 1
    with memory_for("weighted triangles"):
        rank = by_degree(indptr, transpose(indptr, indices)[0]).astype(np.int64)
        pre, post = np.repeat(rank, np.diff(indptr)), rank[indices]
        low, high = np.minimum(pre, post), np.maximum(pre, post)
        pairs, at = np.unique(low * n + high, return_inverse=True)
        code = np.bincount(at, np.where(pre < post, 1, 2), minlength=pairs.size).astype(np.int32)
        roots = np.bincount(at, np.cbrt(weights / weights.max(initial=0)), minlength=pairs.size)
        logs = np.bincount(at, np.log(weights), minlength=pairs.size)
        half_indptr = np.searchsorted(pairs, np.arange(n + 1) * n)
        packed = (pairs % max(n, 1)).astype(np.int32) << 2 | code
        products, means = weigh_triangles(half_indptr, packed, roots, logs, tasks(16 * n))
    return products[rank], means
