"""The explorer of the fact sheets beside the pages that link to it."""

from __future__ import annotations

import os
import subprocess
import sys

from bookbuild.errors import BookError
from bookbuild.project import Project


def add_explorer(project: Project, source: str) -> None:
    """Write the explorer into the built site, if any page of the book links to it.

    In a process of its own, as chapters run: the source is one of the environment.

    Raises
    ------
    BookError
        If it cannot be built; the message holds its last lines.
    """
    texts = (document.text for document in project.documents.values())
    if not any("/explorer/" in text for text in texts):
        return
    done = subprocess.run(
        [sys.executable, "-m", "nmc.factsheets.explorer", str(project.html / "explorer")],
        env={**os.environ, "NMC_SOURCE": source, "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BookError(f"The explorer could not be built:\n{done.stderr[-2000:]}")
