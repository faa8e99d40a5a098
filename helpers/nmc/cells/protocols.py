"""Stimulation protocols: a model in, a tidy table out, NEURON in a process of its own.

The step protocol and the rest protocol are those of the packages' ``run.py`` and
``run_RmpRiTau.py`` (Ramaswamy et al. 2015, Front. Neural Circuits 9:44).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from nmc import child
from nmc.cells import mechanisms, results
from nmc.cells.build import cell_spec
from nmc.cells.features import compute_features
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.settings import check_record, check_settings, check_stimuli, choose

#: The packages' step protocol: holding current all along, a step from 700 to 2700 ms.
STEP_START_MS, STEP_MS, STEP_TOTAL_MS = 700.0, 2000.0, 3000.0
#: Samples of a returned trace; the packages' scripts keep one every 0.1 ms.
SAMPLING_MS = 0.1
#: A spike is an upward crossing of this soma voltage, eFEL's own default.
THRESHOLD_MV = -20.0

_TASK = "nmc.cells._run:run"


def simulate_step(
    model: AnyModel,
    step: int = 1,
    *,
    amplitude_nA: float | None = None,
    hold_nA: float | None = None,
    mode: str = "published",
    v_init_mV: float = -65.0,
    record: Mapping[str, str] | None = None,
    threshold_mV: float = THRESHOLD_MV,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> pd.DataFrame:
    """Inject a current step into the soma on top of the holding current.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        A model's name, a package's folder, or a package.
    step : int
        The package's own step, 1 (weakest) to 3.
    amplitude_nA : float, optional
        Any other amplitude instead of the package's.
    hold_nA : float, optional
        Holding current; the package's own unless given.
    mode : {"published", "converged"}
        The package's own integration, or one that is accurate; see `nmc.cells.settings`.
    v_init_mV : float
        Start voltage; NEURON's −65 mV, as the package's script leaves it.
    record : mapping of str to str, optional
        More columns: name → place and variable, e.g. ``{"dend_mV": "dend[3](0.5).v"}``.
    threshold_mV : float
        Soma voltage whose upward crossings count as spikes.
    trust : bool
        Run the code of a package that is not known, see `nmc.load_package`.
    timeout_s : float
        Limit of wall time.
    progress : bool
        Show a progress bar for runs that take longer than a second.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV`` (soma), ``i_nA`` (injected) and the recorded columns, every 0.1 ms;
        shape (30001, 3 + recordings). ``.attrs`` name model,
        ``origin``, ``invented``, ``protocol``, ``mode``, ``integration``,
        ``v_init_mV``, ``spike_count``, ``spike_times_ms``, amplitudes and CPU seconds.

    Raises
    ------
    ProtocolError
        A setting is no number, not finite, or out of its range.
    TrustError
        The package is neither known nor trusted.
    PackageError, MechanismError, CompilerError, SimulationError
        A file of the package is missing or wrong; a MOD file does not compile; the run fails,
        ends early or takes too long.
    """
    package = as_package(model, trust=trust)
    given = check_settings(step=step, amplitude_nA=amplitude_nA, hold_nA=hold_nA)
    hold = package.hold_nA if hold_nA is None else given["hold_nA"]
    amplitude = package.step_nA(step) if amplitude_nA is None else given["amplitude_nA"]
    stimuli = [
        step_stimulus(STEP_START_MS, STEP_MS, amplitude),
        step_stimulus(0.0, STEP_TOTAL_MS, hold),
    ]
    trace = simulate_currents(
        package,
        stimuli,
        tstop_ms=STEP_TOTAL_MS,
        mode=mode,
        v_init_mV=v_init_mV,
        record=record,
        threshold_mV=threshold_mV,
        timeout_s=timeout_s,
        progress=progress,
    )
    trace.attrs.update(
        protocol="step",
        step=None if amplitude_nA is not None else step,
        amplitude_nA=amplitude,
        hold_nA=hold,
        stim_start_ms=STEP_START_MS,
        stim_end_ms=STEP_START_MS + STEP_MS,
    )
    return trace


def simulate_currents(
    model: AnyModel,
    stimuli: list[dict],
    *,
    tstop_ms: float,
    mode: str = "published",
    v_init_mV: float = -65.0,
    record: Mapping[str, str] | None = None,
    threshold_mV: float = THRESHOLD_MV,
    settle: bool = False,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> pd.DataFrame:
    """Drive a cell with any stimuli of `nmc.cells._run.add_stimulus` and record it.

    The general protocol that the others are made of.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        A model's name, a package's folder, or a package.
    stimuli : list of dict
        What to put on the cell, as `nmc.cells._run.add_stimulus` takes it.
    tstop_ms : float
        How long to simulate.
    mode, v_init_mV, record, threshold_mV, trust, timeout_s, progress
        As for `simulate_step`.
    settle : bool
        Let the cell first rest for ten steps of a second, as the packages' rest protocol does.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV`` (soma), ``i_nA`` (injected) and the recorded columns, every 0.1 ms;
        ``.attrs`` as of `simulate_step`, without amplitudes.

    Raises
    ------
    ProtocolError
        A stimulus, recording or setting cannot be; NEURON is not started.
    PackageError, MechanismError, CompilerError, SimulationError
        As `simulate_step`.
    """
    package = as_package(model, trust=trust)
    return drive(
        package,
        stimuli,
        tstop_ms=tstop_ms,
        mode=mode,
        v_init_mV=v_init_mV,
        record=record,
        threshold_mV=threshold_mV,
        settle=settle,
        timeout_s=timeout_s,
        progress=progress,
    )


def drive(
    package: Package,
    stimuli: Iterable[dict],
    *,
    tstop_ms: float,
    mode: str,
    v_init_mV: float,
    record: Mapping[str, str] | None,
    threshold_mV: float = THRESHOLD_MV,
    settle: bool = False,
    synaptic: Mapping | None = None,
    timeout_s: float,
    progress: bool,
) -> pd.DataFrame:
    """Check what a protocol asks for, run it, and return its trace; see `simulate_currents`.

    ``synaptic`` holds ``rates_Hz`` and ``seed`` of presynaptic m-types; see `nmc.cells._run.run`.
    """
    how, variant, said = choose(package, mode)
    given = check_settings(
        tstop_ms=tstop_ms, v_init_mV=v_init_mV, threshold_mV=threshold_mV, timeout_s=timeout_s
    )
    params = {
        "cell": cell_spec(package),
        "stimuli": check_stimuli(stimuli),
        "record": {"v_mV": "soma[0](0.5).v", **check_record(record)},
        "tstop_ms": given["tstop_ms"],
        "v_init_mV": given["v_init_mV"],
        "integration": how,
        "sampling_ms": SAMPLING_MS,
        "threshold_mV": given["threshold_mV"],
        "settle": bool(settle),
        **(synaptic or {}),
    }
    meta, arrays = run_cached(
        _TASK,
        params,
        [package],
        synapses=synaptic is not None,
        variant=variant,
        timeout_s=timeout_s,
        progress=progress,
    )
    table = tidy(arrays, params["record"], params["tstop_ms"])
    table.insert(2, "i_nA", _injected(table["t_ms"].to_numpy(), params["stimuli"]))
    table.attrs = {
        **describe(package),
        "protocol": "currents",
        "mode": mode,
        "integration": said,
        "v_init_mV": v_init_mV,
        "threshold_mV": threshold_mV,
        "spike_count": len(arrays["spikes_ms"]),
        "spike_times_ms": arrays["spikes_ms"].tolist(),
        **{name: value for name, value in meta.items() if name != "steps"},
    }
    return table


def describe(package: Package) -> dict:
    """What every result says of the model that it was made from, for its ``.attrs``."""
    return {
        "model": package.name,
        "origin": package.origin,
        "invented": package.invented,
        "package_sha256": package.content_sha256,
        "neuron": mechanisms.build_tag()["neuron"],
    }


def run_cached(
    task: str,
    params: dict,
    packages: list[Package],
    *,
    synapses: bool = False,
    variant: str = "exact",
    keep: bool = True,
    **limits,
) -> tuple[dict, dict[str, np.ndarray]]:
    """Run a worker task over packages, or return what the same run gave before.

    Parameters
    ----------
    task, params
        As for `nmc.child.run_child`; cells stand in ``params["cell"]`` or ``["cells"]``.
    packages : list of Package
        Whose mechanisms must be loaded; known or trusted ones.
    synapses : bool
        Load the packages' synapse mechanisms too.
    variant : {"exact", "tabulated"}
        See `nmc.cells.mechanisms.library_for`.
    keep : bool
        False runs anew and keeps nothing, for benchmarks.
    **limits
        ``timeout_s``, ``memory_MB``, ``progress`` of `nmc.child.run_child`.

    Returns
    -------
    meta, arrays
        As the task gave them, ``cpu_s`` added.
    """
    libraries = mechanisms.libraries_of(packages, synapses=synapses, variant=variant)
    key = results.result_key(task, params, mechanisms.build_tag(variant))
    if keep and (found := results.load_result(key)):
        return found
    label = ", ".join(dict.fromkeys(package.name for package in packages))
    meta, arrays = child.run_child(task, params, libraries=libraries, label=label, **limits)
    if keep:
        results.keep_result(key, meta, arrays)
    return meta, arrays


def step_stimulus(
    delay_ms: float, duration_ms: float, amplitude_nA: float, at: str = "soma[0](0.5)"
) -> dict:
    """Describe a current clamp for `simulate_currents`."""
    return {
        "kind": "step",
        "at": at,
        "delay_ms": delay_ms,
        "duration_ms": duration_ms,
        "amplitude_nA": amplitude_nA,
    }


def tidy(arrays: Mapping[str, np.ndarray], targets, tstop_ms: float) -> pd.DataFrame:
    """Recordings on the regular grid; those of a variable step are interpolated (PCHIP)."""
    raw = arrays["t_ms"]
    grid = np.round(np.arange(round(tstop_ms / SAMPLING_MS) + 1) * SAMPLING_MS, 6)
    columns = {name: arrays[name] for name in targets}
    if len(raw) != len(grid) or not np.allclose(raw, grid):
        from scipy.interpolate import PchipInterpolator

        # At a discontinuity the integrator stores a time twice: the second value is the new one.
        last = np.append(np.diff(raw) > 0, True)
        columns = {n: PchipInterpolator(raw[last], v[last])(grid) for n, v in columns.items()}
    return pd.DataFrame({"t_ms": grid, **columns})


def _injected(t: np.ndarray, stimuli: list[dict]) -> np.ndarray:
    """Total current that the clamps inject, nA."""
    total = np.zeros_like(t)
    for s in stimuli:
        if s["kind"] == "step":
            on = (t >= s["delay_ms"]) & (t < s["delay_ms"] + s["duration_ms"])
            total += on * s["amplitude_nA"]
        elif s["kind"] == "waveform":
            total += np.interp(t, s["t_ms"], s["i_nA"])
    return total


def measure_step(package: Package, **settings) -> dict:
    """Simulate a step and return its numbers: spikes and eFEL features."""
    trace = simulate_step(package, progress=False, **settings)
    spikes = trace.attrs["spike_times_ms"]
    return {
        "spike_count": len(spikes),
        "first_spike_ms": spikes[0] if spikes else float("nan"),
        "last_spike_ms": spikes[-1] if spikes else float("nan"),
        **{k: v for k, v in compute_features(trace).items() if k != "spike_count"},
        "cpu_s": trace.attrs["cpu_s"],
        "integration": trace.attrs["integration"],
    }
