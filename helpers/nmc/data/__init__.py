"""Getting the files: a catalogue, the sources, and `fetch`, which gives a verified path."""

from __future__ import annotations

from importlib import import_module

_PUBLIC = {
    "available": "nmc.data.fetch",
    "local": "nmc.data.fetch",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'nmc.data' has no attribute {name!r}")
