"""Protocols beyond the soma's step: signals along the tree, a chirp, synaptic bombardment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nmc import child, names
from nmc.cells import protocols
from nmc.cells.build import cell_spec
from nmc.cells.package import AnyModel, Package, as_package
from nmc.cells.protocols import simulate_currents
from nmc.cells.settings import check_setting, check_settings
from nmc.errors import ProtocolError, UnknownNameError

#: A brief strong pulse makes one spike: 5 ms after the cell has come to rest.
_PULSE_START_MS, _PULSE_MS = 700.0, 5.0


def simulate_bap(
    model: AnyModel,
    *,
    amplitude_nA: float = 1.9,
    mode: str = "converged",
    n_places: int = 60,
    **settings,
) -> pd.DataFrame:
    """Let one spike of the soma travel back along the tree and measure it on the way.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    amplitude_nA : float
        Pulse of 5 ms into the soma; 1.9 nA makes the portal's L5_TTPC1 spike once.
    mode : {"published", "converged"}
        See `nmc.cells.settings`.
    n_places : int
        About how many sections to record, spread over the whole tree.
    **settings
        Further arguments of `nmc.simulate_currents`.

    Returns
    -------
    pandas.DataFrame
        One row a place: ``section``, ``part`` (``soma``, ``dend``, ``apic``, ``axon``),
        ``distance_um`` along the path from the soma, ``amplitude_mV`` above the resting value,
        ``delay_ms`` of the peak after the soma's. ``.attrs["spike_count"]`` says how often the
        soma fired.

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
        As `nmc.simulate_step`.
    """
    package = as_package(model, trust=settings.pop("trust", False))
    given = check_settings(amplitude_nA=amplitude_nA, n_places=n_places)
    amplitude = given["amplitude_nA"]
    places = measure_places(package, given["n_places"])
    pulse = protocols.step_stimulus(_PULSE_START_MS, _PULSE_MS, amplitude)
    trace = simulate_currents(
        package,
        [pulse],
        tstop_ms=_PULSE_START_MS + 60,
        mode=mode,
        record={row.section: f"{row.section}(0.5).v" for row in places.itertuples()},
        **settings,
    )
    return _peaks(trace, places, _PULSE_START_MS, "bap")


def simulate_epsp(
    model: AnyModel,
    section: str,
    *,
    weight_nS: float = 1.5,
    mode: str = "converged",
    **settings,
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
    mode, **settings
        As for `simulate_bap`.

    Returns
    -------
    pandas.DataFrame
        Two rows, ``section`` (the place itself, then the soma), ``part``, ``distance_um``,
        ``amplitude_mV``, ``delay_ms`` after the onset.

    Raises
    ------
    UnknownNameError
        The cell has no such section.
    PackageError, MechanismError, CompilerError, SimulationError
        As `nmc.simulate_step`.
    """
    package = as_package(model, trust=settings.pop("trust", False))
    weight = check_settings(weight_nS=weight_nS)["weight_nS"]
    places = measure_places(package, None).query("section in [@section, 'soma[0]']")
    if section not in set(places["section"]):
        raise UnknownNameError.of("section", section, measure_places(package, None)["section"])
    onset = {
        "kind": "epsp",
        "at": f"{section}(0.5)",
        "onset_ms": _PULSE_START_MS,
        "rise_ms": 0.2,
        "decay_ms": 1.7,
        "weight_uS": weight / 1000,
        "reversal_mV": 0.0,
    }
    trace = simulate_currents(
        package,
        [onset],
        tstop_ms=_PULSE_START_MS + 100,
        mode=mode,
        record={section: f"{section}(0.5).v", "soma[0]": "soma[0](0.5).v"},
        **settings,
    )
    return _peaks(trace, places, _PULSE_START_MS, "epsp").sort_values(
        "distance_um", ascending=False, ignore_index=True
    )


def simulate_chirp(
    model: AnyModel,
    *,
    amplitude_nA: float = 0.02,
    f_max_Hz: float = 50.0,
    duration_ms: float = 4000.0,
    mode: str = "published",
    **settings,
) -> pd.DataFrame:
    """Inject a current whose frequency rises linearly and measure the impedance of the soma.

    Parameters
    ----------
    model
        As for `nmc.simulate_step`.
    amplitude_nA : float
        Amplitude of the oscillation; small enough not to fire.
    f_max_Hz : float
        Frequency at the end; it starts at zero.
    duration_ms : float
        How long the chirp lasts, after 500 ms of rest.
    mode : {"published", "converged"}
        A current that changes all the time leaves a variable step no advantage.
    **settings
        Further arguments of `nmc.simulate_currents`.

    Returns
    -------
    pandas.DataFrame
        ``frequency_Hz``, ``impedance_MOhm`` (size) and ``phase_rad`` of voltage over current,
        from the ratio of their Fourier transforms, 0.5 Hz to `f_max_Hz`.

    Raises
    ------
    PackageError, MechanismError, CompilerError, SimulationError
        As `nmc.simulate_step`.
    """
    package = as_package(model)
    check_settings(amplitude_nA=amplitude_nA, f_max_Hz=f_max_Hz, duration_ms=duration_ms)
    if amplitude_nA == 0 or f_max_Hz * duration_ms < 1000:
        raise ProtocolError(
            f"A chirp of {amplitude_nA:g} nA up to {f_max_Hz:g} Hz in {duration_ms:g} ms holds "
            "no oscillation: raise amplitude_nA, f_max_Hz or duration_ms."
        )
    rest = 500.0
    t = np.arange(0.0, duration_ms + 0.05, 0.1)
    current = amplitude_nA * np.sin(np.pi * f_max_Hz * (t / 1000) ** 2 * 1000 / duration_ms)
    wave = {"kind": "waveform", "at": "soma[0](0.5)"}
    wave |= {"t_ms": [0.0, *(t + rest)], "i_nA": [0.0, *current]}
    trace = simulate_currents(
        package, [wave], tstop_ms=rest + duration_ms, mode=mode, settle=True, **settings
    )
    during = trace[trace["t_ms"] >= rest]
    frequency = np.fft.rfftfreq(len(during), 0.1e-3)
    voltage = np.fft.rfft(during["v_mV"] - trace.loc[trace["t_ms"] < rest, "v_mV"].iloc[-1])
    ratio = voltage / np.fft.rfft(during["i_nA"])
    keep = (frequency >= 0.5) & (frequency <= f_max_Hz)
    table = pd.DataFrame(
        {
            "frequency_Hz": frequency[keep],
            "impedance_MOhm": np.abs(ratio[keep]),
            "phase_rad": np.angle(ratio[keep]),
        }
    )
    table.attrs = {**trace.attrs, "protocol": "chirp"}
    return table


def simulate_bombardment(
    model: AnyModel,
    rates_Hz: Mapping[str, float] | float = 10.0,
    *,
    duration_ms: float = 1000.0,
    seed: int = 1,
    v_init_mV: float = -65.0,
    record: Mapping[str, str] | None = None,
    stimuli: Sequence[dict] = (),
    trust: bool = False,
    timeout_s: float = child.TIMEOUT_S,
    progress: bool = True,
) -> pd.DataFrame:
    """Switch presynaptic m-types on and let them fire at chosen rates.

    What the package's graphical interface does with its buttons: every presynaptic cell of an
    m-type that is on fires as a Poisson process, all its synapses at once; synapses keep the
    package's own weights, short-term dynamics and random seeds.  The stochastic synapses need
    a fixed step, so this protocol has no other mode.

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
    stimuli : sequence of dict
        Current clamps as well, from `nmc.cells.protocols.step_stimulus`.
    v_init_mV, record, trust, timeout_s, progress
        As for `nmc.simulate_step`.

    Returns
    -------
    pandas.DataFrame
        ``t_ms``, ``v_mV``, ``i_nA`` and recorded columns; ``.attrs`` count the
        ``presynaptic_cells`` and ``synapses`` that were on.

    Raises
    ------
    UnknownNameError
        An m-type has no synapse on this cell.
    """
    package = as_package(model, trust=trust)
    numbers = {mtype: number for number, mtype in package.mtype_map.items()}
    present = package.synapses["pre_mtype"].unique()
    if not isinstance(rates_Hz, Mapping):
        rates_Hz = dict.fromkeys(present, rates_Hz)
    rates = {
        names.canonical_mtype(mtype): check_setting("rate_Hz", rate, where=f"rate of {mtype} (Hz)")
        for mtype, rate in rates_Hz.items()
    }
    given = check_settings(duration_ms=duration_ms, seed=seed)
    for mtype in rates:
        if mtype not in present:
            raise UnknownNameError.of(f"m-type presynaptic to {package.name},", mtype, present)
    trace = protocols.drive(
        package,
        stimuli,
        tstop_ms=given["duration_ms"],
        mode="published",
        v_init_mV=v_init_mV,
        record=record,
        synaptic={
            "rates_Hz": {str(numbers[m]): rate for m, rate in rates.items() if rate > 0},
            "seed": given["seed"],
        },
        timeout_s=timeout_s,
        progress=progress,
    )
    trace.attrs.update(protocol="bombardment", seed=given["seed"])
    return trace


def measure_places(package: Package, n_places: int | None) -> pd.DataFrame:
    """Sections of the simulated cell with their path distance from the soma.

    Parameters
    ----------
    package : Package
        Which cell.
    n_places : int or None
        About how many, evenly over the list of sections; None gives all.

    Returns
    -------
    pandas.DataFrame
        ``section``, ``part``, ``distance_um`` of the middle, ``length_um``, ``diameter_um``;
        the soma always first.
    """
    meta, arrays = protocols.run_cached(
        "nmc.cells.build:list_sections", {"cell": cell_spec(package)}, [package], progress=False
    )
    table = pd.DataFrame({"section": meta["sections"], **arrays})
    table.insert(1, "part", table["section"].str.partition("[")[0])
    if n_places and len(table) > n_places:
        kept = np.unique(np.linspace(0, len(table) - 1, n_places).round().astype(int))
        table = table.iloc[kept].reset_index(drop=True)
    return table


def _peaks(trace: pd.DataFrame, places: pd.DataFrame, onset: float, protocol: str) -> pd.DataFrame:
    """Peak above the value at the onset, and its time after the soma's peak or the onset."""
    before = trace[trace["t_ms"] <= onset].iloc[-1]
    after = trace[trace["t_ms"] >= onset]
    rows = places[["section", "part", "distance_um"]].copy()
    rows["amplitude_mV"] = [after[s].max() - before[s] for s in places["section"]]
    peak = pd.Series({s: after["t_ms"].iloc[after[s].argmax()] for s in places["section"]})
    zero = peak["soma[0]"] if protocol == "bap" else onset
    rows["delay_ms"] = (places["section"].map(peak) - zero).to_numpy()
    rows = rows.reset_index(drop=True)
    rows.attrs = {**trace.attrs, "protocol": protocol}
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
