"""The prose of a page, line by line, without code, directives, options, tables and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bookbuild.chapter import Chapter

_FENCE = re.compile(r"^\s*(`{3,}|:{3,}|\$\$)")
_OPTION = re.compile(r"^\s*:[\w-]+:")
_LABEL = re.compile(r"^\([\w-]+\)=\s*$")
_NOT_PROSE = ("#", "|", "<", "%", "[^")
#: Directives whose body is not prose.
_CLOSED = ("figure", "bibliography", "toctree", "math", "raw", "mermaid", "list-table", "glossary")

_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MATH = re.compile(r"\$[^$]+\$")
_ROLE = re.compile(r"\{[\w:-]+\}`[^`]*`")


def blocks(chapter: Chapter) -> Iterator[list[str]]:
    """Yield the prose of a page as blocks of successive lines (paragraphs and list items)."""
    for cell in chapter.notebook().cells:
        if cell.cell_type == "markdown":
            yield from _of_text(cell.source)


def _of_text(text: str) -> Iterator[list[str]]:
    block: list[str] = []
    closed = ""
    for line in [*text.splitlines(), ""]:
        fence = _FENCE.match(line)
        if closed:
            if fence and line.strip() == closed:
                closed = ""
            continue
        stops = not line.strip() or fence or _OPTION.match(line) or _LABEL.match(line)
        if stops or line.lstrip().startswith(_NOT_PROSE):
            if block:
                yield block
            block = []
            if fence and _is_closed(line):
                closed = fence.group(1)
            continue
        if block and re.match(r"^\s*([-*]|\d+\.)\s", line):
            yield block
            block = []
        block.append(line.strip())


def _is_closed(line: str) -> bool:
    name = re.search(r"\{([\w-]+)\}", line)
    if name:
        return name.group(1) in _CLOSED
    mark = line.strip()
    return mark.startswith(("```", "$$")) and not (mark.startswith("$$") and len(mark) > 2)


def plain(line: str) -> str:
    """Return a line's words: no code, roles, maths or link targets."""
    line = _ROLE.sub("X", line)
    line = _LINK.sub(r"\1", line)
    return _MATH.sub("X", _CODE.sub("X", line))
