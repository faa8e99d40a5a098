"""Small pieces of HTML in the structure of the portal's fact sheets.

Labels stand in ``dt``, values in ``dd.factsheet-value`` with a ``span.factsheet-unit``, lists in
tables of ``div.smwbar`` and ``span.smwbarvalue``: what a reader of those pages relies on.  Texts
and styling are the sample's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

NOTE = '<p class="nmc-invented">Synthetic sample: every number is invented.</p>'


def printed(value: float, digits: int = 5) -> str:
    """A number as the sheets print it: significant digits, thousands separated."""
    number = float(f"{value:.{digits}g}")
    if number.is_integer():
        return f"{int(number):,}"
    return f"{number:,.10f}".rstrip("0")


def fact(label: str, value: str, unit: str = "") -> str:
    """One label with its value and unit."""
    return (
        f'<dt> <span class="smw-tooltip" title="{escape(label)}">{escape(label)}'
        '<sup class="smw-tooltip-hint">?</sup></span> </dt> '
        f'<dd class="factsheet-value">{escape(value)} '
        f'<span class="factsheet-unit">{unit}</span> </dd>'
    )


def bars(label: str, values: Mapping[str, float], unit: str = "") -> str:
    """One label with a table of named values."""
    rows = "".join(
        f'<tr> <td> <div class="smwbar">{escape(name)}</div> </td> <td><span class="smwbarvalue">'
        f'{printed(value, 8)}</span> <span class="factsheet-unit">{unit}</span></td> </tr> '
        for name, value in values.items()
    )
    return (
        f'<dt> <span class="smw-tooltip" title="{escape(label)}">{escape(label)}'
        '<sup class="smw-tooltip-hint">?</sup></span> </dt> '
        f'<dd> <table class="table smwbartable"> {rows}</table> </dd>'
    )


def section(title: str, facts: Iterable[str]) -> str:
    """A heading with its facts."""
    head = f"<h6>{escape(title)}</h6> " if title else ""
    return f'{head}<dl class="dl-horizontal"> {" ".join(facts)} </dl>'


def sheet(title: str, sections: Iterable[str]) -> str:
    """A whole fact sheet: title, panel, sections."""
    body = " ".join(sections)
    return (
        f'<div> <h3> {escape(title)}</h3> <div class="smw-panel-highlight"> {body} </div> '
        f"{NOTE} </div>\n"
    )


def document(title: str, body: str) -> str:
    """A page that stands alone."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>\n<body>\n{body}</body>\n</html>\n"
    )
