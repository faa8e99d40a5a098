"""What the tests of the data room share: a cache of each test's own, a server, a patient policy."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import pooch.core
import pytest
from nmc.data import download, registry, sources, web

from .faulty_server import Site, serve

#: Quick to give up, so that the tests are quick.
HASTY = download.Policy(attempts=3, connect_s=2, silence_s=0.4, slow_bytes_per_s=1000, slow_s=0.3)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and no memory of what other tests fetched."""
    place = tmp_path / "cache"
    monkeypatch.setenv("NMC_CACHE", str(place))
    monkeypatch.setattr(registry, "_log", {})
    monkeypatch.setattr(web, "_asked", {})
    monkeypatch.setattr(download, "_down", {})
    monkeypatch.setattr(sources, "_seen", {})
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))
    return place


@pytest.fixture
def site():
    """A server on loopback with nothing on it."""
    with serve(Site()) as running:
        yield running


@pytest.fixture
def sheet():
    """An item whose hash is not known: trusted on first use."""
    return registry.item("sheet/circuit")


@pytest.fixture
def content():
    """Bytes for that item: 200 kB of JSON."""
    return json.dumps({"a stand-in of the tests": list(range(32_000))}).encode()


def with_known_hash(item, content):
    """Return the item as if the catalogue knew this content's hash."""
    digest = hashlib.sha256(content).hexdigest()
    return item._replace(known=(registry.Known(len(content), digest),))


def tree_at(site, policy=HASTY):
    """Return the web tree of a server."""
    return web.WebTree(site.base, policy)


def parts(folder):
    """Return what half-written files lie in a folder."""
    return [p for p in folder.rglob("*") if p.name.startswith(".") or p.suffix == ".part"]
