"""Figures of channels: kinetics on one axis, densities by part of the cell and on the tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm

from nmc import style
from nmc.cells.densities import density_parameters
from nmc.cells.morphology import section_paths
from nmc.cells.package import AnyModel, as_package
from nmc.cells.package_files import evaluate
from nmc.data.figures import framed
from nmc.data.provenance import stamp
from nmc.errors import UnknownNameError

_GATE_COLOURS = (style.BLUE, style.VERMILION, style.GREEN)
_PARTS = {"soma": "soma", "dend": "basal", "apic": "apical", "axon": "axon"}


def plot_channel_kinetics(
    *tables: pd.DataFrame, channels: Iterable[str] | None = None, columns: int = 2
) -> np.ndarray:
    """Draw steady state and time constant of channels, several sources on the same axes.

    Parameters
    ----------
    *tables : pandas.DataFrame
        From `nmc.compute_channel_kinetics`. The first is drawn as a broad line, others as
        dashes on top of it, so that one sees both where they agree.
    channels : iterable of str, optional
        Which, in this order; all that the first table holds unless given.
    columns : int
        Channels beside each other; each takes two axes.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (rows, 2 × columns)
        Steady states on the even columns, time constants on the odd ones.
    """
    known = list(dict.fromkeys(tables[0]["channel"]))
    wanted = known if channels is None else list(channels)
    for name in wanted:
        if name not in known:
            raise UnknownNameError.of("channel in the table:", name, known)
    columns = min(columns, len(wanted))
    rows = -(-len(wanted) // columns)
    with style.context():
        size = (4.4 * columns + 0.4, 1.75 * rows + 0.7)
        fig, axes = plt.subplots(rows, 2 * columns, squeeze=False, figsize=size)
    for ax in axes.flat[2 * len(wanted) :]:
        ax.set_axis_off()
    for n, name in enumerate(wanted):
        pair = axes[n // columns, 2 * (n % columns) : 2 * (n % columns) + 2]
        _draw_channel(pair, name, tables)
    _legend(fig, tables)
    stamp(fig)
    return axes


def _draw_channel(pair, name: str, tables) -> None:
    steady, tau = pair
    for number, table in enumerate(tables):
        here = table[table["channel"] == name]
        calcium = here["calcium_mM"].nunique() > 1
        look: dict[str, Any] = (
            {"lw": 3.2, "alpha": 0.45} if number == 0 and len(tables) > 1 else {"lw": 1.6}
        )
        if number:
            look = {"lw": 1.2, "ls": (0, (4, 3))}
        for k, (gate, points) in enumerate(here.groupby("gate", sort=False)):
            colour = _GATE_COLOURS[_order(gate, k)] if not number else style.INK
            x = points["calcium_mM"] * 1e3 if calcium else points["v_mV"]
            power = points["power"].iloc[0]
            label = gate if not power > 1 else f"{gate}$^{power:.0f}$"
            steady.plot(x, points["steady_state"], color=colour, label=label, **look)
            tau.plot(x, points["tau_ms"], color=colour, **look)
        if calcium:
            steady.set_xscale("log")
            tau.set_xscale("log")
    unit = "calcium (µM)" if calcium else "voltage (mV)"
    tau.set_yscale("log")
    _widen(tau)
    steady.set_ylim(-0.05, 1.05)
    steady.set_title(name, fontsize=10, loc="left")
    tau.set_title("time constant (ms)", fontsize=8, loc="left", fontweight="normal")
    for ax in pair:
        ax.set_xlabel(unit, fontsize=8)
        ax.tick_params(labelsize=8)
    handles, labels = steady.get_legend_handles_labels()
    gates = tables[0].loc[tables[0]["channel"] == name, "gate"].nunique()
    above = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.97), "borderpad": 0}
    small = {"fontsize": 8, "frameon": False, "handlelength": 1.0, "columnspacing": 0.9}
    steady.legend(handles[:gates], labels[:gates], ncols=gates, **above, **small)


def _order(gate: str, place: int) -> int:
    """Activation always has one colour, inactivation another, whatever order they come in."""
    return {"m": 0, "n": 0, "h": 1, "z": 2}.get(gate, place % 3)


def _widen(ax: Axes) -> None:
    """Show two decades at least, labelled at their powers: a constant needs no close-up."""
    low, high = ax.get_ylim()
    if high / low < 100:
        middle = np.sqrt(low * high)
        ax.set_ylim(middle / 10, middle * 10)


def _legend(fig, tables) -> None:
    if len(tables) < 2:
        return
    sources = [table["source"].iloc[0] for table in tables]
    lines = [plt.Line2D([], [], color=style.BLUE, lw=3.2, alpha=0.45)]
    lines += [plt.Line2D([], [], color=style.INK, lw=1.2, ls=(0, (4, 3))) for _ in sources[1:]]
    fig.legend(lines, sources, loc="outside upper right", ncols=len(sources), fontsize=9)


@framed(width=6.2, height=lambda densities: 0.34 * densities["channel"].nunique() + 1.2)
def plot_densities(densities: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how much of each channel stands in each part of the cell, as a table in colours.

    Parameters
    ----------
    densities : pandas.DataFrame
        From `nmc.compute_channel_densities`.
    """
    mean = densities.pivot_table(
        index="channel", columns="part", values="density_S_per_cm2", aggfunc="mean"
    )
    parts = [p for p in _PARTS if p in mean.columns]
    mean = mean[parts].loc[mean[parts].max(axis=1).sort_values(ascending=False).index]
    positive = mean.where(mean > 0)
    image = ax.imshow(positive, aspect="auto", cmap=style.SEQUENTIAL, norm=LogNorm())
    ax.set_xticks(range(len(parts)), [_PARTS[p] for p in parts])
    ax.set_yticks(range(len(mean)), mean.index)
    middle = np.sqrt(np.nanmin(positive.to_numpy()) * np.nanmax(positive.to_numpy()))
    for (i, j), value in np.ndenumerate(positive.to_numpy()):
        if np.isfinite(value):
            colour = "black" if value < middle * 3 else "white"
            ax.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=8, color=colour)
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="mean density (S/cm²)", fraction=0.06)
    ax.set_title(f"{densities.attrs.get('model', '')}: where the channels are")
    return ax


@framed(width=5.0, height=6.0)
def plot_density_tree(model: AnyModel, channel: str, *, ax: Axes | None = None) -> Axes:
    """Draw the dendrites, coloured by the density of one channel.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.
    channel : str
        E.g. ``Ih``.

    Raises
    ------
    UnknownNameError
        No dendrite of the model has this channel.
    """
    package = as_package(model)
    table = density_parameters(package)
    rows = table[table["channel"] == channel].set_index("section_list")
    kinds = {"dend": "basal", "apic": "apical"}
    if not set(rows.index) & set(kinds.values()):
        dendritic = table[table["section_list"].isin(kinds.values())]["channel"]
        raise UnknownNameError.of(
            f"channel in the dendrites of {package.name}:", channel, dendritic
        )
    lines, values, widths = [], [], []
    tree = package.reconstruction
    radius = float(np.linalg.norm(tree.soma - tree.centre, axis=1).mean())
    for section, path in section_paths(package).items():
        part = kinds.get(section.partition("[")[0])
        if part is None:
            continue
        middle = radius + path.start_um + (path.along_um[1:] + path.along_um[:-1]) / 2
        row = rows.loc[part] if part in rows.index else None
        density = np.zeros(len(middle)) if row is None else evaluate(row["formula"], middle)
        lines += [path.points[i : i + 2, :2] for i in range(len(middle))]
        values += list(density * (1.0 if row is None else row["scale"]))
        widths += list(np.clip(path.diameters_um[1:], 0.6, 3.0))
    drawn = LineCollection(lines, array=np.array(values), cmap=style.SEQUENTIAL, linewidths=widths)
    ax.add_collection(drawn)
    ax.plot(0, 0, "o", color=style.INK, ms=6)
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.figure.colorbar(drawn, ax=ax, label=f"{channel} (S/cm²)", fraction=0.05)
    ax.set(xlabel="x (µm)", ylabel="height above the soma (µm)", title=package.name)
    return ax
