"""Numbers that cannot be are one clear error of the package's own, before anything runs."""

import math

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.circuit.network import CircuitRun, compute_bursts
from nmc.errors import CircuitError, FormatError, NMCError, SynapseError, UnknownNameError

HAC = "L1_HAC_cNAC187_1"
NO_NUMBER = (math.nan, math.inf, -math.inf, "1_000", None, True, [1.0], "many")
NO_COUNT = (*NO_NUMBER, 1.5, -1)


@pytest.fixture(scope="module")
def plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, {"L1_HAC": 2}, rng=0)
    return nmc.plan_circuit(connectome, neurons, missing="skip")


@pytest.fixture(scope="module")
def pre():
    return nmc.load_package(HAC).synapses["pre_mtype"].iloc[0]


def refuses(error, call, *args, **settings):
    with pytest.raises(error) as caught:
        call(*args, **settings)
    assert isinstance(caught.value, NMCError) and "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", NO_COUNT)
def test_counts(plan, pre, bad):
    connectome = nmc.default_connectome()
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, bad)
    if bad is not None:
        refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, cells=bad)
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, seed=bad)
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, workers=bad)
    refuses(SynapseError, nmc.simulate_release, 0.5, 100, 10, [0.0], bad, rng=0)
    refuses(SynapseError, nmc.train_times, 20.0, bad)
    refuses(CircuitError, nmc.simulate_circuit, plan, record=[bad])
    refuses(CircuitError, nmc.plan_circuit, connectome, [bad])
    refuses(CircuitError, nmc.plan_circuit, connectome, [0], seed=bad)
    refuses(CircuitError, nmc.plan_circuit, connectome, [0], background_cells=bad)
    refuses(CircuitError, nmc.choose_neurons, connectome, {"L1_HAC": bad}, rng=0)


@pytest.mark.parametrize("bad", [*NO_NUMBER, -5.0])
def test_lengths_steps_and_rates(plan, pre, bad, tmp_path):
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, dt_ms=bad)
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, window_ms=bad)
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, spikes_ms=[bad])
    refuses(NMCError, nmc.simulate_pair, pre, HAC, 1, conductance=bad)
    if bad is not None and bad != -5.0:
        refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, hold_mV=bad)
    refuses(SynapseError, nmc.train_times, bad)
    if bad is not None:
        refuses(SynapseError, nmc.train_times, 20.0, 8, bad)
    refuses(SynapseError, nmc.plot_rate_dependence, {"U": 0.5, "D_ms": 1, "F_ms": 1}, [bad])
    for run in (nmc.simulate_circuit, nmc.simulate_point_circuit):
        settings = {"points": {}} if run is nmc.simulate_point_circuit else {}
        refuses(CircuitError, run, plan, tstop_ms=bad, **settings)
        refuses(CircuitError, run, plan, dt_ms=bad, **settings)
    refuses(CircuitError, nmc.write_circuit, plan, tmp_path / "new", tstop_ms=bad)
    assert not (tmp_path / "new").exists()
    connectome = nmc.default_connectome()
    refuses(CircuitError, nmc.plan_circuit, connectome, [0], background_Hz=bad)
    refuses(CircuitError, nmc.plan_circuit, connectome, [0], gain=bad)
    if bad != -5.0:  # an inhibiting current is a current
        refuses(CircuitError, nmc.plan_circuit, connectome, [0], drive=bad)


@pytest.mark.parametrize("bad", [*NO_NUMBER, -5.0])
def test_measures_of_a_run(bad):
    class Plan:
        neurons = pd.DataFrame(index=range(3))

    spikes = pd.DataFrame({"cell": [0], "t_ms": [5.0]})
    run = CircuitRun(Plan(), spikes, pd.DataFrame(), {"tstop_ms": 100.0})
    refuses(CircuitError, run.rates, bad)
    refuses(CircuitError, run.rates, 100.0)
    refuses(CircuitError, nmc.compute_population_rate, run, bad)
    for name in ("threshold_Hz", "gap_ms", "from_ms"):
        refuses(CircuitError, compute_bursts, run, **{name: bad})


@pytest.mark.parametrize("bad", [math.nan, math.inf, "a", None, [[1.0]]])
def test_spike_times_and_parameters(bad):
    refuses(SynapseError, nmc.compute_response, 0.5, 100, 10, [0.0, bad])
    refuses(NMCError, nmc.compute_train, {"U": 0.5, "D_ms": bad, "F_ms": 1.0})
    if bad != [[1.0]]:  # an array of any shape is many synapses
        refuses(SynapseError, nmc.classify_synapse, 0.5, 100, bad)
    times = [0.0, 10.0, 20.0, 30.0, 40.0]
    refuses(SynapseError, nmc.fit_tsodyks_markram, times, [1, 1, 1, 1, math.nan])
    refuses(SynapseError, nmc.fit_tsodyks_markram, times, [0.0] * 5)


def test_empty_lists_and_odd_shapes(plan, pre):
    refuses(SynapseError, nmc.simulate_pair, pre, HAC, 1, spikes_ms=[])
    refuses(SynapseError, nmc.compute_response, 0.5, 100, 10, [])
    refuses(SynapseError, nmc.compute_train, [])
    refuses(SynapseError, nmc.compute_response, [0.5, 0.5], [1, 2, 3], 10, [0.0])
    refuses(SynapseError, nmc.fit_tsodyks_markram, [], [])
    refuses(SynapseError, nmc.fit_tsodyks_markram, [[0.0, 1.0], [0.0, 1.0]], [[1.0, 1.0]])
    for level in (0, 1, 95, math.nan):
        refuses(SynapseError, nmc.fit_tsodyks_markram, np.arange(6.0), np.ones(6), confidence=level)
    connectome = nmc.default_connectome()
    refuses(CircuitError, nmc.plan_circuit, connectome, [])
    refuses(CircuitError, nmc.choose_neurons, connectome, {}, rng=0)
    neurons = plan.neurons["neuron"].tolist()
    refuses(CircuitError, nmc.plan_circuit, connectome, neurons, models={"L1_HAC": []})
    refuses(UnknownNameError, nmc.simulate_pair, pre, HAC, 1, conductance="strong")
    refuses(FormatError, nmc.compute_train, {"U": 0.5})
