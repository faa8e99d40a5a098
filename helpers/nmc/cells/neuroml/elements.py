"""NeuroML2 and LEMS files as XML elements, what is in them, and whether they are known.

Nothing of a file is ever run as code.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from nmc.cells import formula
from nmc.data.registry import sample_inner
from nmc.errors import FormatError, MissingFileError, TrustError
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


#: Files of LEMS's own library, which jNeuroML brings.
CORE = ("Cells.xml", "Networks.xml", "Simulation.xml", "NeuroML2CoreTypes.xml", "Inputs.xml")
_FILE = re.compile(r"\w[\w.-]*\.(nml|xml)")
_NAME = re.compile(r"[\w.+/:#\[\] -]*")
_EXPRESSION = re.compile(r"[\w.+/:#\[\] ()*^,=<>-]*")
_EXPRESSIONS = ("value", "condition", "description")
_WRITTEN = ("reportFile", "fileName")
_TEXT_ENDS = ("'''", '"""', "\\")


def read_sources(lems_file: Path) -> dict[str, bytes]:
    """Return the content of a LEMS file and of all that it includes, by name; read once."""
    found: dict[str, bytes] = {}
    waiting = [lems_file.name]
    while waiting:
        name = waiting.pop()
        if name in CORE or name in found:
            continue
        path = lems_file.parent / name
        if not _FILE.fullmatch(name):
            raise FormatError(
                f"{lems_file.name} includes {shown(name)}, which is no .nml or .xml file beside it."
            )
        if not path.is_file():
            raise MissingFileError(
                f"{lems_file.name} includes {name!r}, which is not beside it. Fetch the archive "
                "again."
            )
        found[name] = path.read_bytes()
        for element in _elements(path, found[name]):
            if local(element.tag).lower() == "include":
                said = {local(key).lower(): value for key, value in element.attrib.items()}
                waiting += [said[key] for key in ("file", "href", "url") if key in said]
    return found


def is_known(sources: Mapping[str, bytes]) -> bool:
    """Whether every file is the public conversion's or the sample's, by name and sha256."""
    known = _conversion() | sample_inner()
    return all((n, hashlib.sha256(c).hexdigest()) in known for n, c in sources.items())


def check_sources(sources: Mapping[str, bytes], folder: Path, *, trust: bool) -> None:
    """Refuse files that are neither known nor trusted, or that name what cannot be a name."""
    if is_known(sources):
        return
    if not trust:
        names = sorted(name for name in sources if not is_known({name: sources[name]}))
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        raise TrustError(
            f"{', '.join(names[:6])}{more} in {folder}: not the files of a known NeuroML2 archive. "
            "Programs are written from them and run on this machine: read them, and pass "
            "trust=True if you trust them."
        )
    for name, content in sources.items():
        for element in _elements(folder / name, content):
            _check(name, element)


def _check(name: str, element) -> None:
    tag = local(element.tag)
    for key, value in element.attrib.items():
        key = local(key)
        allowed = _EXPRESSION if key in _EXPRESSIONS else _NAME
        if not allowed.fullmatch(value) or (key in _WRITTEN and "/" in value):
            raise FormatError(f"{name}: {key}={shown(value)} of {tag} holds signs it cannot hold.")
    text = (element.text or "") + (element.tail or "")
    if any(end in text for end in _TEXT_ENDS):
        raise FormatError(f"{name}: the text of {tag} holds three quotes or a backslash.")


def _elements(path: Path, content: bytes):
    """Elements of a file, comments left out; a document type could hide others behind names."""
    tree = parse_xml(path, content)
    if tree.docinfo.doctype:
        raise FormatError(f"{path.name} declares a document type, which NeuroML2 does not have.")
    return [element for element in tree.iter() if isinstance(element.tag, str)]


@cache
def _conversion() -> frozenset[tuple[str, str]]:
    """Name and sha256 of the files of the public conversion's archive."""
    with (files("nmc.cells.neuroml") / "known_neuroml.csv").open(encoding="utf-8") as lines:
        return frozenset((row["file"], row["sha256"]) for row in csv.DictReader(lines))
