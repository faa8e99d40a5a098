"""What to cite for a file, as BibTeX or in APA style."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from nmc.data.catalogue import item
from nmc.errors import UnknownNameError

_FIELDS = ("author", "title", "journal", "year", "volume", "number", "pages", "doi")


@cache
def _all() -> dict[str, dict]:
    content = resources.files("nmc.data").joinpath("citations.toml").read_text(encoding="utf-8")
    return tomllib.loads(content)


def keys_for(catalogue_keys: Iterable[str]) -> tuple[str, ...]:
    """Return what to cite for these keys of the catalogue, each once; all of it for no key."""
    wanted = [key for name in catalogue_keys for key in item(name).cite]
    return tuple(dict.fromkeys(wanted or _all()))


def bibtex(key: str) -> str:
    """Return one citation as a BibTeX entry.

    Raises
    ------
    UnknownNameError
        When there is no such citation.
    """
    entry = _entry(key)
    lines = [f"  {name} = {{{entry[name]}}}," for name in _FIELDS if name in entry]
    return "\n".join([f"@{entry['type']}{{{key},", *lines, "}"])


def apa(key: str) -> str:
    """Return one citation as a line in APA style.

    Raises
    ------
    UnknownNameError
        When there is no such citation.
    """
    e = _entry(key)
    volume = f"{e['volume']}({e['number']})" if "number" in e else e["volume"]
    pages = e["pages"].replace("--", "–")
    return (
        f"{e['authors_apa']} ({e['year']}). {e['title']}. {e['journal']}, {volume}, {pages}. "
        f"https://doi.org/{e['doi']}"
    )


def _entry(key: str) -> dict:
    if key not in _all():
        raise UnknownNameError.of("citation", key, _all())
    return _all()[key]
