"""What there is to fetch: one row for every item of the portal's Downloads page, and its pages.

A key such as ``model/L5_TTPC1_cADpyr232_1`` or ``connectome/average/mc2`` stands for one file
of the portal's tree.  Sizes and sha256 are known for some files (``known.csv``); where they are
not, the first copy fetched is trusted, recorded, and every later copy must equal it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from nmc import names
from nmc.data import rows
from nmc.errors import NMCError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Known:
    """A file's size and sha256, and the release they belong to (empty when there is one only)."""

    size_bytes: int
    sha256: str
    release: str = ""


@dataclass(frozen=True)
class Item:
    """One row of the catalogue.

    Attributes
    ----------
    key : str
        What `nmc.fetch` is asked for.
    path : str
        Where the portal kept the file, relative to a tree's root.
    title : str
        What the file holds.
    format : str
        ``json``, ``html``, ``zip``, ``tar`` (also compressed), ``h5``, ``gz``.
    known : tuple of Known
        Sizes and sha256 that are right; empty when none was ever published or seen.
    other_releases : bool
        Whether a file that is none of `known` may still be a true one.
    on_portal : bool
        False for files that only copies of the tree hold, such as a part of a connectome.
    also : tuple of str
        Other paths under which the portal kept the same file.
    reader, licence, cite, note
        Which call reads it, its licence, keys of `nmc.data.citations`, and what else to know.
    """

    key: str
    path: str
    title: str
    format: str
    reader: str
    licence: str
    cite: tuple[str, ...]
    known: tuple[Known, ...] = ()
    other_releases: bool = False
    on_portal: bool = True
    also: tuple[str, ...] = ()
    note: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path of the file in a tree, the first the usual one."""
        return (self.path, *self.also)

    @property
    def size_bytes(self) -> int | None:
        """Size in bytes where it is known."""
        return self.known[0].size_bytes if self.known else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the public mirrors keep the file, in the order they are tried."""
        from nmc.data.mirrors import portal_addresses

        return portal_addresses(self.paths) if self.on_portal else ()


@cache
def _known() -> dict[str, tuple[Known, ...]]:
    found: dict[str, tuple[Known, ...]] = {}
    with resources.files("nmc.data").joinpath("known.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            known = Known(int(row["size_bytes"]), row["sha256"], row["release"])
            found[row["key"]] = (*found.get(row["key"], ()), known)
    return found


@cache
def items() -> dict[str, Item]:
    """Return every item of the catalogue by its key."""
    known = _known()
    return {r["key"]: Item(**r, known=known.get(r["key"], ())) for r in rows.all_rows()}


def item(key: str) -> Item:
    """Return one item of the catalogue.

    Parameters
    ----------
    key : str
        A key; the portal's spelling of a name is understood, and so is a bare model name.

    Raises
    ------
    UnknownNameError
        When there is no such key; the message suggests the nearest one.
    """
    text = str(key).strip().strip("/")
    known = items()
    if text in known:
        return known[text]
    canonical = _canonical(text)
    if canonical in known:
        return known[canonical]
    error = UnknownNameError.of("catalogue key", key, _candidates(text, known))
    if "Did you mean" not in str(error):
        raise UnknownNameError(f"{error} 'nmc list' shows the families of keys.")
    raise error


def _canonical(text: str) -> str:
    head, _, tail = text.rpartition("/")
    try:
        if head in ("", "model"):
            return f"model/{names.parse_model(tail)}"
        if head in ("page/metype", "models/group"):
            try:
                return f"{head}/{names.canonical_metype(tail)}"
            except NMCError:
                pass
        return f"{head}/{names.canonical_mtype(tail)}"
    except NMCError:
        try:
            return f"{head}/{names.canonical_layer(tail)}"
        except NMCError:
            return text


def _candidates(text: str, known: dict[str, Item]) -> list[str]:
    """Keys worth suggesting: those of the same family first, so that the search stays quick."""
    family = [key for key in known if key.split("/")[0] == text.split("/")[0]]
    return family or [k for k in known if not k.startswith("model/")] + list(names.model_names())


def catalogue() -> pd.DataFrame:
    """Return the catalogue as a table, one row an item, indexed by key.

    Returns
    -------
    pandas.DataFrame
        Columns ``title, path, addresses, format, size_bytes, sha256, release, licence, cite,
        reader, note``.  `size_bytes` and `sha256` are missing where they are not known: then
        the first copy fetched is trusted and recorded.
    """
    import pandas as pd

    table = pd.DataFrame(
        {
            "key": it.key,
            "title": it.title,
            "path": it.path,
            "addresses": it.addresses,
            "format": it.format,
            "size_bytes": it.size_bytes,
            "sha256": it.known[0].sha256 if it.known else None,
            "release": " or ".join(k.release for k in it.known if k.release),
            "licence": it.licence,
            "cite": it.cite,
            "reader": it.reader,
            "note": it.note,
        }
        for it in items().values()
    )
    return table.astype({"size_bytes": "Int64"}).set_index("key")
