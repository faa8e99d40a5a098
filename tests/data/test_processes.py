"""Two at once, killed at any byte, a full disk, a cache that cannot be written: real processes."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from nmc import data
from nmc.data import files
from nmc.data.registry import item

from .conftest import parts, tree_at
from .faulty_server import Site

_FETCH = """
import sys
from nmc.data import download, web
from nmc.data.registry import item
policy = download.Policy(attempts=2, connect_s=5, silence_s=5)
tree = web.WebTree(sys.argv[1], policy)
print(tree.get(item("sheet/circuit"), progress=False).sha256, flush=True)
"""

#: Even root obeys a folder's mode once it gives up its capabilities.
_WITHOUT_POWERS = """
import ctypes, os
if os.getuid() == 0:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0
"""


def start(site: Site, before: str = "", **more) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(before) + _FETCH, site.base]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_processes_that_fetch_the_same_file_all_get_it(cache, site, sheet, content):
    site.files[sheet.path], site.faults[sheet.path] = content, "slow"
    running = [start(site) for _ in range(4)]
    done = [finish(process) for process in running]
    digest = hashlib.sha256(content).hexdigest()
    assert [(code, out.strip()) for code, out, _ in done] == [(0, digest)] * 4, done
    assert (tree_at(site).folder / sheet.path).read_bytes() == content
    assert not parts(cache)


def test_a_process_killed_at_any_byte_leaves_nothing_wrong(cache, site, sheet, content):
    site.files[sheet.path], site.faults[sheet.path] = content, "slow"
    target = tree_at(site).folder / sheet.path
    rng = random.Random(7)
    for _ in range(4):
        process = start(site)
        deadline = time.monotonic() + 20
        while site.asked[sheet.path] == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        finish(process)
        assert not target.exists() or target.read_bytes() == content
        site.asked.clear()
    assert tree_at(site).get(sheet).path.read_bytes() == content
    assert os.listdir(cache)


def test_what_a_killed_process_left_is_found_and_removed(cache, site, sheet, content):
    from nmc.data import upkeep

    site.files[sheet.path], site.faults[sheet.path] = content, "stall"
    process = start(site)
    target = tree_at(site).folder / sheet.path
    deadline = time.monotonic() + 20
    while not (left := parts(target.parent) if target.parent.is_dir() else []):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    finish(process)
    left = parts(target.parent)
    assert left and not target.exists()
    day_before = time.time() - 2 * 24 * 3600
    os.utime(left[0], (day_before, day_before))
    assert "left over" in [found.state for found in upkeep.verify_cache()]
    assert "removed" in [found.state for found in upkeep.verify_cache(repair=True)]
    assert not parts(target.parent)


def test_a_full_disk_is_said_and_leaves_nothing(cache, site, sheet, content):
    """A process that may write 50 kB to a file meets the same error as on a full disk."""
    site.files[sheet.path] = content
    limit = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    """
    code, out, err = finish(start(site, limit))
    assert code == 1 and "CacheError" in err and "cannot be written to the cache" in err
    assert "NMC_CACHE" in err and out == ""
    assert not parts(cache) and not (tree_at(site).folder / sheet.path).exists()
    assert finish(start(site))[0] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux capabilities")
def test_a_read_only_cache_serves_what_it_holds(cache, site, sheet, content):
    site.files[sheet.path] = content
    assert finish(start(site))[0] == 0
    for folder, _, _ in os.walk(cache):
        os.chmod(folder, 0o555)
    try:
        code, out, err = finish(start(site, _WITHOUT_POWERS))
        assert code == 0 and out.strip() == hashlib.sha256(content).hexdigest(), err
    finally:
        for folder, _, _ in os.walk(cache):
            os.chmod(folder, 0o755)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux capabilities")
def test_a_read_only_cache_without_the_file_is_said(cache, site, sheet, content):
    site.files[sheet.path] = content
    cache.mkdir()
    cache.chmod(0o555)
    code, out, err = finish(start(site, _WITHOUT_POWERS))
    assert code == 1 and "CacheError" in err and "NMC_CACHE" in err and out == ""
    assert not list(cache.iterdir())


def test_offline_in_a_process_opens_no_socket(cache, site, sheet, content):
    """The whole import and fetch, watched by Python's own audit of sockets."""
    watch = """
        import os, sys
        os.environ["NMC_OFFLINE"] = "1"
        def refuse(event, args):
            if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
                raise SystemExit(f"{event} {args}")
        sys.addaudithook(refuse)
    """
    site.files[sheet.path] = content
    assert finish(start(site))[0] == 0
    code, out, err = finish(start(site, watch))
    assert code == 0 and out.strip() == hashlib.sha256(content).hexdigest(), err
    assert site.asked[sheet.path] == 1


def test_the_source_is_read_when_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", f" {tmp_path} , sample")
    assert files.source_names() == (str(tmp_path), "sample")
    assert [tree.name for tree in data.trees()] == [tmp_path.name, "sample"]
    monkeypatch.delenv("NMC_SOURCE")
    assert files.source_names() == ("sample",)
    assert item("sheet/layers").key == "sheet/layers"
