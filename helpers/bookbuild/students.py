"""Student notebooks: the same chapter, with an empty cell where each solution stands."""

from __future__ import annotations

import ast
import re

import nbformat
from nbformat import NotebookNode

#: What a student finds in a solution's place.
_ROOM = "# Your answer"
#: A solution's first and last line, as the chapters write them (colons or backticks).
START = re.compile(r"^(?:`{3,}|:{3,})\{solution-start\}\s*(?P<label>\S+)", re.MULTILINE)
END = re.compile(r"^(?P<fence>`{3,}|:{3,})\{solution-end\}\s*\n(?P=fence)[ \t]*$", re.MULTILINE)
_EXERCISE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{exercise-(?:start|end)\}[^\n]*\n(?::[^\n]*\n)*(?P=fence)[ \t]*\n?",
    re.MULTILINE,
)


def without_solutions(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with each solution replaced by an empty cell to work in.

    Where the solution checks its answer, the empty cell does too.
    """
    kept, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            if inside:
                room = next(one for one in reversed(kept) if one.source.startswith(_ROOM))
                room.source += _check_in(cell.source)
            elif "remove-cell" not in cell.metadata.get("tags", []):
                kept.append(cell)
            continue
        text, inside = _outside(cell.source, inside)
        for number, piece in enumerate(text):
            if number:
                kept.append(nbformat.v4.new_code_cell(_ROOM, id=f"{cell.id}-{number}"))
            piece = _EXERCISE.sub("", piece).strip()
            if piece:
                kept.append(nbformat.v4.new_markdown_cell(piece, id=f"{cell.id}-text-{number}"))
    result = nbformat.v4.new_notebook(metadata=notebook.metadata, cells=kept)
    result.nbformat_minor = 5
    return result


def _check_in(code: str) -> str:
    """Return the lines that check a student's answer as the solution checks its own."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "nmc.check":
            label, *given = [ast.unparse(one) for one in [node.args[0], *node.keywords]]
            return f"\nanswer = ...\n\nnmc.check({', '.join([label, 'answer', *given])})"
    return ""


def _outside(text: str, inside: bool) -> tuple[list[str], bool]:
    """Split Markdown at its solutions; each gap between two pieces was one solution's start."""
    pieces, piece = [], ""
    while text:
        if inside:
            end = END.search(text)
            if end is None:
                break
            text, inside = text[end.end() :], False
        else:
            start = START.search(text)
            piece += text[: start.start()] if start else text
            if start is None:
                break
            pieces.append(piece)
            piece, text, inside = "", text[start.end() :], True
    return [*pieces, piece], inside
