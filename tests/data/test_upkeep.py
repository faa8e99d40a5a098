"""The cache looked after: damage is found and mended; a cache travels as one folder."""

from __future__ import annotations

import os
import subprocess

import nmc
import pytest
from nmc.data import files, provenance, registry, sources, upkeep, web
from nmc.data.registry import item
from nmc.errors import ChecksumError, FormatError, SourceError, UnknownNameError

from .conftest import tree_at
from .test_fetch import _CIRCUIT, _MODELS, put, put_package


def states(findings) -> list[str]:
    return sorted(found.state for found in findings)


def test_a_sound_cache_is_sound(cache, site, sheet, content):
    site.files[sheet.path] = content
    tree_at(site).get(sheet)
    assert states(upkeep.verify_cache()) == ["sound"]


def test_damage_that_keeps_size_and_time_is_found_and_mended(cache, site, content):
    site.files[_CIRCUIT] = content
    path = nmc.fetch("sheet/circuit", source=site.base)
    stamp = path.stat()
    path.write_bytes(b"X" + content[1:])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert states(upkeep.verify_cache()) == ["damaged"]
    found = list(upkeep.verify_cache(repair=True))
    assert states(found) == ["fetched again"] and path.read_bytes() == content
    assert states(upkeep.verify_cache()) == ["sound"]


def test_damage_that_cannot_be_mended_is_removed(cache, site, content, monkeypatch):
    site.files[_CIRCUIT] = content
    path = nmc.fetch("sheet/circuit", source=site.base)
    path.write_bytes(content[:-1])
    monkeypatch.setenv("NMC_OFFLINE", "1")
    assert states(upkeep.verify_cache(repair=True)) == ["removed"]
    assert not path.exists() and states(upkeep.verify_cache()) == []


def test_another_copy_is_trusted_after_a_repair(cache, site, content):
    site.files[_CIRCUIT] = content
    nmc.fetch("sheet/circuit", source=site.base).unlink()
    site.files[_CIRCUIT] = b'{"another": "copy"}'
    with pytest.raises(ChecksumError, match="first use"):
        nmc.fetch("sheet/circuit", source=site.base)
    assert states(upkeep.verify_cache(repair=True)) == ["removed"]
    assert nmc.fetch("sheet/circuit", source=site.base).read_bytes() == b'{"another": "copy"}'


def test_unpacked_archives_are_read_member_by_member(cache, tmp_path):
    put_package(tmp_path, {"template.hoc": "begintemplate"})
    found = nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    stamp = (found / "template.hoc").stat()
    (found / "template.hoc").write_text("begintemplatE")
    os.utime(found / "template.hoc", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (damaged,) = upkeep.verify_cache()
    assert damaged.state == "damaged" and "template.hoc was altered" in damaged.why
    assert states(upkeep.verify_cache(repair=True)) == ["removed"]
    again = nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    assert (again / "template.hoc").read_text() == "begintemplate"


def test_an_export_is_a_source_and_can_be_imported(cache, tmp_path, monkeypatch):
    put(tmp_path / "tree", _CIRCUIT, b'{"from": "tree"}')
    put(tmp_path / "tree", _MODELS, b'{"from": "tree"}')
    done = upkeep.export(tmp_path / "usb", source=tmp_path / "tree", progress=False)
    assert sorted(done.written) == ["sheet/circuit", "sheet/models"]
    subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "usb", check=True)
    readme = (tmp_path / "usb/README.txt").read_text()
    assert "Swiss law" in readme and "10.1016/j.cell.2015.09.029" in readme

    assert nmc.fetch("sheet/circuit", source=tmp_path / "usb").is_relative_to(tmp_path / "usb")

    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "another machine"))
    monkeypatch.setenv("NMC_OFFLINE", "1")
    assert sorted(upkeep.import_(tmp_path / "usb").written) == ["sheet/circuit", "sheet/models"]
    provenance.record_acceptance()
    path = nmc.fetch("sheet/circuit", source="portal")
    assert path.read_bytes() == b'{"from": "tree"}' and "another machine" in str(path)
    assert states(upkeep.verify_cache()) == ["sound", "sound"]


def test_a_damaged_export_is_not_imported(cache, tmp_path):
    put(tmp_path / "tree", _CIRCUIT, b'{"from": "tree"}')
    upkeep.export(tmp_path / "usb", source=tmp_path / "tree", progress=False)
    put(tmp_path / "usb", _CIRCUIT, b'{"from": "tred"}')
    with pytest.raises(ChecksumError, match="circuit_download.json"):
        upkeep.import_(tmp_path / "usb")
    assert not (web.WebTree().folder / _CIRCUIT).exists()


def test_an_import_that_contradicts_the_first_use_is_refused(cache, tmp_path):
    put(tmp_path / "a", _CIRCUIT, b'{"from": "a"}')
    put(tmp_path / "b", _CIRCUIT, b'{"from": "b"}')
    upkeep.import_(tmp_path / "a")
    upkeep.import_(tmp_path / "a")
    with pytest.raises(ChecksumError, match="first use"):
        upkeep.import_(tmp_path / "b")
    kept = web.WebTree().folder / _CIRCUIT
    assert kept.read_bytes() == b'{"from": "a"}'


def test_real_and_synthetic_files_are_not_mixed(cache, tmp_path):
    put(tmp_path / "real", _CIRCUIT, b"{}")
    put(tmp_path / "fake", _MODELS, b"{}")
    put(tmp_path / "fake", files.MARKER, b'{"origin": "sample", "invented": true}')
    with pytest.raises(SourceError, match="mixes"):
        upkeep.export(tmp_path / "x", source=[tmp_path / "real", tmp_path / "fake"], progress=False)
    done = upkeep.export(tmp_path / "y", source=tmp_path / "fake", progress=False)
    assert sources.FolderTree(done.folder).marker.invented
    with pytest.raises(SourceError, match="synthetic"):
        upkeep.import_(done.folder)
    assert not (tmp_path / "x").exists()


def test_an_export_never_overwrites(cache, tmp_path):
    with pytest.raises(SourceError, match="exists already"):
        upkeep.export(tmp_path, progress=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="no file of the registry"):
        upkeep.import_(tmp_path / "empty")


def test_patterns():
    assert [entry.key for entry in registry.match(["sheet/layers"])] == ["sheet/layers"]
    assert len(registry.match(["sheet"])) == 5 and len(registry.match(["model/L5_TTPC?_*"])) == 10
    assert len(registry.match(["connectome/average", "connectome/average/mc2"])) == 7
    assert registry.match(["L1_SAC_cACint209_1"]) == [item("model/L1_SLAC_cACint209_1")]
    with pytest.raises(UnknownNameError, match="sheet/layers"):
        registry.match(["sheet/layer"])
