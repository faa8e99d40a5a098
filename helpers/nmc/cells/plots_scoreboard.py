"""Figures of the scoreboard: how far recomputed values lie from the sheets, and spike counts."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import names, style
from nmc.cells.verdicts import TOLERANCES, WORDS


def plot_scoreboard(rows: pd.DataFrame) -> np.ndarray:
    """Draw each model's distance from its fact sheet, in tolerances, by e-type.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `nmc.load_scoreboard` or `nmc.cells.verdicts.judge`.

    Returns
    -------
    numpy.ndarray of matplotlib Axes
        One panel a quantity, shape (3,). The scale is linear within one tolerance and
        logarithmic beyond.
    """
    from nmc.data import provenance

    etypes = [names.parse_model(model).etype for model in rows["model"]]
    place = np.array([names.ETYPES.index(etype) for etype in etypes])
    jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(rows))
    random = rows["stochastic"].to_numpy(bool)
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
            words, allowed = WORDS[column]
            ax.set(ylabel="distance\n(tolerances)", title=f"{words}, {allowed}")
        axes[0].legend(loc="upper right", ncols=2)
        axes[-1].set_xticks(range(len(names.ETYPES)), names.ETYPES)
        axes[-1].set_xlabel("e-type")
    provenance.stamp(figure)
    return axes


def plot_spike_counts(published: pd.DataFrame, converged: pd.DataFrame, *, ax=None) -> Axes:
    """Draw the spikes a model loses or gains with the package's own time step.

    Parameters
    ----------
    published, converged : pandas.DataFrame
        From ``nmc.load_scoreboard("step", mode=…)``; runs that both have are drawn.
    ax : matplotlib Axes, optional
        Where to draw.
    """
    from nmc.data import provenance

    both = pair_spike_counts(published, converged)
    ax = style.new_axes(ax, width=7, height=3.2)
    change = both["published"] - both["converged"]
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, (2, len(both)))
    ax.axhline(0, color=style.GREY, lw=0.8)
    ax.plot(both["converged"] + jitter[0], change + jitter[1], "o", ms=4, alpha=0.7, mew=0)
    ax.set(xlabel="spikes, converged", ylabel="more with the\npackage's own step")
    provenance.stamp(ax)
    return ax


def pair_spike_counts(published: pd.DataFrame, converged: pd.DataFrame) -> pd.DataFrame:
    """Spike counts of both modes side by side: deterministic models, runs that both have.

    Parameters
    ----------
    published, converged : pandas.DataFrame
        From ``nmc.load_scoreboard("step", mode=…)``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``model`` and ``step``; columns ``published`` and ``converged``.
    """
    tables = {
        mode: rows[~rows["stochastic"].astype(bool) & rows["error"].isna()]
        .set_index(["model", "step"])["spike_count"]
        .astype(int)
        for mode, rows in {"published": published, "converged": converged}.items()
    }
    return pd.concat(tables, axis=1, join="inner").sort_index()
