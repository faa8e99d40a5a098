"""The built site, walked as a person would: offline, at desktop and phone width, light and dark."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from lxml import html

from tools.bookbuild.project import Project

#: Of what a page loads the theme's and Sphinx's part.
THEME = ("_static/scripts", "_static/styles", "_static/vendor", "_static/webpack", "_sphinx_design",
         "_static/pygments", "_static/doctools", "_static/sphinx", "_static/searchtools",
         "_static/language_data", "searchindex.js")  # fmt: skip
#: Pixels; about nine screens.
LONGEST = 8_400
VIEWS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
SHORT = "book/short-course"
#: XPath: not within a solution.
OPEN = "[not(ancestor::*[contains(@class, 'admonition')])]"


@pytest.mark.parametrize("width, scheme", VIEWS)
def test_page_opens_whole_and_without_errors(visit, page_path, width, scheme):
    one = visit(page_path, width, scheme)
    images = (
        "[...document.images].filter(i => (i.loading = 'eager', i.complete) && !i.naturalWidth)"
    )
    assert one.page.evaluate(f"{images}.map(i => i.src)") == [], "pictures that do not show"
    wide = one.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 1, "the page scrolls sideways"
    assert one.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_issue(visit, page_path, scheme):
    one = visit(page_path, 1280, scheme)
    found = Axe().run(one.page).response["violations"]
    serious = [
        f"{issue['id']}: {node['target']} {node['failureSummary']}"
        for issue in found
        if issue["impact"] in ("serious", "critical")
        for node in issue["nodes"][:4]
    ]
    assert serious == []


def test_every_internal_link_and_anchor_resolves(site, page_path):
    broken = []
    tree = html.parse(str(page_path)).getroot()
    for link in tree.xpath("//a/@href | //link[@rel='stylesheet']/@href | //img/@src"):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page_path.parent / unquote(parts.path)).resolve() if parts.path else page_path
        if not target.exists():
            broken.append(link)
        elif (
            parts.fragment and target.suffix == ".html" and not _has_anchor(target, parts.fragment)
        ):
            broken.append(link)
    assert broken == []


def _has_anchor(page, fragment: str) -> bool:
    # The explorer keeps its state in the fragment.
    if "explorer" in page.parts or page.suffix != ".html":
        return True
    wanted = unquote(fragment)
    tree = html.parse(str(page)).getroot()
    return bool(tree.xpath("//*[@id=$name or @name=$name]", name=wanted))


def test_every_picture_is_described(page_path):
    tree = html.parse(str(page_path)).getroot()
    bare = [image.get("src") for image in tree.xpath("//main//img") if not image.get("alt")]
    assert bare == []


def test_the_letters_of_a_figure_can_be_read_on_a_phone(page_path):
    """A phone of 390 pixels draws figures 374 wide, and those that it scrolls 736."""
    least = {}
    for image in html.parse(str(page_path)).xpath(f"//main//figure{OPEN}//img"):
        source = page_path.parent / unquote(image.get("src"))
        drawn = source.read_text("utf-8") if source.suffix == ".svg" else ""
        letters = [float(size) for size in re.findall(r"scale\(([\d.]+) -", drawn)]
        if letters:  # Matplotlib draws a letter of 100 units in as many as its size
            shown = 736 if "wide" in image.get("class", "").split() else 374
            width = float(re.search(r'viewBox="0 0 ([\d.]+)', drawn)[1])
            least[source.name] = 100 * min(letters) * shown / width
    assert {name: size for name, size in least.items() if size < 6} == {}


def test_no_page_is_heavy(visit, site, page_path):
    """All that a page loads, pictures below the fold included, and the part that is our own."""
    one = visit(page_path)
    one.page.evaluate("[...document.images].forEach(image => { image.loading = 'eager'; })")
    one.page.wait_for_load_state("networkidle")
    files = {Path(unquote(urlsplit(url).path)) for url in one.asked if url.startswith("file:")}
    sizes = {file.relative_to(site).as_posix(): file.stat().st_size for file in files}
    assert sum(sizes.values()) < 3_500_000, sorted(sizes.items(), key=lambda pair: pair[1])[-5:]
    own = {name: size for name, size in sizes.items() if not name.startswith(THEME)}
    assert sum(own.values()) < 1_000_000, sorted(own.items(), key=lambda pair: pair[1])[-5:]


def test_no_chapter_is_too_long_to_read(visit, page_path):
    """Its height at desktop width as it opens: solutions and what is folded stay closed."""
    if not html.parse(str(page_path)).xpath("//*[contains(@class, 'at-a-glance')]"):
        pytest.skip("no chapter")
    page = visit(page_path).page
    page.evaluate("[...document.images].forEach(image => { image.loading = 'eager'; })")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollHeight") <= LONGEST


def test_search_finds_a_term(visit, served):
    one = visit(f"{served}/search.html?q=reciprocity")
    # results come one by one
    found = "ul.search li a[href*='analyse-the-connectome']"
    one.page.wait_for_selector(found, timeout=10_000)
    assert one.errors == []


def test_a_solution_opens(visit, site):
    page = visit(site / SHORT / "read-the-fact-sheets.html").page
    solution = page.locator("div.solution.dropdown").first
    inside = solution.locator(".solution-content, section, div").last
    assert not inside.is_visible()
    solution.locator("button.toggle-button").click()
    assert inside.is_visible()


def test_a_solution_opens_with_the_keyboard(visit, site):
    page = visit(site / SHORT / "read-the-fact-sheets.html").page
    solution = page.locator("div.solution.dropdown").first
    button = solution.locator("button.toggle-button")
    button.focus()
    page.keyboard.press("Enter")
    inside = solution.locator(".solution-content, section, div").last
    assert inside.is_visible()
    page.keyboard.press("Enter")
    assert not inside.is_visible()


@pytest.fixture
def view(visit, site):
    """The first 3-D view of a chapter, as a page and its canvas."""
    one = visit(site / "book/connectome/open-the-connectome.html")
    canvas = one.page.locator(".nmc-view3d canvas").first
    canvas.scroll_into_view_if_needed()
    return one, canvas


def picture(one, canvas) -> str:
    """What the canvas shows, once its last frame is drawn."""
    frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    one.page.evaluate(frames)
    return canvas.evaluate("canvas => canvas.toDataURL()")


def test_a_3d_figure_turns_with_the_mouse(view):
    one, canvas = view
    before = picture(one, canvas)
    assert picture(one, canvas) == before, "it stands still by itself"
    box = canvas.bounding_box()
    one.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    one.page.mouse.down()
    one.page.mouse.move(box["x"] + box["width"] / 2 + 120, box["y"] + box["height"] / 2, steps=4)
    one.page.mouse.up()
    turned = picture(one, canvas)
    assert turned != before
    one.page.mouse.move(box["x"] + 5, box["y"] + 5)
    assert picture(one, canvas) == turned, "only a pressed button turns it"
    assert one.errors == []


@pytest.mark.parametrize("there, back", [("ArrowRight", "ArrowLeft"), ("+", "-")])
def test_a_3d_figure_turns_and_zooms_with_the_keyboard(view, there, back):
    one, canvas = view
    before = picture(one, canvas)
    canvas.focus()
    one.page.keyboard.press(there)
    assert picture(one, canvas) != before
    one.page.keyboard.press(back)
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.tagName") != "CANVAS", "Tab leads on"


def test_a_3d_figure_without_scripts_is_a_picture(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "book/connectome/open-the-connectome.html").as_uri())
    still = page.locator(".nmc-view3d img").first
    assert still.is_visible() and len(still.get_attribute("alt")) > 20
    context.close()


def test_a_table_sorts_with_the_keyboard(visit, site):
    page = visit(site / "book/published-beside-recomputed.html").page
    page.locator("details.nmc-topic summary").first.press("Enter")
    heading = page.locator("table.nmc-table th").first
    heading.focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"


def test_old_addresses_lead_to_the_new_ones(visit, site):
    page = visit(site / "course.html").page
    page.wait_for_url("**/short-course/fetch-the-data.html")


def test_a_table_sorts_and_filters(visit, site):
    page = visit(site / "book/published-beside-recomputed.html").page
    assert page.locator("table.nmc-table tbody tr").count() > 10
    topic = page.locator("details.nmc-topic", has_text="neurons in the microcircuit")
    topic.locator("summary").click()
    topic.locator("th").nth(0).click()
    first = topic.locator("tbody tr td:first-child").all_inner_texts()
    assert first == sorted(first, key=str.lower)
    topic.locator("input.nmc-filter").fill("neurons in the microcircuit")
    assert 0 < topic.locator("tbody tr:visible").count() < len(first)


@pytest.mark.parametrize("width, height", [(1280, 800), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_says_what_this_is_and_leads_on(visit, site, width, height, scheme):
    """Title, lead, three buttons, the figure and the note on its data, without scrolling."""
    one = visit(site / "book/index.html", width, scheme, height)
    buttons = one.page.locator(".hero-buttons a")
    assert buttons.all_inner_texts() == ["Read", "Run", "Explore"]
    figure = one.page.locator("figure img").first
    seen = [one.page.locator(what).first for what in ("article h1", ".hero-lead", ".hero-note")]
    for what in (*seen, *buttons.all(), figure):
        box = what.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, what
    column = one.page.locator(".hero-lead").bounding_box()["width"]
    assert figure.bounding_box()["width"] > 0.9 * column
    buttons.nth(2).click()
    one.page.wait_for_url("**/explorer/index.html")
    assert one.errors == []


def test_the_gallery_shows_a_figure_and_a_question_of_each_chapter(visit, site):
    project = Project(Path(__file__).resolve().parents[2])
    chapters = [page for page in project.chapters if "} At a glance" in page.text]
    cards = visit(site / "book/chapters.html").page.locator(".sd-card:has(.sd-card-img-top)")
    assert cards.count() == len(chapters)
    for card, chapter in zip(cards.all(), chapters, strict=True):
        assert (
            card.locator("a.sd-stretched-link")
            .get_attribute("href")
            .endswith(f"{chapter.name.removeprefix('book/')}.html")
        )
        assert "?" in card.locator(".sd-card-text").first.inner_text()


@pytest.mark.parametrize("width, scheme", VIEWS)
def test_a_figure_is_enlarged_and_put_back_by_click_and_keyboard(visit, site, width, scheme):
    one = visit(site / "book/data/meet-the-microcircuit.html", width, scheme)
    figure, large = (
        one.page.locator("figure img[role=button]").first,
        one.page.locator("dialog.nmc-large"),
    )
    small = figure.bounding_box()["width"]
    for show, hide in ((figure.click, large.click), (lambda: figure.press("Enter"), None)):
        show()
        assert large.locator("img").bounding_box()["width"] > 1.2 * small
        assert large.locator("img").get_attribute("alt") == figure.get_attribute("alt")
        style = "image => getComputedStyle(image).filter"
        assert large.locator("img").evaluate(style) == "none", "its colours are the figure's"
        one.page.emulate_media(media="print")
        assert not large.is_visible()
        one.page.emulate_media(media="screen")
        hide() if hide else one.page.keyboard.press("Escape")
        large.wait_for(state="detached", timeout=5_000)
        assert one.page.evaluate("document.activeElement.tagName") == "IMG"
    assert one.errors == []


def test_figures_are_numbered_by_chapter(site):
    """The first figure of the n-th numbered chapter is n.1."""
    toc = Project(Path(__file__).resolve().parents[2]).toc
    numbered = [
        entry["file"] for part in toc["parts"] if part.get("numbered") for entry in part["chapters"]
    ]
    for number, name in enumerate(numbered, 1):
        captions = html.parse(str(site / f"{name}.html")).xpath(
            "//figcaption//*[@class='caption-number']"
        )
        found = [caption.text_content().strip() for caption in captions]
        assert found == [f"Fig. {number}.{k}" for k in range(1, len(found) + 1)], name


def test_the_landing_page_leads_on(visit, site):
    one = visit(site / "index.html")
    one.page.wait_for_url("**/book/index.html")
    one.page.locator(".sd-card").first.click()
    one.page.wait_for_url("**/fetch-the-data.html")
    one.page.locator("a.right-next").scroll_into_view_if_needed()
    one.page.locator("a.right-next:visible").click()
    one.page.wait_for_url("**/read-the-fact-sheets.html")
    assert one.errors == []


def test_the_header_says_which_data_the_pages_show(page_path):
    if "explorer" in page_path.parts:
        return
    tree = html.parse(str(page_path)).getroot()
    header = " ".join(tree.xpath("string(//*[contains(@class, 'bd-header-announcement')])").split())
    assert "Data:" in header and "built 20" in header


def test_the_keyboard_alone_reaches_the_content_and_the_next_page(visit, site):
    page = visit(site / SHORT / "fetch-the-data.html").page
    page.keyboard.press("Tab")
    assert "skip" in page.evaluate("document.activeElement.textContent").lower()
    page.keyboard.press("Enter")
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className").find("right-next") >= 0:
            return
    pytest.fail("the link to the next page is not reached with the Tab key")


def test_a_glossary_term_tells_its_meaning(visit, site):
    page = visit(site / SHORT / "read-the-fact-sheets.html").page
    titles = page.eval_on_selector_all("a[href*='glossary.html#term']", "e => e.map(a => a.title)")
    assert titles and all(len(title) > 20 for title in titles)
