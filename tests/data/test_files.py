"""Files that are whole or absent, and hashes that are remembered rightly."""

from __future__ import annotations

import hashlib
import os

import pytest
from nmc.data import files
from nmc.errors import CacheError


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    target = tmp_path / "a"
    files.write_bytes(target, b"old")
    with pytest.raises(ZeroDivisionError), files.atomic_write(target) as temporary:
        temporary.write_bytes(b"new, half-writ")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_the_first_record_wins(tmp_path, monkeypatch, links):
    if not links:  # as on a file system that knows no hard links

        def refuse(*_):
            raise OSError("links are not supported")

        monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "records" / "a.json"
    assert files.write_json_once(target, {"first": 1})
    assert not files.write_json_once(target, {"first": 2})
    assert files.read_json(target) == {"first": 1}
    assert [p.name for p in target.parent.iterdir()] == ["a.json"]


def test_a_hash_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert files.sha256_of(path) == hashlib.sha256(b"one").hexdigest()
    with monkeypatch.context() as patched:
        patched.setattr(files, "compute_sha256", lambda *_, **__: pytest.fail("read again"))
        assert files.sha256_of(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert files.sha256_of(path) == hashlib.sha256(b"three").hexdigest()


def _write_twice(text, target):
    target.write_text(text * 2)


def test_what_is_made_in_the_cache_is_made_once_for_each_state_of_its_code(cache, monkeypatch):
    made = files.made_once("a.txt", "version 1", _write_twice, "x")
    assert made.read_text() == "xx"
    made_again = files.made_once("a.txt", "version 1", _write_twice, "y")  # not run again
    assert made_again == made and made.read_text() == "xx"
    made.write_text("altered")
    assert files.made_once("a.txt", "version 1", _write_twice, "x").read_text() == "xx"
    assert files.made_once("a.txt", "version 2", _write_twice, "y").read_text() == "yy"
    monkeypatch.setattr(files, "code_hash", lambda module: f"other code of {module}")
    assert files.made_once("a.txt", "version 1", _write_twice, "z").read_text() == "zz"


def test_new_files_can_be_read_by_others(tmp_path):
    files.write_bytes(tmp_path / "a", b"x")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask


def test_an_error_of_the_system_becomes_a_sentence(cache):
    with pytest.raises(CacheError, match=r"sheet/layers cannot be written.*NMC_CACHE"):
        with files.writing("sheet/layers"):
            raise OSError(28, "No space left on device")
