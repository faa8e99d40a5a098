"""A folder of downloads is a source: files by their own names, packages unpacked or in one tar."""

from __future__ import annotations

import os
import shutil
import zipfile

import nmc
import pytest
from nmc import data
from nmc.data import files, provenance, upkeep
from nmc.data.registry import by_file_name, item, items
from nmc.data.sources import FolderTree
from nmc.errors import ChecksumError, FormatError, MissingFileError, SourceError

pytestmark = pytest.mark.real
MODEL = "L1_DLAC_cNAC187_4"
ZIP = f"assets/documents/static/downloads-zip/{MODEL}.zip"


@pytest.fixture
def heap(tmp_path, mirror, cache):
    """What a reader has in a folder after some years."""
    root = tmp_path / "Downloads"
    (root / "old" / "cells").mkdir(parents=True)
    shutil.copy(mirror / item("sheet/layers").path, root)
    shutil.copy(mirror / item("sheet/pathways_anatomy").path, root / "old")
    shutil.copy(mirror / item("connectome/extract/mc2/L6_LBC").path, root / "old")
    with zipfile.ZipFile(mirror / ZIP) as package:
        package.extractall(root / "old" / "cells")
    shutil.copy(mirror / ZIP.replace("L1_DLAC_cNAC187_4", "L1_HAC_bNAC219_3"), root)
    return root


def test_what_lies_anywhere_in_the_folder_is_found_and_known(heap):
    keys = ["sheet/layers", "sheet/pathways_anatomy", "connectome/extract/mc2/L6_LBC",
            f"model/{MODEL}", "model/L1_HAC_bNAC219_3"]  # fmt: skip
    assert [key for key in items() if nmc.available(key, heap)] == keys[:2] + keys[3:] + keys[2:3]
    for key in keys:
        record = data.fetch_record(key, source=heap)
        assert (record.invented, record.confirmed, record.trust) == (False, True, "catalogue"), key
    assert nmc.available_models(heap) == (MODEL, "L1_HAC_bNAC219_3")
    assert provenance.note() == (
        "Data: Downloads, NMC portal, release 1.0.10, non-commercial terms"
    )


def test_an_unpacked_package_is_the_package(heap, mirror):
    own = nmc.fetch_folder(f"model/{MODEL}", source=heap)
    true = nmc.fetch_folder(f"model/{MODEL}", source=mirror)
    both = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
            for f in (own, true)]  # fmt: skip
    assert both[0] == both[1] and own.name == true.name == MODEL
    assert nmc.fetch_folder(f"model/{MODEL}", source=heap / "old" / "cells" / MODEL).name == MODEL


def test_an_edited_package_is_refused_by_its_models_name(heap):
    path = heap / "old/cells" / MODEL / "template.hoc"
    data.fetch_record(f"model/{MODEL}", source=heap)
    path.write_text(path.read_text() + "\n// edited\n")
    with pytest.raises(ChecksumError, match="by its path"):
        nmc.fetch(f"model/{MODEL}", source=heap)


def test_what_lies_there_twice_is_not_chosen_from(heap):
    shutil.copy(heap / "layer_download.json", heap / "old")
    with pytest.raises(MissingFileError, match="2 files of that name"):
        nmc.fetch("sheet/layers", source=heap)


def test_the_portals_own_path_comes_first(heap):
    place = heap / item("sheet/layers").path
    place.parent.mkdir(parents=True)
    shutil.move(heap / "layer_download.json", place)
    (heap / "layer_download.json").write_text("{}")
    assert nmc.fetch("sheet/layers", source=heap) == place


def test_a_file_that_is_added_or_removed_is_noticed(heap):
    assert nmc.available("sheet/layers", heap)
    os.rename(heap / "layer_download.json", heap / "old/cells/layer_download.json")
    assert nmc.fetch("sheet/layers", source=heap).parent.name == "cells"
    (heap / "old/cells/layer_download.json").unlink()
    assert not nmc.available("sheet/layers", heap)


def test_hidden_folders_and_names_that_several_files_have_are_left_alone(heap, mirror):
    (heap / ".trash").mkdir()
    shutil.move(heap / "layer_download.json", heap / ".trash")
    assert not nmc.available("sheet/layers", heap)
    assert "index.html" not in by_file_name() and "L1.html" not in by_file_name()


def test_an_unpacked_connectome_is_read_by_its_key(heap, mirror):
    import numpy as np

    place = heap / "cons_locs_pathways_mc2_Column.h5"
    shutil.copy(mirror / item("connectome/extract/mc2/L6_LBC").path, place)
    own = nmc.load_connectome("connectome/average/mc2", source=heap, progress=False)
    known = nmc.load_connectome("connectome/extract/mc2/L6_LBC", source=heap, progress=False)
    assert np.array_equal(own.adjacency.indices, known.adjacency.indices)
    assert not data.fetch_record("connectome/average/mc2", source=heap).confirmed


def test_files_are_imported_one_by_one_or_by_the_folder(heap, tmp_path, monkeypatch):
    several = [heap / "layer_download.json", heap / "old/cells" / MODEL]
    done = upkeep.import_(*several)
    assert sorted(done.written) == [f"model/{MODEL}", "sheet/layers"]
    monkeypatch.setenv("NMC_OFFLINE", "1")
    provenance.record_acceptance()
    for key in done.written:
        record = data.fetch_record(key, source="portal")
        assert record.path.is_relative_to(files.cache_folder()) and record.confirmed
    assert (nmc.fetch_folder(f"model/{MODEL}", source="portal") / "template.hoc").is_file()
    every = upkeep.import_(heap)
    assert "sheet/pathways_anatomy" in every.written
    assert list(every.left_out) == ["connectome/extract/mc2/L6_LBC"]
    assert {found.state for found in upkeep.verify_cache()} == {"sound"}


@pytest.mark.parametrize("around", ["", "Downloads/", "a/b/"])
def test_a_package_packed_again_within_other_folders_is_imported(heap, mirror, tmp_path, around):
    path = tmp_path / f"{MODEL}.zip"
    with zipfile.ZipFile(mirror / ZIP) as portals, zipfile.ZipFile(path, "w") as own:
        for info in portals.infolist():
            own.writestr(f"{around}{info.filename}", portals.read(info))
        own.writestr(f"__MACOSX/{MODEL}/template.hoc", "of a Mac")
    assert upkeep.import_(path).written == (f"model/{MODEL}",)
    provenance.record_acceptance()
    assert data.fetch_record(f"model/{MODEL}", source="portal").release == "1.0.10"
    assert nmc.fetch_folder(f"model/{MODEL}", source="portal").name == MODEL


@pytest.mark.parametrize("numbered", ["{} (1){}", "{}(2){}", "{} (10){}"])
def test_the_number_that_a_browser_gives_a_second_download_does_not_count(heap, numbered):
    for first in (heap / "layer_download.json", heap / "L1_HAC_bNAC219_3.zip"):
        second = heap / numbered.format(first.stem, first.suffix)
        shutil.copy(first, second)
        (key,) = upkeep.import_(second).written  # beside the first, yet by its path
        first.unlink()
        assert data.fetch_record(key, source=heap).path == second


def test_an_import_of_what_nobody_knows_does_not_become_the_portals(heap, monkeypatch):
    (heap / "circuit_download.json").write_text('{"No. of neurons": 1}')
    upkeep.import_(heap / "circuit_download.json")
    monkeypatch.setenv("NMC_OFFLINE", "1")
    provenance.record_acceptance()
    assert not data.fetch_record("sheet/circuit", source="portal").confirmed
    assert "NMC portal" not in provenance.note()


def test_an_import_of_nothing_known_is_said(heap):
    (heap / "notes.txt").write_text("x")
    with pytest.raises(FormatError, match=r"notes\.txt"):
        upkeep.import_(heap / "notes.txt")
    with pytest.raises(SourceError, match="does not exist"):
        upkeep.import_(heap / "nowhere.zip")


def test_verify_reads_the_folder_as_fetch_does(heap):
    (heap / "old/cells" / MODEL / "biophysics.hoc").write_text("edited")
    found = {entry.key: entry.state for entry in upkeep.verify_tree(FolderTree(heap))}
    assert found.pop(f"model/{MODEL}") == "damaged"
    assert len(found) == 4 and set(found.values()) == {"sound"}


def test_packages_of_the_archive_of_all_models_are_found_where_it_is_unpacked(heap, mirror):
    box = item("models/all").path.rpartition("/")[2]
    shutil.copy(mirror / "derived/hoc_combos_syn.1_0_10.allzips.subset.tar", heap / "old" / box)
    unpacked = nmc.fetch_folder("models/all", source=heap)
    models = nmc.available_models(unpacked)
    assert len(models) == 8
    record = data.fetch_record(f"model/{models[-1]}", source=unpacked)
    assert record.confirmed and record.path.parent.parent.name == "made"
    record.path.write_bytes(b"damaged")
    assert data.fetch_record(f"model/{models[-1]}", source=unpacked).sha256 == record.sha256
