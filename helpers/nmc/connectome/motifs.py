"""Three-neuron motifs: the triad census, exact and whole."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import graph_of, group_codes, must_hold, subgraph
from nmc.connectome.triangles import Triangles, list_triangles

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
#: The three classes in which at least one neuron stands alone.
UNCONNECTED = ("003", "012", "102")

# An out-, in- or two-way side seen from its other end.
_FLIP = (0, 2, 1, 3)


def _code(sides: frozenset[str]) -> int:
    """Pack a picture as ``AB << 4 | BC << 2 | AC``, each 1 out, 2 in, 3 both, 0 none."""
    code = 0
    for pair in ("AB", "BC", "AC"):
        code = (
            code << 2 | (f"{pair[0]}>{pair[1]}" in sides) | (f"{pair[1]}>{pair[0]}" in sides) << 1
        )
    return code


def _classes() -> dict[int, str]:
    """Name every connected code: the pictures under all six orders of the neurons."""
    found = {}
    for name, picture in TRIADS.items():
        for order in permutations("ABC"):
            turned = picture.translate(str.maketrans("ABC", "".join(order)))
            found[_code(frozenset(turned.split()))] = name
    return found


_CLASS_OF = _classes()


def _corners(code: int) -> list[tuple[int, int]]:
    """Return the pairs of sides that meet at A, B and C, each seen from that neuron."""
    ab, bc, ac = code >> 4, code >> 2 & 3, code & 3
    return [(ab, ac), (_FLIP[ab], bc), (_FLIP[ac], _FLIP[bc])]


def _census(t: Triangles) -> dict[str, int]:
    """Turn triangles and degrees into the census: open classes follow by subtraction."""
    n = t.mutual.size
    census = dict.fromkeys((*UNCONNECTED, *TRIADS), 0)
    partners = {1: t.out_only, 2: t.in_only, 3: t.mutual}
    wedges = {(a, a): int((d * (d - 1) // 2).sum()) for a, d in partners.items()}
    wedges |= {(a, b): int((partners[a] * partners[b]).sum()) for a, b in ((1, 2), (1, 3), (2, 3))}
    for code in np.flatnonzero(t.histogram).tolist():
        triangles = int(t.histogram[code])
        census[_CLASS_OF[code]] += triangles
        for corner in _corners(code):
            wedges[min(corner), max(corner)] -= triangles
    for (a, b), count in wedges.items():
        # A's side to the middle neuron B is `a` seen from B.
        census[_CLASS_OF[_FLIP[a] << 4 | b << 2]] += count
    one_way, two_way = int(t.out_only.sum()), int(t.mutual.sum()) // 2
    census["012"], census["102"] = one_way * (n - 2), two_way * (n - 2)
    for name, picture in TRIADS.items():
        sides = set(picture.split())
        both = sum(f"{s[2]}>{s[0]}" in sides for s in sides)
        census["012"] -= census[name] * (len(sides) - both)
        census["102"] -= census[name] * (both // 2)
    census["003"] = n * (n - 1) * (n - 2) // 6 - sum(census.values())
    # The classes sum to all triples by subtraction: a wrong count leaves one of them below zero.
    must_hold("triads", (min(census.values()) >= 0, True))
    return census


def count_triads(connectome, by: str | None = None, *, unconnected: bool = False):
    """Count the thirteen ways in which three neurons can be connected.

    Every set of three neurons belongs to one class of the triad census [1]_. Triangles are
    listed once each, in order of degree [2]_; the open classes follow from the numbers of
    out-, in- and reciprocal partners by subtraction, so nothing is sampled.

    Parameters
    ----------
    connectome : Connectome
        n neurons.
    by : str, optional
        A column of the neuron table, e.g. ``"mtype"``: count within each of its groups,
        connections to other groups left out. Default: the whole graph.
    unconnected : bool
        Also the classes 003, 012 and 102, in which a neuron stands alone.

    Returns
    -------
    pandas.Series or pandas.DataFrame
        Counts (int64) by class, in the order of `TRIADS`; one row a group if `by` is given.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself, or there is no column `by`.

    References
    ----------
    .. [1] Holland and Leinhardt (1976), Local structure in social networks.
    .. [2] Batagelj and Mrvar (2001), A subquadratic triad census algorithm, Soc Netw 23:237;
       Latapy (2008), Main-memory triangle computations, Theor Comput Sci 407:458.
    """
    names = [*(UNCONNECTED if unconnected else ()), *TRIADS]
    indptr, indices = graph_of(connectome)
    if by is None:
        census = _census(list_triangles(indptr, indices))
        return pd.Series(census, name="triads", dtype="int64")[names].rename_axis("class")
    codes, labels = group_codes(connectome, by)
    rows = [
        _census(list_triangles(*subgraph(indptr, indices, np.flatnonzero(codes == g))))
        for g in range(len(labels))
    ]
    table = pd.DataFrame(rows, index=pd.Index(labels, name=by), columns=names, dtype="int64")
    return table.rename_axis(columns="class")
