"""Every item of the Downloads page has a row, and the row says where and what it is."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re

import nmc
import pytest
from nmc import names
from nmc.data import provenance, registry
from nmc.errors import UnknownNameError

_LISTED_HOST = "https://bbp.epfl.ch/"


def test_counts():
    keys = list(registry.items())
    count = {prefix: sum(k.startswith(prefix) for k in keys) for prefix in (
        "model/", "models/group/", "sheet/", "tree/", "page/metype/", "page/mtype/",
        "connectome/average/", "connectome/individual/", "connectome/control/",
        "connectome/archive/",
    )}  # fmt: skip
    assert count == {
        "model/": 1035, "models/group/": 5 + 55 + 207, "sheet/": 5, "tree/": 9,
        "page/metype/": 207, "page/mtype/": 60, "connectome/average/": 7,
        "connectome/individual/": 35, "connectome/control/": 35, "connectome/archive/": 8,
    }  # fmt: skip
    assert {"models/all", "neuroml/all", "connectome/connections_v2"} <= set(keys)


def test_rows_are_whole():
    for item in registry.items().values():
        assert item.title and item.reader and item.licence and item.format
        assert not item.path.startswith("/") and ".." not in item.path
        assert item.on_portal == bool(item.addresses), item.key
        for key in item.cite:
            provenance.apa(key)
        for known in item.known:
            assert re.fullmatch("[0-9a-f]{64}", known.sha256) and known.size_bytes > 0
    paths = [path for item in registry.items().values() for path in item.paths]
    assert len(paths) == len(set(paths))


def test_published_hashes_stand_in_the_rows():
    """The two that were published with the data, and the ends of a third."""
    anatomy = registry.item("sheet/pathways_anatomy").known[0]
    assert anatomy.size_bytes == 842_682
    assert anatomy.sha256.startswith("c75a5fc4") and anatomy.sha256.endswith("b3bc6")
    physiology = registry.item("sheet/pathways_physiology").known[0]
    assert (physiology.size_bytes, physiology.sha256[:8]) == (1_334_694, "0bf03121")


def test_what_is_unknown_is_said():
    table = nmc.catalogue()
    assert "contents unknown" in table.loc["connectome/connections_v2", "note"]
    assert table["sha256"].isna().sum() == table["size_bytes"].isna().sum() > 0
    assert "tar archive" in table.loc["models/group/L1", "note"]
    assert table.index.is_unique and len(table) == len(registry.items())


def test_addresses_are_percent_encoded_where_they_must_be():
    group = registry.item("models/group/L1_SLAC_cAC")
    assert group.path.endswith("downloads-zip/L1_SAC:cAC.zip")
    assert all(address.endswith("L1_SAC:cAC.zip") for address in group.addresses)
    mc2 = registry.item("connectome/average/mc2")
    assert mc2.addresses[-1] == _LISTED_HOST + mc2.path


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("L5_TTPC1_cADpyr232_1", "model/L5_TTPC1_cADpyr232_1"),
        ("model/L1_SAC_cACint209_1.zip", "model/L1_SLAC_cACint209_1"),
        ("page/mtype/L1_LAC", "page/mtype/L1_DLAC"),
        ("page/metype/L1_SAC_cACint", "page/metype/L1_SLAC_cAC"),
        ("page/layer/L2_3", "page/layer/L23"),
        ("/sheet/layers/", "sheet/layers"),
    ],
)
def test_other_spellings_of_a_key(given, key):
    assert registry.item(given).key == key


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("sheet/layer", "sheet/layers"),
        ("model/L5_TTPC1_cADpyr_1", "model/L5_TTPC1_cADpyr232_1"),
        ("connectome/average/mc7", "connectome/average/mc"),
        ("page/mtype/L5_TTCP1", "page/mtype/L5_TTPC1"),
    ],
)
def test_a_wrong_key_suggests_the_nearest(given, near):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{re.escape(near)}"):
        registry.item(given)


def test_a_key_that_resembles_none_names_the_way_to_all():
    with pytest.raises(UnknownNameError, match="'zzzz'.*nmc list"):
        registry.item("zzzz")


@pytest.mark.real
def test_all_addresses_of_the_connectome_tree_have_a_row(mirror):
    tree = json.loads((mirror / registry.item("tree/connectome").path).read_text())
    listed = set(_urls(tree))
    assert len(listed) == 85
    own = {item.addresses[-1] for key, item in registry.items().items()
           if key.startswith("connectome/") and item.on_portal}  # fmt: skip
    assert listed == own - {_LISTED_HOST + "public/nmc-models/connections_v2.tar"}


@pytest.mark.real
def test_all_nodes_of_the_download_tree_have_a_row(mirror):
    tree = json.loads((mirror / registry.item("tree/download_tree").path).read_text())
    listed = {text if text.endswith(".zip") else f"{text}.zip" for text in _texts(tree)}
    own = {item.path.rpartition("/")[2] for key, item in registry.items().items()
           if key.startswith(("model/", "models/group/"))}  # fmt: skip
    assert len(listed) == 1035 + 267 and listed == own


@pytest.mark.real
def test_all_links_of_the_downloads_page_have_a_row(mirror):
    page = (mirror / "downloads.html").read_text(encoding="utf-8")
    listed = set(re.findall(r'href="\./(assets/documents/static/Download/[^"]+)"', page))
    public = re.findall(r'href="(https://bbp\.epfl\.ch/public/[^"]+)"', page)
    listed |= {address.removeprefix(_LISTED_HOST) for address in public}
    assert len(listed) >= 8
    assert listed <= {item.path for item in registry.items().values()}


@pytest.mark.real
def test_sizes_and_hashes_are_those_of_the_inventory(mirror):
    with (mirror / "derived/model_packages_inventory.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {row["model"] for row in rows} == set(names.model_names())
    for row in rows:
        first = registry.item(f"model/{row['model']}").known[0]
        assert (str(first.size_bytes), first.sha256, first.release) == (
            row["zip_size_1_0_10"], row["zip_sha256_1_0_10"], "1.0.10",
        )  # fmt: skip


@pytest.mark.real
def test_every_file_of_the_mirror_is_verified_and_most_by_a_known_hash(mirror, cache):
    from nmc.data.sources import FolderTree
    from nmc.data.upkeep import verify_tree

    tree = FolderTree(mirror)
    found = list(verify_tree(tree))
    assert len(found) > 500 and all(entry.is_sound for entry in found)
    served = {entry.path for entry in found}
    static = [p for p in (mirror / "assets").rglob("*") if p.is_file()]
    static += [p for p in (mirror / "widget").rglob("*") if p.is_file()]
    assert set(static) <= served, "a file at a portal path has no row in the catalogue"
    one = registry.item("page/layer/L1")
    record = tree.get(one)
    assert record.trust == "catalogue"
    assert record.sha256 == hashlib.sha256(record.path.read_bytes()).hexdigest()


def _urls(nodes) -> list[str]:
    own = [node["url"] for node in nodes if "url" in node]
    return own + [url for node in nodes for url in _urls(node.get("nodes", []))]


def _texts(nodes) -> list[str]:
    return [t for n in nodes for t in [n["text"], *_texts(n.get("nodes", []))]]


def test_a_list_of_sheets_costs_little_and_writes_nothing(tmp_path):
    import resource
    import subprocess
    import sys

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "NMC_CACHE": str(tmp_path / "cache"), "NMC_SOURCE": "sample"}
    command = [sys.executable, "-m", "nmc", "list", "sheet"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.count("sample") == 5 and not (tmp_path / "cache").exists()
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


@pytest.mark.real
def test_a_fetch_in_a_fresh_process_computes_no_registry(mirror, tmp_path):
    import subprocess
    import sys

    code = """
import sys
import nmc.data
calls = 0
def count(frame, event, argument):
    global calls
    calls += event == "call"
sys.setprofile(count)
nmc.data.fetch("sheet/layers")
sys.setprofile(None)
print(calls)
"""
    environment = {**os.environ, "NMC_CACHE": str(tmp_path), "NMC_SOURCE": str(mirror)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 3_000
