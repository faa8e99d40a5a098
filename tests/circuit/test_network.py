"""Circuits: what a plan decides, and that errors are named."""

import nmc
import numpy as np
import pytest
from nmc.errors import CircuitError, TrustError, UnknownNameError

COUNTS = {"L5_TTPC1": 2, "L5_MC": 2, "L5_LBC": 2}
RUN = {"tstop_ms": 120.0, "dt_ms": 0.1}


@pytest.fixture(scope="module")
def connectome():
    return nmc.default_connectome()


@pytest.fixture(scope="module")
def neurons(connectome):
    return nmc.choose_neurons(connectome, COUNTS, rng=np.random.default_rng(2))


@pytest.fixture(scope="module")
def plan(connectome, neurons):
    return nmc.plan_circuit(connectome, neurons, drive=1.1, seed=4, missing="skip")


def test_chosen_neurons_are_near_and_of_the_right_types(connectome, neurons):
    table = connectome.neurons.iloc[neurons]
    assert table["mtype"].astype(str).value_counts().to_dict() == COUNTS
    inside = connectome.adjacency[neurons][:, neurons].nnz
    rng = np.random.default_rng(0)
    mtypes = connectome.neurons["mtype"].astype(str).to_numpy()
    random = []
    for _ in range(50):
        at = np.concatenate(
            [rng.choice(np.flatnonzero(mtypes == m), n, replace=False) for m, n in COUNTS.items()]
        )
        random.append(connectome.adjacency[at][:, at].nnz)
    assert inside > np.mean(random)


def test_a_seed_draws_as_its_generator_does(connectome, neurons):
    assert np.array_equal(nmc.choose_neurons(connectome, COUNTS, rng=2), neurons)
    times, one = [0.0, 50.0], dict(U=0.5, D_ms=600.0, F_ms=20.0)
    drawn = nmc.simulate_release(**one, times_ms=times, trials=20, rng=np.random.default_rng(3))
    assert np.array_equal(nmc.simulate_release(**one, times_ms=times, trials=20, rng=3), drawn)


def test_the_plan_follows_the_adjacency(connectome, neurons, plan):
    inside = connectome.adjacency[neurons][:, neurons].tocoo()
    wired = set(zip(plan.connections["pre"], plan.connections["post"], strict=True))
    assert wired <= set(zip(inside.row.tolist(), inside.col.tolist(), strict=True))
    assert len(wired) + len(plan.skipped) == inside.nnz
    assert list(plan.neurons["neuron"]) == list(neurons)


def test_contacts_are_those_the_post_package_has_from_that_mtype(plan):
    for contact in plan.spec["contacts"]:
        package = plan.packages[plan.neurons["model"][contact["post"]]]
        row = package.synapses.loc[contact["synapse"]]
        assert row["pre_mtype"] == plan.neurons["mtype"][contact["pre"]]
        assert row["section"] == contact["section"]
        assert contact["weight_nS"] == pytest.approx(row["weight_nS"])


def test_delay_is_distance_over_velocity(plan):
    table = plan.connections
    assert np.allclose(table["delay_ms"], 0.5 + table["distance_um"] / 300.0)


def test_gain_scales_weights_and_a_seed_repeats(connectome, neurons, plan):
    again = nmc.plan_circuit(connectome, neurons, drive=1.1, seed=4, missing="skip")
    assert again.spec == plan.spec
    loud = nmc.plan_circuit(connectome, neurons, drive=1.1, seed=4, missing="skip", gain=2.0)
    assert np.allclose(loud.connections["weight_nS"], 2 * plan.connections["weight_nS"])
    assert loud.spec["background"] == plan.spec["background"]


def test_bad_input_is_named(connectome, neurons, plan):
    with pytest.raises(CircuitError, match="999 neurons of L5_MC were asked for"):
        nmc.choose_neurons(connectome, {"L5_MC": 999}, rng=np.random.default_rng(0))
    with pytest.raises(UnknownNameError, match="m-type"):
        nmc.choose_neurons(connectome, {"L5_XY": 1}, rng=np.random.default_rng(0))
    with pytest.raises(CircuitError, match="numbered 0 to"):
        nmc.plan_circuit(connectome, [0, 10**7])
    with pytest.raises(CircuitError, match="Cells to record"):
        nmc.simulate_circuit(plan, record=[6])
    with pytest.raises(CircuitError, match="'error' or 'skip'"):
        nmc.plan_circuit(connectome, neurons, missing="ignore")


def test_own_packages_stand_beside_known_ones(connectome, tmp_path):
    """By name, path or package; a different Ih gets a name of its own, and code needs trust."""
    neurons = nmc.choose_neurons(connectome, {"L5_MC": 2}, rng=2)
    settings = {"missing": "skip", "background_Hz": 0}
    [known] = nmc.plan_circuit(connectome, neurons, **settings).packages.values()
    own = nmc.copy_package(known, tmp_path).rename(tmp_path / "my-cell")
    mod = own / "mechanisms" / "Ih.mod"
    mod.write_text(mod.read_text() + "\nCOMMENT\nmine\nENDCOMMENT\n")
    for models in ([known.name, str(own)], [known, own], [nmc.load_package(known.name), own]):
        plan = nmc.plan_circuit(connectome, neurons, models={"L5_MC": models}, **settings)
        assert list(plan.packages) == plan.neurons["model"].tolist() == [known.name, "my-cell"]
        assert [set(p.renamed) for p in plan.packages.values()] == [set(), {"Ih"}]
    with pytest.raises(TrustError, match="my-cell"):
        plan.spec  # noqa: B018
    cells = plan.trusting().spec["cells"]
    assert [list(cell["renamed"]) for cell in cells] == [[], ["Ih"]]


def test_an_mtype_without_a_package_is_named(connectome, neurons, tmp_path, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(tmp_path))
    with pytest.raises(CircuitError, match="no model package of L5_"):
        nmc.plan_circuit(connectome, neurons)


def test_a_connection_without_synapses_is_an_error_unless_skipped(connectome, neurons):
    from scipy import sparse

    table = connectome.neurons
    package = nmc.load_package(nmc.plan_circuit(
        connectome, neurons, missing="skip").neurons["model"][0])  # fmt: skip
    senders = set(package.synapses["pre_mtype"])
    mtypes = table["mtype"].astype(str).to_numpy()
    have = {nmc.parse_model(m).mtype for m in nmc.model_names() if nmc.available(f"model/{m}")}
    absent = next(k for k, m in enumerate(mtypes) if m in have - senders)
    pair = np.array([absent, int(neurons[0])])
    link = sparse.csr_array(
        (np.ones(1, bool), ([pair[0]], [pair[1]])), shape=connectome.adjacency.shape
    )
    odd = connectome.with_adjacency(link, "one connection")
    with pytest.raises(CircuitError, match=f"no synapse from {mtypes[absent]}.*missing='skip'"):
        nmc.plan_circuit(odd, pair, missing="error")
    skipped = nmc.plan_circuit(odd, pair, missing="skip")
    assert skipped.connections.empty
    assert skipped.skipped == ((mtypes[absent], mtypes[neurons[0]]),)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.neuron
def test_twenty_real_cells_of_four_types_run(mirror, monkeypatch):
    """Twenty packages' cells wired by the real extract of mc0; 30 ms of model time."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    real = nmc.default_connectome(min_mtypes=4)
    counts = {"L23_PC": 10, "L23_LBC": 4, "L23_MC": 3, "L23_NBC": 3}
    chosen = nmc.choose_neurons(real, counts, rng=np.random.default_rng(1))
    plan = nmc.plan_circuit(real, chosen, drive=1.2, missing="skip", seed=1)
    assert plan.neurons["mtype"].value_counts().to_dict() == counts
    assert len(plan.connections) > 5
    run = nmc.simulate_circuit(plan, tstop_ms=30.0, dt_ms=0.1, record=[0])
    assert run.attrs["cells"] == 20 and np.isfinite(run.voltages["cell_0_mV"]).all()


@pytest.mark.neuron
def test_connections_matter_and_silence_is_silent(connectome, neurons, plan):
    from scipy import sparse

    cut = connectome.with_adjacency(
        sparse.csr_array(connectome.adjacency.shape, dtype=bool), "no connections"
    )
    alone = nmc.plan_circuit(cut, neurons, drive=1.1, seed=4)
    assert alone.connections.empty
    wired = nmc.simulate_circuit(plan, **RUN)
    assert len(wired.spikes) > 5 and wired.attrs["invented"] and wired.attrs["origin"] == "sample"
    apart = nmc.simulate_circuit(alone, **RUN)
    assert not wired.spikes.equals(apart.spikes)
    quiet = nmc.plan_circuit(cut, neurons, drive=0.0, background_Hz=0.0)
    assert nmc.simulate_circuit(quiet, **RUN).spikes.empty
