"""The sample as a tree: an archive of invented files in the package, unpacked once into the cache.

Nothing is generated on a reader's machine.  The sha256 of every file ships with the package, so
a file of the sample is known wherever it lies.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from nmc import names
from nmc.data import check, files, folder, settings
from nmc.data.cached import CachedTree
from nmc.data.catalogue import Item
from nmc.data.catalogue import item as catalogue_item
from nmc.data.provenance import Record
from nmc.data.sources import Miss
from nmc.errors import CacheError, ChecksumError

_GROUPS = ("models/all", "models/group/")


class SampleTree:
    """The sample, unpacked when one of its files is first asked for."""

    name = "sample"

    def has(self, item: Item) -> bool:
        """Whether the sample holds the file, or packages of a group of models."""
        return self.holds(item) or bool(_members_of(item))

    may_have = has

    def holds(self, item: Item) -> bool:
        """Whether the file is in the sample's archive as it stands."""
        return item.path in listed()

    def local(self, item: Item) -> Record | None:
        """Return the file if the sample was unpacked already and holds it."""
        return self.get(item) if self.folder().is_dir() and self.holds(item) else None

    def get(
        self, item: Item, *, progress: bool = False, accept_terms: bool | None = None
    ) -> Record:
        """Return the verified file, unpacking the sample first where need be."""
        if not self.has(item):
            raise Miss(("sample", _lacks(item)))
        tree = self._tree()
        if item.path not in listed():
            return _pack_group(item, tree)
        if not (tree.folder / item.path).is_file():
            with files.writing(item.path):
                _restore(tree.folder, item.path)
        return tree.get(item)

    def folder(self) -> Path:
        """Return where this version of the sample lies, unpacked or not."""
        return settings.cache_folder() / "sample" / fingerprint()

    def _tree(self) -> _Unpacked:
        root = self.folder()
        if not root.is_dir():
            with files.writing("The sample"):
                _unpack(root)
        return _Unpacked(root, "sample")


class _Unpacked(CachedTree):
    """The unpacked sample: its files are compared with the list that the package ships."""

    @property
    def marker(self) -> folder.Marker:
        """What the sample is, whatever marker lies there."""
        return folder.Marker("sample", True)

    def expected(self, path: Path) -> tuple[str | None, str]:
        """Return the sha256 a file of the sample has."""
        name = path.relative_to(self.folder).as_posix()
        if name in listed():
            return listed()[name][1], "tree"
        return None, "format"


@cache
def listed() -> dict[str, tuple[int, str]]:
    """Return every file of the sample: path in a tree → size in bytes and sha256."""
    return {row["path"]: (int(row["size_bytes"]), row["sha256"]) for row in _rows("files.csv")}


@cache
def packages() -> dict[str, str]:
    """Return every model the sample has a package of: name → sha256 of its content."""
    return {row["model"]: row["content_sha256"] for row in _rows("packages.csv")}


@cache
def fingerprint() -> str:
    """Return a hash of the sample's content."""
    return hashlib.sha256(_data("files.csv").read_bytes()).hexdigest()[:16]


def _data(name: str):
    return resources.files("nmc.data") / "sample" / name


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_data(name).read_text("utf-8"))))


def _lacks(item: Item) -> str:
    if item.key.startswith("model"):
        return f"it has the packages of {', '.join(packages())} only"
    return "no such file"


# Unpacking -------------------------------------------------------------------------------------


def _contents() -> Iterator[tuple[str, bytes]]:
    """Read the archive from beginning to end, comparing each file with the list.

    Raises
    ------
    ChecksumError
        When the installed archive is damaged.
    """
    seen = set()
    try:
        with (
            _data("sample.tar.xz").open("rb") as packed,
            tarfile.open(fileobj=packed, mode="r|xz") as tar,
        ):
            for member in tar:
                content = tar.extractfile(member).read()
                if hashlib.sha256(content).hexdigest() != listed()[member.name][1]:
                    raise ChecksumError(f"{member.name} is not the file that is listed")
                seen.add(member.name)
                yield member.name, content
        if seen != set(listed()):
            raise ChecksumError("it ends too early")
    except (tarfile.TarError, lzma.LZMAError, EOFError, KeyError, ChecksumError) as exc:
        raise ChecksumError(
            f"The package's own archive of the sample is damaged ({exc}): install nmc again."
        ) from exc


def _unpack(root: Path) -> None:
    """Unpack beside the place and move there in one step; another process may be first."""
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        for name, content in _contents():
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        lines = (f"{digest}  {name}\n" for name, (_, digest) in listed().items())
        (temporary / folder.SUMS).write_text("".join(lines), encoding="utf-8")
        temporary.chmod(0o755)
        try:
            temporary.rename(root)
        except OSError:
            if not root.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _restore(root: Path, path: str) -> None:
    """Unpack a single file that was deleted from the unpacked sample."""
    content = next((content for name, content in _contents() if name == path), None)
    if content is None:
        raise CacheError(f"The sample has no {path}.")
    files.write_whole(root / path, content)


# Groups of models ------------------------------------------------------------------------------


def _members_of(item: Item) -> list[str]:
    """Return the sample's models of a group of models; none for any other item."""
    if not item.key.startswith(_GROUPS):
        return []
    group = item.key.removeprefix("models/group/")
    models = [names.parse_model(name) for name in packages()]
    return [
        m.name for m in models if item.key == "models/all" or group in (m.layer, m.mtype, m.metype)
    ]


def _pack_group(item: Item, tree: _Unpacked) -> Record:
    """Write the archive of a group: a tar of the packages at hand, as the portal packed them."""
    target = tree.folder / item.path
    with files.writing(item.key), files.whole(target) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for model in _members_of(item):
                path = SampleTree().get(catalogue_item(f"model/{model}")).path
                info = tarfile.TarInfo(f"{target.stem}/{model}.zip")
                info.size = path.stat().st_size
                with path.open("rb") as content:
                    tar.addfile(info, content)
    files.forget_sha256(target)
    verdict = check.verify(item, target, trust="tree", synthetic=lambda: True)
    return Record(item.key, tree.name, verdict.sha256, verdict.size_bytes, True, "", "tree", target)
