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
from collections.abc import Mapping
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
    """Where a table is kept.

    Raises
    ------
    UnknownNameError
        There is no such table.
    """
    if table not in TABLES:
        raise UnknownNameError.of("table of recomputed values", table, TABLES)
    return Path(str(files(__package__) / f"{table}.parquet"))


def load_kept(table: str) -> pd.DataFrame:
    """Read a table of recomputed values, and note in the provenance that it was read.

    Parameters
    ----------
    table : {"models", "pathways", "integration", "verdicts"}
        Which one.

    Returns
    -------
    pandas.DataFrame
        One row a run: the columns of `TABLES`, `MAKINGS`, ``error`` and what was measured;
        empty where nothing has been kept yet.

    Raises
    ------
    UnknownNameError
        There is no such table.
    FormatError
        The file is damaged.
    """
    path = table_file(table)
    if not path.is_file():
        return pd.DataFrame(columns=[*TABLES[table], *MAKINGS, "error"])
    rows = read_table(path)
    _note(table, path)
    return rows


def keep_rows(table: str, rows: pd.DataFrame, *, path: Path | None = None) -> Path:
    """Merge rows into a table and write it in one piece.

    Parameters
    ----------
    table : {"models", "pathways", "integration", "verdicts"}
        Which one.
    rows : pandas.DataFrame
        New rows, with the columns of `TABLES` and `MAKINGS`; a row replaces the kept one of
        the same run.
    path : pathlib.Path, optional
        Another file than the package's own.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    FormatError
        A row does not say which run it is, or from what it was made.
    """
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

    Parameters
    ----------
    table : {"models", "pathways", "integration"}
        Which one.
    again : pandas.DataFrame
        Kept runs that were run again by today's code: the columns of `TABLES` and numbers.
    current : mapping
        Today's value of ``code_sha256`` and ``neuron``; rows of this NEURON are stamped, of
        the protocols and settings in `again`.
    rounding : float
        What two runs may differ by, relative (absolute below 1).
    path : pathlib.Path, optional
        Another file than the package's own.

    Returns
    -------
    int
        How many rows were stamped.

    Raises
    ------
    SimulationError
        A run gave another number, by more than `rounding`, or failed; nothing was stamped.
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
    """Say of every row whether what it was made from still stands.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `load_kept` gives them.
    current : mapping
        Column of `MAKINGS` → today's value, or one a row (a Series with the index of `rows`);
        what is not given is not compared.

    Returns
    -------
    pandas.DataFrame
        A copy with ``stale`` (bool) and ``stale_because`` (the columns that differ, in words).
    """
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
    """Mark stale rows as `mark_stale` does, their packages compared too.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `load_kept` gives them, with a column ``model``.
    current : mapping
        As for `mark_stale`.

    Returns
    -------
    pandas.DataFrame
        A copy with ``stale``, ``stale_because`` and ``package``: *unchanged* where the package at
        hand is the one the row was made from, *another* (then the row is stale), or *not at
        hand*, where none but an invented one is and so nothing was compared.
    """
    kept = rows["package_sha256"]
    found = rows["model"].map({model: hash_at_hand(model) for model in rows["model"].unique()})
    marked = mark_stale(rows, {**current, "package_sha256": found.fillna(kept)})
    word = (found == kept).map({True: SAME, False: OTHER}).astype("str")
    return marked.assign(package=word.mask(found.isna(), UNCHECKED))


def hash_at_hand(model: str) -> str | None:
    """Hash of a model's package as `Package.content_sha256` has it; None where none is at hand.

    An invented package is no later state of the portal's, so it counts as none.
    """
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


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of this folder; FormatError where it is damaged."""
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} is not a table of recomputed values. ({error})") from error


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
