"""Small circuits of full me-type packages, wired by a connectome, on one core or on MPI ranks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from nmc import child
from nmc.cells import mechanisms
from nmc.cells.package import Package
from nmc.cells.protocols import run_cached
from nmc.circuit import _network, continuous
from nmc.circuit.plan import CircuitPlan, plan_circuit
from nmc.errors import CircuitError

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
        ``tstop_ms``, ``ranks``, ``integration``, ``seed``, ``cpu_s`` …
    """

    plan: CircuitPlan
    spikes: pd.DataFrame
    voltages: pd.DataFrame
    attrs: dict = field(default_factory=dict)

    def rates(self, from_ms: float = 0.0) -> pd.DataFrame:
        """Firing rate of each cell, Hz: the plan's neurons with ``rate_Hz`` added."""
        length = (self.attrs["tstop_ms"] - from_ms) * 1e-3
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
    params = _params(plan, tstop_ms, record, mode, dt_ms, ranks)
    packages, variant = _mechanisms(plan, params["integration"])
    if ranks > 1:
        params["libraries"] = _libraries(packages, variant)
    meta, arrays = run_cached(
        "nmc.circuit._network:run", params, packages, synapses=True, variant=variant, keep=keep,
        timeout_s=timeout_s, progress=progress,
    )  # fmt: skip
    return _result(plan, params, meta, arrays)


def write_circuit(
    plan: CircuitPlan,
    folder: str | Path,
    *,
    tstop_ms: float = TSTOP_MS,
    record: Sequence[int] = (),
    mode: str = "fixed",
    dt_ms: float = DT_MS,
    trust: bool = False,
) -> Path:
    """Write a plan into a folder that any MPI can run.

    The command is ``mpiexec -n N python -m nmc.circuit._network FOLDER``.

    Parameters
    ----------
    plan : CircuitPlan
        From `nmc.plan_circuit`.
    folder : path
        Made if need be; the ranks write their results there.
    tstop_ms, record, mode, dt_ms, trust
        As for `simulate_circuit`.

    Returns
    -------
    pathlib.Path
        The folder; `read_circuit` reads the results from it.

    Raises
    ------
    CircuitError
        A cell to record that is not there.
    UnknownNameError
        There is no such mode.
    TrustError
        A package is neither known nor trusted.
    MechanismError, CompilerError
        The mechanisms cannot be compiled.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan.trusting() if trust else plan
    params = _params(plan, tstop_ms, record, mode, dt_ms, 1)
    params["libraries"] = _libraries(*_mechanisms(plan, params["integration"]))
    (folder / "circuit.json").write_text(json.dumps(params), "utf-8")
    return folder


def read_circuit(plan: CircuitPlan, folder: str | Path) -> CircuitRun:
    """Read what the ranks wrote into the folder of `write_circuit`.

    Parameters
    ----------
    plan : CircuitPlan
        The plan that was written there.
    folder : path
        The folder.

    Returns
    -------
    CircuitRun
        As from `simulate_circuit`.

    Raises
    ------
    CircuitError
        No rank has written a result there.
    """
    folder = Path(folder)
    if not list(folder.glob("rank-*.npz")):
        raise CircuitError(
            f"No rank has written a result in {folder}; run "
            f"'{' '.join(['mpiexec -n 2 python -m nmc.circuit._network', str(folder)])}' first."
        )
    params = json.loads((folder / "circuit.json").read_text("utf-8"))
    return _result(plan, params, *_network.collect(folder))


def _params(plan, tstop_ms, record, mode, dt_ms, ranks) -> dict:
    cells = len(plan.neurons)
    if not 1 <= ranks <= cells:
        raise CircuitError(f"A circuit of {cells} cells runs on 1 to {cells} ranks; got {ranks}.")
    wrong = [c for c in record if not 0 <= c < cells]
    if wrong:
        raise CircuitError(f"Cells to record are numbered 0 to {cells - 1}; got {wrong}.")
    how, said = continuous.choose(plan.packages.values(), mode, dt_ms)
    return plan.spec | {
        "tstop_ms": float(tstop_ms),
        "record": [int(c) for c in record],
        "integration": how,
        "integration_said": said,
        "sampling_ms": SAMPLING_MS,
        "v_init_mV": V_INIT_MV,
        "threshold_mV": THRESHOLD_MV,
        "ranks": int(ranks),
    }


def _mechanisms(plan: CircuitPlan, how: dict) -> tuple[list[Package], str]:
    """Packages with the synapses that an integration needs, and the variant of their MOD files."""
    packages = list(plan.packages.values())
    if "atol" not in how:
        return packages, "exact"
    return [continuous.with_continuous_synapses(p) for p in packages], "tabulated"


def _libraries(packages: list[Package], variant: str) -> list[str]:
    libraries = mechanisms.libraries_of(packages, synapses=True, variant=variant)
    return [str(library) for library in libraries]


def _result(plan: CircuitPlan, params: dict, meta: dict, arrays) -> CircuitRun:
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
        **meta,
    }
    return CircuitRun(plan, spikes, pd.DataFrame({"t_ms": arrays["t_ms"], **voltages}), attrs)
