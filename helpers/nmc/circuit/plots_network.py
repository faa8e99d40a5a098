"""Figures of a small circuit: who contacts whom, and who fires when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from nmc import style
from nmc.circuit.network import CircuitRun, compute_population_rate
from nmc.circuit.plan import CircuitPlan
from nmc.connectome.nulls import TITLES
from nmc.connectome.plots_topology import coloured
from nmc.data.figures import framed
from nmc.names import MTYPES, is_excitatory

_ABOVE: Any = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 4, "columnspacing": 1}
#: Colours of m-types, by whether they excite: shades of what connections of that sign have.
_SHADES = {
    True: (style.EXCITATORY, style.ORANGE, "#8C3A00", style.PURPLE),
    False: (style.INHIBITORY, style.SKY, "#00395C", style.GREEN),
}


def _by_mtype(cells: pd.DataFrame, more: Iterable[str] = ()) -> Iterator[tuple]:
    """Colour, name and rows of each m-type of the cells, in the order of the names."""
    signs = {name: name in MTYPES and is_excitatory(name) for name in more}
    signs |= dict(zip(cells["mtype"], cells["excitatory"], strict=True))
    shades = {sign: cycle(colours) for sign, colours in _SHADES.items()}
    for mtype in sorted(signs):
        colour, rows = next(shades[bool(signs[mtype])]), cells[cells["mtype"] == mtype]
        if len(rows):
            yield colour, mtype, rows


@framed(width=5.6, height=4.6)
def plot_circuit(plan: CircuitPlan, *, ax: Axes | None = None) -> Axes:
    """Draw the cells where their somata lie (x and height) and an arrow for each connection.

    Parameters
    ----------
    plan : CircuitPlan
        From `nmc.plan_circuit`.
    """
    cells = plan.neurons
    x, y = cells["x_um"].to_numpy(float), cells["y_um"].to_numpy(float)
    for row in plan.connections.itertuples():
        colour = style.EXCITATORY if cells["excitatory"][row.pre] else style.INHIBITORY
        arrow = {"arrowstyle": "-|>", "color": colour, "alpha": 0.6,
                 "lw": 0.4 + 0.12 * row.contacts,
                 "shrinkA": 6, "shrinkB": 6, "connectionstyle": "arc3,rad=0.12"}  # fmt: skip
        ax.annotate("", (x[row.post], y[row.post]), (x[row.pre], y[row.pre]), arrowprops=arrow)
    for colour, mtype, rows in _by_mtype(cells):
        marker = "^" if rows["excitatory"].all() else "o"
        ax.scatter(rows["x_um"], rows["y_um"], s=60, marker=marker, color=colour, label=mtype,
                   zorder=3, edgecolor="white")  # fmt: skip
    ax.set(xlabel="x (µm)", ylabel="height (µm)")
    ax.margins(0.15)
    ax.legend(**_ABOVE)
    return ax


@framed(height=lambda run: 0.8 + 0.22 * len(run.plan.neurons))
def plot_raster(
    run: CircuitRun,
    *,
    against: dict[str, CircuitRun] | None = None,
    mtypes: Iterable[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw a line of spikes for each cell, coloured by m-type.

    Parameters
    ----------
    run : CircuitRun
        From `nmc.simulate_circuit`.
    against : dict of str to CircuitRun, optional
        Label → another run of the same cells, drawn in grey below each cell's own line.
    mtypes : iterable of str, optional
        M-types of a larger circuit that these cells are part of: each keeps its colour there.
    """
    cells = run.plan.neurons
    numbers = np.arange(len(cells))
    for colour, mtype, rows in _by_mtype(cells.reset_index(drop=True), mtypes):
        at = rows.index.to_numpy()
        ax.eventplot(_times(run, at), lineoffsets=at - 0.1, linelengths=0.5, colors=colour)
        ax.text(1.01, at.mean(), mtype, color=colour, va="center", fontsize=11,
                transform=ax.get_yaxis_transform())  # fmt: skip
    for label, other in (against or {}).items():
        ax.eventplot(_times(other, numbers), lineoffsets=list(numbers + 0.3), linelengths=0.25,
                     colors="0.5")  # fmt: skip
        ax.plot([], [], color="0.5", label=label)
        ax.legend(**_ABOVE)
    ax.set(xlabel="time (ms)", ylabel="cell", xlim=(0, run.attrs["tstop_ms"]))
    ax.set_ylim(len(cells) - 0.5, -0.5)
    return ax


def _times(run: CircuitRun, cells: np.ndarray) -> list[np.ndarray]:
    spikes = run.spikes
    return [spikes.loc[spikes["cell"] == cell, "t_ms"].to_numpy() for cell in cells]


@framed(height=3.8)
def plot_rates(runs: dict[str, CircuitRun], *, ax: Axes | None = None) -> Axes:
    """Draw the rate of every cell in several runs of the same cells, side by side.

    Parameters
    ----------
    runs : dict of str to CircuitRun
        Label → run; all with the same neurons.
    """
    tables = [run.rates() for run in runs.values()]
    for colour, mtype, rows in _by_mtype(tables[0]):
        values = np.array([table.loc[rows.index, "rate_Hz"] for table in tables])
        ax.plot(values, color=colour, lw=0.7, alpha=0.5)
        ax.plot(values.mean(axis=1), "o-", color=colour, label=mtype)
    ax.set_xticks(range(len(runs)), list(runs))
    ax.set(ylabel="rate (Hz)", ylim=(0, None))
    ax.legend(**_ABOVE)
    return ax


@framed(height=lambda runs: 0.9 + 0.9 * len(runs))
def plot_population(
    runs: dict[str, CircuitRun],
    *,
    from_ms: float = 0.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the population rate of several runs, one above the other.

    Parameters
    ----------
    runs : dict of str to CircuitRun
        Label → run.
    from_ms : float
        What comes before is left out, such as the onset that an analysis leaves out.
    """
    rates = [compute_population_rate(run) for run in runs.values()]
    rates = [rate[rate["t_ms"] >= from_ms] for rate in rates]
    highest = max(max(rate["rate_Hz"].max() for rate in rates), 1e-9)
    for place, (_, rate, colour) in enumerate(coloured(dict(zip(runs, rates, strict=True))), 1):
        row = len(rates) - place
        ax.fill_between(rate["t_ms"], row, row + rate["rate_Hz"] / (1.1 * highest), step="mid",
                        lw=0, color=colour)  # fmt: skip
    ax.set_yticks(np.arange(len(rates)), [TITLES.get(name, name) for name in reversed(runs)])
    ax.set(xlabel="time (ms)", xlim=(from_ms, max(r.attrs["tstop_ms"] for r in runs.values())))
    ax.set_title(f"population rate, {highest:.0f} Hz at the highest")
    ax.set_ylim(0, len(rates))
    return ax
