"""Point neurons calibrated on the packages, alone and in the circuits of a plan.

A second model, to be compared with the first.

The adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005, J. Neurophysiology
94:3637-3642) of one compartment.  Rest, input resistance and time constant are those of
`nmc.simulate_rest`; threshold, reset and adaptation are fitted to the firing rates of
`nmc.simulate_fi`.  What a dendrite does beyond attenuating charge, it cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import differential_evolution

from nmc import names
from nmc.cells.build import cell_spec
from nmc.cells.measures import simulate_fi, simulate_rest
from nmc.cells.package import Package, as_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS
from nmc.cells.results import run_cached
from nmc.circuit._point import run_network, run_step
from nmc.circuit.activity import CircuitRun
from nmc.circuit.network import TSTOP_MS, as_run, check_length, check_recorded, check_step
from nmc.circuit.plan import CircuitPlan
from nmc.errors import CircuitError
from nmc.numbers import as_count, as_number

SLOPE_MV, REFRACTORY_MS, DT_MS = 2.0, 2.0, 0.1
#: Amplitudes the fit asks for, as shares of the package's weakest step.
SHARES = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
_NMDA_RATIO, _MAGNESIUM_mM, _GABAB_RATIO = 0.0, 1.0, 0.0
_E_GABAA_MV, _E_GABAB_MV = -80.0, -97.0  # the mechanism's own, where a package sets none


@dataclass(frozen=True)
class PointNeuron:
    """One compartment that rests and fires like a package's cell.

    Attributes
    ----------
    model : str
        The package's name.
    capacitance_nF, leak_uS, rest_mV : float
        From rest, input resistance and time constant: C = τ/R, g = 1/R.
    threshold_mV, reset_mV, adaptation_nA, adaptation_ms : float
        Fitted: where the exponential takes off, where a spike leaves the voltage, and by how
        much and how long it adds to an outward current.
    slope_mV, refractory_ms : float
        Fixed.
    rates : DataFrame
        ``amplitude_nA``, ``cell_Hz`` (the package), ``point_Hz``.
    """

    model: str
    capacitance_nF: float
    leak_uS: float
    rest_mV: float
    threshold_mV: float
    reset_mV: float
    adaptation_nA: float
    adaptation_ms: float
    slope_mV: float
    refractory_ms: float
    rates: pd.DataFrame

    @property
    def rate_error_Hz(self) -> float:
        """Root mean squared difference of the firing rates, Hz."""
        return float(np.sqrt(((self.rates["point_Hz"] - self.rates["cell_Hz"]) ** 2).mean()))

    def row(self) -> np.ndarray:
        """Parameters in the order of the compiled loops; shape (9,)."""
        return np.array(
            [self.capacitance_nF, self.leak_uS, self.rest_mV, self.threshold_mV, self.slope_mV,
             self.reset_mV, self.adaptation_nA, self.adaptation_ms, self.refractory_ms]
        )  # fmt: skip


def fit_point_neuron(
    model: str | names.Model | Path | Package,
    *,
    mode: str = "converged",
    seed: int = 0,
    n_workers: int = 2,
) -> PointNeuron:
    """Calibrate a point neuron on a package's own simulated rest and firing rates.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    mode : {"published", "converged"}
        Integration of the package's runs; see `nmc.cells.settings`.
    seed : int
        Of the search (differential evolution, then Nelder and Mead's simplex).
    n_workers : int
        Runs of the package at the same time.

    Returns
    -------
    PointNeuron
        Its ``rate_error_Hz`` says how well the rates agree.

    Raises
    ------
    CircuitError
        The package does not fire at any of the amplitudes.
    PackageError, SimulationError
        As `nmc.simulate_rest` and `nmc.simulate_fi`.
    """
    seed = as_count(seed, where="seed", error=CircuitError)
    package = as_package(model)
    rest = simulate_rest(package, mode=mode, progress=False).attrs
    amplitudes = [share * package.steps_nA[0] for share in SHARES]
    measured = simulate_fi(package, amplitudes, mode=mode, n_workers=n_workers, progress=False)
    if not measured["spike_count"].any():
        raise CircuitError(f"{package.name} fires at none of the steps: nothing to calibrate on.")
    leak = 1 / rest["input_resistance_MOhm"]  # µS
    fixed = (
        rest["membrane_time_constant_ms"] * leak, leak, rest["resting_membrane_potential_mV"]
    )  # fmt: skip
    best = _search(fixed, package.hold_nA, measured, seed)
    row = _as_row(fixed, best)
    rates = pd.DataFrame(
        {"amplitude_nA": measured["amplitude_nA"], "cell_Hz": measured["rate_Hz"],
         "point_Hz": _rates(row, package.hold_nA, measured["amplitude_nA"])}
    )  # fmt: skip
    C, g, E, threshold, slope, reset, jump, tau, refractory = (float(x) for x in row)
    return PointNeuron(package.name, C, g, E, threshold, reset, jump, tau, slope, refractory, rates)


def _as_row(fixed, x) -> np.ndarray:
    """Parameters of the loops from the search's: threshold over rest, reset below it, …"""
    above, below, jump, tau = x
    threshold = fixed[2] + above
    return np.array(
        [*fixed, threshold, SLOPE_MV, threshold - below, np.exp(jump), np.exp(tau), REFRACTORY_MS]
    )


def _rates(row, hold_nA, amplitudes) -> np.ndarray:
    stop = STEP_START_MS + STEP_MS
    counts = [
        (run_step(row, hold_nA, a, STEP_START_MS, stop, DT_MS)[0] >= STEP_START_MS).sum()
        for a in amplitudes
    ]
    return 1e3 * np.array(counts) / STEP_MS


def _search(fixed, hold_nA, measured: pd.DataFrame, seed: int) -> np.ndarray:
    amplitudes, target = measured["amplitude_nA"].to_numpy(), measured["rate_Hz"].to_numpy()

    def cost(x):
        return float(((_rates(_as_row(fixed, x), hold_nA, amplitudes) - target) ** 2).sum())

    # The threshold is sought around the steady voltage of the weakest current that made a spike.
    fired = amplitudes[target > 0].min()
    reach = (hold_nA + fired) / fixed[1]
    bounds = [
        (max(0.2 * reach, 2.0), 1.3 * reach + 5.0), (0.0, 25.0),
        (np.log(1e-4), np.log(max(0.5 * fired, 1e-3))), (np.log(20.0), np.log(800.0)),
    ]  # fmt: skip
    return differential_evolution(
        cost,
        bounds,
        popsize=10,
        maxiter=40,
        tol=1e-3,
        rng=np.random.default_rng(seed),
        polish=False,
    ).x


def simulate_point_rest(point: PointNeuron, amplitude_nA: float = -0.01) -> dict[str, float]:
    """Run the rest protocol on a point neuron: a small current for a second.

    Returns
    -------
    dict
        ``resting_membrane_potential_mV``, ``input_resistance_MOhm``,
        ``membrane_time_constant_ms`` (63 % of the deflection reached).

    Raises
    ------
    CircuitError
        The amplitude is 0 or not finite.
    """
    if as_number(amplitude_nA, where="amplitude_nA", error=CircuitError) == 0:
        raise CircuitError("amplitude_nA: a current of 0 shows no resistance.")
    _, v = run_step(point.row(), 0.0, amplitude_nA, 500.0, 1500.0, DT_MS)
    base, end = v[4900], v[-1]
    late = np.flatnonzero((v - base) / (end - base) >= 1 - np.exp(-1))
    return {
        "resting_membrane_potential_mV": float(base),
        "input_resistance_MOhm": float((end - base) / amplitude_nA),
        "membrane_time_constant_ms": float(late[0] * DT_MS - 500.0),
    }


def compute_attenuation(model: str | names.Model | Path | Package) -> pd.DataFrame:
    """Say which share of the charge of a small synaptic current reaches the soma.

    NEURON's impedance tool on the resting cell, at 0 Hz: the transfer impedance from the place
    to the soma over the soma's own input impedance.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        A model's name, a package's folder, or a package.

    Returns
    -------
    pandas.DataFrame
        One row a segment: ``section``, ``x``, ``share``.

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
    """
    package = as_package(model)
    params = {"cell": cell_spec(package), "v_init_mV": -70.0, "dt_ms": 0.1}
    meta, arrays = run_cached("nmc.circuit._neuron:run_attenuation", params, [package])
    sections = np.array(meta["sections"])[arrays["section"]]
    return pd.DataFrame({"section": sections, "x": arrays["x"], "share": arrays["share"]})


def attenuate(package: Package) -> np.ndarray:
    """Share of its charge that each synapse of a package delivers; shape (synapses,)."""
    return _attenuated(package.name, package.content_sha256, package)


@lru_cache(maxsize=128)
def _attenuated(name: str, sha256: str, package: Package) -> np.ndarray:
    table = compute_attenuation(package)
    found = {s: (rows["x"].to_numpy(), rows["share"].to_numpy())
             for s, rows in table.groupby("section")}  # fmt: skip
    synapses = package.synapses
    sections = [s if s.endswith("]") else f"{s}[0]" for s in synapses["section"]]
    return np.array([np.interp(x, *found[s]) for s, x in zip(sections, synapses["x"], strict=True)])


# -- circuits of point neurons -----------------------------------------------------------------


def simulate_point_circuit(
    plan: CircuitPlan,
    *,
    points: Mapping[str, PointNeuron] | None = None,
    tstop_ms: float = TSTOP_MS,
    record: Sequence[int] = (),
    dt_ms: float = DT_MS,
    seed: int | None = None,
) -> CircuitRun:
    """Simulate a plan with calibrated point neurons in place of the packages.

    Wiring, delays, contacts, their random release and the constant currents are the plan's; each
    contact's conductance is multiplied by the share of its charge that reaches the soma
    (`compute_attenuation`).  The Poisson input has the same contacts and rate, and other times.

    Parameters
    ----------
    plan : CircuitPlan
        From `nmc.plan_circuit`.
    points : mapping of str to PointNeuron, optional
        By model; calibrated here unless given.
    tstop_ms, record
        As for `nmc.simulate_circuit`.
    dt_ms : float
        Fixed step (exponential Euler).
    seed : int, optional
        Of the Poisson input and the releases; the plan's unless given.  The input's draws do
        not depend on the wiring.

    Returns
    -------
    CircuitRun

    Raises
    ------
    CircuitError
        A model of the plan has no point neuron; a cell to record is not there; a length, step or
        seed that cannot be.
    """
    models = plan.neurons["model"].to_numpy()
    record, dt_ms = check_recorded(record, len(models)), check_step(dt_ms)
    tstop_ms = check_length(tstop_ms, dt_ms)
    seed = plan.settings["seed"] if seed is None else seed
    seed = as_count(seed, where="seed", error=CircuitError)
    if points is None:
        points = {m: fit_point_neuron(p) for m, p in plan.packages.items()}
    if missing := sorted(set(models) - set(points)):
        raise CircuitError(f"No point neuron is given for {', '.join(missing)}.")
    steps = round(tstop_ms / dt_ms)
    tables = {model: _PackageTable(plan.packages[model]) for model in plan.packages}
    links, contacts, state = _links(plan, tables, dt_ms, seed)
    events, event_links = _events(plan, steps, dt_ms, np.random.default_rng([seed, 3]))
    pointer = np.searchsorted(
        np.sort(plan.connections["pre"].to_numpy(int)), np.arange(len(models) + 1)
    )
    times, who, traces = run_network(
        np.array([points[m].row() for m in models]),
        np.array(plan.settings["drive_nA"], float),
        np.array([tables[m].taus for m in models]),
        np.array([tables[m].reversals for m in models]),
        pointer, links, contacts, state, events, event_links,
        np.array(record, np.int64), steps, dt_ms,
    )  # fmt: skip
    settings = {
        "tstop_ms": float(steps * dt_ms), "ranks": 1, "seed": seed, "record": record,
        "integration_said": f"point neurons, exponential Euler, {dt_ms:g} ms",
    }  # fmt: skip
    arrays = {"spike_gid": who.astype(int), "spike_t_ms": times, "t_ms": dt_ms * np.arange(steps)}
    arrays |= {f"v_{cell}": trace for cell, trace in zip(record, traces, strict=True)}
    return as_run(plan, settings, {}, arrays)


class _PackageTable:
    """A package's contacts as arrays, those of one presynaptic cell side by side."""

    def __init__(self, package: Package):
        synapses = package.synapses.assign(share=attenuate(package)).sort_values(
            "pre_cell", kind="stable"
        )
        excitatory = synapses["excitatory"].to_numpy(bool)
        decay = synapses["decay_ms"].to_numpy()
        self.taus = tuple(
            float(decay[which].mean()) if which.any() else standard
            for which, standard in ((excitatory, 1.74), (~excitatory, 8.3))
        )
        self.reversals = tuple(
            float(synapses[column].fillna(standard)[which].mean()) if which.any() else standard
            for column, standard, which in (
                ("e_GABAA_mV", _E_GABAA_MV, ~excitatory), ("e_GABAB_mV", _E_GABAB_MV, ~excitatory),
                ("mg_mM", _MAGNESIUM_mM, excitatory),
            )
        )  # fmt: skip
        ratio = np.where(
            excitatory, synapses["NMDA_ratio"].fillna(_NMDA_RATIO),
            synapses["GABAB_ratio"].fillna(_GABAB_RATIO),
        )  # fmt: skip
        weight = 1e-3 * synapses["weight_nS"].to_numpy() * synapses["share"].to_numpy()  # µS
        fast = np.where(excitatory, _peak(0.2, self.taus[0]), _peak(0.2, self.taus[1]))
        slow = np.where(excitatory, _peak(0.29, 43.0), _peak(3.5, 260.9))
        self.contacts = np.column_stack(
            [synapses["utilisation"], synapses["depression_ms"], synapses["facilitation_ms"],
             weight * fast, weight * ratio * slow, excitatory]
        ).astype(float)  # fmt: skip
        self.cells, self.first, self.count = np.unique(
            synapses["pre_cell"], return_index=True, return_counts=True
        )

    def find(self, sources: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First contact and number of contacts of presynaptic cells."""
        at = np.searchsorted(self.cells, sources)
        return self.first[at], self.count[at]


def _peak(rise: float, decay: float) -> float:
    """Factor that makes a double exponential's peak one."""
    top = rise * decay / (decay - rise) * np.log(decay / rise)
    return 1 / (np.exp(-top / decay) - np.exp(-top / rise))


def _links(plan: CircuitPlan, tables, dt_ms: float, seed: int):
    """Connections, then background sources, as rows; their contacts; the contacts' streams."""
    models = plan.neurons["model"].to_numpy()
    wired = plan.connections.sort_values("pre", kind="stable")
    parts = (
        (wired["post"].to_numpy(int), wired["source"].to_numpy(int),
         np.rint(wired["delay_ms"].to_numpy(float) / dt_ms).astype(int), plan.settings["gain"]),
        (plan.background["post"].to_numpy(int), plan.background["source"].to_numpy(int),
         np.ones(len(plan.background), int), 1.0),
    )  # fmt: skip
    links, contacts, states, total = [], [], [], 0
    for part, (post, source, delay, gain) in enumerate(parts):
        first, count = np.zeros(len(post), int), np.zeros(len(post), int)
        rows = []
        for model, table in tables.items():
            here = np.flatnonzero(models[post] == model)
            start, number = table.find(source[here])
            first[here] = total + np.r_[0, np.cumsum(number)][:-1]
            count[here] = number
            each = np.repeat(start - np.r_[0, np.cumsum(number)][:-1], number)
            chosen = table.contacts[each + np.arange(number.sum())]
            rows.append(chosen * np.array([1, 1, 1, gain, gain, 1]))
            total += int(number.sum())
        own = np.concatenate(rows) if rows else np.zeros((0, 6))
        contacts.append(own)
        rng = np.random.default_rng([seed, 4 + part])
        states.append(rng.integers(1, 2**63, len(own), dtype=np.uint64))
        links.append(np.column_stack([delay, first, post, count]).astype(np.int64))
    return np.concatenate(links), np.concatenate(contacts), np.concatenate(states)


def _events(plan: CircuitPlan, steps: int, dt_ms: float, rng):
    """Poisson spikes of the background by step: where each step's rows begin, and the rows."""
    sources = len(plan.background)
    expected = plan.settings["background_Hz"] * 1e-3 * steps * dt_ms
    counts = rng.poisson(expected, sources)
    at = rng.integers(0, steps, counts.sum())
    rows = np.repeat(np.arange(sources), counts) + len(plan.connections)
    order = np.argsort(at, kind="stable")
    return np.searchsorted(at[order], np.arange(steps + 1)), rows[order]
