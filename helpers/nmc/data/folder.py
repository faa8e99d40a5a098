"""A tree in a folder: its files are used where they lie, after they were verified."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nmc.data import boxed, check
from nmc.data.catalogue import Item, items
from nmc.data.files import compute_sha256, read_json, write_whole
from nmc.data.provenance import Record
from nmc.data.sources import Miss
from nmc.errors import ChecksumError, FormatError

#: A file at a tree's root that says what the tree is: ``{"origin": …, "invented": true}``.
MARKER = "nmc-tree.json"
SUMS = "SHA256SUMS"


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
    A tree that holds a file ``nmc-tree.json`` with ``"invented": true`` is a synthetic one: the
    hashes of the portal's files do not apply to it, only those in its own ``SHA256SUMS``.
    """

    def __init__(self, folder: Path, name: str = ""):
        self.folder = folder
        marker = read_json(folder / MARKER) or {}
        self.invented = bool(marker.get("invented", False))
        self.name = name or str(marker.get("origin") or folder.name)

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
            item, path, listed=listed, trust=trust, invented=self.invented, progress=progress
        )
        return Record(
            item.key, self.name, verdict.sha256, verdict.size_bytes, self.invented,
            verdict.release, verdict.trust, path,
        )  # fmt: skip

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
            verdict = check.verify(item, path, invented=self.invented)
        except ChecksumError:
            path.unlink(missing_ok=True)  # our own copy was damaged: take it out again
            path = boxed.take_out(box.path, box.sha256, item.key)
            verdict = check.verify(item, path, invented=self.invented)
        return Record(
            item.key, self.name, verdict.sha256, verdict.size_bytes, self.invented,
            verdict.release, verdict.trust, path,
        )  # fmt: skip

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
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        digest, _, name = line.partition(" ")
        if len(digest) != 64 or not name.strip():
            raise FormatError(f"{path}, line {number}: not 'sha256  path': {line[:80]!r}.")
        sums[name.strip().removeprefix("*").removeprefix("./")] = digest.lower()
    return sums
