"""The shape of a cell beside its channels: barcodes, and one tree with another's channels."""

from __future__ import annotations

import subprocess
import sys

import nmc
import numpy as np
import pytest
from nmc.cells.package import read_package
from nmc.data.registry import content_digest, file_hashes
from nmc.errors import MissingLibraryError, PackageError, TrustError

from .conftest import PYRAMIDAL, SMALL, STOCHASTIC
from .test_morphometrics import BY_HAND

TREE, CHANNELS = "L5_MC_bAC217_1", SMALL


@pytest.fixture(scope="module")
def swapped():
    return nmc.swap_biophysics(TREE, CHANNELS)


def test_a_barcode_by_hand(copy):
    """The axon goes 30 µm, then 10 µm without a branch, then in two of 10 and of 20 µm."""
    package = read_package(copy)
    package.morphology.write_text(BY_HAND)
    (copy / "synapses/synapses.tsv").unlink()  # they stand on the old tree
    bars = nmc.compute_barcode(read_package(copy), ["axon"])
    assert bars[["start_um", "end_um"]].to_numpy().tolist() == [[0.0, 60.0], [40.0, 50.0]]
    assert set(bars["neurite"]) == {"axon"}


@pytest.mark.parametrize("model", [SMALL, PYRAMIDAL, TREE])
def test_a_barcode_has_a_bar_a_tip_and_all_of_the_length(model):
    """What NeuroM measures of the same file: tips, length, the longest path."""
    measured = nmc.compute_morphometrics(model)
    bars = nmc.compute_barcode(model).groupby("neurite")
    for neurite, rows in bars:
        truth = measured.loc[neurite]
        assert len(rows) == truth["tips"] and (rows["start_um"] == 0).sum() == truth["stems"]
        assert rows["length_um"].sum() == pytest.approx(truth["length_um"], rel=1e-5)
        assert rows["end_um"].max() == pytest.approx(truth["max_path_um"], rel=1e-5)


def test_without_the_library_there_is_one_clear_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "tmd.Topology.methods", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'nmc\[analysis\]'"):
        nmc.compute_barcode(SMALL)


def test_the_result_is_a_package_of_its_own_that_says_what_it_was_made_from(swapped):
    tree, giver = nmc.load_package(TREE), nmc.load_package(CHANNELS)
    assert swapped.biophysics.equals(giver.biophysics)
    assert np.array_equal(swapped.reconstruction.points, tree.reconstruction.points)
    assert swapped.synapses.equals(tree.synapses) and swapped.gid == tree.gid
    assert swapped.name == f"{TREE}+cNAC187" and swapped.model is None
    assert (swapped.mtype, swapped.etype) == ("L5_MC", "cNAC")
    assert TREE in swapped.origin and CHANNELS in swapped.origin
    assert swapped.invented and swapped.trusted
    own = content_digest(file_hashes(swapped.folder))
    assert swapped.content_sha256 == own
    assert own not in (tree.content_sha256, giver.content_sha256)
    assert set(swapped.needed_mods()) == set(giver.needed_mods())
    assert nmc.swap_biophysics(TREE, CHANNELS).content_sha256 == own


def test_the_same_channels_give_the_same_package():
    assert nmc.swap_biophysics(TREE, "L6_NBC_bAC217_1").content_sha256 == (
        nmc.load_package(TREE).content_sha256
    )


def test_what_was_made_runs_only_where_both_are_trusted(copy, swapped):
    with pytest.raises(TrustError):
        nmc.simulate_rest(nmc.load_package(swapped.folder))  # loaded by its path: anybody's
    (copy / "biophysics.hoc").write_text((copy / "biophysics.hoc").read_text() + "\n")
    for pair in ((TREE, copy), (copy, TREE)):
        assert not nmc.swap_biophysics(*pair).trusted
        with pytest.raises(TrustError):
            nmc.simulate_rest(nmc.swap_biophysics(*pair))
        assert nmc.swap_biophysics(*pair, trust=True).trusted


@pytest.mark.parametrize("pair", [(TREE, STOCHASTIC), (STOCHASTIC, TREE)])
def test_generators_of_random_channels_are_not_made_up(pair):
    with pytest.raises(PackageError, match=f"only {STOCHASTIC} has random channels"):
        nmc.swap_biophysics(*pair)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("constants.hoc", "celsius = 34", "celsius = 23", "made for 23 °C, not 34"),
        ("biophysics.hoc", "forsec $o1.basal", "forsec $o1.somatic", "leave out its basal"),
    ],
)
def test_channels_that_do_not_fit_are_refused(copy, file, old, new, told):
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    with pytest.raises(PackageError, match=told):
        nmc.swap_biophysics(TREE, copy, trust=True)


@pytest.mark.parametrize(("place", "file"), [(0, "template.hoc"), (1, "biophysics.hoc")])
def test_files_that_changed_after_loading_are_refused(copy, place, file):
    pair = [nmc.load_package(TREE)]
    pair.insert(place, read_package(copy))
    (copy / file).write_text((copy / file).read_text() + "\n")
    with pytest.raises(PackageError, match="changed after the package was loaded"):
        nmc.swap_biophysics(*pair, trust=True)


_ASK = f"""
import numpy as np, nmc
from nmc.cells.segments import density_parameters
cell = nmc.load_cell(nmc.swap_biophysics({TREE!r}, {CHANNELS!r}))
giver = nmc.load_package({CHANNELS!r})
arrays = {{"somatic": "soma", "basal": "dend", "apical": "apic", "axonal": "axon"}}
seen = 0
for row in density_parameters(giver).itertuples():
    for name, section in cell.sections.items():
        if name.split("[")[0] != arrays[row.section_list]:
            continue
        for segment in section:
            found = getattr(segment, f"{{row.parameter}}_{{row.channel}}")
            wanted = giver.density(row.section_list, row.parameter, cell.distance(segment))
            assert abs(found - wanted) <= 1e-9 + 1e-6 * abs(wanted), (name, row, found, wanted)
            seen += 1
own = {{m for section in cell.sections.values() for m in section.psection()["density_mechs"]}}
assert own == {{m for found in giver.mechanisms.values() for m in found}}, own
assert seen > 300 and len(cell.sections) == 1 + 2 + {{counts}}
"""


@pytest.mark.neuron
def test_neuron_has_the_densities_of_the_one_on_the_tree_of_the_other():
    counts = nmc.load_package(TREE).reconstruction.count()
    code = _ASK.replace("{counts}", str(counts["dend"] + counts["apic"]))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.real
@pytest.mark.neuron
def test_real_twins_of_shape_change_places(mirror, monkeypatch):
    """Two packages of one reconstruction: swapping makes the other, up to the draws of its gid."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    one, other = "L5_DBC_bSTUT213_4", "L5_DBC_cIR216_5"
    packages = [nmc.load_package(name) for name in (one, other)]
    assert packages[0].morphology.stem == packages[1].morphology.stem
    made = nmc.swap_biophysics(*packages)
    assert made.biophysics.equals(packages[1].biophysics)
    rests = [nmc.simulate_rest(p).attrs for p in (made, packages[1], packages[0])]
    column = "resting_membrane_potential_mV"
    assert rests[0][column] == pytest.approx(rests[1][column], abs=0.3)  # other seeds move it so
    assert abs(rests[0][column] - rests[2][column]) > 1
