"""Which packages are known, by content: their code runs unasked, all other code only if trusted.

A package is code: MOD files become machine code, HOC and Python files are run.  So each of the
1,035 packages of the portal, and each of the sample's, is known by one digest of its files
(`nmc.data.registry.known_content`).  The scripts in which releases differ are left out of it: no
call runs them but `nmc.run_command`, which runs nothing unasked.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from nmc.data import at_hand, fetch_folder
from nmc.data.registry import (
    RELEASE_FILES,
    content_digest,
    file_hashes,
    known_content,
    sample_packages,
)
from nmc.errors import NMCError

#: What origin says of a package that is not known.
OWN = "own package"


class Known(NamedTuple):
    """A known package: the model that it is, and where it comes from."""

    model: str
    origin: str


@cache
def known_packages() -> dict[str, Known]:
    """Return every known package by its content digest."""
    found = {digest: Known(model, "NMC portal") for digest, model in known_content().items()}
    return found | {digest: Known(model, "sample") for model, digest in sample_packages().items()}


def find(digest: str) -> Known | None:
    """Return the known package that has a digest."""
    return known_packages().get(digest)


def differences(model: str, hashes: Mapping[str, str]) -> str:
    """Say in a few words what differs from the known package of that name."""
    if model not in {known.model for known in known_packages().values()}:
        return "is no known package"
    start, theirs = "is not the known package of that name: it ", _hashes_at_hand(model)
    same = len(set((theirs or {}).items()) & set(hashes.items()))
    if theirs and same >= len(theirs) / 2:  # else of another origin: the sample has such names, too
        changed = {p for p in hashes.keys() & theirs.keys() if hashes[p] != theirs[p]}
        parts = [
            _told("differs in", changed - {*RELEASE_FILES}),
            _told("adds", hashes.keys() - theirs.keys()),
            _told("lacks", theirs.keys() - hashes.keys()),
        ]
        return start + (", ".join(filter(None, parts)) or "differs in its packing")
    shared = _shared_files()
    changed = {path for path, _ in shared} & {p for p in hashes if (p, hashes[p]) not in shared}
    return start + (
        _told("differs in", changed - {*RELEASE_FILES})
        or "differs from it in a file that each package has of its own "
        f"(nmc.fetch('model/{model}') gets the known one)"
    )


def _told(verb: str, paths) -> str:
    listed = sorted(paths)
    more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
    return f"{verb} {', '.join(listed[:6])}{more}" if listed else ""


def _hashes_at_hand(model: str) -> dict[str, str] | None:
    """Hashes of the known package of a name, where the source has it without a download."""
    try:
        if at_hand(f"model/{model}") is None:
            return None
        hashes = file_hashes(fetch_folder(f"model/{model}", progress=False))
    except NMCError:
        return None
    return hashes if find(content_digest(hashes)) else None


@cache
def _shared_files() -> frozenset[tuple[str, str]]:
    """Path and sha256 of files that many packages share."""
    with (files("nmc.cells") / "known_files.csv").open(encoding="utf-8") as lines:
        return frozenset((row["file"], row["sha256"]) for row in csv.DictReader(lines))
