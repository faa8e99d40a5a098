"""What a NeuroML2 simulation is made from: its files, whether they are known, what they name.

jNeuroML writes Python, HOC and MOD files from them, which are run: these files are code.  So they
run unasked only where each is one of the public conversion's or of the sample's, by its name and
sha256.  Of every other, names and expressions may hold nothing that ends a text of the program.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from nmc.cells.neuroml.elements import local, parse_xml
from nmc.data.registry import sample_inner
from nmc.errors import FormatError, MissingFileError, TrustError
from nmc.numbers import shown

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
