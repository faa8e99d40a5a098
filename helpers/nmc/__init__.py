"""The Neocortical Microcircuit Collaboration data: fetch, read, simulate, analyse.

Everything a chapter calls is importable from here; a call's module is loaded when the call
is first used, so that ``import nmc`` is quick and starts nothing.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import FunctionType

from nmc.errors import explained

__version__ = "0.1.0"

#: Public name → the module that defines it, as the stub beside this file tells type checkers.
_PUBLIC = {
    node.names[0].name: str(node.module)
    for node in ast.parse(Path(__file__).with_name("__init__.pyi").read_text("utf-8")).body
    if isinstance(node, ast.ImportFrom)
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'nmc' has no attribute {name!r}")
    found = getattr(import_module(_PUBLIC[name]), name)
    if isinstance(found, FunctionType):  # a class checks what it is made of itself
        found = explained(found)
        found.__module__, found.__qualname__ = __name__, name  # where another process finds it
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
