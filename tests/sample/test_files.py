"""The sample's files are built as the portal's are: keys, nesting, types, labels and units."""

import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from lxml import html
from nmc import names
from nmc.data.registry import item, match


def _json(root: Path, path: str):
    return json.loads((root / path).read_text())


def _kind(value) -> str:
    return "number" if isinstance(value, int | float) else type(value).__name__


def _page(root: Path, path: str):
    return html.fromstring((root / path).read_bytes(), parser=html.HTMLParser(encoding="utf-8"))


def _labels(page) -> set[tuple[str, str]]:
    """Label and unit of every fact, tooltips' question marks left out."""
    found, label = set(), ""
    for node in page.iter("dt", "dd"):
        if node.tag == "dt":
            for mark in node.iter("sup"):
                mark.text = None
            label = " ".join(node.text_content().split())
        else:
            units = [" ".join(u.text_content().split()) for u in node.find_class("factsheet-unit")]
            found.add((label, units[0] if units else ""))
    return found


# Structure, against the real files ------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize(
    "path", [item("sheet/pathways_anatomy").path, item("sheet/pathways_physiology").path]
)
def test_pathway_files(tree, mirror, path):
    real, mine = _json(mirror, path), _json(tree, path)
    assert len(real) == len(mine) == 1932
    kinds = {}
    for where, content in (("real", real), ("mine", mine)):
        for entry in content.values():
            for field, value in entry.items():
                kinds.setdefault(field, {}).setdefault(where, set()).add(_kind(value))
    for field, seen in kinds.items():
        assert seen["mine"] == seen["real"], field


@pytest.mark.real
def test_pathway_files_are_laid_out_alike(tree, mirror):
    """Four spaces, no space after the colon, percentages with the noise of a late factor 100."""
    for root in (tree, mirror):
        text = (root / item("sheet/pathways_anatomy").path).read_text()
        assert text.startswith('{\n    "L') and text.endswith("}\n")
        assert "0000000" in text and '": ' not in text


@pytest.mark.real
def test_layer_file(tree, mirror):
    real, mine = (_json(root, item("sheet/layers").path) for root in (mirror, tree))
    assert list(mine) == list(real)
    for layer in real:
        assert {k: _kind(v) for k, v in mine[layer].items()} == (
            {k: _kind(v) for k, v in real[layer].items()}
        )
        key = "No. of neurons per morphological types"
        assert set(mine[layer][key]) == set(real[layer][key])


@pytest.mark.real
def test_circuit_file_has_the_keys_of_the_page(tree, mirror):
    facts = _json(mirror, "derived/circuit_facts.json")["facts"]
    mine = _json(tree, item("sheet/circuit").path)
    assert set(mine) == set(facts)
    for key, fact in facts.items():
        if isinstance(fact["value"], dict):
            assert list(mine[key]) == list(fact["value"])


@pytest.mark.real
@pytest.mark.parametrize("name", ["nb_connection", "pathway_count", "total_synapse"])
def test_flow_trees(tree, mirror, name):
    real, mine = (_json(root, item(f"tree/{name}").path) for root in (mirror, tree))
    assert set(mine) == set(real)
    for view, content in real.items():
        assert set(mine[view]) == set(content)
    for layer in names.LAYERS:
        for view in ("ML_L", "L_ML"):
            assert mine[view][layer]["nodes"] == real[view][layer]["nodes"]
    for view, mtype in (("m_L", "L4_LBC"), ("L_m", "L4_LBC")):
        own = {"name": mtype}
        end = 0 if view == "m_L" else -1
        assert mine[view][mtype]["nodes"][end] == real[view][mtype]["nodes"][end] == own
    link = mine["L_L"]["links"][0]
    assert set(link) == set(real["L_L"]["links"][0]) and _kind(link["value"]) == "number"


@pytest.mark.real
def test_menus(tree, mirror):
    for entry in match(["tree"])[:-1]:  # the sample has one list of pathways
        assert type(_json(tree, entry.path)) is type(_json(mirror, entry.path))
    real, mine = (_json(root, item("tree/download_tree").path) for root in (mirror, tree))
    assert _leaves(mine) == _leaves(real)
    assert _paths(mine) == _paths(real)
    real, mine = (_json(root, item("tree/connectome").path) for root in (mirror, tree))
    assert sorted(_urls(mine)) == sorted(_urls(real))
    real, mine = (_json(root, item("tree/metypes").path) for root in (mirror, tree))
    assert sorted(mine) == sorted(real)
    assert (
        _json(tree, item("tree/main").path)["L_L"]["nodes"]
        == (_json(mirror, item("tree/main").path)["L_L"]["nodes"])
    )


def _leaves(nodes) -> set[str]:
    out = set()
    for node in nodes:
        out |= _leaves(node["nodes"]) if "nodes" in node else {node["text"]}
    return out


def _paths(nodes, above=()) -> set[tuple[str, ...]]:
    out = set()
    for node in nodes:
        here = (*above, node["text"])
        out |= _paths(node["nodes"], here) if "nodes" in node else {here}
    return out


def _urls(nodes) -> list[str]:
    out = []
    for node in nodes:
        out += [node["url"]] if "url" in node else _urls(node["nodes"])
    return out


@pytest.mark.real
def test_connectome_file(tree, mirror):
    with tarfile.open(tree / item("connectome/average/mc0").path) as tar:
        members = tar.getnames()
        stem = "cons_locs_pathways_mc0_Column"
        assert members == [stem, f"{stem}/Connectome_readme_AVERAGE_INSTANCE.txt",
                           f"{stem}/{stem}.h5"]  # fmt: skip
        data = io.BytesIO(tar.extractfile(members[-1]).read())
    with (
        h5py.File(data) as mine,
        h5py.File(mirror / "derived/cons_locs_L1_DAC_of_mc0.h5") as real,
    ):
        assert set(mine) == set(real) == {"connectivity", "populations"}
        assert list(mine["populations"]) == list(names.MTYPES)
        here, there = mine["populations/L1_DAC"], real["populations/L1_DAC"]
        assert set(here) == set(there)
        for key in there:
            assert here[key].dtype == there[key].dtype
            assert here[key].shape[1:] == there[key].shape[1:]
        block = mine["connectivity/L23_PC/L4_PC/cMat"]
        assert block.dtype.kind in "iub" and set(np.unique(block[:])) == {0, 1}
        assert list(mine["connectivity/L1_DAC"]) == list(names.MTYPES)


@pytest.mark.real
@pytest.mark.parametrize(
    "path",
    [
        item("page/circuit").path,
        *(item(f"page/layer/{layer}").path for layer in names.LAYERS),
        item("page/mtype/L5_TTPC1").path,
        item("page/mtype_details/L5_TTPC1").path,
        item("page/metype/L5_TTPC1_cADpyr").path,
    ],
)
def test_pages_have_the_labels_and_units(tree, mirror, path):
    extra = {("input-output synaptomes", ""), ("more details", "")}
    real, mine = (_labels(_page(root, path)) - extra for root in (mirror, tree))
    assert mine == real


@pytest.mark.real
def test_model_page_has_the_tabs_and_channels(tree, mirror):
    path = item("page/metype/L5_TTPC1_cADpyr").path
    for root in (mirror, tree):
        page = _page(root, path)
        assert len(page.find_class("smw-tab-selector")) == 5
        tabs = [t for t in page.find_class("smw-tab") if t.tag == "div"]
        assert len(tabs) == 5
        heads = [" ".join(td.text_content().split()) for td in tabs[0].xpath(".//tr/td[1]")]
        assert set(heads) == {"basal", "apical", "axonal", "somatic"}
        spans = tabs[0].xpath(".//a[@class='smw-equation']/span")
        assert {s.get("data-name") for s in spans} == {"uniform", "exponential"}
        assert any(a.get("href", "").endswith("L5_TTPC1_cADpyr232_1.zip") for a in page.iter("a"))


@pytest.mark.real
def test_pathway_pages(tree, mirror):
    texts = []
    for root in (mirror, tree):
        with tarfile.open(root / item("page/pathways").path) as tar:
            text = tar.extractfile("pathway/L4_PC-L4_PC.html").read()
        texts.append(html.fromstring(text, parser=html.HTMLParser(encoding="utf-8")))
    extra = {("input-output synaptomes", ""), ("more details", "")}
    assert _labels(texts[1]) == _labels(texts[0]) - extra


def test_the_list_of_what_the_archives_hold_is_theirs(tree):
    from tools.sample.__main__ import TARGET, list_inner

    paths = [p for p in tree.rglob("*") if p.suffix == ".tar" or "NeuroML2" in p.name]
    rows = list_inner({p.relative_to(tree).as_posix(): p for p in paths})
    lines = (TARGET / "inner.csv").read_text().splitlines()[1:]
    assert lines == [",".join(map(str, row)) for row in rows]
    assert {Path(name).suffix for name, *_ in rows} == {".h5", ".nml", ".xml"}


# Content ---------------------------------------------------------------------------------------


def test_summary_names_every_model(tree):
    summary = _json(tree, item("sheet/models").path)
    assert set(summary) == set(names.model_names())
    fields = {"Rmp", "Rmp_Units", "Rin", "Rin_Units", "Tau", "Tau_Units"}
    assert all(set(entry) == fields for entry in summary.values())


def test_every_page_is_there_and_says_it_is_invented(tree):
    paths = [item(f"page/layer/{k}").path for k in names.LAYERS]
    paths += [item(f"page/mtype/{m}").path for m in names.MTYPES]
    paths += [item(f"page/mtype_details/{m}").path for m in names.MTYPES]
    paths += [item(f"page/synaptome/{m}").path for m in names.MTYPES]
    paths += [item(f"page/metype/{m}").path for m in names.METYPES]
    for path in (*paths, item("page/circuit").path):
        assert "every number is invented" in (tree / path).read_text()
    assert _json(tree, "nmc-tree.json")["invented"] is True


def test_pathway_archive_uses_the_names_of_the_pages(tree):
    with tarfile.open(tree / item("page/pathways").path) as tar:
        sizes = {m.name.removeprefix("pathway/").removesuffix(".html"): m.size
                 for m in tar.getmembers()}  # fmt: skip
    filled = {name for name, size in sizes.items() if size}
    expected = set()
    for key in _json(tree, item("sheet/pathways_anatomy").path):
        expected.add("-".join(names.portal_mtype(m) for m in names.parse_pathway(key)))
    assert filled == expected
    assert all("SLAC" in name or "DLAC" in name for name in set(sizes) - filled)


def test_read_me_says_what_it_is(tree):
    for key, kind in (("average/mc1", "AVERAGE"), ("control/mc0/0", "CONTROL"),
                      ("individual/P14-13/mc0", "INDIVIDUAL")):  # fmt: skip
        with tarfile.open(tree / item(f"connectome/{key}").path) as tar:
            name = next(n for n in tar.getnames() if "readme" in n)
            text = tar.extractfile(name).read().decode()
        assert kind in name and kind in text and "SYNTHETIC SAMPLE" in text


def test_mtype_totals_are_cells_times_their_mean_model(tree):
    """Read off the pages alone: total axon = Σ over me-types of cells × mean of five models."""
    for mtype in ("L6_BP", "L6_BPC", "L5_TTPC1", "L1_SLAC", "L4_SS"):
        page = _page(tree, item(f"page/mtype/{mtype}").path)
        bars = {b.text_content().strip(): int(v.text_content().replace(",", "")) for b, v in zip(
            page.find_class("smwbar"), page.find_class("smwbarvalue"), strict=True)}  # fmt: skip
        total = 0.0
        for metype, cells in bars.items():
            tabs = _page(tree, item(f"page/metype/{names.canonical_metype(metype)}").path)
            lengths = [
                float(dd.text.replace(",", ""))
                for dt in tabs.xpath("//dt[normalize-space()='axon length']")
                for dd in [dt.getnext()]
            ]
            assert len(lengths) == 5
            total += cells * np.mean(lengths)
        shown = page.xpath("//dt[contains(., 'total axon length')]/following-sibling::dd[1]")[0]
        assert float(shown.text.replace(",", "")) == pytest.approx(total, rel=0.05), mtype


@pytest.mark.slow
@pytest.mark.neuron
def test_the_maker_writes_what_is_shipped(tree, tmp_path):
    """`make sample` again: every file byte for byte, currents (seven digits) by their numbers."""
    from tools.sample.__main__ import write_tree

    made = write_tree(tmp_path)
    paths = {p.relative_to(tree).as_posix() for p in tree.rglob("*") if p.is_file()}
    paths.remove("SHA256SUMS")
    assert {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()} == paths
    for path in sorted(paths):
        if path.endswith(".zip"):
            here, there = ({n: z.read(n) for n in z.namelist()}
                           for z in map(zipfile.ZipFile, (made / path, tree / path)))  # fmt: skip
            assert here.keys() == there.keys()
            for name in here:
                if name.endswith(("current_amps.dat", "net.nml")):
                    ours, theirs = (re.findall(rb"-?\d+\.\d+", x[name]) for x in (here, there))
                    assert np.allclose(np.float64(ours), np.float64(theirs), atol=2e-7, rtol=0)
                else:
                    assert here[name] == there[name], (path, name)
        else:
            assert (made / path).read_bytes() == (tree / path).read_bytes(), path
