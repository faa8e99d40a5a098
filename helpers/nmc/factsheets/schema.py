"""What a table must hold before anyone sees it; a violation names file, key and value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nmc.errors import FormatError, UnknownNameError


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a key that occurs twice is an error, not a silent loss.

    Raises
    ------
    FormatError
        When the file is no JSON, or not an object, or repeats a key.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ()
        if twice:
            raise FormatError(f"{path}: the key {sorted(twice)[0]!r} occurs more than once.")
        return dict(pairs)

    try:
        data = json.loads(Path(path).read_text("utf-8"), object_pairs_hook=unique)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: no JSON ({error}); remove it and fetch it again.") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path}: a JSON object is expected, found {type(data).__name__}.")
    return data


def number(*, low: float | None = None, high: float | None = None, missing: bool = False):
    """Column of numbers within bounds."""
    import pandera.pandas as pa

    checks = [pa.Check.in_range(low, high)] if None not in (low, high) else []
    if low is not None and high is None:
        checks = [pa.Check.ge(low)]
    return pa.Column(float, checks, nullable=missing, coerce=True)


def count():
    """Column of whole numbers from zero; a fraction is an error, never cut off."""
    import pandera.pandas as pa

    whole = pa.Check(lambda values: values == values.round(), error="a whole number")
    return pa.Column(float, [pa.Check.ge(0), whole], coerce=True, metadata={"whole": True})


def column_of(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of a table of ours.

    Raises
    ------
    UnknownNameError
        When it has none of that name; the message suggests the nearest.
    """
    if name not in table:
        raise UnknownNameError.of("column", name, table.columns)
    return table[name]


def choice(values: Iterable[str]):
    """Column of text out of a list."""
    import pandera.pandas as pa

    return pa.Column(object, pa.Check.isin(list(values)))


def validate(
    frame: pd.DataFrame, columns: Mapping[str, Any], file: Path | Mapping[str, Path]
) -> pd.DataFrame:
    """Return `frame` with its columns checked and coerced.

    Parameters
    ----------
    frame : pandas.DataFrame
        Indexed by the file's own keys, columns under the file's own names, so that an error
        speaks of what stands in the file.
    columns : mapping
        Column name → pandera column; exactly these must be there, and come back in this order.
    file : Path, or mapping of key to Path
        Named in the error; a mapping where each key stands in a file of its own.

    Raises
    ------
    FormatError
        Naming file, key, field and value of the first violation.
    """
    import pandera.pandas as pa

    try:
        checked = pa.DataFrameSchema(dict(columns), strict=True).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        key, words = _first(error.failure_cases, columns)
        place = file.get(key, "these files") if isinstance(file, Mapping) else file
        raise FormatError(f"{place}: {words}.") from error
    whole = [name for name, column in columns.items() if (column.metadata or {}).get("whole")]
    # The file's own order of fields means nothing.
    return checked[list(columns)].astype(dict.fromkeys(whole, "int64"))


def _first(cases: pd.DataFrame, columns: Mapping[str, Any]) -> tuple[Any, str]:
    """Key and description of the violation to speak of."""
    # A coercion failure names key and value; the check on the dtype that follows does not.
    order = cases["index"].isna() & ~cases["check"].str.startswith("column_")
    case = cases.assign(_last=order).sort_values("_last", kind="stable").iloc[0]
    check, field, value = str(case["check"]), case["column"], case["failure_case"]
    if check == "column_in_schema":
        return None, f"unexpected field {value!r}; known are {', '.join(sorted(columns))}"
    if check == "column_in_dataframe":
        return None, f"the field {value!r} is missing everywhere"
    key = case["index"]
    where = f"key {key!r}, field {field!r}"
    if check == "not_nullable":
        return key, f"{where}: the value is missing"
    if check.startswith("coerce_dtype"):
        return key, f"{where}: {value!r} is not a number"
    return key, f"{where}: {value!r} is not allowed ({check})"
