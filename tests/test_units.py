"""Column names carry units; `label` says them as people write them."""

import pytest
from nmc.units import UNITS, label, unit_of


@pytest.mark.parametrize(
    ("column", "text", "unit"),
    [
        ("v_mV", "v (mV)", "mV"),
        ("input_resistance_MOhm", "input resistance (MΩ)", "MΩ"),
        ("density_per_mm3", "density (1/mm³)", "1/mm³"),
        ("gbar_S_per_cm2", "gbar (S/cm²)", "S/cm²"),
        ("neurons", "neurons", ""),
        ("mtype_pre", "mtype pre", ""),
        ("psp_amplitude_mean_mV", "mean PSP amplitude (mV)", "mV"),
        ("d_std_ms", "SD of d (ms)", "ms"),
        ("cv_psp_amplitude_mean", "CV of the PSP amplitude", ""),
        ("n_neurons", "neurons", ""),
        ("mean_frequency_Hz", "mean frequency (Hz)", "Hz"),
    ],
)
def test_labels(column, text, unit):
    assert label(column) == text
    assert unit_of(column) == unit


def test_longest_suffix_wins():
    # "per_ms" must not be read as "ms"
    assert unit_of("rate_per_ms") == "1/ms"
    assert all(unit_of(f"x_{suffix}") == printed for suffix, printed in UNITS.items())
