"""A cell at rest, as the packages' own script measures it; many steps; threshold, f–I and IV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Unpack

import numpy as np
import pandas as pd

from nmc.cells.package import AnyModel, Package, as_package, by_name, each_model
from nmc.cells.protocols import STEP_MS, STEP_START_MS, describe, drive, efel_values, simulate_step
from nmc.cells.settings import RunSettings, check_setting, protocol, refuse_settings
from nmc.cells.stimuli import Step
from nmc.errors import ProtocolError, SimulationError

#: `run_RmpRiTau.py`: −0.01 nA from 1000 to 2000 ms of 3000, from −70 mV, after settling.
REST_AMPLITUDE_NA = -0.01
REST_START_MS, REST_END_MS, REST_TOTAL_MS = 1000.0, 2000.0, 3000.0

_EFEL = ("voltage_base", "steady_state_voltage_stimend", "decay_time_constant_after_stim")
_NUMBERS = (
    "resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms",
    "efel_time_constant_ms",
)  # fmt: skip
#: The sheets' time constant: V_ref one sample after the current starts, and the fit of the decay
#: from 1 to 10 ms after its end, one sample late too; ms.
_SAMPLE_MS, _FIT_MS = 0.1, (1.1, 10.1)


@protocol
def simulate_rest(model: AnyModel, **settings: Unpack[RunSettings]) -> pd.DataFrame:
    """Measure a cell at rest as the package's ``run_RmpRiTau.py`` does.

    The cell settles by ten steps of a second, then a current of −0.01 nA flows into the soma
    for a second.  Resting potential: mean voltage before the current (eFEL ``voltage_base``).
    Input resistance: steady deflection at its end over the current.  Time constant: a line
    through the logarithm of V − V(1000.1 ms) at 2001.1 ≤ t < 2010.1 ms, which is what the sheets
    print.  eFEL's own reading (``decay_time_constant_after_stim``) takes each of these times one
    sample, 0.1 ms, earlier, where V_ref is the voltage at rest; it stands beside the other.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    **settings
        See `nmc.RunSettings`; ``v_init_mV``, from which the cell settles, is −70 by default.

    Returns
    -------
    pandas.DataFrame
        The trace: ``t_ms``, ``v_mV``, ``i_nA``. ``.attrs`` hold
        ``resting_membrane_potential_mV``, ``input_resistance_MOhm``,
        ``membrane_time_constant_ms`` and ``efel_time_constant_ms``.

    Raises
    ------
    SimulationError
        The cell is not at rest: it fires, or eFEL finds no deflection. Others as
        `nmc.simulate_step`.
    """
    package = as_package(model)
    refuse_settings("rest", settings, "window_ms", "sampling_ms")
    current = Step(REST_START_MS, REST_END_MS - REST_START_MS, REST_AMPLITUDE_NA)
    settings = {"v_init_mV": -70.0, "settle": True, **settings}
    trace = drive(package, [current], REST_TOTAL_MS, settings, protocol="rest")
    trace.attrs.update(
        amplitude_nA=REST_AMPLITUDE_NA,
        stim_start_ms=REST_START_MS,
        stim_end_ms=REST_END_MS,
        **_measure(trace, package.name),
    )
    return trace


def _measure(trace: pd.DataFrame, model: str) -> dict[str, float]:
    found = efel_values(trace, list(_EFEL), REST_START_MS, REST_END_MS)
    missing = [name for name in _EFEL if found[name] is None or not len(found[name])]
    if missing:
        raise SimulationError(f"{model}: eFEL finds no {', '.join(missing)}; is the cell at rest?")
    base, steady, efel_decay = (float(found[name][0]) for name in _EFEL)
    resistance = (steady - base) / REST_AMPLITUDE_NA  # mV / nA = MOhm
    values = base, resistance, _fit_decay(trace, model), efel_decay
    return dict(zip(_NUMBERS, values, strict=True))


def _fit_decay(trace: pd.DataFrame, model: str) -> float:
    """Time constant by the sheets' definition, ms; see `simulate_rest`."""
    t, v = trace["t_ms"].to_numpy(), trace["v_mV"].to_numpy()
    start = np.searchsorted(t, REST_START_MS + _SAMPLE_MS / 2)
    first, last = np.searchsorted(t, [REST_END_MS + x - _SAMPLE_MS / 2 for x in _FIT_MS])
    distance = v[start] - v[first:last]
    if (distance <= 0).any():
        raise SimulationError(f"{model}: the voltage does not decay; is the cell at rest?")
    return float(-1 / np.polyfit(t[first:last], np.log(distance), 1)[0])


def measure_rest(package: Package, **settings) -> dict:
    """Run the rest protocol and return its numbers."""
    attrs = simulate_rest(package, progress=False, **settings).attrs
    return {name: attrs[name] for name in (*_NUMBERS, "cpu_s", "integration")}


#: Amplitudes by default, as shares of the package's weakest step (120 % of threshold).
SHARES = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.7, 2.0)


@protocol
def simulate_fi(
    model: AnyModel,
    amplitudes_nA: Iterable[float] | None = None,
    *,
    hold_nA: float | None = None,
    n_workers: int = 2,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Simulate steps of many amplitudes and count the spikes of each.

    Parameters
    ----------
    model, hold_nA
        As for `nmc.simulate_step`, whose errors are those of this call.
    amplitudes_nA : iterable of float, optional
        Step amplitudes on top of the holding current; by default `SHARES` of the package's
        weakest step.
    n_workers : int
        Runs at the same time, each in a process of its own.
    **settings
        See `nmc.RunSettings`; the mode is ``converged`` by default.

    Returns
    -------
    pandas.DataFrame
        One row an amplitude, ascending: ``amplitude_nA``, ``spike_count``, ``rate_Hz`` (spikes
        over the 2 s of the step), ``first_spike_ms`` after the step's start (NaN if none) and
        ``final_rate_Hz``, one over the last interval between spikes (NaN below two spikes).
    """
    package = as_package(model)
    if amplitudes_nA is None:
        amplitudes_nA = [share * package.steps_nA[0] for share in SHARES]

    def row(trace: pd.DataFrame) -> dict:
        spikes = trace.attrs["spike_times_ms"]
        during = [t - trace.attrs["stim_start_ms"] for t in spikes]
        return {
            "amplitude_nA": trace.attrs["amplitude_nA"],
            "spike_count": len(spikes),
            "rate_Hz": 1000 * len(spikes) / STEP_MS,
            "first_spike_ms": during[0] if during else float("nan"),
            "final_rate_Hz": 1000 / (spikes[-1] - spikes[-2]) if len(spikes) > 1 else float("nan"),
        }

    return _over(package, amplitudes_nA, row, hold_nA, n_workers, settings, "fi")


#: The packages' weakest step in units of rheobase: where the search for it begins.
STEP_OVER_RHEOBASE = 1.2
#: Before the step, ms: where the holding potential is read.
_HELD_MS = 100.0
#: A cell that is silent at the package's weakest step is driven up to so many times of it.
_STRONGEST = 32


@protocol
def simulate_threshold(
    model: AnyModel,
    *,
    accuracy: float = 0.01,
    duration_ms: float = STEP_MS,
    hold_nA: float | None = None,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Find the weakest step that makes a held cell fire, its rheobase, by halving.

    Parameters
    ----------
    model, hold_nA
        As for `nmc.simulate_step`.
    accuracy : float
        How far the rheobase may lie from the value found, as a share of it.
    duration_ms : float
        How long each step lasts; a cell that would fire later counts as silent.
    **settings
        See `nmc.RunSettings`; the mode is ``converged`` by default.

    Returns
    -------
    pandas.DataFrame
        The steps that were tried, in their order: ``amplitude_nA``, ``spike_count``. ``.attrs``
        hold ``rheobase_nA``, the middle between the strongest silent and the weakest firing
        step (``silent_nA``, ``firing_nA``), and ``holding_potential_mV``, the soma's mean over
        the 100 ms before the step.

    Raises
    ------
    SimulationError
        The cell fires without a step, or not even at 32 times the package's weakest. Others as
        `nmc.simulate_step`.
    """
    package = as_package(model)
    refuse_settings("threshold", settings, "window_ms")
    tried, held = [], float("nan")
    end_ms = STEP_START_MS + duration_ms
    hold = Step(0.0, end_ms, package.hold_nA if hold_nA is None else hold_nA)
    run = {"mode": "converged", **settings}

    def fires(amplitude: float) -> bool:
        nonlocal held
        stimuli = [Step(STEP_START_MS, duration_ms, amplitude), hold]
        trace = drive(package, stimuli, end_ms, run, protocol="threshold")
        tried.append({"amplitude_nA": amplitude, "spike_count": trace.attrs["spike_count"]})
        before = trace["t_ms"].between(STEP_START_MS - _HELD_MS, STEP_START_MS, inclusive="left")
        held = float(trace.loc[before, "v_mV"].mean())
        return trace.attrs["spike_count"] > 0

    silent, firing = 0.0, package.steps_nA[0]
    guess = firing / STEP_OVER_RHEOBASE
    while not fires(firing):
        silent, firing = firing, 2 * firing
        if firing > _STRONGEST * package.steps_nA[0]:
            raise SimulationError(f"{package.name} does not fire, not at {silent:g} nA either.")
    wanted = [guess * (1 + accuracy), guess * (1 - accuracy)]
    while wanted or firing - silent > 2.01 * accuracy * firing:
        amplitude = wanted.pop(0) if wanted else (silent + firing) / 2
        if not silent < amplitude < firing:
            continue
        if firing < package.steps_nA[0] / 1000:
            raise SimulationError(f"{package.name} fires without a step: there is no threshold.")
        silent, firing = (silent, amplitude) if fires(amplitude) else (amplitude, firing)
    table = pd.DataFrame(tried)
    found = {"rheobase_nA": (silent + firing) / 2, "silent_nA": silent, "firing_nA": firing}
    made = {"protocol": "threshold", "mode": run["mode"], "duration_ms": duration_ms}
    table.attrs = {**describe(package), **made, **found, "holding_potential_mV": held}
    return table


def measure_threshold(package: Package, **settings) -> dict:
    """Find rheobase and holding potential; what a sweep keeps of them."""
    attrs = simulate_threshold(package, progress=False, **settings).attrs
    return {name: attrs[name] for name in ("rheobase_nA", "holding_potential_mV")}


def simulate_steps(
    models: Iterable[AnyModel],
    step: int = 1,
    *,
    n_workers: int = 2,
    **settings: Unpack[RunSettings],
) -> dict[str, pd.DataFrame]:
    """Simulate the same step of several models, some at the same time.

    Parameters
    ----------
    models : iterable
        Each as for `nmc.simulate_step`.
    step, **settings
        As for `nmc.simulate_step`; the mode is ``converged`` by default.
    n_workers : int
        Runs at the same time, each in a process of its own.

    Returns
    -------
    dict of str to pandas.DataFrame
        Model name → trace, in the order given; a second package of one name as ``NAME-DIGEST``.
    """
    n_workers = check_setting("n_workers", n_workers)
    packages = by_name(as_package(model) for model in each_model(models))
    if not packages:
        raise ProtocolError("models: the list is empty; name at least one model.")
    settings = {"mode": "converged", **settings}
    every = list(packages.values())
    traces = _in_parallel(lambda p: simulate_step(p, step, **settings), every, n_workers)
    return dict(zip(packages, traces, strict=True))


@protocol
def simulate_iv(
    model: AnyModel,
    amplitudes_nA: Iterable[float] | None = None,
    *,
    hold_nA: float | None = 0.0,
    n_workers: int = 2,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Simulate steps around rest and read the voltage that each leads to.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`, whose errors are those of this call.
    amplitudes_nA : iterable of float, optional
        Step amplitudes; by default nine from −1 to 0.6 of the package's weakest step.
    hold_nA : float
        Holding current; none by default, so that the steps are around rest.
    n_workers : int
        Runs at the same time, each in a process of its own.
    **settings
        See `nmc.RunSettings`; the mode is ``converged`` by default.

    Returns
    -------
    pandas.DataFrame
        One row an amplitude, ascending: ``amplitude_nA``, ``base_mV`` (mean of the 100 ms before
        the step), ``peak_mV`` (farthest from it during the step), ``steady_mV`` (mean of the
        step's last 100 ms; NaN where the cell fires), ``sag_ratio`` ((peak − steady) /
        (peak − base), NaN without a step) and ``spike_count``.
    """
    package = as_package(model)
    refuse_settings("iv", settings, "window_ms")
    if amplitudes_nA is None:
        amplitudes_nA = (np.arange(-5, 4) * package.steps_nA[0] / 5).tolist()

    def row(trace: pd.DataFrame) -> dict:
        amplitude, count = trace.attrs["amplitude_nA"], trace.attrs["spike_count"]
        t, v = trace["t_ms"].to_numpy(), trace["v_mV"].to_numpy()
        end = STEP_START_MS + STEP_MS
        base = v[(t >= STEP_START_MS - 100) & (t < STEP_START_MS)].mean()
        during = v[(t >= STEP_START_MS) & (t < end)]
        peak = during[np.abs(during - base).argmax()]
        steady = v[(t >= end - 100) & (t < end)].mean() if count == 0 else np.nan
        sag = (peak - steady) / (peak - base) if amplitude else np.nan
        return {
            "amplitude_nA": amplitude, "base_mV": base, "peak_mV": peak, "steady_mV": steady,
            "sag_ratio": sag, "spike_count": count,
        }  # fmt: skip

    return _over(package, amplitudes_nA, row, hold_nA, n_workers, settings, "iv")


def _over(
    package: Package, amplitudes, row, hold_nA, n_workers, settings, protocol
) -> pd.DataFrame:
    """One row for the step of each amplitude."""
    given = {"mode": "converged", **settings, "hold_nA": hold_nA}

    def one(amplitude: float) -> dict:
        return row(simulate_step(package, amplitude_nA=amplitude, **given))

    table = pd.DataFrame(_in_parallel(one, amplitudes, n_workers))
    table.attrs = {**describe(package), "protocol": protocol, "mode": given["mode"]}
    return table


def _in_parallel(call: Callable, items: Iterable, n_workers: int) -> list:
    with ThreadPoolExecutor(n_workers) as pool:  # threads only wait for processes
        return list(pool.map(call, items))


def measure_fi(package: Package, **settings) -> dict:
    """Count spikes over a range of currents: where firing starts, how steeply it grows."""
    table = simulate_fi(package, n_workers=1, progress=False, **settings)
    current, rate = table.loc[table["spike_count"] > 0, ["amplitude_nA", "rate_Hz"]].to_numpy().T
    return {
        "lowest_firing_nA": current.min() if len(current) else np.nan,
        "highest_rate_Hz": table["rate_Hz"].max(),
        "gain_Hz_per_nA": np.polyfit(current, rate, 1)[0] if len(current) > 1 else np.nan,
    }
