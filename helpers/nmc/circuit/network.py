"""Small circuits of full me-type packages, wired by a connectome, on one core or on MPI ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from nmc import child
from nmc.cells import mechanisms
from nmc.cells.package import Package
from nmc.cells.protocols import run_cached
from nmc.circuit import continuous
from nmc.circuit.contacts import origin_of
from nmc.circuit.plan import CircuitPlan, plan_circuit
from nmc.errors import CircuitError
from nmc.numbers import as_count, as_counts, as_number

V_INIT_MV, THRESHOLD_MV, SAMPLING_MS = -70.0, -20.0, 0.5
TSTOP_MS, DT_MS = 500.0, 0.05


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
        ``tstop_ms``, ``ranks``, ``integration``, ``seed``, ``cpu_s`` …; ``origin`` and
        ``invented``: where the packages come from, and whether their numbers are synthetic.
    """

    plan: CircuitPlan
    spikes: pd.DataFrame
    voltages: pd.DataFrame
    attrs: dict = field(default_factory=dict)

    def rates(self, from_ms: float = 0.0) -> pd.DataFrame:
        """Firing rate of each cell from a time on, Hz: the plan's neurons with ``rate_Hz`` added.

        Raises
        ------
        CircuitError
            `from_ms` is not between 0 and the run's end.
        """
        length = check_start(from_ms, self.attrs["tstop_ms"]) * 1e-3
        late = self.spikes[self.spikes["t_ms"] >= from_ms]
        counts = late["cell"].value_counts().reindex(range(len(self.plan.neurons)), fill_value=0)
        return self.plan.neurons.assign(rate_Hz=counts.to_numpy() / length)


def simulate_circuit(
    connectome,
    neurons: Sequence[int] | None = None,
    *,
    tstop_ms: float = TSTOP_MS,
    models: Mapping[str, str | Sequence[str]] | None = None,
    drive: float = 0.9,
    background_Hz: float = 5.0,
    background_cells: int = 20,
    gain: float = 1.0,
    missing: str = "error",
    seed: int = 0,
    record: Sequence[int] = (),
    mode: str = "fixed",
    dt_ms: float = DT_MS,
    ranks: int = 1,
    trust: bool = False,
    keep: bool = True,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> CircuitRun:
    """Simulate chosen neurons of a connectome, each a full me-type package.

    Parameters
    ----------
    connectome : Connectome or CircuitPlan
        A connectome, or a plan from `nmc.plan_circuit` (then the parameters that shape a plan
        are those of the plan).
    neurons, models, drive, background_Hz, background_cells, gain, missing, seed
        See `nmc.plan_circuit`.
    tstop_ms : float
        Length of the run.
    record : sequence of int
        Cells (rows of the plan's neurons) whose somatic voltage is kept.
    mode : {"fixed", "converged"}
        Fixed steps of `dt_ms`, first order; or NEURON's variable step, of each cell its own, on
        synapses whose decay is stated as a differential equation (see `nmc.circuit.continuous`).
        Circuits with random channels keep the fixed step; ``attrs["integration"]`` says so.
    dt_ms : float
        The fixed step.
    ranks : int
        1 runs in one process; more starts that many MPI ranks (``mpiexec`` must be installed).
        The spikes are the same.
    trust, timeout_s, progress
        As for `nmc.simulate_step`.
    keep : bool
        False runs anew and keeps no result, for benchmarks.

    Returns
    -------
    CircuitRun

    Raises
    ------
    CircuitError
        More ranks than cells; a cell to record that is not there; what `nmc.plan_circuit` finds.
    UnknownNameError
        There is no such mode.
    SimulationError
        The run failed, or there is no mpiexec.
    """
    plan = connectome
    if not isinstance(plan, CircuitPlan):
        plan = plan_circuit(
            connectome, neurons, models=models, drive=drive, background_Hz=background_Hz,
            background_cells=background_cells, gain=gain, missing=missing, seed=seed,
        )  # fmt: skip
    plan = plan.trusting() if trust else plan
    params = make_params(plan, tstop_ms, record, mode, dt_ms, ranks)
    packages, variant = _mechanisms(plan.packages.values(), params["integration"])
    if params["ranks"] > 1:
        params["libraries"] = _libraries(packages, variant)
    meta, arrays = run_cached(
        "nmc.circuit._network:run", params, packages, synapses=True, variant=variant, keep=keep,
        timeout_s=timeout_s, progress=progress,
    )  # fmt: skip
    return as_run(plan, params, meta, arrays)


def check_start(from_ms: float, tstop_ms: float) -> float:
    """Return how long a run goes on after `from_ms`, ms."""
    start = as_number(from_ms, where="from_ms", low=0, error=CircuitError)
    if not start < tstop_ms:
        raise CircuitError(f"from_ms lies before the run's end, {tstop_ms:g} ms; got {from_ms!r}.")
    return tstop_ms - start


def make_params(plan: CircuitPlan, tstop_ms, record, mode, dt_ms, ranks) -> dict:
    """Say what the workers are to simulate, after a check of each setting; ready for JSON."""
    cells = len(plan.neurons)
    ranks = as_count(ranks, where="ranks", error=CircuitError)
    if not 1 <= ranks <= cells:
        raise CircuitError(f"A circuit of {cells} cells runs on 1 to {cells} ranks; got {ranks}.")
    dt_ms = check_step(dt_ms)
    how, said = continuous.choose(plan.packages.values(), mode, dt_ms)
    return plan.spec | {
        "tstop_ms": check_length(tstop_ms, SAMPLING_MS),
        "record": check_recorded(record, cells),
        "integration": how,
        "integration_said": said,
        "sampling_ms": SAMPLING_MS,
        "v_init_mV": V_INIT_MV,
        "threshold_mV": THRESHOLD_MV,
        "ranks": ranks,
    }


def check_length(tstop_ms, shortest_ms: float) -> float:
    """Return the length of a run, which is finite and holds at least one sample."""
    return as_number(tstop_ms, where="tstop_ms", low=shortest_ms, high=1e7, error=CircuitError)


def check_step(dt_ms) -> float:
    """Return a fixed step: NEURON's packages need one of at most a millisecond."""
    return as_number(dt_ms, where="dt_ms", low=1e-4, high=1.0, error=CircuitError)


def check_recorded(record, cells: int) -> list[int]:
    """Return the numbers of the cells to record, each once."""
    wanted = as_counts(list(record), where="record", low=-(2**53), error=CircuitError).tolist()
    if wrong := [cell for cell in wanted if not 0 <= cell < cells]:
        raise CircuitError(f"Cells to record are numbered 0 to {cells - 1}; got {wrong}.")
    return list(dict.fromkeys(wanted))


def libraries_for(packages: Iterable[Package], how: dict) -> list[str]:
    """Return the compiled mechanisms that an integration of some packages needs."""
    return _libraries(*_mechanisms(packages, how))


def _mechanisms(packages: Iterable[Package], how: dict) -> tuple[list[Package], str]:
    """Packages with the synapses that an integration needs, and the variant of their MOD files."""
    packages = list(packages)
    if "atol" not in how:
        return packages, "exact"
    return [continuous.with_continuous_synapses(p) for p in packages], "tabulated"


def _libraries(packages: list[Package], variant: str) -> list[str]:
    libraries = mechanisms.libraries_of(packages, synapses=True, variant=variant)
    return [str(library) for library in libraries]


def as_run(plan: CircuitPlan, params: dict, meta: dict, arrays) -> CircuitRun:
    """Make a run of what the workers returned."""
    spikes = pd.DataFrame({"cell": arrays["spike_gid"], "t_ms": arrays["spike_t_ms"]})
    spikes = spikes.sort_values(["t_ms", "cell"], ignore_index=True)
    at = spikes["cell"].to_numpy()
    spikes.insert(1, "neuron", plan.neurons["neuron"].to_numpy()[at])
    spikes.insert(2, "mtype", plan.neurons["mtype"].to_numpy()[at])
    voltages = {f"cell_{c}_mV": arrays[f"v_{c}"] for c in params["record"]}
    attrs = {
        "tstop_ms": params["tstop_ms"],
        "ranks": params["ranks"],
        "integration": params["integration_said"],
        "seed": params["seed"],
        **origin_of(plan.packages.values()),
        **meta,
    }
    return CircuitRun(plan, spikes, pd.DataFrame({"t_ms": arrays["t_ms"], **voltages}), attrs)
