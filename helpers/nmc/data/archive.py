"""Unpacking that cannot be tricked: whole, within limits, and never outside its folder."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from nmc.data.member_names import clash_key, safe_parts
from nmc.data.members import READ_ERRORS, Member, is_archive_name, open_members, stem
from nmc.errors import ArchiveError

_CHUNK = 1 << 18
_GB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """How much an archive may unpack to, counted while it is unpacked.

    Attributes
    ----------
    entries : int
        Members, those of nested archives included.
    total_bytes : int
        Bytes written.
    ratio : int
        Bytes written for each byte of the archive, beyond `free_bytes`.
    free_bytes : int
        Bytes that any archive may unpack to, however small it is.
    depth : int
        How many archives may lie in one another, beyond the first.
    """

    entries: int = 200_000
    total_bytes: int = 32 * _GB
    ratio: int = 100
    free_bytes: int = 64 << 20
    depth: int = 1


@dataclass
class _Budget:
    limits: Limits
    archive_bytes: int
    archive: Path
    entries: int = 0
    bytes: int = 0

    def entry(self) -> None:
        self.entries += 1
        if self.entries > self.limits.entries:
            raise ArchiveError(f"{self.archive} has more than {self.limits.entries:,} members.")

    def spend(self, count: int) -> None:
        self.bytes += count
        allowed = max(self.limits.free_bytes, self.limits.ratio * self.archive_bytes)
        if self.bytes > min(allowed, self.limits.total_bytes):
            raise ArchiveError(
                f"{self.archive} unpacks to more than {self.bytes:,} bytes, which is more than its "
                f"size of {self.archive_bytes:,} bytes allows: refused."
            )


@dataclass
class _Names:
    """Names seen so far in one folder tree, as a file system that ignores case sees them."""

    files: set[tuple[str, ...]] = field(default_factory=set)
    folders: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def folder(self, parts: tuple[str, ...]) -> None:
        for depth in range(1, len(parts) + 1):
            part = parts[:depth]
            key = clash_key(part)
            if key in self.files:
                raise ArchiveError(f"The archive's {'/'.join(part)!a} is a file and a folder.")
            if self.folders.setdefault(key, part) != part:
                raise ArchiveError(f"The archive's folder {'/'.join(part)!a} differs in case only.")

    def file(self, parts: tuple[str, ...]) -> None:
        self.folder(parts[:-1])
        key = clash_key(parts)
        if key in self.files or key in self.folders:
            raise ArchiveError(
                f"The archive's member {'/'.join(parts)!a} occurs twice, or differs in case only "
                "from another."
            )
        self.files.add(key)


def unpack(
    archive: Path,
    folder: Path,
    *,
    nested: bool = False,
    limits: Limits | None = None,
    progress: bool = False,
) -> dict[str, dict]:
    """Unpack an archive into a folder that does not exist yet; whole, or not at all.

    Parameters
    ----------
    archive : pathlib.Path
        A zip or a (gzipped) tar, whatever its name says.
    folder : pathlib.Path
        What to create.
    nested : bool
        Unpack the archives inside, too, each into a folder of its own name in its place.
    limits : Limits, optional
        How much may be unpacked.
    progress : bool
        Show a progress bar, on stderr.

    Returns
    -------
    dict
        Every file's path in the folder → ``{"size_bytes", "sha256", "mtime_ns"}``.

    Raises
    ------
    ArchiveError
        When the archive is damaged, too large, or holds anything but plain files and folders that
        stay below the folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        members = unpack_into(archive, temporary, nested=nested, limits=limits, progress=progress)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return members


def unpack_into(
    archive: Path,
    folder: Path,
    *,
    nested: bool = False,
    limits: Limits | None = None,
    progress: bool = False,
) -> dict[str, dict]:
    """As `unpack`, into an empty folder that the caller made and will throw away on failure."""
    limits = limits or Limits()
    budget = _Budget(limits, archive.stat().st_size, archive)
    members: dict[str, dict] = {}
    try:
        with _bar(archive, progress) as bar:
            _unpack(archive, folder, (), budget, members, limits.depth if nested else 0, bar)
    except ArchiveError as exc:
        if str(archive) in str(exc):
            raise
        raise ArchiveError(f"{archive}: {exc}") from exc
    return members


def _unpack(archive, root, prefix, budget, members, depth, bar) -> None:
    names = _Names()
    inner: list[tuple[str, ...]] = []
    try:
        with open_members(archive) as listed:
            for member in listed:
                budget.entry()
                parts = safe_parts(member.name)
                if member.is_folder:
                    names.folder(parts)
                    root.joinpath(*prefix, *parts).mkdir(parents=True, exist_ok=True)
                    continue
                if not parts:
                    raise ArchiveError("A member of the archive has no name: refused.")
                names.file(parts)
                full = (*prefix, *parts)
                members["/".join(full)] = _write(member, root.joinpath(*full), budget)
                if depth and is_archive_name(parts[-1]):
                    inner.append(full)
                if bar is not None:
                    bar.update(1)
    except READ_ERRORS as exc:
        raise ArchiveError(f"{archive} is damaged: {str(exc) or type(exc).__name__}.") from exc
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, None):  # else a place that is not in the file was sought
            raise
        raise ArchiveError(f"{archive} is damaged: {str(exc) or type(exc).__name__}.") from exc
    for full in inner:
        _unpack_inner(root, full, budget, members, depth, bar)


def _unpack_inner(root, full, budget, members, depth, bar) -> None:
    """Replace an archive that lies in the folder by what it holds."""
    path = root.joinpath(*full)
    target = (*full[:-1], stem(full[-1]))
    if root.joinpath(*target).exists():
        raise ArchiveError(f"The archive holds both {'/'.join(full)!a} and a folder of that name.")
    own: dict[str, dict] = {}
    room = Path(tempfile.mkdtemp(prefix=".inner.", dir=root))
    _unpack(path, room, (), budget, own, depth - 1, bar)
    path.unlink()
    del members["/".join(full)]
    top = {name.split("/", 1)[0] for name in own}
    source = room
    if top == {target[-1]} and room.joinpath(target[-1]).is_dir():
        source = room / target[-1]  # its only folder bears its name: do not double it
        own = {name.split("/", 1)[1]: value for name, value in own.items()}
    source.chmod(0o755)
    source.rename(root.joinpath(*target))
    shutil.rmtree(room, ignore_errors=True)
    members.update({"/".join((*target, name)): value for name, value in own.items()})


def _write(member: Member, path: Path, budget: _Budget) -> dict:
    """Stream one member to a new file, counting and hashing; never through a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, 0o644), "wb") as out:
        while chunk := member.stream.read(_CHUNK):
            budget.spend(len(chunk))
            digest.update(chunk)
            out.write(chunk)
            size += len(chunk)
    if size != member.size_bytes:
        raise ArchiveError(f"The archive's member {member.name!a} is cut short.")
    return {
        "size_bytes": size,
        "sha256": digest.hexdigest(),
        "mtime_ns": path.stat().st_mtime_ns,
    }


def _bar(archive: Path, progress: bool):
    if not progress or archive.stat().st_size < 5_000_000:
        return nullcontext()
    from tqdm import tqdm

    return tqdm(desc=f"Unpacking {archive.name}", unit=" files", leave=False)
