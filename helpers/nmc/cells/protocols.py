"""Protocols: a model in, a tidy table out, NEURON in a process of its own.

The step protocol is that of the packages' ``run.py`` (Ramaswamy et al. 2015, Front. Neural
Circuits 9:44).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from nmc import child
from nmc.cells import mechanisms
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.settings import (
    DEFAULTS,
    SAMPLING_MS,
    THRESHOLD_MV,
    RunSettings,
    choose,
    protocol,
)
from nmc.cells.stimuli import Current, Step, Stimulus, SynapseTrain, VoltageClamp, read_place
from nmc.errors import FormatError, ProtocolError, UnknownNameError
from nmc.numbers import as_numbers

#: The packages' step protocol: holding current all along, a step from 700 to 2700 ms.
STEP_START_MS, STEP_MS, STEP_TOTAL_MS = 700.0, 2000.0, 3000.0


@protocol
def simulate_step(
    model: AnyModel,
    step: int = 1,
    *,
    amplitude_nA: float | None = None,
    hold_nA: float | None = None,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Inject a current step into the soma on top of the holding current.

    Parameters
    ----------
    model : str, path, Model or Package
        A model's name, where a package lies, or a package.
    step : int
        The package's own step, 1 (weakest) to 3.
    amplitude_nA : float, optional
        Any other amplitude instead of the package's.
    hold_nA : float, optional
        Holding current; the package's own unless given.
    **settings
        See `nmc.RunSettings`.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV`` (soma), ``i_nA`` (injected) and the recorded columns, every 0.1 ms;
        shape (30001, 3 + recordings). ``.attrs`` name model, ``origin``, ``invented``,
        ``protocol``, ``mode``, ``integration``, ``spike_count``, ``spike_times_ms``, amplitudes
        and CPU seconds.

    Raises
    ------
    ProtocolError, UnknownNameError
        A setting does not exist, is no number, not finite, or out of its range; NEURON is not
        started.
    TrustError
        The package is neither known nor trusted.
    PackageError, MechanismError, CompilerError, SimulationError
        A file of the package is missing or wrong; a MOD file does not compile; the run fails,
        ends early or takes too long.
    """
    package = as_package(model)
    hold = package.hold_nA if hold_nA is None else hold_nA
    amplitude = package.step_nA(step) if amplitude_nA is None else amplitude_nA
    stimuli = [Step(STEP_START_MS, STEP_MS, amplitude), Step(0.0, STEP_TOTAL_MS, hold)]
    trace = drive(package, stimuli, STEP_TOTAL_MS, settings, protocol="step")
    trace.attrs.update(
        step=None if amplitude_nA is not None else step,
        amplitude_nA=amplitude,
        hold_nA=hold,
        stim_start_ms=STEP_START_MS,
        stim_end_ms=STEP_START_MS + STEP_MS,
    )
    return trace


@protocol
def simulate_currents(
    model: AnyModel,
    stimuli: Stimulus | ArrayLike | list[Stimulus | ArrayLike],
    *,
    tstop_ms: float | None = None,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Drive a cell with any stimuli and record it.

    Parameters
    ----------
    model
        As for `simulate_step`.
    stimuli : Stimulus, array_like, or list of those
        What to put on the cell: `nmc.Step`, `Ramp`, `Sine`, `Chirp`, `OUCurrent`, `Waveform`,
        `OUConductance`, `SpikeTrain`, `SynapseTrain`, `VoltageClamp`; an array (n,) is a current
        into the soma in nA, one value a sample of the returned table.
    tstop_ms : float, optional
        How long to simulate; until the last stimulus has ended unless given.
    **settings
        See `nmc.RunSettings`.

    Returns
    -------
    pandas.DataFrame
        As `simulate_step`, without amplitudes; ``i_nA`` is all that stimuli inject as a current,
        a conductance or a clamp, synapses apart.

    Raises
    ------
    ProtocolError, UnknownNameError
        A stimulus, recording or setting cannot be; NEURON is not started.
    PackageError, MechanismError, CompilerError, SimulationError
        As `simulate_step`.

    Examples
    --------
    >>> noise = nmc.OUCurrent(200, 1000, mean_nA=0.1, sd_nA=0.05)  # doctest: +SKIP
    >>> nmc.simulate_currents("L1_HAC_cNAC187_1", noise)  # doctest: +SKIP
    """
    every = list[Stimulus](stimuli)  # type: ignore[arg-type]  # `protocol` made them stimuli
    return drive(as_package(model), every, tstop_ms, settings, protocol="currents")


def drive(
    package: Package,
    stimuli: Sequence[Stimulus],
    tstop_ms: float | None,
    settings: Mapping[str, Any],
    *,
    protocol: str,
    synaptic: Mapping | None = None,
) -> pd.DataFrame:
    """Run checked settings and return the trace; see `simulate_currents`."""
    run = {**DEFAULTS, **{name: v for name, v in settings.items() if v is not None}}
    synapses = synaptic is not None or any(isinstance(one, SynapseTrain) for one in stimuli)
    how, variant, said = choose(package, run["mode"], run["dt_ms"], synapses=synapses)
    sampling, every = run["sampling_ms"], how.get("dt_ms")
    if every and abs(sampling / every - round(sampling / every)) > 1e-6:
        raise ProtocolError(
            f"sampling_ms: {sampling:g} is no multiple of the time step, {every:g} ms."
        )
    tstop = max((one.end_ms for one in stimuli), default=0.0) if tstop_ms is None else tstop_ms
    if not 0 < tstop <= 1e7:
        raise ProtocolError(f"tstop_ms: {tstop:g} is not between 0 and 1e7; say how long to run.")
    record = dict(run["record"] or {})
    _check_stimuli(package, stimuli, tstop)
    for place in record.values():
        package.check_section(place.partition("(")[0])
    window = run["window_ms"] or (0.0, tstop)
    if window[1] > tstop:
        raise ProtocolError(f"window_ms: {window} reaches beyond the end, {tstop:g} ms.")
    celsius = package.celsius if run["celsius"] is None else run["celsius"]
    params = {
        "cell": {**package.to_spec(), "celsius": celsius},
        "stimuli": [one.plain() for one in stimuli],
        "record": {"v_mV": "soma[0](0.5).v", **record},
        "tstop_ms": tstop,
        "window_ms": list(window),
        "integration": how,
        "sampling_ms": sampling,
        "channel_seed": run["channel_seed"] if package.stochastic else None,
        **{name: run[name] for name in ("v_init_mV", "threshold_mV", "settle")},
        **(synaptic or {}),
    }
    libraries = mechanisms.libraries_of([package], synapses=synapses, variant=variant)
    meta, arrays = child.run_child(
        "nmc.cells._run:run", params, libraries=libraries, label=package.name,
        timeout_s=run["timeout_s"], progress=run["progress"],
    )  # fmt: skip
    clamps = [name for name in arrays if name == "clamps_nA"]
    table = tidy(arrays, [*params["record"], *clamps], window, sampling)
    t = table["t_ms"].to_numpy()
    injected = sum((one.current_nA(t) for one in stimuli if isinstance(one, Current)), 0.0 * t)
    table.insert(2, "i_nA", injected + (table.pop(clamps[0]) if clamps else 0.0))
    table.attrs = {
        **describe(package),
        "protocol": protocol,
        "mode": run["mode"],
        "integration": said,
        "celsius": celsius,
        "v_init_mV": run["v_init_mV"],
        "threshold_mV": run["threshold_mV"],
        "spike_count": len(arrays["spikes_ms"]),
        "spike_times_ms": arrays["spikes_ms"].tolist(),
        **{name: value for name, value in meta.items() if name != "steps"},
    }
    return table


def _check_stimuli(package: Package, stimuli: Sequence[Stimulus], tstop_ms: float) -> None:
    """Refuse stimuli that this cell has no place for, or no time."""
    clamped = set()
    for one in stimuli:
        kind = type(one).__name__
        package.check_section(one.at.partition("(")[0])
        if one.start_ms >= tstop_ms:
            raise ProtocolError(
                f"{kind}: it begins at {one.start_ms:g} ms, but the run ends at {tstop_ms:g} ms."
            )
        if isinstance(one, SynapseTrain) and max(one.synapses) >= (count := len(package.synapses)):
            raise ProtocolError(
                f"{kind}, synapses: {package.name} has {count}, from 0; "
                f"there is no {max(one.synapses)}."
            )
        if isinstance(one, VoltageClamp):
            if read_place(one.at) in clamped:
                raise ProtocolError(f"{kind}, at: another clamp holds {one.at} already.")
            clamped.add(read_place(one.at))


def describe(package: Package) -> dict:
    """What every result says of the model that it was made from, for its ``.attrs``."""
    return {
        **package.source,
        "package_sha256": package.content_sha256,
        "neuron": mechanisms.build_tag()["neuron"],
    }


def tidy(
    arrays: Mapping[str, np.ndarray],
    targets,
    window_ms: tuple[float, float],
    sampling_ms: float = SAMPLING_MS,
) -> pd.DataFrame:
    """Recordings on the regular grid; those of a variable step are interpolated (PCHIP)."""
    raw, (first, last) = arrays["t_ms"], (round(end / sampling_ms) for end in window_ms)
    grid = np.round(np.arange(first, last + 1) * sampling_ms, 6)
    columns = {name: arrays[name] for name in targets}
    if len(raw) != len(grid) or not np.allclose(raw, grid):
        # At a discontinuity the integrator stores a time twice: the second value is the new one.
        kept = np.append(np.diff(raw) > 0, True)
        columns = {n: PchipInterpolator(raw[kept], v[kept])(grid) for n, v in columns.items()}
    return pd.DataFrame({"t_ms": grid, **columns})


def measure_step(package: Package, **settings) -> dict:
    """Simulate a step and return its numbers: spikes, their times as JSON, and eFEL features."""
    trace = simulate_step(package, progress=False, **settings)
    spikes = trace.attrs["spike_times_ms"]
    return {
        "spike_count": len(spikes),
        "first_spike_ms": spikes[0] if spikes else float("nan"),
        "last_spike_ms": spikes[-1] if spikes else float("nan"),
        "spike_times_ms": json.dumps([round(t, 3) for t in spikes]),
        **{k: v for k, v in compute_features(trace).items() if k != "spike_count"},
        "cpu_s": trace.attrs["cpu_s"],
        "integration": trace.attrs["integration"],
    }


#: Column → eFEL feature.  A feature of every spike gives its mean.
FEATURES: Mapping[str, str] = {
    "spike_count": "spike_count_stimint",
    "mean_frequency_Hz": "mean_frequency",
    "time_to_first_spike_ms": "time_to_first_spike",
    "isi_cv": "ISI_CV",
    "adaptation_index": "adaptation_index2",
    "doublet_isi_ms": "doublet_ISI",
    "ap_height_mV": "AP_height",
    "ap_width_ms": "AP_width",
    "ahp_depth_mV": "AHP_depth_abs",
    "voltage_base_mV": "voltage_base",
}


def compute_features(trace: pd.DataFrame, features: Mapping[str, str] = FEATURES) -> pd.Series:
    """Compute eFEL features of one trace.

    Parameters
    ----------
    trace : pandas.DataFrame
        With ``t_ms`` and ``v_mV``, as every protocol that gives a trace returns it.  Its
        ``.attrs`` say when the stimulus was on (``stim_start_ms``, ``stim_end_ms``); where they
        do not, as under synaptic input, features count over the whole trace.
    features : mapping of str to str
        Name in the result → name of an eFEL feature; spikes are crossings of −20 mV.

    Returns
    -------
    pandas.Series
        One value a feature; NaN where eFEL finds none (no spike, too few of them).

    Raises
    ------
    FormatError
        The table is no trace: it lacks ``t_ms`` or ``v_mV``, has no rows, times that do not
        ascend, or a value that is no finite number.
    UnknownNameError
        eFEL has no such feature.
    """
    if not {"t_ms", "v_mV"} <= set(trace.columns) or trace.empty:
        raise FormatError(
            "Features are computed from a trace with the columns t_ms and v_mV; this table has "
            f"{len(trace)} rows and the columns {', '.join(map(str, trace.columns))[:80]}."
        )
    t, _ = (as_numbers(trace[c].to_numpy(), where=f"{c} of the trace") for c in ("t_ms", "v_mV"))
    start, end = (trace.attrs.get(f"stim_{k}_ms", t[i]) for k, i in (("start", 0), ("end", -1)))
    if not start < end or (np.diff(t) < 0).any():
        raise FormatError("The times of a trace ascend, and a stimulus in it ends after it began.")
    names = list(dict.fromkeys(features.values()))
    found = efel_values(trace, names, start, end)
    values = {column: _mean(found[name]) for column, name in features.items()}
    return pd.Series(values, name=trace.attrs.get("model"), dtype=float)


def _mean(values: np.ndarray | None) -> float:
    return float(np.mean(values)) if values is not None and len(values) else np.nan


_ONE_AT_A_TIME = threading.Lock()


def efel_values(trace: pd.DataFrame, names: list[str], start_ms: float, end_ms: float) -> dict:
    """eFEL's values by feature, None where none; its state is global: a thread at a time."""
    import efel

    given = {
        "T": trace["t_ms"].to_numpy(float),
        "V": trace["v_mV"].to_numpy(float),
        "stim_start": [start_ms],
        "stim_end": [end_ms],
    }
    with _ONE_AT_A_TIME:
        UnknownNameError.check("eFEL feature", names, efel.get_feature_names())
        efel.reset()
        efel.set_setting("Threshold", THRESHOLD_MV)
        return efel.get_feature_values([given], names, raise_warnings=False)[0]
