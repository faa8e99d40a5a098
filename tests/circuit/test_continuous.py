"""The variable step of circuits: the same synapses, closer to the truth, whatever the ranks."""

import nmc
import numpy as np
import pytest
from nmc.cells.mechanisms import run_cached
from nmc.cells.package import SYNAPSES
from nmc.circuit.network import make_params, rewrite, with_continuous_synapses
from nmc.errors import MechanismError, UnknownNameError

from tools.sample.packages import mechanism_text

COUNTS = {"L5_TTPC1": 2, "L5_MC": 1, "L5_LBC": 1}
TSTOP_MS = 100.0


@pytest.fixture(scope="module")
def plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, COUNTS, rng=np.random.default_rng(2))
    plan = nmc.plan_circuit(connectome, neurons, drive=2.0, gain=2.0, seed=4, missing="skip")
    assert not any(p.stochastic for p in plan.packages.values())
    return plan


def test_only_the_decay_is_restated():
    for name in SYNAPSES:
        text = mechanism_text(name)
        new = rewrite(text)
        kept = set(text.splitlines()) & set(new.splitlines())
        gone = [line for line in text.splitlines() if line not in kept]
        come = [line.strip() for line in new.splitlines() if line not in kept]
        assert sum("_step" in line for line in gone) == 4 and len(gone) == 6
        assert come[0].endswith("METHOD cnexp") and come[1].startswith("DERIVATIVE")
        # a rising and a falling state of each receptor, with the time constant of its own name
        assert len(come) == 2 + 4
        for line in come[2:]:
            state = line.split("'")[0]
            kind, receptor = state.split("_")
            assert line == f"{state}' = -{state}/tau_{'r' if kind == 'A' else 'd'}_{receptor}"


def test_other_texts_are_refused():
    with pytest.raises(MechanismError, match="cannot be stated for a variable step"):
        rewrite("BREAKPOINT {\n SOLVE state\n}\nPROCEDURE state() {\n A = A*A_step + 1\n}\n")
    with pytest.raises(MechanismError, match="cannot be stated"):
        rewrite("NEURON { SUFFIX leak }")


def test_an_unknown_mode_is_named(plan):
    with pytest.raises(UnknownNameError, match="mode.*'variable'"):
        nmc.simulate_circuit(plan, mode="variable")


@pytest.mark.neuron
def test_rewritten_synapses_are_the_same_under_a_fixed_step(plan):
    assert_same_under_a_fixed_step(plan)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.neuron
def test_the_portals_rewritten_synapses_are_the_same_under_a_fixed_step(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    real = nmc.default_connectome(min_mtypes=4)
    counts = {"L23_PC": 1, "L23_LBC": 1, "L23_MC": 1, "L23_NBC": 1}
    chosen = nmc.choose_neurons(real, counts, rng=1)
    plan = nmc.plan_circuit(real, chosen, drive=2.5, missing="skip", seed=1)
    assert_same_under_a_fixed_step(plan)


def assert_same_under_a_fixed_step(plan):
    params = make_params(plan, TSTOP_MS, (0, 3), "fixed", 0.1)
    found = []
    for packages in (list(plan.packages.values()),
                     [with_continuous_synapses(p) for p in plan.packages.values()]):  # fmt: skip
        found.append(
            run_cached("nmc.circuit._neuron:run_circuit", params, packages, synapses=True,
                       variant="tabulated", keep=False)[1]
        )  # fmt: skip
    packaged, rewritten = found
    assert len(packaged["spike_t_ms"]) > 3
    assert np.array_equal(packaged["spike_t_ms"], rewritten["spike_t_ms"])
    for name in ("v_0", "v_3"):  # rounding, and what the cell makes of it
        assert np.abs(packaged[name] - rewritten[name]).max() < 1e-6


@pytest.mark.neuron
def test_the_variable_step_is_where_smaller_steps_lead(plan):
    found = nmc.simulate_circuit(plan, tstop_ms=TSTOP_MS, mode="converged", record=[0])
    assert found.attrs["integration"].startswith("variable step")
    assert len(found.voltages) == TSTOP_MS / 0.5 and np.isfinite(found.voltages.to_numpy()).all()
    coarse, fine = (nmc.simulate_circuit(plan, tstop_ms=TSTOP_MS, dt_ms=dt).spikes
                    for dt in (0.025, 0.0125))  # fmt: skip
    times = [_first(spikes) for spikes in (found.spikes, coarse, fine)]
    cells = set.intersection(*(set(t) for t in times))
    assert len(cells) >= 3
    ax = nmc.plot_raster(found, against={"another": found})
    assert len(ax.collections) == 2 * len(plan.neurons)  # each cell's own line, and the grey one
    # Among more m-types than its own, a circuit's cells take the colours they have there.
    own = [tuple(line.get_color()) for line in ax.collections[: len(plan.neurons)]]
    lines = nmc.plot_raster(found, mtypes=["A_TYPE", *plan.neurons["mtype"]]).collections
    among = [tuple(line.get_color()) for line in lines]
    # One more inhibitory type before them changes the shades of that sign alone.
    excites = plan.neurons.sort_values("mtype", kind="stable")["excitatory"].tolist()
    assert [a == b for a, b in zip(among, own, strict=True)] == excites
    variable, coarse, fine = (np.array([t[c] for c in sorted(cells)]) for t in times)
    # The fixed step is of first order: its error halves with the step, so that twice the finer
    # less the coarser is the limit, to what the steps cut off a spike's time.
    limit = 2 * fine - coarse
    assert (np.abs(variable - limit) <= np.abs(fine - coarse) / 2 + 0.025).all()
    assert np.median(np.abs(variable - fine)) < np.median(np.abs(variable - coarse))


def _first(spikes) -> dict[int, float]:
    return spikes.groupby("cell")["t_ms"].min().to_dict()


@pytest.mark.neuron
def test_ranks_do_not_change_the_spikes_of_the_variable_step(run, plan, tmp_path):
    how = {"tstop_ms": TSTOP_MS, "mode": "converged", "record": [0]}
    one = nmc.simulate_circuit(plan, **how)
    assert len(one.spikes) > 3
    folder = nmc.write_circuit(plan, tmp_path / "circuit", **how)
    for ranks in (2, 4):
        assert run(ranks, folder)[0] == 0
        more = nmc.read_circuit(plan, folder)
        assert more.spikes.equals(one.spikes), ranks
        assert more.voltages.equals(one.voltages), ranks


@pytest.mark.neuron
def test_random_channels_keep_the_fixed_step_and_say_so():
    connectome = nmc.default_connectome()
    of = connectome.neurons["mtype"].astype(str).to_numpy()
    one = np.flatnonzero(of == "L23_LBC")[:1]
    plan = nmc.plan_circuit(connectome, one, models={"L23_LBC": "L23_LBC_cSTUT189_1"})
    assert plan.packages["L23_LBC_cSTUT189_1"].stochastic
    run = nmc.simulate_circuit(plan, tstop_ms=10.0, mode="converged", dt_ms=0.1)
    said = run.attrs["integration"]
    assert said.startswith("fixed step 0.1 ms") and "StochKv draws random numbers" in said


@pytest.mark.real
def test_the_portals_synapses_can_be_rewritten(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    package = with_continuous_synapses(nmc.load_package("L23_LBC_cSTUT189_1"))
    for name in SYNAPSES:
        text = package.text(f"mechanisms/{name}.mod")
        assert "METHOD cnexp" in text and text.count("' = -") == 4
