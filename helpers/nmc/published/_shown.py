"""What a reader sees of a comparison: short names of papers, numbers without needless digits.

Display only: tables and kept results hold the exact values and the bibliography's keys.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nmc.published import Claim

#: What the claims cite, as the book's bibliography shortens it; the package travels without it.
PAPERS = {
    "barber": "Barber & Sainudiin",
    "gal2017": "Gal et al., 2017",
    "gleeson2019": "Gleeson et al., 2019",
    "hay2011": "Hay et al., 2011",
    "lutgehetmann2020": "Lütgehetmann et al., 2020",
    "markram2015": "Markram et al., 2015",
    "neuromotifs": "Gal et al., 2025",
    "ramaswamy2015": "Ramaswamy et al., 2015",
    "reimann2015": "Reimann et al., 2015",
    "reimann2017": "Reimann et al., 2017",
}

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
    """Return each number of a recomputed value, as fine as its claim's tolerance deserves.

    Parameters
    ----------
    value : float, str or iterable of float
        What was recomputed; text stays as it is.
    known : Claim, optional
        What it is held against; without one, or with no tolerance, four digits of a number
        below 1,000 are shown, and all that matter of a larger one.
    """
    parts = _parts(value)
    digits = _digits(parts, known)
    return [_absent(part) or _one(part, digits) for part in parts]


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
