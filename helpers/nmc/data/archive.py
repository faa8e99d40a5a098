"""Archives: unpacked completely, within limits and never outside their folder; checked; packed.

Python's own `zipfile` and `tarfile` read them, as streams; every name, kind and size is checked
before anything is written.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

from nmc.data.files import atomic_folder, progress_bar
from nmc.data.registry import content_digest, package_tops
from nmc.errors import ArchiveError

#: What any archive may unpack to: members, and bytes in all.
MOST_ENTRIES, MOST_BYTES = 200_000, 32 << 30
#: Bytes that are written for each byte of the archive, beyond what it may however small it is.
RATIO, FREE_BYTES = 100, 64 << 20
_CHUNK = 1 << 18
_VERSION_BYTES = 4096  # a longer file of that name is none
_LARGE = 5_000_000  # bytes that take a moment to unpack
_MOST_READ = 64 << 20  # at once: no header or list of members of a sound archive is longer
_END_BYTES = 16 << 20  # zeros that fill up the last block
_TIME = (2015, 10, 7, 0, 0, 0)  # the release's day: archives made twice are equal
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.I)
#: What a damaged or hostile file may raise while it is read.
_READ_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error,
    NotImplementedError, UnicodeError, ValueError, OverflowError, RecursionError, LookupError,
)  # fmt: skip
_Parts = tuple[str, ...]
_Told = tuple[str, int, IO[bytes] | None]  # name, size, and content of a file


class _Budget:
    """How much an archive may unpack to, nested archives included."""

    def __init__(self, archive: Path):
        self.bytes = min(max(FREE_BYTES, RATIO * archive.stat().st_size), MOST_BYTES)
        self.entries = MOST_ENTRIES

    def spend(self, size_bytes: int) -> None:
        self.entries, self.bytes = self.entries - 1, self.bytes - size_bytes
        if self.entries < 0:
            raise ArchiveError("The archive has more members than are unpacked here.")
        if self.bytes < 0:
            raise ArchiveError("The archive unpacks to more than its size allows: refused.")


class _Member(NamedTuple):
    parts: _Parts  # of its path
    size_bytes: int
    stream: IO[bytes] | None  # None for a folder

    def copy_to(self, out: IO[bytes] | None = None) -> str:
        """Read its content to the end, before the next member; return the sha256."""
        digest, left = hashlib.sha256(), self.size_bytes
        with _reading():
            while self.stream and (chunk := self.stream.read(_CHUNK)):
                left -= len(chunk)
                digest.update(chunk)
                if out:
                    out.write(chunk)
        if left:
            raise ArchiveError(f"The archive's member {'/'.join(self.parts)!a} is cut short.")
        return digest.hexdigest()


def unpack(
    archive: Path, folder: Path, *, nested: bool = False, progress: bool = False
) -> dict[str, dict]:
    """Unpack a zip, a tar or a single ``.h5`` into a new folder; completely, or not at all.

    With `nested`, archives inside too, each into a folder of its name.  Returns every file's path
    → ``{"size_bytes", "sha256", "mtime_ns"}``.
    """
    members: dict[str, dict] = {}
    budget = _Budget(archive)
    shown = progress and archive.stat().st_size >= _LARGE
    bar = progress_bar(f"Unpacking {archive.name}", unit=" files", shown=shown)
    try:
        with atomic_folder(folder) as temporary, bar:
            _unpack(archive, temporary, (), budget, members, int(nested), bar)
    except ArchiveError as exc:
        raise exc if str(archive) in str(exc) else ArchiveError(f"{archive}: {exc}") from exc
    return members


def _unpack(archive: Path, root: Path, prefix: _Parts, budget, members, depth: int, bar) -> None:
    inner = []
    for member in _checked(archive, budget):
        full = (*prefix, *member.parts)
        path = root.joinpath(*full)
        if member.stream is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:  # never through a link, never over another file
            sha256 = member.copy_to(out)
        mtime_ns = path.stat().st_mtime_ns
        members["/".join(full)] = {
            "size_bytes": member.size_bytes, "sha256": sha256, "mtime_ns": mtime_ns,
        }  # fmt: skip
        if depth and full[-1].lower().endswith((".zip", ".tar", ".tar.gz", ".tgz")):
            inner.append(full)
        bar.update(1)
    for full in inner:  # each is replaced by what it holds, in a folder of its name
        path = root.joinpath(*full)
        own = re.sub(r"\.(tar\.gz|tgz|zip|tar)$", "", full[-1], flags=re.I)
        if path.with_name(own).exists():
            raise ArchiveError(f"The archive holds {'/'.join(full)!a} and a folder of that name.")
        tops = {member.parts[:1] for member in _checked(path, _Budget(path))}
        doubled = tops == {(own,)}  # its only folder bears the name already
        _unpack(path, root, full[:-1] if doubled else (*full[:-1], own), budget, members,
                depth - 1, bar)  # fmt: skip
        path.unlink()
        del members["/".join(full)]


# Reading ---------------------------------------------------------------------------------------


@contextmanager
def _reading() -> Iterator[None]:
    """Turn what the standard library raises for a damaged file into an ArchiveError."""
    try:
        yield
    except (*_READ_ERRORS, OSError) as exc:
        # Other errors of the system are no damage; these seek a place that is not in the file.
        if isinstance(exc, OSError) and exc.errno not in (errno.EINVAL, None):
            raise
        raise ArchiveError(f"The file is damaged: {str(exc) or type(exc).__name__}.") from exc


def _checked(archive: Path, budget: _Budget) -> Iterator[_Member]:
    """Yield every member, checked; a name that some file system takes for another is refused."""
    claimed: dict[_Parts, tuple[_Parts, bool]] = {}
    with _reading(), archive.open("rb") as raw:
        for name, size_bytes, stream in _members(raw):
            budget.spend(size_bytes)
            parts = safe_parts(name)
            if not parts and stream is not None:
                raise ArchiveError("A member of the archive has no name: refused.")
            for depth in range(1, len(parts) + 1):
                is_folder = stream is None or depth < len(parts)
                key, this = clash_key(parts[:depth]), (parts[:depth], is_folder)
                if (key in claimed and not is_folder) or claimed.setdefault(key, this) != this:
                    raise ArchiveError(
                        f"The archive's {'/'.join(parts[:depth])!a} occurs twice, differs in case "
                        "only from another, or is a file and a folder."
                    )
            yield _Member(parts, size_bytes, stream)


def clash_key(parts: _Parts) -> _Parts:
    """Return what two names share when some file system takes them for one."""
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)


def safe_parts(name: str) -> _Parts:
    """Return the parts of a member's name (none: the root), if safe on every system."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    wrong = {
        "its name is empty": not name,
        "its path is absolute": name.startswith("/"),
        "its name holds a backslash": "\\" in name,
        "its name begins with a drive letter": re.match("[A-Za-z]:", name),
        "its path climbs out with '..'": ".." in parts,
        "its name is too long": len(name) > 1024 or name.count("/") > 40
        or any(len(part.encode("utf-8", "replace")) > 255 for part in parts),
        "its name holds a character that cannot be seen or encoded": any(
            unicodedata.category(char) in ("Cc", "Cf", "Cs") for part in parts for char in part
        ),
        "a part of its name begins with a space, or ends in a dot or a space": any(
            part != part.rstrip(". ") or part != part.lstrip(" ") for part in parts
        ),
        "its name is reserved on some systems": any(map(_RESERVED.fullmatch, parts)),
    }  # fmt: skip
    _refuse(name, wrong)
    return parts


def _refuse(name: str, wrong: Mapping[str, object]) -> None:
    for reason in (reason for reason, applies in wrong.items() if applies):
        shown = ascii(name if len(name) < 120 else name[:117] + "…")
        raise ArchiveError(f"The archive's member {shown} is refused: {reason}.")


def _members(raw: IO[bytes]) -> Iterator[_Told]:
    """Read an archive by what it is, not by what its name says; an HDF5 file is its one member."""
    start = raw.read(512)
    raw.seek(0)
    if start[:4] == b"\x89HDF":
        yield Path(raw.name).name, os.fstat(raw.fileno()).st_size, raw
    elif start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip_members(raw)
    elif start[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=raw, mode="rb") as plain:
            yield from _tar_members(cast(IO[bytes], plain))
    else:
        try:
            tarfile.TarInfo.frombuf(start, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeError):
            raise ArchiveError(
                "The file is neither a zip nor a tar archive, or its start is lost."
            ) from None
        yield from _tar_members(raw)


def _zip_members(raw: IO[bytes]) -> Iterator[_Told]:
    with zipfile.ZipFile(cast(IO[bytes], _Guarded(raw))) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_packed_oddly = info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            _refuse(info.filename, {
                "it is a link or a device": kind not in (0, stat.S_IFREG, stat.S_IFDIR),
                "it is a folder with content": info.is_dir() and info.file_size,
                "it is encrypted": info.flag_bits & 0x1,
                "it is packed in a way that is not read here": is_packed_oddly,
            })  # fmt: skip
            if info.is_dir():
                yield info.orig_filename, 0, None
                continue
            with archive.open(info) as stream:
                yield info.orig_filename, info.file_size, stream


def _tar_members(plain: IO[bytes]) -> Iterator[_Told]:
    guarded = cast(IO[bytes], _Guarded(plain))
    with tarfile.open(fileobj=guarded, mode="r:", errors="strict") as archive:
        for info in archive:
            archive.members = []  # type: ignore[attr-defined]  # it keeps every header it has seen
            if info.isdir():
                yield info.name, 0, None
                continue
            is_plain = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and info.size >= 0
            _refuse(info.name, {"it is a link, a device or a sparse file": not is_plain})
            yield info.name, info.size, archive.extractfile(info)
        # Read to the end: tarfile takes a lost or damaged header for the end of the archive.
        plain.seek(archive.offset)
        length = 0
        while chunk := plain.read(_CHUNK):  # of a gzip this compares the checksum, too
            length += len(chunk)
            if chunk.strip(b"\0") or length > _END_BYTES:
                raise ArchiveError("The tar archive is damaged: a header in it cannot be read.")
        if length < 512:
            raise ArchiveError("The tar archive is cut short: its end is missing.")


class _Guarded:
    """A stream whose single reads are small: a header that claims gigabytes is refused."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def read(self, size: int = -1) -> bytes:
        if size > _MOST_READ:
            raise ArchiveError(f"The archive has a header of {size:,} bytes: refused.")
        return self._stream.read(size if size >= 0 else _CHUNK)  # a zip's tail is shorter


# What an archive is ----------------------------------------------------------------------------


def inspect(path: Path, kind: str = "zip") -> tuple[str, str]:
    """Read a file to its end as what it should be; say what a package in an archive is.

    The `content_digest` of its folder, and the number in its ``VERSION``; else empty.
    """
    with _reading():
        if kind == "json":
            json.loads(path.read_bytes())
        elif kind == "html":
            content = path.read_bytes()
            if b"<" not in content[:4096] or b"\0" in content:
                raise ArchiveError("It holds no markup.")
        elif kind == "h5":
            with path.open("rb") as stream:
                if stream.read(8) != b"\x89HDF\r\n\x1a\n":
                    raise ArchiveError("It does not begin as an HDF5 file does.")
        elif kind == "gz":
            with gzip.open(path) as stream:
                while stream.read(_CHUNK):
                    pass
        else:
            return _inspect_archive(path)
    return "", ""


def _inspect_archive(path: Path) -> tuple[str, str]:
    hashes: dict[_Parts, str] = {}
    versions: dict[_Parts, list[str]] = {}
    for member in _checked(path, _Budget(path)):
        if member.stream is None:
            continue
        is_version = member.parts[-1] == "VERSION" and member.size_bytes <= _VERSION_BYTES
        text = io.BytesIO() if is_version else None
        hashes[member.parts] = member.copy_to(text)
        if text:
            versions[member.parts[:-1]] = text.getvalue().decode("utf-8", "replace").split()
    tops = package_tops(hashes) or [parts[:1] for parts in hashes]
    top = min(tops, key=len, default=())
    inside = {"/".join(p[len(top) :]): h for p, h in hashes.items() if p[: len(top)] == top}
    release = next((word for word in versions.get(top, []) if word[:1].isdigit()), "")
    return content_digest(inside), release


def read_text(archive: Path, name: str, most: int) -> str:
    """Return the text of the file whose path ends so, of at most so many bytes."""
    wanted = tuple(name.split("/"))
    for member in _checked(archive, _Budget(archive)):
        if member.stream is not None and member.parts[-len(wanted) :] == wanted:
            if member.size_bytes > most:
                raise ArchiveError(f"{name} is larger than {most:,} bytes.")
            member.copy_to(content := io.BytesIO())
            return content.getvalue().decode("utf-8", "replace")
    raise ArchiveError(f"{archive} holds no {name}.")


def pack(folder: Path, name: str, target: Path) -> None:
    """Write an unpacked package as a zip with one top folder, the same bytes each time."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not {"__pycache__", "__MACOSX"} & set(path.parts):
                info = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}", _TIME)
                info.external_attr = 0o644 << 16
                out.writestr(info, path.read_bytes())
