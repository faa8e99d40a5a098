"""Whether the packages that kept rows were made from are those that are at hand.

Nothing is downloaded, unpacked or run: a package's hash is taken inside its archive, where the
archive lies in the source already or was fetched before.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from nmc import recomputed
from nmc.data.archive import inspect
from nmc.errors import ChecksumError

#: What `mark_rows` says of a row's package.
SAME, OTHER, UNCHECKED = "unchanged", "another", "not at hand"


def mark_rows(rows: pd.DataFrame, current: Mapping[str, object]) -> pd.DataFrame:
    """Mark stale rows as `nmc.recomputed.mark_stale` does, their packages compared too.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `nmc.recomputed.load_kept` gives them, with a column ``model``.
    current : mapping
        As for `nmc.recomputed.mark_stale`.

    Returns
    -------
    pandas.DataFrame
        A copy with ``stale``, ``stale_because`` and ``package``: *unchanged* where the package at
        hand is the one the row was made from, *another* (then the row is stale), or *not at
        hand*, where none but an invented one is and so nothing was compared.
    """
    kept = rows["package_sha256"]
    found = rows["model"].map({model: hash_at_hand(model) for model in rows["model"].unique()})
    marked = recomputed.mark_stale(rows, {**current, "package_sha256": found.fillna(kept)})
    word = (found == kept).map({True: SAME, False: OTHER}).astype("str")
    return marked.assign(package=word.mask(found.isna(), UNCHECKED))


def hash_at_hand(model: str) -> str | None:
    """Hash of a model's package as `Package.content_sha256` has it; None where none is at hand.

    An invented package is no later state of the portal's, so it counts as none.
    """
    from nmc.data import at_hand

    try:
        record = at_hand(f"model/{model}")
    except ChecksumError:  # altered where it lies: whatever it is, it is not the row's
        return "altered"
    if record is None or record.invented:
        return None
    return hash_archive(record.path, record.sha256)


@cache
def hash_archive(archive: Path, sha256: str) -> str:
    """Content digest of the package in an archive whose own hash is known (it keys the memory)."""
    return inspect(archive)[0]
