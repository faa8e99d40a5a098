"""The sample's packages: the portal's format, e-types that differ, synapses of the sheets."""

import io
import json
import re

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc import names

from tools.sample import MODELS, packages
from tools.sample.column import dynamics
from tools.sample.trees import APIC, DEND, make_tree

L5 = "L5_TTPC1_cADpyr232_1"
HAC = "L1_HAC_cNAC187_1"
LBC = "L23_LBC_cSTUT189_1"


@pytest.fixture(scope="module")
def rest():
    return nmc.load_models(step_currents=False).set_index("model")


def test_every_etype_and_layer_has_a_model():
    models = [names.parse_model(m) for m in nmc.available_models("sample")]
    assert tuple(m.name for m in models) == tuple(sorted(MODELS, key=names.model_names().index))
    assert {m.etype for m in models} == set(names.ETYPES)
    assert {m.layer for m in models} == set(names.LAYERS)


@pytest.mark.parametrize("model", MODELS)
def test_the_shipped_package_is_what_the_maker_writes(members, model):
    """Byte for byte, with the currents that were measured then."""
    shipped = members(model)
    currents = [float(c) for c in shipped["current_amps.dat"].split()]
    made = packages.package_members(model, currents)
    assert made == shipped
    assert {"template.hoc", "biophysics.hoc", "current_amps.dat", "run.py"} <= set(made)
    assert not [n for n, text in made.items() if re.search(r"@[A-Z_0-9]+@", text)]


def test_templates_are_named_as_the_portal_names_them(members):
    text = members("L1_NGC-DA_cACint209_1")["template.hoc"]
    assert re.search(r"^begintemplate cACint209_L1_NGCDA_[0-9a-f]{10}$", text, re.M)


def test_same_etype_same_biophysics(members):
    one = members("L5_MC_bAC217_1")["biophysics.hoc"]
    assert members("L23_BTC_bAC217_1")["biophysics.hoc"] == one


@pytest.mark.parametrize("model", MODELS)
def test_random_channels_only_in_stuttering_and_irregular_cells(members, model):
    random = names.parse_model(model).etype.endswith(("STUT", "IR"))
    files = members(model)
    assert ("mechanisms/StochKv.mod" in files) == random
    assert bool(re.search(r"re_init_rng\(\d+\)", files["template.hoc"])) == random


def test_old_idioms_are_there_to_be_ported(members):
    files = members(LBC)
    for name in ("StochKv", "ProbAMPANMDA_EMS", "ProbGABAAB_EMS"):
        assert "double nrn_random_pick(void* r);" in files[f"mechanisms/{name}.mod"]
    assert "scop_random(1)" in files["mechanisms/ProbAMPANMDA_EMS.mod"]


def test_cellinfo_names_the_cell(members):
    files = members(L5)
    info = json.loads(files["cellinfo.json"])
    assert info["m-type"] == "L5_TTPC1" and info["e-type"] == "L5PC"
    assert f"morphology/{info['morphology']}.asc" in files


def test_sheets_print_the_anatomy_that_the_package_measures():
    beside = nmc.compare_morphometrics(
        nmc.available_models("sample"), nmc.load_models(step_currents=False)
    )
    assert len(beside) > 9 * len(MODELS)
    off = (beside["recomputed"] - beside["published"]).abs() > beside["rounding"] * (1 + 1e-9)
    assert beside["recomputed"].notna().all() and not off.any(), beside[off]


def test_anatomy_differs_between_types_as_it_should():
    length = {m: nmc.compute_morphometrics(m)["length_um"] for m in (L5, HAC, "L23_BP_bIR215_1")}
    assert length[L5]["apical dendrite"] > 1000 and "apical dendrite" not in length[HAC]
    assert length["L23_BP_bIR215_1"]["basal dendrite"] < length[L5]["basal dendrite"]


@pytest.mark.parametrize("model", MODELS)
def test_trees_branch_and_taper_like_neurons(model):
    """Dendrites: angles of tens of degrees, thinner tips than stems, paths longer than chords."""
    tree = make_tree(model)
    dendrites = np.flatnonzero((tree.kind == DEND) | (tree.kind == APIC))
    stems = [i for i in dendrites if tree.parent[i] == 0]
    tips = [i for i in dendrites if i not in set(tree.parent)]
    thick = lambda sections: np.mean([tree.points[i][-1, 3] for i in sections])  # noqa: E731
    assert thick(tips) < 0.75 * thick(stems)
    long = [i for i in tips if tree.length_um[i] > 40]
    chord = [np.linalg.norm(np.diff(tree.points[i][[0, -1], :3], axis=0)) for i in long]
    assert 1.02 < (tree.length_um[long] / chord).mean() < 1.5
    assert len(tips) > 2 * names.parse_model(model).mtype.count("L")


def test_synapses_are_those_of_the_sheets(members):
    """Presynaptic m-types, numbers and dynamics follow the pathway table, times the cut."""
    table = np.loadtxt(io.StringIO(members(L5)["synapses/synapses.tsv"]), skiprows=1)
    pathways = dynamics().query("post == 'L5_TTPC1'")
    expected = packages.CUT * (pathways["convergence"] * pathways["contacts"]).sum()
    assert len(table) == pytest.approx(expected, rel=0.15)
    mtypes = [names.MTYPES[int(i)] for i in np.unique(table[:, 2])]
    assert set(mtypes) <= set(pathways["pre"])
    for pre in mtypes:
        rows = table[table[:, 2] == names.MTYPES.index(pre)]
        assert ((rows[:, 6] >= 100) == names.is_excitatory(pre)).all()
        if len(rows) > 100:
            assert rows[:, 9].mean() == pytest.approx(
                pathways.loc[f"{pre}:L5_TTPC1", "u_mean"], rel=0.05
            )


@pytest.mark.parametrize("model", [L5, LBC])
def test_synapses_stand_on_sections_that_exist(members, model):
    tree = make_tree(model)
    count = {0: 1, 1: len(tree.of(DEND)), 2: len(tree.of(APIC))}
    table = np.loadtxt(io.StringIO(members(model)["synapses/synapses.tsv"]), skiprows=1)
    assert all(table[table[:, 3] == k][:, 4].max(initial=0) < max(n, 1) for k, n in count.items())
    assert set(table[:, 3]) <= {k for k, n in count.items() if n}
    assert ((table[:, 5] > 0) & (table[:, 5] < 1)).all()
    assert (table[:, 7:] > 0).all() and (table[:, 9] < 1).all()


def test_rest_of_all_models_is_plausible(rest):
    assert len(rest) == 1035
    assert rest["resting_membrane_potential_mV"].between(-80, -65).all()
    assert rest["input_resistance_MOhm"].between(30, 1500).all()
    assert rest["membrane_time_constant_ms"].between(3, 60).all()


def test_steps_are_120_130_and_140_percent(members):
    for model in MODELS:
        steps = np.array([float(c) for c in members(model)["current_amps.dat"].split()])[1:]
        assert steps / steps[0] == pytest.approx([1, 1.3 / 1.2, 1.4 / 1.2], abs=1e-5)


def test_densities_as_a_table():
    table = packages.densities(L5)
    ih = table.query("section_list == 'apical' and mechanism == 'Ih'")
    assert "exp((%g" in ih["formula"].item()
    assert set(table["section_list"]) == set(packages.SECTION_LISTS)


# Simulated -------------------------------------------------------------------------------------


def intervals(model: str, step: int = 2):
    """Delay of the first spike, and the intervals between spikes, ms."""
    trace = nmc.simulate_step(model, step, mode="converged")
    times = np.array(trace.attrs["spike_times_ms"])
    return times[0] - 700, np.diff(times)


@pytest.mark.neuron
@pytest.mark.parametrize("model", [HAC, "L5_MC_bAC217_1"])
def test_measured_rest_is_the_printed_one(rest, model):
    """Six digits are printed; time constants are rounded by the fit's own sampling."""
    found = nmc.simulate_rest(model).attrs
    for column in packages.REST:
        assert found[column] == pytest.approx(rest.loc[model, column], rel=1e-4), column


@pytest.mark.neuron
def test_the_holding_current_holds(members):
    trace = nmc.simulate_step(HAC, 1, mode="converged")
    before = trace.query("500 < t_ms < 699")["v_mV"]
    assert before.mean() == pytest.approx(-84.0, abs=0.3)  # as the portal's: -83.4 to -84.6 mV


@pytest.mark.neuron
def test_steps_fire_accommodating_and_non_accommodating_cells_differently():
    _, accommodating = intervals("L5_LBC_cACint209_1")
    _, regular = intervals(HAC)
    assert accommodating[-1] > 1.3 * accommodating[0]
    assert regular.std() / regular.mean() < 0.05


@pytest.mark.neuron
@pytest.mark.slow
def test_etypes_are_distinct_and_fire_more_at_a_larger_step():
    delay: dict[str, list[float]] = {}
    for model in MODELS:
        counts = [nmc.simulate_step(model, step).attrs["spike_count"] for step in (1, 2, 3)]
        assert min(counts) >= 3, (model, counts)
        assert packages.is_stochastic(model) or counts == sorted(counts), (model, counts)
        first, isi = intervals(model, step=1)
        etype = nmc.parse_model(model).etype
        delay.setdefault(etype, []).append(first)
        variation = isi.std() / isi.mean()
        if etype.endswith(("STUT", "IR")):
            assert variation > 0.25, (model, variation)
        elif etype.endswith("NAC") and not etype.startswith("b"):
            assert variation < 0.15, (model, variation)
        if etype.startswith("b") and etype.endswith("AC"):
            assert isi[0] < 0.8 * np.median(isi), (model, isi[:4])
        if etype in ("cADpyr", "cAC", "bAC"):
            assert isi[-1] > 1.3 * isi[0], (model, isi[[0, -1]])
    assert min(delay["dNAC"]) > 4 * max(delay["cNAC"])


@pytest.mark.neuron
@pytest.mark.slow
def test_the_maker_measures_the_same_digits_again(rest, members, tmp_path, monkeypatch):
    """On another machine the printed digits are the same: `make sample` compared, cell by cell."""
    monkeypatch.setattr(packages, "_STORE", tmp_path)
    for model, found in packages.measured(MODELS).items():
        printed = [float(c) for c in members(model)["current_amps.dat"].split()]
        again = [found[c] for c in packages.CURRENTS]
        assert again == pytest.approx(printed, abs=2e-7), model
        row = pd.Series({c: found[c] for c in packages.REST})
        assert row.to_numpy() == pytest.approx(rest.loc[model, row.index].to_numpy(float), rel=1e-5)
