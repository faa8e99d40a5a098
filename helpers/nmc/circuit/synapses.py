"""Short-term plasticity: the synapse of Tsodyks and Markram, its random form, trains and fits.

A presynaptic spike finds a share R of the synapse's resources ready and uses the share u of
them.  Utilisation rises at each spike and decays with F; resources recover with D (Tsodyks and
Markram 1997, PNAS 94:719-723; Fuhrmann et al. 2002, J. Neurophysiology 87:140-148)::

    u ← u·exp(-Δt/F) + U·(1 - u·exp(-Δt/F))      response = u·R
    R ← 1 - (1 - R(1 - u))·exp(-Δt/D)            until the next spike

The packages' MOD files hold the random form: one vesicle, ready or empty.  An empty one is ready
again with probability 1 - exp(-Δt/D); a ready one is released with probability u.  Its mean over
trials is the deterministic response.

All functions take U, D and F as numbers or as arrays of one shape S, a synapse each; what cannot
be, and spike times that do not increase, are a `nmc.errors.SynapseError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import expit, logit
from scipy.stats import t as student

from nmc import names
from nmc.cells.settings import MEASURED_mM, compute_release_factor
from nmc.errors import FormatError, SynapseError, UnknownNameError
from nmc.factsheets.pathways import load_pathways
from nmc.numbers import as_count, as_generator, as_number

_number = partial(as_number, error=SynapseError)
_count = partial(as_count, error=SynapseError)
#: The usual test: eight spikes at 20 Hz, and one more 550 ms later.
RATE_HZ, SPIKES, RECOVERY_MS = 20.0, 8, 550.0
# Starts that span facilitating to depressing synapses; the best end counts.
_STARTS = ((0.5, 700.0, 20.0), (0.25, 500.0, 150.0), (0.1, 150.0, 600.0), (0.25, 700.0, 20.0))
_LONGEST_MS = 1e4
# Standard deviation, in log units, of a parameter that the data say nothing about: a factor of 20.
_UNKNOWN = 3.0
_SHEET = {"u_mean": "U", "d_mean_ms": "D_ms", "f_mean_ms": "F_ms"}
_PARAMETERS = list(_SHEET.values())


def train_times(
    rate_Hz: float = RATE_HZ, n: int = SPIKES, recovery_ms: float | None = RECOVERY_MS
) -> np.ndarray:
    """Return spike times of a regular train from 0 on, ms; shape (n + 1,) or (n,).

    Parameters
    ----------
    rate_Hz, n : float, int
        Rate and number of spikes of the train.
    recovery_ms : float or None
        Time from the train's last spike to one more; None leaves it out.
    """
    rate_Hz = _number(rate_Hz, where="rate of a train, Hz")
    n = _count(n, where="spikes of a train", low=1, high=10**7)
    if not rate_Hz > 0:
        raise SynapseError(f"The rate of a train is positive; got {rate_Hz:g} Hz.")
    times = np.arange(n) * 1e3 / rate_Hz
    if recovery_ms is None:
        return times
    later = _number(recovery_ms, where="recovery_ms")
    if not later > 0:
        raise SynapseError(f"recovery_ms is positive, or None for no such spike; got {later:g}.")
    return np.append(times, times[-1] + later)


def check_parameters(U, D_ms, F_ms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return U, D, F as arrays of one shape: U in (0, 1], D and F finite and not negative."""
    try:
        U, D_ms, F_ms = np.broadcast_arrays(*(np.asarray(x, float) for x in (U, D_ms, F_ms)))
    except (TypeError, ValueError) as error:
        raise SynapseError(f"U, D and F are numbers, or arrays of one shape. ({error})") from error
    if not ((U > 0) & (U <= 1)).all():
        wrong = U[~((U > 0) & (U <= 1))].flat[0]
        raise SynapseError(f"The utilisation U lies in (0, 1]; got {wrong:g}.")
    for name, values in (("D", D_ms), ("F", F_ms)):
        good = (values >= 0) & np.isfinite(values)
        if not good.all():
            raise SynapseError(
                f"The time constant {name} is finite and cannot be negative; "
                f"got {values[~good].flat[0]:g} ms."
            )
    return U, D_ms, F_ms


def _decay(interval_ms: float, tau_ms: np.ndarray) -> np.ndarray:
    """exp(-interval/tau), and 0 where tau is 0."""
    with np.errstate(divide="ignore"):
        return np.exp(-interval_ms / tau_ms)


def _intervals(times_ms) -> np.ndarray:
    try:
        times = np.asarray(times_ms, float)
    except (TypeError, ValueError) as error:
        raise SynapseError(f"Spike times are numbers, in ms. ({error})") from error
    good = times.ndim == 1 and len(times) > 0 and np.isfinite(times).all()
    if not good or not (np.diff(times) > 0).all():
        raise SynapseError(
            "Spike times must be one increasing list of at least one finite time, in ms."
        )
    return np.diff(times)


def compute_response(U, D_ms, F_ms, times_ms) -> tuple[np.ndarray, np.ndarray]:
    """Return utilisation u and ready share R at each spike of the deterministic synapse.

    Parameters
    ----------
    U, D_ms, F_ms : float or array, shape S
        Utilisation, recovery and facilitation time constant of each synapse.
    times_ms : array, (n,)
        Increasing spike times.

    Returns
    -------
    u, R : arrays, S + (n,)
        The response to each spike is ``u * R`` of the maximal one.
    """
    U, D_ms, F_ms = check_parameters(U, D_ms, F_ms)
    used, ready = U.copy(), np.ones_like(U)
    us, Rs = [used], [ready]
    for interval in _intervals(times_ms):
        left = used * _decay(interval, F_ms)
        ready = 1 - (1 - ready * (1 - used)) * _decay(interval, D_ms)
        used = left + U * (1 - left)
        us.append(used)
        Rs.append(ready)
    return np.stack(us, axis=-1), np.stack(Rs, axis=-1)


def simulate_release(
    U, D_ms, F_ms, times_ms, trials: int, *, rng: np.random.Generator | int
) -> np.ndarray:
    """Draw releases of the random two-state synapse of the packages' MOD files.

    Parameters
    ----------
    U, D_ms, F_ms, times_ms
        As for `compute_response`, of each contact.
    trials : int
        How often the train is repeated, from rest each time.
    rng : Generator or int
        What draws the releases, or its seed.

    Returns
    -------
    bool array, (trials,) + S + (n,)
    """
    rng = as_generator(rng, error=SynapseError)
    trials = _count(trials, where="trials", low=1)
    U, D_ms, F_ms = check_parameters(U, D_ms, F_ms)
    u, _ = compute_response(U, D_ms, F_ms, times_ms)
    ready = np.ones((trials, *U.shape), bool)
    released = []
    for spike, interval in enumerate([0.0, *_intervals(times_ms)]):
        if spike:
            ready |= rng.random(ready.shape) > _decay(interval, D_ms)
        now = ready & (rng.random(ready.shape) < u[..., spike])
        ready = ready & ~now
        released.append(now)
    return np.stack(released, axis=-1)


def compute_train(
    pathway: str | Mapping | pd.DataFrame | Iterable[str] | None = None,
    rate_Hz: float = RATE_HZ,
    n: int = SPIKES,
    *,
    recovery_ms: float | None = RECOVERY_MS,
    calcium_mM: float = MEASURED_mM,
) -> pd.DataFrame:
    """Respond to a train of spikes by a pathway's mean U, D and F.

    Parameters
    ----------
    pathway, calcium_mM
        As for `load_synapse_parameters`.
    rate_Hz, n, recovery_ms
        The train, see `train_times`.

    Returns
    -------
    pandas.DataFrame
        One row a spike of a pathway: ``pathway``, ``spike`` (from 1), ``t_ms``, ``u``, ``R``,
        ``response`` (u·R) and ``relative`` (to the first).
    """
    table = load_synapse_parameters(pathway, calcium_mM=calcium_mM)
    times = train_times(rate_Hz, n, recovery_ms)
    U, D, F = table[_PARAMETERS].to_numpy().T
    u, R = compute_response(U, D, F, times)
    response = u * R
    count, length = response.shape
    values = {"u": u, "R": R, "response": response, "relative": response / response[:, :1]}
    return pd.DataFrame(
        {"pathway": np.repeat(table.index.to_numpy(), length),
         "spike": np.tile(np.arange(1, length + 1), count), "t_ms": np.tile(times, count),
         **{name: each.ravel() for name, each in values.items()}}
    )  # fmt: skip


def load_synapse_parameters(
    pathway: str | Mapping | pd.DataFrame | Iterable[str] | None = None,
    *,
    calcium_mM: float = MEASURED_mM,
) -> pd.DataFrame:
    """Return U, D_ms, F_ms by pathway, of the fact sheets or as given.

    Parameters
    ----------
    pathway : str, list of str, mapping, DataFrame or None
        ``"L5_TTPC1:L5_MC"``, several of them, parameters ``{"U", "D_ms", "F_ms"}``, rows of
        `nmc.load_pathways` or of this table, or None for all 1,932 of the fact sheets.
    calcium_mM : float
        Calcium outside, which scales U by `nmc.compute_release_factor`.

    Returns
    -------
    pandas.DataFrame
        ``U``, ``D_ms``, ``F_ms``; index ``pathway``.

    Raises
    ------
    UnknownNameError
        A pathway the fact sheets do not have; the message suggests the nearest.
    FormatError, SynapseError
        A mapping lacks one of the three, or holds something else than a number; an empty list;
        another calcium for parameters that belong to no pathway.
    """
    table = _parameters(pathway)
    if calcium_mM == MEASURED_mM:
        return table
    if isinstance(pathway, Mapping):
        raise SynapseError("calcium_mM: how steeply it acts follows from a pathway; name one.")
    ends = [names.parse_pathway(key) for key in table.index]
    factors = [compute_release_factor(pre, post, calcium_mM) for pre, post in ends]
    return table.assign(U=np.minimum(table["U"] * factors, 1))


def _parameters(pathway) -> pd.DataFrame:
    if isinstance(pathway, Mapping):
        if missing := set(_PARAMETERS) - set(pathway):
            raise FormatError(f"Parameters of a synapse lack {', '.join(sorted(missing))}.")
        given = {name: as_number(pathway[name], where=name) for name in _PARAMETERS}
        return pd.DataFrame([given], index=["given"])
    if isinstance(pathway, pd.DataFrame) and set(_PARAMETERS) <= set(pathway):
        return pathway[_PARAMETERS]
    table = pathway if isinstance(pathway, pd.DataFrame) else load_pathways()
    keyed = table.set_index(pathway_keys(table))[list(_SHEET)].rename(columns=_SHEET).astype(float)
    if pathway is None or isinstance(pathway, pd.DataFrame):
        return keyed
    wanted = [pathway] if isinstance(pathway, str) else list(pathway)
    if not wanted:
        raise SynapseError("No pathway is named; None stands for all.")
    wanted = [names.pathway(*names.parse_pathway(one)) for one in wanted]
    for one in wanted:
        if one not in keyed.index:
            raise UnknownNameError.of("pathway in the fact sheets", one, keyed.index)
    return keyed.loc[wanted]


def pathway_keys(table: pd.DataFrame) -> pd.Index:
    """Return ``"PRE:POST"`` of each row of a table of pathways."""
    return pd.Index(table["pre"].astype(str) + ":" + table["post"].astype(str), name="pathway")


def classify_synapse(U, D_ms, F_ms) -> np.ndarray:
    """Name the dynamics by the answer to eight spikes at 20 Hz.

    *facilitating* (1) when the last response exceeds the first by a tenth; *pseudo-linear* (3)
    when it does not, but the second response keeps at least 95 % of the first; *depressing* (2)
    otherwise.  The limits are this book's; the classes are those of Markram et al. (2015).

    Returns
    -------
    int array, shape S
        1, 2 or 3, the digit of the sheets' E1 … I3.
    """
    u, R = compute_response(U, D_ms, F_ms, train_times(recovery_ms=None))
    relative = (u * R) / (u * R)[..., :1]
    return np.where(relative[..., -1] > 1.1, 1, np.where(relative[..., 1] >= 0.95, 3, 2))


def classify_pathways() -> pd.DataFrame:
    """Recover the six synapse types from sign and parameters, beside the sheets' labels.

    Returns
    -------
    pandas.DataFrame
        Index ``pathway``; ``U``, ``D_ms``, ``F_ms``, ``recovered`` and ``label`` (E1 … I3),
        ``agrees``.
    """
    pathways, table = load_pathways(), load_synapse_parameters()
    sign = np.where([names.is_excitatory(pre) for pre in pathways["pre"]], "E", "I")
    digit = classify_synapse(*table.to_numpy().T)
    table["recovered"] = [f"{s}{d}" for s, d in zip(sign, digit, strict=True)]
    table["label"] = pathways["s_type"].astype(str).to_numpy()
    table["agrees"] = table["recovered"] == table["label"]
    return table


def fit_tsodyks_markram(
    times_ms: Sequence | np.ndarray,
    amplitudes: Sequence | np.ndarray,
    *,
    sigma: Sequence | np.ndarray | None = None,
    confidence: float = 0.95,
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
        Fewer than five responses; amplitudes that are not finite, or all 0; a confidence outside
        (0, 1).

    Notes
    -----
    Least squares on logit(U), log D, log F and log A, so no estimate leaves its range.  Intervals
    come from the curvature there (Student's t with n - 4 degrees of freedom without `sigma`, else
    normal), transformed back.  A time constant that the train hardly depends on gets one of up to
    a factor of a few hundred either way: read it as unknown.
    """
    if not 0 < _number(confidence, where="confidence") < 1:
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
        U, (D, F) = expit(x[0]), np.exp(x[1:3])
        parts = [np.prod(compute_response(U, D, F, times), axis=0) for times, _, _ in trains]
        return np.exp(x[3]) * np.concatenate(parts)

    def residual(x):
        return (predicted(x) - measured) * weights

    if not np.abs(measured).max() > 0:
        raise SynapseError("All amplitudes are 0: there is nothing to fit.")
    scale = np.log(np.abs(measured).max())
    longest, shortest = np.log(_LONGEST_MS), np.log(0.1)
    bounds = [-12, shortest, shortest, scale - 12], [12, longest, longest, scale + 12]
    starts = [[logit(U), np.log(D), np.log(F), scale - np.log(U)] for U, D, F in _STARTS]
    fits = [least_squares(residual, start, bounds=bounds) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    free = max(n - 4, 1)
    variance = max(2 * best.cost / free, 1e-30) if sigma is None else 1.0
    covariance = np.linalg.inv(best.jac.T @ best.jac / variance + np.eye(4) / _UNKNOWN**2)
    quantile = student.ppf(0.5 + confidence / 2, free if sigma is None else np.inf)
    half = np.minimum(quantile * np.sqrt(np.diag(covariance)), 50)
    ends = np.stack([best.x, best.x - half, best.x + half], axis=1)
    table = pd.DataFrame(
        [expit(ends[0]), *np.exp(ends[1:])],
        index=["U", "D_ms", "F_ms", "A"], columns=["estimate", "low", "high"],
    ).assign(unit=["", "ms", "ms", ""])  # fmt: skip
    table.attrs["residual"] = float(np.sqrt(np.mean((predicted(best.x) - measured) ** 2)))
    return table


def _as_trains(times_ms, amplitudes, sigma) -> list[list[np.ndarray]]:
    """Times, amplitudes and standard errors of each train."""
    if not len(times_ms):
        raise SynapseError("No spike times are given.")
    if np.ndim(times_ms[0]) == 0:
        times_ms, amplitudes, sigma = [times_ms], [amplitudes], None if sigma is None else [sigma]
    errors = [np.ones(len(a)) for a in amplitudes] if sigma is None else sigma
    columns = [[np.asarray(x, float) for x in rows] for rows in (times_ms, amplitudes, errors)]
    shapes = [[x.shape for x in rows] for rows in columns]
    if not shapes[0] == shapes[1] == shapes[2]:
        raise SynapseError(
            "Each train has as many amplitudes, and standard errors, as spike times; got "
            f"{shapes[0]} times, {shapes[1]} amplitudes, {shapes[2]} errors."
        )
    if not all((x > 0).all() for x in columns[2]):
        raise SynapseError("Standard errors must be positive.")
    return [list(train) for train in zip(*columns, strict=True)]
