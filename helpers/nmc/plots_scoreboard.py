"""The recorded runs of every model, drawn."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import names, style
from nmc.data.figures import figure
from nmc.recomputed import recorded_items
from nmc.scoreboard import TOLERANCES


@figure
def plot_scoreboard(rows: pd.DataFrame) -> np.ndarray:
    """Draw what the recorded runs gave, a point a model, by e-type.

    A filled point agreed with its fact sheet when the verdicts were recorded
    (`nmc.recomputed`), a cross did not; where a verdict is stale the point is open.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `nmc.load_scoreboard`.

    Returns
    -------
    numpy.ndarray of matplotlib Axes
        One panel a quantity, shape (3,); resistance and time constant on logarithmic scales.
    """
    etypes = [names.parse_model(model).etype for model in rows["model"]]
    place = np.array([names.ETYPES.index(etype) for etype in etypes])
    x = place + np.random.default_rng(0).uniform(-0.25, 0.25, len(rows))
    random = rows["stochastic"].to_numpy(bool)
    fig, axes = plt.subplots(len(TOLERANCES), figsize=(8, 6.5), sharex=True)
    for ax, (column, (name, *_)) in zip(axes, TOLERANCES.items(), strict=True):
        verdicts = recorded_items(f"scoreboard/{column}")["verdict"].reindex(rows["model"])
        for which, colour, label in (
            (~random, style.BLUE, "deterministic"),
            (random, style.ORANGE, "with random channels"),
        ):
            for marker, size, face, chosen in (
                ("o", 4, colour, verdicts.eq("agrees")),
                ("X", 9, colour, verdicts.eq("differs")),
                ("o", 4, "white", ~verdicts.isin(["agrees", "differs"])),
            ):
                part = which & chosen.to_numpy()
                edge = style.INK if marker == "X" else colour
                ax.plot(x[part], rows.loc[part, column], marker, ms=size, mfc=face, mec=edge)
            ax.plot([], [], "o", ms=4, color=colour, label=label)
        unit = column.rpartition("_")[2].replace("MOhm", "MΩ")
        ax.set_ylabel(f"{name}\n({unit})")
        if unit != "mV":
            ax.set_yscale("log")
    handles = axes[0].get_legend_handles_labels()
    fig.legend(*handles, loc="outside upper right", ncols=2)
    axes[-1].set_xticks(range(len(names.ETYPES)), names.ETYPES)
    axes[-1].set_xlabel("e-type")
    return axes


@figure
def plot_spike_errors(rows: pd.DataFrame) -> Axes:
    """Draw the largest spike-time error of both integrations, a line a package.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `nmc.load_spike_errors`.

    Returns
    -------
    matplotlib Axes
        A cross where the package's own step fires another number of spikes than the reference.
    """
    rows = rows.sort_values("error_published_ms", ignore_index=True)
    place = np.arange(len(rows))
    ax = style.new_axes(width=8, height=0.9 + 0.26 * len(rows))
    own, converged = rows["error_published_ms"], rows["error_converged_ms"]
    lost = own.isna()
    edge = 2 * own.max() if own.notna().any() else 100.0
    ax.hlines(place, converged, own.fillna(edge), color=style.GREY, lw=0.8, zorder=0)
    ax.plot(converged, place, "o", ms=5, color=style.BLUE, label="converged")
    ax.plot(own, place, "o", ms=5, color=style.VERMILION, label="the package's own step")
    if lost.any():
        ax.plot(np.full(lost.sum(), edge), place[lost], "X", ms=7, color=style.VERMILION,
                label="own step: another number of spikes")  # fmt: skip
    ax.set_xscale("log")
    ax.set_yticks(place, [f"{r.model}, step {r.step}" for r in rows.itertuples()])
    ax.tick_params(axis="y", labelsize=style.SMALL)
    ax.set_xlabel("largest spike-time error (ms)")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return ax
