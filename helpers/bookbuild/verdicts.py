"""The last chapter's table: every printed number beside what the chapters recomputed."""

from __future__ import annotations

from collections import Counter
from html import escape

from lxml import html
from nmc.published._shown import shown_printed, shown_recomputed

from bookbuild.book import Page

#: Bibliography key → short name and address.
References = dict[str, tuple[str, str]]

_NEEDS = {
    "instance": "needs the full file: a whole connectome instance",
    "extract": "needs a connectome extract",
    "package": "needs the model package",
    "sheet": "needs the fact sheet",
}


def published_table(pages: list[Page], references: References | None = None) -> str:
    """Return every claim of `nmc.published` as a row of one HTML table.

    A claim that an executed chapter recomputed carries that value, its source and its verdict;
    the others say what they wait for.

    Parameters
    ----------
    pages : list of Page
        The executed chapters.
    references : dict, optional
        Bibliography key → short name and address.
    """
    references = references or {}
    from nmc.published import claims

    found: dict[str, tuple[dict, Page]] = {}
    for page in pages:
        for row in page.results:
            found.setdefault(row["key"], (row, page))
    known = claims().values()
    rows = [_row(one, *found.get(one.key, (None, None)), references) for one in known]
    counted = {key: pair for key, pair in found.items() if key not in claims()}
    rows += [_row(_counted(result), result, page, references) for result, page in counted.values()]
    head = "".join(
        f"<th scope='col'>{name}</th>"
        for name in (
            "claim", "printed", "recomputed", "unit", "tolerance", "verdict", "chapter",
            "source", "printed in",
        )
    )  # fmt: skip
    return _summary(rows) + (
        '<div class="nmc-table-box wide"><table class="nmc-table">'
        f"<thead><tr>{head}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _counted(result: dict):
    """Give a row that counts many printed numbers the form of a claim; see `compare_many`."""
    from nmc.published import Claim

    fields = ("key", "claim", "citation", "where", "unit")
    return Claim(value=result["published"], needs="", **{name: result[name] for name in fields})


def _row(claim, result: dict | None, page: Page | None, references: References) -> str:
    where = _where(claim, *references.get(claim.citation, (claim.citation, "")))
    if result is None:
        cells = ["", claim.unit, "", _unchecked(claim), "", "", where]
    else:
        verdict = result["verdict"]
        if verdict == "differs":
            verdict = f"differs: {claim.reason or 'no reason is known yet'}"
        title = page.chapter.name.rsplit("/", 1)[-1].replace("-", " ")
        link = f'<a href="{page.chapter.name.removeprefix("book/")}.html">{escape(title)}</a>'
        found = _joined(shown_recomputed(result["recomputed"], claim))
        source = result["source"].removeprefix("Data: ")
        cells = [found, claim.unit, result["tolerance"], verdict, link, source, where]
    texts = [claim.claim, _joined(shown_printed(claim.value)), *cells]
    return "<tr>" + "".join(f"<td>{_cell(text)}</td>" for text in texts) + "</tr>"


def _where(claim, name: str, address: str) -> str:
    told = escape(claim.where + (f" ({claim.secondary})" if claim.secondary else ""))
    paper = f'<a href="{escape(address)}">{escape(name)}</a>' if address else escape(name)
    return f"<span>{paper}: {told}</span>"


def _unchecked(claim) -> str:
    """Say why no chapter of this build recomputed a claim."""
    if claim.status == "not available":
        return f"not reproducible: {claim.reason}"
    return _NEEDS.get(claim.needs, f"needs {claim.needs}")


def _summary(rows: list[str]) -> str:
    """Count the rows by the first words of their verdicts."""
    verdicts = [html.fromstring(f"<table>{row}</table>").xpath("string(.//td[6])") for row in rows]
    kinds = Counter(verdict.partition(":")[0] for verdict in verdicts)
    told = "; ".join(f"{kind}: {number}" for kind, number in kinds.most_common())
    return f"<p>{len(rows)} rows. {escape(told)}.</p>\n"


def _cell(text: str) -> str:
    return text if str(text).startswith(("<a ", "<span>")) else escape(str(text))


def _joined(numbers: list[str]) -> str:
    return "; ".join(numbers)
