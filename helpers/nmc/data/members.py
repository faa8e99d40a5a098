"""The members of a zip or tar archive as one kind of thing, read as a stream within limits."""

from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nmc.errors import ArchiveError

_HEADER_BYTES = 1 << 20  # no header of a sound archive is longer
_DIRECTORY_BYTES = 64 << 20
_END_BYTES = 16 << 20  # zeros that fill up the last block
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: What a damaged or hostile archive may raise while it is read.
READ_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError,
    struct.error, NotImplementedError, UnicodeError, ValueError, OverflowError, RecursionError,
    LookupError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One member: its name as spelt, whether it is a folder, its size, and where to read it."""

    name: str
    is_folder: bool
    size_bytes: int
    stream: BinaryIO | None


@contextmanager
def open_members(archive: Path) -> Iterator[Iterator[Member]]:
    """Open an archive by what it is, not by what its name says.

    Yields
    ------
    iterator of Member
        In the archive's own order; read each before the next is asked for.

    Raises
    ------
    ArchiveError
        When the file is neither a zip nor a (gzipped) tar, or holds anything but plain files and
        folders.
    """
    with archive.open("rb") as raw:
        start = raw.read(512)
        raw.seek(0)
        if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield _zip_members(archive, raw)
        elif start[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw, mode="rb") as plain:
                yield _tar_members(plain)
        elif start[257:262] == b"ustar" or _is_old_tar(start):
            yield _tar_members(raw)
        else:
            raise ArchiveError(
                f"{archive} is neither a zip nor a tar archive, or its start is lost."
            )


def is_archive_name(name: str) -> bool:
    """Whether a file's name says that it is an archive."""
    return name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz"))


def stem(name: str) -> str:
    """Return an archive's name without its ending."""
    for ending in (".tar.gz", ".tgz", ".zip", ".tar"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _zip_members(path: Path, raw: BinaryIO) -> Iterator[Member]:
    _check_directory_size(path, raw)
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            _refuse_special_zip(info)
            if info.is_dir():
                yield Member(info.orig_filename, True, 0, None)
                continue
            with archive.open(info) as stream:
                yield Member(info.orig_filename, False, info.file_size, stream)


def _refuse_special_zip(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(
            f"The archive's member {info.filename!a} is a link or a device: refused."
        )
    if info.is_dir() and info.file_size:
        raise ArchiveError(f"The archive's folder {info.filename!a} has content: refused.")
    if info.flag_bits & 0x1:
        raise ArchiveError(f"The archive's member {info.filename!a} is encrypted: refused.")
    if info.compress_type not in _READABLE:
        raise ArchiveError(
            f"The archive's member {info.filename!a} is packed in a way that is not read here "
            f"(method {info.compress_type}): refused."
        )


def _check_directory_size(path: Path, raw: BinaryIO) -> None:
    """Refuse a list of members that would not fit in memory, before it is read."""
    size = path.stat().st_size
    raw.seek(max(0, size - (1 << 16) - 22 - 20))
    tail = raw.read()
    raw.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise ArchiveError(f"{path} is cut short: the zip archive's list of members is missing.")
    length = struct.unpack_from("<L", tail, at + 12)[0]
    if length == 0xFFFFFFFF:
        raise ArchiveError(f"{path} is a zip archive of more than 4 GB of members' names: refused.")
    if length > _DIRECTORY_BYTES:
        raise ArchiveError(f"{path} lists {length:,} bytes of members' names: refused.")


def _tar_members(plain: BinaryIO) -> Iterator[Member]:
    with tarfile.open(fileobj=_Guarded(plain), mode="r:", errors="strict") as archive:
        for info in archive:
            archive.members = []  # tarfile keeps every header it has seen
            if info.isdir():
                yield Member(info.name, True, 0, None)
                continue
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise ArchiveError(
                    f"The archive's member {info.name!a} is a link, a device or a sparse file: "
                    "refused."
                )
            yield Member(info.name, False, info.size, archive.extractfile(info))
        _check_end(plain, archive.offset)


def _check_end(plain: BinaryIO, offset: int) -> None:
    """Read to the end: tarfile takes a lost or damaged header for the end of the archive."""
    plain.seek(offset)
    length = 0
    while chunk := plain.read(_HEADER_BYTES):  # of a gzip this compares the checksum, too
        length += len(chunk)
        if chunk.strip(b"\0"):
            raise ArchiveError("The tar archive is damaged: a header in it cannot be read.")
        if length > _END_BYTES:
            raise ArchiveError("The tar archive does not end.")
    if length < 512:
        raise ArchiveError("The tar archive is cut short: its end is missing.")


def _is_old_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeError):
        return False
    return True


class _Guarded:
    """A stream whose single reads are small: a header that claims gigabytes is refused."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_BYTES:
            raise ArchiveError(f"The archive has a header of {size:,} bytes: refused.")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
