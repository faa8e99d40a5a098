"""Short-term plasticity: printed trains, limits, the random synapse's mean, fits and types."""

import nmc
import numpy as np
import pytest
from nmc.circuit.synapses import check_parameters
from nmc.errors import SynapseError, UnknownNameError

TIMES = nmc.train_times()

# 20 Hz, eight spikes, recovery after 550 ms, relative to the first response; as printed.
PRINTED = {
    "L5_TTPC1 to L5_TTPC1": ((0.5, 670, 17),
                             {0: 1, 1: 0.55, 2: 0.323, 3: 0.219, 4: 0.173, 5: 0.152, 6: 0.142,
                              7: 0.138, 8: 0.589}),
    "L5_TTPC1 to L5_MC": ((0.094, 150, 690),
                          {0: 1, 1: 1.719, 2: 2.134, 3: 2.328, 4: 2.398, 5: 2.416, 6: 2.419,
                           7: 2.422, 8: 2.881}),
    "L5_MC to L5_TTPC1": ((0.3, 1200, 2.2),
                          {0: 1, 1: 0.712, 2: 0.519, 3: 0.389, 7: 0.178, 8: 0.446}),
    "L5_LBC to L5_TTPC1": ((0.24, 660, 27),
                           {0: 1, 1: 0.87, 2: 0.68, 3: 0.543, 7: 0.314, 8: 0.653}),
}  # fmt: skip


def relative(U, D, F, times=TIMES):
    u, R = nmc.compute_response(U, D, F, times)
    return (u * R) / (u * R)[..., :1]


@pytest.mark.parametrize("pathway", PRINTED)
def test_the_four_printed_trains_to_three_digits(pathway):
    parameters, printed = PRINTED[pathway]
    got = relative(*parameters)
    for spike, value in printed.items():
        assert got[spike] == pytest.approx(value, abs=6e-4), spike


def test_without_facilitation_the_steady_state_is_the_closed_form():
    """With F = 0, R at a regular train converges to (1 - e)/(1 - (1 - U)e), e = exp(-dt/D)."""
    U, D = 0.4, 300.0
    u, R = nmc.compute_response(U, D, 0.0, np.arange(200) * 20.0)
    e = np.exp(-20 / D)
    assert R[-1] == pytest.approx((1 - e) / (1 - (1 - U) * e), rel=1e-12)
    assert np.allclose(u, U)


def test_whole_arrays_give_what_single_calls_give():
    rng = np.random.default_rng(3)
    U, D, F = rng.uniform(0.05, 0.9, 40), rng.uniform(50, 900, 40), rng.uniform(0, 600, 40)
    together = np.stack(nmc.compute_response(U, D, F, TIMES))
    alone = np.array([np.stack(nmc.compute_response(*p, TIMES)) for p in zip(U, D, F, strict=True)])
    assert np.allclose(together, alone.transpose(1, 0, 2))


@pytest.mark.parametrize("parameters", [p for p, _ in PRINTED.values()])
def test_the_mean_of_random_trials_is_the_deterministic_response(parameters):
    trials = 40_000
    released = nmc.simulate_release(*parameters, TIMES, trials, rng=np.random.default_rng(11))
    u, R = nmc.compute_response(*parameters, TIMES)
    expected = u * R
    error = np.sqrt(expected * (1 - expected) / trials)
    assert (np.abs(released.mean(axis=0) - expected) < 4.5 * error).all()


def test_a_vesicle_is_not_released_twice_at_once():
    released = nmc.simulate_release(1.0, 1e9, 0.0, TIMES, 5, rng=np.random.default_rng(0))
    assert (released.sum(axis=-1) == 1).all()


def test_random_trials_repeat_with_their_seed():
    draw = [
        nmc.simulate_release([0.2, 0.5], 300, 50, TIMES, 20, rng=np.random.default_rng(s))
        for s in (1, 1, 2)
    ]
    assert draw[0].shape == (20, 2, len(TIMES))
    assert (draw[0] == draw[1]).all() and (draw[0] != draw[2]).any()


def test_all_pathways_in_one_table():
    train = nmc.compute_train(n=8)
    assert train["pathway"].nunique() == len(nmc.load_pathways())
    assert len(train) == 9 * train["pathway"].nunique()
    first = train[train["spike"] == 1]
    assert np.allclose(first["response"], first["u"]) and np.allclose(first["relative"], 1)


def test_a_named_pathway_and_given_parameters():
    one = nmc.compute_train("L5_TTPC1:L5_MC", recovery_ms=None)
    table = nmc.load_pathways().query("pre == 'L5_TTPC1' and post == 'L5_MC'").iloc[0]
    given = {"U": table["u_mean"], "D_ms": table["d_mean_ms"], "F_ms": table["f_mean_ms"]}
    same = nmc.compute_train(given, recovery_ms=None)
    assert np.allclose(one["response"], same["response"])
    assert list(one["t_ms"]) == [50.0 * k for k in range(8)]


@pytest.mark.parametrize(
    "bad, told",
    [
        ((0.0, 100, 10), r"U lies in \(0, 1\]; got 0"),
        ((1.2, 100, 10), "got 1.2"),
        ((0.5, -3, 10), "D is finite and cannot be negative; got -3"),
        ((0.5, 100, -1), "F is finite and cannot be negative; got -1"),
        ((np.nan, 100, 10), "U lies in"),
        ((0.5, np.nan, 10), "D is finite and"),
    ],
)
def test_impossible_parameters_are_named(bad, told):
    with pytest.raises(SynapseError, match=told):
        check_parameters(*bad)


def test_other_bad_input():
    with pytest.raises(UnknownNameError, match="Did you mean .L5_TTPC"):
        nmc.compute_train("L5_TTPC9:L5_MC")
    with pytest.raises(SynapseError, match="increasing"):
        nmc.compute_response(0.5, 100, 10, [0, 10, 10])
    with pytest.raises(SynapseError, match="rate of a train is positive"):
        nmc.train_times(0)
    with pytest.raises(SynapseError, match="at least five"):
        nmc.fit_tsodyks_markram([0, 50, 100], [1, 0.5, 0.3])


@pytest.mark.parametrize("truth", [(0.5, 670, 17), (0.094, 150, 690), (0.25, 400, 150)])
def test_a_clean_train_is_fitted_back(truth):
    times = [TIMES, nmc.train_times(50.0)]
    clean = [3.0 * np.prod(nmc.compute_response(*truth, t), axis=0) for t in times]
    fit = nmc.fit_tsodyks_markram(times, clean)
    assert fit["estimate"].to_numpy() == pytest.approx([*truth, 3.0], rel=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Forty noisy trains: a 90 % interval of each parameter holds the truth in most of them."""
    truth = np.array([0.4, 500.0, 60.0])
    rng = np.random.default_rng(5)
    times = [nmc.train_times(r) for r in (10.0, 20.0, 50.0)]
    clean = [np.prod(nmc.compute_response(*truth, t), axis=0) for t in times]
    sigma = [np.full(len(c), 0.01) for c in clean]
    inside = []
    for _ in range(40):
        noisy = [c + 0.01 * rng.normal(size=len(c)) for c in clean]
        fit = nmc.fit_tsodyks_markram(times, noisy, sigma=sigma, confidence=0.9).iloc[:3]
        inside.append((fit["low"] <= truth) & (truth <= fit["high"]))
    assert (np.mean(inside, axis=0) > 0.75).all()


def test_types_are_recovered_where_the_sample_says_what_they_are():
    table = nmc.classify_pathways()
    assert set(table["label"]) == {"E1", "E2", "E3", "I1", "I2", "I3"}
    assert table["agrees"].all()


@pytest.mark.real
def test_real_labels(mirror, monkeypatch):
    """All facilitating excitatory pathways come back; most I1 and I3 do not (sheets average)."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    table = nmc.classify_pathways()
    share = table.groupby("label")["agrees"].mean()
    assert len(table) == 1932
    assert share["E1"] == 1.0 and share["I2"] > 0.8
    assert share["I1"] < 0.1 and share["I3"] == 0.0
