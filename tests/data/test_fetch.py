"""One way in: sources in order, origins that travel, nothing altered let through."""

from __future__ import annotations

import json
import zipfile

import matplotlib.pyplot as plt
import nmc
import pytest
from nmc import data as fetch
from nmc.data import archive, files, provenance
from nmc.errors import (
    ChecksumError,
    FormatError,
    MissingFileError,
    PackageError,
    SourceError,
)

_CIRCUIT = "assets/documents/static/Download/circuit_download.json"
_MODELS = "assets/documents/static/Download/RmpRiTau_summary.json"
_PACKAGE = "assets/documents/static/downloads-zip/L1_DAC_cNAC187_1.zip"


def put(root, path, content):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


def put_package(root, members, version="1.0.11 2015/10/07", top="L1_DAC_cNAC187_1"):
    target = put(root, _PACKAGE, b"")
    put(root, "nmc-tree.json", b'{"origin": "tests", "invented": true}')  # no package of the portal
    with zipfile.ZipFile(target, "w") as out:
        for name, content in {"VERSION": version, **members}.items():
            out.writestr(f"{top}/{name}", content)
    return target


@pytest.fixture
def first(tmp_path):
    put(tmp_path / "first", _CIRCUIT, b'{"from": "first"}')
    return tmp_path / "first"


@pytest.fixture
def second(tmp_path):
    put(tmp_path / "second", _CIRCUIT, b'{"from": "second"}')
    put(tmp_path / "second", _MODELS, b'{"from": "second"}')
    return tmp_path / "second"


def test_each_file_comes_from_the_first_tree_that_has_it(cache, first, second):
    source = [first, second]
    assert json.loads(nmc.fetch("sheet/circuit", source=source).read_text())["from"] == "first"
    assert json.loads(nmc.fetch("sheet/models", source=source).read_text())["from"] == "second"
    assert nmc.provenance()["origin"].to_dict() == {
        "sheet/circuit": "first", "sheet/models": "second",
    }  # fmt: skip
    assert nmc.fetch("sheet/circuit", source=f"{second},{first}").parent.is_relative_to(second)


def test_nothing_falls_back_to_a_tree_that_was_not_named(cache, first):
    with pytest.raises(MissingFileError) as caught:
        nmc.fetch("sheet/models", source=first)
    assert str(first / _MODELS) in str(caught.value) and "sample" not in str(caught.value)
    assert not nmc.available("sheet/models", first) and nmc.available("sheet/circuit", first)
    assert nmc.data.local("sheet/models", first) is None


def test_a_file_in_place_is_verified_against_its_trees_list(cache, first):
    files.write_sums(first)
    assert fetch.fetch_record("sheet/circuit", source=first).trust == "tree"
    put(first, _CIRCUIT, b'{"from": "elsewhere"}')
    with pytest.raises(ChecksumError, match="circuit_download.json"):
        nmc.fetch("sheet/circuit", source=first)


def test_a_known_file_that_was_altered_is_refused(cache, tmp_path):
    put(tmp_path, "assets/documents/static/Download/layer_download.json", b"{}")
    with pytest.raises(ChecksumError, match="altered or truncated"):
        nmc.fetch("sheet/layers", source=tmp_path)


def test_a_truncated_json_of_unknown_hash_is_refused(cache, tmp_path):
    put(tmp_path, _CIRCUIT, b'{"from": ')
    with pytest.raises(ChecksumError, match="not a complete json file"):
        nmc.fetch("sheet/circuit", source=tmp_path)


def test_a_file_is_checked_for_each_key_that_it_stands_under(cache, tmp_path):
    put(tmp_path, "nmc-tree.json", b'{"origin": "tests", "invented": true}')
    for key in ("sheet/circuit", "page/circuit"):
        put(tmp_path, nmc.data.registry.item(key).path, b"{}")
    nmc.fetch("sheet/circuit", source=tmp_path)
    with pytest.raises(ChecksumError, match="no markup"):
        nmc.fetch("page/circuit", source=tmp_path)


def test_a_synthetic_tree_says_so_wherever_it_lies(cache, tmp_path):
    put(tmp_path, "assets/documents/static/Download/layer_download.json", b"{}")
    put(tmp_path, "nmc-tree.json", b'{"origin": "sample", "invented": true}')
    record = fetch.fetch_record("sheet/layers", source=tmp_path)
    assert record.invented and record.origin == "sample"
    assert provenance.note() == "Data: synthetic sample, invented numbers"


def test_notes_say_what_is_real_and_what_is_not(cache, first, tmp_path):
    assert provenance.note() == ""
    nmc.fetch("sheet/circuit", source=first)
    assert provenance.note() == "Data: first, not confirmed as the portal's"
    put(tmp_path / "s", _MODELS, b"{}")
    put(tmp_path / "s", "nmc-tree.json", b'{"origin": "sample", "invented": true}')
    nmc.fetch("sheet/models", source=tmp_path / "s")
    assert provenance.note() == (
        "Data: partly synthetic sample, invented numbers; "
        "partly first, not confirmed as the portal's"
    )
    ax = plt.figure().add_subplot()
    provenance.stamp(ax)
    assert provenance.note() in [text.get_text().replace("\n", " ") for text in ax.figure.texts]
    plt.close(ax.figure)


def test_every_fetch_is_logged_once(cache, first, tmp_path, monkeypatch):
    log = tmp_path / "log" / "fetched.jsonl"
    monkeypatch.setenv("NMC_FETCH_LOG", str(log))
    nmc.fetch("sheet/circuit", source=first)
    nmc.fetch("sheet/circuit", source=first)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["key"] for entry in entries] == ["sheet/circuit"]
    assert entries[0]["origin"] == "first" and len(entries[0]["sha256"]) == 64


def test_a_source_that_is_none(cache):
    with pytest.raises(SourceError, match="nowhere"):
        nmc.fetch("sheet/circuit", source="nowhere")


def test_a_changed_file_is_read_again(cache, first):
    before = fetch.fetch_record("sheet/circuit", source=first).sha256
    put(first, _CIRCUIT, b'{"from": "another"}')
    assert fetch.fetch_record("sheet/circuit", source=first).sha256 != before


@pytest.mark.real
def test_a_package_is_known_by_its_content_whatever_its_packing(cache, tmp_path, mirror):
    """Packed anew: with other compression, and with the scripts of another release."""
    with zipfile.ZipFile(
        mirror / _PACKAGE.replace("L1_DAC_cNAC187_1", "L1_DLAC_cNAC187_4")
    ) as known:
        members = {name: known.read(name) for name in known.namelist() if name[-1] != "/"}
    target = put(tmp_path, _PACKAGE.replace("L1_DAC_cNAC187_1", "L1_DLAC_cNAC187_4"), b"")

    def pack(**changed):
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
            for name, content in members.items():
                out.writestr(name, changed.get(name.rpartition("/")[2], content))
        return fetch.fetch_record("model/L1_DLAC_cNAC187_4", source=tmp_path)

    record = pack(VERSION=b"1.0.11 2015/10/07", README=b"x")
    assert (record.release, record.trust, record.confirmed) == ("1.0.11", "catalogue", True)
    with pytest.raises(ChecksumError, match=r"altered.*by its path"):
        pack(**{"template.hoc": members["L1_DLAC_cNAC187_4/template.hoc"] + b"\n"})


def test_a_truncated_package_is_refused(cache, tmp_path):
    path = put_package(tmp_path, {"template.hoc": "x" * 1000})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ChecksumError, match="not a complete zip file"):
        nmc.fetch("model/L1_DAC_cNAC187_1", source=tmp_path)


def test_fetch_folder_gives_the_packages_own_folder(cache, tmp_path):
    put_package(tmp_path, {"template.hoc": "begintemplate"})
    found = nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    assert found.name == "L1_DAC_cNAC187_1"
    assert (found / "template.hoc").read_text() == "begintemplate"
    assert nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path) == found


def test_a_changed_member_is_unpacked_again(cache, tmp_path):
    put_package(tmp_path, {"template.hoc": "begintemplate"})
    found = nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    (found / "template.hoc").write_text("begintemplatE")
    again = nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    assert (again / "template.hoc").read_text() == "begintemplate"
    (again / "template.hoc").unlink()
    again = nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    assert (again / "template.hoc").is_file()
    assert not [p for p in (cache / "unpacked").iterdir() if p.name.startswith(".")]


def test_an_archive_of_two_packages_is_refused(cache, tmp_path):
    path = put_package(tmp_path, {"template.hoc": "x"})
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("another/template.hoc", "x")
    with pytest.raises(PackageError, match="holds 2 packages"):
        nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)


def test_a_hostile_package_is_refused_and_leaves_nothing(cache, tmp_path):
    path = put_package(tmp_path, {"template.hoc": "x"})
    with zipfile.ZipFile(path, "a") as out:
        out.writestr("L1_DAC_cNAC187_1/../../escaped", "x")
    with pytest.raises(ChecksumError, match="climbs"):
        nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path)
    assert not (cache / "unpacked").exists()


def test_a_single_file_has_no_folder(cache, first):
    with pytest.raises(FormatError, match=r"nmc\.fetch"):
        nmc.fetch_folder("sheet/circuit", source=first)


def test_two_archives_never_share_a_folder(cache, tmp_path):
    put_package(tmp_path / "a", {"template.hoc": "a"})
    put_package(tmp_path / "b", {"template.hoc": "b"})
    found = [nmc.fetch_folder("model/L1_DAC_cNAC187_1", source=tmp_path / t) for t in "ab"]
    assert [(f / "template.hoc").read_text() for f in found] == ["a", "b"]
    assert fetch.damage(found[0].parents[1]) == ""


@pytest.mark.real
def test_real_files_that_are_nowhere_are_named(mirror, cache):
    for key in ("sheet/circuit", "sheet/models", "neuroml/all", "connectome/average/mc0"):
        assert not nmc.available(key, mirror)
        with pytest.raises(MissingFileError) as caught:
            nmc.fetch(key, source=mirror)
        assert nmc.data.registry.item(key).path in str(caught.value)


@pytest.mark.real
def test_real_packages_of_both_releases(mirror, cache):
    import collections

    found = collections.Counter()
    for name in nmc.model_names():
        if nmc.available(f"model/{name}", mirror):
            record = fetch.fetch_record(f"model/{name}", source=mirror)
            found[record.release, record.trust] += 1
    assert found == {
        ("1.0.10", "catalogue"): 89,
        ("1.0.11", "catalogue"): 16,
    }


@pytest.mark.real
def test_real_archives_unpack(mirror, cache):
    package = nmc.fetch_folder("model/L5_TTPC1_cADpyr232_1", source=mirror)
    assert {"template.hoc", "mechanisms", "morphology", "synapses"} <= {
        path.name for path in package.iterdir()
    }
    pages = nmc.fetch_folder("page/pathways", source=mirror)
    assert sum(1 for _ in pages.rglob("*.html")) == 5060
    assert (nmc.fetch_folder("neuroml/subset", source=mirror)).is_dir()


@pytest.mark.real
def test_the_full_archives_zips_unpack_too(mirror, tmp_path):

    tar = mirror / "derived/hoc_combos_syn.1_0_10.allzips.subset.tar"
    members = archive.unpack(tar, tmp_path / "out", nested=True)
    folders = {name.split("/")[1] for name in members}
    assert len(folders) == 8 and folders <= set(nmc.model_names())
    assert all(f"hoc_combos_syn.1_0_10.allzips/{f}/template.hoc" in members for f in folders)
