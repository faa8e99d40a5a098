"""The portal's fact sheet pages: from HTML to plain facts, whatever the sheet is about.

Every sheet is a list of ``<dt>`` labels and ``<dd>`` values under ``<h6>`` headings.  A value
is a text with a unit, or a table of bars (one named number a row).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nmc.errors import FormatError
from nmc.factsheets.sheets import Bar, Fact, once


def open_page(path: Path, content: bytes):
    """Parse a page and return its root element.

    Raises
    ------
    FormatError
        When the file holds no HTML.
    """
    from lxml import etree, html

    try:
        # The pages are UTF-8 and most of them do not say so.
        root = html.document_fromstring(content, parser=html.HTMLParser(encoding="utf-8"))
    except (etree.LxmlError, ValueError) as error:
        raise FormatError(
            f"{path}: no HTML page ({error}); remove it and fetch it again."
        ) from error
    return root


@once
def read_facts(path: Path, content: bytes) -> tuple[Fact, ...]:
    """Return every fact of a page in its order; a page without any gives none."""
    return tuple(facts_of(open_page(path, content)))


def facts_of(root) -> Iterator[Fact]:
    """Yield the facts below an element in document order."""
    section = label = ""
    for node in root.iter("h6", "dt", "dd"):
        if node.tag == "h6":
            section = text_of(node)
        elif node.tag == "dt":
            label = _label(node)
        elif has_class(node, "factsheet-value"):
            yield Fact(section, label, _own_text(node), _unit(node))
        elif node.find_class("smwbarvalue"):
            yield Fact(section, label, "", "", tuple(_bars(node)))


def text_of(node) -> str:
    """Text of an element with white space made single."""
    return " ".join(node.text_content().split())


def has_class(node, name: str) -> bool:
    """Whether an element carries a CSS class."""
    return name in node.get("class", "").split()


def _label(node) -> str:
    parts = [node.text or ""]
    for child in node.iterdescendants():
        if child.tag != "sup":  # the question mark of a tooltip
            parts.append(child.text or "")
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _own_text(node) -> str:
    """Text of a value before its unit; an unclosed ``<dd>`` may be followed by more."""
    return " ".join((node.text or "").split())


def _unit(node) -> str:
    return next((text_of(span) for span in node.find_class("factsheet-unit")), "")


def _bars(node) -> Iterator[Bar]:
    for row in node.iter("tr"):
        name, value = row.find_class("smwbar"), row.find_class("smwbarvalue")
        if name and value:
            yield Bar(text_of(name[0]), text_of(value[0]), _unit(row))
