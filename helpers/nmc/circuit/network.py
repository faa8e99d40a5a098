"""Small circuits of full me-type packages, with any time step, and what they did.

The packages' synapses multiply their states by ``exp(-dt/tau)`` once a step, with the factor
computed at the start for one fixed step.  `rewrite` states the same decay as the differential
equation it solves, ``A' = -A/tau``, which NEURON integrates exactly under a fixed step
(``cnexp``) and with the rest of the cell under the variable one.  Release stays as it is: it
draws its random numbers when a spike arrives, never between.  Channels that draw them every step
have no meaning under a variable step, so circuits with such keep the fixed one.

Every cell takes steps of its own (NEURON's local variable step; Lytton and Hines 2005, Neural
Computation 17:903-921): a spike that arrives at one cell does not make the others start anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from nmc import child
from nmc.cells import mechanisms
from nmc.cells.mechanisms import run_cached
from nmc.cells.package import SYNAPSES, Package
from nmc.circuit.plan import CircuitPlan
from nmc.data.registry import origin_of
from nmc.errors import CircuitError, MechanismError, UnknownNameError, explained
from nmc.numbers import as_counts, as_number

BIN_MS = 5.0


@explained
@dataclass(frozen=True)
class CircuitRun:
    """What a circuit did.

    Attributes
    ----------
    plan : CircuitPlan
        What was simulated.
    spikes : DataFrame
        ``cell`` (row of ``plan.neurons``), ``neuron``, ``mtype``, ``t_ms``; by time, then cell.
    voltages : DataFrame
        ``t_ms`` and a column ``cell_<n>_mV`` for each recorded cell.
    attrs : dict
        ``tstop_ms``, ``integration``, ``seed``, ``cpu_s`` (or ``ranks``) …; ``origin`` and
        ``invented``: where the packages come from, and whether their numbers are synthetic.
    """

    plan: CircuitPlan
    spikes: pd.DataFrame
    voltages: pd.DataFrame
    attrs: dict = field(default_factory=dict)

    def rates(self, from_ms: float = 0.0) -> pd.DataFrame:
        """Firing rate of each cell from a time on, added to the plan's neurons as ``rate_Hz``."""
        end = self.attrs["tstop_ms"]
        start = as_number(from_ms, where="from_ms", low=0, error=CircuitError)
        if not start < end:
            raise CircuitError(f"from_ms lies before the run's end, {end:g} ms; got {from_ms!r}.")
        late = self.spikes.loc[self.spikes["t_ms"] >= start, "cell"]
        counts = np.bincount(late, minlength=len(self.plan.neurons))
        return self.plan.neurons.assign(rate_Hz=counts / (end - start) * 1e3)


def compute_population_rate(run: CircuitRun, bin_ms: float = BIN_MS) -> pd.DataFrame:
    """Average the firing rate over all cells, bin by bin.

    Parameters
    ----------
    run : CircuitRun
        What to look at.
    bin_ms : float
        Width of a bin.

    Returns
    -------
    pandas.DataFrame
        ``t_ms`` (a bin's middle), ``rate_Hz`` (spikes a cell and second).
    """
    length = run.attrs["tstop_ms"]
    bin_ms = as_number(bin_ms, where="bin_ms", error=CircuitError)
    if not 0 < bin_ms <= length:
        raise CircuitError(f"A bin lies between 0 and the run's {length:g} ms; got {bin_ms!r}.")
    edges = np.arange(0, length + bin_ms / 2, bin_ms)
    counts, _ = np.histogram(run.spikes["t_ms"], edges)
    rate = counts / len(run.plan.neurons) / (bin_ms * 1e-3)
    return pd.DataFrame({"t_ms": (edges[:-1] + edges[1:]) / 2, "rate_Hz": rate})


def compute_bursts(
    run: CircuitRun,
    *,
    threshold_Hz: float = 10.0,
    gap_ms: float = 50.0,
    from_ms: float = 0.0,
) -> pd.DataFrame:
    """Find the bursts in which many cells fire together.

    Parameters
    ----------
    run : CircuitRun
        What to look at.
    threshold_Hz, gap_ms : float
        A burst is a stretch in which the population rate, in bins of 5 ms, stays above the
        threshold; stretches closer than the gap are one.
    from_ms : float
        Bursts that begin before are left out: the run's start is one for many circuits.

    Returns
    -------
    pandas.DataFrame
        One row a burst: ``t_ms`` (mean time of its spikes), ``duration_ms``, ``peak_Hz``,
        ``participation`` (share of the cells that fire in it), ``interval_ms`` since the burst
        before (NaN for the first).
    """
    given = {"threshold_Hz": threshold_Hz, "gap_ms": gap_ms, "from_ms": from_ms}
    threshold_Hz, gap_ms, from_ms = (
        as_number(value, where=name, low=0, error=CircuitError) for name, value in given.items()
    )
    rate = compute_population_rate(run, BIN_MS)
    active = rate.loc[rate["rate_Hz"] > threshold_Hz, "t_ms"].to_numpy()
    rows = []
    for part in np.split(active, np.flatnonzero(np.diff(active) > gap_ms) + 1):
        if not len(part) or part[0] - BIN_MS / 2 < from_ms:
            continue
        start, end = part[0] - BIN_MS / 2, part[-1] + BIN_MS / 2
        inside = run.spikes[run.spikes["t_ms"].between(start, end, inclusive="left")]
        rows.append(
            {"t_ms": inside["t_ms"].mean(), "duration_ms": end - start,
             "peak_Hz": rate.loc[rate["t_ms"].between(start, end), "rate_Hz"].max(),
             "participation": inside["cell"].nunique() / len(run.plan.neurons)}
        )  # fmt: skip
    bursts = pd.DataFrame(rows, columns=["t_ms", "duration_ms", "peak_Hz", "participation"])
    return bursts.astype(float).assign(interval_ms=bursts["t_ms"].astype(float).diff())


V_INIT_MV, THRESHOLD_MV, SAMPLING_MS = -70.0, -20.0, 0.5
TSTOP_MS: float = 500.0
DT_MS: float = 0.05
MODES = ("fixed", "converged")
#: `benchmarks/circuit.py` measures what it costs and how far its spikes are from tighter ones'.
VARIABLE = {"atol": 1e-4, "max_order": 5}

_SOLVE = re.compile(r"^([ \t]*SOLVE[ \t]+(\w+))[ \t]*$", re.M)
_DECAY = re.compile(r"(\w+)[ \t]*=[ \t]*\1[ \t]*\*[ \t]*\1_step")
#: ``exp(-dt/tau)`` and the packages' ``exp(dt*(( - 1.0 ) / tau))``.
_FACTOR = r"\b{}_step\s*=\s*exp\(\s*(?:-\s*dt\s*/|dt\s*\*\s*\(\s*\(\s*-\s*1\.0\s*\)\s*/)\s*(\w+)"


def simulate_circuit(
    plan: CircuitPlan,
    *,
    tstop_ms: float = TSTOP_MS,
    record: Sequence[int] = (),
    mode: str = "fixed",
    dt_ms: float = DT_MS,
    trust: bool = False,
    keep: bool = True,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> CircuitRun:
    """Simulate a plan's cells, each a full me-type package.

    Parameters
    ----------
    plan : CircuitPlan
        From `nmc.plan_circuit`.
    tstop_ms : float
        Length of the run.
    record : sequence of int
        Cells (rows of the plan's neurons) whose somatic voltage is kept.
    mode : {"fixed", "converged"}
        Fixed steps of `dt_ms`, first order; or NEURON's variable step, of each cell its own, on
        synapses whose decay is stated as a differential equation (see `rewrite`).
        Circuits with random channels keep the fixed one; ``attrs["integration"]`` says so.
    dt_ms : float
        The fixed step.
    trust, timeout_s, progress
        As for `nmc.simulate_step`.
    keep : bool
        False runs anew and keeps no result, for benchmarks.

    Returns
    -------
    CircuitRun

    Raises
    ------
    CircuitError, UnknownNameError, SimulationError
        A setting that cannot be; the run failed.

    Notes
    -----
    It runs in one process; on several cores or machines `nmc.write_circuit` runs it.
    """
    plan = plan.trusting() if trust else plan
    params = make_params(plan, tstop_ms, record, mode, dt_ms)
    packages, variant = _mechanisms(plan.packages.values(), params["integration"])
    meta, arrays = run_cached(
        "nmc.circuit._neuron:run_circuit", params, packages, synapses=True, variant=variant,
        keep=keep, timeout_s=timeout_s, progress=progress,
    )  # fmt: skip
    return as_run(plan, params, meta, arrays)


def make_params(plan: CircuitPlan, tstop_ms, record, mode, dt_ms) -> dict:
    """Say what the workers are to simulate, after a check of each setting; ready for JSON."""
    dt_ms = as_number(dt_ms, where="dt_ms", low=1e-4, high=1.0, error=CircuitError)
    length = as_number(tstop_ms, where="tstop_ms", low=SAMPLING_MS, high=1e7, error=CircuitError)
    how, said = choose_integration(plan.packages.values(), mode, dt_ms)
    return plan.spec | {
        "tstop_ms": length,
        "record": check_recorded(record, len(plan.neurons)),
        "integration": how, "integration_said": said, "sampling_ms": SAMPLING_MS,
        "v_init_mV": V_INIT_MV, "threshold_mV": THRESHOLD_MV,
    }  # fmt: skip


def check_recorded(record, cells: int) -> list[int]:
    """Return the numbers of the cells to record, each once."""
    wanted = as_counts(list(record), where="record", low=-(2**53), error=CircuitError).tolist()
    if wrong := [cell for cell in wanted if not 0 <= cell < cells]:
        raise CircuitError(f"Cells to record are numbered 0 to {cells - 1}; got {wrong}.")
    return list(dict.fromkeys(wanted))


def libraries_for(packages: Iterable[Package], how: dict) -> list[str]:
    """Return the compiled mechanisms that an integration of some packages needs."""
    packages, variant = _mechanisms(packages, how)
    return [*map(str, mechanisms.libraries_of(packages, synapses=True, variant=variant))]


def _mechanisms(packages: Iterable[Package], how: dict) -> tuple[list[Package], str]:
    """Packages with the synapses that an integration needs, and the variant of their MOD files."""
    if "atol" not in how:
        return list(packages), "exact"
    return [with_continuous_synapses(p) for p in packages], "tabulated"


def as_run(plan: CircuitPlan, params: dict, meta: dict, arrays) -> CircuitRun:
    """Make a run of what the workers returned."""
    spikes = pd.DataFrame({"cell": arrays["spike_gid"], "t_ms": arrays["spike_t_ms"]})
    spikes = spikes.sort_values(["t_ms", "cell"], ignore_index=True)
    at = spikes["cell"].to_numpy()
    spikes.insert(1, "neuron", plan.neurons["neuron"].to_numpy()[at])
    spikes.insert(2, "mtype", plan.neurons["mtype"].to_numpy()[at])
    voltages = {f"cell_{c}_mV": arrays[f"v_{c}"] for c in params["record"]}
    attrs = {name: params[name] for name in ("tstop_ms", "seed")}
    attrs |= {"integration": params["integration_said"]}
    attrs |= plan.settings["synaptic"] | origin_of(plan.packages.values()) | meta
    return CircuitRun(plan, spikes, pd.DataFrame({"t_ms": arrays["t_ms"], **voltages}), attrs)


# -- synapses for any time step ------------------------------------------------------------------


def choose_integration(packages: Iterable[Package], mode: str, dt_ms: float) -> tuple[dict, str]:
    """Return the integration of a mode, as the worker takes it and in words."""
    if mode not in MODES:
        raise UnknownNameError.of("mode", mode, MODES)
    fixed = {"dt_ms": float(dt_ms), "order": 1}
    said = f"fixed step {dt_ms:g} ms, first order"
    if mode == "fixed":
        return fixed, said
    random = sorted({m for package in packages for m in package.stochastic})
    if random:
        return fixed, f"{said} ({', '.join(random)} draws random numbers every step)"
    return VARIABLE, (
        f"variable step of each cell, tolerance {VARIABLE['atol']:g}, order up to "
        f"{VARIABLE['max_order']}, tabulated rates"
    )


def rewrite(text: str) -> str:
    """State the decay of a synapse's MOD text (``A = A*A_step``) as differential equations."""
    solve = _SOLVE.search(text)
    body = solve and re.search(rf"\bPROCEDURE\s+{solve[2]}\s*\(\s*\)\s*\{{([^}}]*)\}}", text)
    states = _DECAY.findall(body[1]) if body else []
    taus = [found[1] for s in states if (found := re.search(_FACTOR.format(s), text))]
    whole = taus and len(taus) == len(states)
    if not (solve and body and whole) or _DECAY.sub("", body[1]).strip():
        raise MechanismError(
            "The decay of this synapse is not a factor a step and a state, exp(-dt/tau); it "
            "cannot be stated for a variable step. Take a fixed one."
        )
    decays = "".join(f"    {s}' = -{s}/{tau}\n" for s, tau in zip(states, taus, strict=True))
    equations = f"DERIVATIVE {solve[2]} {{\n{decays}}}"
    text = text.replace(body[0], equations)
    return _SOLVE.sub(r"\1 METHOD cnexp", text, count=1)


def with_continuous_synapses(package: Package) -> Package:
    """Return a package with synapses from `rewrite`; its other files stay where they are."""
    texts = mechanisms.ported(package, True)
    found = {n: rewrite(text) for n, text in texts.items() if n in SYNAPSES}
    rewritten = {f"mechanisms/{name}.mod": text for name, text in found.items()}
    return replace(package, _rewritten=rewritten)
