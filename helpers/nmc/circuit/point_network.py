"""Circuits of point neurons: the same plan as `nmc.simulate_circuit`, run on one compartment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nmc.cells.package import Package
from nmc.circuit.contacts import origin_of
from nmc.circuit.network import (
    TSTOP_MS,
    CircuitRun,
    check_length,
    check_recorded,
    check_step,
)
from nmc.circuit.plan import CircuitPlan
from nmc.circuit.point import DT_MS, PointNeuron, attenuate, fit_point_neuron
from nmc.errors import CircuitError
from nmc.numbers import as_count

_NMDA_RATIO, _MAGNESIUM_mM, _GABAB_RATIO = 0.0, 1.0, 0.0
_E_GABAA_MV, _E_GABAB_MV = -80.0, -97.0  # the mechanism's own, where a package sets none


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
    from nmc.circuit._point import run_network

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
    return _as_run(plan, times, who, traces, record, steps * dt_ms, dt_ms, seed)


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


def _as_run(plan, times, who, traces, record, tstop_ms, dt_ms, seed) -> CircuitRun:
    spikes = pd.DataFrame({"cell": who.astype(int), "t_ms": times})
    spikes = spikes.sort_values(["t_ms", "cell"], ignore_index=True)
    at = spikes["cell"].to_numpy()
    spikes.insert(1, "neuron", plan.neurons["neuron"].to_numpy()[at])
    spikes.insert(2, "mtype", plan.neurons["mtype"].to_numpy()[at])
    voltages = pd.DataFrame(
        {"t_ms": dt_ms * np.arange(traces.shape[1])}
        | {f"cell_{c}_mV": trace for c, trace in zip(record, traces, strict=True)}
    )
    attrs = {
        "tstop_ms": float(tstop_ms), "ranks": 1, "seed": seed,
        "integration": f"point neurons, exponential Euler, {dt_ms:g} ms",
        **origin_of(plan.packages.values()),
    }  # fmt: skip
    return CircuitRun(plan, spikes, voltages, attrs)
