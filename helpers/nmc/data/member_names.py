"""Which names an archive's members may bear: those that stay below the folder, on any system."""

from __future__ import annotations

import re
import unicodedata

from nmc.errors import ArchiveError

_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.I)
_MAX_PART, _MAX_NAME, _MAX_DEPTH = 255, 1024, 40


def safe_parts(name: str) -> tuple[str, ...]:
    """Return the parts of a member's name, or refuse it.

    Parameters
    ----------
    name : str
        As the archive spells it, with ``/`` between parts.

    Returns
    -------
    tuple of str
        Empty for the archive's own root (``./``).

    Raises
    ------
    ArchiveError
        For a name that is absolute, climbs (``..``), bears a drive letter, a backslash, a control
        character, a name that some system reserves, or that is too long.
    """
    shown = ascii(name if len(name) < 120 else name[:117] + "…")
    reason = _reason(name)
    if reason:
        raise ArchiveError(f"The archive's member {shown} is refused: {reason}.")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    for part in parts:
        reason = _part_reason(part)
        if reason:
            raise ArchiveError(f"The archive's member {shown} is refused: {reason}.")
    return parts


def clash_key(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return what two names share when some file system takes them for one."""
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in parts)


def _reason(name: str) -> str:
    if not name:
        return "its name is empty"
    if name.startswith("/"):
        return "its path is absolute"
    if "\\" in name:
        return "its name holds a backslash"
    if _DRIVE.match(name):
        return "its name begins with a drive letter"
    if len(name) > _MAX_NAME or name.count("/") > _MAX_DEPTH:
        return "its name is too long"
    return ""


def _part_reason(part: str) -> str:
    if part == "..":
        return "its path climbs out with '..'"
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in part):
        return "its name holds a character that cannot be seen or encoded"
    if part != part.rstrip(". ") or part != part.lstrip(" "):
        return "a part of its name begins with a space, or ends in a dot or a space"
    if _RESERVED.fullmatch(part):
        return "its name is reserved on some systems"
    if len(part.encode()) > _MAX_PART:
        return "its name is too long"
    return ""
