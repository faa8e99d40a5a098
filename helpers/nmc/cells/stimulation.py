"""Protocols beyond the soma's step: signals along the tree, a chirp, synaptic bombardment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.protocols import drive
from nmc.cells.segments import measure_places
from nmc.cells.settings import (
    MEASURED_mM,
    RunSettings,
    check_setting,
    protocol,
    refuse_settings,
    release_factors,
)
from nmc.cells.stimuli import Chirp, SpikeTrain, Step
from nmc.errors import ProtocolError, UnknownNameError

#: A brief strong pulse makes one spike: 5 ms after the cell has come to rest.
_PULSE_START_MS, _PULSE_MS = 700.0, 5.0
#: Rest before a chirp.
_REST_MS = 500.0


@protocol
def simulate_bap(
    model: AnyModel,
    *,
    amplitude_nA: float = 1.9,
    n_places: int | None = 60,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Let one spike of the soma travel back along the tree and measure it on the way.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`, whose errors are those of this call.
    amplitude_nA : float
        Pulse of 5 ms into the soma; 1.9 nA makes the portal's L5_TTPC1 spike once.
    n_places : int or None
        About how many sections to record, spread over the whole tree; None takes all.
    **settings
        See `nmc.RunSettings`; the mode is ``converged`` by default.

    Returns
    -------
    pandas.DataFrame
        One row a place: ``section``, ``part`` (``soma``, ``dend``, ``apic``, ``axon``),
        ``distance_um`` along the path from the soma, ``amplitude_mV`` above the resting value,
        ``delay_ms`` of the peak after the soma's. ``.attrs["spike_count"]`` says how often the
        soma fired.
    """
    package = as_package(model)
    refuse_settings("bap", settings, "record", "window_ms")
    places = measure_places(package, n_places)
    pulse = Step(_PULSE_START_MS, _PULSE_MS, amplitude_nA)
    return _along(package, pulse, _PULSE_START_MS + 60, places, settings, "bap")


@protocol
def simulate_epsp(
    model: AnyModel,
    section: str,
    *,
    weight_nS: float = 1.5,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Open one synaptic conductance on a section and see what arrives at the soma.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    section : str
        Where, e.g. ``apic[36]``; the conductance opens in its middle.
    weight_nS : float
        Peak conductance: rise 0.2 ms, decay 1.7 ms, reversal 0 mV, an AMPA synapse's.
    **settings
        See `nmc.RunSettings`; the mode is ``converged`` by default.

    Returns
    -------
    pandas.DataFrame
        Two rows, ``section`` (the place itself, then the soma), ``part``, ``distance_um``,
        ``amplitude_mV``, ``delay_ms`` after the onset.

    Raises
    ------
    UnknownNameError
        The cell has no such section. Others as `nmc.simulate_step`.
    """
    package = as_package(model)
    refuse_settings("epsp", settings, "record", "window_ms")
    every = measure_places(package, None)
    UnknownNameError.check("section", [section], every["section"])
    spike = SpikeTrain([_PULSE_START_MS], weight_nS, at=f"{section}(0.5)")
    places = every.query("section in [@section, 'soma[0]']")
    return _along(package, spike, _PULSE_START_MS + 100, places, settings, "epsp").sort_values(
        "distance_um", ascending=False, ignore_index=True
    )


@protocol
def simulate_chirp(
    model: AnyModel,
    *,
    amplitude_nA: float = 0.02,
    f_max_Hz: float = 50.0,
    duration_ms: float = 4000.0,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Inject a current whose frequency rises linearly and measure the impedance of the soma.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`, whose errors are those of this call.
    amplitude_nA : float
        Amplitude of the oscillation; small enough not to fire.
    f_max_Hz : float
        Frequency at the end; it starts at zero.
    duration_ms : float
        How long the chirp lasts, after 500 ms of rest.
    **settings
        See `nmc.RunSettings`; a current that changes all the time leaves the mode ``converged``
        no advantage.

    Returns
    -------
    pandas.DataFrame
        ``frequency_Hz``, ``impedance_MOhm`` (size) and ``phase_rad`` of voltage over current,
        from the ratio of their Fourier transforms, 0.5 Hz to `f_max_Hz`.
    """
    package = as_package(model)
    if amplitude_nA == 0 or f_max_Hz * duration_ms < 1000:
        raise ProtocolError(
            f"A chirp of {amplitude_nA:g} nA up to {f_max_Hz:g} Hz in {duration_ms:g} ms holds "
            "no oscillation: raise amplitude_nA, f_max_Hz or duration_ms."
        )
    refuse_settings("chirp", settings, "window_ms")
    chirp = Chirp(_REST_MS, duration_ms, amplitude_nA, f_max_Hz)
    trace = drive(package, [chirp], chirp.end_ms, {"settle": True, **settings}, protocol="chirp")
    rest = trace.loc[trace["t_ms"] < _REST_MS, "v_mV"].iloc[-1]
    during = trace[trace["t_ms"] >= _REST_MS]
    every_s = (trace["t_ms"].iloc[1] - trace["t_ms"].iloc[0]) / 1000
    frequency = np.fft.rfftfreq(len(during), every_s)
    ratio = np.fft.rfft(during["v_mV"] - rest) / np.fft.rfft(during["i_nA"])
    keep = (frequency >= 0.5) & (frequency <= f_max_Hz)
    table = pd.DataFrame(
        {
            "frequency_Hz": frequency[keep],
            "impedance_MOhm": np.abs(ratio[keep]),
            "phase_rad": np.angle(ratio[keep]),
        }
    )
    table.attrs = trace.attrs
    return table


@protocol
def simulate_bombardment(
    model: AnyModel,
    rates_Hz: Mapping[str, float] | float = 10.0,
    *,
    duration_ms: float = 1000.0,
    seed: int = 1,
    stimuli: Any = (),
    calcium_mM: float = MEASURED_mM,
    release_scale: float = 1.0,
    weight_scale: float = 1.0,
    mg_mM: float | None = None,
    **settings: Unpack[RunSettings],
) -> pd.DataFrame:
    """Switch presynaptic m-types on and let them fire at chosen rates.

    What the package's graphical interface does with its buttons: every presynaptic cell of an
    m-type that is on fires as a Poisson process, all its synapses at once; synapses keep the
    package's own weights, short-term dynamics and random seeds.  The stochastic synapses need
    a fixed step.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    rates_Hz : mapping of str to float, or float
        Presynaptic m-type → rate; one number switches all of them on (10 Hz is the interface's
        default).
    duration_ms : float
        How long.
    seed : int
        Seed of the Poisson trains; the same seed repeats a run to the bit.
    stimuli
        Currents as well, as for `nmc.simulate_currents`.
    calcium_mM, release_scale, weight_scale, mg_mM
        See `nmc.SynapseSettings`.
    **settings
        See `nmc.RunSettings`; the mode is ``published``.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV``, ``i_nA`` and recorded columns; ``.attrs`` count the
        ``presynaptic_cells`` and ``synapses`` that were on.

    Raises
    ------
    UnknownNameError
        An m-type has no synapse on this cell. Others as `nmc.simulate_step`.
    """
    package = as_package(model)
    numbers = {mtype: str(number) for number, mtype in package.mtype_map.items()}
    present = package.synapses["pre_mtype"].unique()
    if not isinstance(rates_Hz, Mapping):
        rates_Hz = dict.fromkeys(present, rates_Hz)
    rates = {
        names.canonical_mtype(mtype): check_setting("rate_Hz", rate, where=f"rate of {mtype} (Hz)")
        for mtype, rate in rates_Hz.items()
    }
    UnknownNameError.check(f"m-type presynaptic to {package.name},", rates, present)
    factors = release_factors(rates, package.mtype, calcium_mM, release_scale)
    scales = {"weight_scale": weight_scale, "mg_mM": mg_mM}
    synaptic = {
        "rates_Hz": {numbers[mtype]: rate for mtype, rate in rates.items() if rate > 0},
        "release": {numbers[mtype]: factor for mtype, factor in factors.items()},
        "seed": seed,
        **scales,
    }
    trace = drive(
        package, stimuli, duration_ms, settings, protocol="bombardment", synaptic=synaptic
    )
    told = {"seed": seed, "calcium_mM": calcium_mM, "release_scale": release_scale}
    trace.attrs |= told | scales
    return trace


def _along(
    package: Package, stimulus, tstop_ms: float, places: pd.DataFrame, settings, protocol: str
) -> pd.DataFrame:
    """Peak at each place above its value at the pulse, and its time after the soma's or it."""
    record = {section: f"{section}(0.5).v" for section in places["section"]}
    settings = {"mode": "converged", **settings, "record": record}
    trace = drive(package, [stimulus], tstop_ms, settings, protocol=protocol)
    before = trace[trace["t_ms"] <= _PULSE_START_MS].iloc[-1]
    after = trace[trace["t_ms"] >= _PULSE_START_MS]
    rows = places[["section", "part", "distance_um"]].copy()
    rows["amplitude_mV"] = [after[s].max() - before[s] for s in places["section"]]
    peak = pd.Series({s: after["t_ms"].iloc[after[s].argmax()] for s in places["section"]})
    zero = peak["soma[0]"] if protocol == "bap" else _PULSE_START_MS
    rows["delay_ms"] = (places["section"].map(peak) - zero).to_numpy()
    rows = rows.reset_index(drop=True)
    rows.attrs = trace.attrs
    return rows


def measure_chirp(package: Package, **settings) -> dict:
    """Find the frequency at which the soma's impedance is largest."""
    table = simulate_chirp(package, progress=False, **settings)
    peak = table.loc[table["impedance_MOhm"].idxmax()]
    return {
        "resonance_frequency_Hz": peak["frequency_Hz"],
        "highest_impedance_MOhm": peak["impedance_MOhm"],
        "lowest_frequency_impedance_MOhm": table["impedance_MOhm"].iloc[0],
    }


def measure_bap(package: Package, **settings) -> dict:
    """Let a spike travel back and read it at the soma and at the farthest dendrite."""
    table = simulate_bap(package, progress=False, **settings)
    dendrites = table[table["part"].isin(["dend", "apic"])]
    far = dendrites.loc[dendrites["distance_um"].idxmax()]
    return {
        "spike_count": table.attrs["spike_count"],
        "soma_amplitude_mV": table.loc[table["part"] == "soma", "amplitude_mV"].iloc[0],
        "farthest_um": far["distance_um"],
        "farthest_amplitude_mV": far["amplitude_mV"],
    }


def measure_epsp(package: Package, **settings) -> dict:
    """Open a synaptic conductance on the section that the settings name (``dend[5]``)."""
    local, soma = simulate_epsp(package, progress=False, **settings).to_dict("records")
    return {
        "distance_um": local["distance_um"],
        "local_amplitude_mV": local["amplitude_mV"],
        "soma_amplitude_mV": soma["amplitude_mV"],
    }


def measure_bombardment(package: Package, **settings) -> dict:
    """Switch the presynaptic m-types on: mean and spread of the soma's voltage, spikes."""
    trace = simulate_bombardment(package, progress=False, **settings)
    return {
        "mean_mV": trace["v_mV"].mean(),
        "spread_mV": trace["v_mV"].std(),
        "spike_count": trace.attrs["spike_count"],
        "synapses": trace.attrs["synapses"],
    }
