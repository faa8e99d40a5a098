"""Figures of cells: traces, e-types in their grid, rate against current."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import names, style, units
from nmc.data.figures import framed
from nmc.data.provenance import stamp
from nmc.errors import UnknownNameError

NEURITE_COLOURS = {
    "soma": style.INK,
    "basal dendrite": style.VERMILION,
    "apical dendrite": style.PURPLE,
    "axon": style.SKY,
}


@framed(height=3.2)
def plot_trace(
    trace: pd.DataFrame, *, column: str = "v_mV", label: str | None = None, ax: Axes | None = None
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
    """
    ax.plot(trace["t_ms"], trace[column], label=label, lw=0.8)
    _mark_stimulus(ax, trace.attrs)
    ax.set(xlabel="time (ms)", ylabel=units.label(column), title=_title(trace.attrs))
    ax.margins(x=0.01)
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
    with style.context():
        size = (7, 0.6 + 1.25 * len(traces))
        fig, axes = plt.subplots(len(traces), squeeze=False, sharex=True, sharey=True, figsize=size)
    axes = axes[:, 0]
    for ax, (label, trace) in zip(axes, traces.items(), strict=True):
        ax.plot(trace["t_ms"], trace[column], lw=0.8, color=style.BLUE)
        ax.set_title(label, fontsize=10, fontweight="normal")
        _mark_stimulus(ax, trace.attrs)
        ax.margins(x=0.01)
    axes[-1].set_xlabel("time (ms)")
    fig.supylabel(units.label(column), fontsize=11)
    stamp(fig)
    return axes


def _mark_stimulus(ax: Axes, attrs: Mapping) -> None:
    if "stim_start_ms" in attrs:
        ax.axvspan(attrs["stim_start_ms"], attrs["stim_end_ms"], color=style.GREY, alpha=0.10, lw=0)


def _title(attrs: Mapping) -> str:
    parts = [attrs.get("model", "")]
    if "amplitude_nA" in attrs:
        parts.append(f"step of {attrs['amplitude_nA']:.3g} nA")
    return ", ".join(filter(None, parts))


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
    with style.context():
        fig, axes = plt.subplots(
            len(names.PATTERNS),
            len(names.ONSETS),
            figsize=(7, 7),
            sharex=True,
            sharey=True,
            squeeze=False,
        )
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
        ax.set_title(etype, fontsize=9, loc="center")
        ax.set_axis_off()
    _label_grid(axes)
    _scale_bars(axes[-1, -1])
    stamp(fig)
    return axes


def _label_grid(axes: np.ndarray) -> None:
    for ax, word in zip(axes[0], names.ONSETS.values(), strict=True):
        ax.text(0.5, 1.3, word, transform=ax.transAxes, ha="center", fontweight="bold", fontsize=10)
    for ax, word in zip(axes[:, 0], names.PATTERNS.values(), strict=True):
        ax.text(-0.04, 0.5, word, transform=ax.transAxes, rotation=90, ha="right", va="center",
                fontweight="bold", fontsize=8)  # fmt: skip


def _scale_bars(ax: Axes) -> None:
    """Half a second and 50 mV, in the grid's last corner."""
    x, y = ax.get_xlim()[1] - 1000, -60
    ax.plot([x, x, x + 500], [y + 50, y, y], color=style.INK, lw=1.2, clip_on=False)
    ax.text(x + 250, y - 6, "0.5 s", ha="center", va="top", fontsize=8)
    ax.text(x - 60, y + 25, "50 mV", ha="right", va="center", fontsize=8)


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
