"""Figures of synapses: trains of responses, random releases, recovered types."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import style
from nmc.errors import SynapseError
from nmc.numbers import as_numbers

S_TYPES = ("E1", "E2", "E3", "I1", "I2", "I3")


def plot_trains(trains: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the responses to a train, relative to the first, one line a pathway.

    Parameters
    ----------
    trains : DataFrame
        From `nmc.compute_train`.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, height=3.6)
    with style.context():
        for marker, (pathway, rows) in zip(
            "osD^vP*X" * 50, trains.groupby("pathway", sort=False), strict=False
        ):
            ax.plot(rows["t_ms"], rows["relative"], f"-{marker}", ms=5, label=pathway)
    ax.axhline(1, color=style.GREY, lw=0.8, ls=":")
    ax.set(xlabel="time of the spike (ms)", ylabel="response ÷ first response", ylim=(0, None))
    if trains["pathway"].nunique() <= 8:
        ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax


def plot_rate_dependence(synapses, rates_Hz, *, spike: int = 20, ax: Axes | None = None) -> Axes:
    """Draw how the response late in a train depends on the train's rate.

    Parameters
    ----------
    synapses : anything `nmc.load_synapse_parameters` takes
        Which pathways.
    rates_Hz : array
        Rates of the trains.
    spike : int
        Which spike of the train, from 1.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.circuit.synapses import compute_response, load_synapse_parameters, train_times
    from nmc.data import provenance

    rates_Hz = as_numbers(list(rates_Hz), where="rates_Hz", error=SynapseError)
    ax = style.new_axes(ax, height=3.4)
    table = load_synapse_parameters(synapses)
    for pathway, (U, D, F) in table.iterrows():
        late = []
        for rate in rates_Hz:
            u, R = compute_response(U, D, F, train_times(rate, spike, None))
            late.append(u[-1] * R[-1] / U)
        ax.semilogx(rates_Hz, late, label=pathway)
    ax.set(xlabel="rate (Hz)", ylabel=f"response {spike} ÷ first response", ylim=(0, None))
    ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax


def plot_releases(
    released: np.ndarray, times_ms, response: np.ndarray | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw single trials, their mean and the deterministic response.

    Parameters
    ----------
    released : bool array, (trials, contacts, n)
        From `nmc.simulate_release`.
    times_ms : array, (n,)
        Spike times.
    response : array, (n,), optional
        The deterministic response u·R.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, height=3.6)
    share = released.mean(axis=1)
    for trial in share[:12]:
        ax.plot(times_ms, trial, color=style.GREY, lw=0.6, alpha=0.6)
    ax.plot(
        times_ms, share.mean(axis=0), "o-", color=style.BLUE, label=f"mean of {len(share)} trials"
    )
    if response is not None:
        ax.plot(times_ms, response, "x--", color=style.VERMILION, ms=8, label="deterministic u·R")
    ax.set(xlabel="time of the spike (ms)", ylabel="contacts that release", ylim=(-0.03, 1.03))
    ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax


def plot_recovered_types(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many pathways of each labelled type fall into each recovered one.

    Parameters
    ----------
    table : DataFrame
        From `nmc.classify_pathways`.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.data import provenance

    ax = style.new_axes(ax, width=5.4, height=4.6)
    counts = pd.crosstab(table["label"], table["recovered"])
    counts = counts.reindex(index=list(S_TYPES), columns=list(S_TYPES), fill_value=0)
    share = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    ax.imshow(share.where(counts > 0), cmap=style.SEQUENTIAL, vmin=0, vmax=1)
    for row, label in enumerate(counts.index):
        for column, recovered in enumerate(counts.columns):
            number = counts.loc[label, recovered]
            if number:
                dark = share.iloc[row, column] > 0.5
                ax.text(column, row, f"{number:,}", ha="center", va="center",
                        color="white" if dark else style.INK, fontsize=9)  # fmt: skip
    ax.set(xlabel="recovered from U, D and F", ylabel="the sheet's label")
    ax.set_xticks(range(6), S_TYPES)
    ax.set_yticks(range(6), S_TYPES)
    provenance.stamp(ax)
    return ax


def plot_fit(times_ms, amplitudes, fit: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw measured responses and the fitted synapse.

    Parameters
    ----------
    times_ms, amplitudes : array, (n,)
        What was fitted.
    fit : DataFrame
        From `nmc.fit_tsodyks_markram`.
    ax : matplotlib Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib Axes
    """
    from nmc.circuit.synapses import compute_response
    from nmc.data import provenance

    ax = style.new_axes(ax, height=3.4)
    U, D, F, A = fit["estimate"]
    u, R = compute_response(U, D, F, times_ms)
    ax.plot(times_ms, amplitudes, "o", color=style.BLUE, label="measured")
    ax.plot(times_ms, A * u * R, "x-", color=style.VERMILION, label="fitted")
    ax.set(xlabel="time of the spike (ms)", ylabel="response", ylim=(0, None))
    ax.legend(fontsize=9)
    provenance.stamp(ax)
    return ax
