"""Resting potential, input resistance and time constant, as the packages' own script has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from nmc import child, names
from nmc.cells._efel import efel_values
from nmc.cells.package import Package
from nmc.cells.protocols import THRESHOLD_MV, as_package, simulate_currents, step_stimulus
from nmc.errors import SimulationError

#: `run_RmpRiTau.py`: −0.01 nA from 1000 to 2000 ms of 3000, from −70 mV, after settling.
REST_AMPLITUDE_NA = -0.01
REST_START_MS, REST_END_MS, REST_TOTAL_MS = 1000.0, 2000.0, 3000.0

_EFEL = ("voltage_base", "steady_state_voltage_stimend", "decay_time_constant_after_stim")
#: The sheets' time constant: V_ref one sample after the current starts, and the fit of the decay
#: from 1 to 10 ms after its end, one sample late too; ms.
_SAMPLE_MS, _FIT_MS = 0.1, (1.1, 10.1)


def simulate_rest(
    model: str | names.Model | Path | Package,
    *,
    mode: str = "published",
    v_init_mV: float = -70.0,
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure a cell at rest as the package's ``run_RmpRiTau.py`` does.

    The cell settles by ten steps of a second, then a current of −0.01 nA flows into the soma
    for a second.  Resting potential: mean voltage before the current (eFEL ``voltage_base``).
    Input resistance: steady deflection at its end over the current.  Time constant: a line
    through the logarithm of V − V(1000.1 ms) at 2001.1 ≤ t < 2010.1 ms, which is what the sheets
    print.  eFEL's own reading (``decay_time_constant_after_stim``) takes each of these times one
    sample, 0.1 ms, earlier, where V_ref is the voltage at rest; it stands beside the other.

    Parameters
    ----------
    model, mode, trust, timeout_s, progress
        As for `nmc.simulate_step`.
    v_init_mV : float
        Voltage from which the cell settles.

    Returns
    -------
    pandas.DataFrame
        The trace: ``t_ms``, ``v_mV``, ``i_nA``. ``.attrs`` hold
        ``resting_membrane_potential_mV``, ``input_resistance_MOhm``,
        ``membrane_time_constant_ms`` and ``efel_time_constant_ms``.

    Raises
    ------
    SimulationError
        The cell is not at rest: it fires, or eFEL finds no deflection.
    """
    package = as_package(model, trust=trust)
    trace = simulate_currents(
        package,
        [step_stimulus(REST_START_MS, REST_END_MS - REST_START_MS, REST_AMPLITUDE_NA)],
        tstop_ms=REST_TOTAL_MS,
        mode=mode,
        v_init_mV=v_init_mV,
        settle=True,
        timeout_s=timeout_s,
        progress=progress,
    )
    trace.attrs.update(
        protocol="rest",
        amplitude_nA=REST_AMPLITUDE_NA,
        stim_start_ms=REST_START_MS,
        stim_end_ms=REST_END_MS,
        **_measure(trace, package.name),
    )
    return trace


def _measure(trace: pd.DataFrame, model: str) -> dict[str, float]:
    found = efel_values(trace, list(_EFEL), REST_START_MS, REST_END_MS, THRESHOLD_MV)
    missing = [name for name in _EFEL if found[name] is None or not len(found[name])]
    if missing:
        raise SimulationError(f"{model}: eFEL finds no {', '.join(missing)}; is the cell at rest?")
    base, steady, efel_decay = (float(found[name][0]) for name in _EFEL)
    return {
        "resting_membrane_potential_mV": base,
        "input_resistance_MOhm": (steady - base) / REST_AMPLITUDE_NA,  # mV / nA = MOhm
        "membrane_time_constant_ms": _fit_decay(trace, model),
        "efel_time_constant_ms": efel_decay,
    }


def _fit_decay(trace: pd.DataFrame, model: str) -> float:
    """Time constant by the sheets' definition, ms; see `simulate_rest`."""
    t, v = trace["t_ms"].to_numpy(), trace["v_mV"].to_numpy()
    start = np.searchsorted(t, REST_START_MS + _SAMPLE_MS / 2)
    first, last = np.searchsorted(t, [REST_END_MS + x - _SAMPLE_MS / 2 for x in _FIT_MS])
    distance = v[start] - v[first:last]
    if (distance <= 0).any():
        raise SimulationError(f"{model}: the voltage does not decay; is the cell at rest?")
    return float(-1 / np.polyfit(t[first:last], np.log(distance), 1)[0])


def measure_rest(package: Package, **settings) -> dict:
    """Run the rest protocol and return its three numbers."""
    attrs = simulate_rest(package, progress=False, **settings).attrs
    columns = (
        "resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms",
        "efel_time_constant_ms", "cpu_s", "integration",
    )  # fmt: skip
    return {name: attrs[name] for name in columns}
