"""No archive escapes, none exhausts memory, nothing half-unpacked stays."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nmc.data import archive
from nmc.data.archive import clash_key, safe_parts
from nmc.errors import ArchiveError

from .hostile import corpus

LIMITS = {"MOST_ENTRIES": 2000, "FREE_BYTES": 8 << 20, "RATIO": 50}


@pytest.fixture(scope="module", autouse=True)
def small_limits():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LIMITS.items():
            patch.setattr(archive, name, value)
        yield


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return list(corpus(tmp_path_factory.mktemp("hostile")))


def test_the_corpus_is_large(hostile):
    assert len(hostile) == len({name for name, _ in hostile}) >= 100


def test_every_hostile_archive_is_refused_and_leaves_nothing(hostile, tmp_path):
    room = tmp_path / "room"
    for name, path in hostile:
        with pytest.raises(ArchiveError) as caught:
            archive.unpack(path, room / "unpacked", nested=True)
        assert str(caught.value).startswith(str(path)), name
        assert not list(room.iterdir()), name
        assert [p.name for p in tmp_path.iterdir()] == ["room"], name
    assert not (tmp_path.parent / "escaped").exists()


def test_no_hostile_archive_exhausts_memory(hostile, tmp_path):
    """The whole corpus, in 60 MB of address space beyond what Python itself takes."""
    code = f"""
import resource, sys
from pathlib import Path
from nmc.data import archive
from nmc.errors import ArchiveError
vars(archive).update({LIMITS})
used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
for number, path in enumerate(sorted(Path(sys.argv[1]).glob('*.bin'))):
    try:
        archive.unpack(path, Path(sys.argv[2]) / str(number), nested=True)
    except ArchiveError:
        continue
    sys.exit(f'{{path}} was not refused')
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs /proc and RLIMIT_AS")
    command = [sys.executable, "-c", code, str(hostile[0][1].parent), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def test_a_sound_archive_is_unpacked_with_its_hashes(tmp_path):
    import hashlib

    members = {"top/a.txt": b"a" * 100, "top/folder/b": b"", "top/folder/c": bytes(range(256))}
    path = _zip(tmp_path / "x.zip", members)
    found = archive.unpack(path, tmp_path / "out")
    assert {name: entry["sha256"] for name, entry in found.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in members.items()
    }
    for name, content in members.items():
        assert (tmp_path / "out" / name).read_bytes() == content


def test_a_tar_named_zip_and_a_zip_in_a_tar(tmp_path):
    inner = _zip(tmp_path / "L1_DAC_cNAC187_1.zip", {"L1_DAC_cNAC187_1/template.hoc": b"x"})
    with tarfile.open(tmp_path / "L1_DAC:cNAC.zip", "w") as out:
        out.add(inner, "L1_DAC:cNAC/L1_DAC_cNAC187_1.zip")
    path = tmp_path / "L1_DAC:cNAC.zip"
    flat = archive.unpack(path, tmp_path / "flat")
    assert list(flat) == ["L1_DAC:cNAC/L1_DAC_cNAC187_1.zip"]
    deep = archive.unpack(path, tmp_path / "deep", nested=True)
    assert list(deep) == ["L1_DAC:cNAC/L1_DAC_cNAC187_1/template.hoc"]
    assert (tmp_path / "deep" / next(iter(deep))).read_bytes() == b"x"


def test_archives_deeper_than_the_limit_stay_archives(tmp_path):
    innermost = _zip(tmp_path / "c.zip", {"x": b"x"}).read_bytes()
    middle = _zip(tmp_path / "b.zip", {"c.zip": innermost}).read_bytes()
    path = _zip(tmp_path / "a.zip", {"b.zip": middle})
    assert list(archive.unpack(path, tmp_path / "out", nested=True)) == ["b/c.zip"]


def test_limits_hold_over_nested_archives(tmp_path, monkeypatch):
    inner = _zip(tmp_path / "inner.zip", {"zeros": b"\0" * 300_000}).read_bytes()
    path = _zip(tmp_path / "outer.zip", {f"{n}/inner.zip": inner for n in range(10)})
    monkeypatch.setattr(archive, "FREE_BYTES", 1_000_000)
    monkeypatch.setattr(archive, "RATIO", 1)
    with pytest.raises(ArchiveError, match="more than"):
        archive.unpack(path, tmp_path / "out", nested=True)
    assert not (tmp_path / "out").exists()


_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
_NAME = st.one_of(
    _TEXT,
    st.lists(st.sampled_from(["a", "B", "..", ".", "", "C:", "nul", "é", "x\\y", " "]),
             min_size=1, max_size=6).map("/".join),
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(_NAME, st.binary(max_size=20)), min_size=1, max_size=5), st.booleans())
def test_any_names_stay_inside_or_are_refused(tmp_path_factory, members, as_tar):
    room = tmp_path_factory.mktemp("any")
    out = io.BytesIO()
    try:
        _write(out, members, as_tar)
    except (ValueError, LookupError, struct.error):
        return  # no archive can hold such a name
    path = room / "archive"
    path.write_bytes(out.getvalue())
    try:
        found = archive.unpack(path, room / "out")
    except ArchiveError:
        assert [p.name for p in room.iterdir()] == ["archive"]
        return
    inside = {p.relative_to(room / "out").as_posix() for p in (room / "out").rglob("*")}
    assert set(found) <= inside and len({clash_key(safe_parts(n)) for n in inside}) == len(inside)
    assert not any(p.is_symlink() for p in room.rglob("*"))


@settings(max_examples=80, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 10_000), st.booleans())
def test_any_damage_is_refused_or_harmless(tmp_path_factory, noise, where, as_tar):
    room = tmp_path_factory.mktemp("noise")
    out = io.BytesIO()
    _write(out, [("top/a", b"a" * 300), ("top/b", bytes(range(200)))], as_tar)
    content = bytearray(out.getvalue())
    where %= len(content)
    content[where : where + len(noise)] = noise
    (room / "archive").write_bytes(content)
    try:
        found = archive.unpack(room / "archive", room / "out")
    except ArchiveError:
        assert [p.name for p in room.iterdir()] == ["archive"]
    else:
        assert all((room / "out" / name).is_file() for name in found)


def _write(out, members, as_tar):
    if as_tar:
        with tarfile.open(fileobj=out, mode="w") as made:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                made.addfile(info, io.BytesIO(content))
        return
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as made:
        warnings.simplefilter("ignore")
        for name, content in members:
            made.writestr(name, content)


@pytest.mark.parametrize("name", ["a", "a/b", "./a/b/", "L1_DAC:cNAC/x.zip", ".provenance.json"])
def test_plain_names_pass(name):
    assert safe_parts(name)
