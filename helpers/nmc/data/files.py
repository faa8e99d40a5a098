"""The reader's settings, files that are complete or absent, and hashes that are computed once.

All settings are environment variables, read when they are needed and never written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from nmc.errors import CacheError, FormatError, NMCError, SourceError

#: A file at a tree's root that says what the tree is: ``{"origin": …, "invented": true}``.
MARKER = "nmc-tree.json"
SUMS = "SHA256SUMS"
_CHUNK = 1 << 20
_LARGE = 200_000_000  # bytes that take a moment to read


def source_names(source: str | os.PathLike | list | tuple | None = None) -> tuple[str, ...]:
    """Return the ordered names of the trees to read from.

    Parameters
    ----------
    source : str, path, or sequence of them, optional
        Comma-separated text or a sequence; None reads ``NMC_SOURCE`` (default ``sample``).
    """
    if source is None:
        source = os.environ.get("NMC_SOURCE", "")
    parts = source if isinstance(source, list | tuple) else os.fspath(source).split(",")
    return tuple(name for part in parts if (name := os.fspath(part).strip())) or ("sample",)


def cache_folder() -> Path:
    """Return the cache folder (``NMC_CACHE``, else the platform's cache folder for ``nmc``)."""
    own = os.environ.get("NMC_CACHE")
    if own:
        return user_path(own, "NMC_CACHE")
    import platformdirs

    return Path(platformdirs.user_cache_dir("nmc"))


def offline() -> bool:
    """Whether the network is switched off (``NMC_OFFLINE=1``)."""
    return is_set("NMC_OFFLINE")


def is_set(name: str) -> bool:
    """Whether a variable is set to something that means yes."""
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def user_path(text: str | os.PathLike, what: str = "") -> Path:
    """Return a path as an absolute one, ``~`` and ``~user`` resolved.

    Raises
    ------
    SourceError
        When there is no such user; names the setting that `what` says.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as exc:
        where = f"{what} is {str(text)!r}" if what else repr(str(text))
        raise SourceError(f"{where}, and there is no such user here: name a full path.") from exc


def redact(text: object) -> str:
    """Return a text with the user names and passwords of its addresses left out."""
    return re.sub(r"//[^/\s@]*@", "//", str(text))


def progress_bar(desc: str, rows: Iterable | None = None, *, total=None, unit="B", shown=True):
    """Return a bar on stderr, over `rows` or to be updated; none where stderr is no terminal."""
    from tqdm import tqdm

    return tqdm(
        rows, desc, total, unit=unit, unit_scale=unit == "B", leave=False,
        disable=None if shown else True,
    )  # fmt: skip


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a unique temporary path beside `target`; move it into place when the block succeeds.

    Nothing half-written ever stands at `target`, whoever else writes it at the same time.
    """
    temporary = _temporary(target)
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent
    )
    os.close(handle)
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(name, 0o666 & ~mask)
    return Path(name)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder; it becomes `target` when the block succeeds and nobody was first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn a disk that is full or read-only into a sentence.

    Raises
    ------
    CacheError
        When the block raises an `OSError` of the system.
    """
    try:
        yield
    except NMCError:
        raise
    except OSError as exc:
        raise CacheError(
            f"{what} cannot be written to the cache, {cache_folder()}: {exc.strerror or exc}. "
            "Free some space, or set NMC_CACHE to a folder that can be written."
        ) from exc


def write_bytes(target: Path, content: bytes) -> None:
    """Write a small file completely or not at all."""
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, value: object) -> None:
    """Write a value as JSON, completely or not at all."""
    write_bytes(target, _json(value))


def write_json_once(target: Path, value: object) -> bool:
    """Write a value as JSON unless the file exists; return whether this call wrote it."""
    temporary = _temporary(target)
    try:
        temporary.write_bytes(_json(value))
        try:
            os.link(temporary, target)  # fails if it exists: of several processes one wins
        except FileExistsError:
            return False
        except OSError:  # a file system without links: exclusive creation is the next best
            try:
                with target.open("xb") as out:
                    out.write(_json(value))
            except FileExistsError:
                return False
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def read_json(path: Path) -> dict | None:
    """Return a JSON object, or None when the file is absent or no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def sha256_of(path: Path, *, progress: bool = False) -> str:
    """Return the sha256 of a file; read once a process while its size and time do not change.

    With `progress`, a bar is shown on stderr while a large file is read.
    """
    status = path.stat()
    return _sha256(path.absolute(), status.st_size, status.st_mtime_ns, progress)


@lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, mtime_ns: int, progress: bool) -> str:
    return compute_sha256(path, progress=progress)


def forget_sha256() -> None:
    """Forget every remembered hash, so that the next question reads the file again."""
    _sha256.cache_clear()


def compute_sha256(path: Path, *, progress: bool = False) -> str:
    """Read a file and return its sha256."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        if not progress or size < _LARGE:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256()
        with progress_bar(f"Verifying {path.name}", total=size) as bar:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                bar.update(len(chunk))
    return digest.hexdigest()


# What a tree says of itself -----------------------------------------------------------------------


class Marker(NamedTuple):
    """What a tree says of itself: a name for it, and whether its numbers are synthetic."""

    origin: str
    invented: bool


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


def parse_sums(content: bytes, where: object) -> dict[str, str]:
    """Return the hashes of a list of lines ``sha256  path``, by path.

    Raises
    ------
    FormatError
        When a line is none; names the list and the line.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        digest, _, rest = line.partition(" ")
        name = rest.strip().removeprefix("*").removeprefix("./")
        if not (re.fullmatch("[0-9a-fA-F]{64}", digest) and name):
            raise FormatError(f"{where}, line {number}: not 'sha256  path': {line[:80]!r}.")
        if sums.setdefault(name, digest.lower()) != digest.lower():
            raise FormatError(f"{where}, line {number}: {name!r} is listed before, otherwise.")
    return sums


def write_sums(folder: Path) -> None:
    """List the hashes of every file of a tree in its SHA256SUMS."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    lines = (f"{compute_sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in paths)
    write_bytes(folder / SUMS, "".join(lines).encode())
