"""Calcium, magnesium and scales of synapses: by hand calculation, and in NEURON."""

import nmc
import numpy as np
import pytest
from nmc.cells.settings import calcium_class, scale_synapses
from nmc.errors import CircuitError, NMCError, ProtocolError, SynapseError, UnknownNameError

HAC = "L1_HAC_cNAC187_1"
# At 1.2 mM, with 1.2⁴ = 2.0736: 2.79⁴ = 60.592 gives 76.592/16 · 2.0736/62.666 = 0.1584, and
# 1.09⁴ = 1.4116 gives 17.412/16 · 2.0736/3.4852 = 0.6475; their mean is 0.4029.
AT_1_2 = {"steep": 0.1584, "shallow": 0.6475, "intermediate": 0.4029}
ENDS = {
    ("L5_TTPC1", "L23_PC"): "steep",
    ("L5_TTPC1", "L5_MC"): "steep",
    ("L23_BTC", "L23_PC"): "steep",
    ("L4_SS", "L4_LBC"): "shallow",
    ("L6_ChC", "L6_IPC"): "shallow",
    ("L1_HAC", "L5_TTPC1"): "intermediate",
    ("L5_TTPC1", "L5_NGC"): "intermediate",
    ("L5_MC", "L5_LBC"): "intermediate",
}


@pytest.mark.parametrize("ends", ENDS)
def test_the_factor_is_the_hand_calculation_s(ends):
    assert calcium_class(*ends) == ENDS[ends]
    factor = nmc.compute_release_factor(*ends, [2.0, 1.2])
    assert factor == pytest.approx([1.0, AT_1_2[ENDS[ends]]], abs=6e-5)


def test_much_calcium_saturates():
    """Far above K the curve is (K⁴ + 16)/16, and U never exceeds 1."""
    assert nmc.compute_release_factor("L5_MC", "L5_TTPC1", 10.0) == pytest.approx(
        76.592 / 16 * 1e4 / (1e4 + 60.592), rel=1e-4
    )
    high = nmc.load_synapse_parameters("L5_TTPC1:L5_TTPC1", calcium_mM=10.0)
    assert (high["U"] == 1).all()


def test_a_train_in_less_calcium_begins_lower_and_tires_less():
    usual, low = (
        nmc.compute_train("L5_TTPC1:L5_TTPC1", calcium_mM=ca).set_index("spike")
        for ca in (2.0, 1.2)
    )
    assert low.loc[1, "u"] == pytest.approx(usual.loc[1, "u"] * 0.1584, rel=1e-3)
    assert low.loc[8, "relative"] > 2 * usual.loc[8, "relative"]
    with pytest.raises(SynapseError, match="name one"):
        nmc.compute_train({"U": 0.5, "D_ms": 100, "F_ms": 10}, calcium_mM=1.2)


def test_a_package_s_synapses_are_scaled_row_by_row():
    package = nmc.load_package("L5_TTPC1_cADpyr232_1")
    rows = package.synapses
    low = scale_synapses(rows, "L5_TTPC1", calcium_mM=1.2, weight_scale=3.0, mg_mM=0.5)
    expected = [AT_1_2[calcium_class(pre, "L5_TTPC1")] for pre in rows["pre_mtype"]]
    assert np.allclose(low["utilisation"], rows["utilisation"] * expected, rtol=1e-3)
    assert np.allclose(low["weight_nS"], 3 * rows["weight_nS"])
    assert (low.loc[low["excitatory"], "mg_mM"] == 0.5).all()
    assert low.loc[~low["excitatory"], "mg_mM"].equals(rows.loc[~rows["excitatory"], "mg_mM"])
    assert scale_synapses(rows, "L5_TTPC1").equals(rows.assign(utilisation=rows["utilisation"]))
    assert (scale_synapses(rows, "L5_TTPC1", release_scale=1000)["utilisation"] == 1).mean() > 0.9


def test_a_plan_holds_its_conditions():
    connectome = nmc.default_connectome()
    chosen = nmc.choose_neurons(connectome, {"L1_HAC": 2, "L23_PC": 2}, rng=0)
    with pytest.raises(CircuitError, match="models is given by m-type"):
        nmc.plan_circuit(connectome, chosen, models=HAC)
    usual, low = (
        nmc.plan_circuit(connectome, chosen, missing="skip", **kw)
        for kw in ({}, {"calcium_mM": 1.2})
    )
    assert low.settings["synaptic"]["calcium_mM"] == 1.2
    ratio = low.contacts["utilisation"] / usual.contacts["utilisation"].where(lambda u: u > 0)
    mtypes = usual.neurons["mtype"].to_numpy()[usual.contacts["post"]]
    expected = [
        AT_1_2[calcium_class(pre, post)]
        for pre, post in zip(usual.contacts["pre_mtype"], mtypes, strict=True)
    ]
    known = ratio.notna().to_numpy()
    assert np.allclose(ratio[known], np.array(expected)[known], rtol=1e-3)
    told = [contact["utilisation"] for contact in low.spec["background"]]
    assert told == low.contacts.loc[low.contacts["pre"] < 0, "utilisation"].tolist()


@pytest.mark.parametrize("bad", [0.0, -1.0, 11.0, np.nan, np.inf, "much", [1.0], True])
def test_a_concentration_that_cannot_be_is_refused(bad):
    package = nmc.load_package(HAC)
    for setting in ("calcium_mM", "mg_mM", "release_scale", "weight_scale"):
        value = bad if setting == "calcium_mM" or bad not in (0.0, 11.0) else -bad - 1
        with pytest.raises(NMCError):
            nmc.simulate_bombardment(package, **{setting: value})
        with pytest.raises(ProtocolError):
            scale_synapses(package.synapses, package.mtype, **{setting: value})
    with pytest.raises(UnknownNameError, match="calcium_mM"):
        scale_synapses(package.synapses, package.mtype, calcium=1.2)


@pytest.mark.neuron
def test_a_pair_fails_as_often_as_calcium_says():
    package = nmc.load_package(HAC)
    pre = package.synapses.query("excitatory")["pre_mtype"].value_counts().index[0]
    found = nmc.simulate_pair(pre, HAC, 60, cells=2, window_ms=30.0, calcium_mM=1.2)
    assert found.attrs["calcium_mM"] == 1.2
    factor = AT_1_2[calcium_class(pre, "L1_HAC")]
    senders = package.synapses["pre_cell"]
    for cell, row in found.cells.iterrows():
        own = package.synapses.loc[senders == cell, "utilisation"]
        expected = 100 * np.prod(1 - factor * own)
        assert row["failures_percent"] == pytest.approx(expected, abs=4 * 50 / np.sqrt(60))


@pytest.mark.neuron
def test_a_bombarded_cell_without_release_or_weight_is_a_cell_at_rest():
    run = {"duration_ms": 100.0, "v_init_mV": -70.0, "rates_Hz": 3.0}
    usual = nmc.simulate_bombardment(HAC, **run)
    silent = nmc.simulate_bombardment(HAC, **run, release_scale=0.0)
    light = nmc.simulate_bombardment(HAC, **run, weight_scale=0.0)
    low = nmc.simulate_bombardment(HAC, **run, calcium_mM=1.2)
    assert np.allclose(silent["v_mV"], light["v_mV"], atol=1e-6)
    moved = [np.abs(r["v_mV"] - silent["v_mV"]).mean() for r in (usual, low)]
    assert moved[0] > moved[1] > 0.05
    assert low.attrs["calcium_mM"] == 1.2
