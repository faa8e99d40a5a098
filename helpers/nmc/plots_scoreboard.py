"""The recorded runs of every model, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from nmc import names, style
from nmc.data import provenance
from nmc.scoreboard import TOLERANCES, WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scoreboard(rows: pd.DataFrame) -> np.ndarray:
    """Draw each model's distance from its fact sheet, in tolerances, by e-type.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `nmc.load_scoreboard` or `nmc.scoreboard.judge`.

    Returns
    -------
    numpy.ndarray of matplotlib Axes
        One panel a quantity, shape (3,). The scale is linear within one tolerance and
        logarithmic beyond.
    """
    etypes = [names.parse_model(model).etype for model in rows["model"]]
    place = np.array([names.ETYPES.index(etype) for etype in etypes])
    jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(rows))
    random = rows["stochastic"].to_numpy(bool)
    import matplotlib.pyplot as plt

    with style.context():
        figure, axes = plt.subplots(len(TOLERANCES), figsize=(8, 6.5), sharex=True)
        for ax, (column, (kind, tolerance)) in zip(axes, TOLERANCES.items(), strict=True):
            published = rows[f"published_{column}"]
            scale = tolerance if kind == "absolute" else tolerance * published.abs()
            distance = ((rows[column] - published) / scale).to_numpy(float)
            ax.axhspan(-1, 1, color=style.GREY, alpha=0.15, lw=0)
            for which, colour, label in (
                (~random, style.BLUE, "deterministic"),
                (random, style.ORANGE, "with random channels"),
            ):
                x, y = (place + jitter)[which], distance[which]
                ax.plot(x, y, "o", ms=4, alpha=0.8, color=colour, mew=0, label=label)
            ax.set_yscale("symlog", linthresh=1)
            ax.yaxis.set_major_formatter("{x:g}")
            words, allowed = WORDS[column]
            ax.set(ylabel="distance\n(tolerances)", title=f"{words}, {allowed}")
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper right", ncols=2)
        axes[-1].set_xticks(range(len(names.ETYPES)), names.ETYPES)
        axes[-1].set_xlabel("e-type")
    provenance.stamp(figure)
    return axes


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
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(place, [f"{r.model}, step {r.step}" for r in rows.itertuples()])
    ax.tick_params(axis="y", labelsize=8)
    ax.set_xlabel("largest spike-time error (ms)")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=3,
                     frameon=False)  # fmt: skip
    provenance.stamp(ax)
    return ax
