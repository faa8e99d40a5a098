"""The built site's pages as one long page, in the book's order: what the PDF is printed from.

Sphinx has a builder for one long page, but it gives several elements the same name, so that
links to the bibliography end elsewhere; here each page's names get the page's own in front.
"""

from __future__ import annotations

from html import escape
from pathlib import Path, PurePosixPath
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

from lxml import html
from lxml.html import HtmlElement

from bookbuild.errors import BookError
from bookbuild.project import Project

#: What only a screen needs.
_DROPPED = (
    "script", "noscript", "button", "input", "a[contains(@class, 'headerlink')]",
    "footer", "div[@id='jb-print-docs-body']", "div[contains(@class, 'prev-next-area')]",
)  # fmt: skip
#: A table that a screen scrolls through or searches: paper shows its beginning.
_LONGEST, _KEPT = 120, 20
#: Attributes that name elements of the same page.
_NAMING = ("for", "aria-labelledby", "aria-describedby", "aria-controls")
_PAGE = """<!doctype html>
<html lang="en" data-theme="light" data-mode="light">
<head><meta charset="utf-8"><title>{title}</title>
{styles}
</head>
<body><main class="bd-main nmc-print">
<section class="nmc-title">
<img src="{logo}" alt=""><h1>{title}</h1><p>{author}</p><p>{announcement}</p>
<p>Text and figures made from the sample: CC BY 4.0. Code: BSD 3-clause.
Figures made from the portal's data carry the portal's non-commercial terms.</p>
</section>
<nav class="nmc-contents"><h1>Contents</h1>{contents}</nav>
{pages}
</main></body></html>
"""


def write_one_page(project: Project) -> Path:
    """Write ``_build/book.html`` from the built site; pictures stay where they are.

    Returns
    -------
    Path
        The page, in the folder above the site's.

    Raises
    ------
    BookError
        If the site is not built, or lacks a page of the table of contents.
    """
    site = project.html
    known = {name: site / f"{name}.html" for name in project.pages}
    for path in known.values():
        if not path.is_file():
            raise BookError(f"{path} is not there: run 'make book' first.")
    trees = {name: html.parse(str(path)).getroot() for name, path in known.items()}
    first = trees[project.pages[0]]
    announcement = first.xpath("string(//*[contains(@class, 'bd-header-announcement')])")
    page = _PAGE.format(
        title=escape(project.config["title"]),
        author=escape(project.config.get("author", "")),
        announcement=escape(" ".join(announcement.split())),
        logo=f"{site.name}/_static/{Path(project.config.get('logo', 'logo.svg')).name}",
        styles="\n".join(_styles(first, project.pages[0], site.name)),
        contents=_contents(project, trees),
        pages="\n".join(_article(tree, name, known, site) for name, tree in trees.items()),
    )
    target = project.build / "book.html"
    target.write_text(page, "utf-8")
    return target


def _styles(tree: HtmlElement, name: str, site: str) -> list[str]:
    links = tree.xpath("//link[@rel='stylesheet']/@href")
    return [f'<link rel="stylesheet" href="{site}/{_inside(link, name)}">' for link in links]


def _contents(project: Project, trees: dict[str, HtmlElement]) -> str:
    def entry(name: str) -> str:
        title = trees[name].xpath("string(//article//h1)").rstrip("#").strip()
        return f'<li><a href="#{_anchor(name, "")}">{escape(title)}</a></li>'

    out = []
    groups = project.toc.get("parts") or [project.toc]
    for group in groups:
        caption = group.get("caption")
        rows = "".join(entry(one["file"]) for one in group["chapters"])
        out.append((f"<h2>{escape(caption)}</h2>" if caption else "") + f"<ul>{rows}</ul>")
    return "\n".join(out)


def _article(tree: HtmlElement, name: str, known: dict[str, Path], site: Path) -> str:
    article = tree.xpath("//article[contains(@class, 'bd-article')]")[0]
    for what in _DROPPED:
        for node in article.xpath(f".//{what}"):
            node.drop_tree()
    for node in article.xpath(".//details"):
        node.set("open", "")
    for body in article.xpath(".//tbody"):
        _shorten(body)
    for node in article.iter(html.etree.Element):
        if node.get("id"):
            node.set("id", _anchor(name, node.get("id")))
        for attribute in _NAMING:
            if node.get(attribute):
                names = node.get(attribute).split()
                node.set(attribute, " ".join(_anchor(name, one) for one in names))
        if node.tag in ("img", "source") and node.get("src"):
            node.set("src", _source(node.get("src"), name, site))
            node.attrib.pop("loading", None)
        if node.tag == "a" and node.get("href") is not None:
            _point(node, name, known)
    article.tag = "section"
    article.set("id", _anchor(name, ""))
    return html.tostring(article, encoding="unicode")


def _shorten(body: HtmlElement) -> None:
    """Cut the rows of a very long table, and say how many there are on the page."""
    rows = body.xpath("./tr")
    if len(rows) <= _LONGEST:
        return
    for row in rows[_KEPT:]:
        row.drop_tree()
    told = f"… and {len(rows) - _KEPT:,} rows more, on the page in the browser"
    body.append(html.fragment_fromstring(f"<tr><td colspan='{len(rows[0])}'>{told}</td></tr>"))


def _point(link: HtmlElement, name: str, known: dict[str, Path]) -> None:
    """Let a link name its place on the long page; one that leads elsewhere in the site is text."""
    parts = urlsplit(link.get("href"))
    if parts.scheme in ("http", "https", "mailto"):
        return
    page = _inside(parts.path, name).removesuffix(".html") if parts.path else name
    if page in known and not (parts.path and not parts.path.endswith(".html")):
        link.set("href", f"#{_anchor(page, unquote(parts.fragment))}")
        link.attrib.pop("title", None)
    else:
        link.attrib.pop("href")


def _source(address: str, name: str, site: Path) -> str:
    if urlsplit(address).scheme:
        return address
    inside = _inside(address, name)
    if not (site / inside).is_file():
        raise BookError(f"{name} shows {inside}, which the site does not have.")
    return f"{site.name}/{inside}"


def _inside(address: str, name: str) -> str:
    """Return a page's relative address from the site's top."""
    path = unquote(urlsplit(address).path)
    return str(PurePosixPath(normpath(join(dirname(name), path))))


def _anchor(page: str, identifier: str) -> str:
    return f"{page.replace('/', '-')}--{identifier}"
