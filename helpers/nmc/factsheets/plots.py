"""Figures of layers, types of neurons, models, checks, and pathways between m-types."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from nmc import names, style, units
from nmc.data.figures import framed
from nmc.factsheets.pathways import S_TYPES, layer_flow, pathway_matrix
from nmc.factsheets.sheets import column_of

_COLOURS = tomllib.loads((files(__package__) / "colours.toml").read_text("utf-8"))
S_TYPE_COLOURS: dict[str, str] = _COLOURS["s_types"]
ETYPE_COLOURS: dict[str, str] = _COLOURS["etypes"]


def short_number(value: float) -> str:
    """Return a number as a figure has room for it: ``12,651``, ``3.3 million``, ``350 million``."""
    if value < 1e6:
        return f"{value:,.0f}"
    return f"{value / 1e6:,.1f}".removesuffix(".0") + " million"


@framed(height=3.6)
def plot_layers(layers: pd.DataFrame, column: str = "n_neurons", ax: Axes | None = None) -> Axes:
    """Draw one quantity of the layers as a column of cortex: height is thickness.

    Depth below the surface of the cortex on y (µm), the quantity on x.

    Parameters
    ----------
    layers : pandas.DataFrame
        From `nmc.load_layers`.
    column : str
        What the length of a bar shows.
    """
    height = layers["thickness_um"].to_numpy()
    top = np.concatenate([[0.0], np.cumsum(height)])
    values = column_of(layers, column).to_numpy(dtype=float)
    colours = [style.LAYER_COLOURS[str(layer)] for layer in layers["layer"]]
    ax.barh(top[:-1], values, height, align="edge", color=colours, edgecolor="white", linewidth=2)
    room = 0.012 * np.nanmax(values)
    for layer, value, edge, thick in zip(layers["layer"], values, top, height, strict=False):
        text = f"{layer}   {value:,.0f}" if np.isfinite(value) else f"{layer}   not printed"
        ax.text(np.nan_to_num(value) + room, edge + thick / 2, text, va="center")
    room = (0, 1.18 * np.nanmax(values))
    ax.set(xlim=room, ylim=(top[-1], 0), xlabel=units.label(column), ylabel="depth (µm)")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(lambda value, _: short_number(value))
    ax.set_yticks(top)
    return ax


@framed(height=2.9)
def plot_density(circuit: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the neuron density of the six layers.

    Layers from the surface down on y, neurons per mm³ on x.

    Parameters
    ----------
    circuit : pandas.DataFrame
        From `nmc.load_circuit`.
    """
    rows = circuit[circuit["quantity"] == "density_per_mm3"].sort_values("layer")
    layer = rows["layer"].astype(str)
    whole = layer.replace({"L2": "L23", "L3": "L23"})
    ax.barh(layer, rows["value"], color=[style.LAYER_COLOURS[name] for name in whole])
    room = 0.012 * rows["value"].max()
    for row, value in enumerate(rows["value"]):
        ax.text(value + room, row, f"{value:,.0f}", va="center")
    ax.set(xlim=(0, 1.14 * rows["value"].max()), xlabel="neurons per mm³")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.invert_yaxis()
    return ax


@framed(height=5.6)
def plot_mtypes(mtypes: pd.DataFrame, column: str = "n_neurons", ax: Axes | None = None) -> Axes:
    """Draw one quantity of every m-type, grouped by layer, on a logarithmic axis.

    One line an m-type; excitatory types are filled, inhibitory ones hollow.  `ax` is split in two.

    Parameters
    ----------
    mtypes : pandas.DataFrame
        From `nmc.load_mtypes`.
    column : str
        A positive quantity.
    """
    column_of(mtypes, column)
    table = mtypes.sort_values(["layer", "excitatory", column], ascending=[True, False, False])
    upper = ~table["layer"].isin(names.LAYERS[3:])
    halves = ax.get_subplotspec().subgridspec(1, 2)
    ax.set_subplotspec(halves[0])
    right = ax.figure.add_subplot(halves[1], sharex=ax)
    ax.set_xscale("log")
    for panel, part in ((ax, table[upper]), (right, table[~upper])):
        _mtype_rows(panel, part, column)
        panel.set_xlim(left=10 ** np.floor(np.log10(table[column].min()) - 0.01))
        panel.set_xlabel(units.label(column))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, ncols=2)
    return ax


def _mtype_rows(ax: Axes, table: pd.DataFrame, column: str) -> None:
    position = np.arange(len(table)) + 0.8 * table["layer"].cat.codes.to_numpy()
    values = table[column].to_numpy(dtype=float)
    excitatory = table["excitatory"].to_numpy(dtype=bool)
    for kind, name, colour, face in (
        (True, "excitatory", style.EXCITATORY, style.EXCITATORY),
        (False, "inhibitory", style.INHIBITORY, "white"),
    ):
        chosen = excitatory == kind
        ax.hlines(position[chosen], 1e-9, values[chosen], color=colour, alpha=0.35, linewidth=1.2)
        ax.plot(values[chosen], position[chosen], "o", ms=5, color=colour, mfc=face, label=name)
    ax.set_yticks(position, [name.split("_", 1)[1] for name in table["mtype"]], fontsize=7.5)
    for layer, rows in table.reset_index(drop=True).groupby("layer", observed=True):
        ax.text(
            -0.36, position[rows.index].mean(), str(layer), transform=ax.get_yaxis_transform(),
            ha="right", va="center", fontweight="bold", color=style.LAYER_COLOURS[str(layer)],
        )  # fmt: skip
    ax.set_ylim(position[-1] + 1, position[0] - 1)


@framed(width=9.5, height=3.6)
def plot_metypes(metypes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw which e-types occur with which m-type: the area of a dot is its share of the m-type.

    E-types on y, the 55 m-types on x, layer by layer.

    Parameters
    ----------
    metypes : pandas.DataFrame
        From `nmc.load_metypes`.
    """
    total = metypes.groupby("mtype", observed=True)["n_neurons"].transform("sum")
    share = metypes["n_neurons"] / total
    column = metypes["mtype"].cat.codes
    row = metypes["etype"].cat.codes
    colours = [ETYPE_COLOURS[str(name)] for name in metypes["etype"]]
    ax.scatter(column, row, s=8 + 110 * share, c=colours, linewidths=0.4, edgecolors=style.INK)
    ax.set_xticks(range(len(names.MTYPES)), [m.split("_", 1)[1] for m in names.MTYPES])
    ax.tick_params(axis="x", labelrotation=90, labelsize=8)
    ax.set_yticks(range(len(names.ETYPES)), names.ETYPES)
    layer_lines(ax, horizontal=False)
    ax.set(xlim=(-0.7, len(names.MTYPES) - 0.3), ylim=(len(names.ETYPES) - 0.4, -0.6))
    return ax


@framed(height=3.2)
def plot_composition(metypes: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the e-types of each layer's inhibitory neurons as shares of a whole.

    One bar a layer; the number of inhibitory neurons stands behind it.

    Parameters
    ----------
    metypes : pandas.DataFrame
        From `nmc.load_metypes`.
    """
    inhibitory = metypes[~metypes["excitatory"]]
    counts = inhibitory.pivot_table(
        index="layer", columns="etype", values="n_neurons", aggfunc="sum", observed=False
    ).fillna(0)
    share = 100 * counts.div(counts.sum(axis=1), axis=0)
    share = share.loc[:, counts.sum() > 0]
    look: Any = {"stacked": True, "width": 0.8, "edgecolor": "white", "linewidth": 0.8}
    share.plot.barh(ax=ax, color=[ETYPE_COLOURS[etype] for etype in share], **look)
    for row, total in enumerate(counts.sum(axis=1)):
        ax.text(101, row, f"{total:,.0f} neurons", va="center", fontsize=style.SMALL)
    ax.set(xlim=(0, 122), xlabel="share of the layer's inhibitory neurons (%)", ylabel="")
    ax.set_xticks(range(0, 101, 25))
    ax.invert_yaxis()
    ax.legend(ncols=5, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=style.SMALL)
    return ax


@framed(height=3.6)
def plot_by_type(table: pd.DataFrame, column: str, by: str, ax: Axes | None = None) -> Axes:
    """Draw how one quantity is distributed in each type or layer.

    Parameters
    ----------
    table : pandas.DataFrame
        From `nmc.load_models` or `nmc.load_pathways`, or any other.
    column : str
        A quantity of it; of a positive one zeros are left out, and the axis is logarithmic.
    by : {"etype", "s_type", "layer"}
        The column of types, categorical.

    Returns
    -------
    matplotlib Axes
        One dot a row, spread at random-looking places by its rank; the bar is the
        median; the ring marks pathways whose conductance was measured.
    """
    positive = not column.endswith("_mV") or bool((table[column] >= 0).all())
    values = column_of(table, column).astype(float)
    table = table[values.notna() & ((values > 0) | (not positive))]
    kinds = [kind for kind in table[by].cat.categories if (table[by] == kind).any()]
    colours = ETYPE_COLOURS | S_TYPE_COLOURS | style.LAYER_COLOURS
    for x, kind in enumerate(kinds):
        rows = table[table[by] == kind]
        # A fixed pattern, so that a figure holds no random numbers.
        places = x + 0.36 * (2 * ((np.arange(len(rows)) * 0.618) % 1) - 1)
        ax.plot(places, rows[column], "o", ms=3, alpha=0.55, mew=0, color=colours[kind])
        ax.hlines(rows[column].median(), x - 0.4, x + 0.4, color=style.INK, linewidth=1.8)
        if "conductance_measured" in rows:
            measured = rows["conductance_measured"].to_numpy(dtype=bool)
            ringed = places[measured], rows.loc[measured, column]
            ax.plot(*ringed, "o", ms=6, mfc="none", color=style.INK)
    if positive:
        ax.set_yscale("log")
    ax.set_xticks(range(len(kinds)), kinds, fontsize=style.SMALL)
    ax.set_ylabel(units.label(column).replace(" (", "\n("))
    return ax


@framed(height=4.0)
def plot_checks(findings: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how much each check of the fact sheets compared, and how much of it disagreed.

    One row a check: a bar for the comparisons, a dot for the disagreements, on a logarithmic
    axis; a check without a dot found nothing.

    Parameters
    ----------
    findings : pandas.DataFrame
        From `nmc.check_factsheets`.
    """
    compared = pd.Series(findings.attrs["compared"]).sort_values()
    wrong = findings["check"].value_counts().reindex(compared.index, fill_value=0)
    rows = np.arange(len(compared))
    ax.barh(rows, compared, color=style.SKY, height=0.55, label="compared")
    some = wrong.to_numpy() > 0
    ax.plot(wrong[some], rows[some], "o", color=style.VERMILION, label="disagree")
    for row, (total, bad) in enumerate(zip(compared, wrong, strict=True)):
        ax.text(total * 1.2, row, f"{bad:,} of {total:,}", va="center", fontsize=style.SMALL)
    ax.set_yticks(rows, compared.index)
    ax.set_xscale("log")
    ax.set(xlim=(0.7, compared.max() * 15), xlabel="number")
    ax.legend(loc="lower right")
    return ax


def layer_lines(ax: Axes, *, horizontal: bool = True) -> None:
    """Separate the layers on axes that run over the 55 m-types, and name them on top."""
    layer = [names.layer_of(m) for m in names.MTYPES]
    for name in names.LAYERS:
        first, size = layer.index(name), layer.count(name)
        middle = first + size / 2 - 0.5
        look: Any = {"fontweight": "bold", "color": style.LAYER_COLOURS[name]}
        ax.text(middle, 1.01, name, transform=ax.get_xaxis_transform(), ha="center", va="bottom",
                **look)  # fmt: skip
        if horizontal:
            ax.text(1.01, middle, name, transform=ax.get_yaxis_transform(), ha="left", va="center",
                    **look)  # fmt: skip
        for draw in (ax.axvline, ax.axhline)[: 1 + horizontal] if first else ():
            draw(first - 0.5, color=style.INK, linewidth=0.6)


@framed(width=7.4, height=6.4)
def plot_pathways(
    pathways: pd.DataFrame,
    column: str = "connection_probability_percent",
    ax: Axes | None = None,
    *,
    log: bool = False,
) -> Axes:
    """Draw one quantity of all pathways as a matrix of the 55 m-types.

    Presynaptic m-types on y, postsynaptic ones on x; blank where there is no pathway.  A linear
    colour scale ends at the 99th percentile, because single pathways of very small types reach
    far beyond the rest.

    Parameters
    ----------
    pathways : pandas.DataFrame
        From `nmc.load_pathways`.
    column : str
        A numeric column of it; or ``s_type``, whose classes the legend then counts.
    log : bool
        Colour by order of magnitude; zeros are then left out.
    """
    if column == "s_type":
        return _draw_s_types(pathways, ax)
    matrix = pathway_matrix(pathways, column).to_numpy()
    if log:
        matrix = np.where(matrix > 0, matrix, np.nan)
    vmax = np.nanmax(matrix) if log else np.nanpercentile(matrix, 99)
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
    sides = [_stack(flow.sum(axis=axis) / total, gap) for axis in (1, 0)]
    start, end = (side.copy() for side in sides)
    along = np.linspace(0, 1, 50)
    bend = along**2 * (3 - 2 * along)  # flat at both ends
    for (i, j), size in np.ndenumerate(flow):
        upper, width = start[i] + (end[j] - start[i]) * bend, size / total
        colour = style.LAYER_COLOURS[names.LAYERS[i]]
        ax.fill_between(0.03 + 0.94 * along, upper, upper + width, color=colour, alpha=0.45, lw=0)
        start[i] += width
        end[j] += width
    _ends(ax, 0.0, sides[0], flow.sum(axis=1), total, "right")
    _ends(ax, 1.0, sides[1], flow.sum(axis=0), total, "left")
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
