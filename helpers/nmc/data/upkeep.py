"""The cache looked after, and carried: what is sound, what to throw away, exports and imports."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nmc import data
from nmc.data import damage, files, provenance
from nmc.data.files import MARKER, SUMS, parse_marker, parse_sums
from nmc.data.registry import Record, item, items, key_of_file, match
from nmc.data.sources import FolderTree, NotInSource, SampleTree
from nmc.data.web import WebTree, fetched_trees
from nmc.errors import FormatError, MissingFileError, NMCError, SourceError

_STALE_S = 24 * 3600.0  # a temporary file older than this belongs to a process that was killed


@dataclass(frozen=True)
class Finding:
    """One file, or one unpacked archive, and what was found."""

    path: Path
    #: ``sound``, ``damaged``, ``undecided`` (as it was fetched, but what its tree says now is
    #: something else, or cannot be read), ``left over`` (of a process that was killed), or after a
    #: repair ``fetched again`` or ``removed``.
    state: str
    why: str = ""  #: what is wrong with it
    key: str = ""
    origin: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether nothing needs to be done."""
        return self.state in ("sound", "fetched again", "removed")


def verify_tree(tree: FolderTree) -> Iterator[Finding]:
    """Read every file of the registry that a tree holds; yield what was found, as it is read."""
    files.forget_sha256()
    for entry in items().values():
        paths = [path for path in (tree.folder / p for p in entry.paths) if path.is_file()]
        for path in paths or filter(None, [tree.find(entry)]):
            try:
                tree.verify(entry, path) if paths else tree.get(entry)
                yield Finding(path, "sound", "", entry.key, tree.name)
            except NMCError as exc:
                yield Finding(path, "damaged", str(exc), entry.key, tree.name)


def verify_cache(*, repair: bool = False) -> Iterator[Finding]:
    """Read the whole cache again; yield a finding for each file or unpacked archive, as it is read.

    With `repair`, what is damaged or left over goes, and what came from an address comes again.
    """
    for tree in fetched_trees():
        yield from _verify_fetched(tree, repair)
    for found in _verify_made():
        yield _removed(found) if repair and not found.is_sound else found


def _verify_fetched(tree: WebTree, repair: bool) -> Iterator[Finding]:
    """Look at what a tree says of itself first: what cannot be read says nothing of its files."""
    for path, parse in ((tree.folder / MARKER, parse_marker), (tree.folder / SUMS, parse_sums)):
        try:
            if path.is_file():
                parse(path.read_bytes(), path)
        except (FormatError, SourceError) as exc:
            found = Finding(path, "damaged", str(exc))
            yield _removed(found) if repair else found
    for found in verify_tree(tree):
        first = tree.first_use(found.path).get("sha256")
        if not found.is_sound and found.path.is_file() and files.sha256_of(found.path) == first:
            found = replace(found, state="undecided")  # as it was when it was fetched
        yield _fetched_again(found, tree) if repair and found.state == "damaged" else found
    for path in sorted(tree.first_uses.rglob("*.json")) if repair else ():
        if not (tree.folder / path.relative_to(tree.first_uses).with_suffix("")).exists():
            yield _removed(Finding(path, "left over", "the record of a file that is gone"))


def _verify_made() -> Iterator[Finding]:
    """Look at what is made again, the same, when it is asked for, and at what is left over."""
    cache, now = files.cache_folder(), time.time()
    if SampleTree().folder.is_dir():
        yield from verify_tree(SampleTree())
    for root in sorted(cache.glob("unpacked/[!.]*")):
        why = damage(root, read_all=True)
        yield Finding(root, "damaged" if why else "sound", why)
    for path in sorted(cache.rglob(".*")):
        with suppress(FileNotFoundError):
            # A dotted name in an unpacked archive is part of it, not one of our temporary files.
            inside = any(parent.name == "content" for parent in path.relative_to(cache).parents)
            if not inside and now - path.stat().st_mtime >= _STALE_S:
                yield Finding(path, "left over", "a process was killed while it wrote this")


def _removed(found: Finding) -> Finding:
    """Remove what is made again, the same, when it is next asked for."""
    if found.path.is_dir():
        shutil.rmtree(found.path, ignore_errors=True)
    else:
        found.path.unlink(missing_ok=True)
    return replace(found, state="removed")


def _fetched_again(found: Finding, tree: WebTree) -> Finding:
    """Get a damaged download again, and the record of its first use with it."""
    tree.first_use_file(found.path).unlink(missing_ok=True)
    gone = _removed(found)
    with suppress(NotInSource, NMCError):
        again = tree.get(item(found.key), progress=False)
        return replace(found, path=again.path, state="fetched again")
    return gone


# Exports and imports -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Moved:
    """What an export or an import did: keys written, and keys left out with the reason."""

    folder: Path
    written: tuple[str, ...]
    left_out: dict[str, str]


def export(
    target: Path, patterns: Iterable[str] = (), *, source=None, progress: bool = True
) -> Moved:
    """Copy what `patterns` name (or all at hand) into a folder laid out as the portal's tree."""
    target = files.user_path(target)
    if target.exists():
        raise SourceError(f"{target} exists already: export to a folder that does not.")
    records: list[Record] = []
    left_out, wanted = {}, list(patterns)
    rows = match(wanted) if wanted else items().values()
    for entry in files.progress_bar("Collecting", rows, unit=" files", shown=progress):
        get = partial(data.fetch_record, progress=progress) if wanted else data.at_hand
        try:
            if found := get(entry.key, source=source):
                records.append(found)
        except MissingFileError:
            left_out[entry.key] = "no tree of the source has it"
    if not records:
        raise MissingFileError("Nothing is at hand to export: name keys, and they are fetched.")
    if len({entry.invented for entry in records}) > 1:
        raise SourceError(
            "The source mixes real files with the synthetic sample, and one folder must not: "
            "export with one of them, e.g. NMC_SOURCE=portal."
        )
    with files.atomic_folder(target) as temporary:
        for entry in records:
            copy = temporary / item(entry.key).path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.path, copy)
        _describe(temporary, records)
        files.write_sums(temporary)
    return Moved(target, tuple(entry.key for entry in records), left_out)


def _describe(root: Path, records: list[Record]) -> None:
    origin = ", ".join(dict.fromkeys(entry.origin for entry in records))
    invented = records[0].invented
    if invented or all(entry.confirmed for entry in records):
        files.write_json(root / MARKER, {"origin": origin, "invented": invented})
    text = "A synthetic sample: every number in it is invented. Set NMC_SOURCE to this folder.\n"
    if not invented:
        cite = provenance.citations_for(entry.key for entry in records)
        lines = "\n".join(f"- {provenance.apa(key)}" for key in cite)
        text = Path(__file__).with_name("export.txt").read_text("utf-8")
        text = text.format(citations=lines, terms=provenance.terms_text())
    files.write_bytes(root / "README.txt", text.encode())


def import_(*origins: Path) -> Moved:
    """Copy files into the cache, verifying each; then ``portal`` has them without a network.

    From exported folders, other copies of the tree, folders of downloads, unpacked packages, or
    single files with the portal's names.
    """
    cache, written, left_out = WebTree(), [], {}
    for origin in map(files.user_path, origins):
        if not origin.exists():
            raise SourceError(f"{origin} does not exist.")
        tree = FolderTree(origin if origin.is_dir() else origin.parent)
        own = key_of_file(origin.name)
        if origin.is_dir():
            found = [(e, p) for e in items().values() if (p := tree.find(e))]
        else:
            found = [(item(own), origin)] if own else []
        if not found:
            raise FormatError(f"{origin} holds no file of the registry that is known by its name.")
        for entry, path in found:
            if not entry.on_portal:
                left_out[entry.key] = "no file of the portal: name its folder in NMC_SOURCE"
                continue
            record = tree.take(entry, path)
            if record.invented:
                raise SourceError(
                    f"{record.path} is synthetic: name its tree in NMC_SOURCE instead of "
                    "importing it."
                )
            place = cache.folder / entry.path
            with files.writing(entry.key), files.atomic_write(place) as temporary:
                shutil.copyfile(record.path, temporary)
                tree.verify(entry, temporary)
                if record.trust != "catalogue":  # no list comes with it into the cache
                    first = replace(record, trust="first use")
                    cache.record_first_use(place, first, str(record.path))
            written.append(entry.key)
    return Moved(cache.folder, tuple(written), left_out)
