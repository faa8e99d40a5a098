"""The terms the data come under, accepted once for each cache, and what to cite."""

from __future__ import annotations

import hashlib
import logging
import textwrap
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from nmc.data import files, registry
from nmc.errors import CacheError, TermsError, UnknownNameError

_log = logging.getLogger(__name__)
_told: set[tuple[Path, str]] = set()


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


def text() -> str:
    """Return the terms as plain text; its sha256 is recorded with an acceptance."""
    parts = [f"{clause.title}\n{textwrap.fill(clause.text, 88)}" for clause in clauses()]
    return "\n\n".join(parts) + "\n"


def markdown() -> str:
    """Return the terms as Markdown, for a page."""
    return "\n\n".join(f"**{clause.title}.** {clause.text}" for clause in clauses()) + "\n"


def sha256() -> str:
    """Return the sha256 of the terms' text."""
    return hashlib.sha256(text().encode()).hexdigest()


def acceptance() -> dict | None:
    """Return when and which text of the terms was accepted for this cache, or None.

    An acceptance of another text does not count: terms that changed are accepted anew.
    """
    accepted = files.read_json(_acceptance_file())
    return accepted if accepted and accepted.get("sha256") == sha256() else None


def accept(how: str = "nmc.data.terms.accept") -> dict:
    """Record that the terms are accepted for this cache; return the record."""
    entry = {"date": now(), "sha256": sha256(), "how": how}
    with files.writing("The acceptance of the terms"):
        files.write_json(_acceptance_file(), entry)
    return entry


def withdraw() -> None:
    """Forget the acceptance."""
    _acceptance_file().unlink(missing_ok=True)


def require(origin: str, accept_terms: bool | None = None) -> None:
    """Return if the terms are accepted, else raise; never ask.

    Parameters
    ----------
    origin : str
        The tree that needs them.
    accept_terms : bool, optional
        True accepts them; None lets ``NMC_ACCEPT_TERMS=1`` do so; False does not.

    Raises
    ------
    TermsError
        When nobody accepted them.
    """
    if acceptance():
        return
    if accept_terms or (accept_terms is None and files.is_set("NMC_ACCEPT_TERMS")):
        with suppress(CacheError):  # a cache that is read-only: accepted for this call
            accept("accept_terms=True" if accept_terms else "NMC_ACCEPT_TERMS=1")
        return
    raise TermsError(
        f"The source {origin!r} serves data under non-commercial terms. Read them with 'nmc terms' "
        "and accept them, once for this cache, with 'nmc terms --accept', NMC_ACCEPT_TERMS=1 or "
        "accept_terms=True."
    )


def tell(origin: str, cite: tuple[str, ...]) -> None:
    """Say, once for each cache, that the terms apply and what to cite (as a log message).

    Parameters
    ----------
    origin : str
        Where the data come from.
    cite : tuple of str
        Keys of `apa`; each is told once.
    """
    new = [key for key in cite if _first_time(key)]
    if new:
        lines = "\n".join(f"  {apa(key)}" for key in new)
        _log.warning(
            "Data from %s come under the NMC portal's non-commercial terms ('nmc terms' shows "
            "them). When you use them, cite:\n%s", origin, lines,
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
    """Return one citation as a BibTeX entry.

    Raises
    ------
    UnknownNameError
        When there is no such citation.
    """
    entry = _citation(key)
    fields = ("author", "title", "journal", "year", "volume", "number", "pages", "doi")
    lines = [f"  {name} = {{{entry[name]}}}," for name in fields if name in entry]
    return "\n".join([f"@{entry['type']}{{{key},", *lines, "}"])


def apa(key: str) -> str:
    """Return one citation as a line in APA style.

    Raises
    ------
    UnknownNameError
        When there is no such citation.
    """
    e = _citation(key)
    volume = f"{e['volume']}({e['number']})" if "number" in e else e["volume"]
    pages = e["pages"].replace("--", "–")
    return (
        f"{e['authors_apa']} ({e['year']}). {e['title']}. {e['journal']}, {volume}, {pages}. "
        f"https://doi.org/{e['doi']}"
    )


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
