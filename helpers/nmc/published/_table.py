"""How a comparison shows itself: a table that fits a page's column, and a phone."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import pandas as pd

from nmc.published import _shown

#: Without these it is some other table, and looks like one.
_NEEDED = ("claim", "published", "recomputed", "verdict")
#: Vectors longer than this are cut in the page, never in the data.
_SHOWN = 16


class Comparison(pd.DataFrame):
    """Printed and recomputed numbers, a row a claim.

    A `pandas.DataFrame` in every respect; in a notebook it shows the claim with its key and where
    it is printed in one cell, and numbers as a paper prints them.
    """

    @property
    def _constructor(self) -> type[Comparison]:
        return Comparison

    def _repr_html_(self) -> str | None:
        if not set(_NEEDED) <= set(self.columns):
            return pd.DataFrame(self)._repr_html_()
        heads = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in _NEEDED)
        rows = [_row(key, row) for key, row in self.to_dict("index").items()]
        return (
            f'<table class="nmc-comparison"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>{_sources(self)}"
        )


_LEFT = 'style="text-align:left;vertical-align:top"'


def _row(key: str, row: dict[str, Any]) -> str:
    from nmc.published import claims

    unit = _text(row.get("unit"))
    paper = _text(row.get("citation"))
    where = ": ".join(filter(None, (_shown.PAPERS.get(paper, paper), _text(row.get("where")))))
    small = [f"<code>{escape(str(key))}</code>", escape(where)]
    claim = escape(_text(row["claim"])) + "".join(f"<br><small>{s}</small>" for s in small if s)
    printed, found = row["published"], row["recomputed"]
    published = "" if _missing(printed) else _joined(_shown.shown_printed(printed), unit)
    if published and _text(row.get("tolerance")):
        published += f"<br><small>{escape(_text(row['tolerance']))}</small>"
    known = claims().get(key)
    recomputed = "" if _missing(found) else _joined(_shown.shown_recomputed(found, known), unit)
    cells = (claim, published, recomputed, escape(_text(row["verdict"])))
    return "<tr>" + "".join(f"<td {_LEFT}>{cell}</td>" for cell in cells) + "</tr>"


def _sources(table: pd.DataFrame) -> str:
    """Name the sources once, below the table: they rarely differ between its rows."""
    if "source" not in table:
        return ""
    named = (_text(source).removeprefix("Data: ") for source in table["source"])
    told = "; ".join(dict.fromkeys(named))
    return f"<p><small>Recomputed from: {escape(told)}</small></p>" if told else ""


def _text(value: Any) -> str:
    return "" if _missing(value) else str(value)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _joined(numbers: list[str], unit: str) -> str:
    text = "; ".join(numbers[:_SHOWN]) + ("; …" if len(numbers) > _SHOWN else "")
    return escape(f"{text} {unit}".strip())
