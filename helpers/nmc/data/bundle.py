"""A cache as one folder, for a classroom or a cluster without a network, and back again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from nmc.data import cached, check, citations, files, folder, sources, terms, web
from nmc.data.catalogue import Item, items
from nmc.data.catalogue import item as item_of
from nmc.data.fetch import fetch_record
from nmc.data.provenance import Record
from nmc.errors import FormatError, MissingFileError, SourceError

_README = """A copy of files of the Neocortical Microcircuit Collaboration portal, laid out as the
portal's tree was. To use it, set NMC_SOURCE to this folder, or copy it into a cache with
'nmc import'. SHA256SUMS lists every file: check it with 'sha256sum -c SHA256SUMS'.

The data come under the portal's terms, told below in our own words, and are to be cited:

{citations}

{terms}"""


@dataclass(frozen=True)
class Moved:
    """What an export or an import did: records written, and paths left out with the reason."""

    folder: Path
    written: tuple[str, ...]
    left_out: dict[str, str]


def match(patterns: Iterable[str]) -> list[Item]:
    """Return the items whose keys match any of the patterns.

    Parameters
    ----------
    patterns : iterable of str
        Keys, beginnings of keys that end at a ``/``, or patterns with ``*`` and ``?``.

    Raises
    ------
    UnknownNameError
        When a pattern matches nothing.
    """
    known, found = items(), {}
    for pattern in patterns:
        own = pattern.strip().strip("/")
        keys = [k for k in known if k == own or k.startswith(own + "/") or fnmatchcase(k, own)]
        if not keys:
            keys = [
                item_of(pattern).key
            ]  # another spelling of a name, or an error that suggests one
        found.update({key: known[key] for key in keys})
    return list(found.values())


def export(
    target: Path, patterns: Iterable[str] = (), *, source=None, progress: bool = True
) -> Moved:
    """Copy files into a new folder that is laid out as the portal's tree, with SHA256SUMS.

    Parameters
    ----------
    target : pathlib.Path
        A folder that does not exist yet.
    patterns : iterable of str
        What to copy, fetching it where need be; nothing means all that is at hand.
    source : str, path or sequence, optional
        As for `nmc.fetch`.
    progress : bool
        Show a progress bar, on stderr.

    Raises
    ------
    SourceError
        When the folder exists, or when synthetic and real files would be mixed in it.
    MissingFileError
        When nothing is at hand.
    """
    target = Path(target).expanduser().absolute()
    if target.exists():
        raise SourceError(f"{target} exists already: export to a folder that does not.")
    wanted, left_out = list(patterns), {}
    records = list(_records(wanted, source, left_out, progress))
    if not records:
        raise MissingFileError("Nothing is at hand to export: name keys, and they are fetched.")
    if len({entry.invented for entry in records}) > 1:
        raise SourceError(
            "The source mixes real files with the synthetic sample, and one folder must not: "
            "export with one of them, e.g. NMC_SOURCE=portal."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for entry in records:
            copy = temporary / items()[entry.key].path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.path, copy)
        _describe(temporary, records)
        folder.write_sums(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Moved(target, tuple(entry.key for entry in records), left_out)


def import_(origin: Path) -> Moved:
    """Copy an exported folder, or any copy of the tree, into the cache, verifying every file.

    Afterwards the source ``portal`` finds the files without a network.

    Parameters
    ----------
    origin : pathlib.Path
        A folder laid out as the portal's tree.

    Raises
    ------
    SourceError
        When it is no folder, or a synthetic tree.
    ChecksumError
        When a file is damaged; nothing of that file is copied.
    """
    origin = Path(origin).expanduser().absolute()
    if not origin.is_dir():
        raise SourceError(f"{origin} is no folder.")
    tree = folder.FolderTree(origin)
    if tree.invented:
        raise _synthetic(origin)
    target = web.WebTree.portal().folder
    written, left_out = [], {}
    for item in items().values():
        if not tree.has(item):
            continue
        if not item.on_portal:
            left_out[item.key] = "not a file of the portal: name the folder in NMC_SOURCE to use it"
            continue
        with files.writing(item.key):
            _import_one(tree, item, target)
        written.append(item.key)
    if not written:
        raise FormatError(f"{origin} holds no file of the catalogue at the portal's paths.")
    return Moved(target, tuple(written), left_out)


def _import_one(tree: folder.FolderTree, item: Item, target: Path) -> None:
    entry = tree.get(item)
    if entry.invented:
        raise _synthetic(entry.path)
    place = target / item.path
    with files.whole(place) as temporary:
        shutil.copyfile(entry.path, temporary)
        verdict = check.verify(item, temporary, listed=entry.sha256, trust=entry.trust)
        if verdict.trust != "catalogue":
            cached.CachedTree(target).record_first_use(place, verdict, str(entry.path))
    files.remember_sha256(place, verdict.sha256)


def _synthetic(what: Path) -> SourceError:
    return SourceError(f"{what} is synthetic: name its tree in NMC_SOURCE instead of importing it.")


def _records(wanted: list[str], source, left_out: dict, progress: bool) -> Iterator[Record]:
    from tqdm import tqdm

    trees = sources.trees(source)
    rows = match(wanted) if wanted else items().values()
    for item in tqdm(rows, desc="Collecting", unit=" files", leave=False, disable=not progress):
        try:
            if wanted:
                yield fetch_record(item.key, source=source, progress=progress)
                continue
            found = (tree.local(item) for tree in trees if tree.holds(item))
            entry = next((entry for entry in found if entry), None)
        except MissingFileError:
            left_out[item.key] = "no tree of the source has it"
            continue
        if entry:
            yield entry


def _describe(root: Path, records: list[Record]) -> None:
    origin = ", ".join(dict.fromkeys(entry.origin for entry in records))
    invented = records[0].invented
    if invented or all(entry.confirmed for entry in records):
        files.write_json(root / folder.MARKER, {"origin": origin, "invented": invented})
    if invented:
        text = (
            "A synthetic sample: every number in it is invented. Set NMC_SOURCE to this folder.\n"
        )
    else:
        cite = citations.keys_for(entry.key for entry in records)
        lines = "\n".join(f"- {citations.apa(key)}" for key in cite)
        text = _README.format(citations=lines, terms=terms.text())
    files.write_whole(root / "README.txt", text.encode())
