"""Which files each chapter reads: the list by which ``nmc export --for`` packs a class's data."""

from __future__ import annotations

import pandas as pd
from nmc.cli.files import READ_BY_CHAPTERS
from nmc.data.registry import items, match

from tools.bookbuild.execute import Page
from tools.bookbuild.project import Project


def list_reads(project: Project, pages: list[Page]) -> int:
    """Write the list again if it lacks a file that these runs read; return how many it lacked."""
    path = project.root / "helpers/nmc/cli" / READ_BY_CHAPTERS
    if not path.is_file():  # a book of somebody else's
        return 0
    before = set(pd.read_csv(path).itertuples(index=False, name=None))
    read: dict[tuple[str, str], set[str]] = {}
    for name, entry in ((page.chapter.name, one) for page in pages for one in page.run.data):
        if entry.get("key") in items():
            kind = "sample" if entry["invented"] else "real"
            read.setdefault((name, kind), set()).add(entry["key"])
    packed: dict[str, set[str]] = {}
    for name, key, _ in before:
        packed.setdefault(name, set()).update(item.key for item in match([key]))
    lacking = sum(len(keys - packed.get(name, set())) for (name, _), keys in read.items())
    if lacking:
        now = {(name, key, kind) for (name, kind), keys in read.items() for key in folded(keys)}
        kept = {row for row in before if (row[0], row[2]) not in read and row[0] in project.pages}
        rows = sorted(now | kept, key=lambda row: (project.pages.index(row[0]), row))
        pd.DataFrame(rows, columns=["chapter", "key", "data"]).to_csv(path, index=False)
    return lacking


def folded(keys: set[str]) -> set[str]:
    """Name a family of keys by its beginning where all of it was read."""
    families: dict[str, set[str]] = {}
    for key in items():
        families.setdefault(key.rpartition("/")[0], set()).add(key)
    whole = {name: one for name, one in families.items() if len(one) > 1 and one <= keys}
    return (keys - set().union(*whole.values())) | set(whole)
