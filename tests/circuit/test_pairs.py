"""Paired recordings: measures on drawn traces, contacts of a package, and a simulated pair."""

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.circuit.contacts import choose_cells, contacts_of, to_spec
from nmc.circuit.pairs import simulate_pair
from nmc.circuit.psp import measure_psp, psp_amplitudes
from nmc.errors import SynapseError, UnknownNameError

HAC = "L1_HAC_cNAC187_1"
T = np.arange(-50, 2001) / 10.0


def drawn(peak=1.0, delay=2.0, rise=1.0, decay=20.0):
    """A double exponential that starts at `delay`, scaled to its peak."""
    s = np.clip(T - delay, 0, None)
    psp = np.exp(-s / decay) - np.exp(-s / rise)
    return -70.0 + peak * psp / psp.max()


def test_measures_of_a_drawn_psp():
    got = measure_psp(T, np.array([drawn(1.0), drawn(3.0)]), 1)
    assert got["amplitude_mV"] == pytest.approx(2.0, rel=1e-3)
    assert got["cv"] == pytest.approx(0.5, rel=1e-3)
    assert got["failures_percent"] == 0
    assert got["decay_fit_ms"] == pytest.approx(20.0, rel=0.03)
    # exp(-s/20) - exp(-s) peaks at s = 3.153 with 0.8114 and has fallen to 1/e of it at s = 24.18
    assert got["decay_ms"] == pytest.approx(24.18 - 3.153, abs=0.06)  # peak to half a sample
    assert 2.0 < got["latency_ms"] < 2.3
    fine = np.linspace(0, 20, 200001)
    shape = np.exp(-fine / 20) - np.exp(-fine)
    shape /= shape.max()
    up = shape[: shape.argmax()]
    rise = fine[np.argmax(up > 0.8)] - fine[np.argmax(up > 0.2)]
    assert got["rise_time_ms"] == pytest.approx(rise, abs=0.03)


def test_failures_count_in_the_mean_and_not_in_the_shape():
    flat = np.full_like(T, -70.0)
    got = measure_psp(T, np.array([drawn(2.0), flat, flat, flat]), 1)
    alone = measure_psp(T, np.array([drawn(2.0)]), 1)
    assert got["amplitude_mV"] == pytest.approx(0.5, rel=1e-3)
    assert got["failures_percent"] == 75
    assert got["decay_ms"] == pytest.approx(alone["decay_ms"])


def test_a_fall_that_the_window_does_not_hold_has_no_decay():
    short = T <= 20  # 1/e is reached 23 ms after the spike
    got = measure_psp(T[short], drawn(1.0)[None, short], 1)
    assert np.isnan(got["decay_ms"]) and got["rise_time_ms"] > 0


def test_a_straight_fall_reaches_its_eth_part_where_geometry_says():
    fall = np.interp(T, [0, 10, 110], [0.0, 1.0, 0.0])  # from 1 at 10 ms to 0 at 110 ms
    got = measure_psp(T, fall[None], 1)
    assert got["decay_ms"] == pytest.approx(100 * (1 - 1 / np.e), abs=1e-6)


def test_inhibition_is_measured_downwards():
    trace = -140.0 - drawn(1.5)
    assert psp_amplitudes(T, trace[None], -1) == pytest.approx(1.5, rel=1e-3)
    assert psp_amplitudes(T, trace[None], 1) == pytest.approx(0.0, abs=1e-9)


def test_only_failures_have_no_shape():
    got = measure_psp(T, np.full((3, len(T)), -70.0), 1)
    assert got["failures_percent"] == 100 and got["amplitude_mV"] == 0
    assert np.isnan([got["cv"], got["rise_time_ms"], got["latency_ms"], got["decay_ms"]]).all()


def test_contacts_are_those_of_the_package():
    package = nmc.load_package(HAC)
    counts = package.synapses["pre_mtype"].value_counts()
    contacts = contacts_of(package, counts.index[0])
    assert len(contacts) == counts.iloc[0]
    spec = to_spec(contacts, 2.0)
    assert spec[0]["weight_nS"] == pytest.approx(2 * contacts["weight_nS"].iloc[0])
    assert ("mg_mM" in spec[0]) == bool(contacts["excitatory"].iloc[0])
    chosen = choose_cells(contacts, 3, np.random.default_rng(1))
    assert len(set(chosen)) == min(3, contacts["pre_cell"].nunique())


def test_bad_input_is_named():
    with pytest.raises(UnknownNameError, match="m-type"):
        simulate_pair("L9_XX", HAC)
    package = nmc.load_package(HAC)
    absent = next(m for m in nmc.names.MTYPES if m not in set(package.synapses["pre_mtype"]))
    with pytest.raises(SynapseError, match=f"no synapse from {absent}; its presynaptic m-types"):
        simulate_pair(absent, HAC)
    present = package.synapses["pre_mtype"].iloc[0]
    with pytest.raises(SynapseError, match="trials: 0 is below 1"):
        simulate_pair(present, HAC, 0)
    with pytest.raises(UnknownNameError, match="conductance"):
        simulate_pair(present, HAC, 1, conductance="strong")


@pytest.mark.neuron
def test_a_pair_repeats_to_the_bit_and_releases_as_its_contacts_say():
    package = nmc.load_package(HAC)
    pre = package.synapses.query("excitatory")["pre_mtype"].value_counts().index[0]
    first = simulate_pair(pre, HAC, 40, cells=2, window_ms=60.0)
    nmc.clear_results()
    again = simulate_pair(pre, HAC, 40, cells=2, window_ms=60.0)
    other = simulate_pair(pre, HAC, 40, cells=2, window_ms=60.0, seed=7)
    assert all((first.v_mV[c] == again.v_mV[c]).all() for c in first.v_mV)
    assert not first.trials["amplitude_mV"].equals(other.trials["amplitude_mV"])
    contacts = contacts_of(package, pre)
    for cell, row in first.cells.iterrows():
        u = contacts.loc[contacts["pre_cell"] == cell, "utilisation"]
        expected = 100 * np.prod(1 - u)  # no contact releases
        assert row["failures_percent"] == pytest.approx(expected, abs=4 * 50 / np.sqrt(40) + 1)
        assert row["contacts"] == len(u)
    assert (first.cells["amplitude_mV"] > 0).all()
    assert first.attrs["invented"] and first.attrs["origin"] == "sample"
    assert set(first.compare().columns) >= {"simulated", "sheet", "within_one_sd"}


@pytest.mark.neuron
def test_weights_scale_the_answer():
    package = nmc.load_package(HAC)
    pre = package.synapses.query("excitatory")["pre_mtype"].value_counts().index[0]
    row = nmc.load_pathways().query("pre == @pre and post == 'L1_HAC'").iloc[0]
    own = simulate_pair(pre, HAC, 10, cells=1, window_ms=60.0)
    sheet = simulate_pair(pre, HAC, 10, cells=1, window_ms=60.0, conductance="sheet")
    clamp = row["space_clamp_correction_factor"]
    clamp = 1.0 if pd.isna(clamp) else float(clamp)
    ratio = row["gsyn_mean_nS"] * clamp / contacts_of(package, pre)["weight_nS"].mean()
    measured = sheet.cells["amplitude_mV"].iloc[0] / own.cells["amplitude_mV"].iloc[0]
    assert measured == pytest.approx(ratio, rel=0.25)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.neuron
def test_thick_tufted_pair_agrees_with_the_printed_values(mirror, monkeypatch):
    """L5_TTPC1 to L5_TTPC1 on the real package: all six means within the sheet's deviation."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    found = simulate_pair("L5_TTPC1", "L5_TTPC1_cADpyr232_1", 15, cells=8, workers=2)
    summary = found.compare()
    assert summary["within_one_sd"].all(), summary
