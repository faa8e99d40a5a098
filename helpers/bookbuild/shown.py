"""What only an executed chapter tells: pictures nobody described, text nobody wants to see."""

from __future__ import annotations

from nbformat import NotebookNode

from bookbuild.book import Page
from bookbuild.errors import BookError

_HIDDEN = {"remove-cell", "remove-output"}


def check_shown(pages: list[Page]) -> None:
    """Refuse pages whose outputs a reader cannot use.

    Raises
    ------
    BookError
        If a picture came out of a cell that gives no caption or alt text; names each cell.
    """
    wrong = [
        f"{page.chapter.name}: code cell {number} shows a picture without {part}."
        for page in pages
        for number, part in undescribed(page.notebook)
    ]
    if wrong:
        raise BookError("\n".join(wrong))


def undescribed(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return code-cell numbers, from 1, and what their pictures lack."""
    found = []
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        if _HIDDEN & set(cell.metadata.get("tags", [])) or not _pictures(cell):
            continue
        looks = cell.metadata.get("mystnb", {})
        if not looks.get("figure", {}).get("caption"):
            found.append((number, "a caption"))
        if not looks.get("image", {}).get("alt"):
            found.append((number, "an alt text"))
    return found


def _pictures(cell: NotebookNode) -> bool:
    return any(
        kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {})
    )
