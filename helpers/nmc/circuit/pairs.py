"""In-silico paired recordings: one presynaptic cell fires, the soma of a package is recorded.

The contacts stand where the microcircuit put them: in the package's own ``synapses.tsv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import child, names
from nmc.cells.build import cell_spec
from nmc.cells.package import Package
from nmc.cells.protocols import as_package, run_cached
from nmc.circuit.contacts import choose_cells, contacts_of, origin_of, to_spec
from nmc.circuit.psp import FAILURE_mV, measure_psp, psp_amplitudes
from nmc.errors import SynapseError, UnknownNameError
from nmc.numbers import as_count, as_number, as_numbers

CONDUCTANCES = ("package", "sheet")
_LARGEST_SEED = 40_000  # times 100,000 and a trial, it still fits the generator's 32 bits
ONSET_MS, WINDOW_MS, SAMPLING_MS, V_INIT_MV = 5.0, 200.0, 0.1, -70.0

#: Column here → column of `nmc.load_pathways` without ``_mean…`` and its unit.
SHEET = {
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
        ``origin`` and ``invented``: where the package comes from, and whether its numbers are
        synthetic; ``seed``, ``conductance``.
    """

    pre_mtype: str
    model: str
    cells: pd.DataFrame
    trials: pd.DataFrame
    t_ms: np.ndarray
    v_mV: dict[int, np.ndarray]
    attrs: dict = field(default_factory=dict)

    def compare(self) -> pd.DataFrame:
        """Put mean and standard deviation over the cells beside the pathway's sheet.

        Returns
        -------
        pandas.DataFrame
            Index: the six quantities.  ``simulated``, ``simulated_sd``, ``sheet``, ``sheet_sd``
            (NaN without a sheet) and ``within_one_sd``: whether the simulated mean lies within
            the sheet's standard deviation.
        """
        sheet = _sheet_row(self.pre_mtype, names.parse_model(self.model).mtype)
        rows = {}
        for column, (name, unit) in SHEET.items():
            end = f"_{unit}" if unit else ""
            mean, sd = self.cells[column].mean(), self.cells[column].std(ddof=0)
            printed = np.nan if sheet is None else float(sheet[f"{name}_mean{end}"])
            spread = np.nan if sheet is None else float(sheet[f"{name}_std{end}"])
            rows[column] = [mean, sd, printed, spread, bool(abs(mean - printed) <= spread)]
        columns = ["simulated", "simulated_sd", "sheet", "sheet_sd", "within_one_sd"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def simulate_pair(
    pre_mtype: str,
    post_model: str | names.Model | Path | Package,
    trials: int = 20,
    *,
    cells: int | None = 8,
    spikes_ms: Sequence[float] = (0.0,),
    conductance: str = "package",
    seed: int = 0,
    dt_ms: float = 0.05,
    window_ms: float = WINDOW_MS,
    workers: int = 1,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> PairedRecording:
    """Record the soma of a package while single presynaptic cells of an m-type fire.

    Parameters
    ----------
    pre_mtype : str
        Presynaptic m-type.
    post_model : str, Model, path or Package
        The recorded cell, without current injected.
    trials : int
        Repetitions for each presynaptic cell, each from rest, with random releases of its own.
    cells : int or None
        How many presynaptic cells, drawn at random; None takes all that contact the cell.
    spikes_ms : sequence of float
        Presynaptic spike times of a trial.
    conductance : {"package", "sheet"}
        Weights as the package has them, or scaled so that their mean is the sheet's conductance
        times its space-clamp factor where one is given.
    seed : int
        Chooses cells and releases; the same seed gives the same numbers to the bit.
    dt_ms : float
        Fixed step.
    window_ms : float
        Recorded time after the presynaptic spike.
    workers : int
        Processes at a time.
    trust, timeout_s, progress
        As for `nmc.simulate_step`; the time limit is for each presynaptic cell.

    Returns
    -------
    PairedRecording

    Raises
    ------
    UnknownNameError
        No such m-type, model or kind of conductance.
    SynapseError
        The package has no synapse of that m-type; a number that cannot be: trials, cells, spike
        times, step, window, seed.

    Notes
    -----
    For each presynaptic cell: *amplitude* is the mean over all trials of the largest deflection
    from the 5 ms before the spike, in the direction of the synapse's sign; *CV* the standard
    deviation of that over its mean; *failures* the share of trials below 0.01 mV.  On the mean of
    the trials that did not fail: *rise* from 20 to 80 % of the peak, *latency* from the presynaptic
    spike to 5 % of the peak, *decay* the time constant of an exponential through 80 to 20 % of
    the falling phase.
    """
    if conductance not in CONDUCTANCES:
        raise UnknownNameError.of("conductance", conductance, CONDUCTANCES)
    trials = as_count(trials, where="trials", low=1, error=SynapseError)
    seed = as_count(seed, where="seed", high=_LARGEST_SEED, error=SynapseError)
    workers = as_count(workers, where="workers", low=1, error=SynapseError)
    dt_ms = as_number(dt_ms, where="dt_ms", low=1e-4, high=SAMPLING_MS, error=SynapseError)
    window_ms = as_number(window_ms, where="window_ms", low=1, high=1e6, error=SynapseError)
    spikes = as_numbers(list(spikes_ms), where="spikes_ms", low=0, high=window_ms,
                        error=SynapseError).tolist()  # fmt: skip
    if not spikes:
        raise SynapseError("spikes_ms: at least one presynaptic spike is needed; got none.")
    package = as_package(post_model, trust=trust)
    contacts = contacts_of(package, pre_mtype)
    factor = _weight_factor(package, pre_mtype, contacts, conductance)
    chosen = choose_cells(contacts, cells, np.random.default_rng(seed))
    excitatory = bool(contacts["excitatory"].iloc[0])

    def one(pre_cell: int):
        params = {
            "cell": cell_spec(package),
            "contacts": to_spec(contacts[contacts["pre_cell"] == pre_cell], factor),
            "trials": trials,
            "seed": seed,
            "onset_ms": ONSET_MS,
            "window_ms": window_ms,
            "dt_ms": dt_ms,
            "sampling_ms": SAMPLING_MS,
            "v_init_mV": V_INIT_MV,
            "spikes_ms": spikes,
        }
        return run_cached(
            "nmc.circuit._pair:run",
            params,
            [package],
            synapses=True,
            timeout_s=timeout_s,
        )[1]

    found = dict(zip(chosen.tolist(), _each(one, chosen.tolist(), workers, progress), strict=True))
    t = next(iter(found.values()))["t_ms"]
    rows, singles = [], []
    for pre_cell, arrays in found.items():
        amplitude = psp_amplitudes(t, arrays["v_mV"], 1 if excitatory else -1)
        rows.append(
            {
                "pre_cell": pre_cell,
                "contacts": int((contacts["pre_cell"] == pre_cell).sum()),
                "trials": trials,
                **measure_psp(t, arrays["v_mV"], 1 if excitatory else -1),
            }
        )
        singles += [
            {"pre_cell": pre_cell, "trial": k, "amplitude_mV": a, "failure": bool(a < FAILURE_mV)}
            for k, a in enumerate(amplitude)
        ]
    return PairedRecording(
        names.canonical_mtype(pre_mtype),
        package.name,
        pd.DataFrame(rows).set_index("pre_cell"),
        pd.DataFrame(singles),
        t,
        {pre_cell: arrays["v_mV"] for pre_cell, arrays in found.items()},
        {"seed": seed, "conductance": conductance, **origin_of([package])},
    )


def _weight_factor(package, pre_mtype, contacts, conductance: str) -> float:
    if conductance == "package":
        return 1.0
    row = _sheet_row(names.canonical_mtype(pre_mtype), package.mtype)
    if row is None:
        raise SynapseError(f"The sheets have no pathway {pre_mtype}:{package.mtype}.")
    clamp = row["space_clamp_correction_factor"]
    clamp = 1.0 if pd.isna(clamp) else float(clamp)
    return float(row["gsyn_mean_nS"]) * clamp / contacts["weight_nS"].mean()


def _sheet_row(pre: str, post: str) -> pd.Series | None:
    from nmc.factsheets.pathways import load_pathways

    table = load_pathways()
    rows = table[(table["pre"] == pre) & (table["post"] == post)]
    return None if rows.empty else rows.iloc[0]


def _each(function, items: list, workers: int, progress: bool) -> list:
    """Call a function for each item in threads, with a progress bar; each starts a process."""
    from tqdm import tqdm

    with ThreadPoolExecutor(max(1, workers)) as pool:
        calls = pool.map(function, items)
        return list(tqdm(calls, total=len(items), unit="cell", leave=False, delay=1.0,
                         disable=None if progress else True))  # fmt: skip
