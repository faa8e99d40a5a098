"""Counts of three-neuron motifs that neuromotifs ships: of instance mc2 and of null models."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from nmc.data.extracts.installed import folder_of, version_of

PACKAGE = "neuromotifs"
KEYS = ("connectome/motif_counts",)
_SHA256 = "1403a3971ad95424c3c2c0d38a55aed3b280e6d9ba7e8e043a38465692b0c4b1"


def version() -> str:
    """Return the installed version, or an empty text."""
    return version_of(PACKAGE) if place() else ""


def place() -> Path | None:
    """Return the file that the package ships, or None."""
    root = folder_of("neuromotifs")
    path = root / "data" / "nmc" / "motifs.csv.gz" if root else None
    return path if path and path.is_file() else None


def refusal(key: str) -> str:
    """Say why the counts are not offered; an empty text when they are."""
    same = hashlib.sha256(place().read_bytes()).hexdigest() == _SHA256
    return "" if same else f"{PACKAGE} {version()} changed {place().name}"


def write(key: str, target: Path) -> None:
    """Copy the file."""
    shutil.copyfile(place(), target)
