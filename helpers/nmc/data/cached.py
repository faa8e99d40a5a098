"""A tree in the cache: its files came from elsewhere, and their first hashes are recorded."""

from __future__ import annotations

from pathlib import Path

from nmc.data import check, files, terms
from nmc.data.folder import FolderTree
from nmc.errors import ChecksumError


class CachedTree(FolderTree):
    """What was fetched from, or written for, one tree: a folder of the cache."""

    def expected(self, path: Path) -> tuple[str | None, str]:
        """Return the sha256 that was recorded at first use, where the tree lists none."""
        listed, trust = super().expected(path)
        if listed is not None:
            return listed, trust
        first = files.read_json(first_use_file(self.folder, path))
        return (first["sha256"], "first use") if first else (None, "first use")

    def record_first_use(self, path: Path, verdict: check.Verdict, address: str) -> None:
        """Record the hash of a file of which none is known; the first process to do so wins.

        Parameters
        ----------
        path : pathlib.Path
            Where the file belongs in the tree.
        verdict : nmc.data.check.Verdict
            What it was found to be.
        address : str
            Where it came from.

        Raises
        ------
        ChecksumError
            When another hash was recorded before.
        """
        place = first_use_file(self.folder, path)
        entry = {
            "sha256": verdict.sha256, "size_bytes": verdict.size_bytes, "address": address,
            "date": terms.now(),
        }  # fmt: skip
        if files.write_json_once(place, entry):
            return
        first = files.read_json(place) or {}
        if first.get("sha256") != verdict.sha256:
            raise ChecksumError(
                f"{address} has another {path.name} than at first use: sha256 {verdict.sha256}, "
                f"at first {first.get('sha256')} ({first.get('date')}, {first.get('address')}). "
                "To trust it instead, remove the first with 'nmc verify --repair'."
            )


def first_use_file(folder: Path, path: Path) -> Path:
    """Return where the first hash of a file of a web tree is recorded."""
    relative = path.relative_to(folder).as_posix()
    return folder.with_name(f"{folder.name}.first-use") / f"{relative}.json"
