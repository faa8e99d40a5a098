"""The sample as a tree: written once, the same everywhere, and said to be invented."""

from __future__ import annotations

import hashlib
import shutil

import nmc
import pytest
from nmc.data import fetch, provenance, sampled
from nmc.data.catalogue import item, items
from nmc.errors import ChecksumError

MODEL = "model/L4_SS_cADpyr230_3"  # none of those the sample writes at once


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch, sample_cache):
    monkeypatch.setenv("NMC_CACHE", str(sample_cache))
    monkeypatch.setattr(provenance, "_log", {})


def test_it_is_the_default_and_says_that_it_is_invented():
    record = fetch.fetch_record("sheet/layers")
    assert (record.origin, record.invented, record.trust) == ("sample", True, "tree")
    assert provenance.note() == "Data: synthetic sample, invented numbers"


def test_it_has_a_package_of_every_model_written_when_asked_for():
    assert all(nmc.available(key) for key in items() if key.startswith("model/"))
    first = fetch.fetch_record(MODEL)
    assert (first.trust, first.invented) == ("first use", True)
    folder = nmc.fetch_folder(MODEL)
    assert folder.name == MODEL.removeprefix("model/") and (folder / "template.hoc").is_file()


def test_it_has_the_archives_of_packages():
    assert nmc.available("models/all") and nmc.available("models/group/L23")
    found = nmc.fetch_folder("models/group/L1_DAC_cNAC")
    packages = {path.parent.name for path in found.rglob("template.hoc")}
    assert packages == {f"L1_DAC_cNAC187_{n}" for n in range(1, 6)}


def test_a_package_written_again_is_the_same():
    before = fetch.fetch_record(MODEL)
    before.path.unlink()
    assert fetch.fetch_record(MODEL).sha256 == before.sha256


def test_a_package_that_was_altered_is_refused():
    path = fetch.fetch_record(MODEL).path
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ChecksumError, match=path.name):
            nmc.fetch(MODEL)
    finally:
        path.write_bytes(content)


def test_what_it_lacks_is_missing_not_invented():
    assert not nmc.available("connectome/connections_v2")
    with pytest.raises(nmc.errors.MissingFileError, match="connections_v2"):
        nmc.fetch("connectome/connections_v2")


def test_a_copy_of_it_elsewhere_is_the_same_tree(tmp_path):
    root = sampled.SampleTree().folder()
    nmc.fetch("sheet/layers")
    shutil.copytree(root, tmp_path / "course", ignore=shutil.ignore_patterns("*.tar"))
    record = fetch.fetch_record("sheet/layers", source=tmp_path / "course")
    assert record.invented and record.origin == "sample"
    there = hashlib.sha256((root / item("sheet/layers").path).read_bytes()).hexdigest()
    assert record.sha256 == there


def test_it_is_not_at_hand_before_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv("NMC_CACHE", str(tmp_path))
    assert nmc.data.local("sheet/layers") is None and not list(tmp_path.iterdir())
