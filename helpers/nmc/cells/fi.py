"""Many steps at once: firing rate against current, and one step of many models."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.package import Package
from nmc.cells.protocols import STEP_MS, as_package, describe, simulate_step
from nmc.cells.settings import check_numbers, check_settings
from nmc.errors import ProtocolError

#: Amplitudes by default, as shares of the package's weakest step (120 % of threshold).
SHARES = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.7, 2.0)


def simulate_fi(
    model: str | names.Model | Path | Package,
    amplitudes_nA: Iterable[float] | None = None,
    *,
    mode: str = "converged",
    n_workers: int = 2,
    **settings,
) -> pd.DataFrame:
    """Simulate steps of many amplitudes and count the spikes of each.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    amplitudes_nA : iterable of float, optional
        Step amplitudes on top of the holding current; by default `SHARES` of the package's
        weakest step.
    mode : {"published", "converged"}
        See `nmc.cells.integration`.
    n_workers : int
        Runs at the same time, each in a process of its own.
    **settings
        Further arguments of `nmc.simulate_step`.

    Returns
    -------
    pandas.DataFrame
        One row an amplitude, ascending: ``amplitude_nA``, ``spike_count``, ``rate_Hz`` (spikes
        over the 2 s of the step), ``first_spike_ms`` after the step's start (NaN if none) and
        ``final_rate_Hz``, one over the last interval between spikes (NaN below two spikes).

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
        As `nmc.simulate_step`.
    """
    package = as_package(model)
    if amplitudes_nA is None:
        amplitudes_nA = [share * package.steps_nA[0] for share in SHARES]
    amplitudes = sorted(check_numbers("amplitude_nA", amplitudes_nA))
    n_workers = check_settings(n_workers=n_workers)["n_workers"]

    def row(amplitude: float) -> dict:
        trace = simulate_step(package, amplitude_nA=amplitude, mode=mode, **settings)
        spikes = trace.attrs["spike_times_ms"]
        during = [t - trace.attrs["stim_start_ms"] for t in spikes]
        return {
            "amplitude_nA": amplitude,
            "spike_count": len(spikes),
            "rate_Hz": 1000 * len(spikes) / STEP_MS,
            "first_spike_ms": during[0] if during else float("nan"),
            "final_rate_Hz": 1000 / (spikes[-1] - spikes[-2]) if len(spikes) > 1 else float("nan"),
        }

    with ThreadPoolExecutor(n_workers) as pool:  # threads only wait for processes
        rows = list(pool.map(row, amplitudes))
    table = pd.DataFrame(rows)
    table.attrs = {**describe(package), "protocol": "fi", "mode": mode}
    return table


def simulate_steps(
    models: Iterable[str | names.Model | Path | Package],
    step: int = 1,
    *,
    mode: str = "converged",
    n_workers: int = 2,
    **settings,
) -> dict[str, pd.DataFrame]:
    """Simulate the same step of several models, some at the same time.

    Parameters
    ----------
    models : iterable
        Each as for `nmc.simulate_step`.
    step : int
        The packages' own step, 1 (weakest) to 3.
    mode : {"published", "converged"}
        See `nmc.cells.integration`; models with stochastic channels keep the fixed step.
    n_workers : int
        Runs at the same time, each in a process of its own.
    **settings
        Further arguments of `nmc.simulate_step`.

    Returns
    -------
    dict of str to pandas.DataFrame
        Model name → trace, in the order given.

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
        As `nmc.simulate_step`.
    """
    n_workers = check_settings(step=step, n_workers=n_workers)["n_workers"]
    packages = [as_package(model) for model in models]
    if not packages:
        raise ProtocolError("models: the list is empty; name at least one model.")
    with ThreadPoolExecutor(n_workers) as pool:
        traces = pool.map(lambda p: simulate_step(p, step, mode=mode, **settings), packages)
        return {package.name: trace for package, trace in zip(packages, traces, strict=True)}


def measure_fi(package: Package, **settings) -> dict:
    """Count spikes over a range of currents: where firing starts, how steeply it grows."""
    table = simulate_fi(package, n_workers=1, progress=False, **settings)
    firing = table[table["spike_count"] > 0]
    steep = len(firing) > 1
    return {
        "lowest_firing_nA": firing["amplitude_nA"].min(),
        "highest_rate_Hz": table["rate_Hz"].max(),
        "gain_Hz_per_nA": float(np.polyfit(firing["amplitude_nA"], firing["rate_Hz"], 1)[0])
        if steep
        else float("nan"),
    }
