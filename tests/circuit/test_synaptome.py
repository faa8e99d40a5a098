"""Synapses in space: the sections are NEURON's, and the counts are the files'."""

import re
from pathlib import Path

import nmc
import numpy as np
import pytest
from nmc.cells.morphology import section_paths
from nmc.cells.segments import measure_places
from nmc.circuit.synaptome import contacts_of
from nmc.errors import PackageError, SynapseError

MODEL = "L5_TTPC1_cADpyr232_1"


def check_sections(model):
    package = nmc.load_package(model)
    places = measure_places(package, None).set_index("section")
    paths = section_paths(package)
    dendrites = [n for n in places.index if n.startswith(("dend", "apic"))]
    assert set(dendrites) == {n for n in paths if not n.startswith("axon")}
    length, middle = places["length_um"], places["distance_um"]
    for name in dendrites:
        path = paths[name]
        assert path.along_um[-1] == pytest.approx(length[name], abs=1e-3)
        assert path.start_um + length[name] / 2 == pytest.approx(middle[name], abs=1e-2)


@pytest.mark.neuron
def test_sections_are_numbered_as_neuron_numbers_them():
    check_sections(MODEL)


@pytest.mark.real
@pytest.mark.neuron
def test_sections_of_a_real_package(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    check_sections("L23_LBC_cSTUT189_1")


@pytest.mark.neuron
@pytest.mark.parametrize(
    "make",
    [nmc.compute_channel_kinetics, nmc.compute_channel_densities, nmc.compute_attenuation,
     nmc.locate_synapses, nmc.count_synaptome],
)  # fmt: skip
def test_a_table_made_from_a_package_says_so(make):
    attrs = make("L1_HAC_cNAC187_1").attrs
    assert attrs["model"] == "L1_HAC_cNAC187_1"
    assert attrs["origin"] == "sample" and attrs["invented"] is True


def test_contacts_have_any_utilisation_that_the_reader_lets_through(tmp_path):
    """From 0 (never releases) to 1; the reader refuses what a factor makes of more."""
    folder = nmc.copy_package("L1_HAC_cNAC187_1", tmp_path)
    (folder / "synapses/synconf.txt").write_text("%s.Use *= 0\n0 -1e15\n%s.Use *= 1\n1 -1e15\n")
    package = nmc.load_package(folder, trust=True)
    assert package.synapses["utilisation"][0] == 0 < package.synapses["utilisation"][1]
    for mtype in package.synapses["pre_mtype"].unique():
        assert contacts_of(package, mtype)["utilisation"].between(0, 1).all()
    (folder / "synapses/synconf.txt").write_text("%s.Use *= 99\n0 -1e15\n")
    with pytest.raises(PackageError, match="row 0 a utilisation Use of"):
        nmc.load_package(folder, trust=True)


def test_synapses_lie_on_their_sections():
    places = nmc.locate_synapses(MODEL)
    package = nmc.load_package(MODEL)
    assert len(places) == len(package.synapses)
    paths = section_paths(package)
    for number in places.index[:: max(1, len(places) // 60)]:
        row = places.loc[number]
        if row["section"].startswith("soma"):
            assert row["distance_um"] == 0
            continue
        path = paths[row["section"]]
        points, end = path.points, path.start_um + path.along_um[-1]
        here = row[["x_um", "y_um", "z_um"]].to_numpy(float)
        ends = points[1:] - points[:-1]
        share = np.clip(((here - points[:-1]) * ends).sum(1) / (ends**2).sum(1), 0, 1)
        off = np.linalg.norm(points[:-1] + share[:, None] * ends - here, axis=1).min()
        assert off < 1e-6
        assert path.start_um <= row["distance_um"] <= end


def test_counts_add_up():
    counts = nmc.count_synaptome(MODEL)
    package = nmc.load_package(MODEL)
    assert counts["synapses"].sum() == len(package.synapses)
    row = nmc.load_pathways().query("pre == 'L5_TTPC2' and post == 'L5_TTPC1'").iloc[0]
    expected = row["convergence_mean"] * row["synapses_per_connection_mean"]
    assert counts.loc["L5_TTPC2", "sheet_synapses"] == pytest.approx(expected)
    assert counts["ratio"].median() > 1


@pytest.mark.real
def test_a_real_package_has_about_twice_the_sheets_synapses(mirror, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    counts = nmc.count_synaptome(MODEL)
    assert counts["synapses"].sum() == 5863
    assert counts["cells"].sum() == 1041
    assert counts["ratio"].median() == pytest.approx(2.0, abs=0.3)
    assert counts.loc["L5_TTPC1", "cells"] == 121 and counts.loc["L5_TTPC1", "sheet_cells"] == 57


@pytest.mark.real
def test_a_package_without_any_synapse_is_read_and_says_so(mirror, monkeypatch):
    """L1_SLAC_cACint209_3, one of the portal's 1,035, lists none."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    package = nmc.load_package("L1_SLAC_cACint209_3")
    places = nmc.locate_synapses(package)
    assert places.empty and places["x_um"].dtype == float
    assert nmc.count_synaptome(package).empty
    nmc.plot_synaptome(places)
    with pytest.raises(SynapseError, match="no synapse from L1_HAC, nor from any other m-type"):
        nmc.simulate_pair("L1_HAC", package)


def test_weights_are_put_beside_the_sheets_conductance():
    package = nmc.load_package(MODEL)
    table = nmc.compare_conductances([MODEL], min_senders=1)
    sheet = nmc.load_pathways()
    sheet = sheet[sheet["space_clamp_correction_factor"].notna() & (sheet["post"] == "L5_TTPC1")]
    sheet = sheet[sheet["pre"].astype(str).isin(set(package.synapses["pre_mtype"]))]
    assert sorted(table.index) == sorted(sheet["pre"].astype(str) + ":L5_TTPC1")
    for pathway, row in table.iterrows():
        own = package.synapses[package.synapses["pre_mtype"] == pathway.partition(":")[0]]
        assert row["senders"] == own["pre_cell"].nunique() and row["contacts"] == len(own)
        assert row["ratio"] == pytest.approx(
            own["weight_nS"].mean() / row["gsyn_nS"] / row["factor"]
        )
    assert nmc.compare_conductances([MODEL], min_senders=10**6).empty
    assert nmc.compare_conductances([]).empty


@pytest.mark.real
@pytest.mark.slow
def test_the_real_packages_carry_the_product_in_four_pathways_only(mirror, monkeypatch):
    """The table of *Compare pairs with sheets*: 19 pathways, weight over product 0.44 to 1.71."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    models = [m for m in nmc.model_names() if nmc.available(f"model/{m}")]
    table = nmc.compare_conductances(models)
    assert len(table) == 19
    assert table["ratio"].min() == pytest.approx(0.44, abs=0.005)
    assert table["ratio"].max() == pytest.approx(1.71, abs=0.005)
    met = table[table["ratio"].between(0.95, 1.05)]
    assert len(met) == 4 and met.index.str.fullmatch(r"L5_TTPC\d:L5_TTPC\d").all()
    page = Path(__file__).parents[2] / "book/circuit/compare-pairs-with-sheets.md"
    rows = re.findall(r"^\| (\w+) → (\w+) \|(.*)\|$", page.read_text("utf-8"), re.MULTILINE)
    told = {f"{pre}:{post}": [float(cell) for cell in rest.split("|")] for pre, post, rest in rows}
    columns = ["senders", "gsyn_nS", "factor", "weight_nS", "ratio"]
    assert told == {name: row.round(2).tolist() for name, row in table[columns].iterrows()}
