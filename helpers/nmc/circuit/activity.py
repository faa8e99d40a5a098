"""What a circuit did: spikes and voltages, rates, the population's rate and its bursts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from nmc.circuit.plan import CircuitPlan
from nmc.errors import CircuitError
from nmc.numbers import as_number

BIN_MS = 5.0


@dataclass(frozen=True)
class CircuitRun:
    """What a circuit did.

    Attributes
    ----------
    plan : CircuitPlan
        What was simulated.
    spikes : DataFrame
        ``cell`` (row of ``plan.neurons``), ``neuron``, ``mtype``, ``t_ms``; by time, then cell.
    voltages : DataFrame
        ``t_ms`` and a column ``cell_<n>_mV`` for each recorded cell.
    attrs : dict
        ``tstop_ms``, ``integration``, ``seed``, ``cpu_s`` (or ``ranks``) …; ``origin`` and
        ``invented``: where the packages come from, and whether their numbers are synthetic.
    """

    plan: CircuitPlan
    spikes: pd.DataFrame
    voltages: pd.DataFrame
    attrs: dict = field(default_factory=dict)

    def rates(self, from_ms: float = 0.0) -> pd.DataFrame:
        """Firing rate of each cell from a time on, added to the plan's neurons as ``rate_Hz``."""
        end = self.attrs["tstop_ms"]
        start = as_number(from_ms, where="from_ms", low=0, error=CircuitError)
        if not start < end:
            raise CircuitError(f"from_ms lies before the run's end, {end:g} ms; got {from_ms!r}.")
        late = self.spikes.loc[self.spikes["t_ms"] >= start, "cell"]
        counts = np.bincount(late, minlength=len(self.plan.neurons))
        return self.plan.neurons.assign(rate_Hz=counts / (end - start) * 1e3)


def compute_population_rate(run: CircuitRun, bin_ms: float = BIN_MS) -> pd.DataFrame:
    """Average the firing rate over all cells, bin by bin.

    Parameters
    ----------
    run : CircuitRun
        What to look at.
    bin_ms : float
        Width of a bin.

    Returns
    -------
    pandas.DataFrame
        ``t_ms`` (a bin's middle), ``rate_Hz`` (spikes a cell and second).
    """
    length = run.attrs["tstop_ms"]
    bin_ms = as_number(bin_ms, where="bin_ms", error=CircuitError)
    if not 0 < bin_ms <= length:
        raise CircuitError(f"A bin lies between 0 and the run's {length:g} ms; got {bin_ms!r}.")
    edges = np.arange(0, length + bin_ms / 2, bin_ms)
    counts, _ = np.histogram(run.spikes["t_ms"], edges)
    rate = counts / len(run.plan.neurons) / (bin_ms * 1e-3)
    return pd.DataFrame({"t_ms": (edges[:-1] + edges[1:]) / 2, "rate_Hz": rate})


def compute_bursts(
    run: CircuitRun,
    *,
    threshold_Hz: float = 10.0,
    gap_ms: float = 50.0,
    from_ms: float = 0.0,
    bin_ms: float = BIN_MS,
) -> pd.DataFrame:
    """Find the bursts in which many cells fire together.

    Parameters
    ----------
    run : CircuitRun
        What to look at.
    threshold_Hz, gap_ms : float
        A burst is a stretch in which the population rate stays above the threshold; stretches
        closer than the gap are one.
    from_ms : float
        Bursts that begin before are left out: the run's start is one for many circuits.
    bin_ms : float
        As for `compute_population_rate`.

    Returns
    -------
    pandas.DataFrame
        One row a burst: ``t_ms`` (mean time of its spikes), ``duration_ms``, ``peak_Hz``,
        ``participation`` (share of the cells that fire in it), ``interval_ms`` since the burst
        before (NaN for the first).
    """
    given = {"threshold_Hz": threshold_Hz, "gap_ms": gap_ms, "from_ms": from_ms}
    threshold_Hz, gap_ms, from_ms = (
        as_number(value, where=name, low=0, error=CircuitError) for name, value in given.items()
    )
    rate = compute_population_rate(run, bin_ms)
    active = rate.loc[rate["rate_Hz"] > threshold_Hz, "t_ms"].to_numpy()
    rows = []
    for part in np.split(active, np.flatnonzero(np.diff(active) > gap_ms) + 1):
        if not len(part) or part[0] - bin_ms / 2 < from_ms:
            continue
        start, end = part[0] - bin_ms / 2, part[-1] + bin_ms / 2
        inside = run.spikes[run.spikes["t_ms"].between(start, end, inclusive="left")]
        rows.append(
            {"t_ms": inside["t_ms"].mean(), "duration_ms": end - start,
             "peak_Hz": rate.loc[rate["t_ms"].between(start, end), "rate_Hz"].max(),
             "participation": inside["cell"].nunique() / len(run.plan.neurons)}
        )  # fmt: skip
    bursts = pd.DataFrame(rows, columns=["t_ms", "duration_ms", "peak_Hz", "participation"])
    return bursts.astype(float).assign(interval_ms=bursts["t_ms"].astype(float).diff())
