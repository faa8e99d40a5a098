"""Figures of cells: traces, families of traces, morphologies."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nmc import style, units
from nmc.cells.morphology import load_morphology
from nmc.cells.package import AnyModel, as_package

NEURITE_COLOURS = {
    "soma": style.INK,
    "basal dendrite": style.VERMILION,
    "apical dendrite": style.PURPLE,
    "axon": style.SKY,
}


def plot_trace(
    trace: pd.DataFrame,
    *,
    column: str = "v_mV",
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one trace, and below it when the stimulus was on.

    Parameters
    ----------
    trace : pandas.DataFrame
        From a ``simulate_*`` call.
    column : str
        Which recording.
    label : str, optional
        For a legend.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
        That of the trace.
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, height=3.2)
    ax.plot(trace["t_ms"], trace[column], label=label, lw=0.8)
    _mark_stimulus(ax, trace.attrs)
    ax.set(xlabel="time (ms)", ylabel=units.label(column), title=_title(trace.attrs))
    ax.margins(x=0.01)
    provenance.stamp(ax)
    return ax


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
    from nmc.data import provenance

    with style.context():
        fig, axes = plt.subplots(
            len(traces),
            squeeze=False,
            sharex=True,
            sharey=True,
            figsize=(7, 0.6 + 1.25 * len(traces)),
        )
    axes = axes[:, 0]
    for ax, (label, trace) in zip(axes, traces.items(), strict=True):
        ax.plot(trace["t_ms"], trace[column], lw=0.8, color=style.BLUE)
        ax.set_title(label, fontsize=10, fontweight="normal")
        _mark_stimulus(ax, trace.attrs)
        ax.margins(x=0.01)
    axes[-1].set_xlabel("time (ms)")
    fig.supylabel(units.label(column), fontsize=11)
    provenance.stamp(fig)
    return axes


def plot_morphology(model: AnyModel, *, axon: bool = True, ax: Axes | None = None) -> Axes:
    """Draw a reconstruction from the side, the pia on top, one colour a kind of neurite.

    Parameters
    ----------
    model : str, path, Model or Package
        As for `nmc.load_package`.
    axon : bool
        Draw the axon too; simulations replace it by a stub of 60 µm.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
        The scale is the same in both directions.

    Raises
    ------
    PackageError
        MorphIO cannot read the file.
    """
    from matplotlib.collections import LineCollection

    from nmc.data import provenance

    package = as_package(model)
    ax = style.new_axes(ax, width=5.0, height=6.0)
    points = load_morphology(package)
    kinds = ["axon", "basal dendrite", "apical dendrite"][0 if axon else 1 :]
    for kind in kinds:
        here = points[points["neurite"] == kind]
        if here.empty:
            continue
        groups = [g for _, g in here.groupby("section", sort=False)]
        lines = [g[["x_um", "y_um"]].to_numpy() for g in groups]
        widths = [np.clip(g["diameter_um"].median(), 0.5, 3.0) for g in groups]
        colour = NEURITE_COLOURS[kind]
        ax.add_collection(
            LineCollection(lines, colors=colour, linewidths=np.array(widths) * 0.8, label=kind)
        )
    soma = points[points["neurite"] == "soma"]
    ax.fill(soma["x_um"], soma["y_um"], color=NEURITE_COLOURS["soma"], label="soma", zorder=3)
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set(xlabel="x (µm)", ylabel="height above the soma (µm)", title=package.name)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    provenance.stamp(ax)
    return ax


def _mark_stimulus(ax: Axes, attrs: Mapping) -> None:
    if "stim_start_ms" in attrs:
        ax.axvspan(attrs["stim_start_ms"], attrs["stim_end_ms"], color=style.GREY, alpha=0.10, lw=0)


def _title(attrs: Mapping) -> str:
    parts = [attrs.get("model", "")]
    if "amplitude_nA" in attrs:
        parts.append(f"step of {attrs['amplitude_nA']:.3g} nA")
    return ", ".join(filter(None, parts))
