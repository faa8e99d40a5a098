"""Channel kinetics and densities, and cells with less of a channel, on the sample's packages."""

from __future__ import annotations

import matplotlib.pyplot as plt
import nmc
import numpy as np
import pytest
from nmc.cells.channels import is_channel, reads_calcium
from nmc.cells.package import read_package
from nmc.errors import PackageError, UnknownNameError

from tools.sample.packages import mechanism_text

from . import kinetics_by_hand as truth
from .conftest import PYRAMIDAL

pytestmark = pytest.mark.neuron


@pytest.fixture(scope="module")
def kinetics(small):
    return nmc.compute_channel_kinetics(small)


@pytest.fixture(scope="module")
def pyramidal(sample_folder):
    return read_package(sample_folder / PYRAMIDAL)


def test_gates_are_the_equations_the_sample_was_made_with(kinetics):
    seen = 0
    for channel in truth.CHANNELS:
        name = channel.parameter.partition("bar_")[2]
        if name not in set(kinetics["channel"]):
            continue
        rows = kinetics[kinetics["channel"] == name]
        for (gate, power), (_, found) in zip(
            channel.gates, rows.groupby("gate", sort=False), strict=True
        ):
            steady, tau = gate(found["v_mV"].to_numpy())
            assert np.allclose(found["steady_state"], steady, rtol=1e-9, atol=1e-12)
            assert np.allclose(found["tau_ms"], tau, rtol=1e-6)
            assert (found["power"] == power).all()
            seen += 1
    assert seen >= 10


def test_sk_answers_to_calcium_alone(kinetics):
    sk = kinetics[kinetics["channel"] == "SK_E2"]
    assert sk["v_mV"].nunique() == 1 and sk["calcium_mM"].nunique() > 50
    assert np.allclose(sk["steady_state"], truth.sk_fraction(sk["calcium_mM"].to_numpy()))
    assert np.allclose(sk["tau_ms"], 1.0)
    others = kinetics[kinetics["channel"] != "SK_E2"]
    assert others["calcium_mM"].nunique() == 1


def test_a_table_says_where_it_comes_from(kinetics, small):
    assert kinetics.attrs["celsius"] == small.celsius == 34
    assert set(kinetics["source"]) == {"MOD"}
    assert kinetics["steady_state"].between(0, 1).all()


def test_one_channel_at_one_voltage(small):
    row = nmc.compute_channel_kinetics(small, "Ih", v_mV=-80.0)
    assert len(row) == 1 and row["channel"].item() == "Ih"
    with pytest.raises(UnknownNameError, match="Did you mean 'Ih'"):
        nmc.compute_channel_kinetics(small, ["Ihh"])


def test_which_mod_files_are_channels():
    assert is_channel(mechanism_text("Ih")) and is_channel(mechanism_text("StochKv"))
    assert not is_channel(mechanism_text("CaDynamics_E2"))
    assert not is_channel(mechanism_text("ProbAMPANMDA_EMS"))
    assert reads_calcium(mechanism_text("SK_E2")) and not reads_calcium(mechanism_text("Ca"))


def test_tables_of_different_channels_are_compared_with_a_note(kinetics):
    one = kinetics[kinetics["channel"] != "Ih"]
    table = nmc.compare_kinetics(one, kinetics).set_index("channel")
    assert table.loc["Ih", "note"] == "only in MOD"
    assert table.drop("Ih")["steady_state_difference"].max() == 0


def test_densities_along_the_tree(pyramidal):
    table = nmc.compute_channel_densities(pyramidal)
    soma = table.query("part == 'soma' and channel == 'NaTs2_t'")
    assert soma["density_S_per_cm2"].item() == pyramidal.density("somatic", "gNaTs2_tbar", 0.0)
    ih = table.query("part == 'apic' and channel == 'Ih'")
    expected = pyramidal.density("apical", "gIhbar", ih["distance_um"])
    assert np.allclose(ih["density_S_per_cm2"], expected) and np.ptp(expected) > 0
    assert (table["conductance_nS"] >= 0).all()


def test_a_channel_taken_away_is_gone(small):
    factors = {"NaTa_t": 0, "NaTs2_t": 0, "Ih": 2}
    without = nmc.scale_channels(small, factors)
    assert without.name == small.name and without.content_sha256 != small.content_sha256
    was, now = (nmc.compute_channel_densities(p) for p in (small, without))
    ratio = now["density_S_per_cm2"] / was["density_S_per_cm2"]
    for channel, factor in factors.items():
        assert np.allclose(ratio[was["channel"] == channel], factor)
    assert np.allclose(ratio[~was["channel"].isin(factors)].dropna(), 1)
    assert nmc.scale_channels(small, factors).folder == without.folder
    none, some = (
        nmc.simulate_step(p, 1, mode="converged").attrs["spike_count"] for p in (without, small)
    )
    assert none == 0 < some  # without sodium channels there is no spike


def test_what_cannot_be_scaled(small):
    with pytest.raises(UnknownNameError, match="Did you mean 'Im'"):
        nmc.scale_channels(small, {"Imm": 0})
    with pytest.raises(PackageError, match="-1"):
        nmc.scale_channels(small, {"Im": -1})


def test_figures_are_drawn_and_stamped(kinetics, pyramidal, small):
    axes = nmc.plot_channel_kinetics(
        kinetics, kinetics.assign(source="copy"), channels=["Ih", "Im"]
    )
    assert axes.shape == (1, 4) and len(axes[0, 0].lines) == 2
    ax = nmc.plot_densities(nmc.compute_channel_densities(small))
    assert "NaTa_t" in [t.get_text() for t in ax.get_yticklabels()]
    tree = nmc.plot_density_tree(pyramidal, "Ih")
    values = tree.collections[0].get_array()
    assert values.max() > 2 * values.min() > 0
    with pytest.raises(UnknownNameError, match="NaTa_t"):
        nmc.plot_density_tree(pyramidal, "NaTa_t")
    with pytest.raises(UnknownNameError, match="KdShu2007"):
        nmc.plot_channel_kinetics(kinetics, channels=["KdShu2007"])
    plt.close("all")
