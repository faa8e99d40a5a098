"""What an execution depends on: source of the data, code, pinned versions, Python."""

from __future__ import annotations

import platform
from functools import cache
from hashlib import sha256
from pathlib import Path

from bookbuild.chapter import Chapter
from bookbuild.project import Project

_SKIPPED = {"__pycache__", ".ipynb_checkpoints"}


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes; hashed again only when the file has changed."""
    status = path.stat()
    return _hash(path, status.st_size, status.st_mtime_ns)


@cache
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def tree_hash(folder: Path) -> str:
    """Hash names and contents of all files below a folder, but for what Python generates."""
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or any(
            part in _SKIPPED or part.endswith(".egg-info") for part in inside.parts
        ):
            continue
        digest.update(f"{inside.as_posix()}\0{file_hash(path)}\n".encode())
    return digest.hexdigest()


def source_identity(source: str) -> str:
    """Return the source with folders written out in full, so that a name means one tree."""
    trees = []
    for tree in source.split(","):
        path = Path(tree.strip()).expanduser()
        trees.append(str(path.resolve()) if path.is_dir() else tree.strip())
    return ",".join(trees)


def environment_hash(project: Project, source: str) -> str:
    """Hash everything but the chapter that decides what its cells put out."""
    lock = file_hash(project.lock) if project.lock.is_file() else "no lock"
    parts = (
        source_identity(source),
        tree_hash(project.helpers),
        lock,
        platform.python_implementation() + platform.python_version(),
    )
    return sha256("\n".join(parts).encode()).hexdigest()


def chapter_key(chapter: Chapter, environment: str) -> str:
    """Return the name under which an execution of the chapter is kept."""
    return sha256(f"{environment}\n{chapter.name}\n{chapter.code_hash()}".encode()).hexdigest()[:32]
