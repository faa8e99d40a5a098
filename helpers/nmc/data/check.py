"""Whether a file is the one it should be: by its sha256 where known, else by its content."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from nmc.data import files
from nmc.data.catalogue import Item
from nmc.data.members import READ_ERRORS, open_members
from nmc.errors import ArchiveError, ChecksumError

#: A release whose single packages were served without published hashes.
_LATER_RELEASE = "1.0.11"


@dataclass(frozen=True)
class Verdict:
    """What a file was found to be; the fields are those of `nmc.data.provenance.Record`."""

    sha256: str
    size_bytes: int
    release: str
    trust: str
    invented: bool = False


def verify(
    item: Item,
    path: Path,
    *,
    listed: str | None = None,
    trust: str = "format",
    synthetic: Callable[[], bool] = lambda: False,
    shown: str = "",
    progress: bool = False,
) -> Verdict:
    """Verify a file and say what it was verified against.

    Parameters
    ----------
    item : Item
        What the file should be.
    path : pathlib.Path
        The file.
    listed : str, optional
        The sha256 it should have, besides those of the catalogue.
    trust : str
        Who says so; what to call the verdict when the catalogue knows no hash.
    synthetic : callable
        Says whether the file's tree is a synthetic one; asked only where the content does not
        decide it.  Of such a tree only `listed` counts, and the format.
    shown : str
        What to call the file in an error; default its path.
    progress : bool
        Show a progress bar, on stderr, while a large file is read.

    Raises
    ------
    ChecksumError
        When the file is not what it should be.
    """
    size = path.stat().st_size
    digest = files.sha256_of(path, progress=progress)
    if listed is not None and digest != listed:
        who = "it was recorded at first use with" if trust == "first use" else "its tree lists"
        raise _wrong(item, shown or path, f"{who} sha256 {listed}", size, digest)
    if digest in sample_sums():
        return Verdict(digest, size, "", "sample", invented=True)
    for known in item.known:
        if digest == known.sha256:
            return Verdict(digest, size, known.release, "catalogue")
    invented = synthetic()
    if item.known and not item.other_releases and not invented:
        known = item.known[0]
        expected = f"{known.size_bytes:,} bytes with sha256 {known.sha256} are expected"
        raise _wrong(item, shown or path, expected, size, digest)
    release = check_content(item, path, invented=invented, shown=shown)
    return Verdict(digest, size, release, trust, invented)


@cache
def sample_sums() -> frozenset[str]:
    """Return the sha256 of every file of the sample: such a file is invented wherever it lies."""
    table = resources.files("nmc.data").joinpath("sample", "files.csv")
    if not table.is_file():
        return frozenset()
    with table.open(encoding="utf-8") as lines:
        return frozenset(row["sha256"] for row in csv.DictReader(lines))


def check_content(item: Item, path: Path, *, invented: bool = False, shown: str = "") -> str:
    """Check that a file is whole and of its format; return its release where it names one.

    Raises
    ------
    ChecksumError
        When the file is damaged, truncated or of another format.
    """
    try:
        return _CHECKS[item.format](item, path, invented)
    except _Damaged as exc:
        raise ChecksumError(
            f"{shown or path} is not a whole {item.format} file: {exc}. {_WAY_OUT}"
        ) from exc


_WAY_OUT = "Get a fresh copy, or remove the file from the cache with 'nmc verify --repair'."


class _Damaged(Exception):
    pass


def _check_json(item: Item, path: Path, invented: bool) -> str:
    try:
        json.loads(path.read_bytes())
    except ValueError as exc:
        raise _Damaged(str(exc)) from exc
    return ""


def _check_html(item: Item, path: Path, invented: bool) -> str:
    content = path.read_bytes()
    if b"<" not in content[:4096] or b"\0" in content:
        raise _Damaged("it holds no markup")
    if item.key.startswith("page/pathway/") and b"factsheet" not in content:
        raise _Damaged("it is a page, but no fact sheet")  # such as that of a login, or of a move
    return ""


def _check_zip(item: Item, path: Path, invented: bool) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
            if bad:
                raise _Damaged(f"its member {bad!r} is damaged")
            release = _release(item, archive)
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as exc:
        raise _Damaged(str(exc)) from exc
    if item.other_releases and not invented and release != _LATER_RELEASE:
        raise _Damaged(
            f"its sha256 is none of those known, and it calls itself release "
            f"{release or 'nothing'}, not {_LATER_RELEASE}"
        )
    return release


def _release(item: Item, archive: zipfile.ZipFile) -> str:
    """Read the VERSION file of a model package; its first word is the release."""
    for info in archive.infolist():
        if info.filename.count("/") == 1 and info.filename.endswith("/VERSION"):
            words = archive.read(info)[:200].decode("utf-8", "replace").split()
            return next((word for word in words if word[:1].isdigit()), "")
    return ""


def _check_tar(item: Item, path: Path, invented: bool) -> str:
    try:
        with open_members(path) as members:
            for _ in members:
                pass
    except (ArchiveError, OSError, *READ_ERRORS) as exc:
        raise _Damaged(str(exc).rstrip(".")) from exc
    return ""


def _check_h5(item: Item, path: Path, invented: bool) -> str:
    import h5py

    try:
        with h5py.File(path, "r"):
            return ""
    except OSError as exc:
        raise _Damaged(str(exc)) from exc


def _check_gz(item: Item, path: Path, invented: bool) -> str:
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as exc:
        raise _Damaged(str(exc)) from exc
    return ""


_CHECKS = {
    "gz": _check_gz,
    "json": _check_json,
    "html": _check_html,
    "zip": _check_zip,
    "tar": _check_tar,
    "h5": _check_h5,
}


def _wrong(item: Item, path: object, expected: str, size: int, digest: str) -> ChecksumError:
    return ChecksumError(
        f"{path} ({item.key}) was altered or truncated: {expected}, "
        f"it has {size:,} bytes with sha256 {digest}. {_WAY_OUT}"
    )
