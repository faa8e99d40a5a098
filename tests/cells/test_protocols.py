"""Protocols on the sample's cells and, marked real, on the portal's."""

from __future__ import annotations

import nmc
import nmc.names
import numpy as np
import pytest
from nmc.cells._run import check_finite
from nmc.cells.build import build_cell  # noqa: F401 - importable without NEURON
from nmc.cells.measures import simulate_rest
from nmc.cells.protocols import simulate_currents, simulate_step
from nmc.cells.stimulation import simulate_bombardment, simulate_epsp
from nmc.errors import PackageError, SimulationError, SimulationTimeout, UnknownNameError

from .conftest import PYRAMIDAL, SMALL, STOCHASTIC

pytestmark = pytest.mark.neuron


@pytest.fixture(scope="module")
def trace(small):
    return simulate_step(small, 1, mode="converged")


def test_a_step_is_a_tidy_table_that_says_how_it_was_made(trace, small):
    assert list(trace.columns) == ["t_ms", "v_mV", "i_nA"]
    assert len(trace) == 30_001 and trace["t_ms"].iloc[-1] == 3000
    during = trace.query("701 <= t_ms < 2700")["i_nA"]
    assert np.allclose(during, small.hold_nA + small.steps_nA[0])
    assert trace.attrs["model"] == SMALL and trace.attrs["mode"] == "converged"
    assert trace.attrs["v_init_mV"] == trace["v_mV"].iloc[0] == -65
    times = trace.attrs["spike_times_ms"]
    assert len(times) == trace.attrs["spike_count"] > 0 and min(times) > 700
    assert "variable step" in trace.attrs["integration"]


def test_recordings_agree_with_features(trace):
    features = nmc.compute_features(trace)
    assert features["spike_count"] == trace.attrs["spike_count"]
    first = trace.attrs["spike_times_ms"][0] - 700
    assert features["time_to_first_spike_ms"] == pytest.approx(first, abs=3)


def test_the_second_run_is_the_first_one(trace, small, monkeypatch):
    from nmc import child

    monkeypatch.setattr(child, "run_child", None)  # would fail if it were called
    again = simulate_step(small, 1, mode="converged")
    assert again.equals(trace) and again.attrs == trace.attrs


def test_more_current_more_spikes(small, trace):
    strong = simulate_step(small, amplitude_nA=2 * small.steps_nA[0], mode="converged")
    none = simulate_step(small, amplitude_nA=0.0, mode="converged")
    assert none.attrs["spike_count"] == 0
    assert strong.attrs["spike_count"] > trace.attrs["spike_count"]


def test_rest_is_what_the_sample_was_made_with(small):
    truth = nmc.load_models(step_currents=False).set_index("model").loc[SMALL]
    found = simulate_rest(small, mode="converged").attrs
    for column, relative in (
        ("resting_membrane_potential_mV", 1e-3),
        ("input_resistance_MOhm", 0.02),
        ("membrane_time_constant_ms", 0.06),
    ):
        assert found[column] == pytest.approx(truth[column], rel=relative)


def test_a_stochastic_cell_keeps_the_fixed_step_and_says_so(sample_folder):
    from nmc.cells.package import read_package
    from nmc.cells.settings import choose

    how, variant, said = choose(read_package(sample_folder / STOCHASTIC), "converged")
    assert how == {"dt_ms": 0.025, "order": 1} and variant == "exact" and "StochKv" in said
    with pytest.raises(UnknownNameError, match="published"):
        choose(read_package(sample_folder / STOCHASTIC), "publishd")


def test_an_epsp_fades_on_its_way_to_the_soma(small):
    rows = simulate_epsp(small, "dend[5]")
    assert rows["section"].tolist() == ["dend[5]", "soma[0]"]
    assert rows.loc[0, "amplitude_mV"] > rows.loc[1, "amplitude_mV"] > 0


@pytest.mark.usefixtures("own_results")
def test_bombardment_repeats_to_the_bit_and_follows_its_seed(small):
    mtypes = small.synapses["pre_mtype"].value_counts().index[:2]
    settings = {"duration_ms": 100.0, "record": {"dend_mV": "dend[3](0.5).v"}}
    rates = dict.fromkeys(mtypes, 40.0)
    one = simulate_bombardment(small, rates, **settings)
    nmc.clear_results()
    two = simulate_bombardment(small, rates, **settings)
    assert one.equals(two)
    assert not one.equals(simulate_bombardment(small, rates, seed=2, **settings))
    chosen = small.synapses["pre_mtype"].isin(mtypes)
    assert one.attrs["synapses"] == chosen.sum()
    assert one.attrs["presynaptic_cells"] == small.synapses.loc[chosen, "pre_cell"].nunique()
    absent = next(m for m in nmc.names.MTYPES if m not in set(small.synapses["pre_mtype"]))
    with pytest.raises(UnknownNameError, match="presynaptic"):
        simulate_bombardment(small, {absent: 1.0})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"x": "dend[999](0.5).v"}, "no section 'dend.999.'"),
        ({"x": "dend[0](0.5).ixx"}, "no variable 'ixx'"),
    ],
)
def test_what_cannot_be_recorded_is_named(small, record, said):
    with pytest.raises(PackageError, match=f"{SMALL}.*{said}"):
        simulate_currents(small, [], tstop_ms=1, record=record)


@pytest.mark.usefixtures("own_results")
def test_bad_runs_are_errors_with_the_model_s_name(small):
    with pytest.raises(SimulationTimeout, match=SMALL):
        simulate_step(small, 2, timeout_s=0.01)
    with pytest.raises(SimulationError, match=f"{SMALL}: v_mV is not finite from t = 0.1 ms"):
        check_finite(SMALL, "v_mV", np.array([-65.0, np.inf]), np.array([0.0, 0.1]))


@pytest.mark.real
def test_real_cells_fire_as_they_were_found_to(real):
    """Spike counts recomputed independently with NEURON 8.2 and the packages' own scripts."""
    fast = simulate_step(real(PYRAMIDAL), 1, mode="converged")
    assert fast.attrs["spike_count"] == 11
    assert simulate_step(real(SMALL), 1, mode="converged").attrs["spike_count"] == 31
    assert simulate_step(real(SMALL), 3, mode="converged").attrs["spike_count"] == 43


@pytest.mark.real
@pytest.mark.slow
def test_the_package_s_own_step_fires_as_often(real):
    assert simulate_step(real(PYRAMIDAL), 1).attrs["spike_count"] == 11


@pytest.mark.real
@pytest.mark.usefixtures("own_results")
def test_a_real_stochastic_cell_runs_and_repeats(real):
    package = real(STOCHASTIC)
    one = simulate_currents(package, [], tstop_ms=50, v_init_mV=-40)
    nmc.clear_results()
    assert one.equals(simulate_currents(package, [], tstop_ms=50, v_init_mV=-40))


@pytest.mark.real
@pytest.mark.parametrize(
    ("model", "rest_mV", "resistance_MOhm", "tau_ms"),
    [
        ("L23_PC_cADpyr229_1", -73.289, 172.66, 33.500),
        ("L1_HAC_cNAC187_1", -69.717, 574.26, 25.597),
    ],
)
def test_real_rest_is_the_fact_sheet_s(real, model, rest_mV, resistance_MOhm, tau_ms):
    """Values as printed on the portal's me-type sheets."""
    found = simulate_rest(real(model)).attrs
    assert found["resting_membrane_potential_mV"] == pytest.approx(rest_mV, abs=1e-3)
    assert found["input_resistance_MOhm"] == pytest.approx(resistance_MOhm, rel=1e-3)
    assert found["membrane_time_constant_ms"] == pytest.approx(tau_ms, rel=0.06)
