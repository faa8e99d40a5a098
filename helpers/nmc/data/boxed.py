"""A model's package taken out of the archive of all models, where a tree has that one only."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from nmc.data import files, settings
from nmc.data.members import READ_ERRORS, open_members
from nmc.errors import ArchiveError


def holds(archive: Path, key: str) -> bool:
    """Whether the archive of all models holds a model's package.

    Parameters
    ----------
    archive : pathlib.Path
        The tar of zips.
    key : str
        A key ``model/…``.
    """
    status = archive.stat()
    return _name(key) in _names(archive, status.st_size, status.st_mtime_ns)


def take_out(archive: Path, sha256: str, key: str) -> Path:
    """Return a model's package, copied out of the archive into the cache once.

    Parameters
    ----------
    archive : pathlib.Path
        The verified tar of zips.
    sha256 : str
        Its hash.
    key : str
        A key ``model/…`` that the archive holds.

    Raises
    ------
    ArchiveError
        When the archive is damaged.
    """
    target = settings.cache_folder() / "boxed" / sha256[:24] / _name(key)
    if target.is_file():
        return target
    with files.writing(key), files.whole(target) as temporary:
        try:
            _copy(archive, target.name, temporary)
        except READ_ERRORS as exc:
            raise ArchiveError(f"{archive} is damaged: {exc}.") from exc
    return target


def _copy(archive: Path, name: str, target: Path) -> None:
    with open_members(archive) as members:
        for member in members:
            if not member.is_folder and member.name.rpartition("/")[2] == name:
                with target.open("wb") as out:
                    shutil.copyfileobj(member.stream, out)
                return


def _name(key: str) -> str:
    return f"{key.removeprefix('model/')}.zip"


@lru_cache(maxsize=4)
def _names(archive: Path, size: int, mtime_ns: int) -> frozenset[str]:
    """List the archive's members, read once for each version of the file."""
    try:
        with open_members(archive) as members:
            return frozenset(m.name.rpartition("/")[2] for m in members if not m.is_folder)
    except (*READ_ERRORS, ArchiveError):
        return frozenset()  # damaged: what asks for the archive itself gets the error
