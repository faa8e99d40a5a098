"""Fit U, D and F to measured responses, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nmc.circuit.synapses import compute_response
from nmc.errors import SynapseError
from nmc.numbers import as_number

# Starts that span facilitating to depressing synapses; the best end counts.
_STARTS = ((0.5, 700.0, 20.0), (0.25, 500.0, 150.0), (0.1, 150.0, 600.0), (0.25, 700.0, 20.0))
_LONGEST_MS = 1e4
# Standard deviation, in log units, of a parameter that the data say nothing about: a factor of 20.
_UNKNOWN = 3.0


def fit_tsodyks_markram(
    times_ms, amplitudes, *, sigma=None, confidence: float = 0.95
) -> pd.DataFrame:
    """Fit the deterministic synapse to response amplitudes.

    Parameters
    ----------
    times_ms : array (n,), or list of such
        Spike times of one train, or of several that share one synapse (from rest each).
    amplitudes : array (n,), or list of such
        Mean response to each spike, any unit.
    sigma : array or list, optional
        Standard error of each amplitude; without it the scatter around the fit is used.
    confidence : float
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Index ``U``, ``D_ms``, ``F_ms``, ``A`` (the amplitude that u·R = 1 would have); columns
        ``estimate``, ``low``, ``high``, ``unit``.  ``.attrs["residual"]`` is the root mean
        squared difference.

    Raises
    ------
    SynapseError
        Fewer responses than the four parameters need; amplitudes that are not finite, or all 0;
        times that do not increase; a confidence outside (0, 1).

    Notes
    -----
    Least squares on logit(U), log D, log F and log A (so no estimate leaves its range); the
    intervals come from the curvature there (Student's t with n - 4 degrees of freedom when
    `sigma` is not given, normal otherwise) and are transformed back, hence not symmetric.
    A time constant that the train hardly depends on has a wide interval, up to a factor of a few
    hundred either way: read it as unknown.
    """
    from scipy.optimize import least_squares
    from scipy.stats import norm, t

    if not 0 < as_number(confidence, where="confidence", error=SynapseError) < 1:
        raise SynapseError(f"The confidence lies between 0 and 1; got {confidence!r}.")
    trains = _as_trains(times_ms, amplitudes, sigma)
    measured = np.concatenate([a for _, a, _ in trains])
    weights = np.concatenate([1 / s for _, _, s in trains])
    n = len(measured)
    if n < 5 or not np.isfinite(measured).all():
        raise SynapseError(
            f"U, D, F and an amplitude need at least five finite responses; got {n}. "
            "Add spikes, a recovery spike or a train at another rate."
        )

    def predicted(x):
        U, D, F = 1 / (1 + np.exp(-x[0])), *np.exp(x[1:3])
        parts = [np.prod(compute_response(U, D, F, times), axis=0) for times, _, _ in trains]
        return np.exp(x[3]) * np.concatenate(parts)

    def residual(x):
        return (predicted(x) - measured) * weights

    if not np.abs(measured).max() > 0:
        raise SynapseError("All amplitudes are 0: there is nothing to fit.")
    scale = np.log(np.abs(measured).max())
    upper = [12.0, np.log(_LONGEST_MS), np.log(_LONGEST_MS), scale + 12]
    lower = [-12.0, np.log(0.1), np.log(0.1), scale - 12]
    fits = []
    for U, D, F in _STARTS:
        start = [np.log(U / (1 - U)), np.log(D), np.log(F), scale - np.log(U)]
        fits.append(least_squares(residual, start, bounds=(lower, upper), x_scale=1.0))
    best = min(fits, key=lambda fit: fit.cost)
    free = n - 4
    variance = 1.0 if sigma is not None else 2 * best.cost / max(free, 1)
    information = best.jac.T @ best.jac / max(variance, 1e-30) + np.eye(4) / _UNKNOWN**2
    covariance = np.linalg.inv(information)
    quantile = (norm.ppf if sigma is not None else lambda p: t.ppf(p, max(free, 1)))(
        0.5 + confidence / 2
    )
    half = quantile * np.sqrt(np.diag(covariance))
    back = [lambda x: 1 / (1 + np.exp(-x)), np.exp, np.exp, np.exp]
    rows = {
        name: [f(x), f(x - h), f(x + h), unit]
        for name, f, x, h, unit in zip(
            ("U", "D_ms", "F_ms", "A"), back, best.x, np.minimum(half, 50), ("", "ms", "ms", ""),
            strict=True,
        )
    }  # fmt: skip
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["estimate", "low", "high", "unit"]
    )
    table.attrs["residual"] = float(np.sqrt(np.mean((predicted(best.x) - measured) ** 2)))
    return table


def _as_trains(times_ms, amplitudes, sigma) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    if not len(times_ms):
        raise SynapseError("No spike times are given.")
    several = np.ndim(times_ms[0]) == 1
    times = list(times_ms) if several else [times_ms]
    values = list(amplitudes) if several else [amplitudes]
    errors = [None] * len(times) if sigma is None else list(sigma) if several else [sigma]
    trains = []
    if not len(times) == len(values) == len(errors):
        raise SynapseError(
            f"{len(times)} trains but {len(values)} of amplitudes and {len(errors)} of errors."
        )
    for t, a, s in zip(times, values, errors, strict=True):
        t, a = np.asarray(t, float), np.asarray(a, float)
        s = np.ones_like(a) if s is None else np.asarray(s, float)
        if not t.shape == a.shape == s.shape:
            raise SynapseError(f"{len(t)} spike times but {len(a)} amplitudes and {len(s)} errors.")
        if not (s > 0).all():
            raise SynapseError("Standard errors must be positive.")
        trains.append((t, a, s))
    return trains
