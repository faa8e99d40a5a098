"""The explorer, opened from a disk in a real browser without a network."""

from __future__ import annotations

import json
import re

import nmc
import nmc.errors
import pytest
from nmc.factsheets.explorer import build_explorer

from tools.bookbuild.render import find_browser

_ARGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def explorer(tmp_path_factory, mirror):
    """An explorer of the real files; returns its folder."""
    folder = tmp_path_factory.mktemp("book") / "explorer"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NMC_SOURCE", str(mirror))
        build_explorer(folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    """A headless chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=find_browser(), args=_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, explorer):
    """``open(address in the explorer)`` → page; any error in a script fails the test."""
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 900})
    tab = context.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)

    def visit(address: str):
        tab.goto("about:blank")
        tab.goto(f"{(explorer / address.partition('#')[0]).as_uri()}#{address.partition('#')[2]}")
        tab.wait_for_selector("main[data-ready]", timeout=15_000)
        return tab

    yield visit
    context.close()
    assert not errors


def shard(folder, name):
    text = (folder / "data" / f"{name}.js").read_text("utf-8")
    return json.loads(re.fullmatch(r'NMC\.put\("[^"]+",(.*)\);\n', text, re.S)[1])


@pytest.mark.real
def test_shards_hold_every_number_of_the_tables(explorer, real_source):
    pathways = nmc.load_pathways().set_index(["pre", "post"])
    seen = 0
    for file in (explorer / "data").glob("pathway-*.js"):
        packed = shard(explorer, file.stem)
        for row in packed["rows"]:
            record = dict(zip(packed["columns"], row, strict=True))
            expected = pathways.loc[(record["pre"], record["post"])]
            for column in (
                "connection_probability_percent",
                "d_mean_ms",
                "f_std_ms",
                "gsyn_mean_nS",
            ):
                assert record[column] == expected[column]
            assert (record["space_clamp_correction_factor"] is None) != expected[
                "conductance_measured"
            ]
            seen += 1
    assert seen == len(pathways) == 1932
    models = nmc.load_models().set_index("model")
    rows = [
        dict(zip(packed["columns"], row, strict=True))
        for layer in ("L1", "L23", "L4", "L5", "L6")
        for packed in [shard(explorer, f"model-{layer}")]
        for row in packed["rows"]
    ]
    assert {row["model"] for row in rows} == set(nmc.model_names())
    for row in rows:
        assert row["input_resistance_MOhm"] == models.loc[row["model"], "input_resistance_MOhm"]


@pytest.mark.real
def test_no_shard_is_large_and_no_page_asks_the_network(explorer):
    assert max(file.stat().st_size for file in explorer.rglob("*")) < 200_000
    for file in [*explorer.glob("*.html"), *explorer.glob("*.js"), *explorer.glob("*.css")]:
        assert not re.search(r"https?://|//cdn|@import|fetch\(|XMLHttp", file.read_text("utf-8")), (
            file
        )


@pytest.mark.real
def test_search_narrows_and_its_words_stand_in_the_address(page):
    tab = page("model.html")
    assert "1,035" in tab.inner_text(".count")
    tab.fill("input[type=search]", "ttpc1")
    tab.wait_for_function("document.querySelectorAll('tbody tr').length === 5")
    assert "q=ttpc1" in tab.url
    tab.reload()
    tab.wait_for_selector("main[data-ready]")
    assert tab.locator("tbody tr").count() == 5


@pytest.mark.real
def test_sort_orders_by_value_and_puts_the_order_in_the_address(page):
    tab = page("model.html")
    head = tab.locator("th[data-column=input_resistance_MOhm]")
    head.locator("button").click()
    assert (
        head.get_attribute("aria-sort") == "descending" and "sort=input_resistance_MOhm" in tab.url
    )
    cells = tab.locator("tbody tr td:nth-child(4)").all_inner_texts()[:50]
    values = [float(cell.replace(",", "")) for cell in cells]
    assert values == sorted(values, reverse=True) and values[0] == 2286.7
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"


@pytest.mark.real
def test_links_lead_from_a_layer_to_a_pathway(page):
    tab = page("layer.html")
    tab.click("text=L5 >> nth=0")
    tab.wait_for_selector("h1:has-text('Layer L5')")
    tab.click("a:text-is('L5_TTPC1')")
    tab.wait_for_selector("h1:has-text('L5_TTPC1')")
    tab.fill("label:has-text('Search') >> nth=0 >> input", "L5_MC")
    tab.click("a:text-is('L5_TTPC1:L5_MC')")
    tab.wait_for_selector("h1:has-text('L5_TTPC1 → L5_MC')")
    text = tab.inner_text("main")
    assert "Excitatory, facilitating" in text and "18 ± 13" in text
    tab.click("text=The opposite direction")
    tab.wait_for_selector("h1:has-text('L5_MC → L5_TTPC1')")
    tab.go_back()
    tab.wait_for_selector("h1:has-text('L5_TTPC1 → L5_MC')")


@pytest.mark.real
@pytest.mark.parametrize(
    "address",
    [
        "index.html#q=MC", "layer.html#item=L4", "mtype.html#item=L5_MC",
        "metype.html#item=L5_MC_cAC", "model.html#item=L5_TTPC1_cADpyr232_1",
        "pathway.html#item=L5_TTPC1:L5_MC",
    ],
)  # fmt: skip
def test_every_link_leads_somewhere_and_nothing_hinders_access(page, explorer, address):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    tab = page(address)
    links = tab.eval_on_selector_all("a[href]", "nodes => nodes.map(n => n.getAttribute('href'))")
    own = {link.partition("#")[0] for link in links if not link.startswith(("../", "#"))}
    assert own and all((explorer / link).is_file() for link in own), own
    names = shard(explorer, "names")
    for link in links:
        named = re.fullmatch(r"(\w+)\.html#item=(.+)", link)
        if named and named[1] in names:
            assert named[2] in names[named[1]], link
    # Without preloading: the audit would ask for the style sheet as no page does.
    found = axe.Axe().run(tab, options={"preload": False}).response["violations"]
    assert not found, [(one["id"], one["nodes"][0]["html"][:120]) for one in found]


@pytest.mark.real
def test_the_front_page_finds_any_kind_of_name(page):
    tab = page("index.html")
    for query, kind in (
        ("L5_TTPC1_cADpyr232_1", "model"), ("L23_MC_cAC", "me-type"), ("L4_SS L23_PC", "pathway"),
        ("L6_IPC", "m-type"), ("L23", "layer"),
    ):  # fmt: skip
        tab.fill("input[type=search]", query)
        assert kind in tab.inner_text(".hits li >> nth=0")


@pytest.mark.real
def test_an_unknown_name_is_said_plainly(page):
    for address in (
        "mtype.html#item=L9_XX",
        "pathway.html#item=L5_MC:L9_XX",
        "model.html#item=L5_MC_x",
    ):
        assert "There is no" in page(address).inner_text("main")


@pytest.mark.real
def test_prints_what_is_looked_at_and_not_the_controls(page):
    tab = page("pathway.html#item=L5_TTPC1:L5_MC")
    tab.emulate_media(media="print")
    assert not tab.is_visible("nav") and not tab.is_visible(".search")
    assert tab.is_visible("h1") and tab.is_visible("footer")


@pytest.mark.real
@pytest.mark.parametrize(
    "address",
    [
        "index.html", "layer.html", "mtype.html", "metype.html", "model.html", "pathway.html",
        "layer.html#item=L23", "mtype.html#item=L5_MC", "metype.html#item=L5_TTPC1_cADpyr",
        "model.html#item=L6_TPC_L1_cADpyr231_1", "pathway.html#item=L5_TTPC1:L5_MC",
        "pathway.html#item=L5_TTPC1",
    ],
)  # fmt: skip
def test_fits_a_phone(page, address):
    tab = page(address)
    tab.set_viewport_size({"width": 360, "height": 740})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_failed_build_leaves_the_old_folder(tmp_path, small_tree):
    folder = tmp_path / "explorer"
    folder.mkdir()
    (folder / "index.html").write_text("old")
    with pytest.raises(nmc.errors.NMCError):
        build_explorer(folder)
    assert (folder / "index.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".explorer")] == []
