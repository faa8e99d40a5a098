"""Every fault a server can have: nothing wrong is returned, nothing valid is lost."""

from __future__ import annotations

import io
import json
import sys

import pytest
from nmc import data as fetch
from nmc.data import download, web
from nmc.data.sources import NotInSource
from nmc.errors import (
    ChecksumError,
    DownloadError,
    MissingFileError,
    OfflineError,
    TermsError,
)

from .conftest import HASTY, parts, tree_at, with_known_hash
from .faulty_server import Site, serve


def test_a_file_is_fetched_once_and_trusted_on_first_use(cache, site, sheet, content):
    site.files[sheet.path] = content
    first = tree_at(site).get(sheet)
    again = tree_at(site).get(sheet)
    assert first.path.read_bytes() == content
    assert first.trust == again.trust == "first use"
    assert site.asked[sheet.path] == 1
    record = tree_at(site).first_use(first.path)
    assert record["sha256"] == first.sha256 and record["address"].startswith(site.base)
    assert not parts(cache)


def test_another_file_than_at_first_use_is_refused(cache, site, sheet, content):
    site.files[sheet.path] = content
    path = tree_at(site).get(sheet).path
    path.unlink()
    site.files[sheet.path] = b'{"something": "else"}'
    with pytest.raises(ChecksumError, match="sha256"):
        tree_at(site).get(sheet)
    assert not path.exists() and not parts(cache)


def test_a_known_hash_decides(cache, site, sheet, content):
    item = with_known_hash(sheet, content)
    site.files[item.path] = content[:-1] + b"!"
    with pytest.raises(ChecksumError, match="No address has a sound copy"):
        tree_at(site).get(item)
    site.files[item.path] = content
    assert tree_at(site).get(item).trust == "catalogue"
    assert not parts(cache)


@pytest.mark.parametrize(
    "fault", ["cut", "claims too long", "stall", "silent", "503", "500", "429"]
)
def test_a_passing_fault_is_retried(cache, site, sheet, content, fault):
    site.files[sheet.path], site.faults[sheet.path] = content, fault
    site.fault_times = 1
    assert tree_at(site).get(sheet).path.read_bytes() == content
    assert site.asked[sheet.path] in (2, 3)  # 3 where what was kept turned out not to fit


@pytest.mark.parametrize(
    "fault",
    ["cut", "no length, cut", "claims too long", "stall", "silent", "trickle", "503", "altered"],
)
def test_a_lasting_fault_gives_no_file(cache, site, sheet, content, fault):
    item = with_known_hash(sheet, content)
    site.files[item.path], site.faults[item.path] = content, fault
    with pytest.raises((NotInSource, ChecksumError), match=r"127\.0\.0\.1"):
        tree_at(site).get(item)
    assert not (tree_at(site).folder / item.path).exists()
    assert not parts(cache)


@pytest.mark.parametrize("fault", ["no length, cut", "claims too short", "altered"])
def test_a_damaged_file_of_unknown_hash_is_not_trusted(cache, site, sheet, content, fault):
    site.files[sheet.path], site.faults[sheet.path] = content, fault
    with pytest.raises((NotInSource, ChecksumError)):
        tree_at(site).get(sheet)
    assert not (tree_at(site).folder / sheet.path).exists()


def test_an_answer_that_never_ends_is_cut_off(cache, site, sheet, content):
    item = with_known_hash(sheet, content)
    site.files[item.path], site.faults[item.path] = content, "endless"
    with pytest.raises(NotInSource, match="more than"):
        tree_at(site).get(item)
    assert not parts(cache)


def test_an_answer_that_never_ends_is_cut_off_where_no_size_is_known(cache, site, sheet):
    """A sheet is read into memory whole: what is no sheet by its size is not even kept."""
    site.files[sheet.path], site.faults[sheet.path] = b"{}", "endless"
    with pytest.raises(NotInSource, match="more than the 67,108,864 bytes"):
        tree_at(site).get(sheet)
    assert not parts(cache)


@pytest.mark.parametrize("status", ["404", "403", "410"])
def test_what_is_not_there_is_asked_for_once(cache, site, sheet, status):
    site.faults[sheet.path] = status
    with pytest.raises(NotInSource) as caught:
        tree_at(site).get(sheet)
    assert caught.value.certain and site.asked[sheet.path] == 1
    assert f"{site.base}/{sheet.path}" in str(caught.value)


def test_a_lasting_503_backs_off_and_is_no_clean_miss(cache, site, sheet):
    site.faults[sheet.path] = "503"
    with pytest.raises(NotInSource) as caught:
        tree_at(site).get(sheet)
    assert not caught.value.certain and site.asked[sheet.path] == HASTY.attempts


def test_a_broken_transfer_goes_on_where_it_broke_off(cache, site, sheet, content):
    site.files[sheet.path], site.faults[sheet.path] = content, "cut"
    site.fault_times = 1
    assert tree_at(site).get(sheet).path.read_bytes() == content
    assert site.ranges_asked and site.ranges_asked[0] != "bytes=0-"


@pytest.mark.parametrize("way", ["refused", "wrong range"])
def test_a_server_without_ranges_is_read_from_the_start(cache, site, sheet, content, way):
    site.files[sheet.path], site.faults[sheet.path] = content, "cut"
    site.fault_times, site.ranges = 1, way != "refused"
    if way == "wrong range":
        original = Site.struck
        site.struck = lambda path: (
            original(site, path) or ("wrong range" if site.asked[path] == 2 else "")
        )
    assert tree_at(site).get(sheet).path.read_bytes() == content


def test_redirections(cache, site, sheet, content):
    site.files[sheet.path], site.faults[sheet.path] = content, "redirect here"
    assert tree_at(site).get(sheet).path.read_bytes() == content
    for fault, words in (("redirect to file", "not safe"), ("redirect for ever", "more than")):
        other = with_known_hash(sheet, b"{}")
        site.faults[other.path] = fault
        tree = tree_at(site)
        (tree.folder / other.path).unlink(missing_ok=True)
        with pytest.raises(NotInSource, match=words):
            tree.get(other)


def test_another_host_is_followed_only_where_a_hash_decides(cache, site, sheet, content):
    with serve(Site(files={sheet.path: content})) as other:
        site.faults[sheet.path], site.elsewhere = "redirect elsewhere", other.base
        with pytest.raises(NotInSource, match="another host"):
            tree_at(site).get(sheet)
        assert tree_at(site).get(with_known_hash(sheet, content)).path.read_bytes() == content


def test_the_next_mirror_is_tried(cache, sheet, content, monkeypatch):
    item = with_known_hash(sheet, content)
    bad, good = Site(), Site(files={item.path: content})
    bad.files[item.path], bad.faults[item.path] = content, "altered"
    with serve(bad), serve(good):
        tree = tree_at(bad)
        addresses = (f"{bad.base}/{item.path}", f"{good.base}/{item.path}")
        monkeypatch.setattr(tree, "addresses", lambda _: addresses)
        assert tree.get(item).path.read_bytes() == content
        assert bad.asked[item.path] >= 1 and good.asked[item.path] == 1


def test_a_host_that_is_down_is_not_waited_for_again(cache, sheet, monkeypatch):
    tree = web.WebTree("http://127.0.0.1:9", HASTY)  # the discard port: nobody listens
    web._asked[tree.folder] = ""
    with pytest.raises(NotInSource, match="127.0.0.1:9") as caught:
        tree.get(sheet)
    assert not caught.value.certain
    monkeypatch.setattr(download, "_open", None)  # would raise if it were called
    with pytest.raises(NotInSource, match="a moment ago"):
        tree.get(sheet)


def test_a_damaged_file_in_the_cache_is_fetched_again(cache, site, sheet, content):
    site.files[sheet.path] = content
    path = tree_at(site).get(sheet).path
    path.write_bytes(content[: len(content) // 2])
    assert tree_at(site).get(sheet).path.read_bytes() == content


def test_a_damaged_file_is_kept_out_when_offline(cache, site, sheet, content, monkeypatch):
    site.files[sheet.path] = content
    path = tree_at(site).get(sheet).path
    path.write_bytes(content[: len(content) // 2])
    monkeypatch.setenv("NMC_OFFLINE", "1")
    with pytest.raises(ChecksumError, match="altered or truncated"):
        tree_at(site).get(sheet)


def test_a_served_sample_says_that_it_is_invented(cache, site, sheet):
    layers = b'{"L1": {"No. of neurons per layer": 1}}'
    key = "sheet/layers"
    from nmc.data.registry import item

    site.files[item(key).path] = layers
    site.files["nmc-tree.json"] = b'{"origin": "sample", "invented": true}'
    found = tree_at(site).get(item(key))
    assert found.invented and found.path.read_bytes() == layers
    assert found.origin == site.base.removeprefix("http://")


def test_the_hashes_a_tree_lists_are_held_to(cache, site, sheet, content):
    site.files[sheet.path] = content
    site.files["SHA256SUMS"] = f"{'0' * 64}  {sheet.path}\n".encode()
    with pytest.raises(ChecksumError, match="0000"):
        tree_at(site).get(sheet)


def test_fetch_names_each_address_and_why(cache, site, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", site.base)
    with pytest.raises(MissingFileError, match="404") as caught:
        fetch.fetch("sheet/models")
    assert site.base in str(caught.value) and "RmpRiTau_summary.json" in str(caught.value)


def test_offline_opens_no_socket(cache, site, sheet, content, monkeypatch):
    import socket

    monkeypatch.setenv("NMC_SOURCE", site.base)
    site.files[sheet.path] = content
    path = fetch.fetch(sheet.key)
    monkeypatch.setenv("NMC_OFFLINE", "1")

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert fetch.fetch(sheet.key) == path
    assert fetch.available(sheet.key) and not fetch.available("sheet/models")
    with pytest.raises(OfflineError, match="NMC_OFFLINE"):
        fetch.fetch("sheet/models")
    assert issubclass(OfflineError, DownloadError)


def test_the_portal_needs_the_terms(cache, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", "portal")
    monkeypatch.setenv("NMC_OFFLINE", "1")
    with pytest.raises(TermsError, match="nmc terms"):
        fetch.fetch("sheet/layers")
    with pytest.raises(OfflineError):
        fetch.fetch("sheet/layers", accept_terms=True)
    with pytest.raises(OfflineError):  # accepted once for this cache
        fetch.fetch("sheet/layers")


def test_available_asks_with_head(cache, site, sheet, content, monkeypatch):
    monkeypatch.setenv("NMC_SOURCE", site.base)
    assert not fetch.available(sheet.key)
    site.files[sheet.path] = content
    assert fetch.available(sheet.key)
    assert site.asked[sheet.path] == 0
    site.faults[sheet.path] = "no HEAD"
    assert fetch.available(sheet.key)


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_goes_to_a_terminals_stderr_and_into_no_log(
    cache, site, sheet, capsys, monkeypatch
):
    site.files[sheet.path] = json.dumps("x" * 1_500_000).encode()
    tree_at(site).get(sheet, progress=True).path.unlink()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", _Terminal())
    tree_at(site).get(sheet, progress=True)
    assert "circuit_download" in sys.stderr.getvalue() and capsys.readouterr().out == ""
