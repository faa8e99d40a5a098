"""Where every fetched file came from, on what terms, and what to cite.

A table and a line under each figure say it; the terms are accepted once for each cache.
"""

from __future__ import annotations

import hashlib
import logging
import textwrap
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nmc.data import files, registry
from nmc.data.registry import Record, records
from nmc.errors import CacheError, TermsError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

_logger = logging.getLogger(__name__)
_told: set[tuple[Path, str]] = set()
_COLUMNS = ("key", "origin", "sha256", "size_bytes", "invented", "release", "trust", "path")


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


def note() -> str:
    """Return one line that says where the data came from, for figures; empty before any fetch."""
    entries = records()
    if not entries:
        return ""
    real = [entry for entry in entries if not entry.invented]
    confirmed = _origins(entry for entry in real if entry.confirmed)
    given = _origins(e for e in real if not e.confirmed and e.key == str(e.path))
    others = _origins(e for e in real if not e.confirmed and e.key != str(e.path))
    releases = " and ".join(sorted({entry.release for entry in real if entry.release}))
    parts = []
    if len(real) < len(entries):
        parts.append("synthetic sample, invented numbers")
    if confirmed:
        release = f", release {releases}" if releases else ""
        parts.append(f"{confirmed}, NMC portal{release}, non-commercial terms")
    if given:
        parts.append(f"{given}, by content no known file of the portal or the sample")
    if others:
        parts.append(f"{others}, not confirmed as the portal's")
    return "Data: " + "; ".join(f"partly {part}" if len(parts) > 1 else part for part in parts)


def _origins(entries: Iterable[Record]) -> str:
    return " and ".join(dict.fromkeys(entry.origin for entry in entries))


def stamp(where) -> None:
    """Write `note` below a figure or axes of matplotlib."""
    from nmc import style

    style.finish(where, note())


# Terms and citations -----------------------------------------------------------------------------


class Clause(NamedTuple):
    """One clause of the terms, in our own words."""

    id: str
    title: str
    text: str


@cache
def clauses() -> tuple[Clause, ...]:
    """Return every clause of the portal's terms of use, in our own words."""
    return tuple(
        Clause(entry["id"], entry["title"], " ".join(entry["text"].split()))
        for entry in _toml("terms.toml")["clause"]
    )


def terms_text() -> str:
    """Return the terms as plain text; its sha256 is recorded with an acceptance."""
    parts = [f"{clause.title}\n{textwrap.fill(clause.text, 88)}" for clause in clauses()]
    return "\n\n".join(parts) + "\n"


def terms_sha256() -> str:
    """Return the sha256 of the terms' text."""
    return hashlib.sha256(terms_text().encode()).hexdigest()


def acceptance() -> dict | None:
    """Return when and how today's text of the terms was accepted for this cache, or None."""
    accepted = files.read_json(_acceptance_file())
    return accepted if accepted and accepted.get("sha256") == terms_sha256() else None


def record_acceptance(how: str = "nmc.data.provenance.record_acceptance") -> dict:
    """Record that the terms are accepted for this cache; return the record."""
    entry = {"date": now(), "sha256": terms_sha256(), "how": how}
    with files.writing("The acceptance of the terms"):
        files.write_json(_acceptance_file(), entry)
    return entry


def require_terms(origin: str, accept_terms: bool | None = None) -> None:
    """Raise unless the terms are accepted, by argument or ``NMC_ACCEPT_TERMS=1``; never ask."""
    if acceptance():
        return
    if accept_terms or (accept_terms is None and files.is_set("NMC_ACCEPT_TERMS")):
        with suppress(CacheError):  # a cache that is read-only: accepted for this call
            record_acceptance("accept_terms=True" if accept_terms else "NMC_ACCEPT_TERMS=1")
        return
    raise TermsError(
        f"The source {origin!r} serves data under non-commercial terms. Read them with 'nmc terms' "
        "and accept them, once for this cache, with 'nmc terms --accept', NMC_ACCEPT_TERMS=1 or "
        "accept_terms=True."
    )


def tell_terms(origin: str, cite: tuple[str, ...] = ()) -> None:
    """Log, once for each cache, that the terms apply and what to cite (all, if `cite` is empty)."""
    new = [key for key in cite or citations_for([]) if _first_time(key)]
    if new:
        lines = "\n".join(f"  {apa(key)}" for key in new)
        _logger.warning(
            "Data from %s come under the NMC portal's non-commercial terms ('nmc terms' shows "
            "them). When you use them, cite:\n%s", files.redact(origin), lines,
        )  # fmt: skip


def _first_time(key: str) -> bool:
    """Whether a citation was never told for this cache, by this process or another."""
    folder = files.cache_folder()
    if (folder, key) in _told:
        return False
    _told.add((folder, key))
    try:
        return files.write_json_once(folder / "told" / f"{key}.json", {"date": now()})
    except OSError:  # a cache that is read-only: told once by each process
        return True


def now() -> str:
    """Return this moment as ISO text, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def citations_for(keys: Iterable[str]) -> tuple[str, ...]:
    """Return what to cite for these keys of the registry, each once; all of it for no key."""
    wanted = [cite for key in keys for cite in registry.item(key).cite]
    return tuple(dict.fromkeys(wanted or _toml("citations.toml")))


def bibtex(key: str) -> str:
    """Return one citation as a BibTeX entry."""
    return _citation(key)["bibtex"]


def apa(key: str) -> str:
    """Return one citation as a line in APA style."""
    return _citation(key)["apa"]


def _citation(key: str) -> dict:
    known = _toml("citations.toml")
    if key not in known:
        raise UnknownNameError.of("citation", key, known)
    return known[key]


@cache
def _toml(name: str) -> dict:
    return tomllib.loads(resources.files("nmc.data").joinpath(name).read_text(encoding="utf-8"))


def _acceptance_file() -> Path:
    return files.cache_folder() / "terms-accepted.json"
