"""From chapters with outputs to HTML, by Jupyter Book with warnings as errors; and to one PDF."""

import base64
import os
import shutil
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from lxml import html
from lxml.html import HtmlElement
from playwright.sync_api import Browser, sync_playwright

from tools.bookbuild import BookError
from tools.bookbuild.execute import Page, Store, write_notebook
from tools.bookbuild.notebooks import plain_notebook
from tools.bookbuild.pages import announcement, filled
from tools.bookbuild.project import Project, colab_address


def render(
    project: Project, pages: list[Page], store: Store, source: str, *, only: str | None = None
) -> Path:
    """Build the book's HTML (or `only` one page) and put it in place; returns the page to open."""
    site = call_jupyter_book(project, pages, store, source, "html", only)
    shutil.rmtree(site / "_static/downloads", ignore_errors=True)
    for left in (site / "book").rglob("*.html"):
        if left.relative_to(site).with_suffix("").as_posix() not in project.pages:
            left.unlink()
    for page in pages:
        for ending, solutions in (("", True), ("-student", False)):
            plain = plain_notebook(page.chapter, project, solutions=solutions)
            write_notebook(plain, site / f"_static/downloads/{page.chapter.name}{ending}.ipynb")
    if card := _card(pages):
        (site / "_static/card.png").write_bytes(card)
    if only:
        return site / f"{only}.html"
    if any("explorer/" in page.text for page in project.documents.values()):
        command = [sys.executable, "-m", "nmc", "explorer", str(site / "explorer")]
        environment = os.environ | {"NMC_SOURCE": source}
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode:
            raise BookError("The fact sheet explorer could not be made.")
    new = project.html.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(site, new)
    shutil.rmtree(project.html, ignore_errors=True)
    new.rename(project.html)
    return project.html / "index.html"


def call_jupyter_book(
    project: Project, pages: list[Page], store: Store, source: str, builder: str,
    only: str | None = None,
) -> Path:  # fmt: skip
    """Call Jupyter Book with the settings that only a build knows; returns where the pages are.

    Warnings of a whole book, and addresses that do not answer (``linkcheck``), are a BookError.
    """
    work = project.build / ("one-page" if only else f"jupyter-book-{builder}")
    work.mkdir(parents=True, exist_ok=True)
    config = _config(project, pages, store, source)
    if only:
        config["sphinx"]["config"]["suppress_warnings"] += ["myst.xref_missing", "ref.*"]
    (work / "config.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    toc = project.root / "_toc.yml"
    if only:
        others = [page for page in ("book/glossary", "book/bibliography") if page in project.pages]
        some: dict = {"format": "jb-book", "root": only}
        some |= {"chapters": [{"file": one} for one in others]} if others else {}
        toc = work / "toc.yml"
        toc.write_text(yaml.safe_dump(some, sort_keys=False), "utf-8")
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", str(project.root),
        "--config", str(work / "config.yml"), "--toc", str(toc),
        "--path-output", str(work), "--builder", builder, "-q",
    ]  # fmt: skip
    if builder == "html" and not only:
        command += ["-W", "--keep-going"]
    # Sphinx imports the extension of this package.
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path}
    done = subprocess.run(
        command, cwd=work, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        # Sphinx believes it is done with pages it warned of: begin anew next time.
        shutil.rmtree(work, ignore_errors=True)
        lines = done.stdout.splitlines()
        warnings = [line for line in lines if "WARNING" in line or "ERROR" in line]
        raise BookError("\n".join(["Jupyter Book failed:", *warnings, "", *lines[-60:]]))
    return work / "_build" / "html"


def _config(project: Project, pages: list[Page], store: Store, source: str) -> dict:
    """Return the configuration with outputs' place, header, buttons and card."""
    config = deepcopy(project.config)
    config["execute"] |= {"execute_notebooks": "cache", "cache": str(store.folder)}
    looks, sphinx = config.setdefault("html", {}), config["sphinx"]["config"]
    looks["announcement"] = (
        f"{announcement(source, pages)} · built {datetime.now(UTC).date().isoformat()}"
    )
    if "Documentation" in project.urls:
        looks["baseurl"] = sphinx["ogp_site_url"] = project.urls["Documentation"].rstrip("/") + "/"
    if _card(pages):
        sphinx["ogp_image"] = "_static/card.png"
    if "Repository" in project.urls:
        config["repository"]["url"] = project.urls["Repository"]
        for part, values in yaml.safe_load(filled("published.yml")).items():
            config.setdefault(part, {}).update(values)
        if colab_address(project.urls, ""):  # live code knows GitHub alone, too
            config["launch_buttons"]["thebe"] = True
            sphinx["extensions"].append("sphinx_thebe")
    else:
        del config["repository"]
    return config


def _card(pages: list[Page]) -> bytes | None:
    """Return the landing page's figure as pixels, for the card that shows when a link is shared."""
    for cell in pages[0].notebook.cells if pages else []:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output["data"]["image/png"])
    return None


# The whole book as one PDF ----------------------------------------------------------------------

# Printed by a headless Chromium from one long page: a browser prints the very pages readers see,
# figures as vectors, tables and folded solutions included, and needs no TeX of gigabytes.  Sphinx's
# own long page gives several elements the same name; here each gets its page's in front.

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
    cut = page.evaluate(filled("fit.js"), column)
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
    trees = {name: html.parse(str(site / f"{name}.html")).getroot() for name in pages}
    for name, tree in trees.items():
        tree.make_links_absolute(f"/{name}.html")  # from the site's top
    first = trees[pages[0]]
    (contents,) = first.xpath("//nav[contains(@class, 'bd-docs-nav')]")
    for link in contents.iter("a"):
        _point(link, pages)
    announced = first.xpath("string(//*[contains(@class, 'bd-header-announcement')])")
    links = first.xpath("//link[@rel='stylesheet']/@href")
    target = project.build / "book.html"
    text = filled(
        "book.html", title=project.config["title"], author=project.config["author"],
        announcement=" ".join(announced.split()), width=COLUMN / SCALE, site=site.name,
        logo=Path(project.config["logo"]).name, styles=links,
        contents="".join(html.tostring(part, encoding="unicode") for part in contents),
        pages=[_article(tree, name, pages, site.name) for name, tree in trees.items()],
    )  # fmt: skip
    target.write_text(text, "utf-8")
    return target


def _article(tree: HtmlElement, name: str, pages: list[str], site: str) -> str:
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
                node.set("src", site + node.get("src"))
            node.attrib.pop("loading", None)
        if node.tag == "a" and node.get("href"):
            _point(node, pages)
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


def _point(link: HtmlElement, pages: list[str]) -> None:
    """Let a link name its place on the long page; one that leads elsewhere in the site is text."""
    parts = urlsplit(link.get("href"))
    page = unquote(parts.path).strip("/").removesuffix(".html")
    if page in pages and not parts.scheme:
        link.set("href", f"#{_anchor(page, unquote(parts.fragment))}")
        link.attrib.pop("title", None)
    elif parts.scheme not in ("http", "https", "mailto"):
        link.attrib.pop("href")


def _anchor(page: str, identifier: str) -> str:
    return f"{page.replace('/', '-')}--{identifier}"
