"""Parts of pages that are made from what the build knows, where a page asks for them.

A page asks with a Markdown comment on a line of its own, such as ``% generated: chapter-map``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from html import escape
from posixpath import dirname, join, normpath

from bookbuild.api_pages import api_reference
from bookbuild.book import Page
from bookbuild.errors import BookError
from bookbuild.project import Project
from bookbuild.references import short_references
from bookbuild.verdicts import published_table

_ASKS = re.compile(r"^% generated: ([\w-]+)[ \t]*$", re.MULTILINE)


def fill(text: str, name: str, project: Project, pages: list[Page]) -> str:
    """Return a page's text with each request replaced by what it asks for.

    Parameters
    ----------
    text : str
        The Markdown text of a page.
    name : str
        The page's name; links are written from its folder.
    project : Project
        The book.
    pages : list of Page
        The executed chapters.
    """
    makers: dict[str, Callable[[], str]] = {
        "chapter-map": lambda: chapter_map(project, pages, name.count("/")),
        "published": lambda: published_table(
            pages, short_references(project.root / "book/references.bib")
        ),
        "api": api_reference,
        "benchmarks-connectome": lambda: measured(project, "connectome"),
        "benchmarks-cells": lambda: measured(project, "cells"),
        "benchmarks-circuit": lambda: measured(project, "circuit"),
    }
    return _ASKS.sub(lambda match: makers[match.group(1)](), text)


def measured(project: Project, name: str) -> str:
    """Return what a benchmark wrote the last time it was run, as Markdown."""
    path = project.root / "benchmarks" / "results" / f"{name}.md"
    if not path.is_file():
        raise BookError(f"{path.name} is not there: run benchmarks/{name}.py, which writes it.")
    return path.read_text("utf-8")


_LINK = re.compile(r"\]\((?P<path>[^()\s#:]+)\.md(?P<anchor>#[^()\s]*)?\)")


def relink(text: str, name: str, executed: Container[str]) -> str:
    """Let links to chapters name the staged notebooks.

    Parameters
    ----------
    text : str
        The Markdown text of a page.
    name : str
        The page's name, from which its links are relative.
    executed : container of str
        Names of the pages that are staged as notebooks.
    """

    def point(match: re.Match) -> str:
        target = normpath(join(dirname(name), match["path"]))
        suffix = "ipynb" if target in executed else "md"
        return f"]({match['path']}.{suffix}{match['anchor'] or ''})"

    return _LINK.sub(point, text)


def chapter_map(project: Project, pages: list[Page], depth: int) -> str:
    """Return a table of the chapters by part: what each needs, and how long it takes."""
    known = {page.chapter.name: page for page in pages}
    up = "../" * depth
    out = []
    for part in project.toc.get("parts", []):
        rows = []
        for entry in part["chapters"]:
            page = known.get(entry["file"])
            if page is None or "{admonition} At a glance" not in page.chapter.text:
                continue
            minutes, needs = _glance(page.chapter.text, f"{up}{dirname(entry['file'])}")
            title = re.search(r"^# (.+)$", page.chapter.text, re.MULTILINE).group(1)
            link = f"[{title}]({up}{entry['file']}.md)"
            rows.append(f"| {link} | {needs} | {minutes} | {page.run.seconds:.0f} |")
        if rows:
            head = "| chapter | you need | minutes to read | seconds to run |\n|---|---|---|---|\n"
            out.append(f"**{escape(part['caption'])}**\n\n{head}" + "\n".join(rows))
    return "\n\n".join(out)


def _glance(text: str, folder: str) -> tuple[str, str]:
    """Return minutes and needs as *At a glance* states them, links written from the map's place."""
    minutes = re.search(r"\*\*Time\*\*\s*(\d+)", text)
    needs = re.search(r"\*\*You need\*\*\s*(.+)", text)
    words = needs.group(1) if needs else ""
    words = _LINK.sub(
        lambda link: f"]({normpath(join(folder, link['path']))}.md{link['anchor'] or ''})", words
    )
    return (minutes.group(1) if minutes else ""), words.strip().rstrip(".").replace("|", "\\|")
