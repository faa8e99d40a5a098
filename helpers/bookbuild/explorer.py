"""The fact sheet explorer: static pages beside the book, made from the same source."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bookbuild.errors import BookError
from bookbuild.freshness import DataState
from bookbuild.identity import environment_hash
from bookbuild.logs import read_lines
from bookbuild.project import Project


def make_explorer(
    project: Project, source: str, *, say: Callable[[str], None] = print
) -> Path | None:
    """Make the explorer for a source, unless an earlier one still holds.

    Returns
    -------
    Path or None
        Its folder; None when no page of the book links to it.

    Raises
    ------
    BookError
        If a sheet cannot be read.
    """
    if not any("explorer/" in page.text for page in project.documents.values()):
        return None
    place = project.store.parent / "explorer" / environment_hash(project, source)[:32]
    if _holds(place, DataState(source)):
        return place / "pages"
    say("making the fact sheet explorer")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "nmc.factsheets.explorer", str(place / "pages")],
        env={
            **os.environ,
            "NMC_SOURCE": source,
            "NMC_FETCH_LOG": str(place / "fetched.jsonl"),
            "TQDM_DISABLE": "1",
        },
        text=True,
        capture_output=True,
    )
    if done.returncode:
        raise BookError(f"The fact sheet explorer could not be made:\n{done.stderr[-3000:]}")
    (place / "data.json").write_text(json.dumps(read_lines(place / "fetched.jsonl")), "utf-8")
    return place / "pages"


def _holds(place: Path, state: DataState) -> bool:
    try:
        entries = json.loads((place / "data.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return all(entry["sha256"] == state(entry) for entry in entries)
