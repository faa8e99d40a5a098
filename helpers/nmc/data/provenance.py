"""Where every fetched file came from, told in a table and under each figure."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nmc.data import files
from nmc.errors import CacheError

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("key", "origin", "sha256", "size_bytes", "invented", "release", "trust", "path")


@dataclass(frozen=True)
class Record:
    """One fetched file.

    Attributes
    ----------
    key : str
        Its key in the catalogue.
    origin : str
        The tree it came from: ``sample``, ``portal``, ``extracts``, a folder's name or an address.
    sha256, size_bytes
        Of the file as it was verified.
    invented : bool
        Whether its numbers are synthetic.
    release : str
        Release of the file where several exist, else empty.
    trust : str
        What the file was verified against: ``catalogue``, ``sample`` (it is one of its files),
        ``tree`` (a list of hashes that came with it), ``format`` (its content only), ``first use``.
    path : pathlib.Path
        The file.
    confirmed : bool
        False when nothing but its place says that the file is the portal's: neither its sha256
        nor the tree it came from.
    """

    key: str
    origin: str
    sha256: str
    size_bytes: int
    invented: bool
    release: str
    trust: str
    path: Path
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


def records() -> tuple[Record, ...]:
    """Return what this process fetched, in the order of the first fetch."""
    return tuple(_log.values())


def provenance() -> pd.DataFrame:
    """Return every file this process fetched, with its origin and sha256.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``key``; columns ``origin, sha256, size_bytes, invented, release, trust, path``.
    """
    import pandas as pd

    rows = [{**asdict(entry), "path": str(entry.path)} for entry in records()]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).set_index("key")


def invented() -> bool:
    """Whether any fetched file holds synthetic numbers."""
    return any(entry.invented for entry in records())


def note() -> str:
    """Return one line that says where the data came from, for figures; empty before any fetch."""
    entries = records()
    if not entries:
        return ""
    real = [entry for entry in entries if not entry.invented]
    portal, others = _origins(real, confirmed=True), _origins(real, confirmed=False)
    releases = " and ".join(sorted({entry.release for entry in real if entry.release}))
    parts = []
    if len(real) < len(entries):
        parts.append("synthetic sample, invented numbers")
    if portal:
        release = f", release {releases}" if releases else ""
        parts.append(f"{portal}, NMC portal{release}, non-commercial terms")
    if others:
        parts.append(f"{others}, not confirmed as the portal's")
    return "Data: " + "; ".join(f"partly {part}" if len(parts) > 1 else part for part in parts)


def _origins(entries: list[Record], confirmed: bool) -> str:
    names = dict.fromkeys(entry.origin for entry in entries if entry.confirmed == confirmed)
    return " and ".join(names)


def stamp(where) -> None:
    """Write `note` below a figure.

    Parameters
    ----------
    where : matplotlib Axes or Figure
    """
    from nmc import style

    style.add_note(where, note())
