"""Zones of a tree and the null model of dendrite in reach, on trees small enough for a hand."""

from types import SimpleNamespace

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.cells import morphology
from nmc.cells.morphology import SectionPath
from nmc.circuit import synaptome
from nmc.circuit.synaptome import count_forks, cut_dendrite, name_zones

MODEL = "L5_TTPC1_cADpyr232_1"


def straight(start, length, y0, y1):
    points = np.array([[0.0, y0, 0.0], [0.0, y1, 0.0]])
    return SectionPath(points, np.ones(2), np.array([0.0, length]), start)


# A trunk of 100 µm forks into an oblique of 50 and a branch of 300; a dendrite of 40 hangs down.
PATHS = {
    "dend[0]": straight(0.0, 40.0, 0.0, -40.0),
    "apic[0]": straight(0.0, 100.0, 0.0, 100.0),
    "apic[1]": straight(100.0, 50.0, 100.0, 100.0),
    "apic[2]": straight(100.0, 300.0, 100.0, 400.0),
    "axon[0]": straight(0.0, 60.0, 0.0, -60.0),
}


@pytest.fixture
def cell(monkeypatch):
    """Return a cell of these paths."""
    monkeypatch.setattr(morphology, "section_paths", lambda package: PATHS)
    tree = SimpleNamespace(parents=np.array([-1, -1, 1, 1, -1]))
    return SimpleNamespace(reconstruction=tree, name="drawn", mtype="L5_TTPC1")


def test_forks_are_counted_from_the_soma(cell):
    expected = {"dend[0]": 0, "apic[0]": 0, "apic[1]": 1, "apic[2]": 1, "axon[0]": 0}
    assert count_forks(cell).to_dict() == expected


def test_zones_follow_section_and_path(cell):
    """The farthest apical end is at 400 µm, so the tuft begins at 200 µm of path."""
    section = pd.Series(["soma[0]", "axon[0]", "dend[0]", "apic[0]", "apic[2]", "apic[2]"])
    distance = pd.Series([0.0, 10.0, 30.0, 60.0, 199.0, 201.0])
    found = name_zones(cell, section, distance).tolist()
    assert found == ["soma", "axon", "near", "rest", "rest", "tuft"]
    assert name_zones(cell, section[:0], distance[:0]).size == 0


def test_pieces_are_the_dendrite_without_the_axon(cell):
    ends, pieces = cut_dendrite(cell)
    assert ends.shape == (4, 2, 3) and pieces["length_um"].sum() == 490
    # pieces are as long as the file's points are apart: the middle of each decides its zone
    assert dict(zip(pieces["section"], pieces["zone"], strict=True)) == {
        "dend[0]": "near", "apic[0]": "near", "apic[1]": "rest", "apic[2]": "tuft",
    }  # fmt: skip


def test_the_null_model_shares_contacts_by_length_in_reach(cell, monkeypatch):
    """Of four contacts between 0 and 300 µm; pieces of middle height 50, 100 and 250 are in reach.

    They are 100, 50 and 300 µm long and lie near, in the rest and in the tuft.
    """
    places = pd.DataFrame({"pre_mtype": "L5_MC", "excitatory": False, "y_um": [0.0, 90, 100, 300],
                           "zone": ["soma", "rest", "rest", "tuft"]})  # fmt: skip
    monkeypatch.setattr(synaptome, "locate_synapses", lambda package: places)
    rows = pd.DataFrame(synaptome._innervate(cell)).set_index(4)
    assert rows[5].to_dict() == {"axon": 0, "soma": 1, "near": 0, "rest": 2, "tuft": 1}
    assert rows[6].to_dict() == pytest.approx(
        {"axon": 0, "soma": 0, "near": 4 * 100 / 450, "rest": 4 * 50 / 450, "tuft": 4 * 300 / 450}
    )


def test_every_contact_of_every_package_is_counted_once():
    models = [MODEL, "L1_HAC_cNAC187_1"]
    table = nmc.compute_innervation(models, progress=False)
    for model in models:
        synapses, own = nmc.load_package(model).synapses, table[table["model"] == model]
        counted = own.groupby("pre_mtype")["synapses"].sum().to_dict()
        assert counted == synapses["pre_mtype"].value_counts().to_dict()
    assert nmc.compute_innervation([], progress=False).empty


@pytest.mark.real
def test_a_package_without_synapses_has_no_row(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    assert nmc.compute_innervation(["L1_SLAC_cACint209_3"], progress=False).empty


def test_places_say_zone_and_order():
    places = nmc.locate_synapses(MODEL)
    assert set(places["zone"]) <= set(synaptome.ZONES)
    assert (places["zone"].eq("soma") == places["section"].str.startswith("soma")).all()
    near = places["zone"].eq("near")
    assert (places.loc[near, "distance_um"] <= 50).all()
    assert places.loc[places["zone"].eq("tuft"), "section"].str.startswith("apic").all()
    assert places["order"].min() == 0 and places["order"].max() > 3
