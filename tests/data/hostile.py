"""Archives that try to do harm: a generated corpus, one function a kind."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

MB = 1 << 20
_EVIL_NAMES = {
    "absolute path": "/tmp/escaped",
    "two slashes": "//escaped",
    "climbs": "../escaped",
    "climbs in the middle": "a/../../escaped",
    "climbs and comes back": "a/../b",
    "climbs at the end": "a/..",
    "drive letter": "C:/escaped",
    "drive letter, relative": "c:escaped",
    "backslashes": "..\\escaped",
    "backslash inside": "a\\b",
    "network path": "\\\\server\\share\\escaped",
    "control character": "a\nb",
    "escape sequence": "a\x1b[2Jb",
    "right-to-left override": "gpj.\u202eexe",
    "zero width": "a\u200bb",
    "reserved name": "folder/NUL",
    "reserved name with ending": "aux.txt",
    "reserved port": "COM1",
    "ends in a dot": "file.",
    "ends in a space": "file ",
    "begins with a space": " file",
    "dots only": "...",
    "a part too long": "x" * 300,
    "a path too long": "/".join(["abcdefgh"] * 130),
    "too many folders": "/".join(["a"] * 60),
}
_CLASHES = {
    "twice": ("a", "a"),
    "twice, spelt differently": ("a", "./a"),
    "differs in case": ("README", "readme"),
    "folder differs in case": ("Folder/a", "folder/b"),
    "differs in composition": ("\u00e9", "e\u0301"),
    "sharp s": ("stra\u00dfe", "STRASSE"),
    "file then folder": ("a", "a/b"),
    "folder then file": ("a/b", "a"),
}


def corpus(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write every hostile archive into a folder; yield each kind's name and its file."""
    made = {f"zip {k}": _zip_of([(n, b"x")]) for k, n in _EVIL_NAMES.items()}
    made |= {f"tar {k}": _tar_of([(n, b"x")]) for k, n in _EVIL_NAMES.items()}
    made |= {f"zip {k}": _zip_of([(n, b"x") for n in ns]) for k, ns in _CLASHES.items()}
    made |= {f"tar {k}": _tar_of([(n, b"x") for n in ns]) for k, ns in _CLASHES.items()}
    made |= {name: build() for name, build in _SPECIAL.items()}
    for number, (name, content) in enumerate(made.items()):
        path = folder / f"{number:03d}.bin"
        path.write_bytes(content)
        yield name, path


def _zip_of(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", compression) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of a name that occurs twice
        for name, content in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, compression
            archive.writestr(info, content)
    return out.getvalue()


def _tar_of(members: list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _tar_special(kind: bytes, link: str = "", name: str = "a") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
        inside = tarfile.TarInfo(f"{name}/inside")
        inside.size = 1
        archive.addfile(inside, io.BytesIO(b"x"))
    return out.getvalue()


def _zip_mode(mode: int, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, content)
    return out.getvalue()


def _zip_flag(bit: int) -> bytes:
    content = bytearray(_zip_of([("a", b"x")]))
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 8, bit)
    struct.pack_into("<H", content, 6, bit)
    return bytes(content)


def _zip_method(method: int) -> bytes:
    content = bytearray(_zip_of([("a", b"x")]))
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 10, method)
    struct.pack_into("<H", content, 8, method)
    return bytes(content)


def _zip_size_lie(size: int) -> bytes:
    """The list of members claims another size than the content has."""
    content = bytearray(_zip_of([("a", b"x" * 100)]))
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<L", content, at + 24, size)
    struct.pack_into("<L", content, 22, size)
    return bytes(content)


def _zip_overlap() -> bytes:
    """Many members whose content is one and the same stretch of the file."""
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = body.compress(b"\0" * MB) + body.flush()
    crc = zlib.crc32(b"\0" * MB)
    local = struct.pack("<4sHHHHHLLLHH", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(packed), MB, 1, 0)
    out = local + b"a" + packed
    start = len(out)
    for _ in range(400):
        out += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(packed), MB, 1, 0, 0, 0, 0,
            0, 0,
        ) + b"a"  # fmt: skip
    size = len(out) - start
    return out + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 400, 400, size, start, 0)


def _zip_huge_directory() -> bytes:
    content = bytearray(_zip_of([("a", b"x")]))
    at = content.rindex(b"PK\x05\x06")
    struct.pack_into("<L", content, at + 12, 0x7FFFFFFF)
    return bytes(content)


def _zip_name_differs() -> bytes:
    content = bytearray(_zip_of([("good", b"x")]))
    at = content.index(b"good")
    content[at : at + 4] = b"evil"
    return bytes(content)


def _header(size: int, kind: bytes = b"0", name: bytes = b"a") -> bytes:
    info = tarfile.TarInfo("a")
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def _tar_claims(size: int, kind: bytes) -> bytes:
    return _header(size, kind) + b"x" * 1024


def _gz_header_bomb() -> bytes:
    """A compressed tar whose one header claims, and has, 80 MB."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(_header(80 * MB, b"x"))
        for _ in range(80):
            packed.write(b"\0" * MB)
    return out.getvalue()


def _gz_bomb() -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(_header(20 * MB))
        for _ in range(20):
            packed.write(b"\0" * MB)
        packed.write(b"\0" * 1024)
    return out.getvalue()


def _tar_sparse() -> bytes:
    """A GNU sparse member: 512 bytes that stand for a terabyte."""
    info = tarfile.TarInfo("a")
    info.type, info.size = b"S", 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:398], header[398:410] = b"00000000000\0", b"00000001000\0"
    header[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"x" * 512 + b"\0" * 1024


def _tar_bad_utf8() -> bytes:
    header = bytearray(_header(1))
    header[0:2] = b"\xff\xfe"
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"x" + b"\0" * 511 + b"\0" * 1024


def _tar_pax(**headers: str) -> bytes:
    """A harmless header overruled by the extended one before it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("harmless")
        info.size, info.pax_headers = 1, {k.replace("_", "."): v for k, v in headers.items()}
        archive.addfile(info, io.BytesIO(b"x"))
    return out.getvalue()


def _zip_64_lie() -> bytes:
    """The list of members claims an exabyte in its 64-bit field."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.extra = struct.pack("<HHQQ", 1, 16, 1 << 60, 1 << 60)
        archive.writestr(info, b"x")
    content = bytearray(out.getvalue())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<LL", content, at + 20, 0xFFFFFFFF, 0xFFFFFFFF)
    return bytes(content)


def _zip_in_comment() -> bytes:
    """A second archive hides in the comment of the first: readers differ in which they see."""
    hidden = _zip_of([("../escaped", b"x")])
    return _zip_of([("a", b"x")])[:-2] + struct.pack("<H", len(hidden)) + hidden


def _tar_negative() -> bytes:
    header = bytearray(_header(1))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"\0" * 1024


def _nested(depth: int) -> bytes:
    content = _zip_of([("../escaped", b"x")])
    for _ in range(depth):
        content = _zip_of([("inner.zip", content)])
    return content


_SPECIAL: dict[str, Callable[[], bytes]] = {
    "tar symbolic link": lambda: _tar_special(tarfile.SYMTYPE, "/tmp"),
    "tar symbolic link, relative": lambda: _tar_special(tarfile.SYMTYPE, "../.."),
    "tar hard link": lambda: _tar_special(tarfile.LNKTYPE, "/etc/passwd"),
    "tar character device": lambda: _tar_special(tarfile.CHRTYPE),
    "tar block device": lambda: _tar_special(tarfile.BLKTYPE),
    "tar named pipe": lambda: _tar_special(tarfile.FIFOTYPE),
    "tar contiguous file": lambda: _tar_special(tarfile.CONTTYPE),
    "tar unknown type": lambda: _tar_special(b"Z"),
    "tar sparse file": _tar_sparse,
    "tar name not utf-8": _tar_bad_utf8,
    "tar negative size": _tar_negative,
    "tar member longer than the file": lambda: _tar_claims(1 << 30, b"0"),
    "tar pax header longer than the file": lambda: _tar_claims(1 << 33, b"x"),
    "tar long name longer than the file": lambda: _tar_claims(1 << 33, b"L"),
    "tar cut short": lambda: _tar_of([("a", b"x" * 5000)])[:3000],
    "tar checksum wrong": lambda: b"b" + _tar_of([("a", b"x")])[1:],
    "tar.gz header of 80 MB": _gz_header_bomb,
    "tar.gz of zeros": _gz_bomb,
    "tar.gz cut short": lambda: gzip.compress(_tar_of([("a", bytes(range(256)) * 50)]))[:-90],
    "tar.gz checksum wrong": lambda: gzip.compress(_tar_of([("a", b"x")]))[:-8] + b"\0" * 8,
    "tar extended path climbs": lambda: _tar_pax(path="../escaped"),
    "tar extended path is absolute": lambda: _tar_pax(path="/tmp/escaped"),
    "tar extended size": lambda: _tar_pax(size=str(1 << 40)),
    "tar extended sparse file": lambda: _tar_pax(
        GNU_sparse_size=str(1 << 40), GNU_sparse_map="0,1"
    ),
    "tar long name climbs": lambda: _tar_of([("../" + "y" * 120, b"x")]),
    "tar behind a tar": lambda: _tar_of([("a", b"x")]) + _tar_of([("../escaped", b"x")]),
    "tar.gz behind a tar.gz": lambda: gzip.compress(_tar_of([("a", b"x")])) * 2,
    "zip behind a tar": lambda: _tar_of([("a", b"x")]) + _zip_of([("../escaped", b"x")]),
    "zip in a zip's comment": _zip_in_comment,
    "zip of an exabyte": _zip_64_lie,
    "zip behind a script": lambda: b"#!/bin/sh\n" + _zip_of([("a", b"x")]),
    "zip symbolic link": lambda: _zip_mode(0o120777, b"/etc/passwd"),
    "zip device": lambda: _zip_mode(0o020666, b""),
    "zip named pipe": lambda: _zip_mode(0o010666, b""),
    "zip encrypted": lambda: _zip_flag(1),
    "zip unknown method": lambda: _zip_method(99),
    "zip bzip2": lambda: _zip_of([("a", b"x")], zipfile.ZIP_BZIP2),
    "zip bomb": lambda: _zip_of([("a", b"\0" * 20 * MB)], zipfile.ZIP_DEFLATED),
    "zip bomb of overlaps": _zip_overlap,
    "zip many members": lambda: _zip_of([(f"{n}", b"") for n in range(2050)]),
    "tar many members": lambda: _tar_of([(f"{n}", b"") for n in range(2050)]),
    "zip size too large": lambda: _zip_size_lie(100_000),
    "zip size too small": lambda: _zip_size_lie(5),
    "zip list of members of 2 GB": _zip_huge_directory,
    "zip two names for a member": _zip_name_differs,
    "zip cut short": lambda: _zip_of([("a", b"x" * 500)])[:300],
    "zip checksum wrong": lambda: _zip_of([("a", b"x" * 50)]).replace(b"xxxx", b"xxxy", 1),
    "zip folder with content": lambda: _zip_of([("a/", b"x")]),
    "zip empty name": lambda: _zip_of([("", b"x")]),
    "zip dot": lambda: _zip_of([(".", b"x")]),
    "nested zip that climbs": lambda: _nested(1),
    "not an archive": lambda: b"<html>You must log in</html>",
    "empty file": lambda: b"",
}
