"""A tree behind an address: the portal's mirrors, or anybody's copy on a web server."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

from nmc.data import check, files, pathway_pages, settings, terms, transfer
from nmc.data.cached import CachedTree
from nmc.data.catalogue import Item, items
from nmc.data.folder import MARKER, SUMS, Marker, parse_marker, parse_sums, sums_of
from nmc.data.mirrors import join, portal_addresses
from nmc.data.provenance import Record
from nmc.data.sources import Miss
from nmc.errors import ChecksumError, NMCError, SourceError

_log = logging.getLogger(__name__)
_DOWN_S = 60.0
#: Sheets and pages are read into memory whole; the largest known has 1.3 MB.
_MOST_BYTES = {"json": 1 << 26, "html": 1 << 26}
_down: dict[str, float] = {}  # hosts that did not answer → when; asked again after a while
_asked: set[Path] = set()  # trees whose marker was asked for by this process
_refused: dict[Path, str] = {}  # of these, the ones whose server would not give it


class WebTree:
    """A tree that is downloaded from, file by file, into the cache.

    Parameters
    ----------
    name : str
        What to call it as an origin.
    base : str
        Its address; empty for the portal, whose mirrors are tried in order.
    policy : nmc.data.transfer.Policy, optional
        How patient to be.
    """

    def __init__(self, name: str, base: str = "", policy: transfer.Policy | None = None):
        self.name = name
        self._base = base
        self._policy = policy or transfer.Policy()
        slug = name
        if base:
            slug = re.sub(r"[^\w.-]+", "_", urlsplit(base).netloc + urlsplit(base).path).strip("_")
            slug = f"{slug[:60]}-{hashlib.sha256(base.encode()).hexdigest()[:8]}"
        self.folder = settings.cache_folder() / "web" / slug

    @classmethod
    def portal(cls) -> WebTree:
        """Return the portal: its public copy first, then the portal itself."""
        return cls("portal")

    @classmethod
    def at(cls, address: str) -> WebTree:
        """Return the tree below an address."""
        return cls(urlsplit(address).netloc, address)

    def addresses(self, item: Item) -> tuple[str, ...]:
        """Return where the file is looked for, in order."""
        if self._base:
            return tuple(join(self._base, path) for path in item.paths)
        return portal_addresses(item.paths) if item.on_portal else ()

    def has(self, item: Item) -> bool:
        """Whether the file was fetched before, or some address says that it serves it."""
        if self._cached().has(item):
            return True
        if settings.offline():
            return False
        if item.key == pathway_pages.KEY and not self._base:
            return self.has(items()[pathway_pages.LIST_KEY])
        return any(self._serves(address) for address in self.addresses(item))

    may_have = has

    def holds(self, item: Item) -> bool:
        """Whether the file was fetched before."""
        return self._cached().has(item)

    def local(self, item: Item) -> Record | None:
        """Return the verified file if it was fetched before."""
        return self._cached().local(item)

    def get(self, item: Item, *, progress: bool = True, accept_terms: bool | None = None) -> Record:
        """Return the verified file, downloading it where it is not in the cache."""
        if not self._base:
            terms.require(self.name, accept_terms)
        cached = self._cached()
        try:
            return cached.get(item)
        except Miss:
            pass
        except ChecksumError:
            if settings.offline():
                raise
        self._refuse_offline(item)
        with files.writing(item.key):
            self._learn()
        if item.key == pathway_pages.KEY and not self._base:
            return self._assemble_pathway_pages(item, progress)
        found = self._download(item, progress)
        if found.trust == "first use" and not found.invented:
            _log.warning(
                "No sha256 of %s is known: this first copy is trusted and recorded (%s).",
                item.key, found.sha256,
            )  # fmt: skip
        return found

    def _assemble_pathway_pages(self, item: Item, progress: bool) -> Record:
        """Put the archive together from single pages, which the cache keeps if it breaks off."""
        listed = self.get(items()[pathway_pages.LIST_KEY]).path
        target = self.folder / item.path
        with files.writing(item.key), files.whole(target) as temporary:
            pages = pathway_pages.page_items(listed)
            pathway_pages.assemble(pages, self._page, temporary, progress=progress)
        return self._cached().get(item)

    def _page(self, item: Item) -> Record:
        cached = self._cached()
        return cached.get(item) if cached.has(item) else self._download(item, progress=False)

    def _cached(self) -> CachedTree:
        return _Fetched(self.folder, self.name)

    def _refuse_offline(self, item: Item) -> None:
        if settings.offline():
            why = "not in the cache, and the network is switched off (NMC_OFFLINE)"
            tried = self.addresses(item) or (f"{self.name}/{item.path}",)
            raise Miss(*((where, why) for where in tried), clean=False)

    def _download(self, item: Item, progress: bool) -> Record:
        tried, clean, wrong = [], True, None
        if not item.on_portal and not self._base:
            raise Miss((f"portal/{item.path}", "not a file of the portal"))
        for address in self.addresses(item):
            try:
                return self._from(address, item, progress)
            except transfer.Absent as exc:
                tried.append((address, str(exc)))
            except (transfer.Failed, ChecksumError) as exc:
                clean = False
                wrong = exc if isinstance(exc, ChecksumError) else wrong
                tried.append((address, str(exc)))
        if wrong is not None:
            lines = "".join(f"\n  {where}: {why}" for where, why in tried)
            raise ChecksumError(f"No address has a sound copy of {item.key!r}. Tried:{lines}")
        raise Miss(*tried, clean=clean)

    def _from(self, address: str, item: Item, progress: bool) -> Record:
        """Download from one address, verify, and move into place."""
        _skip_if_down(address)
        target = self.folder / item.path
        listed = sums_of(self.folder).get(item.path)
        cached = self._cached()
        hashes_known = bool(item.known or listed) and not item.other_releases
        sizes = _sizes(item) if hashes_known and not listed and not self._base else ()
        wanted = transfer.Wanted(sizes, _most_bytes(item), other_hosts=hashes_known)
        with files.writing(item.key), files.whole(target) as temporary:
            try:
                transfer.download(address, temporary, wanted, self._policy, progress=progress)
            except transfer.Unreachable:
                _down[urlsplit(address).netloc] = time.monotonic()
                raise
            listed, trust = cached.expected(target)
            verdict = check.verify(
                item, temporary, listed=listed, trust=trust, shown=address,
                synthetic=lambda: cached.invented,
            )  # fmt: skip
            if verdict.trust == "first use":
                cached.record_first_use(target, verdict, address)
            digest = verdict.sha256
        files.remember_sha256(target, digest)
        return cached.get(item)

    def _serves(self, address: str) -> bool:
        try:
            _skip_if_down(address)
            return transfer.exists(address, self._policy)
        except transfer.Unreachable:
            _down.setdefault(urlsplit(address).netloc, time.monotonic())
        except transfer.Failed:
            pass
        return False

    def _learn(self) -> None:
        """Ask a copy of the tree, once a process, what it says of itself and its hashes."""
        if not self._base or self.folder in _asked:
            return
        files.write_json_once(_origin_file(self.folder), {"address": self._base})
        _refused.pop(self.folder, None)
        for name, parse in ((MARKER, parse_marker), (SUMS, parse_sums)):
            where = join(self._base, name)
            try:
                with files.whole(self.folder / name) as temporary:
                    limit = transfer.Wanted(max_bytes=1 << 26)
                    transfer.download(where, temporary, limit, self._policy)
                    parse(temporary.read_bytes(), where)  # a login page must not replace it
            except transfer.Absent as exc:
                if exc.refused and name == MARKER:
                    _refused[self.folder] = f"{where}: {exc}"
            except (transfer.Failed, NMCError) as exc:
                raise Miss((where, str(exc)), clean=False) from exc
        _asked.add(self.folder)


class _Fetched(CachedTree):
    """What was fetched from one tree."""

    @property
    def marker(self) -> Marker | None:
        """What the tree says of itself; the portal is what it is."""
        if self._name == "portal":
            return Marker("portal", False)
        if self.folder in _refused:
            raise SourceError(
                f"{_refused[self.folder]}, so nobody can tell whether the tree's numbers are real: "
                "ask whoever keeps the server to let it be read."
            )
        return super().marker


def tree_of(folder: Path) -> WebTree | None:
    """Return the web tree whose files lie in a folder of the cache, where that is known."""
    origin = files.read_json(_origin_file(folder))
    if folder.name == "portal":
        return WebTree.portal()
    return WebTree.at(origin["address"]) if origin else None


def _origin_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.origin.json")


def _most_bytes(item: Item) -> int:
    """Return how much a server may send of a file whose size is not known."""
    return _MOST_BYTES.get(item.format, transfer.Wanted.max_bytes)


def _sizes(item: Item) -> tuple[int, ...]:
    return tuple(known.size_bytes for known in item.known)


def _skip_if_down(address: str) -> None:
    since = _down.get(urlsplit(address).netloc)
    if since is not None and time.monotonic() - since < _DOWN_S:
        raise transfer.Unreachable("its host did not answer a moment ago")
    _down.pop(urlsplit(address).netloc, None)
