"""The trees a file may come from, in the order the reader named them.

A tree is laid out as the portal's was.  Every kind answers the same three questions: is the
file there, is it there without any work, and (verified) where is it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from nmc.data import settings
from nmc.data.catalogue import Item
from nmc.data.provenance import Record
from nmc.errors import SourceError

KINDS = ("sample", "portal", "extracts")


class Miss(Exception):
    """A tree does not have a file; says where was looked and why it is not there.

    Attributes
    ----------
    tried : tuple of (str, str)
        Each address and the reason.
    clean : bool
        True when the tree certainly lacks the file; False when it could not be asked.
    """

    def __init__(self, *tried: tuple[str, str], clean: bool = True):
        super().__init__("; ".join(f"{where}: {why}" for where, why in tried))
        self.tried = tried
        self.clean = clean


class Tree(Protocol):
    """One tree of the source."""

    name: str

    def has(self, item: Item) -> bool:
        """Whether the tree has the file; nothing is downloaded or written."""

    def may_have(self, item: Item) -> bool:
        """Whether `has` may say yes; answered without writing anything."""

    def holds(self, item: Item) -> bool:
        """Whether the file is at hand: no network is asked, and it is not verified yet."""

    def local(self, item: Item) -> Record | None:
        """The verified file if it is at hand already, else None."""

    def get(self, item: Item, *, progress: bool, accept_terms: bool | None) -> Record:
        """The verified file; raises `Miss` when the tree does not have it."""


def trees(source: str | os.PathLike | list | tuple | None = None) -> tuple[Tree, ...]:
    """Return the trees of a source, in order.

    Parameters
    ----------
    source : str, path or sequence, optional
        As for ``NMC_SOURCE``: ``sample``, ``portal``, ``extracts``, a folder, an ``http(s)``
        address, or several of them in order.

    Raises
    ------
    SourceError
        When a name is none of these, or a folder does not exist.
    """
    return tuple(_tree(name) for name in settings.source_names(source))


def _tree(name: str) -> Tree:
    from nmc.data.folder import FolderTree

    if name == "sample":
        from nmc.data.sampled import SampleTree

        return SampleTree()
    if name == "portal" or name.startswith(("http://", "https://")):
        from nmc.data.web import WebTree

        return WebTree.portal() if name == "portal" else WebTree.at(name)
    if name == "extracts":
        from nmc.data.extracts import ExtractsTree

        return ExtractsTree()
    folder = Path(name.removeprefix("file://")).expanduser().absolute()
    if not folder.is_dir():
        raise SourceError(
            f"The source {name!r} is neither {', '.join(KINDS)}, an http(s) address, nor a folder "
            f"that exists: set NMC_SOURCE to one of these, or to several separated by commas."
        )
    return FolderTree(folder)
