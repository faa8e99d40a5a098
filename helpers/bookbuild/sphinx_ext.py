"""What the built pages get beyond the theme: right edit links, downloads, tooltips, a 404 page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from bookbuild.mathml import add_mathml

_NOT_FOUND = """<section><h1>This page does not exist</h1>
<p>It may have moved, or the address has a slip.
Try the <a href="{home}">first page</a> or the search field.</p></section>"""


def _point_at_markdown(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Let edit and launch buttons name the committed ``.md``, not the staged notebook."""
    for button in context.get("header_buttons", []):
        for entry in [button, *button.get("buttons", [])]:
            if str(entry.get("url", "")).startswith("http"):
                entry["url"] = entry["url"].replace(f"{pagename}.ipynb", f"{pagename}.md")


def _drop_live_code(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Take away the scripts of thebe, which this book does not use and which call a CDN."""
    seen, kept = set(), []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body") or ""
        if "thebe" in f"{getattr(script, 'filename', '')}{body}".lower() or body in seen:
            continue
        if body:
            seen.add(body)
        kept.append(script)
    context["script_files"] = kept
    context["default_mode"] = "auto"


def _add_page_tools(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """End each page with how to cite it, and each chapter with its notebooks."""
    if doctree is None or not context.get("body"):
        return
    # What a card or a search engine shows of a page is a sentence, without its citations.
    context["metatags"] = re.sub(
        r"\s?\[\s?[^\]\[\"]*\d{4}[a-z]?\s?\]", "", context.get("metatags", "")
    )
    # A list whose children are no list items confuses screen readers.
    context["body"] = context["body"].replace('<div role="list" class="citation-list">', "<div>")
    title, book = escape(_plain(context.get("title", ""))), escape(app.config.html_title)
    year = escape(str(app.config.copyright).split(",")[0])
    address = (
        f"{app.config.html_baseurl.rstrip('/')}/{pagename}.html" if app.config.html_baseurl else ""
    )
    parts = [
        f"<p><strong>Cite this page</strong> {escape(app.config.author)} ({year}). "
        f"<em>{title}</em>. In: {book}. {address}</p>"
    ]
    links = []
    for name, text in (
        (f"{pagename}-student.ipynb", "without solutions"),
        (f"{pagename}.ipynb", "with solutions"),
    ):
        if (Path(app.srcdir) / "book/_static/downloads" / name).is_file():
            target = context["pathto"](f"_static/downloads/{name}", resource=True)
            links.append(f'<a href="{target}" download>{text}</a>')
    if links:
        parts.append(f"<p><strong>Notebook</strong> {' · '.join(links)}</p>")
    context["body"] += f'<footer class="page-tools">{"".join(parts)}</footer>'


def _explain_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Show a glossary term's definition when the pointer rests on it."""
    glossary = app.env.get_doctree("book/glossary") if _has_glossary(app) else None
    if glossary is None:
        return
    told = {
        identifier: item.next_node(nodes.definition).astext()
        for item in glossary.findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for identifier in term["ids"]
    }
    for link in doctree.findall(nodes.reference):
        identifier = str(link.get("refuri", "")).partition("#")[2] or link.get("refid", "")
        if identifier in told:
            link["reftitle"] = " ".join(told[identifier].split())


def _has_glossary(app: Sphinx) -> bool:
    return "book/glossary" in app.env.found_docs


def _base_of_not_found(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """Let the 404 page find its styles from whatever depth a server shows it at."""
    if pagename == "404" and app.config.html_baseurl:
        base = f'<base href="{escape(app.config.html_baseurl.rstrip("/"))}/">'
        context["metatags"] = base + context.get("metatags", "")


def _not_found(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    home = app.config.html_baseurl or "index.html"
    yield "404", {"title": "Not found", "body": _NOT_FOUND.format(home=escape(home))}, "page.html"


def _plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; after the theme, which fills its buttons at its own priority."""
    add_mathml(app)
    app.connect("html-page-context", _point_at_markdown, priority=900)
    app.connect("html-page-context", _drop_live_code, priority=900)
    app.connect("html-page-context", _add_page_tools, priority=900)
    app.connect("html-page-context", _base_of_not_found, priority=900)
    app.connect("doctree-resolved", _explain_terms)
    app.connect("html-collect-pages", _not_found)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
