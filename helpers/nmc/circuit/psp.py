"""Measures of postsynaptic potentials: amplitude, failures, rise, latency, decay."""

from __future__ import annotations

import numpy as np

#: A response smaller than this counts as a failure.
FAILURE_mV = 0.01


def psp_amplitudes(t_ms: np.ndarray, v_mV: np.ndarray, sign: int) -> np.ndarray:
    """Largest deflection of each trial from its mean before the spike, mV, (trials,)."""
    base = v_mV[:, t_ms < 0].mean(axis=1, keepdims=True)
    return np.maximum((sign * (v_mV - base))[:, t_ms >= 0].max(axis=1), 0.0)


def measure_psp(t_ms: np.ndarray, v_mV: np.ndarray, sign: int) -> dict[str, float]:
    """Measure a set of trials; the definitions stand in `simulate_pair`."""
    amplitude = psp_amplitudes(t_ms, v_mV, sign)
    worked = amplitude >= FAILURE_mV
    mean = amplitude.mean()
    result = {
        "amplitude_mV": mean,
        "cv": amplitude.std() / mean if mean > 0 else np.nan,
        "failures_percent": 100 * (1 - worked.mean()),
        "rise_time_ms": np.nan,
        "latency_ms": np.nan,
        "decay_ms": np.nan,
        "decay_fit_ms": np.nan,
    }
    if worked.any():
        psp = sign * (v_mV - v_mV[:, t_ms < 0].mean(axis=1, keepdims=True))[worked].mean(axis=0)
        result |= _shape(t_ms[t_ms >= 0], psp[t_ms >= 0])
    return result


def _shape(t: np.ndarray, psp: np.ndarray) -> dict[str, float]:
    top = int(psp.argmax())
    rising = psp[: top + 1] / psp[top]
    return {
        "rise_time_ms": _reached(t, rising, 0.8) - _reached(t, rising, 0.2),
        "latency_ms": _reached(t, rising, 0.05),
        "decay_ms": _time_to_fall(t[top:], psp[top:] / psp[top], 1 / np.e),
        "decay_fit_ms": _fitted_decay(t[top:], psp[top:] / psp[top]),
    }


def _reached(t: np.ndarray, rising: np.ndarray, level: float) -> float:
    """Last crossing of a level before the peak, linear to the next sample."""
    below = np.flatnonzero(rising < level)
    k = int(below[-1]) if len(below) else 0
    if k == len(rising) - 1:
        return t[k]
    step = rising[k + 1] - rising[k]
    return t[k] + (t[k + 1] - t[k]) * ((level - rising[k]) / step if step > 0 else 0.0)


def _time_to_fall(t: np.ndarray, falling: np.ndarray, level: float) -> float:
    """Time from the peak to a level, linear between samples; NaN if it is not reached."""
    below = np.flatnonzero(falling <= level)
    if not len(below):
        return np.nan
    k = int(below[0])
    share = (falling[k - 1] - level) / (falling[k - 1] - falling[k])
    return t[k - 1] + share * (t[k] - t[k - 1]) - t[0]


def _fitted_decay(t: np.ndarray, falling: np.ndarray) -> float:
    """Time constant of an exponential through 80 to 20 % of the fall; NaN if that is too short."""
    below = np.flatnonzero(falling < 0.2)
    end = int(below[0]) if len(below) else len(falling)
    late = np.flatnonzero(falling <= 0.8)
    start = int(late[0]) if len(late) else end
    if end - start <= 5:
        return np.nan
    return -1 / np.polyfit(t[start:end], np.log(falling[start:end]), 1)[0]
