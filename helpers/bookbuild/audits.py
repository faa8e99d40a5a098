"""The long audits: two clean builds that must agree, and a limit on memory."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from nbformat import NotebookNode
from nmc.data.files import cache_folder

from bookbuild.book import Page, execute_stale
from bookbuild.errors import BookError, ChapterError
from bookbuild.execute import execute
from bookbuild.project import Project

#: What is never the same twice and no reader's concern: a Python object's address.
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def build_twice(
    project: Project, source: str, *, jobs: int = 2, say: Callable[[str], None] = print
) -> list[Page]:
    """Run every chapter twice from nothing and compare every figure and table.

    Each run has a data cache of its own, so that whatever the package keeps between sessions is
    made again; compiled mechanisms alone are shared, as a compiler's output shows on no page.

    Raises
    ------
    BookError
        If any output differs; the message names chapter and cell.
    """
    runs = []
    with tempfile.TemporaryDirectory(prefix="twice-", dir=_cache(project)) as folder:
        for number in (1, 2):
            say(f"clean run {number} of 2")
            clean = replace(project, store_name=str(Path(folder) / f"run-{number}"))
            cache = _empty_cache(Path(folder) / f"cache-{number}")
            runs.append(execute_stale(clean, source, jobs=jobs, say=say, cache=cache))
    differing = [
        f"{first.chapter.name}: code cell {number}"
        for first, second in zip(*runs, strict=True)
        for number in differences(first.notebook, second.notebook)
    ]
    if differing:
        raise BookError("Two clean runs gave different outputs:\n" + "\n".join(differing))
    return runs[0]


def _empty_cache(folder: Path) -> Path:
    shared = cache_folder() / "mechanisms"
    shared.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True)
    (folder / "mechanisms").symlink_to(shared, target_is_directory=True)
    return folder


def differences(first: NotebookNode, second: NotebookNode) -> list[int]:
    """Return the numbers of the code cells, from 1, whose outputs differ."""
    pairs = zip(_digests(first), _digests(second), strict=True)
    return [number for number, (a, b) in enumerate(pairs, 1) if a != b]


def run_in_memory(
    project: Project, source: str, limit_gb: float, *, say: Callable[[str], None] = print
) -> None:
    """Run every chapter alone; end the one that holds more memory than the limit.

    Raises
    ------
    BookError
        If a chapter fails or needs more.
    """
    failures = []
    for chapter in project.chapters:
        with tempfile.TemporaryDirectory(prefix="memory-", dir=_cache(project)) as scratch:
            try:
                done = execute(chapter, source, Path(scratch), limit_gb=limit_gb)
            except ChapterError as error:
                failures.append(str(error))
                say(f"   failed  {chapter.name}")
            else:
                say(f"  {done.run.peak_gb:4.2f} GB  {chapter.name}")
    if failures:
        raise BookError("\n\n".join(failures))


def _digests(notebook: NotebookNode) -> list[str]:
    return [
        sha256(_ADDRESS.sub("0x0", json.dumps(_shown(cell), sort_keys=True)).encode()).hexdigest()
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _shown(cell: NotebookNode) -> list[dict]:
    """Return what a reader sees of a cell's outputs: data and text, no counters.

    A kernel sends what a loop prints in one piece or in several, as its clock falls: joined here.
    """
    shown: list[dict] = []
    for output in cell.outputs:
        if output.get("name") == "stderr":
            continue
        text = output.get("text")
        if text is not None and shown and shown[-1]["text"] is not None:
            shown[-1]["text"] += text
        else:
            shown.append({"data": output.get("data"), "text": text})
    return shown


def _cache(project: Project) -> Path:
    folder = project.root / ".cache"
    folder.mkdir(exist_ok=True)
    return folder
