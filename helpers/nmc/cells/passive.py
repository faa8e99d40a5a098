"""Resting potential, input resistance and time constant, as the packages' own script has them."""

from __future__ import annotations

from pathlib import Path

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
    Input resistance: steady deflection at its end over the current.  Time constant: eFEL's fit
    of the decay after it (``decay_time_constant_after_stim``).

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
        ``resting_membrane_potential_mV``, ``input_resistance_MOhm`` and
        ``membrane_time_constant_ms``.

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
    base, steady, decay = (float(found[name][0]) for name in _EFEL)
    return {
        "resting_membrane_potential_mV": base,
        "input_resistance_MOhm": (steady - base) / REST_AMPLITUDE_NA,  # mV / nA = MOhm
        "membrane_time_constant_ms": decay,
    }


def measure_rest(package: Package, **settings) -> dict:
    """Run the rest protocol and return its three numbers."""
    attrs = simulate_rest(package, progress=False, **settings).attrs
    columns = (
        "resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms",
        "cpu_s", "integration",
    )  # fmt: skip
    return {name: attrs[name] for name in columns}
