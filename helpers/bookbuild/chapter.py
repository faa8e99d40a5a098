"""A chapter: its MyST source, its notebook, and what of it decides the outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

#: Tags that change what a cell does when it runs; all others are only about its looks.
RUNNING_TAGS = ("raises-exception", "skip-execution")


@dataclass(frozen=True)
class Chapter:
    """One page of the book, read from its Markdown file."""

    name: str
    path: Path
    text: str

    @classmethod
    def read(cls, name: str, path: Path) -> Chapter:
        """Read a page; `name` is its path from the book's folder, without suffix."""
        return cls(name, path, path.read_text("utf-8"))

    @property
    def runs(self) -> bool:
        """Whether the page holds code cells."""
        return "```{code-cell}" in self.text

    def notebook(self) -> NotebookNode:
        """Return the page as a notebook without outputs; the same text gives the same bytes."""
        notebook = jupytext.reads(self.text, fmt="md:myst")
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"
        notebook.metadata.setdefault(
            "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
        )
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        return notebook

    def code(self) -> list[NotebookNode]:
        """Return the code cells, in order."""
        return [cell for cell in self.notebook().cells if cell.cell_type == "code"]

    def code_hash(self) -> str:
        """Hash what runs; prose, captions and looks are not part of it."""
        cells = [
            (cell.source, [tag for tag in cell.metadata.get("tags", []) if tag in RUNNING_TAGS])
            for cell in self.code()
        ]
        return sha256(json.dumps(cells).encode()).hexdigest()

    def with_outputs(self, executed: NotebookNode) -> NotebookNode:
        """Return this page's notebook with the outputs of an earlier run of the same code."""
        notebook = self.notebook()
        mine = [cell for cell in notebook.cells if cell.cell_type == "code"]
        ran = [cell for cell in executed.cells if cell.cell_type == "code"]
        for cell, done in zip(mine, ran, strict=True):
            cell.outputs = done.outputs
            cell.execution_count = done.execution_count
        notebook.metadata["language_info"] = executed.metadata.get("language_info", {})
        return notebook


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook where the folder may not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
