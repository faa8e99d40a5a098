"""The portal's mirrors, in order, on two servers that stand for them."""

from __future__ import annotations

import json

import nmc
import pytest
from nmc.data import provenance, registry, web
from nmc.data.registry import item
from nmc.errors import ChecksumError, DownloadError, MissingFileError

from .conftest import HASTY, parts
from .faulty_server import Site, serve

_FACTS = "widget/microcircuit/-/smw-facts"


@pytest.fixture
def portal(cache, monkeypatch):
    """Two mirrors: the second serves paths that begin with public/ from its root."""
    with serve(Site()) as first, serve(Site()) as second:
        bases = (
            (f"{first.base}/Portals/nmc-portal/", f"{first.base}/Portals/nmc-portal/"),
            (f"{second.base}/nmc-portal/", f"{second.base}/"),
        )
        monkeypatch.setattr(registry, "PORTAL_MIRRORS", bases)
        monkeypatch.setattr(web, "Policy", lambda: HASTY)
        monkeypatch.setenv("NMC_SOURCE", "portal")
        provenance.record_acceptance()
        yield first, second


def test_the_first_mirror_serves(portal):
    first, second = portal
    path = item("sheet/circuit").path
    first.files[f"Portals/nmc-portal/{path}"] = b'{"mirror": 1}'
    record = nmc.fetch("sheet/circuit")
    assert record.read_bytes() == b'{"mirror": 1}' and not second.asked
    assert nmc.provenance().loc["sheet/circuit", "origin"] == "portal"


@pytest.mark.parametrize(("fault", "times"), [("404", 1), ("503", 3), ("cut", 3), ("stall", 3)])
def test_the_next_mirror_is_asked_after_retries(portal, fault, times):
    first, second = portal
    path = item("sheet/circuit").path
    first.files[f"Portals/nmc-portal/{path}"] = b'{"mirror": 1}'
    first.faults[f"Portals/nmc-portal/{path}"] = fault
    second.files[f"nmc-portal/{path}"] = b'{"mirror": 2}'
    assert nmc.fetch("sheet/circuit").read_bytes() == b'{"mirror": 2}'
    assert first.asked[f"Portals/nmc-portal/{path}"] == times


def test_connectomes_lie_below_the_second_mirrors_root(portal):
    _, second = portal
    tar = item("connectome/connections_v2").path
    second.files[tar] = b"not a tar"
    with pytest.raises(nmc.errors.ChecksumError, match="connections_v2"):
        nmc.fetch("connectome/connections_v2")
    assert second.asked[tar] == 1


def test_a_packages_second_address_is_tried(portal):
    first, second = portal
    with pytest.raises(MissingFileError) as caught:
        nmc.fetch("model/L1_SLAC_cACint209_1")
    asked = {**first.asked, **second.asked}
    assert all("L1_SLAC_cACint209_1.zip" in path for path in asked) and len(asked) == 4
    assert sum("METypes/L1_SAC_cAC/" in path for path in asked) == 2
    assert all(path.rpartition("/")[2] in str(caught.value) for path in asked)


def test_when_all_mirrors_fail_each_is_named_with_its_reason(portal):
    first, second = portal
    path = item("sheet/circuit").path
    first.faults[f"Portals/nmc-portal/{path}"] = "503"
    with pytest.raises(DownloadError) as caught:
        nmc.fetch("sheet/circuit")
    assert f"{first.base}/Portals/nmc-portal/{path}: HTTP 503" in str(caught.value)
    assert f"{second.base}/nmc-portal/{path}: HTTP 404" in str(caught.value)


def test_first_use_is_said_once(portal, caplog):
    first, _ = portal
    first.files[f"Portals/nmc-portal/{item('sheet/circuit').path}"] = b"{}"
    nmc.fetch("sheet/circuit")
    assert "trusted and recorded" in caplog.text
    caplog.clear()
    nmc.fetch("sheet/circuit")
    assert caplog.text == ""


def _list_pathways(monkeypatch, site, pathways):
    """Serve a list of our own: its hash is not the portal's."""
    true = registry.item
    own = true("tree/pathways_list")._replace(known=())
    monkeypatch.setattr(registry, "item", lambda key: own if key == own.key else true(key))
    path = own.path
    site.files[f"Portals/nmc-portal/{path}"] = json.dumps(pathways).encode()


def test_pathway_pages_are_put_together(portal, monkeypatch, cache):
    first, _ = portal
    _list_pathways(monkeypatch, first, ["L1_DAC:L1_SLAC", "L4_PC:L4_SS", "L4_PC:L4_SP"])
    for name in ("L1_DAC-L1_SAC", "L4_PC-L4_SS"):  # the third has no page
        page = f"Portals/nmc-portal/{_FACTS}/pathway/{name}.html"
        first.files[page] = f"<p class='factsheet-value'>{name}</p>".encode()
    assert nmc.available("page/pathways")
    folder = nmc.fetch_folder("page/pathways")
    assert {p.name for p in folder.rglob("*.html")} == {"L1_DAC-L1_SAC.html", "L4_PC-L4_SS.html"}
    before = nmc.provenance().loc["page/pathways", "sha256"]
    nmc.fetch("page/pathways").unlink()
    assert nmc.fetch("page/pathways").is_file()
    assert nmc.provenance().loc["page/pathways", "sha256"] == before
    assert not parts(cache / "web")


def test_pathway_pages_go_on_after_a_break(portal, monkeypatch):
    first, _ = portal
    pathways = ["L4_PC:L4_SS", "L4_PC:L4_SP"]
    _list_pathways(monkeypatch, first, pathways)
    pages = [f"Portals/nmc-portal/{_FACTS}/pathway/{p.replace(':', '-')}.html" for p in pathways]
    for page in pages:
        first.files[page] = b"<p class='factsheet-value'>1</p>"
    first.faults[pages[1]] = "503"
    with pytest.raises(DownloadError, match="L4_PC-L4_SP"):
        nmc.fetch("page/pathways")
    first.faults.clear()
    asked = first.asked[pages[0]]
    nmc.fetch("page/pathways")
    assert first.asked[pages[0]] == asked == 1


def test_a_page_that_is_no_fact_sheet_is_not_packed(portal, monkeypatch, cache):
    """Portals that close answer every address with one and the same page, and say 200."""
    first, second = portal
    _list_pathways(monkeypatch, first, ["L4_PC:L4_SS"])
    page = f"{_FACTS}/pathway/L4_PC-L4_SS.html"
    first.files[f"Portals/nmc-portal/{page}"] = b"<html>This service has moved.</html>"
    with pytest.raises(ChecksumError, match="no fact sheet"):
        nmc.fetch("page/pathways")
    second.files[f"nmc-portal/{page}"] = b"<p class='factsheet-value'>1</p>"
    assert nmc.fetch("page/pathways").is_file()
    assert not parts(cache / "web")
