"""Point neurons calibrated on the packages, alone and in the circuits of a plan.

A second model, to be compared with the first.

The adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005, J. Neurophysiology
94:3637-3642) of one compartment.  Rest, input resistance and time constant are those of
`nmc.simulate_rest`; threshold, reset and adaptation are fitted to the firing rates of
`nmc.simulate_fi`.  What a dendrite does beyond attenuating charge, it cannot do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.optimize import differential_evolution

from nmc.cells.build import cell_spec
from nmc.cells.measures import simulate_fi, simulate_rest
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS
from nmc.cells.results import run_cached
from nmc.circuit._point import GABAB_MS, NMDA_MS, RISE_MS, run_network, run_step
from nmc.circuit.activity import CircuitRun
from nmc.circuit.network import TSTOP_MS, as_run, check_length, check_recorded, check_step
from nmc.circuit.plan import CircuitPlan
from nmc.errors import CircuitError
from nmc.numbers import as_count

SLOPE_MV, REFRACTORY_MS, DT_MS = 2.0, 2.0, 0.1
#: Amplitudes the fit asks for, as shares of the package's weakest step.
SHARES = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
#: The mechanism's own values, where a package sets none.
_UNSET = {"NMDA_ratio": 0.0, "mg_mM": 1.0, "GABAB_ratio": 0.0, "e_GABAA_mV": -80.0,
          "e_GABAB_mV": -97.0}  # fmt: skip


@dataclass(frozen=True)
class PointNeuron:
    """One compartment that rests and fires like a package's cell.

    Attributes
    ----------
    model : str
        The package's name.
    capacitance_nF, leak_uS, rest_mV : float
        From rest, input resistance and time constant: C = τ/R, g = 1/R.
    threshold_mV, slope_mV : float
        Where the exponential takes off (fitted), and how steeply.
    reset_mV, adaptation_nA, adaptation_ms : float
        Fitted: where a spike leaves the voltage, and by how much and how long it adds to an
        outward current.
    refractory_ms : float
        Fixed, as is the slope.
    rates : DataFrame
        ``amplitude_nA``, ``cell_Hz`` (the package), ``point_Hz``.
    attrs : dict
        ``model``, ``origin`` and ``invented`` of the package.
    """

    model: str
    capacitance_nF: float
    leak_uS: float
    rest_mV: float
    threshold_mV: float
    slope_mV: float
    reset_mV: float
    adaptation_nA: float
    adaptation_ms: float
    refractory_ms: float
    rates: pd.DataFrame
    attrs: dict = field(default_factory=dict)

    @property
    def rate_error_Hz(self) -> float:
        """Root mean squared difference of the firing rates, Hz."""
        return float(np.sqrt(((self.rates["point_Hz"] - self.rates["cell_Hz"]) ** 2).mean()))

    def row(self) -> np.ndarray:
        """Parameters in the order of the compiled loops, which is that of the fields; (9,)."""
        return np.array([getattr(self, each.name) for each in fields(self)[1:10]])


def fit_point_neuron(
    model: AnyModel, *, mode: str = "converged", seed: int = 0, n_workers: int = 2
) -> PointNeuron:
    """Calibrate a point neuron on a package's own simulated rest and firing rates.

    Parameters
    ----------
    model, mode
        As for `nmc.simulate_rest`.
    seed : int
        Of the search, differential evolution.
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
    """
    seed = as_count(seed, where="seed", error=CircuitError)
    package = as_package(model)
    rest = simulate_rest(package, mode=mode, progress=False).attrs
    steps = [share * package.steps_nA[0] for share in SHARES]
    measured = simulate_fi(package, steps, mode=mode, n_workers=n_workers, progress=False)
    if not measured["spike_count"].any():
        raise CircuitError(f"{package.name} fires at none of the steps: nothing to calibrate on.")
    leak = 1 / rest["input_resistance_MOhm"]  # µS
    fixed = rest["membrane_time_constant_ms"] * leak, leak, rest["resting_membrane_potential_mV"]
    amplitudes = measured["amplitude_nA"].to_numpy()
    best = _search(fixed, package.hold_nA, amplitudes, measured["rate_Hz"].to_numpy(), seed)
    rates = pd.DataFrame(
        {"amplitude_nA": amplitudes, "cell_Hz": measured["rate_Hz"],
         "point_Hz": _rates(best, package.hold_nA, amplitudes)}
    )  # fmt: skip
    C, g, E, threshold, slope, reset, jump, tau, refractory = best.tolist()
    return PointNeuron(package.name, C, g, E, threshold, slope, reset, jump, tau, refractory,
                       rates, package.source)  # fmt: skip


def _rates(row, hold_nA, amplitudes) -> np.ndarray:
    start, stop = STEP_START_MS, STEP_START_MS + STEP_MS
    times = [run_step(row, hold_nA, a, start, stop, DT_MS)[0] for a in amplitudes]
    return 1e3 * np.array([(t >= start).sum() for t in times]) / STEP_MS


def _search(fixed, hold_nA, amplitudes, target, seed: int) -> np.ndarray:
    """Parameters of the loops, with the threshold, reset and adaptation of the nearest rates."""

    def as_row(x) -> np.ndarray:
        above, below, jump, tau = x
        threshold = fixed[2] + above
        fitted = threshold, SLOPE_MV, threshold - below, np.exp(jump), np.exp(tau)
        return np.array([*fixed, *fitted, REFRACTORY_MS])

    def cost(x) -> float:
        return float(((_rates(as_row(x), hold_nA, amplitudes) - target) ** 2).sum())

    # The threshold is sought around the steady voltage of the weakest current that made a spike.
    fired = amplitudes[target > 0].min()
    reach = (hold_nA + fired) / fixed[1]
    bounds = [
        (max(0.2 * reach, 2.0), 1.3 * reach + 5.0), (0.0, 25.0),
        (np.log(1e-4), np.log(max(0.5 * fired, 1e-3))), (np.log(20.0), np.log(800.0)),
    ]  # fmt: skip
    rng = np.random.default_rng(seed)
    found = differential_evolution(
        cost, bounds, popsize=10, maxiter=40, tol=1e-3, rng=rng, polish=False
    )
    return as_row(found.x)


def compute_attenuation(model: AnyModel) -> pd.DataFrame:
    """Say which share of the charge of a small synaptic current reaches the soma.

    NEURON's impedance tool on the resting cell, at 0 Hz: the transfer impedance from the place
    to the soma over the soma's own input impedance.

    Parameters
    ----------
    model : str, Model, path or Package
        The cell.

    Returns
    -------
    pandas.DataFrame
        One row a segment: ``section``, ``x``, ``share``; ``attrs`` say the origin.
    """
    package = as_package(model)
    params = {"cell": cell_spec(package), "v_init_mV": -70.0, "dt_ms": 0.1}
    meta, arrays = run_cached("nmc.circuit._neuron:run_attenuation", params, [package])
    sections = np.array(meta["sections"])[arrays["section"]]
    table = pd.DataFrame({"section": sections, "x": arrays["x"], "share": arrays["share"]})
    table.attrs = package.source
    return table


@lru_cache(maxsize=128)
def attenuate(package: Package) -> np.ndarray:
    """Share of its charge that each synapse of a package delivers; shape (synapses,)."""
    groups = compute_attenuation(package).groupby("section")
    found = {section: (rows["x"].to_numpy(), rows["share"].to_numpy()) for section, rows in groups}
    synapses = package.synapses
    return np.array(
        [np.interp(x, *found[s]) for s, x in zip(synapses["section"], synapses["x"], strict=True)]
    )


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
    (`compute_attenuation`).  The Poisson input has the same contacts and rate, and other times,
    which do not depend on the wiring.

    Parameters
    ----------
    plan : CircuitPlan
        From `nmc.plan_circuit`.
    points : mapping of str to PointNeuron, optional
        By model; calibrated here unless given.
    tstop_ms, record, dt_ms
        As for `nmc.simulate_circuit`; the steps are exponential Euler's.
    seed : int, optional
        Of the Poisson input and the releases; the plan's unless given.

    Returns
    -------
    CircuitRun

    Raises
    ------
    CircuitError
        A model of the plan has no point neuron; a setting that cannot be.
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
    contacts = plan.contacts.fillna(_UNSET)
    arguments = [
        np.array([points[m].row() for m in models]),
        np.array(plan.settings["drive_nA"], float),
        *_wiring(plan, contacts, dt_ms, seed),
        *_events(plan, steps, dt_ms, np.random.default_rng([seed, 3])),
        np.array(record, np.int64), steps, dt_ms,
    ]  # fmt: skip
    times, who, traces = run_network(*arguments)
    settings = {
        "tstop_ms": float(steps * dt_ms), "seed": seed, "record": record,
        "integration_said": f"point neurons, exponential Euler, {dt_ms:g} ms",
    }  # fmt: skip
    arrays = {"spike_gid": who.astype(int), "spike_t_ms": times, "t_ms": dt_ms * np.arange(steps)}
    arrays |= {f"v_{cell}": trace for cell, trace in zip(record, traces, strict=True)}
    return as_run(plan, settings, {}, arrays)


def _peak(rise, decay):
    """Factor that makes a double exponential's peak one."""
    top = rise * decay / (decay - rise) * np.log(decay / rise)
    return 1 / (np.exp(-top / decay) - np.exp(-top / rise))


def _wiring(plan: CircuitPlan, contacts: pd.DataFrame, dt_ms: float, seed: int):
    """Decays, reversals, links, contacts and their random streams, as `run_network` takes them."""
    excitatory = contacts["excitatory"].to_numpy(bool)
    cells = range(len(plan.neurons))

    def mean(column: str, which: np.ndarray, standard: float) -> np.ndarray:
        found = contacts[which].groupby("post")[column].mean()
        return found.reindex(cells).fillna(standard).to_numpy(float)

    decays = np.array([mean("decay_ms", excitatory, 1.74), mean("decay_ms", ~excitatory, 8.3)]).T
    kinds = {"e_GABAA_mV": ~excitatory, "e_GABAB_mV": ~excitatory, "mg_mM": excitatory}
    reversals = np.array([mean(name, which, _UNSET[name]) for name, which in kinds.items()]).T
    post, synapse = contacts["post"].to_numpy(), contacts["synapse"].to_numpy()
    share = np.zeros(len(contacts))
    for model, package in plan.packages.items():
        here = (contacts["model"] == model).to_numpy()
        share[here] = attenuate(package)[synapse[here]]
    weight = 1e-3 * contacts["weight_nS"].to_numpy() * share  # µS
    ratio = np.where(excitatory, contacts["NMDA_ratio"], contacts["GABAB_ratio"])
    fast = _peak(RISE_MS, decays[post, np.where(excitatory, 0, 1)])
    slow = np.where(excitatory, _peak(*NMDA_MS), _peak(*GABAB_MS))
    rows = np.column_stack(
        [contacts[["utilisation", "depression_ms", "facilitation_ms"]], weight * fast,
         weight * ratio * slow, excitatory]
    ).astype(float)  # fmt: skip
    heads = contacts.drop_duplicates("link")
    wired = heads["pre"].to_numpy() >= 0
    delays = np.where(wired, np.rint(heads["delay_ms"] / dt_ms), 1)
    counts = np.bincount(contacts["link"], minlength=len(heads))
    links = np.column_stack([delays, heads.index, heads["post"], counts]).astype(np.int64)
    pointer = np.searchsorted(heads["pre"][wired], np.arange(len(cells) + 1))
    inside = int((contacts["pre"] >= 0).sum())
    states = [  # of their own, so that the wiring does not change what the background releases
        np.random.default_rng([seed, 4 + part]).integers(1, 2**63, number, dtype=np.uint64)
        for part, number in enumerate((inside, len(contacts) - inside))
    ]
    return decays, reversals, pointer, links, rows, np.concatenate(states)


def _events(plan: CircuitPlan, steps: int, dt_ms: float, rng):
    """Poisson spikes of the background by step: where each step's rows begin, and the rows."""
    sources = len(plan.background)
    expected = plan.settings["background_Hz"] * 1e-3 * steps * dt_ms
    counts = rng.poisson(expected, sources)
    at = rng.integers(0, steps, counts.sum())
    rows = np.repeat(np.arange(sources), counts) + len(plan.connections)
    order = np.argsort(at, kind="stable")
    return np.searchsorted(at[order], np.arange(steps + 1)), rows[order]
