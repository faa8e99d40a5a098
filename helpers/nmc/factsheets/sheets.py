"""What all sheets share: from JSON and from HTML to facts, and from facts to checked numbers.

A page of the portal is a list of ``<dt>`` labels and ``<dd>`` values under ``<h6>`` headings.  A
value is a text with a unit, or a table of bars (one named number a row).
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, wraps
from importlib import resources
from math import inf
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from lxml import etree, html

from nmc import names
from nmc.data import registry, remember_path
from nmc.errors import FormatError, MissingFileError, NMCError, UnknownNameError
from nmc.numbers import as_count, as_printed, shown

#: The sheets keep layers 2 and 3 apart in some of their lists.
SUBLAYERS = ("L1", "L2", "L3", "L23", "L4", "L5", "L6")
LAYER = pd.CategoricalDtype(names.LAYERS, ordered=True)
SUBLAYER = pd.CategoricalDtype(SUBLAYERS, ordered=True)
MTYPE = pd.CategoricalDtype(names.MTYPES, ordered=True)
ETYPE = pd.CategoricalDtype(names.ETYPES, ordered=True)
METYPE = pd.CategoricalDtype(names.METYPES, ordered=True)
#: Types of the columns that name a layer or a type.
TYPES = {"metype": METYPE, "mtype": MTYPE, "etype": ETYPE, "layer": LAYER}

_KEPT = 256  # results of a reader that are remembered
_Result = TypeVar("_Result")


class Field(NamedTuple):
    """A fact's column, unit (None: any), bounds; a `count` is whole, a `missing` one optional.

    It is one number, or a list of numbers by `names` of that kind (layer, mtype, etype, metype).
    """

    column: str
    unit: str | None = None
    low: float = -inf
    high: float = inf
    count: bool = False  # type: ignore[assignment]  # of a tuple's own method
    missing: bool = False
    names: str = ""


@cache
def _rows() -> list[dict[str, str]]:
    with resources.files(__package__).joinpath("fields.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def fields(sheet: str) -> dict[str, Field]:
    """Return the facts of one kind of sheet by their label, as ``fields.csv`` lists them."""
    return {
        row["label"]: Field(
            row["column"],
            None if row["unit"] == "any" else row["unit"],
            float(row["low"] or -inf),
            float(row["high"] or inf),
            row["count"] == "yes",
            row["missing"] == "yes",
            row["names"],
        )
        for row in _rows()
        if row["sheet"] == sheet
    }


class Fact(NamedTuple):
    """One entry of a sheet as it is printed; `name` is that of its row in a list, or None."""

    section: str
    label: str
    name: str | None
    text: Any
    unit: str | None


class Value(NamedTuple):
    """One number of a sheet, read and checked; `name` is that of its row in a list, or None."""

    section: str
    label: str
    column: str
    name: str | None
    value: float
    printed: str
    approximate: bool


def once(parse: Callable[..., _Result]) -> Callable[..., _Result]:
    """Read files again only when their content has changed; for parsers of immutable results.

    `parse` takes the paths, then what stands in them, of which only digests are kept.
    """
    kept: dict[tuple, _Result] = {}

    @wraps(parse)
    def read(*paths: Path) -> _Result:
        contents = [read_bytes(path) for path in paths]
        key = (*paths, *(hashlib.sha256(content).digest() for content in contents))
        result = kept.get(key)
        if result is None:
            result = kept[key] = parse(*paths, *contents)
            for old in list(kept)[:-_KEPT]:
                kept.pop(old, None)
        return result

    return read


def read_bytes(path: str | os.PathLike) -> bytes:
    """Return the content of a file; MissingFileError when it cannot be read."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MissingFileError(f"{path} cannot be read ({reason}).") from error
    digest = hashlib.sha256(content).hexdigest()
    if Path(path).suffix == ".json" or digest in registry.sample_sha256():
        remember_path(Path(path), digest, Path(path).name)  # a fetched one keeps its own record
    return content


def read_json(path: str | os.PathLike, content: bytes | None = None) -> dict[str, Any]:
    """Read a JSON object; a key that occurs twice is a FormatError, not a silent loss."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise FormatError(f"{path}: the key {shown(twice)} occurs more than once.")
        return found

    content = read_bytes(path) if content is None else content
    try:
        data = json.loads(content.decode("utf-8-sig"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: no JSON ({error}); remove it and fetch it again.") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path}: a JSON object is expected, found {type(data).__name__}.")
    return data


def open_page(path: Path, content: bytes):
    """Parse a page and return its root element; FormatError when the file holds no HTML."""
    try:
        # The pages are UTF-8 and most of them do not say so.
        root = html.document_fromstring(content, parser=html.HTMLParser(encoding="utf-8"))
    except (etree.LxmlError, ValueError) as error:
        raise FormatError(
            f"{path}: no HTML page ({error}); remove it and fetch it again."
        ) from error
    return root


@once
def read_facts(path: Path, content: bytes) -> tuple[Fact, ...]:
    """Return every fact of a page in its order; a page without any gives none."""
    return tuple(facts_of(open_page(path, content)))


def facts_of(root) -> Iterator[Fact]:
    """Yield the facts below an element in document order."""
    section = label = ""
    for node in root.iter("h6", "dt", "dd"):
        if node.tag == "h6":
            section = text_of(node)
        elif node.tag == "dt":
            label = _label(node)
        elif has_class(node, "factsheet-value"):
            # An unclosed <dd> may be followed by more: its text ends before its unit.
            yield Fact(section, label, None, " ".join((node.text or "").split()), _unit(node))
        else:
            for row in node.iter("tr"):
                name, value = row.find_class("smwbar"), row.find_class("smwbarvalue")
                if name and value:
                    yield Fact(section, label, text_of(name[0]), text_of(value[0]), _unit(row))


def text_of(node) -> str:
    """Text of an element with white space made single."""
    return " ".join(node.text_content().split())


def has_class(node, name: str) -> bool:
    """Whether an element carries a CSS class."""
    return name in node.get("class", "").split()


def _label(node) -> str:
    # Without the question mark of a tooltip.
    return " ".join("".join(node.xpath(".//text()[not(parent::sup)]")).split())


def _unit(node) -> str:
    return next((text_of(span) for span in node.find_class("factsheet-unit")), "")


def facts_of_json(data: Mapping[str, Any]) -> Iterator[Fact]:
    """Yield the entries of a JSON object as a page would print them, without units."""
    for label, value in data.items():
        for name, text in value.items() if isinstance(value, dict) else [(None, value)]:
            yield Fact("", label, name, text, None)


def field_of(place: str, fact: Fact, fields: Mapping[str, Field]) -> Field:
    """Return what `fields` say of a fact; FormatError for another unit or form, or no such fact."""
    field = fields.get(fact.label)
    if field is None:
        more = "" if fact.name is None else f", {shown(fact.name)}"
        raise FormatError(f"{place}: unknown fact {shown(fact.label)}{more} = {shown(fact.text)}.")
    if None not in (fact.unit, field.unit) and fact.unit != field.unit:
        raise FormatError(
            f"{place}: {fact.label!r}: the unit {shown(fact.unit)} stands where {field.unit!r} "
            "should."
        )
    if bool(field.names) == (fact.name is None):
        form = f"a list by {field.names}" if field.names else "one number"
        raise FormatError(f"{place}: {fact.label!r} = {shown(fact.text)} should be {form}.")
    return field


def values_of(place: str, facts: Iterable[Fact], fields: Mapping[str, Field]) -> Iterator[Value]:
    """Yield the checked numbers of a sheet's facts in order, each label once, as `fields` say.

    `place` names the file, and what of it; names of lists come in the package's spelling.
    """
    seen: dict[tuple, str] = {}
    for fact in facts:
        field, where, name = field_of(place, fact, fields), f"{place}: {fact.label!r}", fact.name
        if name is not None:
            where += f", {shown(name)}"
            name = spelled(where, _SPELLINGS[field.names], name)
        key = (fact.section, field.column, name)
        if key in seen:
            how = "twice" if seen[key] == fact.label else f"also under {seen[key]!r}"
            raise FormatError(f"{where}: the fact stands {how}.")
        seen[key] = fact.label
        number = as_printed(fact.text, where=where, low=field.low, high=field.high)
        value = as_count(number.value, where=where) if field.count else float(number.value)
        yield Value(
            fact.section, fact.label, field.column, name, value, str(fact.text), number.approximate
        )


def numbers_of(place: str, facts: Iterable[Fact], fields: Mapping[str, Field]) -> dict[str, float]:
    """Return column → number of a sheet without lists."""
    return {value.column: value.value for value in values_of(place, facts, fields)}


def check_facts(place: str, columns: Iterable[str], fields: Mapping[str, Field]) -> None:
    """Refuse a sheet without a number in one of the columns that it must fill."""
    found = set(columns)
    for label, field in fields.items():
        if field.column not in found and not field.missing:
            raise FormatError(f"{place}: the fact {label!r} is missing.")


def as_table(
    place: Callable[[str], str],
    records: Mapping[str, Mapping[str, float]],
    fields: Mapping[str, Field],
) -> pd.DataFrame:
    """Return key → column → number as a table, indexed by its keys; `place` names that of one."""
    for key, record in records.items():
        check_facts(place(key), record, fields)
    columns = dict.fromkeys(field.column for field in fields.values())
    return pd.DataFrame.from_dict(records, orient="index").reindex(columns=list(columns))


def spelled(where: str, canonical: Callable[[str], _Result], name: str) -> _Result:
    """Return a name of a file in the package's spelling; an unknown one is the file's fault."""
    try:
        return canonical(name)
    except NMCError as error:
        raise FormatError(f"{where}: {error}") from error


def _sublayer(name: str) -> str:
    if name not in SUBLAYERS:
        raise UnknownNameError.of("layer", name, SUBLAYERS)
    return name


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "layer": _sublayer, "mtype": names.canonical_mtype, "etype": names.canonical_etype,
    "metype": names.canonical_metype,
}  # fmt: skip


def check_complete(where: str, found: Iterable[str], expected: Sequence[str], kind: str) -> None:
    """Refuse a list that lacks one of the names it must hold, or has one of another list."""
    found = set(found)
    lost = [name for name in expected if name not in found]
    if lost:
        raise FormatError(f"{where} lacks the {kind} {lost[0]!r} ({len(lost)} in all).")
    odd = sorted(found.difference(expected))
    if odd:
        raise FormatError(f"{where} lists {odd[0]!r}, which is no {kind} of it.")


def column_of(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of numbers of a table of ours; else UnknownNameError names the nearest."""
    if name not in table:
        raise UnknownNameError.of("column", name, table.columns)
    if not pd.api.types.is_numeric_dtype(table[name]):
        numeric = table.select_dtypes("number").columns
        raise UnknownNameError(f"The column {name!r} holds no numbers; {', '.join(numeric)} do.")
    return table[name]


def plain(value: Any) -> Any:
    """Return a value as JSON has it: nothing for what is missing, whole numbers without a point."""
    if hasattr(value, "item"):
        value = value.item()
    if value is pd.NA or value != value:
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value
