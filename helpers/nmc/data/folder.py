"""A tree in a folder: its files are used where they lie, after they were verified."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nmc.data import boxed, check
from nmc.data.catalogue import Item, items
from nmc.data.files import compute_sha256, write_whole
from nmc.data.provenance import Record
from nmc.data.sources import Miss
from nmc.errors import ChecksumError, FormatError, SourceError

#: A file at a tree's root that says what the tree is: ``{"origin": …, "invented": true}``.
MARKER = "nmc-tree.json"
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Marker:
    """What a tree says of itself: a name for it, and whether its numbers are synthetic."""

    origin: str
    invented: bool


_seen: dict[Path, Marker] = {}  # markers this process has read: one that vanishes is an error


def parse_marker(content: bytes, where: object) -> Marker:
    """Return what a marker says.

    Raises
    ------
    SourceError
        When it is no JSON object with ``"invented": true`` or ``false``.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("invented"), bool):
        raise SourceError(
            f'{where} cannot be read as {{"origin": "...", "invented": true or false}}, so nobody '
            "can tell whether the tree's numbers are real: get a fresh copy of the tree, or mend "
            "the file."
        )
    return Marker(str(value.get("origin") or ""), value["invented"])


def read_marker(folder: Path) -> Marker | None:
    """Return what a tree's marker says; None when it has none and had none before.

    Raises
    ------
    SourceError
        When it cannot be read, or is gone though this process read it before.
    """
    path = folder / MARKER
    try:
        marker = parse_marker(path.read_bytes(), path)
    except FileNotFoundError:
        if folder in _seen:
            raise SourceError(
                f"{path} is gone, and it said what the tree's numbers are: put it back."
            ) from None
        return None
    except OSError as exc:
        raise SourceError(
            f"{path} cannot be read ({exc.strerror or exc}), so nobody can tell whether the tree's "
            "numbers are real: make it readable."
        ) from exc
    _seen[folder] = marker
    return marker


class FolderTree:
    """A copy of the tree on this machine or on a shared disk; never written to.

    Parameters
    ----------
    folder : pathlib.Path
        The tree's root.
    name : str, optional
        What to call it as an origin; default the folder's own name.

    Notes
    -----
    Whether a file is real is decided by its sha256 first: that of a sample file, or one that the
    catalogue knows.  For other files a tree may hold ``nmc-tree.json``: with ``"invented": true``
    it is a synthetic one, and the hashes of the portal's files do not apply to it.
    """

    def __init__(self, folder: Path, name: str = ""):
        self.folder = folder
        self._name = name

    @property
    def marker(self) -> Marker | None:
        """What the tree says of itself, read now; None when it says nothing.

        Raises
        ------
        SourceError
            When its marker cannot be read, or is gone though this process read it before.
        """
        return read_marker(self.folder)

    @property
    def name(self) -> str:
        """What the tree is called as an origin."""
        if self._name:
            return self._name
        try:
            marker = self.marker
        except SourceError:
            marker = None
        return marker.origin if marker and marker.origin else self.folder.name

    @property
    def invented(self) -> bool:
        """Whether the tree says that its numbers are synthetic."""
        marker = self.marker
        return marker is not None and marker.invented

    def has(self, item: Item) -> bool:
        """Whether the file lies in the folder, or in its archive of all models."""
        return self._find(item) is not None or self._box(item) is not None

    holds = may_have = has

    def local(self, item: Item) -> Record | None:
        """Return the verified file if it lies in the folder."""
        return self.get(item) if self.has(item) else None

    def get(
        self, item: Item, *, progress: bool = False, accept_terms: bool | None = None
    ) -> Record:
        """Verify the file where it lies and return it."""
        path = self._find(item)
        if path is None and self._box(item):
            return self._from_box(item, progress)
        if path is None:
            raise Miss(*((str(self.folder / part), "no such file") for part in item.paths))
        listed, trust = self.expected(path)
        verdict = check.verify(
            item, path, listed=listed, trust=trust, synthetic=lambda: self.invented,
            progress=progress,
        )  # fmt: skip
        return self._record(item, verdict, path)

    def _record(self, item: Item, verdict: check.Verdict, path: Path) -> Record:
        confirmed = verdict.invented or verdict.trust == "catalogue" or self._says_real()
        return Record(
            item.key, "sample" if verdict.trust == "sample" else self.name, verdict.sha256,
            verdict.size_bytes, verdict.invented, verdict.release, verdict.trust, path, confirmed,
        )  # fmt: skip

    def _says_real(self) -> bool:
        """Whether the tree vouches for files whose content nobody knows."""
        marker = self.marker
        return marker is not None and not marker.invented

    def expected(self, path: Path) -> tuple[str | None, str]:
        """Return the sha256 a file of the tree should have, if any, and who says so."""
        listed = sums_of(self.folder).get(path.relative_to(self.folder).as_posix())
        return listed, "tree" if listed else "format"

    def _box(self, item: Item) -> Path | None:
        """Return the archive of all models, where it is the folder's one copy of a package."""
        if not item.key.startswith("model/"):
            return None
        archive = self._find(items()["models/all"])
        return archive if archive and boxed.holds(archive, item.key) else None

    def _from_box(self, item: Item, progress: bool) -> Record:
        box = self.get(items()["models/all"], progress=progress)
        path = boxed.take_out(box.path, box.sha256, item.key)
        try:
            verdict = check.verify(item, path, synthetic=lambda: self.invented)
        except ChecksumError:
            path.unlink(missing_ok=True)  # our own copy was damaged: take it out again
            path = boxed.take_out(box.path, box.sha256, item.key)
            verdict = check.verify(item, path, synthetic=lambda: self.invented)
        return self._record(item, verdict, path)

    def _find(self, item: Item) -> Path | None:
        paths = (self.folder / part for part in item.paths)
        return next((path for path in paths if path.is_file()), None)


def sums_of(folder: Path) -> dict[str, str]:
    """Return the hashes a tree lists in its SHA256SUMS, by path; empty when it has no such file."""
    path = folder / SUMS
    try:
        return _sums(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return {}


def write_sums(folder: Path) -> None:
    """List the hashes of every file of a tree in its SHA256SUMS."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    lines = (f"{compute_sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in paths)
    write_whole(folder / SUMS, "".join(lines).encode())


@lru_cache(maxsize=8)
def _sums(path: Path, mtime_ns: int) -> dict[str, str]:
    return parse_sums(path.read_bytes(), path)


def parse_sums(content: bytes, where: object) -> dict[str, str]:
    """Return the hashes of a list of lines ``sha256  path``, by path.

    Raises
    ------
    FormatError
        When a line is none; names the list and the line.
    """
    sums = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        digest, _, name = line.partition(" ")
        if not re.fullmatch("[0-9a-fA-F]{64}", digest) or not name.strip():
            raise FormatError(f"{where}, line {number}: not 'sha256  path': {line[:80]!r}.")
        sums[name.strip().removeprefix("*").removeprefix("./")] = digest.lower()
    return sums
