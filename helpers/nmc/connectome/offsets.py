"""Connection probability around a presynaptic soma: how far aside, and how far up or down."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import style
from nmc.connectome.arrays import graph_of
from nmc.connectome.given import check_table, check_width
from nmc.connectome.graph import Connectome
from nmc.data.provenance import stamp
from nmc.errors import ConnectomeError

_ROWS = 256  # presynaptic neurons at a time
_MOST_BINS = 1_000_000


def compute_offset_map(
    connectome: Connectome, *, bin_um: float = 50.0, aside_um: float = 500.0, up_um: float = 600.0
) -> pd.DataFrame:
    """Compute connection probability by the place of the postsynaptic soma.

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

    Raises
    ------
    ConnectomeError
        If this is no `Connectome`, a neuron connects to itself or has no position; for a bin or a
        reach that is not above 0 and finite, or more than a million bins.

    References
    ----------
    .. [1] Perin, Berger and Markram (2011), PNAS 108:5419, for distance; here aside and up apart.
    """
    graph_of(connectome)
    check_width(bin_um)
    check_width(aside_um, "The map aside")
    check_width(up_um, "The map up and down")
    if aside_um * up_um / bin_um**2 > _MOST_BINS:
        raise ConnectomeError(
            f"Bins of {bin_um:g} µm are too many for such a map: take wider ones."
        )
    n_aside, n_up = int(np.ceil(aside_um / bin_um)), int(np.ceil(up_um / bin_um))
    shape = (n_aside, 2 * n_up)
    counts = np.zeros((2, n_aside * 2 * n_up), np.int64)
    xyz, graph = connectome.positions, connectome.adjacency
    for start in range(0, len(xyz), _ROWS):
        rows = slice(start, start + _ROWS)
        step = xyz[None] - xyz[rows, None]
        aside = (np.hypot(step[..., 0], step[..., 2]) / bin_um).astype(np.int64)
        up = np.floor(step[..., 1] / bin_um).astype(np.int64) + n_up
        inside = (aside < n_aside) & (up >= 0) & (up < 2 * n_up)
        inside[np.arange(len(step)), np.arange(start, start + len(step))] = False
        flat = aside * 2 * n_up + up
        counts[0] += np.bincount(flat[inside], minlength=counts.shape[1])
        linked = graph[rows].toarray() & inside
        counts[1] += np.bincount(flat[linked], minlength=counts.shape[1])
    at = np.indices(shape).reshape(2, -1)
    pairs, connections = counts
    share = np.divide(connections, pairs, out=np.full(pairs.size, np.nan), where=pairs > 0)
    return pd.DataFrame(
        {
            "aside_um": (at[0] + 0.5) * bin_um,
            "up_um": (at[1] - n_up + 0.5) * bin_um,
            "pairs": pairs,
            "connections": connections,
            "probability": share,
        }
    )


@style.context()
def plot_offset_map(table: pd.DataFrame, ax: Axes | None = None, *, least_pairs: int = 30) -> Axes:
    """Draw connection probability around a presynaptic soma.

    Parameters
    ----------
    table : pandas.DataFrame
        From `compute_offset_map`.
    ax : matplotlib Axes, optional
        Where to draw.
    least_pairs : int
        Bins of fewer pairs stay white.

    Returns
    -------
    matplotlib Axes
        Horizontal distance on x, as far as there are pairs; height above (+) and below (−) the
        presynaptic soma on y.

    Raises
    ------
    ConnectomeError
        For another table.
    """
    check_table(table, ("aside_um", "up_um", "pairs", "probability"), "nmc.compute_offset_map")
    ax = style.new_axes(ax, width=4.8, height=5.2)
    shown = table["probability"].where(table["pairs"] >= least_pairs)
    grid = table.assign(shown=100 * shown).pivot(index="up_um", columns="aside_um", values="shown")
    seen = grid.columns[grid.notna().any()]  # a thin column has no pairs far aside
    grid = grid.loc[:, : seen.max()] if len(seen) else grid
    half = (grid.columns[1] - grid.columns[0]) / 2 if len(grid.columns) > 1 else 25.0
    box = (0, grid.columns[-1] + half, grid.index[0] - half, grid.index[-1] + half)
    image = ax.imshow(grid, origin="lower", extent=box, cmap=style.SEQUENTIAL)
    ax.plot(0, 0, "^", color=style.VERMILION, markersize=11, clip_on=False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.75, label="pairs connected (%)")
    bar.outline.set_visible(False)
    ax.set(xlabel="horizontal distance (µm)", ylabel="postsynaptic soma above (µm)")
    stamp(ax)
    return ax
