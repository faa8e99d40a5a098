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
from numba import njit
from scipy.optimize import differential_evolution

from nmc.cells.measures import simulate_fi, simulate_rest
from nmc.cells.mechanisms import run_cached
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.protocols import STEP_MS, STEP_START_MS
from nmc.circuit.network import TSTOP_MS, CircuitRun, as_run, check_recorded
from nmc.circuit.plan import CircuitPlan
from nmc.errors import CircuitError
from nmc.numbers import as_count, as_number

SPIKE_MV = -20.0
NMDA_MS = (0.29, 43.0)
GABAB_MS = (3.5, 260.9)
RISE_MS = 0.2


@njit(cache=True)
def _step(v, w, current, p, fall, fade):
    """One exponential-Euler step; `fall`, `fade`: what is left of deflection and adaptation."""
    kick = p[4] * np.exp(min((v - p[3]) / p[4], 12.0))
    target = p[2] + (current - w) / p[1] + kick
    return target + (v - target) * fall, w * fade


@njit(cache=True)
def run_step(p, hold, amplitude, start, stop, dt):
    """Spike times (ms) and voltage under a holding current and a step from start to stop."""
    n = int(round(stop / dt))
    v, w, quiet = p[2], 0.0, 0.0
    fall, fade = np.exp(-dt * p[1] / p[0]), np.exp(-dt / p[7])
    times = np.empty(int(stop))
    trace = np.empty(n)
    count = 0
    for k in range(n):
        t = k * dt
        current = hold + (amplitude if t >= start else 0.0)
        if quiet > 0:
            quiet -= dt
            w *= fade
        else:
            v, w = _step(v, w, current, p, fall, fade)
            if v > SPIKE_MV and count < len(times):
                times[count] = t
                count += 1
                v = p[5]
                w += p[6]
                quiet = p[8]
        trace[k] = v
    return times[:count], trace


@njit(cache=True)
def _draw(state, k):
    """Uniform number of a contact's own stream (xorshift64*)."""
    x = state[k]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[k] = x
    return np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True)
def _release(link, t, slot, links, contacts, dynamics, state, ring):
    """Let the contacts of a connection release, as the packages' two-state synapses do."""
    first, post = links[link, 1], links[link, 2]
    for k in range(first, first + links[link, 3]):
        U, D, F = contacts[k, 0], contacts[k, 1], contacts[k, 2]
        if F > 0:
            u = dynamics[k, 0] * np.exp(-(t - dynamics[k, 1]) / F)
            u += U * (1 - u)
        else:
            u = U
        dynamics[k, 0] = u
        dynamics[k, 1] = t
        if dynamics[k, 2] == 0:
            if _draw(state, k) > np.exp(-(t - dynamics[k, 3]) / D):
                dynamics[k, 2] = 1
            else:
                dynamics[k, 3] = t
        if dynamics[k, 2] == 1 and _draw(state, k) < u:
            dynamics[k, 2] = 0
            dynamics[k, 3] = t
            kind = 0 if contacts[k, 5] > 0 else 2
            ring[slot, post, kind] += contacts[k, 3]
            ring[slot, post, kind + 1] += contacts[k, 4]


@njit(cache=True, nogil=True)
def run_network(
    cells, drive, taus, reversals, pointer, links, contacts, state, events, event_links,
    recorded, steps, dt,
):  # fmt: skip
    """Run the network; returns spike times, who spiked, and recorded voltages.

    ``pointer`` (N + 1) a sender's rows of ``links`` (delay in steps, first contact, receiver,
    contacts); ``contacts`` (U, D, F, fast weight, slow weight, excitatory); ``events`` a step's
    rows of ``event_links``; ``reversals`` GABA-A, GABA-B, magnesium (mM).
    """
    n = len(cells)
    depth = links[:, 0].max() + 2 if len(links) else 2
    ring = np.zeros((depth, n, 4))
    dynamics = np.zeros((len(contacts), 4))
    dynamics[:, 2] = 1
    g = np.zeros((n, 8))  # rise and decay of AMPA, NMDA, GABA-A, GABA-B
    decay = np.empty((n, 8))
    for i in range(n):
        times = (RISE_MS, taus[i, 0], NMDA_MS[0], NMDA_MS[1],
                 RISE_MS, taus[i, 1], GABAB_MS[0], GABAB_MS[1])  # fmt: skip
        for k in range(8):
            decay[i, k] = np.exp(-dt / times[k])
    fall, fade = np.exp(-dt * cells[:, 1] / cells[:, 0]), np.exp(-dt / cells[:, 7])
    v, w, quiet = cells[:, 2].copy(), np.zeros(n), np.zeros(n)
    out_t, out_i = np.empty(n * steps // 10 + 10), np.empty(n * steps // 10 + 10, np.int64)
    traces = np.empty((len(recorded), steps))
    count = 0
    for step in range(steps):
        t, slot = step * dt, step % depth
        for k in range(events[step], events[step + 1]):
            _release(event_links[k], t, slot, links, contacts, dynamics, state, ring)
        for i in range(n):
            for k in range(8):
                g[i, k] = g[i, k] * decay[i, k] + ring[slot, i, k // 2]
            ampa, nmda = g[i, 1] - g[i, 0], g[i, 3] - g[i, 2]
            fast, slow = g[i, 5] - g[i, 4], g[i, 7] - g[i, 6]
            ring[slot, i] = 0.0
            if quiet[i] > 0:
                quiet[i] -= dt
                w[i] *= fade[i]
                continue
            nmda /= 1 + np.exp(-0.062 * v[i]) * reversals[i, 2] / 3.57
            current = drive[i] - (ampa + nmda) * v[i]
            current -= fast * (v[i] - reversals[i, 0]) + slow * (v[i] - reversals[i, 1])
            v[i], w[i] = _step(v[i], w[i], current, cells[i], fall[i], fade[i])
            if v[i] > SPIKE_MV:
                v[i] = cells[i, 5]
                w[i] += cells[i, 6]
                quiet[i] = cells[i, 8]
                if count < len(out_t):
                    out_t[count], out_i[count] = t, i
                    count += 1
                for link in range(pointer[i], pointer[i + 1]):
                    at = (step + max(links[link, 0], 1)) % depth
                    _release(link, t, at, links, contacts, dynamics, state, ring)
        for k in range(len(recorded)):
            traces[k, step] = v[recorded[k]]
    return out_t[:count], out_i[:count], traces


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


def fit_point_neuron(model: AnyModel) -> PointNeuron:
    """Calibrate a point neuron on a package's own simulated rest and firing rates.

    Parameters
    ----------
    model
        As for `nmc.simulate_rest`.

    Returns
    -------
    PointNeuron
        Its ``rate_error_Hz`` says how well the rates agree.

    Raises
    ------
    CircuitError
        The package does not fire at any of the amplitudes.
    """
    package = as_package(model)
    rest = simulate_rest(package, mode="converged", progress=False).attrs
    steps = [share * package.steps_nA[0] for share in SHARES]
    measured = simulate_fi(package, steps, progress=False)
    if not measured["spike_count"].any():
        raise CircuitError(f"{package.name} fires at none of the steps: nothing to calibrate on.")
    leak = 1 / rest["input_resistance_MOhm"]  # µS
    fixed = rest["membrane_time_constant_ms"] * leak, leak, rest["resting_membrane_potential_mV"]
    amplitudes = measured["amplitude_nA"].to_numpy()
    best = _search(fixed, package.hold_nA, amplitudes, measured["rate_Hz"].to_numpy())
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


def _search(fixed, hold_nA, amplitudes, target) -> np.ndarray:
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
    rng = np.random.default_rng(0)
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
    params = {"cell": package.to_spec(), "v_init_mV": -70.0, "dt_ms": 0.1}
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
    record = check_recorded(record, len(models))
    dt_ms = as_number(dt_ms, where="dt_ms", low=1e-4, high=1.0, error=CircuitError)
    tstop_ms = as_number(tstop_ms, where="tstop_ms", low=dt_ms, high=1e7, error=CircuitError)
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
