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
        If a picture came out of a cell that gives no caption or alt text, or a solution's own
        check finds it wrong; names each cell.
    """
    wrong = [
        f"{page.chapter.name}: code cell {number} shows a picture without {part}."
        for page in pages
        for number, part in undescribed(page.notebook)
    ]
    wrong += [
        f"{page.chapter.name}: the solution in code cell {number} does not pass its own check: "
        f"{said}"
        for page in pages
        for number, said in refused(page.notebook)
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


def refused(notebook: NotebookNode) -> list[tuple[int, str]]:
    """Return code-cell numbers, from 1, and what `nmc.check` said where it refused an answer."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [
        (number, said.removeprefix("**Not yet:** "))
        for number, cell in enumerate(cells, 1)
        for output in cell.outputs
        if (said := str(output.get("data", {}).get("text/markdown", ""))).startswith("**Not yet:**")
    ]


def _pictures(cell: NotebookNode) -> bool:
    return any(
        kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {})
    )
