"""The API reference, from the docstrings of every public call."""

from __future__ import annotations

import inspect
import re
from types import MappingProxyType

from bookbuild.errors import BookError

_SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
#: Columns of a page; a longer call takes several lines.
_WIDTH = 78
_TABLES = ("Parameters", "Returns", "Raises", "Attributes", "Yields", "Other Parameters")


def api_reference() -> str:
    """Return Markdown for every name that ``import nmc`` offers, by the package's rooms."""
    import nmc

    rooms: dict[str, list[str]] = {}
    for name, module in sorted(nmc._PUBLIC.items()):
        rooms.setdefault(module.split(".")[1], []).append(name)
    out = []
    for room, names in sorted(rooms.items()):
        out.append(f"## `nmc.{room}`\n")
        out += [_entry(name, _public(name)) for name in names]
    return "\n".join(out)


def _public(name: str) -> object:
    import nmc

    try:
        return getattr(nmc, name)
    except (AttributeError, ImportError) as error:
        raise BookError(f"nmc.{name} is promised in nmc/__init__.py, but: {error}") from error


def _entry(name: str, thing: object) -> str:
    try:
        call = _signature(f"nmc.{name}", thing)
    except (TypeError, ValueError):
        call = f"nmc.{name}"
    return (
        f"(api-{name.lower().replace('_', '-')})=\n### {name}\n\n```python\n{call}\n```\n\n"
        f"{_body(inspect.getdoc(thing) or '')}\n"
    )


def _signature(name: str, thing: object) -> str:
    """Return a call as a caller reads it: names and short defaults, no annotations."""
    parts: list[str] = []
    seen_star = False
    for one in inspect.signature(thing).parameters.values():
        if one.name.startswith("_"):
            continue
        if one.kind is one.KEYWORD_ONLY and not seen_star:
            parts.append("*")
        seen_star |= one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        default = "" if one.default is one.empty else f"={_default(one.default)}"
        parts.append(f"{stars}{one.name}{default}")
    call = f"{name}({', '.join(parts)})"
    if len(call) <= _WIDTH:
        return call
    lines = [""]
    for part in parts:
        if len(lines[-1]) + len(part) + 6 > _WIDTH:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{part},"
    return "\n".join([f"{name}(", *(f"    {line}" for line in lines), ")"])


def _default(value: object) -> str:
    """Write a default; of a table of values that no caller would type, only that it is one."""
    text = re.sub(r"<([\w.]+)[^>]*>", r"\1", repr(value))
    if isinstance(value, MappingProxyType | dict) and len(text) > _WIDTH // 2:
        return "{...}"
    return text if len(text) <= _WIDTH // 2 and "\n" not in text else "..."


def _body(doc: str) -> str:
    pieces = _SECTION.split(doc)
    out = [_text(pieces[0])]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title == "Examples":
            out.append(f"**Examples**\n\n```pycon\n{body.strip()}\n```\n")
        elif title in _TABLES:
            out.append(f"**{title}**\n\n{_fields(body)}\n")
        else:
            out.append(f"**{title}**\n\n{_text(body)}\n")
    return "\n".join(out)


def _fields(body: str) -> str:
    """Turn ``name : type`` lines and the indented text below each into a list."""
    items: list[tuple[str, list[str]]] = []
    for line in body.strip("\n").splitlines():
        if line and not line[0].isspace():
            items.append((line.strip(), []))
        elif items:
            items[-1][1].append(line.strip())
    rows = []
    for head, told in items:
        name, _, kind = head.partition(" : ")
        words = _text(" ".join(told).strip()).replace("\n", " ").strip()
        kind = f" *({_escape(kind)})*" if kind else ""
        rows.append(f"- `{name}`{kind}" + (f": {words}" if words else ""))
    return "\n".join(rows)


def _text(text: str) -> str:
    """Turn a docstring's prose into Markdown: literals stay literals, nothing else is markup."""
    parts = re.split(r"(``[^`]+``|`[^`]+`|(?:^[ \t]{4,}.*\n?)+)", text, flags=re.MULTILINE)
    out = []
    for part in parts:
        if part.startswith("`"):
            out.append(f"`{part.strip('`')}`")
        elif re.match(r"[ \t]{4,}\S", part):
            out.append(f"\n```text\n{inspect.cleandoc(part)}\n```\n")
        else:
            out.append(_prose(part.replace("::\n", ":\n")))
    return "".join(out).strip() + "\n"


def _prose(text: str) -> str:
    """Escape all markup but words in asterisks, which stay in italics."""
    pieces = re.split(r"(?<![\w*])\*(\w[^*\n]*)\*(?![\w*])", text)
    return "".join(
        f"*{_escape(piece)}*" if i % 2 else _escape(piece) for i, piece in enumerate(pieces)
    )


def _escape(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>{}$|#])", r"\\\1", text)
