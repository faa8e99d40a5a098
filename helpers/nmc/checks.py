"""Single numbers that somebody printed, each beside what the files of the source give.

``nmc checks`` tells one line a class of `nmc.check_classes`; what was found on the portal's own
files is recorded (`nmc.recomputed`) and stands beside it on any source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd

from nmc import recomputed
from nmc.cells.mechanisms import build_tag
from nmc.check_classes import CLASSES, COLUMNS, Class, Source, as_rows
from nmc.data import registry
from nmc.errors import (
    DownloadError,
    MissingFileError,
    MissingLibraryError,
    SourceError,
    UnknownNameError,
)
from nmc.published import INVENTED, MIXED, compare_many, verdict


def check_numbers(classes: Iterable[str] | None = None, *, slow: bool = False) -> pd.DataFrame:
    """Compare the printed numbers of each class with what the source's files give.

    Parameters
    ----------
    classes : iterable of str, optional
        Names of `nmc.check_classes.CLASSES`; all unless given.
    slow : bool
        Also run the classes that simulate for minutes; else only their recorded verdict is told.

    Returns
    -------
    pandas.DataFrame
        One row a class, index ``class``: ``title``, ``tolerance``, ``because``, ``known``,
        ``computed``, ``checks``, ``agree``, ``reasons`` (reason → how many differ for it),
        ``note`` (*invented data*, or why nothing was compared), and of what was recorded on the
        portal's files ``recorded_checks``, ``recorded_agree``, ``recorded`` (its date, or
        *stale* with the reason). ``.attrs["rows"]`` has every number: ``class``, ``item``,
        ``published``, ``recomputed``, ``allowed``, ``agrees``, ``reason``, ``count``.

    Raises
    ------
    UnknownNameError
        There is no such class.
    FormatError
        A file of the source, or a table of recorded rows, cannot be read.
    """
    known = {one.name: one for one in CLASSES}
    chosen = list(known) if classes is None else list(classes)
    for name in chosen or [""]:
        if name not in known:
            raise UnknownNameError.of("class of checks", name, known)
    source, lines, every = Source(), [], []
    for name in chosen:
        one = known[name]
        rows, note, files = _run(one, source, slow)
        every.append(rows.assign(**{"class": name}))
        lines.append(_line(one, rows, note) | {"files": files})
    table = pd.DataFrame(lines).set_index("class")
    table.attrs["rows"] = pd.concat(every, ignore_index=True)[["class", *COLUMNS]]
    return table


def compare_classes(classes: Iterable[str]) -> pd.DataFrame:
    """Count, class by class, how many printed numbers agree: rows for a chapter and the last page.

    Parameters
    ----------
    classes : iterable of str
        As for `check_numbers`.

    Returns
    -------
    pandas.DataFrame
        One row a class, as `nmc.published.compare_many` gives them; where this source has nothing
        to compare, the verdict says so, and ``recorded`` what the portal's files gave.
    """
    known = {one.name: one for one in CLASSES}
    rows = []
    for name, line in check_numbers(classes).iterrows():
        told = "; ".join(f"{n} {reason}" for reason, n in line["reasons"].items())
        row = compare_many(
            str(name), claim=line["title"], agreeing=line["agree"], of=line["checks"],
            tolerance=line["tolerance"], citation=known[str(name)].citation, unit="numbers",
            where="fact sheets and packages", reason=told if line["checks"] else line["note"],
            invented=line["note"] == INVENTED,
        )  # fmt: skip
        rows.append(row)
    return pd.concat(rows)


def _run(one: Class, source: Source, slow: bool) -> tuple[pd.DataFrame, str, dict]:
    """Rows of a class, a note, and the files behind it; nothing where the source lacks them."""
    if one.slow and not slow:
        return as_rows([], [], [], []), "not run: simulations of minutes (--slow)", {}
    try:
        with registry.collect() as seen:
            rows = one.rows(source)
    except (MissingFileError, DownloadError, SourceError, MissingLibraryError) as error:
        told = str(error).partition(" Name another")[0]
        return as_rows([], [], [], []), f"nothing on this source: {told}", {}
    said = verdict(True, *(entry.invented for entry in seen))
    if said == MIXED:
        return as_rows([], [], [], []), f"nothing on this source: {MIXED}", {}
    if said == INVENTED:
        return rows, INVENTED, {}
    return rows, "" if len(rows) else "nothing on this source", recomputed.files_of(seen)


def _line(one: Class, rows: pd.DataFrame, note: str) -> dict:
    reasons: Counter[str] = Counter()
    for row in rows[~rows["agrees"]].itertuples():
        reasons[row.reason or "not explained"] += row.count
    told = recomputed.recorded(one.name)
    return {
        "class": one.name, "title": one.title, "tolerance": one.tolerance, "because": one.because,
        "known": one.known, "computed": one.computed, "checks": int(rows["count"].sum()),
        "agree": int(rows.loc[rows["agrees"], "count"].sum()), "reasons": dict(reasons),
        "note": note, "recorded_checks": told.checks if told else 0,
        "recorded_agree": told.agree if told else 0, "recorded": told.text if told else "",
    }  # fmt: skip


def tell(table: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each class of a table of `check_numbers`, and three for the whole."""
    for name, row in table.iterrows():
        told = [f"{row['agree']:,} of {row['checks']:,} agree"] if row["checks"] else []
        why = sorted(row["reasons"].items(), key=lambda pair: -pair[1])
        told += ["differ: " + "; ".join(f"{n:,} {reason}" for reason, n in why)] if why else []
        told += [row["note"]] if row["note"] else []
        if row["recorded"]:
            both = f"{row['recorded_agree']:,} of {row['recorded_checks']:,}"
            told.append(f"recorded on the portal's files: {both} ({row['recorded']})")
        yield f"{name}: {row['title']}, {row['tolerance']}: " + "; ".join(told)
    for words, part in (
        ("numbers computed", table[table["computed"]]),
        ("of these, where the definition is known", table[table["computed"] & table["known"]]),
        ("numbers of one file against another's", table[~table["computed"]]),
    ):
        checks, agree = part["checks"].sum(), part["agree"].sum()
        share = f", {agree / checks:.1%}" if checks else ""
        yield f"{words}: {agree:,} of {checks:,} agree{share}"


def keep(table: pd.DataFrame) -> int:
    """Record the classes of a table from real files; return how many, a SourceError for none."""
    rows, found = table.attrs["rows"], []
    for name, line in table[table["files"].map(bool) & (table["checks"] > 0)].iterrows():
        single = rows[(rows["class"] == name) & (rows["count"] == 1)]
        values = single["recomputed"].astype(object).where(single["recomputed"].notna(), None)
        items = dict(zip(single["item"], zip(values, single["agrees"], strict=True), strict=True))
        behind = next(one.behind for one in CLASSES if one.name == name)
        found.append({
            "class": name, "checks": line["checks"], "agree": line["agree"], "items": items,
            "reasons": line["reasons"], "modules": behind, "alone": [as_rows.__module__],
            "files": line["files"], "neuron": build_tag()["neuron"],
        })  # fmt: skip
    if not found:
        raise SourceError(
            "Verdicts are recorded of the portal's files only, and none of these is: name a "
            "source that has them, e.g. make scoreboard SOURCE=portal."
        )
    recomputed.keep_verdicts(pd.DataFrame(found))
    return len(found)
