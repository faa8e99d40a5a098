"""The portal's fact sheet pages: from HTML to plain facts, whatever the sheet is about.

Every sheet is a list of ``<dt>`` labels and ``<dd>`` values under ``<h6>`` headings.  A value
is a text with a unit, or a table of bars (one named count a row).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nmc.errors import FormatError
from nmc.factsheets import numbers


@dataclass(frozen=True)
class Bar:
    """One row of a bar table: a name, its printed value and unit."""

    name: str
    text: str
    unit: str


@dataclass(frozen=True)
class Fact:
    """One entry of a sheet: where it stands, its label, its printed value or bars."""

    section: str
    label: str
    text: str
    unit: str
    bars: tuple[Bar, ...] = ()


def open_page(path: Path):
    """Parse a page and return its root element.

    Raises
    ------
    FormatError
        When the file holds no HTML.
    """
    from lxml import etree, html

    try:
        # The pages are UTF-8 and most of them do not say so.
        root = html.fromstring(Path(path).read_bytes(), parser=html.HTMLParser(encoding="utf-8"))
    except (etree.LxmlError, ValueError) as error:
        raise FormatError(
            f"{path}: no HTML page ({error}); remove it and fetch it again."
        ) from error
    return root


def read_facts(path: Path) -> list[Fact]:
    """Return every fact of a page in its order; a page without any gives an empty list."""
    return list(facts_of(open_page(path)))


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


def check_unit(path: Path, fact: Fact, unit: str, *, of: str = "") -> None:
    """Refuse a value whose unit is not the expected one.

    Parameters
    ----------
    path : pathlib.Path
        The page, and `of` what on it the fact is about: both are named in the error.
    fact : Fact
        One entry of the page.
    unit : str
        The unit that should be printed.

    Raises
    ------
    FormatError
        When another unit is printed.
    """
    if fact.unit != unit:
        raise FormatError(
            f"{_place(path, fact, of)}: the unit {fact.unit!r} stands where {unit!r} should."
        )


def value_of(path: Path, fact: Fact, unit: str, *, of: str = "") -> float:
    """Return a fact's number, given in the expected unit; parameters as for `check_unit`.

    Raises
    ------
    FormatError
        When another unit is printed, or the text is no number.
    """
    check_unit(path, fact, unit, of=of)
    try:
        return float(numbers.parse_number(fact.text).value)
    except ValueError as error:
        raise FormatError(f"{_place(path, fact, of)}: {error}.") from error


def _place(path: Path, fact: Fact, of: str) -> str:
    return f"{path}: {of}, {fact.label!r}" if of else f"{path}: {fact.label!r}"


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
