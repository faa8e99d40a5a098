"""Figures of morphologies: a gallery, Sholl profiles, and a view that turns."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from nmc import style
from nmc.cells.morphology import load_morphology
from nmc.cells.package import AnyModel, as_package, each_model
from nmc.cells.plots import NEURITE_COLOURS
from nmc.data.figures import figure, framed
from nmc.errors import FigureError
from nmc.viewer3d import view_3d

#: A view holds at most this many segments; longer reconstructions are thinned out.
_MAX_SEGMENTS = 20_000


def view_morphology(model: AnyModel):
    """Show a reconstruction in space; it turns under the mouse, also on a static page.

    A box in the legend hides a kind of neurite.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.

    Returns
    -------
    nmc.viewer3d.View3D
    """
    package = as_package(model)
    points = load_morphology(package)
    neurites = points[points["neurite"] != "soma"]
    every = int(np.ceil(len(neurites) / _MAX_SEGMENTS))
    ends, kinds, widths = [], [], []
    for (_, kind), rows in neurites.groupby(["section", "neurite"], sort=False, observed=True):
        kept = np.unique(np.r_[np.arange(0, len(rows), every), len(rows) - 1])
        xyz = rows[["x_um", "y_um", "z_um"]].to_numpy()[kept]
        diameter = rows["diameter_um"].to_numpy()[kept]
        ends.append(np.stack([xyz[:-1], xyz[1:]], axis=1))
        widths.append((diameter[:-1] + diameter[1:]) / 2)
        kinds += [kind] * (len(kept) - 1)
    return view_3d(
        np.zeros((1, 3)),
        ["soma"],
        lines=np.concatenate(ends),
        line_groups=kinds,
        widths=np.concatenate(widths).tolist(),
        colours=NEURITE_COLOURS,
        point_size=5.0,
        alt=f"The reconstruction of {package.name}: soma, dendrites and axon.",
    )


@framed(width=5.0, height=4.8)
def plot_morphology(model: AnyModel, *, axon: bool = True, ax: Axes | None = None) -> Axes:
    """Draw a reconstruction from the side, the pia on top, one colour a kind of neurite.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.
    axon : bool
        Draw the axon too; simulations replace it by a stub of 60 µm.

    Returns
    -------
    matplotlib Axes
        The scale is the same in both directions.

    Raises
    ------
    PackageError
        The package or its morphology cannot be read.
    """
    package = as_package(model)
    _draw(ax, load_morphology(package), axon)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.set(xlabel="x (µm)", ylabel="height above the soma (µm)", title=package.name)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


@figure
def plot_morphologies(
    models: Iterable[AnyModel], *, axon: bool = True, columns: int = 4
) -> np.ndarray:
    """Draw several reconstructions at one scale, their somata at the same height in a row.

    Parameters
    ----------
    models
        As for `nmc.simulate_step`.
    axon : bool
        Draw the axons too, thin; each panel has room for the dendrites of all, and an axon that
        goes farther is cut off at its edge.
    columns : int
        Cells in a row.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, one a model
    """
    packages = [as_package(model) for model in each_model(models)]
    if not packages or columns < 1:
        raise FigureError("Give one model to draw at least, and one column at least.")
    tables = [load_morphology(package) for package in packages]
    columns = min(columns, len(packages))
    half, heights = _room(tables, columns)
    ratios = [high - low for low, high in heights]
    _, axes = plt.subplots(
        len(heights), columns, squeeze=False, height_ratios=ratios,
        figsize=(7, 7 / columns * sum(ratios) / (2 * half) + 0.3 * len(heights)),
    )  # fmt: skip
    for k, ax in enumerate(axes.flat):
        ax.set_axis_off()
        if k < len(packages):
            _draw(ax, tables[k], axon, thin=True)
            name = packages[k].mtype or packages[k].name
            ax.set_title(name, fontsize=11, fontweight="normal", loc="center")
        ax.set(xlim=(-half, half), ylim=heights[k // columns])
        ax.set_aspect("equal")
    _scale_bar(axes[-1, 0])
    return axes.flat[: len(packages)]


def _room(tables: list[pd.DataFrame], columns: int) -> tuple[float, list[tuple[float, float]]]:
    """Half of the width that every panel needs for its dendrites, and each row's heights, µm."""
    inner = [table[table["neurite"] != "axon"] for table in tables]
    half = max(200.0, *(table["x_um"].abs().max() for table in inner)) + 30
    rows = [pd.concat(inner[k : k + columns])["y_um"] for k in range(0, len(inner), columns)]
    return half, [(min(y.min(), -200.0) - 60, max(y.max(), 200.0) + 60) for y in rows]


def _draw(ax: Axes, points: pd.DataFrame, axon: bool, *, thin: bool = False) -> None:
    """Draw the neurites, as thick as they are or thin, and the soma over them."""
    for kind in ["axon", "basal dendrite", "apical dendrite"][not axon :]:
        groups = [g for _, g in points[points["neurite"] == kind].groupby("section", sort=False)]
        if not groups:
            continue
        lines = [g[["x_um", "y_um"]].to_numpy() for g in groups]
        widths = [0.8 * np.clip(g["diameter_um"].median(), 0.5, 3.0) for g in groups]
        if thin:
            widths = [0.25 if kind == "axon" else 0.7]
        drawn = LineCollection(
            lines, colors=NEURITE_COLOURS[kind], linewidths=widths, label=kind,
            rasterized=thin and kind == "axon",
        )  # fmt: skip
        ax.add_collection(drawn)
    soma = points[points["neurite"] == "soma"]
    ax.fill(soma["x_um"], soma["y_um"], color=NEURITE_COLOURS["soma"], label="soma", zorder=3)
    ax.autoscale_view()
    ax.set_aspect("equal")


def _scale_bar(ax: Axes, length_um: float = 200.0) -> None:
    bar = AnchoredSizeBar(
        ax.transData, length_um, f"{length_um:g} µm", "lower left", frameon=False,
        color=style.INK, fontproperties=FontProperties(size=style.SMALL), borderpad=0,
    )  # fmt: skip
    ax.add_artist(bar)


@framed(height=3.4)
def plot_sholl(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw Sholl profiles, a line a neurite.

    Parameters
    ----------
    table : pandas.DataFrame
        From `nmc.compute_sholl`.
    """
    for kind, rows in table.groupby("neurite", sort=False):
        ax.plot(rows["radius_um"], rows["crossings"], color=NEURITE_COLOURS[kind], label=kind)
    ax.set(
        xlabel="distance from the soma (µm)",
        ylabel="crossings",
        title=f"{table.attrs['model']}, every {table.attrs['step_um']:g} µm",
    )
    ax.set_ylim(bottom=0)
    ax.margins(x=0.01)
    ax.legend()
    return ax


@framed(width=3.5, height=3.0)
def plot_barcode(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a persistence barcode, the longest bar on top, one colour a kind of neurite.

    Parameters
    ----------
    table : pandas.DataFrame
        From `nmc.compute_barcode`.
    """
    rows = np.arange(len(table))
    colours = [NEURITE_COLOURS[kind] for kind in table["neurite"]]
    ax.hlines(-rows, table["start_um"], table["end_um"], colors=colours, linewidth=1.4)
    ax.set(xlabel="path distance (µm)", ylabel=f"{len(table)} branches", yticks=[])
    ax.margins(x=0.02)
    ax.spines["left"].set_visible(False)
    return ax
