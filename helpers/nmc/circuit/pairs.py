"""In-silico paired recordings: one presynaptic cell fires, the soma of a package is recorded.

The contacts stand where the microcircuit put them: in the package's own ``synapses.tsv``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import e, nan
from typing import Unpack

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student
from tqdm.contrib.concurrent import thread_map

from nmc import child, names
from nmc.cells.mechanisms import run_cached
from nmc.cells.package import AnyModel, as_package
from nmc.cells.settings import SynapseSettings, check_synaptic, scale_synapses
from nmc.circuit.synaptome import choose_cells, contacts_of, to_spec
from nmc.data.registry import origin_of
from nmc.errors import SynapseError, UnknownNameError
from nmc.factsheets.pathways import load_pathways
from nmc.numbers import as_count, as_number, as_numbers
from nmc.published import says_invented, verdict

_number = partial(as_number, error=SynapseError)
_count = partial(as_count, error=SynapseError)
CONDUCTANCES = ("package", "sheet")
ONSET_MS, WINDOW_MS, SAMPLING_MS, V_INIT_MV = 5.0, 200.0, 0.1, -70.0
#: A response smaller than this counts as a failure.
FAILURE_mV = 0.01
_LARGEST_SEED = 40_000  # times 100,000 and a trial, it still fits the generator's 32 bits
_RESAMPLES = 10_000
#: The range of n values holds their median in 1 − 2¹⁻ⁿ of all cases: below six not in 95 %.
_FEWEST = 6

#: Column here → column of `nmc.load_pathways` without ``_mean…`` and its unit.
SHEET: dict[str, tuple[str, str]] = {
    "amplitude_mV": ("psp_amplitude", "mV"),
    "cv": ("cv_psp_amplitude", ""),
    "failures_percent": ("failures", "percent"),
    "rise_time_ms": ("rise_time", "ms"),
    "latency_ms": ("latency", "ms"),
    "decay_ms": ("decay", "ms"),
}


@dataclass(frozen=True)
class PairedRecording:
    """What `simulate_pair` found.

    Attributes
    ----------
    pre_mtype, model : str
        The pathway's two ends.
    cells : DataFrame
        One row a presynaptic cell: ``contacts``, ``trials``, the columns of `SHEET` and
        ``decay_fit_ms``.
    trials : DataFrame
        One row a trial: ``pre_cell``, ``trial``, ``amplitude_mV``, ``failure``.
    t_ms : (n,) array
        Time after the presynaptic spike.
    v_mV : dict of int to (trials, n) array
        Somatic voltage of every trial, by presynaptic cell.
    attrs : dict
        ``seed``, ``conductance``, ``weight_factor``, ``hold_mV``, ``hold_nA``, those of
        `nmc.SynapseSettings`, ``origin`` and ``invented`` (where the package comes from, and
        whether its numbers are synthetic).
    """

    pre_mtype: str
    model: str
    cells: pd.DataFrame
    trials: pd.DataFrame
    t_ms: np.ndarray
    v_mV: dict[int, np.ndarray]
    attrs: dict = field(default_factory=dict)

    def compare(self) -> pd.DataFrame:
        """Put the presynaptic cells beside the pathway's sheet, see `compare_with_sheet`."""
        sheet = _sheet_row(self.pre_mtype, names.parse_model(self.model).mtype)
        return compare_with_sheet(self.cells, sheet, invented=self.attrs["invented"])


def compare_with_sheet(
    values: Mapping[str, Iterable[float]] | pd.DataFrame,
    sheet: pd.Series | None,
    *,
    invented: bool = False,
) -> pd.DataFrame:
    """Compare what single connections gave with a pathway's sheet: ratio of the means.

    `values` has for each column of `SHEET` one value a connection.  The interval of ``ratio`` is
    95 % bootstrap over the connections, none if they are fewer than six; it decides the verdict,
    with the sheet's mean as exact: a test by its deviation passes anything where that is as large
    as the mean (``mark``).
    """
    rows = {}
    for column, (name, unit) in SHEET.items():
        end = f"_{unit}" if unit else ""
        x = np.asarray(list(values[column]), float)
        x = x[np.isfinite(x)]
        mean, sd = (float(x.mean()), float(x.std())) if len(x) else (nan, nan)
        low, high = _interval_of_mean(x)
        printed, spread = (
            nan if sheet is None else float(sheet[f"{name}_{kind}{end}"])
            for kind in ("mean", "std")
        )
        scale = printed if printed > 0 else nan
        told = np.isfinite(low / scale)
        sides = () if sheet is None else (invented, says_invented(sheet))
        rows[column] = {
            "simulated": mean,
            "simulated_sd": sd,
            "n": len(x),
            "sheet": printed,
            "sheet_sd": spread,
            "ratio": mean / scale,
            "ratio_low": low / scale,
            "ratio_high": high / scale,
            "mark": "SD = 0" if spread == 0 else "SD ≥ mean" if spread >= printed else "",
            "verdict": verdict(bool(low <= printed <= high), *sides) if told else "",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _interval_of_mean(x: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of `x`; the same values give the same.

    Resampled means of few values scatter too little: the percentiles lie as far out as makes
    the interval of normal values that of Student's t (Hesterberg, 2015,
    https://doi.org/10.1080/00031305.2015.1089789).
    """
    n = len(x)
    if n < _FEWEST:
        return nan, nan
    tail = norm.cdf(-np.sqrt(n / (n - 1)) * student.ppf(0.975, n - 1))
    drawn = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))
    low, high = np.quantile(x[drawn].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def simulate_pair(
    pre_mtype: str,
    post_model: AnyModel,
    trials: int = 20,
    *,
    cells: int | Sequence[int] | None = 8,
    spikes_ms: Sequence[float] = (0.0,),
    conductance: str | float = "package",
    hold_mV: float | None = None,
    seed: int = 0,
    dt_ms: float = 0.05,
    window_ms: float = WINDOW_MS,
    workers: int = 1,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
    **synaptic: Unpack[SynapseSettings],
) -> PairedRecording:
    """Record the soma of a package while single presynaptic cells of an m-type fire.

    Parameters
    ----------
    pre_mtype : str
        Presynaptic m-type.
    post_model : str, Model, path or Package
        The recorded cell.
    trials : int
        Repetitions for each presynaptic cell, each from rest, with random releases of its own.
    cells : int, sequence of int, or None
        How many presynaptic cells, drawn at random; which ones (``pre_cell`` of the package's
        synapses); None takes all that contact the cell.
    spikes_ms : sequence of float
        Presynaptic spike times of a trial.
    conductance : {"package", "sheet"} or float
        Weights as the package has them; or all multiplied by one factor so that their mean is
        the sheet's conductance times its space-clamp factor (1 where it prints none), or a number
        of nS.  Packages carry neither in general: see `nmc.compare_conductances`.
    hold_mV : float, optional
        Keep the resting soma at this voltage by a constant current; no current unless given.
    seed : int
        Chooses cells and releases; the same seed gives the same numbers to the bit.
    dt_ms, window_ms : float
        Fixed step, and recorded time after the presynaptic spike.
    workers : int
        Processes at a time.
    trust, timeout_s, progress
        As for `nmc.simulate_step`; the time limit is for each presynaptic cell.
    **synaptic
        Calcium outside and other conditions, see `nmc.SynapseSettings`.

    Returns
    -------
    PairedRecording

    Raises
    ------
    UnknownNameError
        No such m-type, model or kind of conductance.
    SynapseError
        The package has no synapse of that m-type; a setting that cannot be.

    Notes
    -----
    For each presynaptic cell: *amplitude* is the mean over all trials of the largest deflection
    from the 5 ms before the spike, in the direction of the synapse's sign; *CV* the standard
    deviation of that over its mean; *failures* the share of trials below 0.01 mV.  On the mean of
    the trials that did not fail: *rise* from 20 to 80 % of the peak, *latency* from the presynaptic
    spike to 5 % of the peak, *decay* the time from the peak until 1/e of it is left
    (``decay_ms``, compared with the sheet); ``decay_fit_ms`` is another definition, the time
    constant of an exponential through 80 to 20 % of the falling phase.
    """
    if isinstance(conductance, str) and conductance not in CONDUCTANCES:
        raise UnknownNameError.of("conductance", conductance, CONDUCTANCES)
    trials = _count(trials, where="trials", low=1)
    seed = _count(seed, where="seed", high=_LARGEST_SEED)
    workers = _count(workers, where="workers", low=1)
    window_ms = _number(window_ms, where="window_ms", low=1, high=1e6)
    spikes = as_numbers(list(spikes_ms), where="spikes_ms", low=0, high=window_ms,
                        error=SynapseError)  # fmt: skip
    if not len(spikes):
        raise SynapseError("spikes_ms: at least one presynaptic spike is needed; got none.")
    if hold_mV is not None:
        hold_mV = _number(hold_mV, where="hold_mV", low=-120, high=0)
    settings = {
        "trials": trials, "seed": seed, "onset_ms": ONSET_MS, "window_ms": window_ms,
        "dt_ms": _number(dt_ms, where="dt_ms", low=1e-4, high=SAMPLING_MS),
        "sampling_ms": SAMPLING_MS, "v_init_mV": V_INIT_MV, "hold_mV": hold_mV,
        "spikes_ms": spikes.tolist(),
    }  # fmt: skip
    package = as_package(post_model, trust=trust)
    contacts = contacts_of(package, pre_mtype)
    factor = _weight_factor(package, pre_mtype, contacts, conductance)
    contacts = contacts.assign(weight_nS=factor * contacts["weight_nS"])
    contacts = scale_synapses(contacts, package.mtype, **synaptic)
    chosen = choose_cells(contacts, cells, np.random.default_rng(seed)).tolist()

    def record(pre_cell: int):
        spec = to_spec(contacts[contacts["pre_cell"] == pre_cell])
        params = {"cell": package.to_spec(), "contacts": spec, **settings}
        return run_cached("nmc.circuit._neuron:run_pair", params, [package], synapses=True,
                          timeout_s=timeout_s)  # fmt: skip

    found = thread_map(  # each thread waits for a process
        record, chosen, max_workers=workers, unit="cell", leave=False, delay=1.0,
        disable=None if progress else True,
    )  # fmt: skip
    return _as_recording(
        names.canonical_mtype(pre_mtype), package, contacts, dict(zip(chosen, found, strict=True)),
        {"seed": seed, "conductance": conductance, "weight_factor": factor, "hold_mV": hold_mV,
         **check_synaptic(synaptic)},
    )  # fmt: skip


def _weight_factor(package, pre_mtype, contacts, conductance: str | float) -> float:
    if conductance == "package":
        return 1.0
    mean = contacts["weight_nS"].mean()
    if conductance != "sheet":
        return _number(conductance, where="conductance, nS", low=0) / mean
    row = _sheet_row(names.canonical_mtype(pre_mtype), package.mtype)
    if row is None:
        raise SynapseError(f"The sheets have no pathway {pre_mtype}:{package.mtype}.")
    clamp = row["space_clamp_correction_factor"]
    return float(row["gsyn_mean_nS"]) * (1.0 if pd.isna(clamp) else float(clamp)) / mean


def _sheet_row(pre: str, post: str) -> pd.Series | None:
    table = load_pathways()
    rows = table[(table["pre"] == pre) & (table["post"] == post)]
    return None if rows.empty else rows.iloc[0]


def _as_recording(pre_mtype, package, contacts, found, attrs) -> PairedRecording:
    """Measure the recordings, by presynaptic cell."""
    sign = 1 if bool(contacts["excitatory"].iloc[0]) else -1
    t = next(iter(found.values()))[1]["t_ms"]
    rows, singles, traces = {}, [], {}
    for pre_cell, (meta, arrays) in found.items():
        traces[pre_cell] = v = arrays["v_mV"]
        attrs["hold_nA"] = meta["hold_nA"]
        count = int((contacts["pre_cell"] == pre_cell).sum())
        rows[pre_cell] = {"contacts": count, "trials": len(v), **measure_psp(t, v, sign)}
        amplitude = psp_amplitudes(t, v, sign)
        singles.append(pd.DataFrame(
            {"pre_cell": pre_cell, "trial": np.arange(len(v)), "amplitude_mV": amplitude,
             "failure": amplitude < FAILURE_mV}
        ))  # fmt: skip
    cells = pd.DataFrame(list(rows.values()), index=pd.Index(rows, name="pre_cell"))
    trials = pd.concat(singles, ignore_index=True)
    attrs = attrs | origin_of([package])
    return PairedRecording(pre_mtype, package.name, cells, trials, t, traces, attrs)


# -- measures of postsynaptic potentials -------------------------------------------------------


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
        "cv": amplitude.std() / mean if mean > 0 else nan,
        "failures_percent": 100 * (1 - worked.mean()),
    }
    shape = dict.fromkeys(("rise_time_ms", "latency_ms", "decay_ms", "decay_fit_ms"), nan)
    if worked.any():
        psp = sign * (v_mV - v_mV[:, t_ms < 0].mean(axis=1, keepdims=True))[worked].mean(axis=0)
        shape = _shape(t_ms[t_ms >= 0], psp[t_ms >= 0])
    return result | shape


def _shape(t: np.ndarray, psp: np.ndarray) -> dict[str, float]:
    top = int(psp.argmax())
    rising, falling, late = psp[: top + 1] / psp[top], psp[top:] / psp[top], t[top:]
    return {
        "rise_time_ms": _reached(t, rising, 0.8) - _reached(t, rising, 0.2),
        "latency_ms": _reached(t, rising, 0.05),
        "decay_ms": _time_to_fall(late, falling, 1 / e),
        "decay_fit_ms": _fitted_decay(late, falling),
    }


def _reached(t: np.ndarray, rising: np.ndarray, level: float) -> float:
    """Last crossing of a level before the peak, linear to the next sample."""
    k = int(np.flatnonzero(rising < level).max(initial=0))
    if k == len(rising) - 1:
        return t[k]
    step = rising[k + 1] - rising[k]
    return t[k] + (t[k + 1] - t[k]) * ((level - rising[k]) / step if step > 0 else 0.0)


def _time_to_fall(t: np.ndarray, falling: np.ndarray, level: float) -> float:
    """Time from the peak to a level, linear between samples; NaN if it is not reached."""
    below = np.flatnonzero(falling <= level)
    if not len(below):
        return nan
    k = int(below[0])
    share = (falling[k - 1] - level) / (falling[k - 1] - falling[k])
    return t[k - 1] + share * (t[k] - t[k - 1]) - t[0]


def _fitted_decay(t: np.ndarray, falling: np.ndarray) -> float:
    """Time constant of an exponential through 80 to 20 % of the fall; NaN if that is too short."""
    start, end = (np.append(np.flatnonzero(low), len(falling))[0]
                  for low in (falling <= 0.8, falling < 0.2))  # fmt: skip
    if end - start <= 5:
        return nan
    return -1 / np.polyfit(t[start:end], np.log(falling[start:end]), 1)[0]
