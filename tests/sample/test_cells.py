"""Synthetic packages: the portal's format, the same bytes each time, and a shape that is known."""

import json
import re
import zipfile

import numpy as np
import pytest
from nmc import layout, names
from nmc.errors import UnknownNameError

from tools.sample import DEFAULT_MODELS, SEED, pathway_table, write_package
from tools.sample.cells import biophysics, expected_anatomy, expected_rest, package_members
from tools.sample.cells.channels import CHANNELS, open_fraction, sk_fraction
from tools.sample.cells.morphology import APIC, AXON, DEND, make_tree
from tools.sample.cells.synapses import CUT, synapse_table

L5 = "L5_TTPC1_cADpyr232_1"
HAC = "L1_HAC_cNAC187_1"
LBC = "L23_LBC_cSTUT189_1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("tree")
    path = write_package(where, L5)
    assert path == where / layout.package(L5)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(where)
    return where / L5


def test_same_seed_same_bytes_and_another_seed_others(tmp_path):
    one = write_package(tmp_path / "a", HAC).read_bytes()
    assert write_package(tmp_path / "b", HAC).read_bytes() == one
    assert write_package(tmp_path / "c", HAC, seed=SEED + 1).read_bytes() != one
    assert not list(tmp_path.rglob("*.part"))


def test_a_model_does_not_depend_on_what_was_written_before(tmp_path):
    first = write_package(tmp_path / "a", L5).read_bytes()
    write_package(tmp_path / "b", HAC)
    assert write_package(tmp_path / "b", L5).read_bytes() == first


def test_unknown_model_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean .L5_TTPC1_cADpyr232_"):
        write_package(tmp_path, "L5_TTPC1_cADpyr232_9")
    assert not list(tmp_path.iterdir())


def test_every_one_of_the_1035_names_gives_a_package():
    for model in names.model_names()[::45]:
        members = package_members(model)
        assert {"template.hoc", "biophysics.hoc", "current_amps.dat", "run.py"} <= set(members)
        assert not [n for n, text in members.items() if re.search(r"@[A-Z_0-9]+@", text)]


def test_templates_are_named_as_the_portal_names_them():
    text = package_members("L1_NGC-DA_cACint209_2")["template.hoc"]
    assert re.search(r"^begintemplate cACint209_L1_NGCDA_[0-9a-f]{10}$", text, re.M)


def test_same_etype_same_biophysics():
    one = package_members("L5_MC_bAC217_1")["biophysics.hoc"]
    assert package_members("L23_BTC_bAC217_4")["biophysics.hoc"] == one


def test_random_channels_only_in_stuttering_and_irregular_cells():
    for model in DEFAULT_MODELS:
        etype = names.parse_model(model).etype
        random = etype.endswith(("STUT", "IR"))
        members = package_members(model)
        assert ("mechanisms/StochKv.mod" in members) == random, model
        assert bool(re.search(r"re_init_rng\(\d+\)", members["template.hoc"])) == random, model


def test_all_eleven_etypes_are_among_the_defaults():
    assert {names.parse_model(m).etype for m in DEFAULT_MODELS} == set(names.ETYPES)


def test_old_idioms_are_there_to_be_ported():
    members = package_members(LBC)
    for name in ("StochKv", "ProbAMPANMDA_EMS", "ProbGABAAB_EMS"):
        assert "double nrn_random_pick(void* r);" in members[f"mechanisms/{name}.mod"]
    assert "scop_random(1)" in members["mechanisms/ProbAMPANMDA_EMS.mod"]


def test_cellinfo_names_the_cell(folder):
    info = json.loads((folder / "cellinfo.json").read_text())
    assert info["m-type"] == "L5_TTPC1"
    assert info["e-type"] == "L5PC"
    assert (folder / "morphology" / f"{info['morphology']}.asc").is_file()


def test_morphio_measures_the_expected_anatomy(folder):
    import morphio

    (path,) = (folder / "morphology").glob("*.asc")
    morphology = morphio.Morphology(path)
    truth = expected_anatomy(L5).loc[L5]
    for code, name in ((AXON, "axon"), (DEND, "basal"), (APIC, "apical")):
        lengths, volume = [], 0.0
        for section in morphology.iter():
            if int(section.type) == code:
                steps = np.linalg.norm(np.diff(section.points, axis=0), axis=1)
                radius = section.diameters / 2
                lengths.append(steps.sum())
                volume += (
                    np.pi
                    * float(steps @ (radius[1:] ** 2 + radius[1:] * radius[:-1] + radius[:-1] ** 2))
                    / 3
                )
        assert np.sum(lengths) == pytest.approx(truth[f"{name}_length_um"], rel=1e-5)
        assert np.max(lengths) == pytest.approx(truth[f"{name}_max_section_length_um"], rel=1e-5)
        assert volume == pytest.approx(truth[f"{name}_volume_um3"], rel=1e-4)
    wide = np.ptp(morphology.soma.points[:, 0])
    assert wide == pytest.approx(truth["soma_diameter_um"], rel=0.01)


def test_anatomy_differs_between_types_as_it_should():
    table = expected_anatomy([L5, HAC, "L23_BP_bIR215_1"])
    assert table.loc[L5, "apical_length_um"] > 1000
    assert np.isnan(table.loc[HAC, "apical_length_um"])
    assert table.loc["L23_BP_bIR215_1", "basal_length_um"] < table.loc[L5, "basal_length_um"]


def test_synapses_are_those_of_the_sheets():
    """Presynaptic m-types, numbers and dynamics follow the pathway table, times the cut."""
    table = synapse_table(L5)
    pathways = pathway_table(SEED).query("post == 'L5_TTPC1'")
    expected = CUT * (pathways["convergence"] * pathways["contacts"]).sum()
    assert len(table) == pytest.approx(expected, rel=0.15)
    mtypes = [names.MTYPES[int(i)] for i in np.unique(table[:, 2])]
    assert set(mtypes) <= set(pathways["pre"])
    for pre in mtypes:
        rows = table[table[:, 2] == names.MTYPES.index(pre)]
        assert ((rows[:, 6] >= 100) == names.is_excitatory(pre)).all()
        if len(rows) > 100:
            assert rows[:, 9].mean() == pytest.approx(
                pathways.loc[f"{pre}:L5_TTPC1", "U"], rel=0.05
            )


def test_synapses_stand_on_sections_that_exist():
    for model in (L5, LBC):
        tree = make_tree(model, SEED)
        count = {0: 1, 1: len(tree.of(DEND)), 2: len(tree.of(APIC))}
        table = synapse_table(model)
        assert all(
            table[table[:, 3] == k][:, 4].max(initial=0) < max(n, 1) for k, n in count.items()
        )
        assert set(table[:, 3]) <= {k for k, n in count.items() if n}
        assert ((table[:, 5] > 0) & (table[:, 5] < 1)).all()
        assert (table[:, 7:] > 0).all()
        assert (table[:, 9] < 1).all()


def test_channel_kinetics_have_the_printed_half_points():
    """Boltzmann midpoints printed in the papers that the MOD files cite."""
    by_name = {c.parameter.rpartition("_")[2]: c for c in CHANNELS}
    shu = next(c for c in CHANNELS if c.parameter.endswith("KdShu2007"))
    assert shu.gates[0][0](np.array([-43.0]))[0] == pytest.approx(0.5)  # Shu et al. 2007
    assert shu.gates[1][0](np.array([-67.0]))[0] == pytest.approx(0.5)
    assert by_name["Im"].gates[0][0](np.array([-35.0]))[0] == pytest.approx(0.5)  # Adams 1982
    assert sk_fraction(np.array([0.00043])) == pytest.approx(0.5)  # Koehler 1996
    assert 0 < open_fraction(by_name["Ih"], np.array([-70.0])) < 1


def test_expected_rest_is_quick_and_plausible_for_all_models():
    table = expected_rest(names.model_names())
    assert len(table) == 1035
    assert table["resting_membrane_potential_mV"].between(-80, -65).all()
    assert table["input_resistance_MOhm"].between(30, 1500).all()
    assert table["membrane_time_constant_ms"].between(3, 60).all()


def test_expected_rest_of_one_equals_its_row_among_many():
    many = expected_rest([L5, HAC, LBC])
    alone = expected_rest(HAC)
    assert alone.loc[HAC].to_numpy() == pytest.approx(many.loc[HAC].to_numpy(), rel=1e-6)


def test_densities_as_a_table():
    table = biophysics.channel_densities(L5)
    ih = table.query("section_list == 'apical' and mechanism == 'Ih'")
    assert "exp((%g" in ih["formula"].item()
    assert set(table["section_list"]) == set(biophysics.SECTION_LISTS)
