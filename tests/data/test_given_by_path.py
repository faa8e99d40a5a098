"""What is given by its path is noted as what it is, by content: nothing invented reads as real."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import h5py
import nmc
import numpy as np
import pytest
from nmc import data
from nmc.connectome.export import to_parquet
from nmc.data import provenance, registry
from nmc.data.registry import Record
from nmc.factsheets.layers import load_layer_counts
from nmc.factsheets.sheets import read_bytes

MODEL, AVERAGE = "L1_HAC_cNAC187_1", "connectome/average/mc2"
INVENTED = "Data: synthetic sample, invented numbers"
UNKNOWN = "by content no known file of the portal or the sample"
REAL = Record("sheet/x", "mirror", "0" * 64, 1, False, "1.0.10", "catalogue", Path("x"))


def copied(path: Path, target: Path) -> Path:
    """A copy elsewhere; what was fetched to make it is forgotten."""
    copy = shutil.copytree if path.is_dir() else shutil.copyfile
    copy(path, target)
    registry._log.clear()
    return target


@pytest.fixture
def package(tmp_path) -> Path:
    return copied(nmc.fetch_folder(f"model/{MODEL}", source="sample"), tmp_path / MODEL)


@pytest.fixture
def column(tmp_path) -> Path:
    folder = nmc.fetch_folder(AVERAGE, source="sample")
    return copied(next(folder.rglob("*.h5")), tmp_path / "mine.h5")


def test_a_package_of_the_sample_is_noted_as_invented(package):
    assert nmc.load_package(package).invented
    assert provenance.note() == INVENTED and registry.invented()
    registry.remember(REAL)
    assert "synthetic sample" in provenance.note()


def test_a_package_of_ones_own_is_not_noted_as_the_portals(package):
    (package / "mechanisms" / "Ih.mod").write_text("mine")
    for path in [*package.glob("*.hoc"), package / "LICENSE", package / "README"]:
        if path.is_file():
            text = path.read_text().replace("synthetic me-type", "me-type")
            path.write_text(text.replace("This package is synthetic", "Mine"))
    assert not nmc.load_package(package).invented
    assert provenance.note() == f"Data: own package, {UNKNOWN}"


def test_a_connectome_of_the_sample_is_noted_as_invented(column, tmp_path):
    found = nmc.load_connectome(column, progress=False)
    assert found.invented and found.origin == "sample" and found.name == "mine"
    assert provenance.note() == INVENTED
    assert found.select(np.arange(found.n_neurons) < 9).invented
    to_parquet(found, tmp_path / "tables")
    assert nmc.from_parquet(tmp_path / "tables").invented
    registry.remember(REAL)
    assert "synthetic sample" in provenance.note()


def test_an_edited_connectome_of_the_sample_is_invented(column, tmp_path):
    with h5py.File(column, "r+") as edited:
        edited["populations/L1_DAC/locations"][0] += 1.0
    found = nmc.load_connectome(column, progress=False)
    assert found.invented and found.origin == "edited sample"
    assert provenance.note() == INVENTED


def test_a_connectome_of_ones_own_is_neither(tmp_path):
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as own:
        own["populations/L1_DAC/locations"] = np.arange(60.0).reshape(20, 3)
        own["connectivity/L1_DAC/L1_DAC/cMat"] = np.eye(20, k=1, dtype=np.uint8)
    registry._log.clear()
    found = nmc.load_connectome(path, progress=False)
    assert not found.invented and found.origin == "mine.h5"
    assert provenance.note() == f"Data: mine.h5, {UNKNOWN}"


@pytest.mark.parametrize("size", [1 << 20, 1 << 28])
def test_a_file_of_a_size_that_none_of_the_sample_has_is_not_read_for_that(
    size, tmp_path, monkeypatch
):
    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "large.h5"
    with path.open("wb") as stream:
        stream.truncate(size)
    tracemalloc.start()
    found = data.remember_path(path, "0" * 64, path.name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.origin == "large.h5" and not found.invented and peak < 1 << 20
    assert not (tmp_path / "cache").exists()  # nor is the sample unpacked for it


def test_an_edited_sheet_of_the_sample_is_invented(tmp_path):
    text = nmc.fetch("sheet/layers", source="sample").read_text()
    circuit = nmc.fetch("sheet/circuit", source="sample")
    path = tmp_path / "mine.json"
    for edited in (text.replace("1462", "1463"), text.replace("\n", "\r\n"), text + "\n" * 400):
        assert edited != text
        path.write_text(edited)
        registry._log.clear()
        nmc.load_layers(path, circuit=circuit)
        assert registry.records()[0].origin == "edited sample"
        assert provenance.note() == INVENTED


@pytest.mark.real
@pytest.mark.parametrize(
    "key", ["sheet/layers", "sheet/pathways_anatomy", "sheet/pathways_physiology"]
)
def test_an_edited_sheet_of_the_portal_is_said_to_be_unknown(tmp_path, mirror, key):
    path = tmp_path / "mine.json"
    path.write_bytes((mirror / nmc.data.registry.item(key).path).read_bytes() + b"\n\n\n")
    registry._log.clear()
    read_bytes(path)
    assert not registry.invented() and provenance.note() == f"Data: mine.json, {UNKNOWN}"


@pytest.mark.real
def test_an_edited_connectome_of_the_portal_is_said_to_be_unknown(tmp_path, mirror):
    path = tmp_path / "mine.h5"
    content = nmc.fetch("connectome/extract/mc2/L6_LBC", source=mirror).read_bytes()
    path.write_bytes(content + b"\0")
    registry._log.clear()
    assert not nmc.load_connectome(path, progress=False).invented
    assert provenance.note() == f"Data: mine.h5, {UNKNOWN}"


def test_the_file_of_a_fetched_connectome_keeps_its_record():
    by_key = nmc.load_connectome(AVERAGE, source="sample", progress=False)
    assert by_key.invented and by_key.origin == "sample"
    before = registry.records()
    (path,) = nmc.fetch_folder(AVERAGE, source="sample").rglob("*.h5")
    assert nmc.load_connectome(path, progress=False).invented
    assert registry.records() == before


def test_a_sheet_of_the_sample_is_noted_as_invented(tmp_path):
    path = copied(nmc.fetch("sheet/layers", source="sample"), tmp_path / "mine.json")
    nmc.load_layers(path, circuit=nmc.fetch("sheet/circuit", source="sample"))
    assert provenance.note() == INVENTED
    registry._log.clear()
    load_layer_counts(path)
    assert provenance.note() == INVENTED


@pytest.mark.real
def test_a_real_package_by_path_is_the_portals(mirror):
    path = nmc.fetch_folder("model/L4_NBC_cACint209_1", source=mirror)
    registry._log.clear()
    assert not nmc.load_package(path).invented
    assert provenance.note().startswith("Data: portal, NMC portal, release 1.0.1")


@pytest.mark.real
def test_a_real_connectome_by_path_keeps_what_was_fetched(mirror):
    key = "connectome/extract/mc2/L5_TTPC2"
    path = nmc.fetch(key, source=mirror)
    before = registry.records()
    found = nmc.load_connectome(path, progress=False)
    assert not found.invented and registry.records() == before
