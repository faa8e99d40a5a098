"""The whole book as one PDF, printed by a headless Chromium from one long page.

A browser rather than LaTeX: it prints the very pages readers see, SVG figures as vectors, tables
and folded solutions included, and needs no TeX installation of gigabytes.  Sphinx has a builder
for one long page, but it gives several elements the same name, so that links to the bibliography
end elsewhere; here each page's names get the page's own in front.
"""

from __future__ import annotations

import shutil
from html import escape
from pathlib import Path
from posixpath import dirname, join, normpath
from string import Template
from urllib.parse import unquote, urlsplit

from lxml import html
from lxml.html import HtmlElement
from playwright.sync_api import Browser, sync_playwright

from tools.bookbuild import BookError
from tools.bookbuild.project import Project

#: Chromium or Chrome as Debian, Ubuntu, Google on Linux and on macOS name it.
_BROWSERS = (
    "chromium", "chromium-browser", "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)  # fmt: skip
#: What only a screen needs.
_DROPPED = (
    "script", "noscript", "button", "input", "a[contains(@class, 'headerlink')]",
    "footer", "div[@id='jb-print-docs-body']", "div[contains(@class, 'prev-next-area')]",
)  # fmt: skip
#: A table that a screen scrolls through or searches: paper shows its beginning.
_LONGEST, _SHOWN = 120, 20
#: Attributes that name elements of the same page.
_NAMING = ("for", "aria-labelledby", "aria-describedby", "aria-controls")
#: Millimetres of an A4 page's width between the margins.
COLUMN = 178
#: Paper takes smaller letters than a screen; the page is laid out wider, then made smaller.
SCALE = 0.82
_TEMPLATES = Path(__file__).with_name("print")
_FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
_FOOT = '<span style="font-size:8px;width:100%;text-align:center" class="pageNumber"></span>'


def find_browser() -> str | None:
    """Return the path of a Chromium or Chrome on this machine; None without one."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def print_pdf(project: Project) -> Path:
    """Print the built book; a figure that did not load, a table wider than paper: BookError."""
    path = find_browser()
    if path is None:
        raise BookError("No Chromium or Chrome was found: install what .ci/apt.txt lists.")
    source, target = write_one_page(project), project.build / "book.pdf"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            _print(browser, source, target)
        finally:
            browser.close()
    return target


def _print(browser: Browser, source: Path, target: Path) -> None:
    column = round(COLUMN / SCALE / 25.4 * 96)
    page = browser.new_page(viewport={"width": column, "height": 1000}, color_scheme="light")
    page.emulate_media(media="print")
    page.goto(source.as_uri(), wait_until="load", timeout=180_000)
    page.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => null)))")
    missing = page.evaluate(
        "[...document.images].filter(i => !i.naturalWidth).map(i => i.getAttribute('src'))"
    )
    if missing:
        raise BookError(f"These figures did not load, the PDF would lack them: {missing}")
    cut = page.evaluate((_TEMPLATES / "fit.js").read_text("utf-8"), column)
    if cut:
        raise BookError("Wider than the paper:\n" + "\n".join(cut))
    page.pdf(
        path=target, scale=SCALE, prefer_css_page_size=True, print_background=True, outline=True,
        tagged=True, display_header_footer=True, header_template="<span></span>",
        footer_template=_FOOT,
    )  # fmt: skip


def write_one_page(project: Project) -> Path:
    """Write ``_build/book.html`` from the built site; pictures stay where they are."""
    site, pages = project.html, project.pages
    for name in pages:
        if not (site / f"{name}.html").is_file():
            raise BookError(f"{site / name}.html is not there: run 'make book' first.")
    trees = {name: html.parse(str(site / f"{name}.html")).getroot() for name in pages}
    first = trees[pages[0]]
    styles = [_inside(link, pages[0]) for link in first.xpath("//link[@rel='stylesheet']/@href")]
    announced = first.xpath("string(//*[contains(@class, 'bd-header-announcement')])")
    page = Template((_TEMPLATES / "book.html").read_text("utf-8")).substitute(
        title=escape(project.config["title"]),
        author=escape(project.config.get("author", "")),
        announcement=escape(" ".join(announced.split())),
        width=COLUMN / SCALE,
        logo=f"{site.name}/_static/{Path(project.config.get('logo', 'logo.svg')).name}",
        styles="\n".join(f'<link rel="stylesheet" href="{site.name}/{one}">' for one in styles),
        contents="\n".join(_contents(project, trees)),
        pages="\n".join(_article(tree, name, pages, site) for name, tree in trees.items()),
    )
    target = project.build / "book.html"
    target.write_text(page, "utf-8")
    return target


def _contents(project: Project, trees: dict[str, HtmlElement]) -> list[str]:
    out = []
    for group in project.toc.get("parts") or [project.toc]:
        if group.get("caption"):
            out.append(f"<h2>{escape(group['caption'])}</h2>")
        rows = []
        for name in (one["file"] for one in group.get("chapters") or []):
            title = escape(trees[name].xpath("string(//article//h1)").rstrip("#").strip())
            rows.append(f'<li><a href="#{_anchor(name, "")}">{title}</a></li>')
        out.append(f"<ul>{''.join(rows)}</ul>")
    return out


def _article(tree: HtmlElement, name: str, pages: list[str], site: Path) -> str:
    article = tree.xpath("//article[contains(@class, 'bd-article')]")[0]
    for node in article.xpath(" | ".join(f".//{what}" for what in _DROPPED)):
        if node.getparent() is not None:
            node.drop_tree()
    for node in article.xpath(".//details"):
        node.set("open", "")
    for body in article.xpath(".//tbody"):
        shorten(body)
    for node in article.iter(html.etree.Element):
        if node.get("id"):
            node.set("id", _anchor(name, node.get("id")))
        for attribute in filter(node.get, _NAMING):
            names = node.get(attribute).split()
            node.set(attribute, " ".join(_anchor(name, one) for one in names))
        if node.tag in ("img", "source") and node.get("src"):
            if not urlsplit(node.get("src")).scheme:
                node.set("src", f"{site.name}/{_inside(node.get('src'), name)}")
            node.attrib.pop("loading", None)
        if node.tag == "a" and node.get("href") is not None:
            _point(node, name, pages)
    article.tag = "section"
    article.set("id", _anchor(name, ""))
    return html.tostring(article, encoding="unicode")


def shorten(body: HtmlElement) -> None:
    """Cut the rows of a very long table, and say how many there are on the page."""
    rows = body.xpath("./tr")
    if len(rows) <= _LONGEST:
        return
    for row in rows[_SHOWN:]:
        row.drop_tree()
    told = f"… and {len(rows) - _SHOWN:,} rows more, on the page in the browser"
    body.append(html.fragment_fromstring(f"<tr><td colspan='{len(rows[0])}'>{told}</td></tr>"))


def _point(link: HtmlElement, name: str, pages: list[str]) -> None:
    """Let a link name its place on the long page; one that leads elsewhere in the site is text."""
    parts = urlsplit(link.get("href"))
    if parts.scheme in ("http", "https", "mailto"):
        return
    page = _inside(parts.path, name).removesuffix(".html") if parts.path else name
    if page in pages and (not parts.path or parts.path.endswith(".html")):
        link.set("href", f"#{_anchor(page, unquote(parts.fragment))}")
        link.attrib.pop("title", None)
    else:
        link.attrib.pop("href")


def _inside(address: str, name: str) -> str:
    """Return a page's relative address from the site's top."""
    return normpath(join(dirname(name), unquote(urlsplit(address).path)))


def _anchor(page: str, identifier: str) -> str:
    return f"{page.replace('/', '-')}--{identifier}"
