"""The registry: what there is to fetch, a row a file of the portal; and what was fetched of it.

The table ``registry.csv`` is the source: key, paths in a tree, format, size, sha256 and release
where they are known, for model packages the digest of their content.  A second row of a key holds
another known version of the same file.  Where nothing is known, the first copy fetched is trusted,
recorded, and every later copy must equal it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from nmc import names
from nmc.data import files
from nmc.errors import CacheError, NMCError, UnknownNameError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import pandas as pd

#: The public copy of the tree (AWS open data), then the portal itself, whose project has ended:
#: the base of the tree, and that of ``public/``, which the portal served from its host's root.
PORTAL_MIRRORS = (
    (
        "https://openbluebrain.s3.amazonaws.com/Portals/nmc-portal/",
        "https://openbluebrain.s3.amazonaws.com/Portals/nmc-portal/",
    ),
    ("https://bbp.epfl.ch/nmc-portal/", "https://bbp.epfl.ch/"),
)
#: Files in which releases 1.0.10 and 1.0.11 of the same package differ.
RELEASE_FILES = ("run.py", "run_py.sh", "README", "VERSION", "CHANGELOG")
_LICENCES = {
    "portal": "NMC portal terms of use (non-commercial)",
    "package": "CC BY-NC-SA 4.0 (the package's LICENSE; some channels under ModelDB's terms), "
    "and the NMC portal terms of use (non-commercial)",
    "conversion": "MIT for the conversion; the models as the packages: CC BY-NC-SA 4.0 and the "
    "NMC portal terms of use (non-commercial)",
}


class Known(NamedTuple):
    """A file's size and sha256, and the release they belong to (empty when there is one only)."""

    size_bytes: int
    sha256: str
    release: str = ""


class Item(NamedTuple):
    """One row of the registry."""

    key: str
    path: str  #: where the portal kept the file, relative to a tree's root
    title: str
    format: str  #: ``json``, ``html``, ``zip``, ``tar`` (also compressed), ``h5``, ``gz``
    reader: str  #: which call reads it
    licence: str
    cite: tuple[str, ...]  #: keys of `nmc.data.provenance.bibtex`
    known: tuple[Known, ...] = ()  #: empty when no sha256 was ever published or seen
    content: tuple[str, ...] = ()  #: of a model package: the digests of its content, however packed
    on_portal: bool = True  #: False for what only copies of the tree hold
    also: tuple[str, ...] = ()  #: other paths of the same file
    note: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of the file in a tree, the first the usual one."""
        return (self.path, *self.also)

    @property
    def size_bytes(self) -> int | None:
        """Size in bytes where it is known."""
        return self.known[0].size_bytes if self.known else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the public mirrors keep the file, in the order they are tried."""
        return tuple(
            join(public if path.startswith("public/") else base, path)
            for base, public in (PORTAL_MIRRORS if self.on_portal else ())
            for path in self.paths
        )


def join(base: str, path: str) -> str:
    """Return the address of a path below a base, percent-encoded where it must be."""
    return f"{base.rstrip('/')}/{quote(path, safe='/:-_.~')}"


@cache
def _rows() -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    with resources.files("nmc.data").joinpath("registry.csv").open(encoding="utf-8") as lines:
        for row in csv.reader(lines):
            found.setdefault(row[0], []).append(row[1:])
    del found["key"]
    return found


@cache
def _item(key: str) -> Item:
    rows = _rows()[key]
    path, also, kind, title, reader, licence, cite, on_portal, note = rows[0][:9]
    facts = [row[9:] for row in rows]
    return Item(
        key, path, title, kind, reader, _LICENCES[licence], tuple(cite.split()),
        tuple(Known(int(size), sha256, release) for size, sha256, release, _ in facts if sha256),
        tuple(content for *_, content in facts if content),
        on_portal == "yes", tuple(also.split()), note,
    )  # fmt: skip


@cache
def items() -> dict[str, Item]:
    """Return every item of the registry by its key."""
    return {key: _item(key) for key in _rows()}


def item(key: str) -> Item:
    """Return one item by its key, by the portal's spelling of it, or by a bare model name."""
    text = str(key).strip().strip("/")
    if text in _rows():
        return _item(text)
    head, _, tail = text.rpartition("/")
    ways = (names.canonical_metype, names.canonical_mtype, names.canonical_layer)
    for canonical in ways if head not in ("", "model") else (names.parse_model,):
        with suppress(NMCError):
            if (found := f"{head or 'model'}/{canonical(tail)}") in _rows():
                return _item(found)
    family = [known for known in _rows() if known.split("/")[0] == text.split("/")[0]]
    others = [known for known in _rows() if not known.startswith("model/")]
    error = UnknownNameError.of("catalogue key", key, family or [*others, *names.model_names()])
    if "Did you mean" not in str(error):
        raise UnknownNameError(f"{error} 'nmc list' shows the families of keys.")
    raise error


def match(patterns: Iterable[str]) -> list[Item]:
    """Return the items of keys, of beginnings of keys up to a ``/``, of patterns with ``*``, ``?``.

    An UnknownNameError where one matches nothing.

    Examples
    --------
    >>> [entry.key for entry in match(["L1_SAC_cACint209_1"])]
    ['model/L1_SLAC_cACint209_1']
    """
    found: dict[str, Item] = {}
    for pattern in patterns:
        own = pattern.strip().strip("/")
        keys = [k for k in _rows() if k == own or k.startswith(own + "/") or fnmatchcase(k, own)]
        found.update({key: _item(key) for key in keys or [item(pattern).key]})
    return list(found.values())


@cache
def by_file_name() -> dict[str, str]:
    """Return the keys of the files whose own name, without its folder, no other file bears."""
    places: dict[str, set[str]] = {}
    for entry in items().values():
        for path in entry.paths:
            places.setdefault(path.rpartition("/")[2], set()).add(entry.key)
    return {name: keys.pop() for name, keys in places.items() if len(keys) == 1}


def key_of_file(name: str) -> str | None:
    """Return the key of a file by its own name, also where a browser numbered a second download.

    Examples
    --------
    >>> key_of_file("layer_download (1).json")
    'sheet/layers'
    """
    own = re.sub(r" ?\([0-9]+\)(?=\.)", "", name)
    return by_file_name().get(own) or by_file_name().get(re.sub(r"\.h5$", ".tar", own))


#: Every package has this file, in at most so many folders.
TEMPLATE, DEEPEST = "template.hoc", 3
#: In place of a hash: a link, or what is neither file nor folder; what it leads to is not hashed.
NOT_PLAIN = "no plain file"


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file by its path; `NOT_PLAIN` for a link, wherever it leads.

    Hidden files are left out: no call but `nmc.run_command` could run them.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            found["/".join(parts)] = NOT_PLAIN
        elif path.is_file():
            found["/".join(parts)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def content_digest(hashes: Mapping[str, str]) -> str:
    """Return the digest by which a package is known, whatever its release or packing.

    It is the sha256 of one line ``SHA256␠␠PATH`` a member (its path below the package's folder →
    its sha256), sorted by path; hidden members and `RELEASE_FILES` are left out.
    """
    counted = sorted(
        path
        for path in hashes
        if path not in RELEASE_FILES and not any(part[:1] == "." for part in path.split("/"))
    )
    return hashlib.sha256("".join(f"{hashes[p]}  {p}\n" for p in counted).encode()).hexdigest()


def package_tops(paths: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the folders of packages, of those nearest to the top, among the paths of files."""
    found = [
        parts[:-1]
        for parts in paths
        if parts[-1] == TEMPLATE and len(parts) <= DEEPEST + 1 and "__MACOSX" not in parts
    ]
    return [top for top in found if len(top) == len(min(found, key=len))]


@cache
def known_content() -> dict[str, str]:
    """Return every known content digest of a model package → the model's name."""
    every = ((key, row[12]) for key, rows in _rows().items() for row in rows)
    return {digest: key.removeprefix("model/") for key, digest in every if digest}


def sample_file(name: str) -> Traversable:
    """Return a file of the sample that ships with the package: the archive, or a list of it."""
    return resources.files("nmc.data").joinpath("sample", name)


@cache
def sample_list(name: str) -> tuple[tuple[str, int, str], ...]:
    """Return a list of the sample (``files``, ``inner``, ``packages``): name, number, sha256."""
    with sample_file(f"{name}.csv").open(encoding="utf-8") as lines:
        return tuple((row[0], int(row[1]), row[2]) for row in [*csv.reader(lines)][1:])


@cache
def sample_files() -> dict[str, str]:
    """Return the sha256 of every file of the sample: such a file is invented wherever it lies."""
    return {name: sha256 for name, _, sha256 in sample_list("files")}


@cache
def sample_inner() -> frozenset[tuple[str, str]]:
    """Return name and sha256 of the connectomes and NeuroML2 files in the sample's archives."""
    return frozenset((name, sha256) for name, _, sha256 in sample_list("inner"))


@cache
def sample_sha256() -> frozenset[str]:
    """Return the sha256 of the sample's files, and of those inside its archives."""
    return frozenset(sample_files().values()) | {sha256 for _, sha256 in sample_inner()}


@cache
def sample_packages() -> dict[str, str]:
    """Return every model the sample has a package of → the digest of its content."""
    return {model: digest for model, _, digest in sample_list("packages")}


def catalogue() -> pd.DataFrame:
    """Return the registry as a table, one row an item, indexed by key.

    Returns
    -------
    pandas.DataFrame
        Columns ``title, path, addresses, format, size_bytes, sha256, release, licence, cite,
        reader, note``; `size_bytes` and `sha256` are missing where they are not known.
    """
    import pandas as pd

    rows = [
        {
            **entry._asdict(), "addresses": entry.addresses, "size_bytes": entry.size_bytes,
            "sha256": entry.known[0].sha256 if entry.known else None,
            "release": " or ".join(known.release for known in entry.known if known.release),
        }
        for entry in items().values()
    ]  # fmt: skip
    columns = ("title", "path", "addresses", "format", "size_bytes", "sha256", "release",
               "licence", "cite", "reader", "note")  # fmt: skip
    return pd.DataFrame(rows).set_index("key")[[*columns]].astype({"size_bytes": "Int64"})


# What this process fetched ----------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One fetched file."""

    key: str  #: its key in the catalogue
    origin: str  #: the tree it came from: ``sample``, ``portal``, a folder's name, an address
    sha256: str
    size_bytes: int
    invented: bool  #: whether its numbers are synthetic
    release: str  #: where several exist, else empty
    #: What it was verified against: ``catalogue``, ``sample`` (it is one of its files), ``tree``
    #: (a list of hashes that came with it), ``format`` (its content only), ``first use``.
    trust: str
    path: Path
    #: False when nothing but its place says that the file is the portal's.
    confirmed: bool = True


_log: dict[str, Record] = {}


def record(entry: Record) -> None:
    """Remember a fetched file, and append it to ``NMC_FETCH_LOG`` where that is set."""
    known = _log.get(entry.key)
    _log[entry.key] = entry
    setting = os.environ.get("NMC_FETCH_LOG")
    if not setting or known == entry:
        return
    log = files.user_path(setting, "NMC_FETCH_LOG")
    line = json.dumps({**asdict(entry), "path": str(entry.path)}, sort_keys=True) + "\n"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab", buffering=0) as out:
            out.write(line.encode())  # at once: processes that log together do not mix their lines
    except OSError as exc:
        raise CacheError(
            f"The log of fetched files, NMC_FETCH_LOG={setting}, cannot be written: "
            f"{exc.strerror or exc}. Name a file that can, or unset it."
        ) from exc


def remember(entry: Record) -> None:
    """Remember a file that was read without being fetched: one of the package's own."""
    _log[entry.key] = entry


@contextmanager
def collect() -> Iterator[list[Record]]:
    """Gather every file that is asked for within, whether or not it was fetched before."""
    before = dict(_log)
    found: list[Record] = []
    _log.clear()
    try:
        yield found
    finally:
        found += _log.values()
        within = dict(_log)
        _log.clear()
        _log.update(before | within)


def records() -> tuple[Record, ...]:
    """Return what this process fetched, in the order of the first fetch."""
    return tuple(_log.values())


def origin_of(things: Iterable[Any]) -> dict:
    """Say where packages or fetched files come from, and whether any numbers are invented."""
    things = list(things)
    return {
        "origin": ", ".join(dict.fromkeys(one.origin for one in things)),
        "invented": any(one.invented for one in things),
    }


def invented() -> bool:
    """Whether any fetched file holds synthetic numbers."""
    return any(entry.invented for entry in records())
