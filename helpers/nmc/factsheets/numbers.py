"""Numbers as the sheets print them: ``31,346``, ``~8.1 million``."""

from __future__ import annotations

import re
from decimal import Decimal
from math import floor, log10
from typing import NamedTuple

_NUMBER = re.compile(r"(~?)\s*(-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(thousand|million)?")
_SCALE = {"": 1, "thousand": 1_000, "million": 1_000_000}


class Printed(NamedTuple):
    """A printed number: its value, and whether the sheet marks it as approximate."""

    value: float
    approximate: bool


def parse_number(text: str | float) -> Printed:
    """Read one printed number; thousands separators and ``~ … million`` are understood.

    Raises
    ------
    ValueError
        When `text` holds anything else.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return Printed(text, False)
    match = _NUMBER.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    # Decimal keeps 8.1 million whole: 8.1 * 1e6 in floats is 8099999.999…
    number = Decimal(match[2].replace(",", "")) * _SCALE[match[3] or ""]
    value = int(number) if number == number.to_integral_value() else float(number)
    return Printed(value, bool(match[1]))


def agrees(printed: float, value: float) -> bool:
    """Whether a number printed on a page stands for `value`.

    The pages print five significant digits and at most three decimals; both cuts are seen
    in the pathway pages, whose full values the JSON files hold.
    """
    exponent = floor(log10(abs(value))) if value else 0
    step = max(1e-3, 10.0 ** (exponent - 4))
    return abs(printed - value) <= 0.5 * step * (1 + 1e-6)
