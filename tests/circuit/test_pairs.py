"""Paired recordings: measures on drawn traces, contacts of a package, and a simulated pair."""

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.circuit.pairs import (
    SHEET,
    compare_with_sheet,
    measure_psp,
    psp_amplitudes,
    simulate_pair,
)
from nmc.circuit.synaptome import choose_cells, contacts_of, to_spec
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


def a_sheet(**numbers):
    """A sheet that prints 1 ± 0.5 for everything but what is given."""
    row = {}
    for name, unit in SHEET.values():
        end = f"_{unit}" if unit else ""
        row |= {f"{name}_mean{end}": 1.0, f"{name}_std{end}": 0.5}
    sheet = pd.Series(row | numbers)
    sheet.attrs = {"invented": False}
    return sheet


def all_as(values):
    return {column: values for column in SHEET}


def test_a_mean_is_compared_by_the_interval_of_its_ratio():
    values = np.array([1.1, 0.8, 1.3, 0.9, 1.2, 0.7, 1.05, 0.95])
    table = compare_with_sheet(all_as(values), a_sheet())
    row = table.loc["amplitude_mV"]
    assert row["n"] == 8 and row["ratio"] == pytest.approx(1.0) and row["verdict"] == "agrees"
    error = values.std(ddof=1) / np.sqrt(8)  # 2.3646: Student's t, 7 degrees of freedom
    assert row["ratio_low"] == pytest.approx(1 - 2.3646 * error, abs=0.3 * error)
    assert row["ratio_high"] == pytest.approx(1 + 2.3646 * error, abs=0.3 * error)
    far = compare_with_sheet(all_as(0.5 * values), a_sheet()).loc["amplitude_mV"]
    assert far["verdict"] == "differs" and far["ratio_high"] < 1
    again = compare_with_sheet(all_as(values), a_sheet()).loc["amplitude_mV"]
    assert again.equals(row)


@pytest.mark.parametrize("n", [6, 8, 20])
def test_the_intervals_hold_the_true_mean_as_often_as_they_say(n):
    rng = np.random.default_rng(4)
    held = [
        compare_with_sheet(all_as(rng.normal(1, 0.4, n)), a_sheet()).loc["cv", "verdict"]
        for _ in range(400)
    ]
    share = held.count("agrees") / len(held)
    assert (
        abs(share - 0.95) < 3 * (0.95 * 0.05 / 400) ** 0.5
    )  # plain percentiles: 0.86 for six values


def test_fewer_than_six_connections_decide_nothing():
    table = compare_with_sheet(all_as([5.0, 5.1, 5.2, 5.0, 5.1]), a_sheet())
    assert (table["n"] == 5).all() and (table["verdict"] == "").all()
    assert table["ratio"].notna().all() and table["ratio_low"].isna().all()


def test_a_sheet_whose_deviation_says_nothing_is_marked_and_decides_nothing():
    wide = a_sheet(psp_amplitude_std_mV=3.0, cv_psp_amplitude_std=0.0)
    table = compare_with_sheet(all_as([0.01, 0.02] * 3), wide)
    assert table["mark"].to_dict() == {
        "amplitude_mV": "SD ≥ mean", "cv": "SD = 0", "failures_percent": "", "rise_time_ms": "",
        "latency_ms": "", "decay_ms": "",
    }  # fmt: skip
    assert table.loc["amplitude_mV", "verdict"] == "differs"  # near zero, yet within three
    near = compare_with_sheet(all_as([0.9, 1.1, 1.0, 1.05, 0.95, 1.02]), wide)
    assert near.loc["cv", "verdict"] == "agrees"  # no deviation at all, and yet the mean is met


def test_one_connection_no_sheet_and_no_number_have_no_verdict():
    one = compare_with_sheet(all_as([1.0]), a_sheet()).loc["amplitude_mV"]
    assert one["n"] == 1 and one["verdict"] == "" and np.isnan(one["ratio_low"])
    none = compare_with_sheet(all_as([1.0, 2.0]), None)
    assert none["sheet"].isna().all() and (none["verdict"] == "").all()
    lost = compare_with_sheet(all_as([np.nan, 1.0, np.nan]), a_sheet())
    assert (lost["n"] == 1).all()
    zero = compare_with_sheet(all_as([1.0, 2.0]), a_sheet(failures_mean_percent=0.0))
    assert zero.loc["failures_percent", "verdict"] == ""


def test_contacts_are_those_of_the_package():
    package = nmc.load_package(HAC)
    counts = package.synapses["pre_mtype"].value_counts()
    contacts = contacts_of(package, counts.index[0])
    assert len(contacts) == counts.iloc[0]
    spec = to_spec(contacts)
    assert spec[0]["weight_nS"] == contacts["weight_nS"].iloc[0]
    assert spec[0]["synapse"] == contacts.index[0]
    assert ("mg_mM" in spec[0]) == bool(contacts["excitatory"].iloc[0])
    chosen = choose_cells(contacts, 3, np.random.default_rng(1))
    assert len(set(chosen)) == min(3, contacts["pre_cell"].nunique())
    listed = choose_cells(contacts, chosen[::-1].tolist(), np.random.default_rng(1))
    assert listed.tolist() == sorted(chosen)
    for bad in ([], [int(chosen[0]), 10**9], [1.5], "all"):
        with pytest.raises(SynapseError):
            choose_cells(contacts, bad, np.random.default_rng(1))


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
@pytest.mark.usefixtures("own_results")
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
    table = first.compare()
    assert (table["n"] == 2).all() and table["verdict"].isin(["invented data", ""]).all()


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
    assert sheet.attrs["weight_factor"] == pytest.approx(ratio)
    product = row["gsyn_mean_nS"] * clamp  # the same mean, given as a number
    given = simulate_pair(pre, HAC, 10, cells=1, window_ms=60.0, conductance=float(product))
    assert given.trials["amplitude_mV"].to_numpy() == pytest.approx(sheet.trials["amplitude_mV"])


@pytest.mark.neuron
def test_a_held_cell_rests_where_it_is_held():
    pre = nmc.load_package(HAC).synapses.query("excitatory")["pre_mtype"].value_counts().index[0]
    held = simulate_pair(pre, HAC, 2, cells=1, window_ms=20.0, hold_mV=-80.0)
    trace = next(iter(held.v_mV.values()))
    assert np.abs(trace[:, held.t_ms < 0] + 80.0).max() < 0.05
    assert held.attrs["hold_mV"] == -80.0 and held.attrs["hold_nA"] < 0  # below its rest


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.neuron
def test_thick_tufted_pair_agrees_with_the_printed_values(mirror, monkeypatch):
    """L5_TTPC1 to L5_TTPC1 on the real package: the sheet's mean in the interval, all six."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    found = simulate_pair("L5_TTPC1", "L5_TTPC1_cADpyr232_1", 15, cells=8, workers=2)
    summary = found.compare()
    assert (summary["verdict"] == "agrees").all(), summary
