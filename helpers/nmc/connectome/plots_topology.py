"""Figures of degrees, motifs, paths, hubs, cliques and ensembles.

Each draws on `ax`, or on new axes, and returns them; a table that is not the one it names is a
`ConnectomeError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nmc import names, style
from nmc.connectome.arrays import check_named, check_table
from nmc.connectome.motifs import TRIADS
from nmc.connectome.nulls import TITLES
from nmc.connectome.plots import dots_in_rows, line_with_band, titled
from nmc.data.figures import figure
from nmc.errors import ConnectomeError

_COLOURS = (style.GREY, style.BLUE, style.ORANGE, style.GREEN, style.SKY, style.PURPLE)


def coloured(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Give title, table and colour of each; the first is what was observed."""
    colours = (style.OBSERVED, *_COLOURS)
    for (text, table), colour in zip(tables.items(), colours, strict=False):
        yield text, table, colour


@figure
def plot_mixing(mixing: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many connections are still in place after so many rounds of shuffling.

    Parameters
    ----------
    mixing : pandas.DataFrame
        From `nmc.compute_mixing`.
    """
    check_table(mixing, ("rounds", "in_place"), "nmc.compute_mixing")
    ax = style.new_axes(ax)
    ax.plot(mixing["rounds"], 100 * mixing["in_place"], "o-", color=style.OBSERVED)
    ax.set(xlabel="rounds of trades", ylabel="connections still in place (%)", ylim=(0, 103))
    return ax


_CORNERS = {"A": (0.0, 0.62), "B": (-0.55, -0.35), "C": (0.55, -0.35)}


@figure
def plot_triads(
    observed: pd.Series, nulls: Mapping[str, pd.DataFrame], ax: Axes | None = None
) -> Axes:
    """Draw how much more often each triad occurs than in random networks.

    Parameters
    ----------
    observed : pandas.Series
        From `nmc.count_triads`.
    nulls : mapping of str to DataFrame
        Counts in random networks, one row a network, columns the classes.

    Returns
    -------
    matplotlib Axes
        One column a class, its picture below; on y the count over the null model's mean, on a
        logarithmic axis.  Classes that a null model never showed have no point.
    """
    check_named(nulls, "a table of counts in random networks")
    if not isinstance(observed, pd.Series) or not set(observed.index) <= set(TRIADS):
        raise ConnectomeError("What was observed is the Series of nmc.count_triads.")
    for counts in nulls.values():
        check_table(counts, observed.index, "nmc.count_triads, a row a network")
    ax = style.new_axes(ax, width=7.4, height=4.6)
    shift = np.linspace(-0.2, 0.2, len(nulls)) if len(nulls) > 1 else [0.0]
    for (text, counts), dx, colour in zip(nulls.items(), shift, _COLOURS, strict=False):
        mean = counts[observed.index].mean().astype(float)
        mean = mean.where(mean > 0)
        x, over = np.arange(len(mean)) + dx, observed / mean
        low, high = (counts[observed.index] / mean).quantile([0.025, 0.975]).to_numpy()
        ax.vlines(x, np.maximum(low, 0.3), high, color=colour, alpha=0.35, linewidth=5)
        ax.plot(x, over.where(over > 0), "o", color=colour, label=f"over {text}")
    ax.axhline(1, color=style.INK, linewidth=0.8)
    ax.set_yscale("log")
    ax.set(ylabel="count over random", xlim=(-0.6, len(observed) - 0.4))
    ax.set_xticks(range(len(observed)), observed.index)
    ax.tick_params(axis="x", length=0, pad=58)
    for at, name in enumerate(observed.index):
        _draw_triad(ax, name, at)
    ax.legend(loc="upper left")
    return ax


def _draw_triad(ax: Axes, name: str, at: float) -> None:
    """Draw a class below the axis: dots and arrows; a reciprocal pair is a two-headed one."""
    box = ax.inset_axes((at - 0.4, -0.26, 0.8, 0.22), transform=ax.get_xaxis_transform())
    box.set(xlim=(-1, 1), ylim=(-0.8, 1.0))
    box.axis("off")
    edges = {tuple(edge.split(">")) for edge in TRIADS[name].split()}
    for a, b in edges:
        both = (b, a) in edges
        if both and a > b:
            continue
        arrow = {"arrowstyle": "<|-|>" if both else "-|>", "shrinkA": 3, "shrinkB": 3,
                 "color": style.VERMILION if both else style.INK, "mutation_scale": 7,
                 "linewidth": 1}  # fmt: skip
        box.annotate("", _CORNERS[b], _CORNERS[a], arrowprops=arrow)
    box.plot(*zip(*_CORNERS.values(), strict=True), "o", color=style.INK, markersize=3)


@figure
def plot_common_neighbours(
    tables: pd.DataFrame | Mapping[str, pd.DataFrame], ax: Axes | None = None
) -> Axes:
    """Draw the chance that a pair is connected against the number of neighbours it shares.

    Numbers of common neighbours that fewer than 50 pairs have are left out.

    Parameters
    ----------
    tables : pandas.DataFrame or mapping of str to DataFrame
        From `nmc.count_common_neighbours`.
    """
    tables = titled(tables, ("common", "pairs", "probability"), "nmc.count_common_neighbours")
    ax = style.new_axes(ax)
    for text, table, colour in coloured(tables):
        some = table[table["pairs"] >= 50].astype(float)
        p = some["probability"]
        error = np.sqrt(p * (1 - p) / some["pairs"])
        line_with_band(ax, some["common"], p, error, marker="o", markersize=3.5, color=colour,
                       label=text or None)  # fmt: skip
    ax.set(xlabel="common neighbours of a pair", ylabel="pairs connected (%)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(tables):
        ax.legend()
    return ax


@figure
def plot_path_lengths(tables: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw which share of all ordered pairs lies how many connections apart.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        From `nmc.compute_path_lengths`.
    """
    tables = titled(tables, ("length", "share"), "nmc.compute_path_lengths")
    ax = style.new_axes(ax)
    lengths = sorted({length for t in tables.values() for length in t["length"]})
    width = 0.8 / len(tables)
    for k, (text, table, colour) in enumerate(coloured(tables)):
        share = table.set_index("length")["share"].reindex(lengths, fill_value=0)
        x = np.arange(len(lengths)) + (k - (len(tables) - 1) / 2) * width
        ax.bar(x, 100 * share, width, color=colour, label=text)
    labels = ["no path" if np.isinf(length) else f"{length:g}" for length in lengths]
    ax.set_xticks(range(len(lengths)), labels)
    ax.set(xlabel="connections on the shortest path", ylabel="ordered pairs (%)")
    ax.legend()
    return ax


@figure
def plot_rich_club(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how densely neurons above each degree are connected, and what their degrees explain.

    Degrees above which there are fewer than ten neurons are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        From `nmc.compute_rich_club`, with nulls.

    Returns
    -------
    matplotlib Axes
        Degree on x, share of pairs connected (%) on y; the band is two standard deviations of
        the networks of the same degrees.
    """
    columns = ("degree", "neurons", "density", "null_mean", "null_std")
    check_table(table, columns, "nmc.compute_rich_club with nulls")
    ax = style.new_axes(ax)
    some = table[table["neurons"] >= 10].astype(float)
    x = some["degree"]
    ax.plot(x, 100 * some["density"], color=style.OBSERVED, label="connectome", linewidth=2)
    line_with_band(ax, x, some["null_mean"], some["null_std"], color=style.NULL,
                   label="degrees kept")  # fmt: skip
    ax.set(xlabel="neurons with more partners than", ylabel="pairs connected (%)")
    ax.legend()
    return ax


@figure
def plot_simplices(counts: Mapping[str, pd.Series | pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw the number of directed simplices of each dimension, on a logarithmic axis.

    Parameters
    ----------
    counts : mapping of str to Series or DataFrame
        From `nmc.count_simplices`; a DataFrame holds several networks, one a row, and is drawn
        as its mean and range.
    """
    check_named(counts, "the counts of nmc.count_simplices")
    for values in counts.values():
        series = isinstance(values, pd.Series)
        dimensions = values.index if series else getattr(values, "columns", None)
        if not pd.api.types.is_numeric_dtype(dimensions):
            raise ConnectomeError("Counts are what nmc.count_simplices returns.")
    ax = style.new_axes(ax)
    for text, values, colour in coloured(counts):
        table = values.to_frame().T if isinstance(values, pd.Series) else values.fillna(0)
        mean = table.mean().astype(float)
        x, low = mean.index.to_numpy(float), table.min().where(mean > 0).to_numpy(float)
        ax.plot(x, mean.where(mean > 0), "o-", color=colour, label=TITLES.get(text, text),
                linewidth=2 if colour == style.OBSERVED else 1.4)  # fmt: skip
        ax.fill_between(x, np.maximum(low, 0.5), table.max(), color=colour, alpha=0.15,
                        linewidth=0)  # fmt: skip
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    ax.set(xlabel="dimension (neurons − 1)", ylabel="directed simplices")
    ax.legend()
    return ax


@figure
def plot_ensemble(
    ensemble: pd.DataFrame,
    column: str,
    ax: Axes | None = None,
    *,
    quantity: str | None = None,
) -> Axes:
    """Draw one number of many instances, a dot an instance, in a row for each group.

    Parameters
    ----------
    ensemble : pandas.DataFrame
        From `nmc.compute_ensemble`.
    column : str
        What to draw.
    quantity : str, optional
        What the axis says; default the column's name.
    """
    check_table(ensemble, ("kind", "group", column), "nmc.compute_ensemble")
    parts = dict(iter(ensemble.groupby("group", sort=False)))
    ax = style.new_axes(ax, height=1.2 + 0.45 * len(parts))
    colours = {"average": style.VERMILION, "individual": style.BLUE, "control": style.GREY}
    dots_in_rows(
        ax,
        {group: some[column].to_numpy(float) for group, some in parts.items()},
        [colours.get(some["kind"].iloc[0], style.GREEN) for some in parts.values()],
    )
    ax.set_xlabel(quantity or column.replace("_", " "))
    return ax


@figure
def plot_degrees(
    degrees: pd.DataFrame, ax: Axes | None = None, *, null: pd.DataFrame | None = None
) -> Axes:
    """Draw how many neurons have how many inputs, and how many outputs.

    Parameters
    ----------
    degrees : pandas.DataFrame
        From `nmc.compute_degrees`.
    null : pandas.DataFrame, optional
        Degrees of a null model; drawn in grey (inputs).

    Returns
    -------
    matplotlib Axes
        Degree on x, share of neurons per unit of degree on y.
    """
    for table in (degrees,) if null is None else (degrees, null):
        check_table(table, ("in_degree", "out_degree"), "nmc.compute_degrees", least=1)
    ax = style.new_axes(ax)
    top = max(degrees["in_degree"].max(), degrees["out_degree"].max(), 1)
    bins = np.unique(np.linspace(0, top + 1, min(45, top + 2)).round()).tolist()
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
    return ax


def _kind(mtype: str, neuron: pd.Series) -> tuple[str, bool]:
    """Layer of a type, and whether it is drawn filled, from one of its rows or from its name."""
    known = mtype in names.MTYPES
    layer = neuron.get("layer", names.layer_of(mtype) if known else "all")
    excitatory = neuron.get("excitatory", names.is_excitatory(mtype) if known else True)
    return str(layer), bool(pd.isna(excitatory) or excitatory)


@figure
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

    Returns
    -------
    matplotlib Axes
        One line an m-type between its quartiles, a dot at the median, filled for excitatory
        types, coloured by layer; for more than 20 types and no `ax` the first of two columns.
    """
    check_table(degrees, ("mtype", column), "nmc.compute_degrees")
    by_type = degrees.groupby("mtype", observed=True)
    table = by_type[column].quantile([0.25, 0.5, 0.75]).unstack()
    kinds = {mtype: _kind(mtype, some.iloc[0]) for mtype, some in by_type}
    colours = style.layer_colours(layer for layer, _ in kinds.values())
    panels = 2 if ax is None and len(table) > 20 else 1
    rows = -(-len(table) // panels)
    if ax is not None:
        axes = [ax]
    else:
        size = (7.0, 0.9 + 0.17 * rows)
        axes = plt.subplots(1, panels, sharex=True, squeeze=False, figsize=size)[1][0]
    for k, panel in enumerate(axes):
        part = table.iloc[k * rows : (k + 1) * rows]
        for at, (mtype, (low, middle, high)) in enumerate(part.iterrows()):
            layer, filled = kinds[mtype]
            colour = colours[layer]
            panel.plot([low, high], [at, at], color=colour, linewidth=2.4, solid_capstyle="round")
            face = colour if filled else "white"
            panel.plot(middle, at, "o", color=colour, markerfacecolor=face, markersize=6)
        panel.set_yticks(range(len(part)), part.index.astype(str), fontsize=9)
        panel.set_ylim(rows - 0.3, -0.7)
        panel.set(xlabel=f"{column.replace('_', '-')}: quartiles and median")
        panel.grid(axis="x", color="#E4E6E8", linewidth=0.8)
    return axes[0]
