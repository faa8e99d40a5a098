"""Synthetic cells in NEURON: they rest where the equations say, and fire as their e-type does."""

import nmc
import numpy as np
import pytest

from tools.sample import DEFAULT_MODELS
from tools.sample.cells import biophysics, expected_rest

pytestmark = pytest.mark.neuron


def rest_of(model):
    """Resting potential, input resistance and time constant as the portal's script defines them."""
    step = {"kind": "step", "at": "soma[0](0.5)", "delay_ms": 1000.0, "duration_ms": 1000.0,
            "amplitude_nA": -0.01}  # fmt: skip
    trace = nmc.simulate_currents(model, [step], tstop_ms=2100.0, v_init_mV=-70.0, settle=True)
    t, v = trace["t_ms"].to_numpy(), trace["v_mV"].to_numpy()
    base, end = v[(t > 900) & (t < 1000)].mean(), v[(t > 1900) & (t < 2000)].mean()
    decay = (t >= 2001) & (t <= 2010)
    slope = np.polyfit(t[decay], np.log(np.abs(v[decay] - base)), 1)[0]
    return base, (end - base) / -0.01, -1 / slope


def intervals(model, step=2):
    trace = nmc.simulate_step(model, step)
    times = np.array(trace.attrs["spike_times_ms"])
    return times[0] - 700, np.diff(times)


@pytest.mark.parametrize("model", ["L1_HAC_cNAC187_1", "L5_MC_bAC217_1"])
def test_measured_rest_is_the_expected_one(model):
    rest, resistance, tau = rest_of(model)
    truth = expected_rest(model).loc[model]
    assert rest == pytest.approx(truth["resting_membrane_potential_mV"], abs=0.1)
    assert resistance == pytest.approx(truth["input_resistance_MOhm"], rel=0.01)
    assert tau == pytest.approx(truth["membrane_time_constant_ms"], rel=0.06)


def test_steps_fire_accommodating_and_non_accommodating_cells_differently():
    _, accommodating = intervals("L5_LBC_cACint209_1")
    _, regular = intervals("L1_HAC_cNAC187_1")
    assert accommodating[-1] > 1.3 * accommodating[0]
    assert regular.std() / regular.mean() < 0.05


@pytest.mark.slow
def test_every_default_model_fires_at_every_step_and_more_at_the_next():
    for model in DEFAULT_MODELS:
        counts = [nmc.simulate_step(model, step).attrs["spike_count"] for step in (1, 2, 3)]
        assert min(counts) >= 3, (model, counts)
        if not biophysics.is_stochastic(model):
            assert counts == sorted(counts), (model, counts)


@pytest.mark.slow
def test_etypes_are_distinct():
    delay = {}
    for model in DEFAULT_MODELS:
        first, isi = intervals(model, step=1)
        etype = nmc.parse_model(model).etype
        delay[etype] = first
        variation = isi.std() / isi.mean()
        if etype.endswith(("STUT", "IR")):
            assert variation > 0.25, (model, variation)
        elif etype.endswith("NAC") and not etype.startswith("b"):
            assert variation < 0.15, (model, variation)
        if etype.startswith("b") and etype.endswith("AC"):
            assert isi[0] < 0.8 * np.median(isi), (model, isi[:4])
        if etype in ("cADpyr", "cAC", "bAC"):
            assert isi[-1] > 1.3 * isi[0], (model, isi[[0, -1]])
    assert delay["dNAC"] > 4 * delay["cNAC"]


@pytest.mark.slow
@pytest.mark.parametrize("model", [m for m in DEFAULT_MODELS if not biophysics.is_stochastic(m)])
def test_every_deterministic_default_rests_as_expected(model):
    test_measured_rest_is_the_expected_one(model)
