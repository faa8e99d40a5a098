"""What a sweep writes down of a protocol: a package and settings in, one row of numbers out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nmc.cells.package import Package


def measure_step(package: Package, **settings) -> dict:
    """Simulate a step and return its numbers: spikes and eFEL features."""
    from nmc.cells.features import compute_features
    from nmc.cells.protocols import simulate_step

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


def measure_rest(package: Package, **settings) -> dict:
    """Run the rest protocol and return its three numbers."""
    from nmc.cells.passive import simulate_rest

    attrs = simulate_rest(package, progress=False, **settings).attrs
    columns = (
        "resting_membrane_potential_mV", "input_resistance_MOhm", "membrane_time_constant_ms",
        "cpu_s", "integration",
    )  # fmt: skip
    return {name: attrs[name] for name in columns}


def measure_fi(package: Package, **settings) -> dict:
    """Count spikes over a range of currents: where firing starts, how steeply it grows."""
    from nmc.cells.fi import simulate_fi

    table = simulate_fi(package, n_workers=1, progress=False, **settings)
    firing = table[table["spike_count"] > 0]
    steep = len(firing) > 1
    return {
        "lowest_firing_nA": firing["amplitude_nA"].min(),
        "highest_rate_Hz": table["rate_Hz"].max(),
        "gain_Hz_per_nA": float(np.polyfit(firing["amplitude_nA"], firing["rate_Hz"], 1)[0])
        if steep
        else float("nan"),
    }


def measure_chirp(package: Package, **settings) -> dict:
    """Find the frequency at which the soma's impedance is largest."""
    from nmc.cells.stimulation import simulate_chirp

    table = simulate_chirp(package, progress=False, **settings)
    peak = table.loc[table["impedance_MOhm"].idxmax()]
    return {
        "resonance_frequency_Hz": peak["frequency_Hz"],
        "highest_impedance_MOhm": peak["impedance_MOhm"],
        "lowest_frequency_impedance_MOhm": table["impedance_MOhm"].iloc[0],
    }


def measure_bap(package: Package, **settings) -> dict:
    """Let a spike travel back and read it at the soma and at the farthest dendrite."""
    from nmc.cells.stimulation import simulate_bap

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
    from nmc.cells.stimulation import simulate_epsp

    local, soma = simulate_epsp(package, progress=False, **settings).to_dict("records")
    return {
        "distance_um": local["distance_um"],
        "local_amplitude_mV": local["amplitude_mV"],
        "soma_amplitude_mV": soma["amplitude_mV"],
    }


def measure_bombardment(package: Package, **settings) -> dict:
    """Switch the presynaptic m-types on: mean and spread of the soma's voltage, spikes."""
    from nmc.cells.stimulation import simulate_bombardment

    trace = simulate_bombardment(package, progress=False, **settings)
    return {
        "mean_mV": trace["v_mV"].mean(),
        "spread_mV": trace["v_mV"].std(),
        "spike_count": trace.attrs["spike_count"],
        "synapses": trace.attrs["synapses"],
    }


#: Protocols a sweep can run: name → function of a package and settings that returns a row.
PROTOCOLS: Mapping[str, Callable[..., dict]] = {
    "step": measure_step,
    "rest": measure_rest,
    "fi": measure_fi,
    "chirp": measure_chirp,
    "bap": measure_bap,
    "epsp": measure_epsp,
    "bombardment": measure_bombardment,
}
#: Modules that define a protocol, besides those of `simulate_step` and `simulate_rest`.
MODULES: Mapping[str, tuple[str, ...]] = {
    "fi": ("nmc.cells.fi",),
    **dict.fromkeys(("chirp", "bap", "epsp"), ("nmc.cells.stimulation",)),
    "bombardment": ("nmc.cells._synapses", "nmc.cells.stimulation"),
}
