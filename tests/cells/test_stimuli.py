"""Stimuli and settings: their right values are those of theory, on a cell that is passive."""

from __future__ import annotations

import math

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.cells.stimuli import from_plain
from nmc.errors import FormatError, PackageError, ProtocolError, SimulationError, UnknownNameError

from .conftest import SMALL

T = np.arange(0.0, 100.0, 0.1)
TAU_MS = 20.0  # of the sample's cells: 1 uF/cm2 over 5e-5 S/cm2
REST_MV = -72.0


@pytest.fixture(scope="module")
def passive(small):
    """The sample's smallest cell without any channel but the leak, which is the same everywhere."""
    channels = {m for found in small.mechanisms.values() for m in found}
    return nmc.scale_channels(small, dict.fromkeys(channels - {"pas", "CaDynamics_E2"}, 0.0))


# -- by hand ---------------------------------------------------------------------------------------


def test_shapes_of_currents_by_hand():
    def at(stimulus, *times):
        return stimulus.current_nA(np.array(times)).tolist()

    assert at(nmc.Step(10, 5, 0.2), 9.9, 10, 14.9, 15) == [0, 0.2, 0.2, 0]
    ramp = nmc.Ramp(10, 20, 0.1, 0.5)
    assert at(ramp, 9.9, 10, 20, 30) == pytest.approx([0, 0.1, 0.3, 0])
    wave = nmc.Waveform([5, 10, 10, 20], [0.0, 1.0, 2.0, 0.0])
    assert at(wave, 4.9, 5, 7.5, 15, 20) == pytest.approx([0, 0, 0.5, 1.0, 0])
    sine = nmc.Sine(10, 1000, 0.2, 5.0, offset_nA=0.1)
    assert at(sine, 10, 60, 110, 160) == pytest.approx([0.1, 0.3, 0.1, -0.1])
    assert (sine.start_ms, sine.end_ms, wave.start_ms, wave.end_ms) == (10, 1010, 5, 20)


def test_the_frequency_of_a_chirp_rises_in_a_straight_line():
    """Half of its cycles have passed after 1/sqrt(2) of a chirp from zero."""
    t = np.arange(0.0, 2000.0, 0.1)
    i = nmc.Chirp(0, 2000, 1.0, 50.0).current_nA(t)
    upward = t[1:][(i[:-1] < 0) & (i[1:] >= 0)]
    assert len(upward) == pytest.approx(50, abs=1)  # 50 Hz over 2 s, mean frequency 25
    assert upward[24] == pytest.approx(2000 / math.sqrt(2), abs=2)


@pytest.mark.parametrize("tau_ms", [1.0, 5.0, 20.0])
def test_noise_has_its_mean_variance_and_correlation(tau_ms):
    """Of a stationary process over 2 tau: standard errors shrink with the independent samples."""
    noise = nmc.OUCurrent(0, 400_000, mean_nA=0.3, sd_nA=0.1, tau_ms=tau_ms, seed=5)
    t = np.arange(0.0, 400_000.0, 0.25)
    i = noise.current_nA(t)
    independent = 400_000 / (2 * tau_ms)
    assert i.mean() == pytest.approx(0.3, abs=4 * 0.1 / math.sqrt(independent))
    assert i.var() == pytest.approx(0.01, rel=4 * math.sqrt(2 / independent))
    lag = round(tau_ms / 0.25)
    together = np.corrcoef(i[:-lag], i[lag:])[0, 1]
    assert together == pytest.approx(math.exp(-1), abs=4 / math.sqrt(independent))
    assert np.array_equal(i, noise.current_nA(t))
    other = nmc.OUCurrent(0, 400_000, mean_nA=0.3, sd_nA=0.1, tau_ms=tau_ms, seed=6)
    assert abs(np.corrcoef(i, other.current_nA(t))[0, 1]) < 4 / math.sqrt(independent)


def test_a_conductance_is_cut_at_zero_and_has_the_paper_s_numbers():
    """Gfluct, the mechanism of Destexhe et al. (2001): 12.1 +- 3.0 nS and 57.3 +- 6.6 nS."""
    excitation, inhibition = nmc.background_conductances(0, 200_000)
    for one, mean, sd in ((excitation, 12.1, 3.0), (inhibition, 57.3, 6.6)):
        _, g = one.points()
        independent = 200_000 / (2 * one.tau_ms)
        assert g.min() >= 0
        assert g.mean() == pytest.approx(mean, abs=4 * sd / math.sqrt(independent))
        assert g.std() == pytest.approx(sd, rel=4 * math.sqrt(0.5 / independent))
    assert excitation.seed != inhibition.seed
    _, mostly = nmc.OUConductance(0, 1000, 0.0, 1.0, 5.0, 0.0).points()
    assert mostly.min() == 0 < mostly.max()


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("Step", (0, -1, 0.1), "Step, duration_ms"),
        ("Step", (0, 1, math.nan), "Step, amplitude_nA"),
        ("Ramp", (0, 1, 0.1, "0.2"), "Ramp, end_nA: '0.2' is text"),
        ("Sine", (0, 1, 0.1, 1e5), "Sine, frequency_Hz"),
        ("OUCurrent", (0, 1, 0.1, -0.1), "OUCurrent, sd_nA"),
        ("OUCurrent", (0, 1, 0.1, 0.1, 0.0), "OUCurrent, tau_ms"),
        ("OUCurrent", (0, 1, 0.1, 0.1, 3.0, 1.5), "OUCurrent, seed"),
        ("Waveform", ([0, 1], [0.1]), "need one length"),
        ("Waveform", ([1, 0], [0.1, 0.1]), "times must ascend"),
        ("Waveform", ([0, math.inf], [0.1, 0.1]), "Waveform, t_ms, value 2"),
        ("Waveform", ([[0, 1]], [0.1, 0.1]), r"value 1: \[0, 1\] is not a number"),
        ("SpikeTrain", ([5, 4],), "times must ascend"),
        ("SynapseTrain", ([5], [0.5]), "synapses"),
        ("SynapseTrain", ([5], "all"), "no list of numbers"),
        ("SynapseTrain", ([5], []), "synapses: the list is empty"),
        ("background_conductances", (0, 1), "scale: 'much' is not a number"),
        ("SpikeTrain", ([],), "times_ms: the list is empty"),
        ("SpikeTrain", ([5], 1.0, 2.0, 1.0), "shorter than decay_ms"),
        ("VoltageClamp", ([-70], [1, 2]), "need one length"),
        ("VoltageClamp", ([-70], [0]), "VoltageClamp, durations_ms, value 1"),
    ],
)
def test_a_stimulus_that_cannot_be_is_refused_when_it_is_made(kind, arguments, said):
    with pytest.raises(ProtocolError, match=said):
        extra = {"scale": "much"} if kind == "background_conductances" else {}
        getattr(nmc, kind)(*arguments, **extra)


def test_a_table_of_times_and_currents_is_not_added_up_row_by_row(small):
    table = np.column_stack([np.arange(200) * 0.1, np.full(200, 0.1)])
    with pytest.raises(ProtocolError, match="no stimulus, array of nA, or list"):
        nmc.simulate_currents(small, table)


@pytest.mark.filterwarnings("error")
def test_a_chirp_without_length_is_no_current():
    assert nmc.Chirp(5, 0, 0.1, 50).points()[1].tolist() == [0.0]


@pytest.mark.parametrize("place", ["dend[0]", "dend[0](1.5)", "dent[0](0.5)", 'x")(0.5)', 3])
def test_a_place_that_cannot_be_is_refused(small, place):
    with pytest.raises(ProtocolError, match="not a place"):
        nmc.Step(0, 1, 0.1, at=place)
    with pytest.raises(PackageError, match=f"{SMALL}: there is no section 'dend.999.'; it has"):
        nmc.simulate_currents(small, nmc.Step(0, 1, 0.1, at="dend[999](0.5)"))


@pytest.mark.parametrize(
    ("stimuli", "told"),
    [
        (nmc.Step(50, 1, 0.1), "Step: it begins at 50 ms, but the run ends at 20 ms"),
        (nmc.Waveform([20.0, 30.0], [0.1, 0.1]), "Waveform: it begins at 20 ms"),
        (nmc.SpikeTrain([25.0]), "SpikeTrain: it begins at 25 ms"),
        ([nmc.VoltageClamp([-70], [9], at=place) for place in ("soma(0.5)", "soma[0](0.50)")],
         r"VoltageClamp, at: another clamp holds soma\[0\]\(0.50\) already"),
    ],
)  # fmt: skip
def test_a_stimulus_that_would_do_nothing_or_fight_another_is_refused(small, stimuli, told):
    with pytest.raises(ProtocolError, match=told):
        nmc.simulate_currents(small, stimuli, tstop_ms=20)


def test_stimuli_go_to_the_worker_and_back():
    import json

    for one in (
        nmc.Step(1, 2, 0.3, at="dend[3](0.5)"), nmc.Waveform([0, 1], [0.1, 0.2]),
        nmc.SpikeTrain(np.array([1.0, 2.0])), nmc.VoltageClamp([-70, -60], [5, 5]),
        nmc.OUCurrent(0, 10, 0.1, 0.1, seed=7), *nmc.background_conductances(0, 10),
    ):  # fmt: skip
        assert from_plain(json.loads(json.dumps(one.plain()))) == one


# -- on a passive cell -----------------------------------------------------------------------------


@pytest.mark.neuron
def test_a_passive_cell_charges_and_discharges_as_it_must(passive):
    """Where leak and capacitance are the same everywhere, the slowest time constant is Cm/Gm."""
    step = nmc.Step(50.0, 300.0, -0.02)
    settings = {"tstop_ms": 500.0, "v_init_mV": REST_MV, "mode": "converged"}
    trace = nmc.simulate_currents(passive, step, **settings).set_index("t_ms")["v_mV"]
    assert np.allclose(trace[:50.0], REST_MV, atol=1e-6)
    for start, end, final in ((150.0, 230.0, trace[349.9]), (400.0, 460.0, REST_MV)):
        away = np.abs(trace[start:end] - final)
        tau = -1 / np.polyfit(away.index, np.log(away), 1)[0]
        assert tau == pytest.approx(TAU_MS, rel=0.02)
    one, two = (  # with equal steps, twice the current is twice the deflection
        nmc.simulate_currents(passive, nmc.Step(5.0, 30.0, a), v_init_mV=REST_MV)["v_mV"]
        for a in (-0.02, -0.04)
    )
    assert np.allclose(two - REST_MV, 2 * (one - REST_MV), atol=1e-9)


@pytest.mark.neuron
def test_the_error_of_the_fixed_step_is_of_first_order(passive):
    """Implicit Euler: half the step, half the error."""

    def at(dt_ms: float) -> float:
        trace = nmc.simulate_currents(
            passive, nmc.Step(0.0, 30.0, 0.1), v_init_mV=REST_MV, dt_ms=dt_ms
        )
        assert f"{dt_ms:g} ms" in trace.attrs["integration"]
        return trace["v_mV"].iloc[100]

    coarse, middle, fine = (at(dt) for dt in (0.1, 0.05, 0.025))
    assert (coarse - middle) / (middle - fine) == pytest.approx(2, rel=0.1)


@pytest.mark.neuron
def test_current_voltage_and_clamp_agree_on_the_resistance(passive):
    """A passive cell is a resistor: one slope, no sag, and a clamp that needs the same current."""
    iv = nmc.simulate_iv(passive, [-0.04, 0.0, -0.02, 0.02])
    assert iv["amplitude_nA"].is_monotonic_increasing and (iv["spike_count"] == 0).all()
    assert np.allclose(iv["base_mV"], REST_MV, atol=1e-3)
    resistance, at_zero = np.polyfit(iv["amplitude_nA"], iv["steady_mV"], 1)
    assert at_zero == pytest.approx(REST_MV, abs=1e-2)
    assert np.allclose(iv["steady_mV"], at_zero + resistance * iv["amplitude_nA"], atol=0.01)
    assert np.allclose(iv["sag_ratio"].dropna(), 0, atol=1e-3) and iv["sag_ratio"].isna().sum() == 1
    rest = nmc.simulate_rest(passive).attrs
    assert rest["input_resistance_MOhm"] == pytest.approx(resistance, rel=2e-3)
    assert rest["membrane_time_constant_ms"] == pytest.approx(TAU_MS, rel=0.05)
    clamp = nmc.VoltageClamp([REST_MV, -62.0, REST_MV], [50, 300, 50], series_MOhm=1e-3)
    held = nmc.simulate_currents(passive, clamp, v_init_mV=REST_MV).set_index("t_ms")
    assert np.allclose(held.loc[60:349, "v_mV"], -62.0, atol=1e-2)
    assert held.loc[40.0, "i_nA"] == pytest.approx(0, abs=1e-6)
    assert held.loc[349.0, "i_nA"] == pytest.approx(10.0 / resistance, rel=5e-3)


@pytest.mark.neuron
def test_a_spike_train_opens_its_weight_at_the_time_that_theory_says(passive):
    """Under a tight clamp the current is g (V - E), of a double exponential with peak 1."""
    rise, decay, weight = 0.5, 3.0, 2.0
    peak_ms = rise * decay / (decay - rise) * math.log(decay / rise)
    stimuli = [
        nmc.VoltageClamp([REST_MV], [120.0], series_MOhm=1e-4),
        nmc.SpikeTrain([20.0, 70.0], weight, rise, decay, reversal_mV=-12.0),
    ]
    trace = nmc.simulate_currents(passive, stimuli, v_init_mV=REST_MV, tstop_ms=120.0, dt_ms=0.0125)
    t, i = trace["t_ms"].to_numpy(), trace["i_nA"].to_numpy()
    g_nS = 1000 * i / (REST_MV + 12.0)
    for onset in (20.0, 70.0):
        here = (t > onset) & (t < onset + 40)
        assert g_nS[here].max() == pytest.approx(weight, rel=0.01)
        assert t[here][g_nS[here].argmax()] == pytest.approx(onset + peak_ms, abs=0.15)
    assert np.abs(g_nS[t < 20]).max() < 1e-3


@pytest.mark.neuron
def test_trains_go_into_the_package_s_own_synapses(passive):
    """Nothing before a spike has had its delay, nothing without a weight; the rest is silent."""
    table = passive.synapses
    chosen = table.index[table["excitatory"]][:100].tolist()
    v = {
        scale: nmc.simulate_currents(
            passive, nmc.SynapseTrain([30.0], chosen, scale), v_init_mV=REST_MV, tstop_ms=60.0
        ).set_index("t_ms")["v_mV"]
        for scale in (0.0, 0.01, 0.02)
    }
    assert np.allclose(v[0.0], REST_MV, atol=1e-6)
    arrives = 30.0 + table.loc[chosen, "delay_ms"].min()
    assert np.allclose(v[0.01][: arrives - 0.05], REST_MV, atol=1e-6)
    one, two = (v[scale].max() - REST_MV for scale in (0.01, 0.02))
    assert one > 0.1 and two / one == pytest.approx(2, rel=0.05)  # the same releases; still linear
    with pytest.raises(ProtocolError, match=f"has {len(table)}, from 0; there is no 999999"):
        nmc.simulate_currents(passive, nmc.SynapseTrain([5.0], [999_999]))
    with pytest.raises(ProtocolError, match="fixed step"):
        nmc.simulate_currents(passive, nmc.SynapseTrain([5.0], [0]), mode="converged")


@pytest.mark.neuron
def test_a_conductance_injects_ohm_s_law(passive):
    """NEURON takes it half a step before a sample's time, with the voltage of a step before."""
    noise = nmc.OUConductance(10.0, 60.0, 3.0, 2.0, 3.0, reversal_mV=-20.0, seed=3)
    trace = nmc.simulate_currents(
        passive, noise, v_init_mV=REST_MV, tstop_ms=80.0, sampling_ms=0.025
    )
    t, v, i = (trace[name].to_numpy() for name in ("t_ms", "v_mV", "i_nA"))
    g = np.interp(t[1:] - 0.0125, *noise.points(), left=0.0, right=0.0)
    inside = (t[1:] > 10.1) & (t[1:] < 69.9)
    expected = g * (-20.0 - v[:-1]) / 1000
    assert np.allclose(i[1:][inside], expected[inside], rtol=1e-6, atol=1e-9)
    assert v.max() > REST_MV + 1 and np.allclose(i[(t < 10) | (t > 70.1)], 0, atol=1e-9)


@pytest.mark.neuron
def test_an_array_is_the_current_that_it_says(passive):
    values = 0.05 * np.sin(T / 5)
    settings = {"v_init_mV": REST_MV, "tstop_ms": float(T[-1])}
    trace = nmc.simulate_currents(passive, values, **settings)
    same = nmc.simulate_currents(passive, nmc.Waveform(T, values), **settings)
    assert np.allclose(trace["i_nA"][:-1], values[:-1], atol=1e-12) and len(trace) == len(T)
    assert np.allclose(trace["v_mV"], same["v_mV"], atol=1e-9)
    half = nmc.simulate_currents(passive, [values / 2, (values / 2).tolist()], **settings)
    assert np.allclose(half["v_mV"], trace["v_mV"], atol=1e-9)
    fine = nmc.simulate_currents(passive, values, sampling_ms=0.05, v_init_mV=REST_MV)
    assert fine["t_ms"].iloc[-1] == pytest.approx(T[-1] / 2)


# -- settings, thresholds, channels ----------------------------------------------------------------


@pytest.mark.neuron
def test_the_temperature_moves_the_calcium_potential_as_nernst_says(small, caplog):
    record = {"eca": "soma[0](0.5).eca", "cai": "soma[0](0.5).cai", "cao": "soma[0](0.5).cao"}
    for celsius in (34.0, 24.0):
        caplog.clear()
        trace = nmc.simulate_currents(small, [], tstop_ms=5.0, record=record, celsius=celsius)
        last = trace.iloc[-1]
        nernst = 1000 * 8.314 * (celsius + 273.15) / (2 * 96485) * np.log(last["cao"] / last["cai"])
        assert last["eca"] == pytest.approx(nernst, rel=2e-3)
        assert trace.attrs["celsius"] == celsius
        assert ("have the rates of 34 °C" in caplog.text) == (celsius == 24.0)


@pytest.mark.neuron
def test_random_channels_follow_their_seed(sample_folder):
    from nmc.cells.package import read_package

    from .conftest import STOCHASTIC

    package = read_package(sample_folder / STOCHASTIC)
    run = {"tstop_ms": 40.0, "v_init_mV": -40.0}
    own, one, again, two = (
        nmc.simulate_currents(package, [], channel_seed=seed, **run)["v_mV"]
        for seed in (None, 1, 1, 2)
    )
    assert one.equals(again) and not one.equals(two) and not one.equals(own)


@pytest.mark.neuron
def test_the_threshold_is_bracketed_and_where_the_sample_has_it(small):
    """The sample's weakest step is 120 % of its threshold."""
    tries = nmc.simulate_threshold(small, accuracy=0.01)
    silent, threshold = tries.attrs["silent_nA"], tries.attrs["firing_nA"]
    assert 0 < threshold - silent <= 0.0202 * threshold
    assert tries.attrs["rheobase_nA"] == (silent + threshold) / 2
    counts = tries.set_index("amplitude_nA")["spike_count"]
    assert counts[silent] == 0 < counts[threshold]
    assert ((counts > 0) == (counts.index >= threshold)).all()
    assert threshold == pytest.approx(small.steps_nA[0] / 1.2, rel=0.05)
    with pytest.raises(SimulationError, match="fires without a step"):
        nmc.simulate_threshold(small, hold_nA=small.steps_nA[2], duration_ms=50.0)


@pytest.mark.neuron
def test_currents_of_channels_add_up_to_the_membrane_s(small):
    """Kirchhoff at the soma: channels, leak and capacitance; nearer with half the step."""
    channels = nmc.record_channels(small)
    assert set(channels) == set(small.mechanisms["somatic"]) - {"CaDynamics_E2"} | {"pas"}
    area = nmc.locate_segments(small).set_index("place").loc["soma[0](0.5)", "area_um2"]
    record = channels | {"cap": "soma[0](0.5).i_cap", "all": "soma[0](0.5).i_membrane_"}
    errors = []
    for dt_ms in (0.00625, 0.003125):
        trace = nmc.simulate_currents(
            small, nmc.Step(2.0, 20.0, 0.5), record=record, dt_ms=dt_ms, sampling_ms=dt_ms
        )
        parts = trace[[*channels, "cap"]].sum(axis=1) * area * 1e-2  # mA/cm2 to nA
        errors.append(np.abs(parts - trace["all"]).max() / np.abs(trace["all"]).max())
        assert trace.attrs["spike_count"] > 0
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.2) and errors[0] < 0.2


@pytest.mark.neuron
def test_a_currentscape_shows_every_channel(small):
    pytest.importorskip("currentscape")
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    record = nmc.record_channels(small)
    trace = nmc.simulate_currents(small, nmc.Step(2.0, 20.0, 0.5), record=record)
    figure = nmc.plot_currentscape(trace, record)
    assert len(figure.axes) >= 5 and dict(mpl.rcParams) == before
    shown = {text.get_text() for ax in figure.axes for text in ax.findobj(mpl.text.Text)}
    legends = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert {"SKv3_1", "NaTs2_t"} <= shown | legends
    with pytest.raises(FormatError, match="no column 'Ih'"):
        nmc.plot_currentscape(trace, ["Ih"])


def test_channels_are_scaled_where_they_are_asked_to(small):
    factor = 3.0
    scaled = nmc.scale_channels(small, {"Ih": factor}, section_lists="apical")
    keys = ["section_list", "mechanism", "parameter"]
    before, after = (p.biophysics.set_index(keys)["formula"] for p in (small, scaled))
    changed = before.index[before != after].tolist()
    assert changed == [("apical", "Ih", "gIhbar")]
    distance = np.array([0.0, 200.0])
    ratio = scaled.density("apical", "gIhbar", distance) / small.density(
        "apical", "gIhbar", distance
    )
    assert np.allclose(ratio, factor)
    with pytest.raises(UnknownNameError, match="section list 'apikal'.*'apical'"):
        nmc.scale_channels(small, {"Ih": 2}, section_lists="apikal")
    with pytest.raises(UnknownNameError, match="channel in .* .somatic.: 'Ih'"):
        nmc.scale_channels(small, {"Ih": 2}, section_lists=["somatic"])


def test_a_formula_that_no_run_outlasts_fills_no_memory():
    with pytest.raises(ProtocolError, match="Sine, its end: 1000000000.0 is not between"):
        nmc.Sine(0, 1e9, 1, 10).points()
    assert nmc.Sine(0, 0, 1, 10).points()[0].tolist() == [0.0]


@pytest.mark.parametrize(
    ("t_ms", "v_mV"), [([0, 1, 2], [0, float("nan"), 0]), ([2, 1, 0], [0, 0, 0]), ([0], [0]),
                       ([0, 1], ["x", "y"])],
)  # fmt: skip
def test_what_is_no_trace_has_no_features(t_ms, v_mV):
    with pytest.raises(FormatError, match="trace"):
        nmc.compute_features(pd.DataFrame({"t_ms": t_ms, "v_mV": v_mV}))
