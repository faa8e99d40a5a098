"""What the literature and the portal print, and how our numbers compare.

The claims stand in the ``*.toml`` files of this folder, one section a claim::

    [neurons]
    claim = "neurons in the microcircuit"
    value = 31346
    unit = ""
    tolerance = 0          # absolute; or relative = 0.01
    citation = "markram2015"
    where = "circuit fact sheet"
    needs = "sheet"        # what data a recomputation needs: sheet, package, extract, instance
    instance = "mc2"       # which connectome instance it was printed of; left out if of none

Values of single models are not here: they are read from the fact sheets through the source.
"""

from __future__ import annotations

import csv
import json
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from nmc.data import provenance, registry
from nmc.errors import FormatError, UnknownNameError
from nmc.recomputed import recorded

#: A folder; when set, `compare` keeps each comparison there as a JSON line for the last chapter.
RESULTS_ENV = "NMC_RESULTS"


@dataclass(frozen=True)
class Claim:
    """One printed number (or short vector of numbers) and where it is printed."""

    key: str
    claim: str
    value: float | tuple[float, ...]
    citation: str
    where: str
    needs: str  #: what data a recomputation needs; nothing of a count of many (`compare_many`)
    unit: str = ""
    tolerance: float = 0.0
    relative: float = 0.0
    status: str = "printed"
    secondary: str = ""
    reason: str = ""
    instance: str = ""

    def allows(self, recomputed: float | Iterable[float]) -> bool:
        """Whether a recomputed value lies within the tolerance, element by element."""
        want = self.value if isinstance(self.value, tuple) else (self.value,)
        got = tuple(recomputed) if isinstance(recomputed, Iterable) else (recomputed,)
        return len(want) == len(got) and all(
            abs(g - w) <= max(self.tolerance, self.relative * abs(w)) + 1e-12
            for w, g in zip(want, got, strict=True)
        )


#: Verdicts where none can be given: see `verdict`.
INVENTED, MIXED = "invented data", "one side invented"


def verdict(agrees: bool, *invented: bool) -> str:
    """Return *agrees* or *differs*, or why neither can be said.

    What is invented proves nothing, least of all beside something real.
    """
    if any(invented):
        return INVENTED if all(invented) else MIXED
    return "agrees" if agrees else "differs"


def says_invented(thing: Any) -> bool:
    """Whether a result says it is invented; where silent, whether any file read here is."""
    told = getattr(thing, "attrs", {}).get("invented", getattr(thing, "invented", None))
    return registry.invented() if told is None else told


@cache
def claims() -> Mapping[str, Claim]:
    """Return every claim by key; read once."""
    found: dict[str, Claim] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        for name, fields in tomllib.loads(file.read_text("utf-8")).items():
            key = f"{file.name.removesuffix('.toml')}/{name}"
            if isinstance(fields["value"], list):
                fields["value"] = tuple(fields["value"])
            try:
                found[key] = Claim(key=key, **fields)
            except TypeError as error:
                raise FormatError(f"{file.name}: claim [{name}]: {error}") from error
    return found


def claim(key: str) -> Claim:
    """Return one claim, e.g. ``claim("circuit/neurons").value``."""
    try:
        return claims()[key]
    except KeyError:
        raise UnknownNameError.of("published claim", key, claims()) from None


def compare(
    recomputed: Mapping[str, float | Iterable[float]], *, invented: bool | None = None, of=None
) -> pd.DataFrame:
    """Put recomputed numbers beside the printed ones.

    Parameters
    ----------
    recomputed : mapping
        Claim key → recomputed value, in the claim's unit.
    invented : bool, optional
        Whether the numbers rest on invented files; default, what `of` says of itself, else
        whether any file of this session is.
    of : Connectome, table or result, optional
        What the numbers were computed of; needed where a claim is about one connectome instance.

    Returns
    -------
    pandas.DataFrame
        One row a claim: ``claim``, ``published``, ``recomputed``, ``unit``, ``tolerance``,
        ``verdict``, ``recorded``, ``source``, ``citation``, ``where``; a notebook shows it as a
        table that fits its column.  ``recorded`` is what was found on the portal's own files,
        with its verdict and date, or why it is stale (`nmc.recomputed`).  The verdict
        is *agrees* or *differs*; numbers that rest on invented files are marked *invented data*
        instead, because a synthetic portal can neither confirm nor contradict a paper, and those
        of another connectome *another instance*.

    Raises
    ------
    UnknownNameError
        For a key that is no claim's.
    FormatError
        For a claim about one connectome instance, when `of` does not say which was measured.
    """
    invented = says_invented(of) if invented is None else invented
    rows = []
    for key, value in recomputed.items():
        known = claim(key)
        value = tuple(value) if isinstance(value, Iterable) else value
        found = verdict(known.allows(value), invented)
        if known.instance and not hasattr(of, "instance"):
            raise FormatError(
                f"{key} was printed of instance {known.instance}: say of which connectome your "
                "number is, nmc.compare(..., of=connectome)."
            )
        if known.instance and of.instance != known.instance and not invented:
            found = f"another instance: {of.instance or 'not known'}, not {known.instance}"
        tolerance = shown_tolerance(known.tolerance, known.relative)
        rows.append(_compared(known, value, tolerance, found))
    _keep(rows)
    return Comparison(rows).set_index("key")


def compare_many(
    key: str,
    *,
    claim: str,
    agreeing: int,
    of: int,
    tolerance: str,
    citation: str,
    where: str,
    unit: str = "models",
    reason: str = "",
    invented: bool | None = None,
) -> pd.DataFrame:
    """Put a count of printed numbers that came back beside how many were compared.

    `key` is unlike any claim's, `tolerance` in words, `unit` what is counted, `reason` why those
    that do not agree do not, or why nothing was compared.
    """
    if key in claims():
        raise FormatError(f"{key} is the key of a claim: compare it with nmc.compare.")
    found = verdict(agreeing == of, registry.invented() if invented is None else invented)
    found += f": {reason}" if found == "differs" and reason else ""
    counted = Claim(key, claim, int(of), citation, where, needs="", unit=unit)
    row = _compared(counted, int(agreeing), tolerance, found if of else reason)
    _keep([row])
    return Comparison([row]).set_index("key")


def _compared(known: Claim, recomputed: Any, tolerance: str, told: str) -> dict[str, Any]:
    return {
        "key": known.key, "claim": known.claim, "published": known.value,
        "recomputed": recomputed, "unit": known.unit, "tolerance": tolerance, "verdict": told,
        "recorded": shown_recorded(known), "source": provenance.note(),
        "citation": known.citation, "where": known.where,
    }  # fmt: skip


def _keep(rows: list[dict]) -> None:
    folder = os.environ.get(RESULTS_ENV)
    if not folder:
        return
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with (path / f"compare-{os.getpid()}.jsonl").open("a", encoding="utf-8") as out:
        out.writelines(json.dumps(row, default=float) + "\n" for row in rows)


# -- what a reader sees -------------------------------------------------------------------------

#: What the claims cite, as the book's bibliography shortens it; the package travels without it.
with (files(__package__) / "papers.csv").open(encoding="utf-8") as _lines:
    PAPERS = {row["citation"]: row["paper"] for row in csv.DictReader(_lines)}

#: Digits beyond the tolerance's first after which a rounded number is what it was.
_MORE = 6


def shown_tolerance(absolute: float, relative: float) -> str:
    """Return how far from a printed number another may lie, in words."""
    if relative:
        return f"±{100 * relative:g} %"
    return f"±{_plain(absolute)}" if absolute else "exact"


def shown_printed(value: Any) -> list[str]:
    """Return each number of a printed value with all the digits that are printed."""
    return [_absent(part) or _plain(part) for part in _parts(value)]


def shown_recomputed(value: Any, known: Claim | None = None) -> list[str]:
    """Return each number of a recomputed value, as fine as its claim's tolerance deserves."""
    parts = _parts(value)
    digits = _digits(parts, known)
    return [_absent(part) or _one(part, digits) for part in parts]


def shown_recorded(known: Claim) -> str:
    """Return what was recorded of a claim, with its verdict; "" if nothing.

    What needs no data is a count of a class of checks.
    """
    told = recorded(known.key)
    if told is None:
        return ""
    if known.needs:
        numbers = _joined(shown_recomputed(told.values, known), known.unit)
    else:
        numbers = f"{told.agree:,} of {told.checks:,}" if told.checks else ""
    return f"{numbers} ({told.text})".strip()


def _digits(parts: list, known: Claim | None) -> int | None:
    """Return digits after the point (negative: before) that say as much as the tolerance."""
    if known is None or any(_absent(part) for part in parts):
        return None
    values = known.value if isinstance(known.value, tuple) else (known.value,)
    finest = min(max(known.tolerance, known.relative * abs(value)) for value in values)
    if not finest > 0:
        return None
    power = math.floor(math.log10(finest))
    digits = -power + (finest / 10**power < 2)  # a tolerance of 1 asks for tenths, of 5 for ones
    # A rounded number must not look as if it lay on the other side of the tolerance.
    for more in range(_MORE):
        if known.allows([round(part, digits + more) for part in parts]) == known.allows(parts):
            return digits + more
    return None


def _one(part: float, digits: int | None) -> str:
    if digits is not None:
        return f"{round(part, digits):,.{max(digits, 0)}f}"
    return f"{part:,.10g}" if abs(part) >= 1000 else f"{part:.4g}"


def _plain(number: float) -> str:
    """Return a number without a power of ten."""
    return f"{Decimal(f'{number:.10g}'):,f}"


def _absent(part: Any) -> str:
    """Return the text that stands for a part that is no number; "" for a number."""
    if isinstance(part, str):
        return part
    return "no number" if part is None or math.isnan(part) else ""


def _parts(value: Any) -> list:
    many = isinstance(value, Iterable) and not isinstance(value, str)
    return list(value) if many else [value]


#: Without these it is some other table, and looks like one.
_NEEDED = ("claim", "published", "recomputed", "verdict")
#: Vectors longer than this are cut in the page, never in the data.
_SHOWN = 4


class Comparison(pd.DataFrame):
    """Printed and recomputed numbers, a row a claim, shown in a notebook as a paper prints them."""

    @property
    def _constructor(self) -> type[Comparison]:
        return Comparison

    def _repr_html_(self) -> str | None:
        if not set(_NEEDED) <= set(self.columns):
            return pd.DataFrame(self)._repr_html_()
        names = [*_NEEDED, *(["on the portal's files"] if "recorded" in self else [])]
        heads = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in names)
        rows = [_row(key, row) for key, row in self.to_dict("index").items()]
        return (
            f'<table class="nmc-comparison"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table>{_sources(self)}"
        )


_LEFT = 'style="text-align:left;vertical-align:top"'


def _row(key: str, row: dict[str, Any]) -> str:
    unit = _text(row.get("unit"))
    paper = _text(row.get("citation"))
    where = ": ".join(filter(None, (PAPERS.get(paper, paper), _text(row.get("where")))))
    small = [f"<code>{escape(str(key))}</code>", escape(where)]
    claim = escape(_text(row["claim"])) + "".join(f"<br><small>{s}</small>" for s in small if s)
    printed, found = row["published"], row["recomputed"]
    published = "" if _missing(printed) else escape(_joined(shown_printed(printed), unit))
    if published and _text(row.get("tolerance")):
        published += f"<br><small>{escape(_text(row['tolerance']))}</small>"
    known = claims().get(key)
    recomputed = "" if _missing(found) else escape(_joined(shown_recomputed(found, known), unit))
    cells = [claim, published, recomputed, escape(_text(row["verdict"]))]
    if "recorded" in row:
        cells.append(escape(_text(row["recorded"])))
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
    shown = [*numbers[:2], "…", numbers[-1]] if len(numbers) > _SHOWN else numbers
    return f"{'; '.join(shown)} {unit}".strip()
