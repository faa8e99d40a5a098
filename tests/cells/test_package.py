"""Reading packages: what they say, and what a damaged one gets."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
from nmc.cells import package_files
from nmc.cells.package import load_package, read_package
from nmc.data.registry import item
from nmc.errors import PackageError, UnknownNameError

from .conftest import PYRAMIDAL, SMALL, STOCHASTIC


def test_a_package_says_who_it_is(small):
    assert small.name == SMALL
    assert small.etype == "cNAC"
    assert small.gid == int(json.loads((small.folder / "cellinfo.json").read_text())["gid"])
    assert small.morphology.suffix == ".asc"
    assert (small.celsius, small.dt_ms) == (34, 0.025)
    assert small.hold_nA < 0 < small.steps_nA[0] < small.steps_nA[1] < small.steps_nA[2]


def test_biophysics_equal_the_file_line_by_line(small):
    text = (small.folder / "biophysics.hoc").read_text()
    table = small.biophysics
    assert len(table) == text.count("distribute($o1") + sum(
        line.strip().partition(" = ")[0] in {"e_pas", "g_pas", *package_files.CABLE}
        for line in text.splitlines()
    )
    inserted = [m for found in small.mechanisms.values() for m in found]
    assert sorted(inserted) == sorted(w.split()[1] for w in text.splitlines() if "insert " in w)


def test_a_density_follows_its_formula(sample_folder):
    package = read_package(sample_folder / PYRAMIDAL)
    ih = package.biophysics.query("section_list == 'apical' and parameter == 'gIhbar'")
    assert np.isnan(ih["value"].item())
    d = np.array([0.0, 123.0])
    by_hand = [eval(ih["formula"].item(), {"exp": np.exp, "d": x}) for x in d]
    assert np.allclose(package.density("apical", "gIhbar", d), by_hand)
    with pytest.raises(PackageError, match="gNone"):
        package.density("apical", "gNone", d)


def test_a_formula_is_arithmetic_and_nothing_else():
    assert package_files.evaluate("(-0.5 + 2*exp((d-10)*0.1))*3", [10.0]) == pytest.approx([4.5])
    for bad in ("__import__('os')", "d.real", "d**2", "print(d)", "d if d else 1", "1 +"):
        with pytest.raises(PackageError, match="a file: .*(formula|arithmetic)"):
            package_files.evaluate(bad, [1.0], where="a file")


def test_tables_cannot_be_changed_from_outside(small):
    table = small.synapses
    table.loc[:, "weight_nS"] = -1
    assert (small.synapses["weight_nS"] >= 0).all()
    with pytest.raises(TypeError):
        small.mechanisms["somatic"] = ()
    with pytest.raises(AttributeError):
        small.gid = 1


def test_synapses_carry_what_synconf_sets(small):
    excitatory = small.synapses["excitatory"]
    assert small.synapses.loc[excitatory, "NMDA_ratio"].notna().all()
    assert small.synapses.loc[~excitatory, "e_GABAA_mV"].notna().all()


def test_only_a_stochastic_channel_that_is_inserted_counts(sample_folder, small):
    assert small.stochastic == ()
    assert read_package(sample_folder / STOCHASTIC).stochastic == ("StochKv",)


def test_the_hash_follows_content_not_place(small, copy):
    assert read_package(copy).content_sha256 == small.content_sha256
    with (copy / "biophysics.hoc").open("a") as file:
        file.write("// changed\n")
    assert read_package(copy).content_sha256 != small.content_sha256


def test_a_byte_order_mark_is_no_part_of_a_text(small, copy):
    for name in ("cellinfo.json", "synapses/synapses.tsv", "synapses/mtype_map.tsv"):
        (copy / name).write_bytes(b"\xef\xbb\xbf" + (copy / name).read_bytes())
    edited = read_package(copy)
    assert (edited.mtype, edited.etype) == (small.mtype, small.etype)
    assert edited.synapses.equals(small.synapses) and edited.mtype_map.equals(small.mtype_map)


@pytest.mark.parametrize("name", ["template.hoc", "current_amps.dat", "constants.hoc"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(PackageError, match=f"{SMALL}.*{name}"):
        read_package(copy)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("current_amps.dat", " ", " x", "is not a number"),
        ("cellinfo.json", "{", "", "cellinfo.json"),
        ("biophysics.hoc", "insert ", "system ", "not understood"),
        ("biophysics.hoc", "insert Ih", "insert Unknown", "Unknown"),
        ("morphology.hoc", "morphology/", "../../", "outside the package"),
        ("synapses/synapses.tsv", "\t", "\tx", "holds 1|is not a number"),
        ("synapses/synconf.txt", "%s.", 'system("ls") %s.', "not an assignment"),
        ("synapses/synconf.txt", "%s.mg = 1", "%s.verboseLevel = 1", "not an assignment"),
        ("synapses/mtype_map.tsv", "L1_DAC", "L9_DAC", "mtype_map"),
    ],
)
def test_wrong_content_is_named(copy, name, old, new, said):
    path = copy / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PackageError, match=f"(?s){SMALL}.*{said}"):
        read_package(copy)


def test_synapses_out_of_range_are_refused(copy):
    path = copy / "synapses/synapses.tsv"
    lines = path.read_text().splitlines()
    for column, value in ((3, "7"), (5, "1.5"), (2, "99"), (12, "-1"), (11, "nan")):
        cells = lines[1].split("\t")
        cells[column] = value
        path.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]))
        with pytest.raises(PackageError, match="synapse in row 0"):
            read_package(copy)


@pytest.mark.parametrize("place", [("0", "1"), ("1", "9999"), ("2", "0"), ("3", "2")])
def test_a_synapse_on_a_section_that_does_not_exist_is_refused(copy, place):
    """A soma of one section, no apical dendrite, and an axon stub of two."""
    path = copy / "synapses/synapses.tsv"
    lines = path.read_text().splitlines()
    cells = lines[3].split("\t")
    cells[3:5] = place
    path.write_text("\n".join([*lines[:3], "\t".join(cells), *lines[4:]]))
    with pytest.raises(PackageError, match=f"{SMALL}: synapses/synapses.tsv.*not have.*row 2 "):
        read_package(copy)


def test_a_missing_morphology_is_named(copy):
    path = read_package(copy).morphology
    path.unlink()
    with pytest.raises(
        PackageError, match=f"{SMALL}: the morphology file .*{path.name} is missing"
    ):
        read_package(copy)


def test_a_truncated_morphology_is_refused(copy):
    path = read_package(copy).morphology
    path.write_text(path.read_text()[:-200])
    with pytest.raises(PackageError, match="truncated"):
        read_package(copy)


def test_a_truncated_morphology_whose_brackets_close_is_refused(copy):
    path = read_package(copy).morphology
    text = path.read_text()
    path.write_text(text[: text.index("(Axon)")] + "(Axon) ( 1.0 2.0 ) )")
    with pytest.raises(PackageError, match=f"{SMALL}.*{path.name}.*cannot be read"):
        read_package(copy)


def test_a_name_that_is_neither_model_nor_path_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="L5_TTPC._cADpyr232_1.*Did you mean"):
        load_package("L5_TTPC9_cADpyr232_1")
    with pytest.raises(PackageError, match="no package at .*nothing"):
        load_package(f"{tmp_path}/nothing")
    with pytest.raises(PackageError, match="holds 0 packages"):
        load_package(str(tmp_path))
    with pytest.raises(UnknownNameError, match="neither a model nor a path"):
        load_package(7)


@pytest.mark.real
def test_every_real_package_is_read_whole(mirror, tmp_path):
    zips = sorted((mirror / item(f"model/{PYRAMIDAL}").path).parent.glob("*.zip"))
    assert len(zips) >= 100
    for path in zips:
        with zipfile.ZipFile(path) as archive:
            wanted = [n for n in archive.namelist() if not n.endswith((".py", ".sh"))]
            archive.extractall(tmp_path, wanted)
        package = read_package(tmp_path / path.stem)
        lines = (package.folder / "synapses/synapses.tsv").read_text().split("\n", 1)[0]
        assert len(package.synapses) == int(lines.split()[0])
        # 120, 130 and 140 % of the threshold current
        assert np.allclose(np.array(package.steps_nA) / package.steps_nA[0], [1, 13 / 12, 14 / 12])


@pytest.mark.real
def test_a_real_package_by_the_numbers_it_prints(real):
    package = real(PYRAMIDAL)
    assert (package.gid, package.hold_nA) == (12858, -0.247559)
    assert len(package.synapses) == 5863
    assert package.synapses["pre_cell"].nunique() == 1041
    assert package.synapses["excitatory"].sum() == 4257
    assert package.density("somatic", "gNaTs2_tbar", 0) == pytest.approx(0.983955)
    assert package.stochastic == ()
    assert real(STOCHASTIC).stochastic == ("StochKv",)
