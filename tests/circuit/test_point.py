"""Point neurons: calibrated on a package, released as its synapses, repeated by their seed."""

import nmc
import numpy as np
import pytest
from nmc.circuit.point import PointNeuron, _release, run_step
from nmc.errors import CircuitError

HAC = "L1_HAC_cNAC187_1"


@pytest.fixture(scope="module")
def plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(
        connectome, {"L1_HAC": 2, "L23_PC": 2}, rng=np.random.default_rng(0)
    )
    return nmc.plan_circuit(connectome, neurons, drive=1.3, missing="skip", seed=3)


@pytest.fixture(scope="module")
def drawn(plan):
    """Any neurons will do where only the network is tested."""
    return {
        model: PointNeuron(model, 0.1, 0.005, -70.0, -55.0, 2.0, -65.0, 0.01, 100.0, 2.0, None)
        for model in plan.packages
    }


@pytest.mark.neuron
def test_rest_resistance_and_time_constant_are_the_packages():
    point = nmc.fit_point_neuron(HAC)
    cell = nmc.simulate_rest(HAC, mode="converged", progress=False).attrs
    _, v = run_step(point.row(), 0.0, -0.01, 500.0, 1500.0, 0.1)  # a small current, 1 s
    base, end = v[4900], v[-1]
    late = np.flatnonzero((v - base) / (end - base) >= 1 - np.exp(-1))
    assert base == pytest.approx(cell["resting_membrane_potential_mV"], abs=0.2)
    assert (end - base) / -0.01 == pytest.approx(cell["input_resistance_MOhm"], rel=0.05)
    tau = late[0] * 0.1 - 500
    assert tau == pytest.approx(cell["membrane_time_constant_ms"], rel=0.05)
    assert point.attrs == {"model": HAC, "origin": "sample", "invented": True}


@pytest.mark.neuron
def test_rates_are_the_packages_within_the_stated_error():
    point = nmc.fit_point_neuron(HAC)
    cell = nmc.simulate_fi(HAC, point.rates["amplitude_nA"], progress=False)
    assert np.allclose(cell["rate_Hz"], point.rates["cell_Hz"])
    difference = point.rates["point_Hz"] - cell["rate_Hz"]
    assert np.sqrt((difference**2).mean()) == pytest.approx(point.rate_error_Hz)
    assert point.rate_error_Hz < 0.15 * cell["rate_Hz"].max()


@pytest.mark.neuron
def test_the_soma_loses_nothing_and_farther_places_more():
    table = nmc.compute_attenuation(HAC)
    assert ((table["share"] > 0) & (table["share"] < 1 + 1e-9)).all()
    assert table.loc[table["section"] == "soma[0]", "share"].iloc[0] == pytest.approx(1)
    first = table[table["section"] == "dend[0]"].sort_values("x")
    assert first["share"].is_monotonic_decreasing


def test_a_lone_compartment_charges_as_the_closed_form():
    row = np.array([0.1, 0.01, -70.0, 0.0, 2.0, -60.0, 0.0, 100.0, 2.0])  # far from threshold
    _, v = run_step(row, 0.0, 0.1, 0.0, 50.0, 0.1)
    t = 0.1 * np.arange(1, len(v) + 1)
    assert np.allclose(v, -70 + 10 * (1 - np.exp(-t * 0.01 / 0.1)), atol=1e-3)


def test_contacts_release_as_the_deterministic_synapse_on_average():
    U, D, F, n = 0.3, 400.0, 120.0, 20_000
    contacts = np.tile([U, D, F, 1.0, 0.0, 1.0], (n, 1))
    dynamics = np.zeros((n, 4))
    dynamics[:, 2] = 1
    state = np.random.default_rng(1).integers(1, 2**63, n, dtype=np.uint64)
    links = np.array([[1, 0, 0, n]])
    times = nmc.train_times()
    u, R = nmc.compute_response(U, D, F, times)
    for t, expected in zip(times, u * R, strict=True):
        ring = np.zeros((1, 1, 4))
        _release(0, t, 0, links, contacts, dynamics, state, ring)
        error = np.sqrt(expected * (1 - expected) / n)
        assert abs(ring[0, 0, 0] / n - expected) < 5 * error


@pytest.mark.neuron
def test_a_circuit_repeats_with_its_seed_and_its_wiring_counts(plan, drawn):
    first = nmc.simulate_point_circuit(plan, points=drawn, tstop_ms=300, record=[0])
    again = nmc.simulate_point_circuit(plan, points=drawn, tstop_ms=300, record=[0])
    other = nmc.simulate_point_circuit(plan, points=drawn, tstop_ms=300, seed=9)
    assert len(first.spikes) > 3 and first.attrs["invented"]
    assert first.spikes.equals(again.spikes) and first.voltages.equals(again.voltages)
    assert not first.spikes.equals(other.spikes)


def test_a_model_without_a_point_neuron_is_named(plan, drawn):
    some = dict(list(drawn.items())[:1])
    with pytest.raises(CircuitError, match="No point neuron is given for L"):
        nmc.simulate_point_circuit(plan, points=some)
    with pytest.raises(CircuitError, match="Cells to record"):
        nmc.simulate_point_circuit(plan, points=drawn, record=[99])
