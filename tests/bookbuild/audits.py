"""Audits of a whole book: the same figures and tables each time, and no chapter too large."""

from __future__ import annotations

import json
import os
import re
import tempfile
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from myst_nb.core.utils import coalesce_streams
from nbformat import NotebookNode
from nmc.data.files import cache_folder

from tools.bookbuild.execute import execute_stale
from tools.bookbuild.project import Project, code_cells

#: Chapters run at once, as the Makefile is told.
JOBS = int(os.environ.get("JOBS", "2"))


def run_twice(project: Project, source: str) -> list[str]:
    """Run every chapter twice from nothing; return chapter and cell of what a reader sees differ.

    Each time with an empty data cache; compiled mechanisms alone are shared.
    """
    runs = []
    shared = cache_folder() / "mechanisms"
    shared.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="twice-") as folder:
        for number in (1, 2):
            clean = replace(project, runs_name=str(Path(folder) / f"outputs-{number}"))
            cache = Path(folder) / f"cache-{number}"
            cache.mkdir()
            (cache / "mechanisms").symlink_to(shared, target_is_directory=True)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("NMC_CACHE", str(cache))
                runs.append(execute_stale(clean, source, jobs=JOBS)[1])
    return [
        f"{first.chapter.name}: code cell {number}"
        for first, second in zip(*runs, strict=True)
        for number in differences(first.notebook, second.notebook)
    ]


def large_chapters(project: Project, source: str, *, limit_gb: float) -> list[str]:
    """Return the chapters that, with all they start, held more memory than this when they ran."""
    runs = [page.run for page in execute_stale(project, source, jobs=JOBS)[1]]
    return [f"{run.chapter} held {run.peak_gb:g} GB" for run in runs if run.peak_gb > limit_gb]


def differences(first: NotebookNode, second: NotebookNode) -> list[int]:
    """Return the numbers of the code cells, from 1, whose outputs differ to a reader."""
    pairs = enumerate(zip(code_cells(first), code_cells(second), strict=True), 1)
    return [number for number, (a, b) in pairs if _shown(a) != _shown(b)]


def _shown(cell: NotebookNode) -> str:
    """Return what a reader sees, printed text in one piece, addresses in memory left out."""
    kept = [one for one in deepcopy(cell.outputs) if one.get("name") != "stderr"]
    return re.sub("0x[0-9a-f]{6,}", "0x0", json.dumps(coalesce_streams(kept)))
