"""Whether a package is installed, which version, and where its files lie, without importing it."""

from __future__ import annotations

from importlib import metadata, util
from pathlib import Path


def version_of(distribution: str) -> str:
    """Return an installed distribution's version, or an empty text."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def folder_of(module: str) -> Path | None:
    """Return the folder of a top-level package, or None when it is not installed."""
    spec = util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None
