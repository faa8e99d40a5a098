"""Whether the data files a chapter read are what they were, asked along the chapter's own road."""

from __future__ import annotations

from pathlib import Path

from bookbuild.identity import file_hash


class DataState:
    """Today's sha256 of every file that stored runs have read; each is asked for once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._known: dict[tuple, str | None] = {}

    def __call__(self, entry: dict) -> str | None:
        """Return the sha256 a logged file has now, or None when it cannot be had."""
        place = (entry.get("key"), entry.get("path"))
        if place not in self._known:
            self._known[place] = self._digest(entry)
        return self._known[place]

    def _digest(self, entry: dict) -> str | None:
        import nmc

        try:
            if entry.get("key"):
                path = nmc.fetch(entry["key"], source=self.source, progress=False)
            else:
                path = Path(entry["path"])
            return file_hash(Path(path))
        except (nmc.errors.NMCError, OSError):
            return None
