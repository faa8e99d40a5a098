"""Figures of neurons, their connections, degrees and distances."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from nmc import names, style
from nmc.connectome.given import (
    check_choice,
    check_connectome,
    check_named,
    check_number,
    check_table,
)
from nmc.connectome.graph import Connectome
from nmc.connectome.nulls import TITLES
from nmc.data.provenance import stamp
from nmc.errors import ConnectomeError

_AXIS_NAMES = {None: "distance", "3d": "soma distance", "horizontal": "horizontal distance",
               "vertical": "vertical distance"}  # fmt: skip

_PROFILE = ("from_um", "to_um", "pairs", "probability", "standard_error")


@style.context()
def plot_somata(connectome: Connectome, ax: Axes | None = None, *, most: int = 8000) -> Axes:
    """Draw the somata of a connectome seen from the side, layers in colour.

    Parameters
    ----------
    connectome : Connectome
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw.
    most : int
        Draw every n-th neuron only when there are more.

    Returns
    -------
    matplotlib Axes
        Horizontal position x and height y, µm; filled dots are excitatory, rings inhibitory.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome` or has no neuron, or `most` no whole number from 1 on.
    """
    check_connectome(connectome, least=1)
    check_number(most, "most", 1)
    ax = style.new_axes(ax, width=4.2, height=5.6)
    step = max(1, -(-connectome.n_neurons // most))
    neurons = connectome.neurons.iloc[::step]
    for (layer, excitatory), some in neurons.groupby(["layer", "excitatory"], observed=True):
        colour = style.LAYER_COLOURS[str(layer)]
        ax.scatter(
            some["x_um"], some["y_um"], s=7 if excitatory else 12, linewidths=0.7,
            facecolors=colour if excitatory else "none", edgecolors=colour,
        )  # fmt: skip
    for layer, some in neurons.groupby("layer", observed=True):
        ax.annotate(
            str(layer), (1.02, some["y_um"].mean()), xycoords=("axes fraction", "data"),
            color=style.LAYER_COLOURS[str(layer)], fontweight="bold", va="center",
        )  # fmt: skip
    middle, width = neurons["x_um"].agg(["min", "max"]).mean(), np.ptp(neurons["x_um"])
    ax.set_xlim(middle - max(0.54 * width, 250), middle + max(0.54 * width, 250))
    ax.set(xlabel="x (µm)", ylabel="height y (µm)")
    ax.set_aspect("equal")
    stamp(ax)
    return ax


@style.context()
def plot_adjacency(
    connectome: Connectome, ax: Axes | None = None, *, cells: int | None = None
) -> Axes:
    """Draw the adjacency matrix as a picture of connection density.

    Parameters
    ----------
    connectome : Connectome
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw.
    cells : int, optional
        Squares along each side of the picture; each shows the share of its pairs connected.
        Default: about twelve neurons a square, 300 squares at most.

    Returns
    -------
    matplotlib Axes
        Presynaptic neurons down, postsynaptic neurons across; lines part the layers.

    Raises
    ------
    ConnectomeError
        If this is no `Connectome` or has no neuron, or `cells` no whole number from 1 on.
    """
    check_connectome(connectome, least=1)
    check_number(1 if cells is None else cells, "cells", 1)
    ax = style.new_axes(ax, width=6.2, height=5.2)
    n = connectome.n_neurons
    edges = np.linspace(0, n, (cells or int(np.clip(n / 12, min(n, 40), 300))) + 1).round()
    graph = connectome.adjacency
    rows = np.repeat(np.arange(n), np.diff(graph.indptr))
    counts = np.histogram2d(rows, graph.indices, bins=(edges, edges))[0]
    share = 100 * counts / np.outer(np.diff(edges), np.diff(edges))
    positive = share[share > 0]
    norm = LogNorm(*np.quantile(positive, [0.02, 0.998])) if positive.size else None
    masked = np.ma.masked_equal(share, 0)
    image = ax.imshow(masked, extent=(0, n, n, 0), norm=norm, interpolation="nearest",
                      cmap=style.SEQUENTIAL)  # fmt: skip
    _part_layers(ax, connectome.neurons["layer"])
    _plain_bar(ax, image, "pairs connected (%)", log=True)
    ax.set(xlabel="postsynaptic neuron", ylabel="presynaptic neuron")
    stamp(ax)
    return ax


@style.context()
def plot_adjacencies(connectomes: Mapping[str, Connectome], *, cells: int = 60) -> Figure:
    """Draw several adjacency matrices side by side, each as `plot_adjacency` does.

    Parameters
    ----------
    connectomes : mapping of str to Connectome
        Title → what to draw.
    cells : int
        Squares along each side.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ConnectomeError
        If this is no mapping of titles to connectomes, or an empty one.
    """
    check_named(connectomes, "Connectome")
    check_number(cells, "cells", 1)
    for connectome in connectomes.values():
        check_connectome(connectome, least=1)
    columns = min(3, len(connectomes))
    rows = -(-len(connectomes) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, 3.2 * rows), squeeze=False)
    for ax in axes.flat[len(connectomes) :]:
        ax.axis("off")
    for ax, (text, connectome) in zip(axes.flat, connectomes.items(), strict=False):
        plot_adjacency(connectome, ax, cells=min(cells, connectome.n_neurons))
        ax.set_title(TITLES.get(text, text), fontsize=10)
        ax.set(xlabel="", ylabel="")
    stamp(figure)
    return figure


def _plain_bar(ax: Axes, image, label: str, *, log: bool) -> None:
    """Add a colour bar with plain numbers and without a frame."""
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, label=label)
    bar.outline.set_visible(False)
    if log:
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _part_layers(ax: Axes, layer: pd.Series) -> None:
    """Name the layers along both axes and draw thin lines between them."""
    codes = layer.cat.codes.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    ends = [*starts[1:], len(codes)]
    middles = [(a + b) / 2 for a, b in zip(starts, ends, strict=True)]
    labels = [layer.cat.categories[codes[a]] for a in starts]
    for edge in starts[1:]:
        ax.axhline(edge, color="white", linewidth=0.8)
        ax.axvline(edge, color="white", linewidth=0.8)
    ax.set_xticks(middles, labels)
    ax.set_yticks(middles, labels)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


@style.context()
def plot_degrees(
    degrees: pd.DataFrame, ax: Axes | None = None, *, null: pd.DataFrame | None = None
) -> Axes:
    """Draw how many neurons have how many inputs, and how many outputs.

    Parameters
    ----------
    degrees : pandas.DataFrame
        From `nmc.compute_degrees`.
    ax : matplotlib Axes, optional
        Where to draw.
    null : pandas.DataFrame, optional
        Degrees of a null model; drawn in grey (inputs).

    Returns
    -------
    matplotlib Axes
        Degree on x, share of neurons per unit of degree on y.

    Raises
    ------
    ConnectomeError
        For another table.
    """
    for table in (degrees, null):
        if table is not None or table is degrees:
            check_table(table, ("in_degree", "out_degree"), "nmc.compute_degrees", least=1)
    ax = style.new_axes(ax)
    top = max(degrees["in_degree"].max(), degrees["out_degree"].max(), 1)
    bins = np.unique(np.linspace(0, top + 1, min(45, top + 2)).round())
    if null is not None:
        ax.hist(null["in_degree"], bins, density=True, color=style.GREY, alpha=0.35,
                label="null model")  # fmt: skip
    for column, colour, text in (
        ("in_degree", style.BLUE, "inputs (in-degree)"),
        ("out_degree", style.VERMILION, "outputs (out-degree)"),
    ):
        ax.hist(degrees[column], bins, density=True, histtype="step", linewidth=1.8,
                color=colour, label=text)  # fmt: skip
    ax.set(xlabel="connections of a neuron", ylabel="density of neurons", xlim=(0, top + 1))
    ax.legend()
    stamp(ax)
    return ax


@style.context()
def plot_degrees_by_type(
    degrees: pd.DataFrame, column: str = "in_degree", ax: Axes | None = None
) -> Axes:
    """Draw the middle and the spread of one degree for every m-type.

    Parameters
    ----------
    degrees : pandas.DataFrame
        From `nmc.compute_degrees`.
    column : str
        ``in_degree`` or ``out_degree``.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
        One line an m-type from the lower to the upper quartile, a dot at the median; filled
        for excitatory types, hollow for inhibitory ones, coloured by layer.

    Raises
    ------
    ConnectomeError
        For another table, or a column it has not.
    """
    check_table(degrees, ("mtype", column), "nmc.compute_degrees")
    table = degrees.groupby("mtype", observed=True)[column].quantile([0.25, 0.5, 0.75]).unstack()
    ax = style.new_axes(ax, width=7.0, height=0.9 + 0.17 * len(table))
    for at, (mtype, (low, middle, high)) in enumerate(table.iterrows()):
        colour = style.LAYER_COLOURS[names.layer_of(mtype)]
        ax.plot([low, high], [at, at], color=colour, linewidth=2.4, solid_capstyle="round")
        face = colour if names.is_excitatory(mtype) else "white"
        ax.plot(middle, at, "o", color=colour, markerfacecolor=face, markersize=6)
    ax.set_yticks(range(len(table)), table.index.astype(str), fontsize=8)
    ax.set_ylim(len(table) - 0.3, -0.7)
    ax.set(xlabel=f"{column.replace('_', '-')}: quartiles and median")
    ax.grid(axis="x", color="#E4E6E8", linewidth=0.8)
    stamp(ax)
    return ax


@style.context()
def plot_distance(
    profiles: pd.DataFrame | dict[str, pd.DataFrame],
    ax: Axes | None = None,
    *,
    axis: str | None = "3d",
    least_pairs: int = 30,
) -> Axes:
    """Draw connection probability against distance, with its binomial error.

    Parameters
    ----------
    profiles : pandas.DataFrame or mapping of str to DataFrame
        From `nmc.compute_distance_profile`; several are told apart by their key.
    ax : matplotlib Axes, optional
        Where to draw.
    axis : str, optional
        What the distance is: ``3d``, ``horizontal`` or ``vertical``; None when they differ.
    least_pairs : int
        Bins of fewer pairs are left out.

    Returns
    -------
    matplotlib Axes
        Distance (µm) on x, probability (%) on y.

    Raises
    ------
    ConnectomeError
        For another table, or an unknown `axis`.
    """
    ax = style.new_axes(ax)
    if isinstance(profiles, pd.DataFrame):
        profiles = {"": profiles}
    check_named(profiles, "the table of nmc.compute_distance_profile")
    check_choice(axis, "The axis", _AXIS_NAMES)
    for text, profile in profiles.items():
        check_table(profile, _PROFILE, "nmc.compute_distance_profile")
        some = profile[profile["pairs"] >= least_pairs]
        p = some["probability"].to_numpy(float)
        error = some["standard_error"].to_numpy(float)
        x = (some["from_um"] + some["to_um"]).to_numpy(float) / 2
        (line,) = ax.plot(x, 100 * p, marker="o", markersize=3.5, label=text or None)
        ax.fill_between(x, 100 * (p - 2 * error), 100 * (p + 2 * error), alpha=0.2,
                        color=line.get_color(), linewidth=0)  # fmt: skip
    ax.set(xlabel=f"{_AXIS_NAMES[axis]} (µm)", ylabel="pairs connected (%)")
    ax.set_ylim(bottom=0)
    ax.set_xlim(left=0)
    if any(profiles):
        ax.legend()
    stamp(ax)
    return ax


@style.context()
def plot_against_nulls(
    observed: float,
    nulls: dict[str, np.ndarray],
    ax: Axes | None = None,
    *,
    quantity: str = "value",
    percent: bool = False,
) -> Axes:
    """Draw an observed value as a line over the values that null models gave.

    Parameters
    ----------
    observed : float
        Value of the connectome.
    nulls : mapping of str to array
        Values of each null model, one for each draw; names in `nulls.NULLS` are put in words.
    ax : matplotlib Axes, optional
        Where to draw.
    quantity : str
        What it is a value of.
    percent : bool
        Print values as percentages.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ConnectomeError
        If there is no null model, or one without a value.
    """
    check_named(nulls, "values, one for each draw")
    if not all(np.ndim(values) == 1 and np.size(values) for values in nulls.values()):
        raise ConnectomeError("Each null model needs a list of values, one at least.")
    ax = style.new_axes(ax, height=1.5 + 0.55 * len(nulls))
    scale = 100 if percent else 1
    ax.axvline(scale * observed, color=style.OBSERVED, linewidth=2)
    ax.annotate("connectome", (scale * observed, 1.0), xycoords=("data", "axes fraction"),
                color=style.OBSERVED, ha="center", va="bottom", fontweight="bold")  # fmt: skip
    for at, values in enumerate(nulls.values()):
        values = scale * np.asarray(values, float)
        spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else [0.0]
        ax.plot(values, at + np.asarray(spread), "o", color=style.NULL, markersize=4, alpha=0.6)
        ax.plot([values.mean()], [at], "|", color=style.INK, markersize=22, markeredgewidth=2)
    ax.set_yticks(range(len(nulls)), [TITLES.get(kind, kind) for kind in nulls])
    ax.set_ylim(len(nulls) - 0.5, -0.5)
    ax.set_xlabel(f"{quantity} (%)" if percent else quantity)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    stamp(ax)
    return ax


@style.context()
def plot_blocks(
    table: pd.DataFrame,
    value: str,
    ax: Axes | None = None,
    *,
    quantity: str = "",
    log: bool = True,
    percent: bool = False,
) -> Axes:
    """Draw a matrix of groups against groups, such as connection probability by pathway.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a pathway: ``pre``, ``post`` and the column to draw; missing values stay white.
    value : str
        The column to draw.
    ax : matplotlib Axes, optional
        Where to draw.
    quantity : str
        What the colour scale says; default the column's name.
    log : bool
        Colour by the logarithm; zeros stay white.
    percent : bool
        Print values as percentages.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ConnectomeError
        For a table without ``pre``, ``post`` or the column `value`.
    """
    check_table(table, ("pre", "post", value), "nmc.compute_block_densities or alike", least=1)
    matrix = table.pivot(index="pre", columns="post", values=value)
    n_rows, n_columns = matrix.shape
    ax = style.new_axes(ax, width=min(3 + 0.32 * n_columns, 9), height=min(2 + 0.3 * n_rows, 8))
    values = matrix.to_numpy(float) * (100 if percent else 1)
    values = np.ma.masked_invalid(np.where(values == 0, np.nan, values) if log else values)
    norm = LogNorm() if log and values.count() else None
    image = ax.imshow(values, cmap=style.SEQUENTIAL, norm=norm, interpolation="nearest")
    quantity = quantity or value.replace("_", " ")
    _plain_bar(ax, image, f"{quantity} (%)" if percent else quantity, log=log)
    size = 10 if n_columns <= 12 else 7.5
    ax.set_xticks(range(n_columns), matrix.columns.astype(str), rotation=90, fontsize=size)
    ax.set_yticks(range(n_rows), matrix.index.astype(str), fontsize=size)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set(xlabel="postsynaptic", ylabel="presynaptic")
    stamp(ax)
    return ax
