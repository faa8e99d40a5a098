"""Units live in column names; here they become words for people.

A column's unit is its last part: ``v_mV``, ``t_ms``, ``input_resistance_MOhm``.  Nothing is
converted silently: `label` only writes the unit the way a reader expects it on an axis.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

_TABLES = tomllib.loads(Path(__file__).with_name("units.toml").read_text("utf-8"))
#: Column suffix → the unit as printed.
UNITS: dict[str, str] = _TABLES["units"]


def unit_of(column: str) -> str:
    """Return the printed unit of a column name, or an empty string when it has none."""
    return UNITS.get(_suffix(column), "")


def name_of(column: str) -> str:
    """Return what a column holds, in words and without its unit: ``v_mV`` gives ``v``."""
    suffix = _suffix(column)
    return _TABLES["names"].get(column) or _words(column.removesuffix(suffix).rstrip("_"))


def label(column: str) -> str:
    """Return a column name as an axis label: ``v_mV`` gives ``v (mV)``.

    Examples
    --------
    >>> label("input_resistance_MOhm")
    'input resistance (MΩ)'
    """
    name, unit = name_of(column), unit_of(column)
    return f"{name} ({unit})" if name and unit else name or unit


def _words(quantity: str) -> str:
    """``psp_amplitude_mean`` → ``mean PSP amplitude``."""
    words = [_TABLES["words"].get(word, word) for word in quantity.split("_")]
    for kind, spoken in (("mean", "mean"), ("std", "SD of")):
        if kind in words[1:]:
            words.remove(kind)
            words.insert(0, spoken)
    return " ".join(words)


def _suffix(column: str) -> str:
    parts = column.split("_")
    suffixes = ("_".join(parts[start:]) for start in range(len(parts)))  # the longest first
    return next((suffix for suffix in suffixes if suffix in UNITS), "")
