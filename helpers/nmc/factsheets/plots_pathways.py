"""Figures of pathways: the 55 × 55 matrices, the flow between layers, the synapse classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

from nmc import names, style, units
from nmc.data.figures import framed
from nmc.factsheets.pathways import S_TYPES, layer_flow, pathway_matrix
from nmc.factsheets.plots import S_TYPE_COLOURS, layer_lines, short_number


@framed(width=7.4, height=6.4)
def plot_pathways(
    pathways: pd.DataFrame,
    column: str = "connection_probability_percent",
    ax: Axes | None = None,
    *,
    log: bool = False,
    vmax: float | None = None,
) -> Axes:
    """Draw one quantity of all pathways as a matrix of the 55 m-types.

    Presynaptic m-types on y, postsynaptic ones on x; blank where there is no pathway.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `nmc.load_pathways`.
    column : str
        A numeric column of it; or ``s_type``, whose classes the legend then counts.
    log : bool
        Colour by order of magnitude; zeros are then left out.
    vmax : float, optional
        Upper end of a linear colour scale; by default the 99th percentile, because single
        pathways of very small types reach far beyond the rest.
    """
    if column == "s_type":
        return _draw_s_types(pathways, ax)
    matrix = pathway_matrix(pathways, column).to_numpy()
    if log:
        matrix = np.where(matrix > 0, matrix, np.nan)
        vmax = np.nanmax(matrix)
    elif vmax is None:
        vmax = np.nanpercentile(matrix, 99)
    norm = LogNorm(np.nanmin(matrix), vmax) if log else Normalize(0, vmax)
    image = ax.imshow(matrix, cmap=style.SEQUENTIAL, norm=norm, interpolation="nearest")
    _mtype_axes(ax)
    clipped = np.nanmax(matrix) > vmax
    bar = ax.figure.colorbar(
        image, ax=ax, shrink=0.7, aspect=28, pad=0.05, extend="max" if clipped else "neither"
    )
    bar.set_label(units.label(column))
    bar.outline.set_visible(False)
    return ax


def _draw_s_types(pathways: pd.DataFrame, ax: Axes) -> Axes:
    coded = pathways.assign(code=pathways["s_type"].cat.codes)
    matrix = pathway_matrix(coded, "code").to_numpy()
    kinds = list(pathways["s_type"].cat.categories)
    cmap = ListedColormap([S_TYPE_COLOURS[kind] for kind in kinds])
    ax.imshow(matrix, cmap=cmap, vmin=-0.5, vmax=len(kinds) - 0.5, interpolation="nearest")
    _mtype_axes(ax)
    words = {code: text for text, code in S_TYPES.items()}
    for kind, count in pathways["s_type"].value_counts().reindex(kinds).items():
        ax.plot([], [], "s", color=S_TYPE_COLOURS[kind], label=f"{kind} {words[kind]} ({count:,})")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
    return ax


@framed(width=6.2, height=5.6)
def plot_dynamics(pathways: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the two time constants of short-term dynamics of every pathway against each other.

    Recovery from depression on x, from facilitation on y (ms, logarithmic); above the dashed
    line facilitation outlasts depression.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `nmc.load_pathways`.
    """
    for kind, rows in pathways.groupby("s_type", observed=True):
        ax.plot(
            rows["d_mean_ms"], rows["f_mean_ms"], "o", ms=4.5, alpha=0.6, mew=0,
            color=S_TYPE_COLOURS[kind], label=kind,
        )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ends = np.array([*ax.get_xlim(), *ax.get_ylim()])
    line = [ends.min(), ends.max()]
    ax.plot(line, line, "--", color=style.GREY, linewidth=1)
    ax.set(
        xlim=ax.get_xlim(), xlabel="recovery from depression, D (ms)",
        ylabel="recovery from facilitation, F (ms)",
    )  # fmt: skip
    ax.legend(ncols=2)
    return ax


@framed(height=5.2)
def plot_flow(pathways: pd.DataFrame, column: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how much runs from layer to layer as bands.

    Presynaptic layers left, postsynaptic layers right; bands have the colour of the layer they
    start from.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `nmc.load_pathways`.
    column : str, optional
        What the width of a band adds up, e.g. ``total_synapse_count``; by default the number
        of pathways.
    """
    flow = layer_flow(pathways, column).to_numpy()
    total = flow.sum()
    gap = 0.035
    left = _stack(flow.sum(axis=1) / total, gap)
    right = _stack(flow.sum(axis=0) / total, gap)
    start, end = left.copy(), right.copy()
    for i, source in enumerate(names.LAYERS):
        for j in range(len(names.LAYERS)):
            width = flow[i, j] / total
            if width > 0:
                ax.add_patch(_band(start[i], end[j], width, style.LAYER_COLOURS[source]))
            start[i] += width
            end[j] += width
    _ends(ax, 0.0, left, flow.sum(axis=1), total, "right")
    _ends(ax, 1.0, right, flow.sum(axis=0), total, "left")
    ax.set(xlim=(-0.3, 1.3), ylim=(1 + gap * (len(names.LAYERS) - 1) + 0.02, -0.12))
    ax.text(0, -0.085, "presynaptic", ha="center", fontweight="bold")
    ax.text(1, -0.085, "postsynaptic", ha="center", fontweight="bold")
    ax.axis("off")
    return ax


def _mtype_axes(ax: Axes) -> None:
    short = [name.split("_", 1)[1] for name in names.MTYPES]
    ax.set_xticks(range(len(short)), short, rotation=90, fontsize=6.4)
    ax.set_yticks(range(len(short)), short, fontsize=6.4)
    ax.tick_params(length=1.5, pad=1.5)
    layer_lines(ax)
    ax.set(xlabel="postsynaptic m-type", ylabel="presynaptic m-type")
    for side in ("top", "right"):
        ax.spines[side].set_visible(True)


def _stack(sizes: np.ndarray, gap: float) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(sizes + gap)[:-1]])


def _band(top_left: float, top_right: float, width: float, colour: str) -> PathPatch:
    x0, x1, middle = 0.03, 0.97, 0.5
    points = [
        (x0, top_left), (middle, top_left), (middle, top_right), (x1, top_right),
        (x1, top_right + width), (middle, top_right + width), (middle, top_left + width),
        (x0, top_left + width), (x0, top_left),
    ]  # fmt: skip
    codes = [Outline.MOVETO, *[Outline.CURVE4] * 3, Outline.LINETO, *[Outline.CURVE4] * 3,
             Outline.CLOSEPOLY]  # fmt: skip
    return PathPatch(Outline(points, codes), facecolor=colour, alpha=0.45, linewidth=0)


def _ends(ax: Axes, x: float, tops, sizes, total: float, align: str) -> None:
    outward = -0.05 if align == "right" else 0.05
    lowest = -1.0  # where the label before this one stands
    for name, top, size in zip(names.LAYERS, tops, sizes, strict=True):
        colour = style.LAYER_COLOURS[name]
        ax.add_patch(Rectangle((x - 0.03, top), 0.06, size / total, facecolor=colour, linewidth=0))
        lowest = max(top + size / total / 2, lowest + 0.1)
        ax.text(
            x + outward, lowest, f"{name}\n{short_number(size)}", ha=align, va="center",
            fontsize=style.SMALL, linespacing=1.2,
        )  # fmt: skip
