"""Connection probability against the distance between somata, and around a presynaptic one.

Each call raises `ConnectomeError` for a neuron that connects to itself or has no position, and for
bins that are not above 0 µm or more than fit in memory.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.connectome.arrays import (
    blank_unknown,
    check_choice,
    finite,
    given_width,
    graph_of,
    group_codes,
    memory_for,
    must_hold,
    ratio,
    tasks,
)
from nmc.connectome.graph import POSITION, Connectome
from nmc.connectome.kernels.pairs import (
    connections_by_distance,
    pairs_by_distance,
    pairs_by_offset,
)
from nmc.errors import ConnectomeError

#: Which coordinates each kind of distance uses; y is vertical.
AXES: dict[str, tuple[str, ...]] = {
    "3d": ("x_um", "y_um", "z_um"),
    "horizontal": ("x_um", "z_um"),
    "vertical": ("y_um",),
}
#: So many counts (pairs of groups × bins) are kept at most, by each task.
MOST_COUNTS = 4_000_000


def compute_distance_profile(
    connectome: Connectome, *, bin_um: float = 25.0, axis: str = "3d", by: str | None = None
) -> pd.DataFrame:
    """Compute connection probability against soma distance over all pairs of neurons [1]_.

    Parameters
    ----------
    connectome : Connectome
        n neurons; all n(n − 1) ordered pairs are counted.
    bin_um : float
        Width of a bin, µm. A bin holds its lower edge, not its upper one.
    axis : {"3d", "horizontal", "vertical"}
        Straight distance; distance in the x–z plane; difference in depth.
    by : str, optional
        Column of the neuron table: one profile for every ordered pair of its groups.

    Returns
    -------
    pandas.DataFrame
        ``pre``, ``post`` (if `by`), ``from_um``, ``to_um``, ``pairs`` (ordered),
        ``connections``, ``probability`` (0 … 1, NaN without pairs) and ``standard_error``
        (binomial); one row a bin that holds a pair or stands before one that does.

    References
    ----------
    .. [1] Perin, Berger and Markram (2011), PNAS 108:5419; Gal et al. (2017), Nat Neurosci
       20:1004.
    """
    bin_um = given_width(bin_um, "bin_um")
    codes, labels = group_codes(connectome, by)
    xyz = _coordinates(connectome, axis)
    bins = count_bins(xyz, bin_um, len(labels))
    pairs, connections = count_pairs(connectome, codes, len(labels), xyz, bin_um, bins)
    table = _table(labels, pairs, connections, bin_um, named=by is not None)
    farther = table[::-1].groupby(["pre", "post"] if by else lambda _: 0)["pairs"].cumsum()
    return table[farther.sort_index() > 0].reset_index(drop=True)


def compute_pathway_probability(
    connectome: Connectome, *, within_um: float = 100.0, by: str = "mtype"
) -> pd.DataFrame:
    """Compute the connection probability of every pathway as the portal's fact sheets define it.

    The share of ordered pairs of neurons, their somata less than 100 µm apart in space, that
    are connected.

    Parameters
    ----------
    within_um : float
        Pairs closer than this count, µm; ``inf`` for all pairs.
    by : str
        Column of the neuron table whose groups form the pathways.

    Returns
    -------
    pandas.DataFrame
        One row an ordered pair of groups: ``pre``, ``post``, ``pairs``, ``connections``,
        ``probability`` (0 … 1), ``standard_error``. NaN without pairs, and where the
        connectome's coverage lacks the block.
    """
    within_um = given_width(within_um, "within_um", finite=False)
    codes, labels = group_codes(connectome, by)
    xyz = _coordinates(connectome, "3d")
    # Two bins, near and far; a finite stand-in for infinity puts all pairs into the first.
    width = min(within_um, np.finfo(float).max)
    pairs, connections = count_pairs(connectome, codes, len(labels), xyz, width, 2)
    table = _table(labels, pairs[..., :1], connections[..., :1], width, named=True)
    table = table.drop(columns=["from_um", "to_um"])
    return blank_unknown(table, connectome, by, ["probability", "standard_error"])


def _coordinates(connectome: Connectome, axis: str) -> np.ndarray:
    """Return x, y and z of all neurons, (3, n), zeros where the kind of distance leaves one out."""
    check_choice("kind of distance", axis, AXES)
    xyz = np.zeros((3, len(connectome.neurons)))
    for i, name in enumerate(POSITION):
        if name in AXES[axis]:
            xyz[i] = finite(connectome.neurons[name].to_numpy(float))
    return xyz


def count_bins(xyz: np.ndarray, width: float, n_groups: int) -> int:
    """Return the number of bins up to the largest distance, while their counts fit in memory."""
    bins = np.hypot.reduce(np.ptp(xyz, axis=1)) / width + 1 if xyz.size else 1.0
    if bins * n_groups**2 > MOST_COUNTS:
        raise ConnectomeError(
            f"{bins:.1e} bins of {width:g} µm for each of {n_groups**2} pairs of groups are more "
            f"than there is room for ({MOST_COUNTS:.0e} in all): take wider ones."
        )
    return int(bins)


def in_groups(codes: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the neurons group by group, and where each group starts among them."""
    order = np.argsort(codes, kind="stable")
    return order, np.searchsorted(codes[order], np.arange(n_groups + 1)).astype(np.int64)


def count_pairs(
    connectome: Connectome, codes: np.ndarray, n_groups: int, xyz: np.ndarray, width: float,
    bins: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return ordered pairs and connections, (groups, groups, bins) each."""
    indptr, indices = graph_of(connectome)
    order, starts = in_groups(codes, n_groups)
    n = codes.size
    how = (float(width), bins, tasks(8 * n_groups**2 * bins + 4 * n))
    with memory_for("counting pairs by distance"):
        x, y, z = xyz[:, order]
        once = pairs_by_distance(x, y, z, starts, *how)
        pairs = once + once.transpose(1, 0, 2)
        x, y, z = xyz
        connections = connections_by_distance(indptr, indices, x, y, z, codes, n_groups, *how)
    must_hold("pairs by distance", (pairs.sum(), n * (n - 1)), (connections.sum(), indices.size))
    return pairs, connections


def _table(labels, pairs, connections, width, *, named: bool) -> pd.DataFrame:
    groups, _, bins = pairs.shape
    names = np.array(labels, dtype=object)
    columns = {}
    if named:
        columns["pre"] = names[np.repeat(np.arange(groups), groups * bins)]
        columns["post"] = names[np.tile(np.repeat(np.arange(groups), bins), groups)]
    edge = np.tile(np.arange(bins) * width, groups * groups)
    pairs, connections = pairs.ravel(), connections.ravel()
    p = ratio(connections, pairs)
    error = np.sqrt(p * (1 - p) / np.maximum(pairs, 1))
    columns |= {"from_um": edge, "to_um": edge + width, "pairs": pairs}
    columns |= {"connections": connections, "probability": p, "standard_error": error}
    return pd.DataFrame(columns)


_MOST_BINS = 1_000_000


def compute_offset_map(
    connectome: Connectome, *, bin_um: float = 50.0, aside_um: float = 500.0, up_um: float = 600.0
) -> pd.DataFrame:
    """Compute connection probability by the place of the postsynaptic soma, aside and up.

    Parameters
    ----------
    connectome : Connectome
        N neurons; all N(N − 1) ordered pairs are looked at.
    bin_um : float
        Width and height of a bin, µm.
    aside_um, up_um : float
        Largest horizontal distance, and largest height above or below, µm.

    Returns
    -------
    pandas.DataFrame
        ``aside_um`` (horizontal distance, middle of the bin), ``up_um`` (height of the
        postsynaptic above the presynaptic soma; negative is deeper), ``pairs``,
        ``connections``, ``probability`` (NaN without pairs).
    """
    bin_um = given_width(bin_um, "bin_um")
    aside_um, up_um = given_width(aside_um, "aside_um"), given_width(up_um, "up_um")
    if aside_um * up_um / bin_um**2 > _MOST_BINS:
        raise ConnectomeError(
            f"Bins of {bin_um:g} µm are too many for such a map: take wider ones."
        )
    n_aside, n_up = int(np.ceil(aside_um / bin_um)), int(np.ceil(up_um / bin_um))
    indptr, indices = graph_of(connectome)
    with memory_for("counting pairs by offset"):
        how = (float(bin_um), n_aside, n_up, tasks(32 * n_aside * n_up + 4 * indptr.size))
        x, y, z = _coordinates(connectome, "3d")
        pairs, connections = pairs_by_offset(indptr, indices, x, y, z, *how)
    n = indptr.size - 1
    must_hold("pairs by offset", (pairs.sum(), n * (n - 1)), (connections.sum(), indices.size))
    at = np.indices((n_aside, 2 * n_up)).reshape(2, -1)
    pairs, connections = pairs[:-1], connections[:-1]
    return pd.DataFrame(
        {
            "aside_um": (at[0] + 0.5) * bin_um,
            "up_um": (at[1] - n_up + 0.5) * bin_um,
            "pairs": pairs,
            "connections": connections,
            "probability": ratio(connections, pairs),
        }
    )
