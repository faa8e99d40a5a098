"""What pages get beyond the theme: generated parts, equations, tooltips, a foot."""

import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.math import get_node_equation_number

from tools.bookbuild.execute import Page, Store
from tools.bookbuild.pages import (
    ASKS,
    GALLERY,
    QUIZ,
    best_figure,
    fill,
    filled,
    picture_name,
    quiz_box,
    run_note,
)
from tools.bookbuild.project import Project, colab_address

_NOT_FOUND = """<section><h1>This page does not exist</h1>
<p>It may have moved, or the address has a slip.
Try the <a href="{home}">first page</a> or the search field.</p></section>"""


class Chapters:
    """What the build knows of the chapters, for the events that need it."""

    project: Project
    pages: dict[str, Page]

    def load(self, app: Sphinx) -> None:
        """Look up each chapter's last run, in the book's order."""
        self.project = Project(Path(app.srcdir))
        store = Store(Path(app.config.nb_execution_cache_path))
        found = [store.find(chapter) for chapter in self.project.chapters]
        self.pages = {one.chapter.name: one for one in found if one}
        place = self.project.root / GALLERY
        place.mkdir(parents=True, exist_ok=True)
        for name, page in self.pages.items():
            if figure := best_figure(page.notebook):
                (place / picture_name(name)).write_bytes(figure[1])

    def outdated(self, app: Sphinx, env: BuildEnvironment, *_: set[str]) -> list[str]:
        """Name the pages whose text is the same and whose outputs or tables may be not."""
        now = {name: page.run.finished for name, page in self.pages.items()}
        before = getattr(env, "nmc_runs", {})
        env.nmc_runs = now  # type: ignore[attr-defined]  # Sphinx keeps it with the environment
        documents = self.project.documents
        asking = [name for name, page in documents.items() if ASKS.search(page.text)]
        changed = [name for name in now if now[name] != before.get(name)]
        return [name for name in {*changed, *asking} if name in env.found_docs]

    def add_generated(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Put tables and questions in place; end a chapter with what is known of its run."""
        text = fill(source[0], docname, self.project, list(self.pages.values()))
        source[0] = QUIZ.sub(quiz_box, text)
        if docname in self.pages:
            source[0] += run_note(self.pages[docname])

    def add_foot(
        self, app: Sphinx, pagename: str, template: str, context: dict, doctree: nodes.document
    ) -> None:
        """End each page with how to cite it, and each chapter with its notebooks."""
        base = app.config.html_baseurl.rstrip("/")
        if pagename == "404" and base:  # it finds its styles from whatever depth it is shown at
            context["metatags"] = f'<base href="{escape(base)}/">' + context.get("metatags", "")
        if doctree is None or not context.get("body"):
            return
        # What a card or a search engine shows of a page is a sentence, without its citations.
        context["metatags"] = re.sub(
            r"\s?\[\s?[^\]\[\"]*\d{4}[a-z]?\s?\]", "", context.get("metatags", "")
        )
        # A list whose children are no list items confuses screen readers.
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', "<div>"
        )
        known, path = pagename in self.pages, f"_static/downloads/{pagename}"
        context["body"] += filled(
            "foot.html",
            author=app.config.author,
            year=str(app.config.copyright).split(",")[0],
            title=unescape(re.sub(r"<[^>]+>", "", context.get("title", ""))),
            book=app.config.html_title,
            address=f"{base}/{pagename}.html" if base else "",
            notebook=known and context["pathto"](f"{path}.ipynb", resource=True),
            student=known and context["pathto"](f"{path}-student.ipynb", resource=True),
            colab=known and colab_address(self.project.urls, pagename),
        )


def _explain_terms(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Show a glossary term's definition when the pointer rests on it."""
    if "book/glossary" not in app.env.found_docs:
        return
    told = {
        identifier: item.next_node(nodes.definition).astext()
        for item in app.env.get_doctree("book/glossary").findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for identifier in term["ids"]
    }
    for link in doctree.findall(nodes.reference):
        identifier = str(link.get("refuri", "")).partition("#")[2] or link.get("refid", "")
        if identifier in told:
            link["reftitle"] = " ".join(told[identifier].split())


def _short_signature(app: Sphinx, what: str, name: str, thing, options, signature, returns):
    """Leave out of a call what no caller gives: parameters that begin with an underscore."""
    return signature and re.sub(r", _\w+(=[^,()]+)?", "", signature), returns


def _not_found(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    home = app.config.html_baseurl or "index.html"
    yield "404", {"title": "Not found", "body": _NOT_FOUND.format(home=escape(home))}, "page.html"


# Equations as MathML: browsers draw them themselves, without a script or a network.


def _inline_equation(writer: Any, node: nodes.Element) -> None:
    mathml = convert(node.astext().strip(), display="inline")
    writer.body.append(f'<span class="math">{mathml}</span>')
    raise nodes.SkipNode


def _displayed_equation(writer: Any, node: nodes.Element) -> None:
    identifier = f' id="{node["ids"][0]}"' if node["ids"] else ""
    number = ""
    if node["number"]:
        number = f'<span class="eqno">({get_node_equation_number(writer, node)})</span>'
    mathml = convert(node.astext().strip(), display="block")
    writer.body.append(f'<div class="math"{identifier}>{number}{mathml}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; after the theme, which fills its buttons at its own priority."""
    app.add_html_math_renderer("mathml", (_inline_equation, None), (_displayed_equation, None))
    chapters = Chapters()
    app.connect("builder-inited", chapters.load)
    app.connect("env-get-outdated", chapters.outdated)
    app.connect("source-read", chapters.add_generated)
    app.connect("html-page-context", chapters.add_foot, priority=900)
    app.connect("doctree-resolved", _explain_terms)
    app.connect("autodoc-process-signature", _short_signature)
    app.connect("html-collect-pages", _not_found)
    return {"version": "3", "parallel_read_safe": True, "parallel_write_safe": True}
