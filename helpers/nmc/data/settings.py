"""The settings a reader may make: which trees, which cache, whether the network may be used.

All are environment variables, read when they are needed and never written.
"""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_SOURCE = "sample"


def source_names(source: str | os.PathLike | list | tuple | None = None) -> tuple[str, ...]:
    """Return the ordered names of the trees to read from.

    Parameters
    ----------
    source : str, path, or sequence of them, optional
        Comma-separated text or a sequence; None reads ``NMC_SOURCE`` (default ``sample``).
    """
    if source is None:
        source = os.environ.get("NMC_SOURCE", "") or DEFAULT_SOURCE
    if isinstance(source, list | tuple):
        parts = [os.fspath(part) for part in source]
    else:
        parts = os.fspath(source).split(",")
    return tuple(part.strip() for part in parts if part.strip()) or (DEFAULT_SOURCE,)


def cache_folder() -> Path:
    """Return the cache folder (``NMC_CACHE``, else the platform's cache folder for ``nmc``)."""
    own = os.environ.get("NMC_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("nmc"))


def offline() -> bool:
    """Whether the network is switched off (``NMC_OFFLINE=1``)."""
    return _flag("NMC_OFFLINE")


def terms_accepted_by_setting() -> bool:
    """Whether ``NMC_ACCEPT_TERMS=1`` accepts the data terms."""
    return _flag("NMC_ACCEPT_TERMS")


def fetch_log() -> Path | None:
    """Return the file that gets a JSON line for every fetched file (``NMC_FETCH_LOG``)."""
    own = os.environ.get("NMC_FETCH_LOG")
    return Path(own) if own else None


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}
