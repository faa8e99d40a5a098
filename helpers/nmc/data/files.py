"""The reader's settings, files that are complete or absent, and hashes that are computed once.

All settings are environment variables, read when they are needed and never written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs
from tqdm import tqdm

from nmc.code_hash import code_hash
from nmc.errors import CacheError, FormatError, MissingFileError, NMCError, SourceError

#: A file at a tree's root that says what the tree is: ``{"origin": …, "invented": true}``.
MARKER = "nmc-tree.json"
SUMS = "SHA256SUMS"
#: What numpy and zipfile raise for a damaged ``.npz``; a RuntimeError for what looks encrypted.
NPZ_ERRORS = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


def source_names(source: str | os.PathLike | list | tuple | None = None) -> tuple[str, ...]:
    """Return the ordered names of the trees to read from; default ``NMC_SOURCE``, else sample."""
    if source is None:
        source = os.environ.get("NMC_SOURCE", "")
    parts = source if isinstance(source, list | tuple) else os.fspath(source).split(",")
    return tuple(name for part in parts if (name := os.fspath(part).strip())) or ("sample",)


def cache_folder() -> Path:
    """Return the cache folder (``NMC_CACHE``, else the platform's cache folder for ``nmc``)."""
    own = os.environ.get("NMC_CACHE")
    return user_path(own, "NMC_CACHE") if own else Path(platformdirs.user_cache_dir("nmc"))


def offline() -> bool:
    """Whether the network is switched off (``NMC_OFFLINE=1``)."""
    return is_set("NMC_OFFLINE")


def is_set(name: str) -> bool:
    """Whether a variable is set to something that means yes."""
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def user_path(text: str | os.PathLike, what: str = "") -> Path:
    """Return an absolute path, ``~`` resolved; SourceError names the setting for no such user."""
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
    return tqdm(
        rows, desc, total, unit=unit, unit_scale=unit == "B", leave=False,
        disable=None if shown else True,
    )  # fmt: skip


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a unique path beside `target`; what is written there is moved into place at the end."""
    temporary = _beside(target)
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def given_path(what: Any, error: type[NMCError] = MissingFileError) -> Path:
    """Return the path that somebody gave; ~ stands for the home folder."""
    if isinstance(what, str | os.PathLike) and str(what).strip() and "\0" not in str(what):
        return Path(os.path.expanduser(what))
    raise error(f"The place of a file is a path, not {what!r}.")


@contextmanager
def written(path: Path, error: type[NMCError]) -> Iterator[Path]:
    """Give a draft that becomes `path` when the block succeeds; say what is in the way."""
    try:
        with atomic_write(path) as draft:
            yield draft
    except OSError as exc:
        why = exc.strerror or exc
        raise error(f"{path} cannot be written ({why}): choose another place.") from exc


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder; it becomes `target` when the block succeeds and nobody was first."""
    temporary = _beside(target)
    temporary.mkdir()
    try:
        yield temporary
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(target: Path) -> Path:
    """Return a hidden name that nobody else has, in the folder where `target` belongs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}.part")


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn an `OSError` of the block (a full disk, a read-only one) into a CacheError."""
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
    temporary = _beside(target)
    try:
        temporary.write_bytes(_json(value))
        try:
            os.link(temporary, target)  # fails if it exists: of several processes one wins
        except FileExistsError:
            raise
        except OSError:  # a file system without links: exclusive creation is the next best
            with target.open("xb") as out:
                out.write(_json(value))
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def read_json(path: Path) -> dict | None:
    """Return a JSON object, or None when the file is absent or no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file; read once a process while its size and time do not change."""
    status = path.stat()
    return _sha256(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    return compute_sha256(path)


def forget_sha256() -> None:
    """Forget every remembered hash, so that the next question reads the file again."""
    _sha256.cache_clear()


def compute_sha256(path: Path) -> str:
    """Read a file and return its sha256."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def made_once(name: str, made_from: str, make: Callable[..., None], *given: object) -> Path:
    """Return a file of the cache that ``make(*given, path)`` writes, anew when inputs change."""
    state = f"{made_from} {code_hash(make.__module__)}"
    target = cache_folder() / "made" / hashlib.sha256(state.encode()).hexdigest()[:24] / name
    noted = target.with_name(f"{name}.sha256")
    with suppress(OSError):
        if noted.read_text() == sha256_of(target):
            return target
    with writing(name), atomic_write(target) as temporary:
        make(*given, temporary)
        write_bytes(noted, compute_sha256(temporary).encode())
    return target


# What a tree says of itself -----------------------------------------------------------------------


class Marker(NamedTuple):
    """What a tree says of itself: a name for it, and whether its numbers are synthetic."""

    origin: str
    invented: bool


def parse_marker(content: bytes, where: object) -> Marker:
    """Return what a marker says; SourceError unless it says whether numbers are invented."""
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
    """Return the hashes of lines ``sha256  path``; FormatError names a line that is none."""
    sums: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
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
