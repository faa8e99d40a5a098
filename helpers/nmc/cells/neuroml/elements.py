"""NeuroML2 and LEMS files as XML elements, and the quantities and expressions in them.

Nothing of a file is ever run as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from nmc.cells import formula
from nmc.errors import FormatError, MissingFileError
from nmc.numbers import as_number, shown

_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z_]\w*)?\s*")
#: NeuroML's unit symbols → SI (NeuroMLCoreDimensions); a temperature stays in degrees Celsius.
_UNITS = {
    None: 1.0, "s": 1.0, "ms": 1e-3, "per_s": 1.0, "per_ms": 1e3, "Hz": 1.0, "degC": 1.0,
    "V": 1.0, "mV": 1e-3, "per_mV": 1e3, "per_V": 1.0, "K": 1.0, "C_per_mol": 1.0,
    "A": 1.0, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12,
    "S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9, "pS": 1e-12,
    "S_per_m2": 1.0, "S_per_cm2": 1e4, "mS_per_cm2": 10.0,
    "F_per_m2": 1.0, "uF_per_cm2": 1e-2, "ohm_m": 1.0, "ohm_cm": 1e-2, "kohm_cm": 10.0,
    "m": 1.0, "cm": 1e-2, "um": 1e-6, "m2": 1.0, "cm2": 1e-4, "um2": 1e-12,
    "mol_per_m3": 1.0, "mol_per_cm3": 1e6, "mM": 1.0, "M": 1e3,
}  # fmt: skip
_WORDS = {
    ".lt.": "<", ".gt.": ">", ".leq.": "<=", ".geq.": ">=", ".le.": "<=", ".ge.": ">=",
    ".eq.": "==", ".neq.": "!=", ".and.": "&", ".or.": "|", "^": "**",
}  # fmt: skip


def read_bytes(path: Path) -> bytes:
    """Content of a file; MissingFileError when there is none that can be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise MissingFileError(
            f"There is no NeuroML2 file {path} that can be read. Fetch the archive again."
        ) from error


def parse_xml(path: Path, content: bytes | None = None) -> Any:
    """Tree of an XML file, without its entities and without a network; else FormatError."""
    content = read_bytes(path) if content is None else content
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return etree.fromstring(content, parser).getroottree()
    except etree.XMLSyntaxError as error:
        raise FormatError(f"{path.name} cannot be read as NeuroML2: {error}.") from error


def the_one(path: Path, content: bytes, what: str, *tags: str) -> tuple[Any, Any]:
    """Root of a NeuroML2 document, and the one element of some kinds that it holds."""
    root = parse_xml(path, content).getroot()
    if local(root.tag) != "neuroml":
        raise FormatError(f"{path.name} is no NeuroML2 document.")
    found = [element for tag in tags for element in root.findall(f"{{*}}{tag}")]
    if len(found) != 1:
        raise FormatError(f"{path.name} holds {len(found)} {what}s, not one.")
    if not found[0].get("id"):
        raise FormatError(f"{path.name}: the {what} has no id.")
    return root, found[0]


def local(tag: str) -> str:
    """Name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


def quantity(
    text: str | None,
    unit: str | None = None,
    *,
    where: str = "NeuroML",
    low: float = -inf,
    high: float = inf,
) -> float:
    """Value of ``"-85.0 mV"`` or ``"34 degC"`` in a unit, SI (and °C) unless given."""
    found = _QUANTITY.fullmatch(text) if text is not None and len(text) < 100 else None
    if not found or found[2] not in _UNITS:
        raise FormatError(f"{where}: {shown(text)} is not a quantity with a known unit.")
    value = as_number(found[1], where=where) * _UNITS[found[2]] / _UNITS[unit]
    return as_number(value, where=where, low=low, high=high)


def evaluate(
    expression: str | None, values: Mapping[str, Any], *, where: str = "NeuroML"
) -> np.ndarray:
    """Value of a LEMS expression, e.g. ``"V .lt. (-60)"``; see `nmc.cells.formula.evaluate`."""
    text = str(expression)
    for word, sign in _WORDS.items():
        if sign in "&|" and word in text:  # they bind more loosely than comparisons
            text = sign.join(f"({part})" for part in text.split(word))
        text = text.replace(word, sign)
    return formula.evaluate(text, values, where=where)
