"""Damaged lists, markers, sheets and archives by the thousand: an own error, or the right thing."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile

import pytest
from mutations import assert_linear, assert_survives
from nmc import data
from nmc.data import archive, files
from nmc.data.registry import item

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

    counts = assert_survives(
        read, accept, [packed(kind)], n_mutations // 2, memory_path / "archive"
    )
    assert counts["refused"] > 0


def test_lists_are_read_in_linear_time():
    assert_linear(
        lambda text: files.parse_sums(text, "list"),
        lambda n: b"".join(b"%064x  folder/%d\n" % (i, i) for i in range(n)), 5_000,
    )  # fmt: skip
    assert_linear(lambda text: archive.safe_parts(text), lambda n: "a/" * 15 + "b" * n, 10_000)
