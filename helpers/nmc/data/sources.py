"""The trees a file may come from, in the order the reader named them.

A tree is laid out as the portal's was, or is a folder of downloads.  Every tree answers two
questions: `find`, where the file is, and `get`, which gives the verified file.
"""

from __future__ import annotations

import csv
import hashlib
import lzma
import os
import tarfile
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache
from importlib import metadata, resources, util
from pathlib import Path

from nmc import names
from nmc.data import archive, files, provenance, registry
from nmc.data.files import MARKER, SUMS, Marker, parse_marker, parse_sums
from nmc.data.registry import (
    Item,
    Record,
    sample_file,
    sample_files,
    sample_packages,
    sample_sha256,
)
from nmc.errors import ArchiveError, ChecksumError, NMCError, SourceError

_WAY_OUT = "Get a fresh copy, or remove the file from the cache with 'nmc verify --repair'."
_seen: dict[Path, Marker] = {}  # markers this process has read: one that vanishes is an error


class NotInSource(Exception):
    """A tree does not have a file, or, not `certain`, could not be asked: each address, and why."""

    def __init__(self, *tried: tuple[str, str], certain: bool = True):
        super().__init__("; ".join(f"{where}: {why}" for where, why in tried))
        self.tried = tried
        self.certain = certain


class FolderTree:
    """A folder on this machine or a shared disk, used where it lies and never written to.

    A file is found by its portal path, else by its own name where that is unique, a model package
    also unpacked, by its folder.
    """

    def __init__(self, folder: Path, name: str = ""):
        self.folder = folder
        self._name = name

    @property
    def marker(self) -> Marker | None:
        """What the tree says of itself, None when nothing; SourceError when unreadable, or gone."""
        path = self.folder / MARKER
        try:
            _seen[self.folder] = parse_marker(path.read_bytes(), path)
        except FileNotFoundError:
            if self.folder in _seen:
                raise SourceError(
                    f"{path} is gone, and it said what the tree's numbers are: put it back."
                ) from None
        except OSError as exc:
            raise SourceError(
                f"{path} cannot be read ({exc.strerror or exc}), so nobody can tell whether the "
                "tree's numbers are real: make it readable."
            ) from exc
        return _seen.get(self.folder)

    @property
    def name(self) -> str:
        """What the tree is called as an origin."""
        with suppress(SourceError):
            if not self._name and (marker := self.marker):
                return marker.origin or self.folder.name
        return self._name or self.folder.name

    def find(self, item: Item) -> Path | None:
        """Return the path of the file, or of the unpacked package."""
        for path in (self.folder / part for part in item.paths):
            if path.is_file():
                return path
        found = _listing(self.folder).get(item.key, [])
        return found[0] if len(found) == 1 else None

    def serves(self, item: Item) -> bool:
        """Whether the tree has the file, or would fetch or make it; servers are asked."""
        return self.find(item) is not None

    def get(
        self, item: Item, *, progress: bool = False, accept_terms: bool | None = None
    ) -> Record:
        """Return the verified file; raises `NotInSource` when the tree does not have it."""
        path = self.find(item)
        if path is None:
            several = _listing(self.folder).get(item.key, [])
            why = f"{len(several)} files of that name" if several else "no such file"
            raise NotInSource(*((str(self.folder / part), why) for part in item.paths))
        return self.take(item, path)

    def take(self, item: Item, path: Path) -> Record:
        """Return the verified file from where `find` has it; a package's folder is packed."""
        if path.is_dir():
            model = item.key.removeprefix("model/")
            states = ((one, one.stat()) for one in sorted(path.rglob("*")))
            state = "\n".join(f"{one} {s.st_size} {s.st_mtime_ns}" for one, s in states)
            path = files.made_once(f"{model}.zip", state, archive.pack, path, model)
        return self.verify(item, path)

    def expected(self, path: Path) -> tuple[str | None, str]:
        """Return the sha256 a file of the tree should have, if any, and who says so."""
        sums = self.folder / SUMS
        if sums.is_file() and path.is_relative_to(self.folder):
            listed = _sums(sums, _mtime(sums))
            if digest := listed.get(path.relative_to(self.folder).as_posix()):
                return digest, "tree"
        return None, "format"

    def verify(
        self, item: Item, path: Path, *, place: Path | None = None, shown: str = ""
    ) -> Record:
        """Verify a file by its content, and say what it is.

        `place` is where it belongs in the tree, where it is not there yet.
        """
        shown = shown or str(path)
        size, digest = path.stat().st_size, files.sha256_of(path)
        own = Record(item.key, self.name, digest, size, False, "", "catalogue", path)
        sample = replace(own, origin="sample", invented=True, trust="sample")

        def altered(expected: str) -> ChecksumError:
            more = " Load an edited package by its path." if item.content else ""
            return ChecksumError(
                f"{shown} ({item.key}) was altered or truncated: {expected}, "
                f"it has {size:,} bytes with sha256 {digest}. {_WAY_OUT}{more}"
            )

        if digest in sample_sha256():
            return sample
        for known in item.known:
            if digest == known.sha256:
                return replace(own, release=known.release)
        listed, trust = self.expected(place or path)
        if listed not in (None, digest):
            who = "it was recorded at first use with" if trust == "first use" else "its tree lists"
            raise altered(f"{who} sha256 {listed}")
        content, release = _inspected(item, path, digest, shown)
        if content in item.content:
            return replace(own, release=release)
        if content and content in sample_packages().values():
            return replace(sample, release=release)
        marker = self.marker
        if item.known and item.on_portal and not (marker and marker.invented):
            size_bytes, sha256, _ = item.known[0]
            raise altered(f"{size_bytes:,} bytes with sha256 {sha256} are expected")
        invented, confirmed = bool(marker and marker.invented), bool(marker)
        return replace(own, trust=trust, release=release, invented=invented, confirmed=confirmed)


@cache
def _inspected(item: Item, path: Path, digest: str, shown: str) -> tuple[str, str]:
    """Check a file's format; of a model package return the digest of its content, and release."""
    try:
        found = archive.inspect(path, "h5" if path.suffix == ".h5" else item.format)
        if item.key.startswith("page/pathway/") and b"factsheet" not in path.read_bytes():
            raise ArchiveError("it is a page, but no fact sheet")  # such as a login's, or a move's
    except ArchiveError as exc:
        wrong = str(exc).rstrip(".")
        raise ChecksumError(
            f"{shown} is not a complete {item.format} file: {wrong}. {_WAY_OUT}"
        ) from exc
    return found if item.content else ("", "")


@lru_cache(maxsize=8)
def _sums(path: Path, mtime_ns: int) -> dict[str, str]:
    return parse_sums(path.read_bytes(), path)


# The sample ---------------------------------------------------------------------------------------


class SampleTree(FolderTree):
    """The sample, unpacked when one of its files is first asked for."""

    def __init__(self):
        listed = sample_file("files.csv").read_bytes()
        fingerprint = hashlib.sha256(listed).hexdigest()[:16]
        super().__init__(files.cache_folder() / "sample" / fingerprint, "sample")

    @property
    def marker(self) -> Marker:
        """What the sample is, whatever lies in the cache."""
        return Marker("sample", True)

    def find(self, item: Item) -> Path | None:
        """Return where the file is, or will be once unpacked."""
        return self.folder / item.path if item.path in sample_files() else None

    def get(
        self, item: Item, *, progress: bool = False, accept_terms: bool | None = None
    ) -> Record:
        """Return the verified file, unpacking the sample first where need be."""
        path = self.find(item)
        if path is None:
            listed = f"it has the packages of {', '.join(sample_packages())} only"
            why = listed if item.key.startswith("model") else "no such file"
            raise NotInSource(("sample", why))
        if not path.is_file():
            with files.writing("The sample"), files.atomic_folder(self.folder) as temporary:
                _unpack(temporary)
                if self.folder.is_dir():  # this file alone was removed
                    os.replace(temporary / item.path, path)
        return self.verify(item, path)


def _unpack(root: Path) -> None:
    """Unpack the sample; its list of hashes is the package's own, so that damage is noticed."""
    try:
        with (
            sample_file("sample.tar.xz").open("rb") as packed,
            tarfile.open(fileobj=packed, mode="r|xz") as tar,
        ):
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
            tar.extractall(root)
    except (tarfile.TarError, lzma.LZMAError, EOFError) as exc:
        raise ChecksumError(
            f"The package's own archive of the sample is damaged ({exc}): install nmc again."
        ) from exc
    lines = (f"{sha256}  {name}\n" for name, sha256 in sample_files().items())
    files.write_bytes(root / SUMS, "".join(lines).encode())


# Folders of downloads ----------------------------------------------------------------------------


#: Folder → what was found in it, and when each folder in it had changed.
_listings: dict[Path, tuple[dict[str, list[Path]], dict[str, int]]] = {}


def _listing(root: Path) -> dict[str, list[Path]]:
    """Return what lies in a folder under a unique file name: key → paths; read when it changed."""
    found, folders = _listings.get(root, ({}, {}))
    if folders and all(_mtime(folder) == at for folder, at in folders.items()):
        return found
    found, folders = _listings[root] = {}, {}
    for place, inside, listed in os.walk(root):
        folder, folders[place] = Path(place), _mtime(place)
        inside[:] = [name for name in inside if not name.startswith((".", "__"))]
        held = [(registry.key_of_file(name), folder / name) for name in listed]
        if "template.hoc" in listed:  # an unpacked package
            inside.clear()
            held.clear()
            with suppress(NMCError):  # a package of another name is loaded by its path
                held.append((f"model/{names.parse_model(folder.name).name}", folder))
        for key, path in held:
            if key:
                found.setdefault(key, []).append(path)
    return found


def _mtime(path: str | Path) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1


@cache
def providers() -> dict[str, dict[str, str]]:
    """Key → the ``package`` (and module) that ships the file, and the ``folder`` in it.

    ``files``, where the package ships another form: its name there, and the sha256 of its two parts
    (neurons, synapses).
    """
    with resources.files(__package__).joinpath("extracts.csv").open(encoding="utf-8") as lines:
        return {row["key"]: row for row in csv.DictReader(lines)}


class ExtractsTree(FolderTree):
    """Real files of the packages that are installed, found without importing them.

    MEArec's packages are of release 1.0.11 with one script of each re-formatted, which nothing
    here runs; the registry knows their content as in MEArec 1.9 to 1.11.
    """

    def __init__(self):
        super().__init__(files.cache_folder(), "extracts")

    def find(self, item: Item) -> Path | None:
        """Return the path of the file where a package ships it unaltered."""
        try:
            return self._record(item).path
        except NotInSource:
            return None

    def get(self, item: Item, *, progress: bool = True, accept_terms: bool | None = None) -> Record:
        """Return the verified file, brought into the portal's layout in the cache."""
        found = self._record(item)
        provenance.require_terms(self.name, accept_terms)
        return found

    def _record(self, item: Item) -> Record:
        where, told = f"extracts/{item.path}", providers().get(item.key)
        if told is None:
            raise NotInSource((where, "no package on PyPI is known to ship it"))
        provider, root = told["package"], folder_of(told["package"])
        if root is None or not (root / told["folder"]).is_dir():
            why = f"the package {provider} ships it but is not installed: pip install nmc[extracts]"
            raise NotInSource((where, why))
        folder, name = root / told["folder"], item.path.rpartition("/")[2]
        origin = f"{provider} {version_of(provider)} (PyPI)"
        wiring, *digests = told["files"].split() or [""]
        paths = [folder / f"connectome.{wiring}.{part}.csv.gz" for part in ("neurons", "synapses")]
        altered = [path.name for path, sha256 in zip(paths, digests, strict=False)
                   if not path.is_file() or files.sha256_of(path) != sha256]  # fmt: skip
        if wiring and not altered:
            mtype = item.key.rpartition("/")[2]
            path = files.made_once(name, digests[1], _write_wiring, mtype, *paths)
            size, digest = path.stat().st_size, files.sha256_of(path)
            return Record(item.key, origin, digest, size, False, "", "catalogue", path)
        with suppress(ChecksumError, NotInSource):
            found = FolderTree(folder, origin).get(item)
            if found.trust == "catalogue":
                return found
        what = altered[0] if altered else name
        raise NotInSource((where, f"{provider} {version_of(provider)} changed {what}"))


def version_of(distribution: str) -> str:
    """Return an installed distribution's version, or an empty text."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def folder_of(module: str) -> Path | None:
    """Return the folder of a top-level package without importing it, None where not installed."""
    spec = util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _write_wiring(mtype: str, neurons_csv: Path, synapses_csv: Path, target: Path) -> None:
    """Write a whole m-type of mc2 that netsci ships in the layout of the portal's HDF5."""
    import h5py
    import numpy as np
    import pandas as pd

    neurons, synapses = pd.read_csv(neurons_csv), pd.read_csv(synapses_csv)
    order = pd.Series(np.arange(len(neurons)), index=neurons["gid"])
    contacts = np.zeros((len(neurons), len(neurons)), dtype=np.uint16)
    contacts[order[synapses["from"]], order[synapses["to"]]] = synapses["contacts"]
    with h5py.File(target, "w", track_order=True) as out:
        places = neurons[["x", "y", "z"]].to_numpy(float)
        out.create_dataset(f"populations/{mtype}/locations", data=places)
        block = out.create_group(f"connectivity/{mtype}/{mtype}")
        for name, data in (("cMat", (contacts > 0).astype(np.uint8)), ("contacts", contacts)):
            block.create_dataset(name, data=data, chunks=True, compression="gzip")
