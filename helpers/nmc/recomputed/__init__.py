"""Recomputed numbers that take hours, kept: one Parquet row a run, with what it was made from.

Each table stands beside this file as ``<table>.parquet``.  It holds what our runs gave and
nothing of the files they ran on; the printed values are joined at reading, from the source in
use.  A row names its makings in hashes (`MAKINGS`), so that a row made by other code, another
NEURON or another package can be told: it is *stale*, and shown as such.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

from nmc.data import at_hand, fetch_record, provenance
from nmc.data.archive import inspect
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


def load_kept(table: str) -> pd.DataFrame:
    """Read a table of recomputed values (`TABLES`), and note in the provenance that it was read."""
    path = table_file(table)
    if not path.is_file():
        return pd.DataFrame(columns=[*TABLES[table], *MAKINGS, "error"])
    rows = read_table(path, [*TABLES[table], *MAKINGS])
    _note(table, path)
    return rows


def keep_rows(table: str, rows: pd.DataFrame, *, path: Path | None = None) -> Path:
    """Merge rows into a table, each in place of that of the same run, and write it in one piece."""
    run = list(TABLES[table]) if table in TABLES else []
    path = path or table_file(table)
    missing = [name for name in (*run, *MAKINGS) if name not in rows]
    if missing or rows[run].isna().any(axis=None):
        raise FormatError(
            f"Rows of {table} need {', '.join(missing or run)}; nothing was recorded."
        )
    both = [read_table(path), rows] if path.is_file() else [rows]
    merged = pd.concat(both, ignore_index=True).drop_duplicates(run, keep="last")
    _write(merged.sort_values(run, ignore_index=True), path)
    return path


def _write(rows: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        rows.to_parquet(partial, index=False, compression="zstd")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def restamp(
    table: str,
    again: pd.DataFrame,
    current: Mapping[str, str],
    *,
    rounding: float = ROUNDING,
    path: Path | None = None,
) -> int:
    """Stamp rows with the code of today, where a sample that was run again gives the same numbers.

    Rows of `current`'s NEURON are stamped, of the protocols and settings in `again`; how many is
    returned.  Two runs may differ by `rounding`, relative (absolute below 1).
    """
    path = path or table_file(table)
    rows, run = read_table(path), list(TABLES[table])
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
    _write(rows, path)
    return int(stamped.sum())


def draw_sample(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Draw rows to run again, `n` of each protocol and settings, the same for the same seed."""
    drawn = [
        group.sample(min(n, len(group)), random_state=seed)
        for _, group in rows.groupby(["protocol", "settings"])
    ]
    return pd.concat(drawn) if drawn else rows


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


def read_table(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Read a table of this folder; FormatError where it is damaged or lacks one of the columns."""
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} is not a table of recomputed values. ({error})") from error
    if lacking := [name for name in columns if name not in rows]:
        raise FormatError(f"{path} is of another version: it lacks {', '.join(lacking)}.")
    return rows


def _note(table: str, path: Path) -> None:
    content = path.read_bytes()
    provenance.remember(
        provenance.Record(
            key=f"recomputed/{table}",
            origin="recorded recomputed values",
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            invented=False,
            release="",
            trust="package",
            path=path,
        )
    )
