"""Files that are given by their path: what their content says they are."""

from __future__ import annotations

import re
import tarfile
from functools import lru_cache
from pathlib import Path

from nmc.data import files, provenance, registry
from nmc.data.provenance import Record
from nmc.data.sources import SampleTree

_BLOCK = 4096  # bytes of a binary file that are compared at once
_WORDS = 6  # of a text that are compared at once


def remember_path(path: Path, sha256: str, origin: str) -> Record:
    """Remember a file given by its path: known by its hash, an edited sample's, or `origin`."""
    if found := next((entry for entry in provenance.records() if _holds(entry, sha256)), None):
        return found
    size, release = path.stat().st_size, registry.known_sha256().get(sha256)
    if sha256 in registry.sample_sha256():
        entry = Record(str(path), "sample", sha256, size, True, "", "sample", path)
    elif release is not None:
        entry = Record(str(path), "portal", sha256, size, False, release, "catalogue", path)
    elif _is_edited_sample(path, sha256):
        entry = Record(str(path), "edited sample", sha256, size, True, "", "format", path, False)
    else:
        entry = Record(str(path), origin, sha256, size, False, "", "format", path, False)
    provenance.remember(entry)
    return entry


def _holds(entry: Record, sha256: str) -> bool:
    """Whether a file is a fetched one, or lay in a fetched archive of connectomes."""
    if entry.sha256 == sha256 or not entry.key.startswith("connectome/"):
        return entry.sha256 == sha256
    root = files.cache_folder() / "unpacked"
    lists = [root / f"{entry.sha256[:24]}{end}" / "members.json" for end in ("", "-nested")]
    members = [one for path in lists for one in (files.read_json(path) or {}).values()]
    return any(one["sha256"] == sha256 for one in members)


@lru_cache(maxsize=64)
def _is_edited_sample(path: Path, sha256: str) -> bool:
    """Whether most of a sheet or connectome is that of a file of the sample, of about its size."""
    tree, kind = SampleTree(), {".json": "sheet/", ".h5": "connectome/"}.get(path.suffix, "")
    size, mine = path.stat().st_size, _pieces(path, 0, None)
    for entry in registry.items().values() if kind and mine else ():
        if entry.key.startswith(kind) and (place := tree.find(entry)):
            theirs, start, length = _place(place if place.is_file() else tree.get(entry).path)
            if 0.7 < size / length < 1.4:
                if len(mine & _pieces(theirs, start, length)) > len(mine) / 2:
                    return True
    return False


def _place(path: Path) -> tuple[Path, int, int]:
    """Return where the content of a file begins, and its size; in a tar those of its HDF5 file."""
    if path.suffix != ".tar":
        return path, 0, path.stat().st_size
    with tarfile.open(path) as tar:
        return next((path, m.offset_data, m.size) for m in tar if m.name.endswith(".h5"))


def _pieces(path: Path, start: int, length: int | None) -> set[tuple]:
    """Return what is compared: of a text every few words in a row, else each block in its place."""
    with path.open("rb") as stream:
        stream.seek(start)
        content = stream.read(length)
    if path.suffix == ".json":
        words = re.split(rb"[\s,{}]+", content)
        return {tuple(words[at : at + _WORDS]) for at in range(len(words))}
    blocks = (content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK))
    return {(n, block) for n, block in enumerate(blocks) if block.strip(block[:1])}
