"""The cache looked after: what it holds, whether it is sound, and the parts of it to throw away."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nmc.data import check, files, settings, unpacked, web
from nmc.data.cached import CachedTree, first_use_file
from nmc.data.catalogue import Item, items
from nmc.data.folder import FolderTree
from nmc.data.provenance import Record
from nmc.data.sources import Miss
from nmc.errors import NMCError

_STALE_S = 24 * 3600.0  # a temporary file older than this belongs to a process that was killed


@dataclass(frozen=True)
class Finding:
    """One file, or one unpacked archive, and what was found.

    Attributes
    ----------
    path : pathlib.Path
        The file or folder.
    state : str
        ``sound``, ``damaged``, ``left over`` (of a process that was killed), or after a repair
        ``fetched again`` or ``removed``.
    why : str
        What is wrong with it; empty when nothing is.
    key, origin : str
        Its key in the catalogue and the tree it belongs to; empty when it has none.
    """

    path: Path
    state: str
    why: str = ""
    key: str = ""
    origin: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether nothing needs to be done."""
        return self.state in ("sound", "fetched again", "removed")


def verify_tree(tree: FolderTree) -> Iterator[Finding]:
    """Read every file of the catalogue that a tree holds, and compare its sha256.

    Parameters
    ----------
    tree : nmc.data.folder.FolderTree

    Yields
    ------
    Finding
        ``sound`` or ``damaged``, one for each file, as it is read.
    """
    for item in items().values():
        for path in (tree.folder / part for part in item.paths):
            if path.is_file():
                yield _verify_file(tree, item, path)


def verify_cache(*, repair: bool = False) -> Iterator[Finding]:
    """Read the whole cache again: downloaded files, the sample, unpacked archives.

    Parameters
    ----------
    repair : bool
        Remove what is damaged or left over, and fetch what came from the portal again.

    Yields
    ------
    Finding
        One for each file or unpacked archive, as it is read.
    """
    cache = settings.cache_folder()
    for root in _folders(cache / "web"):
        tree = CachedTree(root, root.name)
        for found in verify_tree(tree):
            yield _repair_download(found, root) if repair and not found.is_sound else found
        if repair:
            yield from _forget_lost(root)
    for root in _folders(cache / "sample"):
        for found in verify_tree(CachedTree(root, "sample")):
            yield _repair_by_removal(found, root) if repair and not found.is_sound else found
    for root in _folders(cache / "extracts"):
        for found in verify_tree(FolderTree(root, "extracts")):
            yield _repair_by_removal(found, root) if repair and not found.is_sound else found
    for root in _folders(cache / "unpacked"):
        why = unpacked.damage(root, read_all=True)
        found = Finding(root, "damaged" if why else "sound", why)
        yield _repair_by_removal(found, root) if repair and why else found
    yield from _left_over(cache, repair)


def _verify_file(tree: FolderTree, item: Item, path: Path) -> Finding:
    files.forget_sha256(path)
    try:
        listed, trust = tree.expected(path)
        check.verify(item, path, listed=listed, trust=trust, synthetic=lambda: tree.invented)
    except NMCError as exc:
        return Finding(path, "damaged", str(exc), item.key, tree.name)
    return Finding(path, "sound", "", item.key, tree.name)


def _repair_download(found: Finding, root: Path) -> Finding:
    """Remove a damaged download with the record of its first use, and get it again if possible."""
    found.path.unlink(missing_ok=True)
    first_use_file(root, found.path).unlink(missing_ok=True)
    tree = web.tree_of(root)
    if tree is not None:
        with suppress(Miss, NMCError):
            again: Record = tree.get(items()[found.key])
            return Finding(again.path, "fetched again", found.why, found.key, tree.name)
    return Finding(found.path, "removed", found.why, found.key, found.origin)


def _repair_by_removal(found: Finding, root: Path) -> Finding:
    """Remove what is made again, the same, when it is next asked for."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(root.with_name(f"{root.name}.first-use"), ignore_errors=True)
    return Finding(found.path, "removed", found.why, found.key, found.origin)


def _forget_lost(root: Path) -> Iterator[Finding]:
    """Forget the first hash of files that are gone, so that another copy may be trusted."""
    records = root.with_name(f"{root.name}.first-use")
    for path in sorted(records.rglob("*.json")):
        if not (root / path.relative_to(records).with_suffix("")).exists():
            path.unlink()
            yield Finding(path, "removed", "the record of a file that is gone")


def _left_over(cache: Path, repair: bool) -> Iterator[Finding]:
    now = time.time()
    for path in sorted(cache.rglob(".*")) if cache.is_dir() else ():
        with suppress(FileNotFoundError):
            if now - path.stat().st_mtime < _STALE_S or _inside_content(path, cache):
                continue
            if repair:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            state = "removed" if repair else "left over"
            yield Finding(path, state, "a process was killed while it wrote this")


def _inside_content(path: Path, cache: Path) -> bool:
    """Whether a dotted name is part of an unpacked archive, not one of our temporary files."""
    return any(parent.name == "content" for parent in path.relative_to(cache).parents)


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    folders = (path for path in root.iterdir() if path.is_dir())
    return sorted(p for p in folders if not p.name.startswith(".") and p.suffix != ".first-use")
