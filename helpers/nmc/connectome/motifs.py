"""Three neurons: triads, clustering, roles and weights, from one list of all triangles.

Each call raises `ConnectomeError` where a neuron connects to itself.
"""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from nmc.connectome.arrays import (
    graph_of,
    group_codes,
    memory_for,
    must_hold,
    ratio,
    tasks,
    transpose,
)
from nmc.connectome.graph import Connectome
from nmc.connectome.kernels.partners import (
    count_corners,
    count_triangles,
    mark_reciprocal,
    rank_half,
    weigh_triangles,
)
from nmc.errors import ConnectomeError


class Triangles(NamedTuple):
    """What one pass over the triangles of a graph of n neurons gives.

    Attributes
    ----------
    histogram : int64 array, shape (64,)
        Triangles by the directions of their sides, ``code_ij << 4 | code_jk << 2 | code_ik``;
        code 1 out, 2 in, 3 both.
    undirected, directed : int64 array, shape (n,)
        Triangles at each neuron, and directed ones, a reciprocal side counting twice.
    out_only, in_only, mutual : int64 array, shape (n,)
        Partners of each neuron by direction.
    """

    histogram: np.ndarray
    undirected: np.ndarray
    directed: np.ndarray
    out_only: np.ndarray
    in_only: np.ndarray
    mutual: np.ndarray


@memory_for("listing triangles")
def list_triangles(indptr: np.ndarray, indices: np.ndarray) -> Triangles:
    """Count every triangle once, at its neuron of least degree."""
    t_indptr, t_indices = transpose(indptr, indices)
    out_degree, in_degree = np.diff(indptr), np.diff(t_indptr)
    rank = by_degree(indptr, t_indptr)
    half_indptr, packed, mutual = rank_half(indptr, indices, t_indptr, t_indices, rank)
    histogram, at_rank = count_triangles(half_indptr, packed, tasks(17 * rank.size))
    undirected, directed = at_rank[rank].T
    both = (np.arange(64)[:, None] >> [4, 2, 0] & 3) == 3  # a reciprocal side counts twice
    must_hold(
        "triangles",
        (2 * half_indptr[-1], int((out_degree + in_degree - mutual).sum())),
        (undirected.sum(), 3 * histogram.sum()),
        (directed.sum(), 3 * (histogram * 2 ** both.sum(axis=1)).sum()),
    )
    return Triangles(
        histogram, undirected, directed, out_degree - mutual, in_degree - mutual, mutual
    )


def by_degree(indptr: np.ndarray, t_indptr: np.ndarray) -> np.ndarray:
    """Return the rank of each neuron by its degree, (n,) int32."""
    rank = np.empty(indptr.size - 1, np.int32)
    degree = np.diff(indptr) + np.diff(t_indptr)
    rank[np.argsort(degree, kind="stable")] = np.arange(rank.size, dtype=np.int32)
    return rank


#: The thirteen connected classes, as a picture of the neurons A, B, C each; in the order in
#: which studies of this microcircuit number motifs 1 to 13.
TRIADS: dict[str, str] = {
    "021C": "A>B B>C",
    "021U": "A>B C>B",
    "021D": "B>A B>C",
    "030T": "A>B B>C A>C",
    "111U": "A>B B>A B>C",
    "111D": "A>B B>A C>B",
    "030C": "A>B B>C C>A",
    "201": "A>B B>A B>C C>B",
    "120C": "A>B B>C A>C C>A",
    "120U": "A>B C>B A>C C>A",
    "120D": "B>A B>C A>C C>A",
    "210": "A>B B>C C>B A>C C>A",
    "300": "A>B B>A B>C C>B A>C C>A",
}

# An out-, in- or two-way side seen from its other end.
FLIP = (0, 2, 1, 3)


def code_of(sides: frozenset[str]) -> int:
    """Pack a picture as ``AB << 4 | BC << 2 | AC``, each 1 out, 2 in, 3 both, 0 none."""
    code = 0
    for pair in ("AB", "BC", "AC"):
        code = (
            code << 2 | (f"{pair[0]}>{pair[1]}" in sides) | (f"{pair[1]}>{pair[0]}" in sides) << 1
        )
    return code


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
CLASS_OF = {code: role[:-2] for (code, _), role in _ROLE.items()}


def _corners(code: int) -> list[tuple[int, int]]:
    """Return the pairs of sides that meet at A, B and C, each seen from that neuron."""
    ab, bc, ac = code >> 4, code >> 2 & 3, code & 3
    return [(ab, ac), (FLIP[ab], bc), (FLIP[ac], FLIP[bc])]


def _census(t: Triangles) -> dict[str, int]:
    """Turn triangles and degrees into the census: open classes follow by subtraction."""
    census = dict.fromkeys(TRIADS, 0)
    partners = {1: t.out_only, 2: t.in_only, 3: t.mutual}
    wedges = {(a, a): int((d * (d - 1) // 2).sum()) for a, d in partners.items()}
    wedges |= {(a, b): int((partners[a] * partners[b]).sum()) for a, b in ((1, 2), (1, 3), (2, 3))}
    for code in np.flatnonzero(t.histogram).tolist():
        triangles = int(t.histogram[code])
        census[CLASS_OF[code]] += triangles
        for corner in _corners(code):
            wedges[min(corner), max(corner)] -= triangles
    for (a, b), count in wedges.items():
        # A's side to the middle neuron B is `a` seen from B.
        census[CLASS_OF[FLIP[a] << 4 | b << 2]] += count
    # Open classes are what is left of the pairs of partners: a wrong count leaves one below zero.
    must_hold("triads", (min(census.values()) >= 0, True))
    return census


def count_triads(connectome: Connectome, by: str | None = None) -> pd.Series | pd.DataFrame:
    """Count the thirteen ways in which three neurons can be connected.

    Every set of three neurons belongs to one class of the triad census [1]_. Triangles are
    listed once each, in order of degree [2]_; the open classes follow from the numbers of
    out-, in- and reciprocal partners by subtraction, so nothing is sampled.

    Parameters
    ----------
    by : str, optional
        A column of the neuron table, e.g. ``"mtype"``: count within each of its groups,
        connections to other groups left out. Default: the whole graph.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        Counts (int64) by class, in the order of `TRIADS`; one row a group if `by` is given.

    References
    ----------
    .. [1] Holland and Leinhardt (1976), Local structure in social networks.
    .. [2] Batagelj and Mrvar (2001), Soc Netw 23:237; Latapy (2008), Theor Comput Sci 407:458.
    """
    if by is None:
        census = _census(list_triangles(*graph_of(connectome)))
        return pd.Series(census, name="triads", dtype="int64").rename_axis("class")
    codes, labels = group_codes(connectome, by)
    parts = (connectome.select(codes == group) for group in range(len(labels)))
    rows = [_census(list_triangles(*graph_of(part))) for part in parts]
    table = pd.DataFrame(rows, index=pd.Index(labels, name=by), columns=[*TRIADS], dtype="int64")
    return table.rename_axis(columns="class")


def compute_clustering(connectome: Connectome) -> pd.DataFrame:
    """Compute the clustering coefficient of every neuron, directed and undirected.

    Directed, after Fagiolo [1]_: the directed triangles at a neuron over those its partners
    could form, ``(A + Aᵀ)³ᵢᵢ / 2(dᵢ(dᵢ − 1) − 2mᵢ)``, with dᵢ in- plus out-degree and mᵢ
    reciprocal partners. Undirected, after Watts and Strogatz [2]_: ``2tᵢ / kᵢ(kᵢ − 1)`` with
    kᵢ partners and tᵢ triangles, directions forgotten. Where no triangle is possible the
    coefficient is 0.

    Returns
    -------
    pandas.DataFrame
        n rows, index of the neuron table; ``directed``, ``undirected`` (0 … 1), ``triangles``
        (undirected triangles at the neuron).

    References
    ----------
    .. [1] Fagiolo (2007), Phys Rev E 76:026107.
    .. [2] Watts and Strogatz (1998), Nature 393:440.
    """
    t = list_triangles(*graph_of(connectome))
    partners = t.out_only + t.in_only + t.mutual
    degree = partners + t.mutual
    return pd.DataFrame(
        {
            "directed": ratio(t.directed, degree * (degree - 1) - 2 * t.mutual, 0.0),
            "undirected": ratio(2 * t.undirected, partners * (partners - 1), 0.0),
            "triangles": t.undirected,
        },
        index=connectome.neurons.index,
    )


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
        logs = np.bincount(at, np.log(weights), minlength=pairs.size)
        half_indptr = np.searchsorted(pairs, np.arange(n + 1) * n)
        packed = (pairs % max(n, 1)).astype(np.int32) << 2 | code
        means = weigh_triangles(half_indptr, packed, logs, tasks(8 * n))
    histogram = list_triangles(indptr, indices).histogram
    closed = [code for code in CLASS_OF if code & 3 and code >> 2 & 3 and code >> 4]
    sums = pd.DataFrame({"triads": histogram, "intensity": means}).loc[closed]
    table = sums.groupby([CLASS_OF[code] for code in closed]).sum()
    table["intensity"] = ratio(table["intensity"], table["triads"])
    return table.loc[[name for name in TRIADS if name in table.index]].rename_axis("class")
