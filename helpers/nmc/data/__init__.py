"""Getting the files: a key (or a path) goes in, the path of a verified file comes out.

`nmc.data.registry` says what there is, `nmc.data.sources` where it comes from, and
`nmc.data.provenance` what was fetched.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from functools import lru_cache
from pathlib import Path

from nmc import names
from nmc.data import archive, files, provenance, registry, sources
from nmc.data.registry import Item, Record, item
from nmc.data.sources import SampleTree
from nmc.errors import (
    DownloadError,
    FormatError,
    MissingFileError,
    OfflineError,
    PackageError,
    SourceError,
)

_CONTENT, _LIST = "content", "members.json"  # of an unpacked archive in the cache
_log = logging.getLogger(__name__)
_Source = str | os.PathLike | list | tuple | None


def fetch(
    key: str, *, source: _Source = None, progress: bool = True, accept_terms: bool | None = None
) -> Path:
    """Return the path of a verified file, getting it first where need be.

    Parameters
    ----------
    key : str
        A key of `nmc.catalogue`, e.g. ``sheet/layers`` or ``model/L5_TTPC1_cADpyr232_1``.
    source : str, path or sequence, optional
        The trees to take it from, in order: ``sample``, ``portal``, ``extracts``, a folder, an
        address.  Default: ``NMC_SOURCE``, else ``sample``.
    progress : bool
        Show a progress bar, on stderr, for what takes time.
    accept_terms : bool, optional
        True accepts the data terms, which ``portal`` and ``extracts`` need once per cache
        (``nmc terms`` shows them).

    Returns
    -------
    pathlib.Path
        A file to read, never to write.

    Raises
    ------
    UnknownNameError
        When there is no such key.
    MissingFileError
        When no tree of the source has the file; names each address tried.
    DownloadError
        When a tree could not be asked; names each address and why.
    ChecksumError
        When the file a tree has is altered or truncated.
    SourceError
        When there is no such tree, or one does not say whether its numbers are real, and the
        content does not tell.
    TermsError
        When the terms have not been accepted.

    Examples
    --------
    >>> fetch("sheet/layers").name
    'layer_download.json'
    """
    return fetch_record(key, source=source, progress=progress, accept_terms=accept_terms).path


def fetch_record(
    key: str, *, source: _Source = None, progress: bool = True, accept_terms: bool | None = None
) -> Record:
    """As `fetch`, and return the whole record: path, origin, sha256, size, release."""
    wanted = item(key)
    missing: list[sources.NotInSource] = []
    for tree in trees(source):
        try:
            found = tree.get(wanted, progress=progress, accept_terms=accept_terms)
        except sources.NotInSource as exc:
            missing.append(exc)
            continue
        registry.record(found)
        if found.confirmed and not found.invented:
            provenance.tell_terms(found.origin, wanted.cite)
        return found
    raise _nowhere(wanted, missing)


def fetch_folder(
    key: str, *, source: _Source = None, progress: bool = True, accept_terms: bool | None = None
) -> Path:
    """Fetch an archive and return the folder it unpacks to.

    The folder lies in the cache, is unpacked once, and is checked against the hashes of its
    members whenever it is asked for: read it, copy it, but do not change it.

    Parameters are those of `nmc.fetch`.

    Returns
    -------
    pathlib.Path
        For a model, the package's own folder, which holds ``template.hoc``; else the folder
        that holds what the archive held, archives inside it unpacked too.

    Raises
    ------
    FormatError
        When the key's file is no archive.
    PackageError
        When a model's archive does not hold one package.
    NMCError
        The others of `nmc.fetch`; a damaged or hostile archive is a ChecksumError.
    """
    wanted = item(key)
    if wanted.format not in ("zip", "tar"):
        raise FormatError(f"{wanted.key!r} is a single {wanted.format} file: use nmc.fetch.")
    found = fetch_record(key, source=source, progress=progress, accept_terms=accept_terms)
    nested = wanted.key.startswith(("models/", "connectome/archive/"))
    content = unpack_once(found.path, found.sha256, nested=nested, progress=progress)
    return package_folder(content) if wanted.key.startswith("model/") else content


def unpack_once(path: Path, sha256: str, *, nested: bool = False, progress: bool = False) -> Path:
    """Return the cache's folder that an archive of that hash unpacks to, made anew if damaged."""
    root = files.cache_folder() / "unpacked" / f"{sha256[:24]}{'-nested' if nested else ''}"
    damaged = damage(root) if root.is_dir() else ""
    if damaged:
        _log.warning("%s was changed (%s): unpacking it again.", root, damaged)
        shutil.rmtree(root, ignore_errors=True)
    if not root.is_dir():
        with files.writing(path.name), files.atomic_folder(root) as temporary:
            content = temporary / _CONTENT
            members = archive.unpack(path, content, nested=nested, progress=progress)
            files.write_json(temporary / _LIST, members)
    return root / _CONTENT


def damage(root: Path, *, read_all: bool = False) -> str:
    """Say what is wrong with an unpacked archive; unless `read_all`, in files that look changed."""
    members = files.read_json(root / _LIST)
    if members is None:
        return "its list of members is lost"
    for name, entry in members.items():
        try:
            path = root / _CONTENT / name
            status = path.lstat()
            same = (status.st_size, status.st_mtime_ns) == (entry["size_bytes"], entry["mtime_ns"])
            if same and not read_all:
                continue
            if files.compute_sha256(path) != entry["sha256"]:
                return f"{name} was altered"
        except OSError:
            return f"{name} is missing"
        except (KeyError, TypeError, ValueError):
            return "its list of members is damaged"
    return ""


def package_folder(path: Path) -> Path:
    """Return the folder of the one package that lies at a path, or up to three folders below."""
    levels = ("*/" * depth + registry.TEMPLATE for depth in range(registry.DEEPEST + 1))
    templates = (place.relative_to(path).parts for one in levels for place in path.glob(one))
    found = registry.package_tops(templates)
    if len(found) != 1:
        raise PackageError(
            f"{path} holds {len(found)} packages (folders with a {registry.TEMPLATE}), not one: "
            "name the folder of the package, or get a fresh copy of it."
        )
    return path.joinpath(*found[0])


def available(key: str, source: _Source = None) -> bool:
    """Whether some tree of the source (as for `fetch`) has the file; nothing is downloaded.

    Servers are asked whether they have it; offline, only what was fetched before counts.
    """
    wanted = item(key)
    return any(tree.serves(wanted) for tree in trees(source))


def available_models(source: _Source = None) -> tuple[str, ...]:
    """Return the models whose packages the source (as for `fetch`) can give.

    Nothing is downloaded or asked: it is what lies in the sample or in a folder, or was fetched
    before; with the portal among the trees, and not offline, all, in the order of
    `nmc.model_names`.

    Examples
    --------
    >>> "L5_TTPC1_cADpyr232_1" in available_models("sample")
    True
    """
    every, given = names.model_names(), trees(source)
    if not files.offline() and any(tree.name == "portal" for tree in given):
        return every
    return tuple(n for n in every if any(tree.find(item(f"model/{n}")) for tree in given))


def local(key: str, source: _Source = None) -> Path | None:
    """Return the verified file if it lies ready in the tree that would serve it, else None."""
    wanted = item(key)
    tree = next((one for one in trees(source) if one.serves(wanted)), None)
    found = _ready(tree, wanted) if tree else None
    if found:
        registry.record(found)
    return found.path if found else None


def at_hand(key: str, source: _Source = None) -> Record | None:
    """Return the first record of a file that lies ready in some tree of the source, else None."""
    wanted = item(key)
    found = (_ready(tree, wanted) for tree in trees(source))
    return next((record for record in found if record), None)


def _ready(tree: sources.FolderTree, wanted: Item) -> Record | None:
    path = tree.find(wanted)
    return tree.get(wanted) if path and path.exists() else None


def trees(source: _Source = None) -> tuple[sources.FolderTree, ...]:
    """Return the trees of a source (as for `fetch`), in order."""
    return tuple(_tree(name) for name in files.source_names(source))


def _tree(name: str) -> sources.FolderTree:
    if name == "sample":
        return sources.SampleTree()
    if name == "portal" or name.startswith(("http://", "https://")):
        from nmc.data.web import WebTree  # requests and pooch only where the network is asked

        return WebTree(name)
    if name == "extracts":
        return sources.ExtractsTree()
    folder = files.user_path(name.removeprefix("file://"))
    if not folder.is_dir():
        raise SourceError(
            f"The source {files.redact(name)!r} is neither sample, portal, extracts, an http(s) "
            "address, nor a folder that exists: set NMC_SOURCE to one of these, or to several "
            "separated by commas."
        )
    return sources.FolderTree(folder)


def _nowhere(wanted: Item, missing: list[sources.NotInSource]) -> Exception:
    lines = "".join(f"\n  {where}: {why}" for exc in missing for where, why in exc.tried)
    if all(exc.certain for exc in missing):
        return MissingFileError(
            f"No tree of the source has {wanted.key!r} ({wanted.title}). Name another tree in "
            f"NMC_SOURCE, or see what there is with 'nmc list'. Tried:{lines}"
        )
    if files.offline():
        return OfflineError(
            f"{wanted.key!r} ({wanted.title}) is not in the cache, and the network is switched "
            f"off. Unset NMC_OFFLINE, or bring the file with 'nmc import'. Looked for:{lines}"
        )
    return DownloadError(
        f"{wanted.key!r} ({wanted.title}) could not be downloaded. Check the network, or name a "
        f"copy of the tree (a folder or an address) in NMC_SOURCE. Tried:{lines}"
    )


_BLOCK = 4096  # bytes of a binary file that are compared at once
_WORDS = 6  # of a text that are compared at once


def remember_path(path: Path, sha256: str, origin: str) -> Record:
    """Remember a file given by its path: known by its hash, an edited sample's, or `origin`."""
    if found := next((entry for entry in registry.records() if _holds(entry, sha256)), None):
        return found
    size, every = path.stat().st_size, registry.items().values()
    release = next((k.release for e in every for k in e.known if k.sha256 == sha256), None)
    if sha256 in registry.sample_sha256():
        entry = Record(str(path), "sample", sha256, size, True, "", "sample", path)
    elif release is not None:
        entry = Record(str(path), "portal", sha256, size, False, release, "catalogue", path)
    elif _is_edited_sample(path, sha256):
        entry = Record(str(path), "edited sample", sha256, size, True, "", "format", path, False)
    else:
        entry = Record(str(path), origin, sha256, size, False, "", "format", path, False)
    registry.remember(entry)
    return entry


def _holds(entry: Record, sha256: str) -> bool:
    """Whether a file is a fetched one, or lay in a fetched archive of connectomes."""
    if entry.sha256 == sha256 or not entry.key.startswith("connectome/"):
        return entry.sha256 == sha256
    root = files.cache_folder() / "unpacked"
    lists = [root / f"{entry.sha256[:24]}{end}" / _LIST for end in ("", "-nested")]
    members = [one for path in lists for one in (files.read_json(path) or {}).values()]
    return any(one["sha256"] == sha256 for one in members)


@lru_cache(maxsize=64)
def _is_edited_sample(path: Path, sha256: str) -> bool:
    """Whether most of a sheet or connectome is that of a file of the sample."""
    tree, kind = SampleTree(), {".json": "sheet/", ".h5": "connectome/"}.get(path.suffix, "")
    size = path.stat().st_size
    listed = registry.sample_list("files") + registry.sample_list("inner")
    near = [name for name, theirs, _ in listed if 0.7 < size / theirs < 1.4]
    if not kind or not any(name.endswith(path.suffix) for name in near):
        return False
    mine = _pieces(path)
    for entry in registry.items().values():
        if entry.key.startswith(kind) and tree.find(entry):
            place = tree.get(entry).path
            if place.suffix == ".tar":
                place = next(unpack_once(place, files.sha256_of(place)).rglob("*.h5"))
            if len(mine & _pieces_of_sample(place)) > len(mine) / 2:
                return True
    return False


def _pieces(path: Path) -> set[tuple]:
    """Return what is compared: of a text every few words in a row, else each block in its place."""
    content = path.read_bytes()
    if path.suffix == ".json":
        words = re.split(rb"[\s,{}]+", content)
        return {tuple(words[at : at + _WORDS]) for at in range(len(words))}
    blocks = (content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK))
    return {(n, block) for n, block in enumerate(blocks) if block.strip(block[:1])}


_pieces_of_sample = lru_cache(maxsize=8)(_pieces)  # the same few files, compared with each own one
