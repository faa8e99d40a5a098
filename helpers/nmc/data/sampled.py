"""The synthetic portal as a tree: written once per version of the sample into the cache."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import cache
from importlib import import_module, resources
from pathlib import Path

from nmc.data import check, files, folder, settings
from nmc.data.cached import CachedTree
from nmc.data.catalogue import Item
from nmc.data.provenance import Record
from nmc.errors import SourceError

#: What is written when it is asked for: packages, and archives of them.
_ON_DEMAND = ("model/", "models/")


class SampleTree:
    """The sample: its sheets, pages and connectomes at once, packages when asked for."""

    name = "sample"

    def has(self, item: Item) -> bool:
        """Whether the sample holds the file; packages of all models count, written or not."""
        return item.key.startswith(_ON_DEMAND) or self._tree().has(item)

    def may_have(self, item: Item) -> bool:
        """Whether the sample holds the file, or was not written yet and might."""
        return not self.folder().is_dir() or self.has(item)

    def holds(self, item: Item) -> bool:
        """Whether the sample was written and holds the file, or can write it in a moment."""
        return self.has(item)

    def local(self, item: Item) -> Record | None:
        """Return the file if the sample was written already and holds it."""
        root = self.folder()
        return _Written(root, "sample").local(item) if root.is_dir() else None

    def get(
        self, item: Item, *, progress: bool = False, accept_terms: bool | None = None
    ) -> Record:
        """Return the file, writing the sample first where need be."""
        tree = self._tree()
        if item.key.startswith(_ON_DEMAND) and not tree.has(item):
            with files.writing(item.key):
                _write_package(item, tree)
        return tree.get(item)

    def folder(self) -> Path:
        """Return where this version of the sample lies, written or not."""
        return settings.cache_folder() / "sample" / fingerprint()

    def _tree(self) -> _Written:
        root = self.folder()
        if not root.is_dir():
            with files.writing("The sample"):
                _write(root)
        return _Written(root, "sample")


class _Written(CachedTree):
    """What was written of the sample: invented, whatever marker lies there."""

    @property
    def marker(self) -> folder.Marker:
        """What the sample is, by its making."""
        return folder.Marker("sample", True)


@cache
def fingerprint() -> str:
    """Return a hash of everything the sample's content depends on: its code and its seed."""
    digest = hashlib.sha256(repr(_sample().SEED).encode())
    root = resources.files("nmc")
    own = sorted(p for p in _walk(root.joinpath("sample")) if not p.name.endswith(".pyc"))
    ground = (Path(str(root)) / name for name in ("names.py", "layout.py", "labels.py"))
    for path in (*own, *ground):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _walk(root) -> list[Path]:
    return [path for path in Path(str(root)).rglob("*") if path.is_file()]


def _sample():
    module = import_module("nmc.sample")
    if not hasattr(module, "write_tree"):
        raise SourceError(
            "This version of the package has no sample yet: set NMC_SOURCE to a folder or 'portal'."
        )
    return module


def _write(root: Path) -> None:
    """Write the tree beside its place and move it there whole; another process may win."""
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        _sample().write_tree(temporary)
        marker = files.read_json(temporary / folder.MARKER) or {}
        marker.update(origin="sample", invented=True)
        files.write_json(temporary / folder.MARKER, marker)
        folder.write_sums(temporary)
        temporary.chmod(0o755)
        try:
            temporary.rename(root)
        except OSError:
            if not root.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_package(item: Item, tree: _Written) -> None:
    """Write a package, or an archive of packages, whole or not at all, and record its hash."""
    family, _, name = item.key.partition("/")
    temporary = Path(tempfile.mkdtemp(prefix=".package.", dir=tree.folder.parent))
    try:
        if family == "model":
            written = Path(_sample().write_package(temporary, name))
        else:
            written = temporary / Path(item.path).name  # its stem names the folder inside
            _sample().write_group(written, name.removeprefix("group/"))
        target = tree.folder / item.path
        verdict = check.verify(item, written, trust="first use", synthetic=lambda: True)
        tree.record_first_use(target, verdict, "written by nmc.sample")
        target.parent.mkdir(parents=True, exist_ok=True)
        written.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
