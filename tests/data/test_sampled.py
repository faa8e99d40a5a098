"""The sample as a tree: unpacked once, the same everywhere, and said to be invented."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
import zipfile

import nmc
import pytest
from nmc import data as fetch
from nmc import names
from nmc.data import provenance, registry, sources, upkeep
from nmc.data.registry import item, items
from nmc.errors import ChecksumError, MissingFileError

MODEL = "model/L4_SS_cADpyr230_1"
LACKED = "model/L4_SS_cADpyr230_3"


@pytest.fixture(autouse=True)
def fresh_log(monkeypatch, sample_cache):
    monkeypatch.setenv("NMC_CACHE", str(sample_cache))
    monkeypatch.setattr(registry, "_log", {})


@pytest.fixture
def own(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_the_default_and_says_that_it_is_invented():
    record = fetch.fetch_record("sheet/layers")
    assert (record.origin, record.invented, record.trust) == ("sample", True, "sample")
    assert provenance.note() == "Data: synthetic sample, invented numbers"


def test_a_package_it_holds():
    first = fetch.fetch_record(MODEL)
    assert (first.trust, first.invented) == ("sample", True)
    folder = nmc.fetch_folder(MODEL)
    assert folder.name == MODEL.removeprefix("model/") and (folder / "template.hoc").is_file()


def test_a_package_it_lacks_is_an_error_that_names_those_it_has():
    assert not nmc.available(LACKED)
    for call in (nmc.fetch, lambda key: nmc.load_package(key.removeprefix("model/"))):
        with pytest.raises(MissingFileError, match="L4_SS_cADpyr230_1, "):
            call(LACKED)


def test_the_models_of_the_source_in_use(tmp_path, monkeypatch):
    held = nmc.available_models()
    assert held == tuple(m for m in nmc.model_names() if nmc.available(f"model/{m}"))
    assert {names.parse_model(m).etype for m in held} == set(names.ETYPES)
    assert {names.parse_model(m).layer for m in held} == set(names.LAYERS)
    place = tmp_path / item(LACKED).path
    place.parent.mkdir(parents=True)
    shutil.copy(nmc.fetch(MODEL), place)
    assert nmc.available_models(tmp_path) == (LACKED.removeprefix("model/"),)
    both = nmc.available_models([tmp_path, "sample"])
    assert set(both) == {*held, LACKED.removeprefix("model/")}
    assert nmc.available_models("portal") == nmc.model_names()
    monkeypatch.setenv("NMC_OFFLINE", "1")
    monkeypatch.setenv("NMC_CACHE", str(tmp_path / "empty"))
    assert nmc.available_models("portal") == ()


def test_a_group_is_no_file_of_the_sample():
    with pytest.raises(MissingFileError, match=nmc.available_models()[0]):
        nmc.fetch("models/group/L1_DAC_cNAC")


def test_every_file_is_the_one_listed_and_the_catalogue_finds_most(own):
    nmc.fetch("sheet/layers")
    root = sources.SampleTree().folder
    there = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.is_file()}
    del there["SHA256SUMS"]
    assert set(there) == set(registry.sample_files())
    for name, path in there.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest == registry.sample_files()[name]
    reached = {part for it in items().values() for part in it.paths if part in there}
    left = set(there) - reached
    assert all(name == "nmc-tree.json" or name.endswith(".html") for name in left), left


def test_packages_are_listed_by_their_content():
    left_out = {"run.py", "run_py.sh", "README", "VERSION", "CHANGELOG", ".provenance.json"}
    for model, digest in registry.sample_packages().items():
        with zipfile.ZipFile(nmc.fetch(f"model/{model}")) as archive:
            sha = {
                i.filename.partition("/")[2]: hashlib.sha256(archive.read(i)).hexdigest()
                for i in archive.infolist()
                if not i.is_dir()
            }
        text = "".join(f"{sha[name]}  {name}\n" for name in sorted(set(sha) - left_out))
        assert hashlib.sha256(text.encode()).hexdigest() == digest
        assert nmc.load_package(model).origin == "sample"


def test_a_file_that_was_altered_is_refused_and_comes_back_when_removed(own):
    path = nmc.fetch(MODEL)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ChecksumError, match=path.name):
        nmc.fetch(MODEL)
    path.unlink()
    assert nmc.fetch(MODEL).read_bytes() == content
    path.write_bytes(content[:-1])
    assert "removed" in {found.state for found in upkeep.verify_cache(repair=True)}
    assert nmc.fetch(MODEL).read_bytes() == content


def test_an_unpacking_that_is_killed_is_done_again(own):
    code = (
        "import os, tarfile\nwrite, written = tarfile.TarFile.makefile, []\n"
        "def some(self, *given):\n    written.append(write(self, *given))\n"
        "    if len(written) == 50:\n        os.kill(os.getpid(), 9)\n"
        "tarfile.TarFile.makefile = some\nimport nmc\nnmc.fetch('sheet/layers')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "NMC_CACHE": str(own)})
    assert done.returncode == -9
    assert nmc.data.local("sheet/layers") is None
    assert nmc.fetch("sheet/layers").is_file()


def test_processes_that_unpack_at_once_get_the_same(own):
    code = "import nmc\nprint(nmc.fetch('sheet/layers'))"
    env = {**os.environ, "NMC_CACHE": str(own)}
    several = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    places = {process.communicate(timeout=120)[0] for process in several}
    assert places == {f"{nmc.fetch('sheet/layers')}\n"}
    assert len(list((own / "sample").iterdir())) == 1


def test_it_is_unpacked_in_seconds(own):
    start = time.process_time()
    nmc.fetch("sheet/layers")
    assert time.process_time() - start < 5


@pytest.mark.parametrize("damage", [lambda b: b[:-5000], lambda b: b[:90000] + b[90001:]])
def test_a_damaged_archive_is_said_and_leaves_nothing(own, monkeypatch, damage):
    real = registry.sample_file

    class Damaged:
        def open(self, mode):
            return io.BytesIO(damage(real("sample.tar.xz").read_bytes()))

    monkeypatch.setattr(
        sources, "sample_file", lambda name: Damaged() if name.endswith("xz") else real(name)
    )
    with pytest.raises(ChecksumError, match="install nmc again"):
        nmc.fetch("sheet/layers")
    assert not list((own / "sample").iterdir())


def test_what_it_lacks_is_missing_not_invented():
    assert not nmc.available("connectome/connections_v2")
    with pytest.raises(MissingFileError, match="connections_v2"):
        nmc.fetch("connectome/connections_v2")


def test_a_copy_of_it_elsewhere_is_the_same_tree(tmp_path):
    root = sources.SampleTree().folder
    nmc.fetch("sheet/layers")
    shutil.copytree(root, tmp_path / "course", ignore=shutil.ignore_patterns("*.tar"))
    record = fetch.fetch_record("sheet/layers", source=tmp_path / "course")
    assert record.invented and record.origin == "sample"
    there = hashlib.sha256((root / item("sheet/layers").path).read_bytes()).hexdigest()
    assert record.sha256 == there


def test_it_is_not_at_hand_before_it_was_unpacked(own):
    assert nmc.data.local("sheet/layers") is None and not own.exists()
