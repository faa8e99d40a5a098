"""Every result of a simulation says where its model is from, and whether it is invented."""

from __future__ import annotations

import nmc
import pytest

pytestmark = pytest.mark.neuron
SMALL = "L1_HAC_cNAC187_1"


def _plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, {"L1_HAC": 2}, rng=0)
    return nmc.plan_circuit(connectome, neurons, background_cells=2, missing="skip")


CALLS = {
    "simulate_step": lambda: nmc.simulate_step(SMALL, 1, mode="converged"),
    "simulate_steps": lambda: list(nmc.simulate_steps([SMALL], 1).values()),
    "simulate_currents": lambda: nmc.simulate_currents(SMALL, nmc.Step(5, 5, 0.1), tstop_ms=20),
    "simulate_rest": lambda: nmc.simulate_rest(SMALL, mode="converged"),
    "simulate_fi": lambda: nmc.simulate_fi(SMALL, [0.05]),
    "simulate_iv": lambda: nmc.simulate_iv(SMALL, [-0.02, 0.02]),
    "simulate_threshold": lambda: nmc.simulate_threshold(SMALL, mode="converged"),
    "simulate_chirp": lambda: nmc.simulate_chirp(SMALL, mode="converged"),
    "simulate_bap": lambda: nmc.simulate_bap(SMALL, amplitude_nA=1.0, n_places=2),
    "simulate_epsp": lambda: nmc.simulate_epsp(SMALL, "dend[0]"),
    "simulate_bombardment": lambda: nmc.simulate_bombardment(SMALL, duration_ms=20),
    "simulate_pair": lambda: nmc.simulate_pair(_sender(), SMALL, 1, cells=1),
    "simulate_circuit": lambda: nmc.simulate_circuit(_plan(), tstop_ms=5),
    "simulate_point_circuit": lambda: nmc.simulate_point_circuit(_plan(), tstop_ms=5),
    "simulate_neuroml": lambda: nmc.simulate_neuroml(SMALL, tstop_ms=20),
}


def _sender() -> str:
    return nmc.load_package(SMALL).synapses["pre_mtype"].iloc[0]


def test_every_call_is_here():
    simulations = {name for name in nmc._PUBLIC if name.startswith("simulate_")}
    # The releases of a synapse given by its numbers belong to no model.
    assert set(CALLS) == simulations - {"simulate_release"}


@pytest.mark.parametrize("name", CALLS)
def test_a_result_says_whether_it_is_invented(name):
    result = CALLS[name]()
    for one in result if isinstance(result, list | tuple) else [result]:
        assert one.attrs["invented"] is True and "sample" in one.attrs["origin"], name
