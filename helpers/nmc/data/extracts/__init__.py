"""Real NMC files that packages on PyPI ship, reshaped into the portal's layout.

``pip install nmc[extracts]`` brings three packages: MEArec with 13 packages of layer 5 models,
netsci with two whole m-types of the connectome instance mc2, neuromotifs with motif counts.
Their data carry the portal's non-commercial terms, whatever the licence of the code around them.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from nmc.data import files, folder, settings, terms
from nmc.data.catalogue import Item, items
from nmc.data.extracts import mearec, motifs, netsci
from nmc.data.provenance import Record
from nmc.data.sources import Miss

#: The packages, in the order in which they are asked; each module says what its package offers.
PROVIDERS = (mearec, netsci, motifs)


class ExtractsTree:
    """The tree assembled from the packages that are installed; made once in the cache."""

    name = "extracts"

    def has(self, item: Item) -> bool:
        """Whether an installed package ships the file, as the portal had it."""
        provider = _provider(item.key)
        return provider is not None and not _refusal(provider, item.key, provider.place())

    holds = may_have = has

    def local(self, item: Item) -> Record | None:
        """Return the verified file if the tree was assembled before and holds it."""
        root = self.folder()
        tree = folder.FolderTree(root, self.name) if root.is_dir() else None
        return self._named(tree.get(item)) if tree and tree.has(item) else None

    def get(self, item: Item, *, progress: bool = True, accept_terms: bool | None = None) -> Record:
        """Return the verified file, assembling the tree first where need be."""
        provider = _provider(item.key)
        if provider is None:
            raise Miss((f"extracts/{item.path}", _why_not(item.key)))
        terms.require(self.name, accept_terms)
        root = self.folder()
        if not root.is_dir():
            with files.writing("The tree of extracts"):
                _assemble(root, progress)
        tree = folder.FolderTree(root, self.name)
        if not tree.has(item):
            raise Miss((f"extracts/{item.path}", _refusal(provider, item.key, provider.place())))
        return self._named(tree.get(item))

    def folder(self) -> Path:
        """Return where the tree lies, assembled or not."""
        return settings.cache_folder() / "extracts" / _fingerprint()

    def _named(self, record: Record) -> Record:
        """Name the package as the origin."""
        provider = _provider(record.key)
        label = f"{provider.PACKAGE} {provider.version()}" if provider else "a package"
        return replace(record, origin=f"{label} (PyPI)")


def _provider(key: str):
    return next((p for p in PROVIDERS if key in p.KEYS and p.version()), None)


@cache
def _refusal(provider, key: str, place: Path) -> str:
    return provider.refusal(key)  # reads and hashes files: asked once a process


def _why_not(key: str) -> str:
    provider = next((p for p in PROVIDERS if key in p.KEYS), None)
    if provider is None:
        return "no package on PyPI is known to ship it"
    return (
        f"the package {provider.PACKAGE} ships it but is not installed: pip install nmc[extracts]"
    )


def _fingerprint() -> str:
    """Return a hash of what the tree depends on: the packages' versions and our own code."""
    digest = hashlib.sha256()
    for provider in PROVIDERS:
        digest.update(f"{provider.PACKAGE} {provider.version()} {provider.place()}\n".encode())
    for path in sorted(Path(__file__).parent.iterdir()):
        if path.suffix in (".py", ".csv"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _assemble(root: Path, progress: bool) -> None:
    from tqdm import tqdm

    wanted = [(p, items()[key]) for p in PROVIDERS if p.version() for key in p.KEYS]
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        for provider, item in tqdm(
            wanted, desc="Assembling extracts", unit=" files", leave=False, disable=not progress
        ):
            if not _refusal(provider, item.key, provider.place()):
                target = temporary / item.path
                target.parent.mkdir(parents=True, exist_ok=True)
                provider.write(item.key, target)
        files.write_json(temporary / folder.MARKER, {"origin": "extracts", "invented": False})
        folder.write_sums(temporary)
        temporary.chmod(0o755)
        try:
            temporary.rename(root)
        except OSError:
            if not root.is_dir():  # else another process assembled it first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
