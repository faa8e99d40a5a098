"""The API reference, from the docstrings of every public call."""

from __future__ import annotations

import inspect
import re

from bookbuild.errors import BookError

_SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
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
        call = f"nmc.{name}{_signature(thing)}"
    except (TypeError, ValueError):
        call = f"nmc.{name}"
    return (
        f"(api-{name.lower().replace('_', '-')})=\n### {name}\n\n```python\n{call}\n```\n\n"
        f"{_body(inspect.getdoc(thing) or '')}\n"
    )


def _signature(thing: object) -> str:
    """Return a signature as a caller reads it: names and defaults, no annotations."""
    signature = inspect.signature(thing)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))
    return re.sub(r"<([\w.]+)[^>]*>", r"\1", text)


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
            out.append(_escape(part.replace("::\n", ":\n")))
    return "".join(out).strip() + "\n"


def _escape(text: str) -> str:
    return re.sub(r"([\\*_\[\]<>{}$|#])", r"\\\1", text)
