"""What was recomputed on the portal's own files, kept to stand beside what any source gives.

One row a class of checks (`nmc.checks`): how many numbers, how many agree, each number that we
computed and whether it agrees; nothing of what a sheet prints.  A row says when and by which
version, code, NEURON and files it was made; where one of these is another now, it is stale.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from nmc import __version__, recomputed
from nmc.code_hash import code_hash
from nmc.data import provenance
from nmc.errors import FormatError, UnknownNameError

TABLE = "verdicts"
#: Columns of the table; another set is another version's.
COLUMNS = (
    "class", "checks", "agree", "items", "reasons", "date", "version", "modules", "alone",
    "files", *recomputed.MAKINGS,
)  # fmt: skip


class Verdict(NamedTuple):
    """What was recorded of one printed number, or of a class of them.

    Attributes
    ----------
    values : tuple of float
        What was recomputed; of a class how many numbers agree.
    checks, agree : int
        How many numbers were compared, and how many agree.
    date : str
        When, as an ISO date.
    stale : str
        Why it does not count any more; empty where it stands.
    """

    values: tuple[float, ...]
    checks: int
    agree: int
    date: str
    stale: str

    @property
    def text(self) -> str:
        """The verdict in words: *agrees*, *differs*, or *stale* with its reason."""
        if self.stale:
            return f"stale: {self.stale}"
        return f"{'agrees' if self.agree == self.checks else 'differs'}, {self.date}"


def load_verdicts() -> pd.DataFrame:
    """Read the recorded classes of checks, with why a row is ``stale``; empty where it stands."""
    rows = _rows()
    return rows.assign(stale=[_stale(row) for row in rows.to_dict("records")])


def _rows() -> pd.DataFrame:
    path = recomputed.table_file(TABLE)
    if not path.is_file():
        return pd.DataFrame(columns=[*COLUMNS])
    return recomputed.read_table(path, COLUMNS)


def _stale(row: dict) -> str:
    if row["version"] != __version__:
        return f"made by version {row['version']}"
    try:
        code = hash_of(json.loads(row["modules"]), json.loads(row["alone"]))
    except UnknownNameError:  # one of its modules has another name by now
        code = ""
    if row["code_sha256"] != code:
        return "made by other code"
    made_of = json.loads(row["files"])
    if _digest(row["files"]) != row["package_sha256"]:
        return "the list of its files is damaged"
    at_hand = files_of([one for one in provenance.records() if not one.invented])
    for key in made_of:
        if key.startswith("recomputed/"):  # they travel with the package, read or not
            table = recomputed.table_file(key.removeprefix("recomputed/"))
            at_hand[key] = hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else ""
    other = [key for key, sha256 in at_hand.items() if made_of.get(key, sha256) != sha256]
    return f"made from other files ({other[0]})" if other else ""


def hash_of(modules: list[str], alone: list[str]) -> str:
    """Hash the code of a class: modules with all that they import, and others by themselves."""
    return code_hash(*modules, alone=alone)


def files_of(records: list[provenance.Record]) -> dict[str, str]:
    """Key → sha256 of files; of a package the digest of its content, the same for both releases."""
    return {
        one.key: recomputed.hash_archive(one.path, one.sha256)
        if one.key.startswith("model/")
        else one.sha256
        for one in records
    }


def keep_verdicts(rows: pd.DataFrame, *, path: Path | None = None) -> Path:
    """Merge classes into the table; a class replaces the recorded one of its name."""
    made = rows.assign(date=provenance.now()[:10], version=__version__)
    both = zip(rows["modules"], rows["alone"], strict=True)
    made["code_sha256"] = [hash_of(*pair) for pair in both]
    for column in ("items", "reasons", "modules", "alone", "files"):
        made[column] = [json.dumps(value, sort_keys=True) for value in rows[column]]
    made["package_sha256"] = made["files"].map(_digest)
    return recomputed.keep_rows(TABLE, made[[*COLUMNS]], path=path)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def recorded(key: str) -> Verdict | None:
    """Return what was recorded of a claim or class of checks, or None; a stale one says why."""
    try:
        rows = _rows()
    except FormatError as error:
        return Verdict((), 0, 0, "", f"the recorded verdicts cannot be read ({error})")
    for row in rows.to_dict("records"):
        if row["class"] == key:
            counts = (int(row["checks"]), int(row["agree"]))
            return Verdict((counts[1],), *counts, row["date"], _stale(row))
        items = _items(row["items"])
        parts = items.get(key, [])
        if parts:
            agree = sum(agrees for _, agrees in parts)
            values = tuple(value for value, _ in parts)
            return Verdict(values, len(parts), agree, row["date"], _stale(row))
    return None


def recorded_items(name: str) -> pd.DataFrame:
    """Return ``value`` and ``verdict`` of each number that was recorded of a class of checks."""
    rows = load_verdicts()
    found = {}
    for row in rows[rows["class"] == name].to_dict("records"):
        for item, (value, agrees) in json.loads(row["items"]).items():
            found[item] = (value, "stale" if row["stale"] else "agrees" if agrees else "differs")
    columns = ["value", "verdict"]
    return pd.DataFrame.from_dict(found, orient="index", columns=columns).rename_axis("item")


@cache
def _items(text: str) -> dict[str, list[tuple[float, bool]]]:
    """Claim → its numbers in their order; an item is a claim's key, or one with ``[number]``."""
    found: dict[str, list[tuple[int, float, bool]]] = {}
    for item, (value, agrees) in json.loads(text).items():
        name, _, place = item.partition("[")
        number = float("nan") if value is None else value
        found.setdefault(name, []).append((int(place[:-1] or 0), number, agrees))
    return {name: [(v, ok) for _, v, ok in sorted(parts)] for name, parts in found.items()}
