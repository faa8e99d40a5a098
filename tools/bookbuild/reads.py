"""Which files each chapter reads: the list by which ``nmc export --for`` packs a class's data."""

from __future__ import annotations

import csv
from pathlib import Path

from nmc.cli.files import READ_BY_CHAPTERS
from nmc.data.registry import items, match

from tools.bookbuild.execute import Page
from tools.bookbuild.project import Project


def list_reads(project: Project, pages: list[Page]) -> int:
    """Write the list again if it lacks a file that these runs read; return how many it lacked."""
    path = project.root / "helpers/nmc/cli" / READ_BY_CHAPTERS
    if not path.is_file():  # a book of somebody else's
        return 0
    with path.open(encoding="utf-8", newline="") as file:
        before = {(row["chapter"], row["key"], row["data"]) for row in csv.DictReader(file)}
    read = _reads(pages)
    packed = {
        name: {item.key for item in match(key for chapter, key, _ in before if chapter == name)}
        for name in {chapter for chapter, *_ in before}
    }
    lacking = sum(len(keys - packed.get(name, set())) for (name, _), keys in read.items())
    if lacking:
        now = {(name, key, kind) for (name, kind), keys in read.items() for key in folded(keys)}
        kept = {row for row in before if (row[0], row[2]) not in read and row[0] in project.pages}
        _write(path, project, now | kept)
    return lacking


def _reads(pages: list[Page]) -> dict[tuple[str, str], set[str]]:
    """Return the keys of the files that each chapter's run fetched, by chapter and kind of data."""
    found: dict[tuple[str, str], set[str]] = {}
    for page in pages:
        for entry in page.run.data:
            if entry.get("key") in items():
                kind = "sample" if entry["invented"] else "real"
                found.setdefault((page.chapter.name, kind), set()).add(entry["key"])
    return found


def folded(keys: set[str]) -> set[str]:
    """Name a family of keys by its beginning where all of it was read."""
    families: dict[str, set[str]] = {}
    for key in items():
        families.setdefault(key.rpartition("/")[0], set()).add(key)
    whole = {name: one for name, one in families.items() if len(one) > 1 and one <= keys}
    return (keys - set().union(*whole.values())) | set(whole)


def _write(path: Path, project: Project, rows: set[tuple[str, ...]]) -> None:
    place = {name: number for number, name in enumerate(project.pages)}
    ordered: list[tuple[str, ...]] = sorted(rows, key=lambda row: (place[row[0]], row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("chapter", "key", "data"))
        writer.writerows(ordered)
