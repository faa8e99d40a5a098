"""Figures of paired recordings and of where a cell's synapses sit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import style
from nmc.circuit.pairs import SHEET, PairedRecording

_SIGNS = (style.VERMILION, style.ORANGE, style.BLUE, style.GREEN)
_LABELS = {
    "amplitude_mV": "amplitude", "cv": "CV", "failures_percent": "failures",
    "rise_time_ms": "rise", "latency_ms": "latency", "decay_ms": "decay",
}  # fmt: skip


def plot_pair(
    recording: PairedRecording, pre_cell: int | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw every trial of one presynaptic cell, and their mean.

    Parameters
    ----------
    recording : PairedRecording
        From `nmc.simulate_pair`.
    pre_cell : int, optional
        Which presynaptic cell; the first unless given.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, height=3.6)
    chosen = next(iter(recording.v_mV)) if pre_cell is None else pre_cell
    traces = recording.v_mV[chosen]
    traces = traces - traces[:, recording.t_ms < 0].mean(axis=1, keepdims=True)
    ax.plot(recording.t_ms, traces.T, color=style.GREY, lw=0.5, alpha=0.5)
    ax.plot(recording.t_ms, traces.mean(axis=0), color=style.BLUE, lw=2, label="mean")
    contacts = int(recording.cells.loc[chosen, "contacts"])
    ax.set(
        xlabel="time after the presynaptic spike (ms)",
        ylabel="deflection of the soma (mV)",
        title=f"{recording.pre_mtype} → {recording.model}: {contacts} contacts",
    )
    ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax


def plot_pair_summary(
    recordings: PairedRecording | Iterable[PairedRecording], *, ax: Axes | None = None
) -> Axes:
    """Draw the six quantities over their sheet values; grey is the sheet's own deviation.

    Parameters
    ----------
    recordings : PairedRecording, or several
        From `nmc.simulate_pair`.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, height=3.8)
    several = [recordings] if isinstance(recordings, PairedRecording) else list(recordings)
    colours = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.PURPLE)
    width = 0.8 / len(several)
    for k, recording in enumerate(several):
        table = recording.compare()
        x = np.arange(len(table)) + (k - (len(several) - 1) / 2) * width
        scale = table["sheet"]
        ax.bar(x, 2 * table["sheet_sd"] / scale, width * 0.9, bottom=1 - table["sheet_sd"] / scale,
               color=style.GREY, alpha=0.25, lw=0)  # fmt: skip
        ax.errorbar(x, table["simulated"] / scale, table["simulated_sd"] / scale, fmt="o", ms=5,
                    color=colours[k % 5], label=f"{recording.pre_mtype} → {recording.model}",
        )  # fmt: skip
    ax.axhline(1, color=style.INK, lw=0.8)
    ax.set_xticks(range(len(SHEET)), [_LABELS[c] for c in SHEET])
    ax.set(ylabel="simulated ÷ sheet", ylim=(0, None))
    ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax


def plot_synaptome(
    places: pd.DataFrame, *, mtypes: Iterable[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a cell from the side with its synapses, one colour a presynaptic m-type.

    Parameters
    ----------
    places : DataFrame
        From `nmc.locate_synapses`.
    mtypes : iterable of str, optional
        Which presynaptic m-types; unless given, synapses are only told apart by sign.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.cells.package import read_package
    from nmc.cells.plots import plot_morphology
    from nmc.data import provenance

    ax = plot_morphology(read_package(Path(places.attrs["folder"])), axon=False, ax=ax)
    for line in ax.collections:
        line.set_color(style.GREY)
    if mtypes is None:
        groups = {"excitatory": places[places["excitatory"]],
                  "inhibitory": places[~places["excitatory"]]}  # fmt: skip
        colours = [style.EXCITATORY, style.INHIBITORY]
    else:
        groups = {m: places[places["pre_mtype"] == m] for m in mtypes}
        colours = [style.BLUE, style.ORANGE, style.GREEN, style.VERMILION, style.PURPLE, style.SKY]
    for (label, rows), colour in zip(groups.items(), colours * 9, strict=False):
        ax.scatter(rows["x_um"], rows["y_um"], s=5, color=colour, lw=0, alpha=0.7, zorder=4,
                   label=f"{label} ({len(rows):,})")  # fmt: skip
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9, markerscale=2)
    provenance.stamp(ax)
    return ax


def plot_pathway_scores(
    scores: pd.DataFrame, quantity: str = "amplitude_mV", *, ax: Axes | None = None
) -> Axes:
    """Draw the sheets' value against the simulated one, a point a pathway.

    Parameters
    ----------
    scores : DataFrame
        From `nmc.load_pathway_scores`.
    quantity : str
        One of `nmc.circuit.pairs.SHEET`.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, width=6.2, height=4.8)
    rows = scores[scores[quantity].gt(0) & scores[f"sheet_{quantity}"].gt(0)]
    colours = dict(zip(("EE", "EI", "IE", "II"), _SIGNS, strict=True))
    for signs, colour in colours.items():
        own = rows[[k[0] + k[-1] == signs for k in rows["kind"]]]
        for within, face in ((True, colour), (False, "white")):
            part = own[own[f"within_{quantity}"] == within]
            label = f"{signs[0]} → {signs[1]}" if within else None
            ax.errorbar(
                part[f"sheet_{quantity}"], part[quantity],
                xerr=np.minimum(part[f"sheet_sd_{quantity}"], 0.95 * part[f"sheet_{quantity}"]),
                yerr=np.minimum(part[f"{quantity}_sd"], 0.95 * part[quantity]),
                fmt="o", ms=6, mfc=face, color=colour, elinewidth=0.7, label=label,
            )  # fmt: skip
    ax.set(xscale="log", yscale="log")
    both = [rows[quantity].min(), rows[f"sheet_{quantity}"].min(),
            rows[quantity].max(), rows[f"sheet_{quantity}"].max()]  # fmt: skip
    ends = 0.6 * min(both), 1.7 * max(both)
    ax.plot(ends, ends, color=style.GREY, lw=0.8, zorder=0)
    unit = SHEET[quantity][1].replace("percent", "%")
    ax.set(xlim=ends, ylim=ends, xlabel=f"{_LABELS[quantity]} on the sheet ({unit})",
           ylabel=f"simulated {_LABELS[quantity]} ({unit})")  # fmt: skip
    ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax
