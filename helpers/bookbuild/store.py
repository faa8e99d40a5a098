"""The executed chapters: one folder a run, whole or absent."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

import nbformat
from nbformat import NotebookNode

from bookbuild.chapter import write_notebook

#: Runs of one chapter on one source that are kept; going back to old code is then free.
KEPT = 4


@dataclass(frozen=True)
class Run:
    """What is known of one execution of a chapter."""

    chapter: str
    source: str
    seconds: float
    cpu_seconds: float = 0.0
    peak_gb: float = 0.0
    finished: float = 0.0
    python: str = ""
    code: str = ""
    data: list[dict] = field(default_factory=list)


class Store:
    """Executed notebooks by key, with what they read and what they compared."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, key: str) -> Run | None:
        """Return what is known of a stored run, or None."""
        try:
            return Run(**json.loads((self.folder / key / "run.json").read_text("utf-8")))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def notebook(self, key: str) -> NotebookNode:
        """Return the executed notebook of a stored run."""
        return nbformat.read(self.folder / key / "executed.ipynb", as_version=4)

    def results(self, key: str) -> list[dict]:
        """Return the comparisons with published numbers that a run made, in order."""
        rows = []
        for file in sorted((self.folder / key / "results").glob("*.jsonl")):
            rows += [json.loads(line) for line in file.read_text("utf-8").splitlines() if line]
        return rows

    def keep(self, key: str, run: Run, notebook: NotebookNode, results: Path) -> None:
        """Store a run; a reader of the store sees all of it or nothing."""
        folder = self.folder / f".{key}-{uuid4().hex}"
        write_notebook(notebook, folder / "executed.ipynb")
        if results.is_dir():
            shutil.copytree(results, folder / "results")
        told = {**asdict(run), "finished": time.time()}
        (folder / "run.json").write_text(json.dumps(told, indent=1), "utf-8")
        shutil.rmtree(self.folder / key, ignore_errors=True)
        os.replace(folder, self.folder / key)
        self._forget_old(run)

    def still_valid(self, key: str, digest: Callable[[dict], str | None]) -> bool:
        """Whether a run is stored and every file it read is unchanged.

        `digest` returns today's sha256 of a logged file, or None when it cannot be had.
        """
        run = self.run(key)
        return run is not None and all(
            entry["sha256"] == digest(entry) for entry in run.data if entry.get("sha256")
        )

    def newest(self, chapter: str, code: str) -> str | None:
        """Return the key of the last run of the same code, whatever else has changed since."""
        found = []
        for file in self.folder.glob("*/run.json"):
            known = self.run(file.parent.name)
            if known and (known.chapter, known.code) == (chapter, code):
                found.append((known.finished, file.parent.name))
        return max(found)[1] if found else None

    def _forget_old(self, run: Run) -> None:
        same = []
        for file in self.folder.glob("*/run.json"):
            known = self.run(file.parent.name)
            if known and (known.chapter, known.source) == (run.chapter, run.source):
                same.append((known.finished, file.parent))
        for _, folder in sorted(same)[:-KEPT]:
            shutil.rmtree(folder, ignore_errors=True)
