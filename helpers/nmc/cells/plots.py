"""Figures of cells: traces, e-types in their grid, rate against current, channels, densities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm

from nmc import names, style, units
from nmc.cells.morphology import cut_dendrite
from nmc.cells.package import AnyModel, as_package
from nmc.cells.package_files import evaluate
from nmc.cells.segments import density_parameters
from nmc.data.figures import figure, framed
from nmc.errors import FigureError, UnknownNameError

NEURITE_COLOURS = {
    "soma": style.INK,
    "basal dendrite": style.VERMILION,
    "apical dendrite": style.PURPLE,
    "axon": style.SKY,
}
#: What NEURON's names of sections are called here.
PARTS = {"soma": "soma", "dend": "basal dendrite", "apic": "apical dendrite", "axon": "axon"}


@framed(height=3.2)
def plot_trace(trace: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the soma's voltage in one trace, and behind it when the stimulus was on.

    Parameters
    ----------
    trace : pandas.DataFrame
        From a ``simulate_*`` call.
    """
    _draw_trace(ax, trace)
    told = [trace.attrs.get("model", "")]
    if "amplitude_nA" in trace.attrs:
        told.append(f"step of {trace.attrs['amplitude_nA']:.3g} nA")
    title = ", ".join(filter(None, told))
    ax.set(xlabel="time (ms)", ylabel=units.label("v_mV"), title=title)
    return ax


def _draw_trace(ax: Axes, trace: pd.DataFrame) -> None:
    ax.plot(trace["t_ms"], trace["v_mV"], lw=0.8, color=style.BLUE)
    if "stim_start_ms" in trace.attrs:
        start, end = trace.attrs["stim_start_ms"], trace.attrs["stim_end_ms"]
        ax.axvspan(start, end, color=style.GREY, alpha=0.10, lw=0)
    ax.margins(x=0.01)


@figure
def plot_traces(traces: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Draw the soma's voltages in several traces below one another, on shared axes.

    Parameters
    ----------
    traces : mapping of str to pandas.DataFrame
        Label → trace.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (n,)
    """
    size = (7, 0.6 + 0.95 * len(traces))
    fig, axes = plt.subplots(len(traces), squeeze=False, sharex=True, sharey=True, figsize=size)
    axes = axes[:, 0]
    for ax, (label, trace) in zip(axes, traces.items(), strict=True):
        _draw_trace(ax, trace)
        ax.set_title(label, fontsize=11, fontweight="normal")
    axes[-1].set_xlabel("time (ms)")
    fig.supylabel(units.label("v_mV"), fontsize=12)
    return axes


@figure
def plot_etypes(traces: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Draw one trace an e-type in the grid of the Petilla terminology.

    Parameters
    ----------
    traces : mapping of str to pandas.DataFrame
        Model name → trace of a step; of two models of one e-type the last is drawn.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (5, 3)
        Rows `nmc.names.PATTERNS`, columns `nmc.names.ONSETS` (Petilla Interneuron Nomenclature
        Group 2008, Nature Reviews Neuroscience 9:557-568).

    Raises
    ------
    UnknownNameError
        A name is no model.
    """
    shape = len(names.PATTERNS), len(names.ONSETS)
    axes = plt.subplots(*shape, figsize=(7, 6.4), sharex=True, sharey=True)[1]
    grid = {f"{onset}{pattern}": axes[i, k] for k, onset in enumerate(names.ONSETS)
            for i, pattern in enumerate(names.PATTERNS)}  # fmt: skip
    drawn = {names.parse_model(model).etype: trace for model, trace in traces.items()}
    UnknownNameError.check("e-type of the grid", drawn, grid)
    for etype, trace in drawn.items():
        grid[etype].plot(trace["t_ms"], trace["v_mV"], lw=0.6, color=style.BLUE)
        grid[etype].set_title(etype, fontsize=style.SMALL, fontweight="normal", loc="center")
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, word in zip(axes[0], names.ONSETS.values(), strict=True):
        ax.annotate(word, (0.5, 1), (0, 20), "axes fraction", "offset points", ha="center",
                    fontweight="bold")  # fmt: skip
    for ax, word in zip(axes[:, 0], names.PATTERNS.values(), strict=True):
        ax.text(-0.04, 0.5, word.replace("-", "-\n"), transform=ax.transAxes, rotation=90,
                ha="right", va="center", fontweight="bold", fontsize=style.SMALL)  # fmt: skip
    _scale_bars(axes[-1, -1])
    return axes


def _scale_bars(ax: Axes) -> None:
    """Half a second and 50 mV, in the grid's last corner."""
    x, y = ax.get_xlim()[1] - 1000, -60
    ax.plot([x, x, x + 500], [y + 50, y, y], color=style.INK, lw=1.2, clip_on=False)
    ax.text(x + 250, y - 6, "0.5 s", ha="center", va="top", fontsize=style.SMALL)
    ax.text(x - 60, y + 25, "50 mV", ha="right", va="center", fontsize=style.SMALL)


@framed(height=3.4)
def plot_fi(curves: Mapping[str, pd.DataFrame], *, ax: Axes | None = None) -> Axes:
    """Draw firing rate against current.

    Parameters
    ----------
    curves : mapping of str to pandas.DataFrame
        Label → table of `nmc.simulate_fi`; a line each.
    """
    if not len(curves):
        raise FigureError("There is no curve to draw: give nmc.simulate_fi's table of one model.")
    for label, table in curves.items():
        ax.plot(table["amplitude_nA"], table["rate_Hz"], "o-", ms=4, label=label)
    ax.set(xlabel="step above the holding current (nA)", ylabel="firing rate (Hz)")
    ax.legend(frameon=False)
    return ax


_GATE_COLOURS = (style.BLUE, style.VERMILION, style.GREEN)


@figure
def plot_channel_kinetics(
    *tables: pd.DataFrame, channels: Iterable[str] | None = None
) -> np.ndarray:
    """Draw steady state and time constant of channels, several sources on the same axes.

    Parameters
    ----------
    *tables : pandas.DataFrame
        From `nmc.compute_channel_kinetics`. The first is drawn as a broad line, others as
        dashes on top of it, so that one sees both where they agree.
    channels : iterable of str, optional
        Which, in this order; all that the first table holds unless given.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (rows, 4), of one channel (1, 2)
        Steady states on the even columns, time constants on the odd ones.
    """
    known = list(dict.fromkeys(tables[0]["channel"]))
    wanted = known if channels is None else list(channels)
    UnknownNameError.check("channel in the table:", wanted, known)
    columns = min(2, len(wanted))
    rows = -(-len(wanted) // columns)
    size = (4.4 * columns + 0.4, 1.5 * rows + 0.7)
    fig, axes = plt.subplots(rows, 2 * columns, squeeze=False, figsize=size)
    for ax in axes.flat[2 * len(wanted) :]:
        ax.set_axis_off()
    for pair, name in zip(axes.reshape(-1, 2), wanted, strict=False):
        _draw_channel(pair, name, tables)
    if len(tables) > 1:
        lines = [plt.Line2D([], [], color=style.INK if k else style.BLUE, **_look(k, 2))
                 for k in range(len(tables))]  # fmt: skip
        sources = [table["source"].iloc[0] for table in tables]
        fig.legend(lines, sources, loc="outside upper right", ncols=len(sources))
    return axes


def _look(number: int, tables: int) -> dict[str, Any]:
    """The first table is a line, a broad one under others, which are dashes."""
    if number:
        return {"lw": 1.2, "ls": (0, (4, 3))}
    return {"lw": 3.2, "alpha": 0.45} if tables > 1 else {"lw": 1.6}


def _draw_channel(pair, name: str, tables) -> None:
    steady, tau = pair
    gates = tables[0].loc[tables[0]["channel"] == name, "gate"].nunique()
    for number, table in enumerate(tables):
        here, look = table[table["channel"] == name], _look(number, len(tables))
        calcium = here["calcium_mM"].nunique() > 1
        for k, (gate, points) in enumerate(here.groupby("gate", sort=False)):
            colour = _GATE_COLOURS[_order(gate, k)] if not number else style.INK
            x = points["calcium_mM"] * 1e3 if calcium else points["v_mV"]
            power = points["power"].iloc[0]
            label = gate if not power > 1 else f"{gate}$^{power:.0f}$"
            steady.plot(x, points["steady_state"], color=colour, label=label, **look)
            tau.plot(x, points["tau_ms"], color=colour, **look)
    for ax in pair:
        ax.set_xscale("log" if calcium else "linear")
        ax.set_xlabel("calcium (µM)" if calcium else "voltage (mV)", fontsize=style.SMALL)
        ax.tick_params(labelsize=style.SMALL)
    tau.set_yscale("log")
    _widen(tau)
    steady.set_ylim(-0.05, 1.05)
    steady.set_title(name, fontsize=11, loc="left")
    tau.set_title("time constant (ms)", fontsize=style.SMALL, loc="left", fontweight="normal")
    handles, labels = steady.get_legend_handles_labels()
    above = {"loc": "lower right", "bbox_to_anchor": (1.02, 0.97), "borderpad": 0}
    small = {"fontsize": style.SMALL, "frameon": False, "handlelength": 1.0, "columnspacing": 0.9}
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
    parts = [p for p in PARTS if p in mean.columns]
    mean = mean[parts].loc[mean[parts].max(axis=1).sort_values(ascending=False).index]
    mean = mean.where(mean > 0).rename(columns=lambda part: PARTS[part].replace(" ", "\n"))
    sns.heatmap(mean, cmap=style.SEQUENTIAL, norm=LogNorm(), annot=mean.map(style.plain, digits=2),
                fmt="", annot_kws={"size": style.SMALL}, ax=ax,
                cbar_kws={"label": "mean density (S/cm²)", "fraction": 0.06})  # fmt: skip
    ax.tick_params(axis="both", length=0, labelrotation=0)
    title = f"{densities.attrs.get('model', '')}: where the channels are"
    ax.set(xlabel="", ylabel="", title=title)
    return ax


@framed(width=5.0, height=4.8)
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
    ends, pieces = cut_dendrite(package)
    tree = package.reconstruction
    distance = np.linalg.norm(tree.soma - tree.centre, axis=1).mean() + pieces["distance_um"]
    density = np.zeros(len(pieces))
    for array, part in kinds.items():
        own = pieces["section"].str.startswith(array).to_numpy()
        if part in rows.index:
            density[own] = evaluate(rows["formula"][part], distance[own]) * rows["scale"][part]
    drawn = LineCollection([*ends[:, :, :2]], array=density, cmap=style.SEQUENTIAL,
                           linewidths=pieces["diameter_um"].clip(0.6, 3.0))  # fmt: skip
    ax.add_collection(drawn)
    ax.plot(0, 0, "o", color=style.INK, ms=6)
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.figure.colorbar(drawn, ax=ax, label=f"{channel} (S/cm²)", fraction=0.05)
    ax.set(xlabel="x (µm)", ylabel="height above the soma (µm)", title=package.name)
    return ax
