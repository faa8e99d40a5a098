"""Servers that say odd or wrong things, and settings that are wrong: an error in time, or right."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import nmc
import pooch.core
import pytest
from nmc import data
from nmc.data import download, files, provenance, registry, sources, upkeep, web
from nmc.data.registry import item
from nmc.data.sources import NotInSource
from nmc.errors import CacheError, ChecksumError, DownloadError, SourceError

from .conftest import HASTY, parts, tree_at, with_known_hash
from .faulty_server import Site, serve

LOGIN = b"<html><form>Please log in to this network</form></html>"
ANOTHER = json.dumps({"another version": list(range(40_000))}).encode()


def cut_then_change(site, path, new):
    """Break the first answer off; from then on another version is served."""
    original = Site.struck

    def struck(asked):
        fault = original(site, asked)
        if asked == path and site.asked[path] > 1:
            site.files[path] = new
        return fault

    site.faults[path], site.fault_times, site.struck = "cut", 1, struck


# Resuming ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_changed_meanwhile_is_never_mixed(cache, site, sheet, content, etags):
    site.files[sheet.path], site.etags = content, etags
    cut_then_change(site, sheet.path, ANOTHER)
    assert tree_at(site).get(sheet).path.read_bytes() == ANOTHER


def test_what_cannot_be_told_apart_is_fetched_from_the_start(cache, site, sheet, content):
    site.files[sheet.path], site.etags = content, False
    site.faults[sheet.path], site.fault_times = "cut", 1
    assert tree_at(site).get(sheet).path.read_bytes() == content
    assert not site.ranges_asked


def test_a_known_hash_lets_a_transfer_go_on_without_an_etag(cache, site, sheet, content):
    site.files[sheet.path], site.etags = content, False
    site.faults[sheet.path], site.fault_times = "cut", 1
    assert tree_at(site).get(with_known_hash(sheet, content)).path.read_bytes() == content
    assert site.ranges_asked


@pytest.mark.parametrize(
    "header",
    ["bytes 5-1/9", "bytes x-y/z", "bytes 0-9/5", "", "items 1-2/3", "bytes ²-³/9", "bytes 1-2"],
)
def test_an_odd_content_range_begins_again(cache, site, sheet, content, header):
    site.files[sheet.path] = content
    faults = {1: "cut", 2: f"range {header}"}
    original = Site.struck

    def struck(path):
        original(site, path)
        return faults.get(site.asked[path], "") if path == sheet.path else ""

    site.struck = struck
    assert tree_at(site).get(sheet).path.read_bytes() == content


@pytest.mark.parametrize(
    "value",
    ["-5", "1e9", "nan", "soon", "", "²", "Fri, 31 Dec 9999 23:59:59 GMT", "99999999999999999999",
     "Mon, 99 Foo 2026 99:99:99", "1"],
)  # fmt: skip
def test_an_odd_retry_after_is_neither_an_error_nor_a_long_wait(
    cache, site, sheet, content, value, monkeypatch
):
    waited: list[float] = []
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=waited.append))
    site.files[sheet.path], site.faults[sheet.path] = content, "503"
    site.fault_times, site.headers = 1, {"Retry-After": value}
    assert tree_at(site).get(sheet).path.read_bytes() == content
    assert waited and all(0 <= seconds <= 10 for seconds in waited)


# Redirections ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("redirect nowhere", "does not say where"),
        ("redirect to http://[::1", "not valid"),
        ("redirect to http://host:99999/", "no address"),
        ("redirect to https://", "another host"),
    ],
)
def test_a_redirection_to_nowhere_is_an_error(cache, site, sheet, content, fault, words):
    site.files[sheet.path], site.faults[sheet.path] = content, fault
    with pytest.raises(NotInSource, match=words) as caught:
        tree_at(site).get(sheet)
    assert not caught.value.certain and not parts(cache)


def test_available_and_fetch_follow_the_same_redirections(cache, site, content):
    known, unknown = item("sheet/layers"), item("sheet/circuit")
    with serve(Site(files={known.path: content, unknown.path: content})) as other:
        site.elsewhere = other.base
        site.faults = dict.fromkeys((known.path, unknown.path), "redirect elsewhere")
        assert tree_at(site).serves(known)  # its hash decides
        assert not tree_at(site).serves(unknown)
        with pytest.raises(NotInSource, match="another host"):
            tree_at(site).get(unknown)
        site.faults[unknown.path] = "redirect nowhere"
        assert not tree_at(site).serves(unknown)


def test_a_synthetic_tree_has_no_hashes_that_would_tell_a_copy_elsewhere(cache, site, content):
    layers = item("sheet/layers")
    site.files["nmc-tree.json"] = b'{"origin": "course", "invented": true}'
    with serve(Site(files={layers.path: content})) as other:
        site.elsewhere, site.faults = other.base, {layers.path: "redirect elsewhere"}
        with pytest.raises(NotInSource, match="another host"):
            tree_at(site).get(layers)
        assert not tree_at(site).serves(layers)


# Time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [True, False])
def test_headers_at_a_byte_a_time_are_bounded_in_total(cache, site, sheet, content, ask):
    site.files[sheet.path], site.faults[sheet.path] = content, "slow headers"
    policy = download.Policy(attempts=2, connect_s=0.2, silence_s=0.3)
    start = time.monotonic()
    if ask:
        assert not tree_at(site, policy).serves(sheet)
    else:
        with pytest.raises(NotInSource, match="timed out"):
            tree_at(site, policy).get(sheet)
    assert time.monotonic() - start < 5


# Login pages -------------------------------------------------------------------------------------


def behind_a_login(site):
    """Answer every address with a login page, as a network does before one has paid."""
    kept = dict(site.files)
    for path in list(site.files) + [item("sheet/models").path]:
        site.files[path] = LOGIN
    return kept


def test_a_login_page_replaces_nothing_and_repair_removes_nothing(cache, site, content, capsys):
    circuit = item("sheet/circuit")
    site.files[circuit.path] = content
    listed = f"{files.hashlib.sha256(content).hexdigest()}  {circuit.path}\n".encode()
    site.files["SHA256SUMS"] = listed
    site.files["nmc-tree.json"] = b'{"origin": "course", "invented": false}'
    path = data.fetch("sheet/circuit", source=site.base)
    kept = behind_a_login(site)
    web._asked.clear()  # as another process would, behind the login page
    with pytest.raises(DownloadError, match=r"nmc-tree\.json"):
        data.fetch("sheet/models", source=site.base)
    assert {p.name: p.read_bytes() for p in cache.rglob("*") if p.name in kept} == {
        "SHA256SUMS": listed, "nmc-tree.json": kept["nmc-tree.json"],
    }  # fmt: skip
    assert data.fetch("sheet/circuit", source=site.base) == path
    assert {found.state for found in upkeep.verify_cache(repair=True)} == {"sound"}
    assert path.read_bytes() == content


def test_a_login_page_is_no_sheet(cache, site, sheet):
    site.files[sheet.path] = LOGIN
    with pytest.raises(ChecksumError, match="not a complete json file"):
        tree_at(site).get(sheet)
    assert not (tree_at(site).folder / sheet.path).exists()


def test_a_list_that_was_spoilt_in_the_cache_condemns_no_file(cache, site, content):
    """As older versions left it: repair removes the list and keeps what verifies."""
    circuit = item("sheet/circuit")
    site.files[circuit.path] = content
    path = data.fetch("sheet/circuit", source=site.base)
    (tree_at(site).folder / "SHA256SUMS").write_bytes(LOGIN)
    assert sorted(f.state for f in upkeep.verify_cache()) == ["damaged", "sound"]
    assert sorted(f.state for f in upkeep.verify_cache(repair=True)) == ["removed", "sound"]
    assert path.read_bytes() == content
    assert [f.state for f in upkeep.verify_cache()] == ["sound"]


def test_a_marker_that_was_spoilt_in_the_cache_condemns_no_file(cache, site, content):
    circuit, layers = item("sheet/circuit"), item("sheet/layers")
    site.files[circuit.path], site.files[layers.path] = content, b'{"invented": 1}'
    site.files["nmc-tree.json"] = b'{"origin": "course", "invented": true}'
    for key in ("sheet/circuit", "sheet/layers"):
        assert data.fetch_record(key, source=site.base).invented
    marker = tree_at(site).folder / "nmc-tree.json"
    marker.write_bytes(LOGIN)
    assert sorted(f.state for f in upkeep.verify_cache()) == ["damaged", "undecided", "undecided"]
    assert not [f for f in upkeep.verify_cache(repair=True) if f.state == "fetched again"]
    assert (tree_at(site).folder / layers.path).read_bytes() == b'{"invented": 1}'
    web._asked.clear()  # as the next process
    sources._seen.clear()
    site.files[item("sheet/models").path] = b"{}"
    assert data.fetch_record("sheet/models", source=site.base).invented
    assert {f.state for f in upkeep.verify_cache()} == {"sound"}


def test_a_changed_list_condemns_no_file_that_is_as_it_was_fetched(cache, site, content):
    circuit = item("sheet/circuit")
    site.files[circuit.path] = content
    path = data.fetch("sheet/circuit", source=site.base)
    (tree_at(site).folder / "SHA256SUMS").write_text(f"{'0' * 64}  {circuit.path}\n")
    assert [f.state for f in upkeep.verify_cache(repair=True)] == ["undecided"]
    assert path.read_bytes() == content
    path.write_bytes(content[:-1])
    assert [f.state for f in upkeep.verify_cache()] == ["damaged"]


@pytest.mark.real
def test_a_wrong_list_condemns_no_file_that_the_registry_knows(cache, site, mirror):
    layers = item("sheet/layers")
    site.files[layers.path] = (mirror / layers.path).read_bytes()
    path = data.fetch("sheet/layers", source=site.base)
    wrong = f"{'0' * 64}  {layers.path}\n"
    (tree_at(site).folder / "SHA256SUMS").write_text(wrong)
    assert [f.state for f in upkeep.verify_cache(repair=True)] == ["sound"]
    assert path.is_file()


# Credentials -------------------------------------------------------------------------------------


def test_credentials_are_sent_and_never_shown(cache, site, content, tmp_path, monkeypatch, caplog):
    circuit = item("sheet/circuit")
    site.files[circuit.path] = content
    address = site.base.replace("http://", "http://reader:s3cret@")
    monkeypatch.setenv("NMC_SOURCE", address)
    monkeypatch.setenv("NMC_FETCH_LOG", str(tmp_path / "log.jsonl"))
    nmc.fetch("sheet/circuit")
    assert any(user.startswith("Basic ") for user in site.users)
    shown = [provenance.note(), nmc.provenance().to_csv(), caplog.text]
    for key in ("sheet/models", "sheet/layers"):
        site.faults[item("sheet/layers").path] = "503"
        with pytest.raises((FileNotFoundError, DownloadError)) as caught:
            nmc.fetch(key)
        shown.append(str(caught.value))
    with pytest.raises(DownloadError) as caught:
        nmc.fetch("sheet/layers", source="http://reader:s3cret@127.0.0.1:9")
    shown.append(str(caught.value))
    with pytest.raises(SourceError) as caught:
        nmc.fetch("sheet/layers", source="ftp://reader:s3cret@host/tree")
    shown.append(str(caught.value))
    shown += [(tmp_path / "log.jsonl").read_text(), *map(str, cache.rglob("*"))]
    shown += [p.read_text(errors="replace") for p in cache.rglob("*") if p.is_file()]
    assert not [text for text in shown if "s3cret" in text or "reader:" in text]


def test_a_private_tree_is_repaired_with_the_credentials_of_the_source(
    cache, site, content, monkeypatch
):
    circuit = item("sheet/circuit")
    site.files[circuit.path] = content
    address = site.base.replace("http://", "http://reader:s3cret@")
    path = nmc.fetch("sheet/circuit", source=address)
    path.write_bytes(content[:-1])
    site.users.clear()
    monkeypatch.setenv("NMC_SOURCE", address)
    assert [f.state for f in upkeep.verify_cache(repair=True)] == ["fetched again"]
    assert all(user.startswith("Basic ") for user in site.users)


# Addresses and settings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["http://", "http://[::1", "http://host:99999", "https:///path", "http://host/a b",
     "http://host/tree?key=1", "http://host/tree#part", "http://host:port/"],
)  # fmt: skip
def test_an_odd_address_is_said(cache, address):
    with pytest.raises(SourceError, match="no address of a tree"):
        nmc.fetch("sheet/circuit", source=address)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "ALL_PROXY.*PySocks"),
        ("HTTP_PROXY", "http://127.0.0.1:9", "HTTP_PROXY"),
        ("HTTP_PROXY", "http://[nonsense", "HTTP_PROXY|address"),
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem", "REQUESTS_CA_BUNDLE is '/nowhere/ca.pem'"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE is '/nowhere/ca.pem'"),
    ],
)
def test_a_wrong_setting_of_the_network_is_named(
    cache, site, sheet, content, setting, value, words, monkeypatch
):
    for name in ("NO_PROXY", "HTTP_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(setting, value)
    site.files[sheet.path] = content
    with pytest.raises(NotInSource, match=words):
        tree_at(site, HASTY).get(sheet)


@pytest.mark.parametrize("setting", ["NMC_CACHE", "NMC_SOURCE", "NMC_FETCH_LOG"])
def test_a_user_that_does_not_exist_is_said(cache, tmp_path, setting, monkeypatch):
    tree = tmp_path / "tree"
    place = tree / item("sheet/circuit").path
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    monkeypatch.setenv("NMC_SOURCE", "sample" if setting == "NMC_CACHE" else str(tree))
    monkeypatch.setattr(registry, "_log", {})
    monkeypatch.setenv(setting, "~nosuchuser/nmc")
    with pytest.raises(SourceError, match="~nosuchuser/nmc.*no such user"):
        nmc.fetch("sheet/circuit")


def test_a_log_that_cannot_be_written_is_named(cache, tmp_path, monkeypatch):
    place = tmp_path / "tree" / item("sheet/circuit").path
    place.parent.mkdir(parents=True)
    place.write_text("{}")
    monkeypatch.setenv("NMC_FETCH_LOG", str(tmp_path))  # a folder
    with pytest.raises(CacheError, match="NMC_FETCH_LOG="):
        nmc.fetch("sheet/circuit", source=tmp_path / "tree")
