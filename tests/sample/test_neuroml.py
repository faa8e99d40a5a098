"""The sample's NeuroML2 archive: named as the public conversion, the same cells as its packages."""

from __future__ import annotations

import re
import zipfile

import numpy as np
import pytest
from lxml import etree
from nmc import names
from nmc.cells.neuroml.cell import read_cell
from nmc.cells.neuroml.elements import read_channel
from nmc.data.registry import item

from tests.cells import kinetics_by_hand as channels
from tools.sample import NEUROML_MODELS
from tools.sample.neuroml import NETS, channel_of
from tools.sample.packages import densities, template_name
from tools.sample.trees import APIC, DEND, make_tree


@pytest.fixture(scope="module")
def folder(tree, tmp_path_factory):
    place = tmp_path_factory.mktemp("neuroml")
    with zipfile.ZipFile(tree / item("neuroml/subset").path) as archive:
        archive.extractall(place)
    return place


def test_every_file_is_xml_and_says_that_it_is_invented(folder):
    files = [p for p in (folder / "NMC/NeuroML2").iterdir() if p.suffix in (".nml", ".xml")]
    assert len(files) == 15 + 1 + len(NEUROML_MODELS) + 3 * len(NETS)
    for path in files:
        etree.parse(str(path))
        assert "invented" in path.read_text()


@pytest.mark.real
def test_names_are_those_of_the_public_conversion(tree, mirror):
    def kinds(path):
        with zipfile.ZipFile(path) as archive:
            found = {re.sub(r"_[0-9a-f]{10}", "_HASH", n) for n in archive.namelist()}
        return {n for n in found if not n.endswith("/")}

    real, ours = (
        kinds(mirror / item("neuroml/subset").path),
        kinds(tree / item("neuroml/subset").path),
    )
    shared = {n for n in real if ".channel." in n or "LEMS_L" in n or "stepcurrent3" in n}
    assert shared <= ours and len(shared) == 15 + 5 + 5
    assert "NMC/NeuroML2/CaDynamics_E2_NML2.nml" in real & ours


@pytest.mark.parametrize("model", NEUROML_MODELS)
def test_a_twin_has_the_tree_and_the_densities_of_its_package(model, folder):
    model = names.parse_model(model)
    tree = make_tree(model)
    twin = read_cell(folder / f"NMC/NeuroML2/{template_name(model)}_0_0.cell.nml")
    for group, kind in (("basal", DEND), ("apical", APIC)):
        length = tree.length_um[tree.of(kind)].sum()
        found = twin.morphology["length_um"].get(group, 0.0)
        assert found == pytest.approx(length, rel=1e-4)
    table = twin.densities.query("parameter == 'g'").set_index(["section_list", "channel"])
    wanted = [
        d
        for d in densities(model).itertuples()
        if d.parameter.startswith("g") and "gamma" not in d.parameter
    ]
    assert len(table) == len(wanted)
    for density in wanted:
        row = table.loc[(density.section_list, channel_of(density.mechanism))]
        scale = 1e-4 if density.mechanism == "StochKv" else 1.0
        if density.growing:
            assert np.isnan(row["value"]) and "exp" in row["formula"]
        else:
            assert row["value"] == pytest.approx(density.value * scale)


def test_channels_have_the_equations_of_the_sample(folder):
    v = np.linspace(-110.3, 40.3, 40)
    for channel in channels.CHANNELS:
        suffix = channel.parameter.partition("bar_")[2]
        path = folder / f"NMC/NeuroML2/{channel_of(suffix)}.channel.nml"
        found = read_channel(path)
        table = found.kinetics(v)
        assert len(found.gates) == len(channel.gates)
        for (gate, power), own in zip(channel.gates, found.gates, strict=True):
            rows = table[table["gate"] == own.name]
            steady, tau = gate(v)
            assert np.allclose(rows["steady_state"], steady, rtol=1e-9)
            assert np.allclose(rows["tau_ms"], tau, rtol=1e-9)
            assert own.instances == power
    sk = read_channel(folder / "NMC/NeuroML2/SK_E2.channel.nml")
    calcium = np.geomspace(1e-5, 1e-2, 20)
    assert np.allclose(sk.kinetics(-70, calcium)["steady_state"], channels.sk_fraction(calcium))
    assert len(sk.kinetics(-70)) == 1  # numbers make a table of one row
