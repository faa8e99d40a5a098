"""What a simulation is asked for is checked before NEURON starts: one clear sentence each."""

from __future__ import annotations

import math
from dataclasses import replace

import nmc
import numpy as np
import pytest
from nmc import child
from nmc.cells import settings as room
from nmc.cells.protocols import simulate_currents
from nmc.errors import ProtocolError, UnknownNameError

STEP = nmc.Step(0.0, 5.0, 0.1)
WAVE = nmc.Waveform([0.0, 1.0], [0.0, 0.1])


@pytest.fixture
def never(monkeypatch):
    """Fail when a process is started."""
    monkeypatch.setattr(child, "run_child", lambda *_, **__: pytest.fail("NEURON was started"))


def current(small, **settings):
    simulate_currents(small, [STEP], **{"tstop_ms": 10.0, **settings})


def stimulus(small, **changed):
    simulate_currents(small, [replace(STEP, **changed)], tstop_ms=10.0)


def waveform(small, **changed):
    simulate_currents(small, [replace(WAVE, **changed)], tstop_ms=10.0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, "0.1", [0.1], True, 1e30, b"1"])
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (nmc.simulate_step, "amplitude_nA"),
        (nmc.simulate_step, "hold_nA"),
        (nmc.simulate_step, "v_init_mV"),
        (nmc.simulate_step, "threshold_mV"),
        (nmc.simulate_step, "step"),
        (nmc.simulate_rest, "v_init_mV"),
        (nmc.simulate_bap, "amplitude_nA"),
        (nmc.simulate_bap, "n_places"),
        (nmc.simulate_chirp, "f_max_Hz"),
        (nmc.simulate_chirp, "duration_ms"),
        (nmc.simulate_bombardment, "duration_ms"),
        (nmc.simulate_bombardment, "seed"),
        (nmc.simulate_bombardment, "rates_Hz"),
        (current, "tstop_ms"),
        (current, "timeout_s"),
        (stimulus, "delay_ms"),
        (stimulus, "amplitude_nA"),
    ],
)
def test_a_setting_that_is_no_number_is_refused_by_name(small, never, call, name, wrong):
    with pytest.raises(ProtocolError, match="rate" if name == "rates_Hz" else name):
        call(small, **{name: wrong})


@pytest.mark.parametrize(
    ("call", "settings", "said"),
    [
        (current, {"tstop_ms": -1.0}, "tstop_ms"),
        (current, {"tstop_ms": 0.0}, "tstop_ms"),
        (current, {"mode": "exact"}, "mode"),
        (current, {"record": {"v_mV": "dend[0](0.5).v"}}, "'v_mV', which the trace has"),
        (current, {"record": {"spikes_ms": "dend[0](0.5).v"}}, "spikes_ms"),
        (current, {"record": {"x": "dend[0]"}}, "place and variable"),
        (current, {"record": ["dend[0](0.5).v"]}, "does not say names"),
        (current, {"record": {3: "dend[0](0.5).v"}}, "called 3"),
        (current, {"settle": 1}, "settle: 1 is neither True nor False"),
        (current, {"window_ms": (5.0, 5.0)}, "window_ms: .* is not .from, to."),
        (current, {"window_ms": (5.0, 50.0)}, "beyond the end, 10 ms"),
        (current, {"sampling_ms": 0.04}, "no multiple of the time step, 0.025 ms"),
        (current, {"dt_ms": 0.0}, "dt_ms"),
        (current, {"mode": "converged", "dt_ms": 0.01}, "a fixed step is given"),
        (current, {"threshold": 0.0}, "setting of simulate_currents .* mean 'threshold_mV'"),
        (nmc.simulate_step, {"amplitude": 0.1}, "setting of simulate_step .* 'amplitude_nA'"),
        (nmc.simulate_bap, {"record": {"x": "dend[0](0.5).v"}}, "record: the protocol bap"),
        (nmc.simulate_rest, {"window_ms": (0.0, 9.0)}, "window_ms: the protocol rest"),
        (nmc.simulate_bombardment, {"mode": "converged"}, "these synapses need a fixed step"),
        (stimulus, {"duration_ms": -5.0}, "Step, duration_ms"),
        (waveform, {"t_ms": [0.0]}, "one length"),
        (waveform, {"t_ms": [1.0, 0.0]}, "ascend"),
        (waveform, {"i_nA": [0.0, math.nan]}, "Waveform, i_nA, value 2"),
        (waveform, {"i_nA": ["a", "b"]}, "i_nA, value 1"),
        (nmc.simulate_step, {"step": 4}, "step"),
        (nmc.simulate_step, {"step": 0}, "step"),
        (nmc.simulate_chirp, {"amplitude_nA": 0.0}, "no oscillation"),
        (nmc.simulate_chirp, {"f_max_Hz": 1.0, "duration_ms": 100.0}, "no oscillation"),
        (nmc.simulate_chirp, {"f_max_Hz": 6000.0}, "f_max_Hz"),
        (nmc.simulate_bap, {"n_places": 0}, "n_places"),
        (nmc.simulate_bombardment, {"rates_Hz": -1.0}, "rate of"),
        (nmc.simulate_bombardment, {"rates_Hz": {"L4_SP": math.inf}}, "rate of L4_SP"),
        (nmc.simulate_fi, {"amplitudes_nA": []}, "empty"),
        (nmc.simulate_fi, {"amplitudes_nA": [0.1, math.nan]}, "value 2"),
        (nmc.simulate_fi, {"amplitudes_nA": "0.1"}, "no list"),
        (nmc.simulate_fi, {"n_workers": 0}, "n_workers"),
    ],
)
def test_what_cannot_be_is_refused_before_neuron_starts(small, never, call, settings, said):
    with pytest.raises((ProtocolError, UnknownNameError), match=said):
        call(small, **settings)


def test_a_weight_and_an_empty_list_are_refused(small, never):
    for weight in (-1.0, math.nan, "1"):
        with pytest.raises(ProtocolError, match="weight_nS"):
            nmc.simulate_epsp(small, "dend[0]", weight_nS=weight)
    with pytest.raises(ProtocolError, match="empty"):
        nmc.simulate_steps([])
    for given, said in (
        ("step", "no stimulus"), ({"kind": "step"}, "no stimulus"), ([STEP, "step"], "stimulus 2"),
        ([STEP, [[0.1]]], "stimulus 2"), ([], "say how long"), ([0.1, math.nan], "value 2"),
    ):  # fmt: skip
        with pytest.raises(ProtocolError, match=said):
            simulate_currents(small, given)


def test_every_call_takes_the_same_settings_and_each_of_them_is_checked():
    """A setting without a check, or a call with a parameter list of its own, is a second place."""
    calls = [
        nmc.simulate_step, nmc.simulate_currents, nmc.simulate_rest, nmc.simulate_fi,
        nmc.simulate_bap, nmc.simulate_epsp, nmc.simulate_chirp, nmc.simulate_bombardment,
    ]  # fmt: skip
    shared = list(room.RunSettings.__annotations__)
    assert list(room.DEFAULTS) and set(room.DEFAULTS) == set(shared)
    for call in calls:
        usable = room.usable_settings(call)
        assert usable[-len(shared) :] == shared and len(set(usable)) == len(usable), call
        assert "RunSettings" in call.__doc__
    for name in shared:
        with pytest.raises((ProtocolError, UnknownNameError), match=name):
            room.check_setting(name, "wrong")
        assert f"    {name} : " in room.RunSettings.__doc__


@pytest.mark.neuron
def test_numbers_of_any_kind_are_taken_and_results_name_their_origin(small):
    trace = nmc.simulate_step(small, np.int64(1), amplitude_nA=np.float32(0.25), mode="converged")
    assert trace.attrs["amplitude_nA"] == 0.25
    results = [
        trace,
        nmc.simulate_bombardment(small, 5, duration_ms=20),
        simulate_currents(small, [WAVE], tstop_ms=10),
    ]
    for result in results:
        assert (result.attrs["origin"], result.attrs["invented"]) == ("sample", True)
