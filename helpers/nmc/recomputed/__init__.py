"""Recomputed numbers that take hours, kept: one Parquet row a run, with what it was made from.

Each table stands beside this file as ``<table>.parquet``.  It holds what our runs gave and
nothing of the files they ran on; the printed values are joined at reading, from the source in
use.  A row names its makings in hashes (`MAKINGS`), so that a row made by other code, another
NEURON or another package can be told: it is *stale*, and shown as such.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from nmc import __version__
from nmc.code_hash import code_hash
from nmc.data import at_hand, fetch_record, provenance, registry
from nmc.data.archive import inspect
from nmc.data.files import atomic_write, sha256_of
from nmc.errors import (
    ChecksumError,
    FormatError,
    SimulationError,
    SourceError,
    UnknownNameError,
)

#: Table → columns that name a run; a newer row replaces the kept one of the same run.
TABLES: Mapping[str, tuple[str, ...]] = {
    "models": ("model", "protocol", "settings", "neuron"),
    "pathways": ("pathway", "protocol", "settings"),
    "integration": ("model", "protocol", "settings"),
    "verdicts": ("class",),
}
#: Columns that a table has besides those of `TABLES` and `MAKINGS`; the others' may differ.
_MORE = {
    "verdicts": (
        "checks", "agree", "items", "reasons", "date", "version", "modules", "alone", "files",
    ),
}  # fmt: skip
#: What `mark_rows` says of a row's package.
SAME, OTHER, UNCHECKED = "unchanged", "another", "not at hand"
#: A number that was computed again is the same within this, relative (absolute below 1).
ROUNDING = 1e-6
#: Columns that say from what a row was made.
MAKINGS = ("package_sha256", "code_sha256", "neuron")


def table_file(table: str) -> Path:
    """Where a table is kept."""
    if table not in TABLES:
        raise UnknownNameError.of("table of recomputed values", table, TABLES)
    return Path(str(files(__package__) / f"{table}.parquet"))


def read_kept(table: str) -> pd.DataFrame:
    """Read a table of recomputed values (`TABLES`); empty before its first run is kept.

    Raises
    ------
    FormatError
        The table is damaged, or lacks a column.
    """
    path = table_file(table)
    needed = [*dict.fromkeys([*TABLES[table], *MAKINGS, *_MORE.get(table, ())])]
    if not path.is_file():
        return pd.DataFrame(columns=[*needed, "error"])
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} is not a table of recomputed values. ({error})") from error
    if lacking := [name for name in needed if name not in rows]:
        raise FormatError(f"{path} is of another version: it lacks {', '.join(lacking)}.")
    return rows


def load_kept(table: str) -> pd.DataFrame:
    """Read a table as `read_kept` does, and note in the provenance that it was read."""
    rows, path = read_kept(table), table_file(table)
    registry.remember(
        registry.Record(
            key=f"recomputed/{table}", origin="recorded recomputed values",
            sha256=sha256_of(path), size_bytes=path.stat().st_size, invented=False, release="",
            trust="package", path=path,
        )
    )  # fmt: skip
    return rows


def keep_rows(table: str, rows: pd.DataFrame) -> None:
    """Merge rows into a table, each in place of that of the same run, and write it in one piece."""
    kept, run = read_kept(table), list(TABLES[table])
    missing = [name for name in (*run, *MAKINGS) if name not in rows]
    if missing or rows[run].isna().any(axis=None):
        raise FormatError(
            f"Rows of {table} need {', '.join(missing or run)}; nothing was recorded."
        )
    merged = pd.concat([kept, rows] if len(kept) else [rows], ignore_index=True)
    merged = merged.drop_duplicates(run, keep="last")
    _write(table, merged.sort_values(run, ignore_index=True))


def _write(table: str, rows: pd.DataFrame) -> None:
    with atomic_write(table_file(table)) as partial:
        rows.to_parquet(partial, index=False, compression="zstd")


def restamp(
    table: str,
    again: pd.DataFrame,
    current: Mapping[str, str],
    *,
    rounding: float = ROUNDING,
) -> int:
    """Stamp rows with the code of today, where a sample that was run again gives the same numbers.

    Rows of `current`'s NEURON are stamped, of the protocols and settings in `again`; how many is
    returned.  Two runs may differ by `rounding`, relative (absolute below 1).
    """
    rows, run = read_kept(table), list(TABLES[table])
    both = again.merge(rows, on=[c for c in run if c in again], suffixes=("", "_kept"))
    if len(both) != len(again) or again.empty:
        raise FormatError(f"Rows of {table} can only be stamped by runs that are recorded there.")
    for row in both.to_dict("records"):
        name = ", ".join(str(row[key]) for key in run)
        if row["package_sha256"] != row["package_sha256_kept"]:
            raise SimulationError(f"{name}: the package is another; nothing was stamped.")
        if isinstance(row.get("error"), str):
            raise SimulationError(f"{name} failed: {row['error']}; nothing was stamped.")
        for column in [c for c in again if f"{c}_kept" in row and c not in (*MAKINGS, "error")]:
            new, kept = row[column], row[f"{column}_kept"]
            if not _same(new, kept, rounding):
                raise SimulationError(
                    f"{name}: {column} is {new} and not the recorded {kept}; nothing was stamped. "
                    "Run what is recorded again (make scoreboard)."
                )
    kinds = set(zip(again["protocol"], again["settings"], strict=True))
    of_kind = [kind in kinds for kind in zip(rows["protocol"], rows["settings"], strict=True)]
    stamped = pd.Series(of_kind, rows.index) & (rows["neuron"] == current["neuron"])
    for column in ("code_sha256", "neuron"):
        rows.loc[stamped, column] = current[column]
    _write(table, rows)
    return int(stamped.sum())


def draw_sample(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Draw rows to run again, `n` of each protocol and settings, the same for the same seed."""
    return rows.sample(frac=1, random_state=seed).groupby(["protocol", "settings"]).head(n)


def _same(new, kept, rounding: float) -> bool:
    if isinstance(new, str) or isinstance(kept, str):
        return new == kept
    if pd.isna(new) or pd.isna(kept):
        return pd.isna(new) and pd.isna(kept)
    return abs(float(new) - float(kept)) <= rounding * max(1.0, abs(float(kept)))


def refuse_invented(model: str) -> None:
    """Raise a `SourceError` where the source's package of a model is the synthetic sample's."""
    if fetch_record(f"model/{model}").invented:
        raise SourceError(
            "The store keeps rows of the portal's packages only, and these are the synthetic "
            "sample's: name a source that has the portal's (NMC_SOURCE)."
        )


def mark_stale(rows: pd.DataFrame, current: Mapping[str, object]) -> pd.DataFrame:
    """Add ``stale`` and ``stale_because``: which of `current` (column → today's value) differ."""
    words = {"package_sha256": "package", "code_sha256": "code", "neuron": "NEURON"}
    marked = rows.copy()
    reasons = pd.Series("", index=rows.index, dtype="str")
    for column, value in current.items():
        differs = rows[column].ne(value)
        reasons = reasons.where(~differs, reasons + f"{words.get(column, column)} ")
    marked["stale_because"] = reasons.str.strip().str.replace(" ", ", ")
    marked["stale"] = marked["stale_because"] != ""
    return marked


def mark_rows(rows: pd.DataFrame, current: Mapping[str, object]) -> pd.DataFrame:
    """Mark stale rows as `mark_stale` does, and whether the ``package`` at hand is the row's."""
    kept = rows["package_sha256"]
    found = rows["model"].map({model: hash_at_hand(model) for model in rows["model"].unique()})
    marked = mark_stale(rows, {**current, "package_sha256": found.fillna(kept)})
    word = (found == kept).map({True: SAME, False: OTHER}).astype("str")
    return marked.assign(package=word.mask(found.isna(), UNCHECKED))


def hash_at_hand(model: str) -> str | None:
    """Hash of a model's package; None where none, or only an invented one, is at hand."""
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


def settings_text(settings: Mapping) -> str:
    """Write a run's settings in the one form that rows are compared by."""
    return json.dumps(dict(settings), sort_keys=True)


# What was recomputed on the portal's own files, to stand beside what any source gives: one row a
# class of `nmc.checks`, how many numbers, how many agree, each with whether it does.


class Verdict(NamedTuple):
    """What was recorded of one printed number, or of a class of them."""

    values: tuple[float, ...]  #: what was recomputed; of a class how many numbers agree
    checks: int  #: how many numbers were compared
    agree: int  #: how many of them agree
    date: str  #: when, as an ISO date
    stale: str  #: why it does not count any more; empty where it stands

    @property
    def text(self) -> str:
        """The verdict in words: *agrees*, *differs*, or *stale* with its reason."""
        if self.stale:
            return f"stale: {self.stale}"
        return f"{'agrees' if self.agree == self.checks else 'differs'}, {self.date}"


def load_verdicts() -> pd.DataFrame:
    """Read the recorded classes of checks, with why a row is ``stale``; empty where it stands."""
    rows = read_kept("verdicts")
    return rows.assign(stale=[_stale(row) for row in rows.to_dict("records")])


def _stale(row: dict) -> str:
    if row["version"] != __version__:
        return f"made by version {row['version']}"
    try:
        code = code_hash(*json.loads(row["modules"]), alone=json.loads(row["alone"]))
    except UnknownNameError:  # one of its modules has another name by now
        code = ""
    if row["code_sha256"] != code:
        return "made by other code"
    made_of = json.loads(row["files"])
    if _digest(row["files"]) != row["package_sha256"]:
        return "the list of its files is damaged"
    at_hand = files_of([one for one in registry.records() if not one.invented])
    for key in made_of:
        if key.startswith("recomputed/"):  # they travel with the package, read or not
            at_hand[key] = sha256_of(table_file(key.removeprefix("recomputed/")))
    other = [key for key, sha256 in at_hand.items() if made_of.get(key, sha256) != sha256]
    return f"made from other files ({other[0]})" if other else ""


def files_of(records: list[registry.Record]) -> dict[str, str]:
    """Key → sha256 of files; of a package the digest of its content, the same for both releases."""
    return {
        one.key: hash_archive(one.path, one.sha256) if one.key.startswith("model/") else one.sha256
        for one in records
    }


def keep_verdicts(rows: pd.DataFrame) -> None:
    """Merge classes into the table; a class replaces the recorded one of its name."""
    made = rows.assign(date=provenance.now()[:10], version=__version__)
    both = zip(rows["modules"], rows["alone"], strict=True)
    made["code_sha256"] = [code_hash(*modules, alone=alone) for modules, alone in both]
    for column in ("items", "reasons", "modules", "alone", "files"):
        made[column] = [json.dumps(value, sort_keys=True) for value in rows[column]]
    made["package_sha256"] = made["files"].map(_digest)
    keep_rows("verdicts", made[["class", *_MORE["verdicts"], *MAKINGS]])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def recorded(key: str) -> Verdict | None:
    """Return what was recorded of a claim or class of checks, or None; a stale one says why."""
    try:
        rows = read_kept("verdicts")
    except FormatError as error:
        return Verdict((), 0, 0, "", f"the recorded verdicts cannot be read ({error})")
    for row in rows.to_dict("records"):
        if row["class"] == key:
            counts = (int(row["checks"]), int(row["agree"]))
            return Verdict((counts[1],), *counts, row["date"], _stale(row))
        if parts := _items(row["items"]).get(key):
            values, agree = zip(*parts, strict=True)
            return Verdict(values, len(parts), sum(agree), row["date"], _stale(row))
    return None


def recorded_items(name: str) -> pd.DataFrame:
    """Return ``value`` and ``verdict`` of each number that was recorded of a class of checks."""
    rows = load_verdicts()
    found = [
        (item, value, "stale" if row["stale"] else "agrees" if agrees else "differs")
        for row in rows[rows["class"] == name].to_dict("records")
        for item, (value, agrees) in json.loads(row["items"]).items()
    ]
    return pd.DataFrame(found, columns=["item", "value", "verdict"]).set_index("item")


@cache
def _items(text: str) -> dict[str, list[tuple[float, bool]]]:
    """Claim → its numbers in their order; an item is a claim's key, or one with ``[number]``."""
    found: dict[str, list[tuple[int, float, bool]]] = {}
    for item, (value, agrees) in json.loads(text).items():
        name, _, place = item.partition("[")
        number = float("nan") if value is None else value
        found.setdefault(name, []).append((int(place[:-1] or 0), number, agrees))
    return {name: [(v, ok) for _, v, ok in sorted(parts)] for name, parts in found.items()}
