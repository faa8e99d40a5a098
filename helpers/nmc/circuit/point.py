"""Point neurons calibrated on the packages: a second model, to be compared with the first.

The adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005, J. Neurophysiology
94:3637-3642) of one compartment.  Rest, input resistance and time constant are those of
`nmc.simulate_rest`; threshold, reset and adaptation are fitted to the firing rates of
`nmc.simulate_fi`.  What a dendrite does beyond attenuating charge, it cannot do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.build import cell_spec
from nmc.cells.package import Package
from nmc.cells.protocols import STEP_MS, STEP_START_MS, as_package, run_cached
from nmc.errors import CircuitError
from nmc.numbers import as_count, as_number

SLOPE_MV, REFRACTORY_MS, DT_MS = 2.0, 2.0, 0.1
#: Amplitudes the fit asks for, as shares of the package's weakest step.
SHARES = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0)


@dataclass(frozen=True)
class PointNeuron:
    """One compartment that rests and fires like a package's cell.

    Attributes
    ----------
    model : str
        The package's name.
    capacitance_nF, leak_uS, rest_mV : float
        From rest, input resistance and time constant: C = τ/R, g = 1/R.
    threshold_mV, reset_mV, adaptation_nA, adaptation_ms : float
        Fitted: where the exponential takes off, where a spike leaves the voltage, and by how
        much and how long it adds to an outward current.
    slope_mV, refractory_ms : float
        Fixed.
    rates : DataFrame
        ``amplitude_nA``, ``cell_Hz`` (the package), ``point_Hz``.
    """

    model: str
    capacitance_nF: float
    leak_uS: float
    rest_mV: float
    threshold_mV: float
    reset_mV: float
    adaptation_nA: float
    adaptation_ms: float
    slope_mV: float
    refractory_ms: float
    rates: pd.DataFrame

    @property
    def rate_error_Hz(self) -> float:
        """Root mean squared difference of the firing rates, Hz."""
        return float(np.sqrt(((self.rates["point_Hz"] - self.rates["cell_Hz"]) ** 2).mean()))

    def row(self) -> np.ndarray:
        """Parameters in the order of the compiled loops; shape (9,)."""
        return np.array(
            [self.capacitance_nF, self.leak_uS, self.rest_mV, self.threshold_mV, self.slope_mV,
             self.reset_mV, self.adaptation_nA, self.adaptation_ms, self.refractory_ms]
        )  # fmt: skip


def fit_point_neuron(
    model: str | names.Model | Path | Package,
    *,
    mode: str = "converged",
    seed: int = 0,
    n_workers: int = 2,
) -> PointNeuron:
    """Calibrate a point neuron on a package's own simulated rest and firing rates.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    mode : {"published", "converged"}
        Integration of the package's runs; see `nmc.cells.settings`.
    seed : int
        Of the search (differential evolution, then Nelder and Mead's simplex).
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
    PackageError, SimulationError
        As `nmc.simulate_rest` and `nmc.simulate_fi`.
    """
    from nmc.cells.measures import simulate_fi, simulate_rest

    seed = as_count(seed, where="seed", error=CircuitError)
    package = as_package(model)
    rest = simulate_rest(package, mode=mode, progress=False).attrs
    amplitudes = [share * package.steps_nA[0] for share in SHARES]
    measured = simulate_fi(package, amplitudes, mode=mode, n_workers=n_workers, progress=False)
    if not measured["spike_count"].any():
        raise CircuitError(f"{package.name} fires at none of the steps: nothing to calibrate on.")
    leak = 1 / rest["input_resistance_MOhm"]  # µS
    fixed = (
        rest["membrane_time_constant_ms"] * leak, leak, rest["resting_membrane_potential_mV"]
    )  # fmt: skip
    best = _search(fixed, package.hold_nA, measured, seed)
    row = _as_row(fixed, best)
    rates = pd.DataFrame(
        {"amplitude_nA": measured["amplitude_nA"], "cell_Hz": measured["rate_Hz"],
         "point_Hz": _rates(row, package.hold_nA, measured["amplitude_nA"])}
    )  # fmt: skip
    C, g, E, threshold, slope, reset, jump, tau, refractory = (float(x) for x in row)
    return PointNeuron(package.name, C, g, E, threshold, reset, jump, tau, slope, refractory, rates)


def _as_row(fixed, x) -> np.ndarray:
    """Parameters of the loops from the search's: threshold over rest, reset below it, …"""
    above, below, jump, tau = x
    threshold = fixed[2] + above
    return np.array(
        [*fixed, threshold, SLOPE_MV, threshold - below, np.exp(jump), np.exp(tau), REFRACTORY_MS]
    )


def _rates(row, hold_nA, amplitudes) -> np.ndarray:
    from nmc.circuit._point import run_step

    stop = STEP_START_MS + STEP_MS
    counts = [
        (run_step(row, hold_nA, a, STEP_START_MS, stop, DT_MS)[0] >= STEP_START_MS).sum()
        for a in amplitudes
    ]
    return 1e3 * np.array(counts) / STEP_MS


def _search(fixed, hold_nA, measured: pd.DataFrame, seed: int) -> np.ndarray:
    from scipy.optimize import differential_evolution

    amplitudes, target = measured["amplitude_nA"].to_numpy(), measured["rate_Hz"].to_numpy()

    def cost(x):
        return float(((_rates(_as_row(fixed, x), hold_nA, amplitudes) - target) ** 2).sum())

    # The threshold is sought around the steady voltage of the weakest current that made a spike.
    fired = amplitudes[target > 0].min()
    reach = (hold_nA + fired) / fixed[1]
    bounds = [
        (max(0.2 * reach, 2.0), 1.3 * reach + 5.0), (0.0, 25.0),
        (np.log(1e-4), np.log(max(0.5 * fired, 1e-3))), (np.log(20.0), np.log(800.0)),
    ]  # fmt: skip
    return differential_evolution(
        cost,
        bounds,
        popsize=10,
        maxiter=40,
        tol=1e-3,
        rng=np.random.default_rng(seed),
        polish=False,
    ).x


def simulate_point_rest(point: PointNeuron, amplitude_nA: float = -0.01) -> dict[str, float]:
    """Run the rest protocol on a point neuron: a small current for a second.

    Returns
    -------
    dict
        ``resting_membrane_potential_mV``, ``input_resistance_MOhm``,
        ``membrane_time_constant_ms`` (63 % of the deflection reached).

    Raises
    ------
    CircuitError
        The amplitude is 0 or not finite.
    """
    if as_number(amplitude_nA, where="amplitude_nA", error=CircuitError) == 0:
        raise CircuitError("amplitude_nA: a current of 0 shows no resistance.")
    from nmc.circuit._point import run_step

    _, v = run_step(point.row(), 0.0, amplitude_nA, 500.0, 1500.0, DT_MS)
    base, end = v[4900], v[-1]
    late = np.flatnonzero((v - base) / (end - base) >= 1 - np.exp(-1))
    return {
        "resting_membrane_potential_mV": float(base),
        "input_resistance_MOhm": float((end - base) / amplitude_nA),
        "membrane_time_constant_ms": float(late[0] * DT_MS - 500.0),
    }


def compute_attenuation(model: str | names.Model | Path | Package) -> pd.DataFrame:
    """Say which share of the charge of a small synaptic current reaches the soma.

    NEURON's impedance tool on the resting cell, at 0 Hz: the transfer impedance from the place
    to the soma over the soma's own input impedance.

    Parameters
    ----------
    model : str, Model, pathlib.Path or Package
        A model's name, a package's folder, or a package.

    Returns
    -------
    pandas.DataFrame
        One row a segment: ``section``, ``x``, ``share``.

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
    """
    package = as_package(model)
    params = {"cell": cell_spec(package), "v_init_mV": -70.0, "dt_ms": 0.1}
    meta, arrays = run_cached("nmc.circuit._attenuation:run", params, [package])
    sections = np.array(meta["sections"])[arrays["section"]]
    return pd.DataFrame({"section": sections, "x": arrays["x"], "share": arrays["share"]})


def attenuate(package: Package) -> np.ndarray:
    """Share of its charge that each synapse of a package delivers; shape (synapses,)."""
    return _attenuated(package.name, package.content_sha256, package)


@lru_cache(maxsize=128)
def _attenuated(name: str, sha256: str, package: Package) -> np.ndarray:
    table = compute_attenuation(package)
    found = {s: (rows["x"].to_numpy(), rows["share"].to_numpy())
             for s, rows in table.groupby("section")}  # fmt: skip
    synapses = package.synapses
    sections = [s if s.endswith("]") else f"{s}[0]" for s in synapses["section"]]
    return np.array([np.interp(x, *found[s]) for s, x in zip(sections, synapses["x"], strict=True)])
