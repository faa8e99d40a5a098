"""Numbers as the sheets print them: ``31,346``, ``~8.1 million``, ``51 ± 25``."""

from __future__ import annotations

import re
from decimal import Decimal
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


def parse_mean_std(text: str) -> tuple[float, float]:
    """Read ``mean ± std``.

    Raises
    ------
    ValueError
        When `text` does not hold two numbers.
    """
    mean, sign, std = str(text).partition("±")
    if not sign:
        raise ValueError(f"{text!r} is not 'mean ± std'")
    return parse_number(mean).value, parse_number(std).value


def half_step(text: str | float) -> float:
    """Half of the last digit a number shows: what rounding to it may have changed.

    ``-71.263`` gives 0.0005, ``1,123,400`` gives 50: trailing zeros of a whole number may
    be rounded ones.
    """
    digits = re.sub(r"[^\d.eE-]", "", str(text))
    exponent = Decimal(digits).normalize().as_tuple().exponent
    return 0.5 * 10.0 ** int(exponent)
