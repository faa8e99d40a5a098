"""Figures of cells: traces, e-types in their grid, rate against current, channels, densities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm

from nmc import names, style, units
from nmc.cells.morphology import section_paths
from nmc.cells.package import AnyModel, as_package
from nmc.cells.package_files import evaluate
from nmc.cells.segments import density_parameters
from nmc.data.figures import figure, framed
from nmc.errors import UnknownNameError

NEURITE_COLOURS = {
    "soma": style.INK,
    "basal dendrite": style.VERMILION,
    "apical dendrite": style.PURPLE,
    "axon": style.SKY,
}
#: What NEURON's names of sections are called here.
PARTS = {"soma": "soma", "dend": "basal dendrite", "apic": "apical dendrite", "axon": "axon"}


@framed(height=3.2)
def plot_trace(trace: pd.DataFrame, *, column: str = "v_mV", ax: Axes | None = None) -> Axes:
    """Draw one trace, and below it when the stimulus was on.

    Parameters
    ----------
    trace : pandas.DataFrame
        From a ``simulate_*`` call.
    column : str
        Which recording.
    """
    ax.plot(trace["t_ms"], trace[column], lw=0.8)
    _mark_stimulus(ax, trace.attrs)
    ax.set(xlabel="time (ms)", ylabel=units.label(column), title=_title(trace.attrs))
    ax.margins(x=0.01)
    return ax


@figure
def plot_traces(traces: Mapping[str, pd.DataFrame], *, column: str = "v_mV") -> np.ndarray:
    """Draw traces below one another on shared axes.

    Parameters
    ----------
    traces : mapping of str to pandas.DataFrame
        Label → trace.
    column : str
        Which recording.

    Returns
    -------
    numpy.ndarray of matplotlib Axes, shape (n,)
    """
    size = (7, 0.6 + 0.95 * len(traces))
    fig, axes = plt.subplots(len(traces), squeeze=False, sharex=True, sharey=True, figsize=size)
    axes = axes[:, 0]
    for ax, (label, trace) in zip(axes, traces.items(), strict=True):
        ax.plot(trace["t_ms"], trace[column], lw=0.8, color=style.BLUE)
        ax.set_title(label, fontsize=11, fontweight="normal")
        _mark_stimulus(ax, trace.attrs)
        ax.margins(x=0.01)
    axes[-1].set_xlabel("time (ms)")
    fig.supylabel(units.label(column), fontsize=12)
    return axes


def _mark_stimulus(ax: Axes, attrs: Mapping) -> None:
    if "stim_start_ms" in attrs:
        ax.axvspan(attrs["stim_start_ms"], attrs["stim_end_ms"], color=style.GREY, alpha=0.10, lw=0)


def _title(attrs: Mapping) -> str:
    parts = [attrs.get("model", "")]
    if "amplitude_nA" in attrs:
        parts.append(f"step of {attrs['amplitude_nA']:.3g} nA")
    return ", ".join(filter(None, parts))


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
    for ax in axes.flat:
        ax.set_axis_off()
    rows, columns = list(names.PATTERNS), list(names.ONSETS)
    for model, trace in traces.items():
        etype = names.parse_model(model).etype
        if etype[:1] not in names.ONSETS or etype[1:] not in names.PATTERNS:
            raise UnknownNameError.of("e-type of the grid", etype, names.ETYPES)
        ax = axes[rows.index(etype[1:]), columns.index(etype[0])]
        ax.clear()
        ax.plot(trace["t_ms"], trace["v_mV"], lw=0.6, color=style.BLUE)
        ax.set_title(etype, fontsize=style.SMALL, fontweight="normal", loc="center")
        ax.set_axis_off()
    _label_grid(axes)
    _scale_bars(axes[-1, -1])
    return axes


def _label_grid(axes: np.ndarray) -> None:
    for ax, word in zip(axes[0], names.ONSETS.values(), strict=True):
        ax.annotate(word, (0.5, 1), (0, 20), "axes fraction", "offset points", ha="center",
                    fontweight="bold")  # fmt: skip
    for ax, word in zip(axes[:, 0], names.PATTERNS.values(), strict=True):
        ax.text(-0.04, 0.5, word.replace("-", "-\n"), transform=ax.transAxes, rotation=90,
                ha="right", va="center", fontweight="bold", fontsize=style.SMALL)  # fmt: skip


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
    for name in wanted:
        if name not in known:
            raise UnknownNameError.of("channel in the table:", name, known)
    columns = min(2, len(wanted))
    rows = -(-len(wanted) // columns)
    size = (4.4 * columns + 0.4, 1.5 * rows + 0.7)
    fig, axes = plt.subplots(rows, 2 * columns, squeeze=False, figsize=size)
    for ax in axes.flat[2 * len(wanted) :]:
        ax.set_axis_off()
    for n, name in enumerate(wanted):
        pair = axes[n // columns, 2 * (n % columns) : 2 * (n % columns) + 2]
        _draw_channel(pair, name, tables)
    _legend(fig, tables)
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
    steady.set_title(name, fontsize=11, loc="left")
    tau.set_title("time constant (ms)", fontsize=style.SMALL, loc="left", fontweight="normal")
    for ax in pair:
        ax.set_xlabel(unit, fontsize=style.SMALL)
        ax.tick_params(labelsize=style.SMALL)
    handles, labels = steady.get_legend_handles_labels()
    gates = tables[0].loc[tables[0]["channel"] == name, "gate"].nunique()
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


def _legend(fig, tables) -> None:
    if len(tables) < 2:
        return
    sources = [table["source"].iloc[0] for table in tables]
    lines = [plt.Line2D([], [], color=style.BLUE, lw=3.2, alpha=0.45)]
    lines += [plt.Line2D([], [], color=style.INK, lw=1.2, ls=(0, (4, 3))) for _ in sources[1:]]
    fig.legend(lines, sources, loc="outside upper right", ncols=len(sources))


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
    positive = mean.where(mean > 0)
    image = ax.imshow(positive, aspect="auto", cmap=style.SEQUENTIAL, norm=LogNorm())
    ax.set_xticks(range(len(parts)), [PARTS[p].replace(" ", "\n") for p in parts])
    ax.set_yticks(range(len(mean)), mean.index)
    middle = np.sqrt(np.nanmin(positive.to_numpy()) * np.nanmax(positive.to_numpy()))
    for (i, j), value in np.ndenumerate(positive.to_numpy()):
        if np.isfinite(value):
            colour = "black" if value < middle * 3 else "white"
            ax.text(j, i, style.plain(value, 2), ha="center", va="center", fontsize=style.SMALL,
                    color=colour)  # fmt: skip
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="mean density (S/cm²)", fraction=0.06)
    ax.set_title(f"{densities.attrs.get('model', '')}: where the channels are")
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
