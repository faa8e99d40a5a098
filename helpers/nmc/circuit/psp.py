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
    }
    if worked.any():
        psp = sign * (v_mV - v_mV[:, t_ms < 0].mean(axis=1, keepdims=True))[worked].mean(axis=0)
        result |= _shape(t_ms[t_ms >= 0], psp[t_ms >= 0])
    return result


def _shape(t: np.ndarray, psp: np.ndarray) -> dict[str, float]:
    top = int(psp.argmax())
    peak = psp[top]
    rising = psp[: top + 1]

    def reached(share: float) -> float:
        # last time below the level before the peak, linear to the next sample
        k = int(np.flatnonzero(rising < share * peak)[-1]) if (rising < share * peak).any() else 0
        if k == top:
            return t[k]
        step = psp[k + 1] - psp[k]
        return t[k] + (t[k + 1] - t[k]) * ((share * peak - psp[k]) / step if step > 0 else 0.0)

    falling = psp[top:]
    below = np.flatnonzero(falling < 0.2 * peak)
    end = int(below[0]) if len(below) else len(falling)
    start = int(np.flatnonzero(falling <= 0.8 * peak)[0]) if (falling <= 0.8 * peak).any() else end
    decay = np.nan
    if end - start > 5:
        part = slice(top + start, top + end)
        decay = -1 / np.polyfit(t[part], np.log(psp[part]), 1)[0]
    return {
        "rise_time_ms": reached(0.8) - reached(0.2),
        "latency_ms": reached(0.05),
        "decay_ms": decay,
    }
