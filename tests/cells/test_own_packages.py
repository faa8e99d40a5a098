"""Packages that people edit and publish, as they lie on disk; and files that are hostile."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from pathlib import Path

import nmc
import numpy as np
import pandas as pd
import pytest
from mutations import assert_linear
from nmc.cells import channels, mechanisms, package_files
from nmc.cells.package import as_package, read_package
from nmc.cells.package_files import SECTION_ARRAYS
from nmc.cells.stimuli import Step
from nmc.child import run_child
from nmc.data.registry import item
from nmc.errors import (
    MechanismError,
    MissingFileError,
    PackageError,
    ProtocolError,
    TrustError,
    UnknownNameError,
)

from .conftest import PYRAMIDAL, SMALL


@pytest.fixture
def mine(real, tmp_path):
    """Return a copy of a real package under a name of its own."""
    return Path(shutil.copytree(real(SMALL).folder, tmp_path / "my-cell"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.real
def test_a_text_that_names_something_on_disk_is_a_path(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    for way in ("my-cell", "./my-cell", str(mine), mine, mine.parent):
        assert as_package(way).folder == mine.resolve()
    assert as_package("my-cell").name == SMALL  # known by its files, whatever its folder is called
    change(mine / "constants.hoc", "celsius=34", "celsius=35")
    own = as_package("./my-cell")
    assert (own.name, own.model, own.mtype, own.etype) == ("my-cell", None, "L1_HAC", "cNAC")
    mine.rename(mine.with_name(PYRAMIDAL))  # the name of another model: the files say what it is
    other = as_package(f"./{PYRAMIDAL}")
    assert (other.model, other.mtype, other.celsius) == (None, "L1_HAC", 35)


@pytest.mark.parametrize(
    "way", [f"./{SMALL}", f"{SMALL}/", f"{SMALL}.zip", f"~/{SMALL}", f"cells/{SMALL}"]
)
def test_a_path_that_is_not_there_is_no_name_of_a_published_model(way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageError, match="There is no package at"):
        as_package(way)
    with pytest.raises(UnknownNameError, match="There is no model ''"):
        as_package("")  # not the folder one happens to be in


@pytest.mark.real
def test_only_true_is_trust(mine):
    change(mine / "constants.hoc", "celsius=34", "celsius=35")
    for said in ("no", "False", 1, None):
        with pytest.raises(TrustError, match="trust is True or False"):
            nmc.load_package(mine, trust=said)
    assert nmc.load_package(mine, trust=True).trusted and not nmc.load_package(mine).trusted


@pytest.mark.real
def test_one_model_is_a_list_of_one(mine):
    table = nmc.compute_innervation(str(mine))
    assert len(table) and set(table["model"]) == {SMALL}
    assert len(nmc.plot_morphologies(str(mine))) == 1


@pytest.mark.real
def test_what_channels_are_scaled_or_recorded_by_is_said(mine):
    for wrong in ("Ih", ["Ih"], None):
        with pytest.raises(PackageError, match="Factors are given as"):
            nmc.scale_channels(mine, wrong)
    with pytest.raises(UnknownNameError, match="no section list None"):
        nmc.scale_channels(mine, {"Ih": 1}, section_lists=None)
    assert nmc.record_channels(mine, "soma(0.5)")["pas"] == "soma(0.5).i_pas"
    for wrong in ("soma[0]", 5, "basal[0](0.5)"):
        with pytest.raises(ProtocolError, match="not a place"):
            nmc.record_channels(mine, wrong)


@pytest.mark.real
def test_a_file_that_cannot_be_written_is_one_sentence(mine, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nmc.to_swc(mine, "~/new/cell.swc") == tmp_path / "new" / "cell.swc"
    with pytest.raises(PackageError, match="cannot be written .*choose another place"):
        nmc.to_swc(mine, tmp_path)


@pytest.mark.real
def test_the_home_folder_is_meant_by_its_sign(mine, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    assert nmc.copy_package(mine, "~/copies") == home / "copies" / SMALL
    assert not Path("~").exists()
    shutil.copy(nmc.fetch("sheet/layers"), home / "l.json")
    assert len(nmc.load_layers("~/l.json")) == 5
    for call in (nmc.load_layers, nmc.load_circuit, nmc.load_mtypes, nmc.port_package):
        with pytest.raises(MissingFileError, match="is a path, not 3"):
            call(3)


@pytest.mark.real
def test_a_kind_of_neurite_that_is_none_is_no_empty_table(mine):
    with pytest.raises(UnknownNameError, match="no kind of neurite 'dend'"):
        nmc.compute_barcode(mine, "dend")
    basal = nmc.compute_barcode(mine, "basal dendrite")
    assert len(basal) and set(basal["neurite"]) == {"basal dendrite"}


@pytest.mark.real
def test_every_call_that_takes_a_model_takes_a_path(mine):
    place = str(mine)
    assert set(nmc.load_morphology(place)["neurite"]) >= {"soma", "axon"}
    assert nmc.scale_channels(place, {"Ih": 2}).trusted
    assert nmc.compute_morphometrics(mine).attrs["model"] == SMALL
    nmc.plot_morphology(place)
    nmc.plot_density_tree(place, "Ih")


@pytest.mark.real
def test_a_zip_with_what_desktops_add_loads(mirror, tmp_path, monkeypatch):
    source = mirror / item(f"model/{SMALL}").path
    own = tmp_path / "downloaded.zip"
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(own, "w") as out:
        for info in archive.infolist():
            out.writestr(info, archive.read(info))
        out.writestr(f"__MACOSX/{SMALL}/._template.hoc", b"\0\5\26\7")
        out.writestr(f"{SMALL}/.DS_Store", b"\0\0\0\1Bud1")
    package = nmc.load_package(own)
    assert (package.name, package.origin, package.trusted) == (SMALL, "NMC portal", True)


@pytest.mark.real
def test_what_synapses_need_is_needed_for_synapses_only(mine):
    before = read_package(mine)
    (mine / "cellinfo.json").unlink()
    (mine / "synapses/synconf.txt").unlink()
    own = read_package(mine)
    assert (own.gid, own.mtype, own.etype) == (before.gid, "L1_HAC", "cNAC")
    assert len(own.synapses) == len(before.synapses) and own.synapses["NMDA_ratio"].isna().all()
    shutil.rmtree(mine / "synapses")
    bare = read_package(mine)
    assert bare.steps_nA == before.steps_nA and bare.gid == 0
    with pytest.raises(PackageError, match="no synapses/synapses.tsv"):
        bare.synapses  # noqa: B018


@pytest.mark.real
@pytest.mark.neuron
def test_a_published_edit_runs(mine):
    """No cellinfo, no synapses, a full axon, mechanisms that NEURON has, Windows line ends."""
    (mine / "cellinfo.json").unlink()
    shutil.rmtree(mine / "synapses")
    change(mine / "template.hoc", "    replace_axon()\n", "")
    inserted = (
        "\tforsec $o1.all {\n\t\tinsert extracellular\n\t\tinsert hh\n\t\tgnabar_hh = 0\n"
        "\t\tinsert k_ion\n\t}\n"
    )
    change(mine / "biophysics.hoc", "proc biophys() {\n", f"proc biophys() {{\n{inserted}")
    for path in mine.rglob("*"):
        if path.suffix in {".hoc", ".mod", ".dat", ".asc"}:
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    package = nmc.load_package(mine, trust=True)
    assert {"extracellular", "hh", "k_ion"} <= set(package.mechanisms["all"])
    places = nmc.compute_channel_densities(package)
    tree = package.reconstruction.count()
    assert dict(package.sections) == tree
    last = f"axon[{tree['axon'] - 1}](0.5)"
    trace = nmc.simulate_currents(
        package, Step(5, 5, 0.1, at=last), tstop_ms=15, record={"there": f"{last}.v"}
    )
    during = trace[trace["t_ms"].between(5, 10)]
    assert during["there"].max() > during["v_mV"].max() + 5  # where the current goes in
    found = places[places["channel"] == "SKv3_1"].groupby("part").size()
    assert found["dend"] == tree["dend"]
    assert tree["axon"] > 2 and found["axon"] == tree["axon"]


@pytest.mark.real
def test_the_portal_s_other_names_are_understood(mirror, real, tmp_path):
    model = next(
        path.stem
        for path in sorted((mirror / item(f"model/{SMALL}").path).parent.glob("L1_SLAC*.zip"))
    )
    page = model.replace("L1_SLAC", "L1_SAC")
    folder = Path(shutil.copytree(real(model).folder, tmp_path / page))
    change(folder / "cellinfo.json", "L1_SLAC", "L1_SAC")
    own = read_package(folder)
    assert (own.mtype, own.model.name) == ("L1_SLAC", model)


# --- numbers ------------------------------------------------------------------------------------

NUMBERS = [
    ("constants.hoc", "celsius=34", "celsius=1e400", "celsius: '1e400' is not a finite"),
    ("constants.hoc", "celsius=34", "celsius=34\ncelsius=35", "celsius twice"),
    ("constants.hoc", "celsius=34", "celsius=340", "celsius: '340' is not between 0 and 60"),
    ("constants.hoc", "dt=0.025", "dt=-0.025", "dt: '-0.025' is not between"),
    ("constants.hoc", "dt=0.025", "dt=1_0", "dt: '1_0' is not a number"),
    ("cellinfo.json", '"gid": "31362"', '"gid": 1.9', "'gid': 1.9 is not a whole number"),
    ("cellinfo.json", '"gid": "31362"', '"gid": true', "'gid': True is not a number"),
    ("cellinfo.json", "{", "[" * 100_000, "cannot be read"),
    ("biophysics.hoc", "cm = 1.0", "cm = 1e999", "'1e999' is not a finite number"),
    ("biophysics.hoc", "*0.009500", f"*{'-' * 5000}1", "not understood"),
    ("biophysics.hoc", "*0.009500", "/0", "not finite|not understood"),
    ("biophysics.hoc", "*0.009500", "*exp(%g*9)", "not finite"),
    ("morphology.hoc", 'input("morphology/', 'input("morphology/\0', "names no morphology"),
    ("synapses/synconf.txt", "mg = 1", "mg = 1.1e999999990", "mg: '1.1e99999999"),
    ("synapses/synconf.txt", "-1e+15", "1e300 -1e+15", "'1e300' is not between|is above"),
    ("synapses/synconf.txt", "mg = 1", "mg = -1", "mg: '-1"),
]


@pytest.mark.real
@pytest.mark.parametrize(("file", "old", "new", "said"), NUMBERS)
def test_a_number_that_cannot_be_is_named(mine, file, old, new, said):
    path = mine / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PackageError, match=f"(?s)my-cell: {file}.*({said})"):
        read_package(mine)


@pytest.mark.real
@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (1, "1e300", "pre_cell of the synapse in row 0: '1e300' is above"),
        (1, "9" * 25, "pre_cell of the synapse in row 0"),
        (4, "1.5", "index of the synapse in row 0: '1.5' is not a whole number"),
        (9, "9", "utilisation of the synapse in row 0: '9' is not between"),
        (10, "-3", "decay_ms"),
        (11, "nan", "delay_ms of the synapse in row 0: 'nan' is not a number"),
        (12, "inf", "weight_nS"),
    ],
)
def test_a_synapse_that_cannot_be_is_named(mine, column, value, said):
    path = mine / "synapses/synapses.tsv"
    head, first, *rest = path.read_text().splitlines()
    cells = first.split("\t")
    cells[column] = value
    path.write_text("\n".join([head, "\t".join(cells), *rest]))
    with pytest.raises(PackageError, match=f"my-cell: synapses/synapses.tsv: {said}"):
        read_package(mine)


# --- work that grows no faster than the file ----------------------------------------------------

LONG = {
    "blank lines": lambda n: "\n" * n,
    "blanks": lambda n: " " * n,
    "open comments": lambda n: "/*" * n,
    "closed comments": lambda n: "/**/" * n,
    "slashes": lambda n: "/ " * n,
    "begins": lambda n: "begintemplate " * n,
    "digits": lambda n: "celsius=" + "1" * n + "x\n",
    "procedures": lambda n: "proc biophys() {\n" * n,
    "braces": lambda n: "proc biophys() {\n" + "}\n\n" * n,
    "forsec": lambda n: "proc biophys() {\n" + "forsec $o1.all {\n}\n" * n + "}\nendtemplate x",
    "inputs": lambda n: '.input("' * n,
    "procedures of MOD": lambda n: "PROCEDURE rates( " * n,
    "equals": lambda n: "SUFFIX x\n" + "    m" * n + "inf = 1\n",
    "assignments": lambda n: "%s.mg = 1 " * n + "\n" + "-1e15",
}


def read_mod(files: package_files.Files) -> None:
    text = mechanisms.port(files.text("template.hoc"))[0]
    mechanisms.tabulate(text)
    channels.is_channel(text), channels.reads_calcium(text)


READERS = (
    package_files.read_template, package_files.read_constants, package_files.read_biophysics,
    package_files.read_morphology_path, package_files.read_currents, package_files.read_gid,
    package_files.read_mtype_map, read_mod,
    lambda files: package_files.read_synapses(files, {}, dict.fromkeys(SECTION_ARRAYS, 1)),
)  # fmt: skip
FILES = (
    "template.hoc", "constants.hoc", "biophysics.hoc", "morphology.hoc", "current_amps.dat",
    "synapses/synapses.hoc", "synapses/mtype_map.tsv", "synapses/synconf.txt",
)  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_readers_are_linear(name, memory_path):
    def make(n: int) -> package_files.Files:
        folder = memory_path / str(n)
        (folder / "synapses").mkdir(parents=True)
        for file in FILES:
            (folder / file).write_text(LONG[name](n))
        (folder / "synapses/synapses.tsv").write_text("0 13\n" + LONG[name](n))
        return package_files.Files("own", folder)

    def read(files: package_files.Files) -> None:
        for reader in READERS:
            with contextlib.suppress(PackageError):
                reader(files)

    assert_linear(read, make, 5_000)


# --- a parser that crashes ----------------------------------------------------------------------


@pytest.mark.real
def test_a_morphology_that_crashes_the_parser_is_an_error(mine):
    depth = 200_000
    path = next((mine / "morphology").glob("*.asc"))
    branches = "(0 0 0 1)\n(" * depth + "(0 1 0 1)" + ")" * depth
    path.write_text(
        f'("CellBody" (CellBody) (0 0 0 0) (1 0 0 0) (0 1 0 0))\n((Dendrite)\n{branches})\n'
    )
    with pytest.raises(PackageError, match=f"my-cell.*{path.stem[:8]}"):
        nmc.load_package(mine)


@pytest.mark.real
def test_an_unknown_morphology_gives_the_same_in_the_child_process(mine, real):
    with (mine / "template.hoc").open("a") as file:
        file.write("// mine\n")
    own, theirs = nmc.load_package(mine), real(SMALL)
    assert own.origin == "own package"
    assert nmc.load_morphology(own).equals(nmc.load_morphology(theirs))
    for compute in (nmc.compute_morphometrics, nmc.compute_sholl):
        pd.testing.assert_frame_equal(compute(own), compute(theirs), rtol=1e-12)


# --- two packages whose mechanisms differ under one name ----------------------------------------


@pytest.mark.real
@pytest.mark.neuron
def test_packages_with_different_mechanisms_of_one_name_run_together(
    mine, real, caplog, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    old = "\t\tmTau = 1/(mAlpha + mBeta)"
    change(mine / "mechanisms/Ih.mod", old, f"{old}*3")
    packages = [real(SMALL), nmc.load_package(mine, trust=True)]
    with pytest.raises(MechanismError, match="Two different files are called Ih.mod"):
        mechanisms.libraries_of(packages)
    first, second = mechanisms.rename_clashes(packages)
    assert not first.renamed and set(second.renamed) == {"Ih"}
    assert "Ih differ from another package's" in caplog.text
    # Under its new name: one file is compiled, the others stand in the known packages' library.
    alone = [together([package])["v0"] for package in (first, second)]
    both = together([first, second])
    assert np.array_equal(both["v0"], alone[0])
    # NEURON adds up the currents of mechanisms in another order, so the last bits differ.
    assert np.allclose(both["v1"], alone[1], rtol=0, atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


def together(packages) -> dict[str, np.ndarray]:
    """Soma voltages of packages that run in one process."""
    params = {
        "cells": [p.to_spec() for p in packages],
        "stimulus": Step(10.0, 30.0, -0.05).plain(),
        "tstop_ms": 60.0,
    }
    libraries = mechanisms.libraries_of(packages)
    return run_child("tasks:side_by_side", params, libraries=libraries)[1]


# --- SWC ----------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("model", [SMALL, PYRAMIDAL])
def test_swc_has_the_reconstruction_s_tree_for_other_tools(real, model, tmp_path):
    """MorphIO reads as much of each neurite, and NeuroM the same number of branch points."""
    import morphio
    import neurom

    package = real(model)
    path = nmc.to_swc(package, tmp_path / "cell.swc")
    theirs = neurom.load_morphology(path)
    ours = nmc.compute_morphometrics(package)
    for neurite, kind in (("axon", 2), ("basal dendrite", 3), ("apical dendrite", 4)):
        if neurite not in ours.index:
            continue
        kind = neurom.NeuriteType(kind)
        length = neurom.get("total_length", theirs, neurite_type=kind)
        assert length == pytest.approx(ours.loc[neurite, "length_um"], rel=1e-4)
        forks = neurom.get("number_of_bifurcations", theirs, neurite_type=kind)
        assert forks == ours.loc[neurite, "bifurcations"]
    soma = morphio.Morphology(str(path)).soma
    assert soma.type == morphio.SomaType.SOMA_NEUROMORPHO_THREE_POINT_CYLINDERS
    assert 2 * soma.diameters[0] / 2 == pytest.approx(ours.loc["soma", "diameter_um"], rel=1e-4)
    without = nmc.to_swc(package, tmp_path / "dendrites.swc", axon=False)
    assert 0 < without.stat().st_size < path.stat().st_size
    assert not morphio.Morphology(str(without)).root_sections[0].type == morphio.SectionType.axon


def test_swc_of_a_shape_known_by_hand(copy, tmp_path):
    from .test_morphometrics import BY_HAND

    read_package(copy).morphology.write_text(BY_HAND)
    shutil.rmtree(copy / "synapses")
    lines = nmc.to_swc(copy, tmp_path / "cell.swc").read_text().splitlines()
    assert lines[0].startswith("# ") and "three points" in lines[0]
    assert lines[1:] == [
        "1 1 0 0 0 5.6419 -1", "2 1 0 -5.6419 0 5.6419 1", "3 1 0 5.6419 0 5.6419 1",
        "4 2 0 -5 0 1 1", "5 2 0 -35 0 1 4", "6 2 0 -45 0 1 5",
        "7 2 10 -45 0 1 6", "8 2 -20 -45 0 1 6",
        "9 3 0 5 0 2 1", "10 3 0 45 0 1 9",
    ]  # fmt: skip
    points = nmc.load_morphology(copy)
    parents = points.groupby("section")["parent"].first().to_dict()
    assert parents == {-1: -1, 0: -1, 1: 0, 2: 1, 3: 1, 4: -1}
