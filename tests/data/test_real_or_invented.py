"""What is real and what is invented is decided by content; nothing invented passes for real."""

from __future__ import annotations

import hashlib
import json
import os

import nmc
import pytest
from nmc import data as fetch
from nmc.data import provenance, registry, sources, upkeep
from nmc.data.registry import item
from nmc.errors import DownloadError, NMCError, SourceError

CIRCUIT, LAYERS = item("sheet/circuit"), item("sheet/layers")
INVENTED = b'{"origin": "sample", "invented": true}'

#: What a marker may be without being one.
BROKEN = {
    "cut short": INVENTED[:20],
    "spoilt": b'{"invEnted":`true, "origiN": "sample"}',
    "empty": b"",
    "a list": b"[true]",
    "says nothing": b'{"origin": "sample"}',
    "a text for a truth value": b'{"origin": "portal", "invented": "no"}',
    "a login page": b"<html>Please log in</html>",
    "nested": b"[" * 100_000,
}


def put(root, path, content):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target


@pytest.fixture
def course(tmp_path):
    """A generated tree: invented sheets, one of a name whose real hash is known."""
    root = tmp_path / "course"
    put(root, CIRCUIT.path, b'{"invented": "circuit"}')
    put(root, LAYERS.path, b'{"invented": "layers"}')
    put(root, "nmc-tree.json", INVENTED)
    return root


@pytest.fixture
def served(site, course):
    """The same tree behind a server."""
    for path in course.rglob("*"):
        if path.is_file():
            site.files[path.relative_to(course).as_posix()] = path.read_bytes()
    return site


def never_real(key, source):
    """Fetch, and hold whatever comes back to the rule: an error, invented, or not confirmed."""
    try:
        record = fetch.fetch_record(key, source=source, progress=False)
    except NMCError as error:
        return error
    assert record.invented or not record.confirmed
    assert "NMC portal" not in provenance.note() and "non-commercial" not in provenance.note()
    return record


def as_sample(monkeypatch, content):
    monkeypatch.setattr(sources, "sample_sha256", lambda: {hashlib.sha256(content).hexdigest()})


def test_a_marked_tree_is_invented(cache, course):
    for key in ("sheet/circuit", "sheet/layers"):
        assert fetch.fetch_record(key, source=course).invented


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_marker_is_an_error(cache, course, kind):
    put(course, "nmc-tree.json", BROKEN[kind])
    for key in ("sheet/circuit", "sheet/layers"):
        error = never_real(key, course)
        assert isinstance(error, SourceError) and "nmc-tree.json" in str(error)


def test_the_marker_of_the_case_is_an_error(cache, course, mirror):
    put(course, "nmc-tree.json", (mirror.parent / "cases/nmc-tree-cut-short.json").read_bytes())
    assert isinstance(never_real("sheet/circuit", course), SourceError)


def test_a_marker_that_may_not_be_read_is_an_error(cache, course):
    marker = course / "nmc-tree.json"
    marker.unlink()
    marker.mkdir()  # what cannot be read as a file, for every user
    error = never_real("sheet/circuit", course)
    assert isinstance(error, SourceError) and "cannot be read" in str(error)


def test_a_marker_deleted_while_the_process_runs_is_an_error(cache, course):
    assert fetch.fetch_record("sheet/circuit", source=course).invented
    (course / "nmc-tree.json").unlink()
    error = never_real("sheet/circuit", course)
    assert isinstance(error, SourceError) and "is gone" in str(error)


def test_a_tree_without_a_marker_does_not_bear_the_portals_name(cache, course):
    (course / "nmc-tree.json").unlink()
    assert isinstance(never_real("sheet/layers", course), NMCError)  # its real hash is known
    record = never_real("sheet/circuit", course)
    assert not record.confirmed and record.origin == "course"
    assert provenance.note() == "Data: course, not confirmed as the portal's"


@pytest.mark.parametrize("marker", [None, b'{"origin": "portal", "invented": false}', b"{"])
def test_a_file_of_the_sample_is_invented_whatever_stands_beside_it(
    cache, course, monkeypatch, marker
):
    as_sample(monkeypatch, b'{"invented": "layers"}')
    (course / "nmc-tree.json").unlink()
    if marker is not None:
        put(course, "nmc-tree.json", marker)
    record = fetch.fetch_record("sheet/layers", source=course)
    assert (record.invented, record.origin, record.trust) == (True, "sample", "sample")
    assert provenance.note() == "Data: synthetic sample, invented numbers"


@pytest.mark.real
@pytest.mark.parametrize("marker", [None, INVENTED, b"{"])
def test_a_file_of_the_portal_is_real_whatever_stands_beside_it(cache, course, mirror, marker):
    put(course, LAYERS.path, (mirror / LAYERS.path).read_bytes())
    (course / "nmc-tree.json").unlink()
    if marker is not None:
        put(course, "nmc-tree.json", marker)
    record = fetch.fetch_record("sheet/layers", source=course)
    assert (record.invented, record.confirmed, record.trust) == (False, True, "catalogue")


def test_sample_files_are_not_imported_as_real_ones(cache, course, monkeypatch):
    as_sample(monkeypatch, b'{"invented": "circuit"}')
    (course / "nmc-tree.json").unlink()
    (course / LAYERS.path).unlink()
    with pytest.raises(SourceError, match="synthetic"):
        upkeep.import_(course)
    assert not list((cache / "web").rglob("*.json"))


def test_an_export_of_unmarked_files_does_not_vouch_for_them(cache, course, tmp_path):
    (course / "nmc-tree.json").unlink()
    (course / LAYERS.path).unlink()
    upkeep.export(tmp_path / "usb", source=course, progress=False)
    assert not never_real("sheet/circuit", tmp_path / "usb").confirmed


def test_a_served_tree_is_what_its_marker_says(cache, served):
    for key in ("sheet/circuit", "sheet/layers"):
        assert fetch.fetch_record(key, source=served.base, progress=False).invented


@pytest.mark.parametrize("status", ["401", "403", "500", "503"])
def test_a_marker_that_the_server_refuses_is_an_error(cache, served, status):
    served.faults["nmc-tree.json"] = status
    for key in ("sheet/circuit", "sheet/layers"):
        error = never_real(key, served.base)
        assert isinstance(error, NMCError) and "nmc-tree.json" in str(error)
        assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_marker_of_a_server_is_an_error_and_not_kept(cache, served, kind):
    served.files["nmc-tree.json"] = BROKEN[kind]
    error = never_real("sheet/circuit", served.base)
    assert isinstance(error, DownloadError) and "nmc-tree.json" in str(error)
    assert not list(cache.rglob("nmc-tree.json"))
    served.files["nmc-tree.json"] = INVENTED
    assert fetch.fetch_record("sheet/circuit", source=served.base, progress=False).invented


def test_a_marker_that_is_gone_from_the_server_still_counts(cache, served, monkeypatch):
    from nmc.data import web

    fetch.fetch_record("sheet/circuit", source=served.base, progress=False)
    del served.files["nmc-tree.json"]
    monkeypatch.setattr(web, "_asked", {})  # as another process would
    assert fetch.fetch_record("sheet/layers", source=served.base, progress=False).invented


def test_a_marker_deleted_from_the_cache_never_makes_it_real(cache, served):
    fetch.fetch_record("sheet/circuit", source=served.base, progress=False)
    for marker in cache.rglob("nmc-tree.json"):
        os.remove(marker)
    assert isinstance(never_real("sheet/circuit", served.base), SourceError)


def test_a_served_tree_without_a_marker_does_not_bear_the_portals_name(cache, served):
    del served.files["nmc-tree.json"]
    assert not never_real("sheet/circuit", served.base).confirmed
    assert isinstance(never_real("sheet/layers", served.base), NMCError)


def test_the_written_sample_is_invented_without_its_marker(sample_cache, monkeypatch):
    from nmc.data.sources import SampleTree

    monkeypatch.setenv("NMC_CACHE", str(sample_cache))
    monkeypatch.setattr(sources, "_seen", {})
    monkeypatch.setattr(registry, "_log", {})
    nmc.fetch("sheet/circuit", source="sample")
    marker = SampleTree().folder / "nmc-tree.json"
    content = marker.read_bytes()
    marker.unlink()
    try:
        assert fetch.fetch_record("sheet/circuit", source="sample").invented
        assert provenance.note() == "Data: synthetic sample, invented numbers"
    finally:
        marker.write_bytes(content)


def test_records_say_it_in_the_log_too(cache, course, tmp_path, monkeypatch):
    monkeypatch.setenv("NMC_FETCH_LOG", str(tmp_path / "log.jsonl"))
    nmc.fetch("sheet/circuit", source=course)
    entry = json.loads((tmp_path / "log.jsonl").read_text())
    assert entry["invented"] is True and entry["origin"] == "sample"
