"""Figures of neurons, their connections and distances, against null models and in space.

Each draws on `ax`, or on new axes, and returns them; nobody to draw is a `ConnectomeError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nmc import style
from nmc.connectome.arrays import check_choice
from nmc.connectome.graph import Connectome
from nmc.connectome.nulls import TITLES
from nmc.data.figures import figure, framed
from nmc.errors import ConnectomeError
from nmc.viewer3d import View3D, view_3d


def titled(tables: pd.DataFrame | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return title → table; one table alone has no title."""
    if not len(tables):
        raise ConnectomeError("There is nothing to draw: give a table at least.")
    return {"": tables} if isinstance(tables, pd.DataFrame) else tables


def line_with_band(ax: Axes, x: pd.Series, y: pd.Series, error: pd.Series, **how) -> None:
    """Draw shares as percentages, within twice their error."""
    (line,) = ax.plot(x, 100 * y, **how)
    ax.fill_between(x, 100 * (y - 2 * error), 100 * (y + 2 * error), alpha=0.2, linewidth=0,
                    color=line.get_color())  # fmt: skip
    ax.set_ylim(bottom=0)


def dots_in_rows(ax: Axes, rows: Mapping[str, np.ndarray], colours: Iterable[str]) -> None:
    """Draw a row of dots for each name, and a line at their mean."""
    for at, (values, colour) in enumerate(zip(rows.values(), colours, strict=False)):
        spread = np.linspace(-0.17, 0.17, len(values)) if len(values) > 1 else np.zeros(1)
        ax.plot(values, at + spread, "o", color=colour, markersize=5, alpha=0.7)
        ax.plot([values.mean()], [at], "|", color=style.INK, markersize=21, markeredgewidth=2)
    ax.set_yticks(range(len(rows)), [TITLES.get(name, name) for name in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)


def _picture(ax: Axes, values: np.ndarray, label: str, *, log: LogNorm | None = None, **how):
    """Draw a matrix without a frame, with a colour bar if there is a label for it."""
    image = ax.imshow(values, cmap=style.SEQUENTIAL, norm=log, interpolation="nearest", **how)
    if label:
        _bar(image, ax, label)
    return image


def _bar(image, axes: Axes | Iterable[Axes], label: str) -> None:
    bar = image.figure.colorbar(image, ax=axes, shrink=0.8, label=label)
    bar.outline.set_visible(False)


def _no_frame(ax: Axes) -> None:
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _must_have_neurons(connectome: Connectome) -> None:
    if not connectome.n_neurons:
        raise ConnectomeError("There is no neuron to draw: choose a part that has some.")


#: So many somata are drawn at most: of more every n-th.
MOST_SOMATA = 8000
#: Shares of fewer pairs are not drawn: per bin of distance, and in a square of `plot_blocks`.
LEAST_PAIRS, LEAST_CASES = 30, 10


@framed(width=4.2, height=4.2)
def plot_somata(connectome: Connectome, ax: Axes | None = None) -> Axes:
    """Draw the somata of a connectome seen from the side, layers in colour.

    Horizontal position x and height y, µm; filled dots are excitatory or unknown, rings inhibitory.

    Parameters
    ----------
    connectome : Connectome
        With a neuron and its position at least.
    """
    _must_have_neurons(connectome)
    neurons = connectome.neurons.iloc[:: max(1, -(-connectome.n_neurons // MOST_SOMATA))]
    if neurons[["x_um", "y_um"]].isna().all(axis=None):
        raise ConnectomeError("No neuron has a position to draw it at: give make_connectome some.")
    colours = style.layer_colours(neurons["layer"])
    filled = neurons["excitatory"].astype("boolean").fillna(True)
    for (layer, excitatory), some in neurons.groupby(["layer", filled], observed=True):
        colour = colours[str(layer)]
        ax.scatter(
            some["x_um"], some["y_um"], s=7 if excitatory else 12, linewidths=0.7,
            facecolors=colour if excitatory else "none", edgecolors=colour,
        )  # fmt: skip
    for layer, some in neurons.groupby("layer", observed=True):
        ax.annotate(
            str(layer), (1.02, some["y_um"].mean()), xycoords=("axes fraction", "data"),
            color=colours[str(layer)], fontweight="bold", va="center",
        )  # fmt: skip
    middle, width = neurons["x_um"].agg(["min", "max"]).mean(), np.ptp(neurons["x_um"])
    ax.set_xlim(middle - max(0.54 * width, 250), middle + max(0.54 * width, 250))
    ax.set(xlabel="x (µm)", ylabel="height y (µm)", aspect="equal")
    return ax


@framed(width=6.2, height=4.6)
def plot_adjacency(connectome: Connectome, ax: Axes | None = None) -> Axes:
    """Draw the adjacency matrix as a picture of connection density.

    Each square shows the share of its pairs connected: about twelve neurons a side, or 300 squares.
    Presynaptic neurons down, postsynaptic neurons across; lines part the layers.

    Parameters
    ----------
    connectome : Connectome
        With a neuron at least.
    """
    _must_have_neurons(connectome)
    n = connectome.n_neurons
    share, order = _density(connectome, int(np.clip(n / 12, min(n, 40), 300)))
    _draw_adjacency(ax, connectome, share, order, _log_of(share), _SHARE)
    return ax


_SHARE = "pairs connected (%)"


def _density(connectome: Connectome, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of connected pairs in each square, in per cent, and the neurons layer by layer."""
    n = connectome.n_neurons
    edges = np.linspace(0, n, cells + 1).round()
    graph, layer = connectome.adjacency, connectome.neurons["layer"]
    order = np.argsort(layer.cat.codes.to_numpy(), kind="stable")  # a layer's neurons together
    place = np.empty(n, int)
    place[order] = np.arange(n)
    rows = np.repeat(place, np.diff(graph.indptr))
    counts = np.histogram2d(rows, place[graph.indices], bins=(edges, edges))[0]
    return 100 * counts / np.outer(np.diff(edges), np.diff(edges)), order


def _log_of(*shares: np.ndarray) -> LogNorm | None:
    """One scale for all of them, without what is extreme; None if all are zero."""
    positive = np.concatenate([share[share > 0] for share in shares])
    return LogNorm(*np.quantile(positive, [0.02, 0.998])) if positive.size else None


def _draw_adjacency(ax: Axes, connectome: Connectome, share, order, norm, label: str):
    """Draw the squares and lines between the layers; return the picture."""
    n, layer = connectome.n_neurons, connectome.neurons["layer"]
    masked = np.ma.masked_equal(share, 0)
    image = _picture(ax, masked, label, log=norm, extent=(0, n, n, 0))
    codes = layer.iloc[order].cat.codes.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    for edge in starts[1:]:
        ax.axhline(edge, color="white", linewidth=0.8)
        ax.axvline(edge, color="white", linewidth=0.8)
    middles = (starts + np.append(starts[1:], n)) / 2
    ax.set_xticks(middles, layer.cat.categories[codes[starts]])
    ax.set_yticks(middles, layer.cat.categories[codes[starts]])
    _no_frame(ax)
    ax.set(xlabel="postsynaptic neuron", ylabel="presynaptic neuron")
    return image


@figure
def plot_adjacencies(connectomes: Mapping[str, Connectome]) -> Figure:
    """Draw several adjacency matrices side by side, as `plot_adjacency` does, on one colour scale.

    Parameters
    ----------
    connectomes : mapping of str to Connectome
        Title → what to draw, 60 squares along each side.
    """
    for connectome in connectomes.values():
        _must_have_neurons(connectome)
    columns = min(3, len(connectomes))
    rows = -(-len(connectomes) // columns)
    drawing, axes = plt.subplots(rows, columns, figsize=(3.1 * columns, 3.0 * rows), squeeze=False)
    for ax in axes.flat[len(connectomes) :]:
        ax.axis("off")
    found = {k: _density(one, min(60, one.n_neurons)) for k, one in connectomes.items()}
    norm, image = _log_of(*(share for share, _ in found.values())), None
    for ax, (text, squares) in zip(axes.flat, found.items(), strict=False):
        image = _draw_adjacency(ax, connectomes[text], *squares, norm, "")
        ax.set_title(TITLES.get(text, text), fontsize=11)
        ax.set(xlabel="", ylabel="")
    _bar(image, axes, _SHARE)
    return drawing


_AXIS_NAMES = {None: "distance", "3d": "soma distance", "horizontal": "horizontal distance",
               "vertical": "vertical distance"}  # fmt: skip


@framed()
def plot_distance(
    profiles: pd.DataFrame | Mapping[str, pd.DataFrame],
    ax: Axes | None = None,
    *,
    axis: str | None = "3d",
) -> Axes:
    """Draw connection probability against distance, with its binomial error.

    Distance (µm) on x, probability (%) on y; bins of fewer than 30 pairs are left out.

    Parameters
    ----------
    profiles : pandas.DataFrame or mapping of str to DataFrame
        From `nmc.compute_distance_profile`; several are told apart by their key.
    axis : str, optional
        What the distance is: ``3d``, ``horizontal`` or ``vertical``; None when they differ.
    """
    check_choice("kind of distance", axis, _AXIS_NAMES)
    for text, profile in titled(profiles).items():
        some = profile[profile["pairs"] >= LEAST_PAIRS].astype(float)
        middle = (some["from_um"] + some["to_um"]) / 2
        line_with_band(ax, middle, some["probability"], some["standard_error"], marker="o",
                       markersize=3.5, label=text or None)  # fmt: skip
    ax.set(xlabel=f"{_AXIS_NAMES[axis]} (µm)", ylabel="pairs connected (%)")
    ax.set_xlim(left=0)
    if any(titled(profiles)):
        ax.legend()
    return ax


@figure
def plot_against_nulls(
    observed: float,
    nulls: Mapping[str, Iterable[float]],
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
    quantity : str
        What it is a value of.
    percent : bool
        Print values as percentages.
    """
    scale = 100 if percent else 1
    rows = {kind: scale * np.asarray(draws, float) for kind, draws in titled(nulls).items()}
    if not all(values.ndim == 1 and values.size for values in rows.values()):
        raise ConnectomeError("Each null model needs a list of values, one at least.")
    ax = style.new_axes(ax, height=1.5 + 0.55 * len(rows))
    ax.axvline(scale * observed, color=style.OBSERVED, linewidth=2)
    ax.annotate("connectome", (scale * observed, 1.0), xycoords=("data", "axes fraction"),
                color=style.OBSERVED, ha="center", va="bottom", fontweight="bold")  # fmt: skip
    dots_in_rows(ax, rows, [style.NULL] * len(rows))
    ax.set_xlabel(f"{quantity} (%)" if percent else quantity)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    return ax


@figure
def plot_blocks(
    table: pd.DataFrame,
    value: str,
    ax: Axes | None = None,
    *,
    quantity: str = "",
    percent: bool = False,
    cases: str = "",
) -> Axes:
    """Draw a matrix of groups against groups, such as connection probability by pathway.

    Colours go by the logarithm; zeros stay white.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a pathway: ``pre``, ``post`` and the column to draw; missing values stay white.
    value : str
        The column to draw.
    quantity : str
        What the colour scale says; default the column's name.
    percent : bool
        Print values as percentages.
    cases : str
        A column of counts that the values rest on: it is printed in the squares, and those with
        fewer than ten stay white.
    """
    shown = table[value].where(table[cases] >= LEAST_CASES) if cases else table[value]
    matrix = table.assign(shown=shown).pivot(index="pre", columns="post", values="shown")
    n_rows, n_columns = matrix.shape
    ax = style.new_axes(ax, width=min(3 + 0.32 * n_columns, 9), height=min(2 + 0.3 * n_rows, 8))
    values = matrix.to_numpy(float) * (100 if percent else 1)
    values = np.ma.masked_invalid(np.where(values == 0, np.nan, values))
    quantity = quantity or value.replace("_", " ")
    norm = LogNorm() if values.count() else None
    image = _picture(ax, values, f"{quantity} (%)" if percent else quantity, log=norm)
    if cases:
        absent = np.ma.getmaskarray(values)
        counts = table.pivot(index="pre", columns="post", values=cases).to_numpy(float)
        for (i, j), count in np.ndenumerate(counts):
            dark = not absent[i, j] and image.norm(values[i, j]) > 0.55
            text = f"{count:,.0f}" if np.isfinite(count) else ""
            ax.text(j, i, text, ha="center", va="center", fontsize=style.SMALL,
                    color="white" if dark else style.INK)  # fmt: skip
    size, turned = (11, 0) if n_columns <= 12 else (7.5, 90)
    ax.set_xticks(range(n_columns), matrix.columns.astype(str), rotation=turned, fontsize=size)
    ax.set_yticks(range(n_rows), matrix.index.astype(str), fontsize=size)
    _no_frame(ax)
    ax.set(xlabel="postsynaptic", ylabel="presynaptic")
    return ax


@framed(width=4.8, height=5.2)
def plot_offset_map(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw connection probability around a presynaptic soma; bins of few pairs stay white.

    Horizontal distance on x, as far as there are pairs; height above (+) and below (−) the
    presynaptic soma on y.

    Parameters
    ----------
    table : pandas.DataFrame
        From `compute_offset_map`.
    """
    shown = table["probability"].where(table["pairs"] >= LEAST_PAIRS)
    grid = table.assign(shown=100 * shown).pivot(index="up_um", columns="aside_um", values="shown")
    seen = grid.columns[grid.notna().any()]  # a thin column has no pairs far aside
    grid = grid.loc[:, : seen.max()] if len(seen) else grid
    half = (grid.columns[1] - grid.columns[0]) / 2 if len(grid.columns) > 1 else 25.0
    box = (0, grid.columns[-1] + half, grid.index[0] - half, grid.index[-1] + half)
    _picture(ax, grid, "pairs connected (%)", origin="lower", extent=box)
    ax.plot(0, 0, "^", color=style.VERMILION, markersize=11, clip_on=False)
    ax.set(xlabel="horizontal distance (µm)", ylabel="postsynaptic soma above (µm)")
    return ax


#: So many neurons, and connections among them, a page can show.
MOST_SHOWN, MOST_LINKS = 4000, 250_000


def view_column(connectome: Connectome) -> View3D:
    """Show the somata in space; a click on one shows whom it contacts and who contacts it.

    Of more than 4,000 neurons, or 250,000 connections among them, every n-th neuron is shown.

    Parameters
    ----------
    connectome : Connectome
        With a neuron at least, and positions of all.

    Returns
    -------
    nmc.viewer3d.View3D
        Displayed by a notebook; ``.save(path)`` writes it as a page.
    """
    _must_have_neurons(connectome)
    some, step = connectome, max(1, -(-connectome.n_neurons // MOST_SHOWN))
    while step > 1 or some.n_connections > MOST_LINKS:
        some = connectome.select(np.arange(0, connectome.n_neurons, step))
        step = step + 1 if some.n_connections > MOST_LINKS else 1
    layers = some.neurons["layer"].astype(str).tolist()
    return view_3d(
        some.positions,
        layers,
        colours=style.layer_colours(layers),
        connections=(some.adjacency.indptr, some.adjacency.indices),
        point_names=some.neurons["mtype"].astype(str).tolist(),
        alt=f"The somata of {some.n_neurons:,} neurons in space, coloured by layer; "
        "the cortical surface is at the top.",
    )
