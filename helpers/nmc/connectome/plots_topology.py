"""Figures of degrees, motifs, paths, hubs, cliques and ensembles.

Each draws on `ax`, or on new axes, and returns them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nmc import style
from nmc.connectome.motifs import TRIADS
from nmc.connectome.nulls import TITLES
from nmc.connectome.plots import dots_in_rows, line_with_band, titled
from nmc.data.figures import figure, framed

_COLOURS = (style.GREY, style.BLUE, style.ORANGE, style.GREEN, style.SKY, style.PURPLE)


def coloured(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Give title, table and colour of each; the first is what was observed."""
    colours = (style.OBSERVED, *_COLOURS)
    for (text, table), colour in zip(tables.items(), colours, strict=False):
        yield text, table, colour


@framed()
def plot_mixing(mixing: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how many connections are still in place after so many rounds of shuffling.

    Parameters
    ----------
    mixing : pandas.DataFrame
        From `nmc.compute_mixing`.
    """
    ax.plot(mixing["rounds"], 100 * mixing["in_place"], "o-", color=style.OBSERVED)
    ax.set(xlabel="rounds of trades", ylabel="connections still in place (%)", ylim=(0, 103))
    return ax


_CORNERS = {"A": (0.0, 0.62), "B": (-0.55, -0.35), "C": (0.55, -0.35)}


@framed(width=7.4, height=4.6)
def plot_triads(
    observed: pd.Series, nulls: Mapping[str, pd.DataFrame], ax: Axes | None = None
) -> Axes:
    """Draw how much more often each triad occurs than in random networks.

    One column a class, its picture below; on y the count over the null model's mean, on a
    logarithmic axis.  Classes that a null model never showed have no point.

    Parameters
    ----------
    observed : pandas.Series
        From `nmc.count_triads`.
    nulls : mapping of str to DataFrame
        Counts in random networks, one row a network, columns the classes.
    """
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


@framed()
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
    for text, table, colour in coloured(titled(tables)):
        some = table[table["pairs"] >= 50].astype(float)
        p = some["probability"]
        error = np.sqrt(p * (1 - p) / some["pairs"])
        line_with_band(ax, some["common"], p, error, marker="o", markersize=3.5, color=colour,
                       label=text or None)  # fmt: skip
    ax.set(xlabel="common neighbours of a pair", ylabel="pairs connected (%)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(titled(tables)):
        ax.legend()
    return ax


@framed()
def plot_path_lengths(tables: Mapping[str, pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw which share of all ordered pairs lies how many connections apart.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        From `nmc.compute_path_lengths`.
    """
    shares = {text: table.set_index("length")["share"] for text, table in titled(tables).items()}
    table = pd.DataFrame(shares).fillna(0).sort_index()
    (100 * table).plot.bar(ax=ax, width=0.8, rot=0, color=[style.OBSERVED, *_COLOURS])
    labels = ["no path" if np.isinf(length) else f"{length:g}" for length in table.index]
    ax.set_xticks(range(len(labels)), labels)
    ax.set(xlabel="connections on the shortest path", ylabel="ordered pairs (%)")
    ax.legend()
    return ax


@framed()
def plot_rich_club(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how densely neurons above each degree are connected, and what their degrees explain.

    Degree on x, share of pairs connected (%) on y; the band is two standard deviations of the
    networks of the same degrees.  Degrees above which there are fewer than ten neurons are left
    out.

    Parameters
    ----------
    table : pandas.DataFrame
        From `nmc.compute_rich_club`, with nulls.
    """
    some = table[table["neurons"] >= 10].astype(float)
    x = some["degree"]
    ax.plot(x, 100 * some["density"], color=style.OBSERVED, label="connectome", linewidth=2)
    line_with_band(ax, x, some["null_mean"], some["null_std"], color=style.NULL,
                   label="degrees kept")  # fmt: skip
    ax.set(xlabel="neurons with more partners than", ylabel="pairs connected (%)")
    ax.legend()
    return ax


@framed()
def plot_simplices(counts: Mapping[str, pd.Series | pd.DataFrame], ax: Axes | None = None) -> Axes:
    """Draw the number of directed simplices of each dimension, on a logarithmic axis.

    Parameters
    ----------
    counts : mapping of str to Series or DataFrame
        From `nmc.count_simplices`; a DataFrame holds several networks, one a row, and is drawn
        as its mean and range.
    """
    for text, values, colour in coloured(titled(counts)):
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


@framed(height=lambda ensemble: 1.2 + 0.45 * ensemble["group"].nunique())
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
    parts = dict(iter(ensemble.groupby("group", sort=False)))
    colours = {"average": style.VERMILION, "individual": style.BLUE, "control": style.GREY}
    dots_in_rows(
        ax,
        {group: some[column].to_numpy(float) for group, some in parts.items()},
        [colours.get(some["kind"].iloc[0], style.GREEN) for some in parts.values()],
    )
    ax.set_xlabel(quantity or column.replace("_", " "))
    return ax


@framed()
def plot_degrees(
    degrees: pd.DataFrame, ax: Axes | None = None, *, null: pd.DataFrame | None = None
) -> Axes:
    """Draw how many neurons have how many inputs, and how many outputs.

    Degree on x, share of neurons per unit of degree on y.

    Parameters
    ----------
    degrees : pandas.DataFrame
        From `nmc.compute_degrees`.
    null : pandas.DataFrame, optional
        Degrees of a null model; drawn in grey (inputs).
    """
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


@figure
def plot_degrees_by_type(
    degrees: pd.DataFrame, column: str = "in_degree", ax: Axes | None = None
) -> Axes:
    """Draw the middle and the spread of one degree for every m-type.

    Parameters
    ----------
    degrees : pandas.DataFrame
        From `nmc.compute_degrees`, or any with ``mtype``, ``layer``, ``excitatory``.
    column : str
        ``in_degree`` or ``out_degree``, or another number of each neuron.

    Returns
    -------
    matplotlib Axes
        One line an m-type between its quartiles, a dot at the median, filled for excitatory
        types, coloured by layer; for more than 20 types and no `ax` the first of two columns.
    """
    by_type = degrees.groupby("mtype", observed=True)
    table = by_type[column].quantile([0.25, 0.5, 0.75]).unstack()
    kinds = by_type[["layer", "excitatory"]].first()
    colours = style.layer_colours(kinds["layer"])
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
            layer, excitatory = kinds.loc[mtype]
            colour = colours[str(layer)]
            panel.plot([low, high], [at, at], color=colour, linewidth=2.4, solid_capstyle="round")
            face = colour if pd.isna(excitatory) or excitatory else "white"
            panel.plot(middle, at, "o", color=colour, markerfacecolor=face, markersize=6)
        panel.set_yticks(range(len(part)), part.index.astype(str), fontsize=9)
        panel.set_ylim(rows - 0.3, -0.7)
        panel.set(xlabel=f"{column.replace('_', '-')}: quartiles and median")
        panel.grid(axis="x", color="#E4E6E8", linewidth=0.8)
    return axes[0]
