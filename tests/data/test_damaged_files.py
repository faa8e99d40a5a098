"""Damaged lists, markers, sheets and archives by the thousand: an own error, or the right thing."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import zipfile

import pytest
from mutations import assert_linear, assert_survives
from nmc import data
from nmc.data import archive, files, provenance, upkeep
from nmc.data.registry import item
from nmc.data.web import WebTree

DIGEST = "0123456789abcdef" * 4


def packed(kind: str) -> bytes:
    out = io.BytesIO()
    members = {"top/VERSION": b"1.0.11 2015/10/07", "top/a/b.hoc": bytes(range(256)), "top/c": b""}
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in members.items():
                made.writestr(name, content)
    else:
        with tarfile.open(fileobj=out, mode=f"w:{kind}") as made:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                made.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_markers(memory_path, n_mutations):
    good = [b'{"origin": "sample", "invented": true}', b'{"origin": "portal", "invented": false}']
    counts = assert_survives(
        lambda path: files.parse_marker(path.read_bytes(), path),
        lambda marker: isinstance(marker.invented, bool) and isinstance(marker.origin, str),
        good, n_mutations, memory_path / "nmc-tree.json",
    )  # fmt: skip
    assert counts["refused"] > counts["read"] > 0


def test_lists_of_hashes(memory_path, n_mutations):
    good = f"{DIGEST}  assets/a.json\n{DIGEST} *b.zip\n".encode()
    counts = assert_survives(
        lambda path: files.parse_sums(path.read_bytes(), path),
        lambda sums: all(len(digest) == 64 and name for name, digest in sums.items()),
        [good], n_mutations, memory_path / "SHA256SUMS",
    )  # fmt: skip
    assert min(counts.values()) > 0


def test_sheets_whose_hash_nobody_knows(memory_path, n_mutations, cache):
    place = memory_path / item("sheet/circuit").path
    place.parent.mkdir(parents=True)
    good = json.dumps({"No. of neurons": 31346, "layers": {"L1": [1.5, None]}}).encode()
    assert_survives(
        lambda _: data.fetch_record("sheet/circuit", source=memory_path),
        lambda record: not record.confirmed and json.loads(record.path.read_bytes()) is not ...,
        [good], n_mutations, place,
    )  # fmt: skip


def test_notes_in_the_cache(memory_path, n_mutations, monkeypatch):
    """Whatever becomes of them, what is handed out is right, and no terms are taken as accepted."""
    monkeypatch.setenv("NMC_CACHE", str(memory_path / "cache"))
    package, place = memory_path / "a.zip", memory_path / "tree" / item("sheet/circuit").path
    package.write_bytes(packed("zip"))
    digest = files.sha256_of(package)
    listed = data.unpack_once(package, digest).parent / "members.json"

    def accept_folder(folder):
        return (folder / "top/a/b.hoc").read_bytes() == bytes(range(256))

    assert_survives(
        lambda _: data.unpack_once(package, digest), accept_folder,
        [listed.read_bytes()], n_mutations // 2, listed,
    )  # fmt: skip

    place.parent.mkdir(parents=True)
    place.write_text("{}")
    upkeep.import_(place)  # of which nobody knows whether it is the portal's
    tree, circuit = WebTree(), item("sheet/circuit")
    path = tree.folder / circuit.path
    first = tree.first_use_file(path)
    counts = assert_survives(
        lambda _: tree.verify(circuit, path), lambda record: not record.confirmed,
        [first.read_bytes()], n_mutations // 4, first,
    )  # fmt: skip
    assert min(counts.values()) > 0
    first.unlink()
    assert not tree.verify(circuit, path).confirmed

    provenance.record_acceptance()
    accepted = memory_path / "cache" / "terms-accepted.json"
    assert_survives(
        lambda _: provenance.acceptance(),
        lambda found: found is None or found["sha256"] == provenance.terms_sha256(),
        [accepted.read_bytes()], n_mutations // 4, accepted,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("html", b"<html><dl><dt>a</dt><dd class='factsheet-value'>1</dd></dl></html>"),
        ("json", b'{"a": [1, 2.5, null], "b": {"c": "d"}}'),
        ("gz", gzip.compress(b"1,2,3\n" * 50)),
    ],
    ids=["html", "json", "gz"],
)
def test_other_files_whose_hash_nobody_knows(memory_path, n_mutations, kind, good):
    counts = assert_survives(
        lambda path: archive.inspect(path, kind), lambda found: found == ("", ""),
        [good], n_mutations, memory_path / f"file.{kind}",
    )  # fmt: skip
    assert min(counts.values()) > 0


@pytest.mark.parametrize("kind", ["zip", "", "gz"])
def test_archives(memory_path, n_mutations, kind):
    """Inspected and unpacked alike, and never outside the folder."""

    def read(path):
        found = archive.inspect(path)
        target = memory_path / "out"
        try:
            return found, archive.unpack(path, target), {
                p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()
            }  # fmt: skip
        finally:
            shutil.rmtree(target, ignore_errors=True)
            assert [p.name for p in memory_path.iterdir()] == ["archive"]

    def accept(result):
        (digest, _), members, there = result
        return len(digest) == 64 and set(members) == there

    counts = assert_survives(read, accept, [packed(kind)], n_mutations, memory_path / "archive")
    assert counts["refused"] > 0


def test_lists_are_read_in_linear_time():
    assert_linear(
        lambda text: files.parse_sums(text, "list"),
        lambda n: b"".join(b"%064x  folder/%d\n" % (i, i) for i in range(n)), 5_000,
    )  # fmt: skip
    assert_linear(lambda text: archive.safe_parts(text), lambda n: "a/" * 15 + "b" * n, 10_000)
