"""A tree behind an address: the portal's mirrors, or anybody's copy on a web server."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import re
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from nmc import names
from nmc.data import files, provenance, registry
from nmc.data.download import Failed, Policy, download, exists
from nmc.data.files import MARKER, SUMS, Marker, parse_marker, parse_sums
from nmc.data.registry import Item, Record, join
from nmc.data.sources import FolderTree, NotInSource
from nmc.errors import ChecksumError, FormatError, NMCError, SourceError

_log = logging.getLogger(__name__)
#: Sheets and pages are read into memory at once; the largest known has 1.3 MB.
_MOST_BYTES = {"json": 1 << 26, "html": 1 << 26}
_PAGES_AT_ONCE = 8
_PAGES, _PAGES_LIST = "page/pathways", "tree/pathways_list"
_asked: dict[Path, str] = {}  # trees whose marker this process asked for → why it was refused


class WebTree(FolderTree):
    """A tree that is downloaded from, file by file, into the cache: ``portal`` or an address.

    The first hash of each file is recorded in a folder beside the tree's.
    """

    def __init__(self, address: str = "portal", policy: Policy | None = None):
        self._base = "" if address == "portal" else address
        self._policy = policy or Policy()
        name = slug = "portal"
        if self._base:
            shown = files.redact(address)
            name = _host(address, shown)
            slug = re.sub(r"[^\w.-]+", "_", shown.partition("//")[2]).strip("_")[:60]
            slug += f"-{hashlib.sha256(shown.encode()).hexdigest()[:8]}"
        super().__init__(files.cache_folder() / "web" / slug, name)
        self.first_uses = self.folder.with_name(f"{slug}.first-use")

    # What is known of its files -----------------------------------------------------------------

    @property
    def marker(self) -> Marker | None:
        """What the tree says of itself; the portal is what it is."""
        if not self._base:
            return Marker("portal", False)
        if refusal := _asked.get(self.folder):
            raise SourceError(
                f"{refusal}, so nobody can tell whether the tree's numbers are real: "
                "ask whoever keeps the server to let it be read."
            )
        return super().marker

    def expected(self, path: Path) -> tuple[str | None, str]:
        """Return the sha256 that was recorded at first use, where the tree lists none."""
        with suppress(FormatError):  # a list that cannot be read says nothing about its files
            listed, trust = super().expected(path)
            if listed is not None:
                return listed, trust
        return self.first_use(path).get("sha256"), "first use"

    def verify(
        self, item: Item, path: Path, *, place: Path | None = None, shown: str = ""
    ) -> Record:
        """Verify a file; where it lies, only the record of its first use can confirm it."""
        found = super().verify(item, path, place=place, shown=shown)
        if place or found.trust == "catalogue" or self.first_use(path).get("confirmed") is True:
            return found
        return replace(found, confirmed=False)

    def first_use_file(self, path: Path) -> Path:
        """Return where the first hash of a file of the tree is recorded."""
        return self.first_uses / f"{path.relative_to(self.folder).as_posix()}.json"

    def first_use(self, path: Path) -> dict:
        """Return what was recorded of a file at first use; empty where nothing was."""
        return files.read_json(self.first_use_file(path)) or {}

    def record_first_use(self, path: Path, found: Record, address: str) -> None:
        """Record a file's hash; where none is known, the first process to do so wins."""
        place = self.first_use_file(path)
        entry = {
            "sha256": found.sha256, "size_bytes": found.size_bytes, "address": address,
            "date": provenance.now(), "confirmed": found.confirmed,
        }  # fmt: skip
        if found.trust != "first use":
            files.write_json(place, entry)
        elif not files.write_json_once(place, entry):
            first = self.first_use(path)
            if first.get("sha256") != found.sha256:
                raise ChecksumError(
                    f"{address} has another {path.name} than at first use: sha256 {found.sha256}, "
                    f"at first {first.get('sha256')} ({first.get('date')}, "
                    f"{first.get('address')}). To trust it instead, remove the first with "
                    "'nmc verify --repair'."
                )

    def _hash_decides(self, item: Item) -> bool:
        """Whether a hash is known that tells a true copy, wherever it comes from."""
        listed, trust = self.expected(self.folder / item.path)
        if listed and trust == "tree":
            return True
        with suppress(SourceError):  # of a synthetic tree the portal's hashes decide nothing
            if self.marker and self.marker.invented:
                return False
        return bool(item.known or item.content)

    # Getting them -------------------------------------------------------------------------------

    def addresses(self, item: Item) -> tuple[str, ...]:
        """Return where the file is looked for, in order."""
        return tuple(join(self._base, p) for p in item.paths) if self._base else item.addresses

    def find(self, item: Item) -> Path | None:
        """Return the path of the file where it was fetched before."""
        return next((p for p in (self.folder / q for q in item.paths) if p.is_file()), None)

    def serves(self, item: Item) -> bool:
        """Whether the file was fetched before, or a server that is asked has it."""
        if self.find(item) or files.offline():
            return self.find(item) is not None
        if item.key == _PAGES and not self._base:
            return self.serves(registry.item(_PAGES_LIST))
        policy = self._policy._replace(hash_decides=self._hash_decides(item))
        return any(exists(address, policy) for address in self.addresses(item))

    def get(self, item: Item, *, progress: bool = True, accept_terms: bool | None = None) -> Record:
        """Return the verified file, downloading it where it is not in the cache."""
        if not self._base:
            provenance.require_terms(self.name, accept_terms)
        if path := self.find(item):
            try:
                return self.verify(item, path)
            except ChecksumError:
                if files.offline():
                    raise
        if files.offline():
            why = "not in the cache, and the network is switched off (NMC_OFFLINE)"
            where = self.addresses(item) or (f"{self.name}/{item.path}",)
            raise NotInSource(*((files.redact(w), why) for w in where), certain=False)
        with files.writing(item.key):
            self._learn()
            if item.key == _PAGES and not self._base:
                return self._assemble_pages(item, progress)
            found = self._download(item, progress)
        if found.trust == "first use" and not found.invented:
            _log.warning(
                "No sha256 of %s is known: this first copy is trusted and recorded (%s).",
                item.key, found.sha256,
            )  # fmt: skip
        return found

    def _download(self, item: Item, progress: bool) -> Record:
        """Download from the first address that has a sound copy, and move it into place."""
        target, tried, wrong, certain = self.folder / item.path, [], False, True
        most = _MOST_BYTES.get(item.format, self._policy.max_bytes)
        if item.known and not self._base and not item.content:  # a copy may be a synthetic tree
            most = max(known.size_bytes for known in item.known)
        policy = self._policy._replace(max_bytes=most, hash_decides=self._hash_decides(item))
        for address in self.addresses(item):
            shown = files.redact(address)

            def accept(path: Path, shown: str = shown) -> Record:
                found = self.verify(item, path, place=target, shown=shown)
                self.record_first_use(target, found, shown)
                return replace(found, path=target)

            try:
                return download(address, target, policy, accept, progress=progress)
            except ChecksumError as exc:
                wrong = True
                tried.append((shown, str(exc)))
            except Failed as exc:
                certain = certain and exc.status > 0
                tried.append((shown, str(exc)))
        if wrong:
            lines = "".join(f"\n  {where}: {why}" for where, why in tried)
            raise ChecksumError(f"No address has a sound copy of {item.key!r}. Tried:{lines}")
        tried = tried or [(f"portal/{item.path}", "not a file of the portal")]
        raise NotInSource(*tried, certain=certain)

    def _learn(self) -> None:
        """Ask a copy of the tree, once a process, what it says of itself and its hashes."""
        if not self._base or self.folder in _asked:
            return
        origin = self.folder.with_name(f"{self.folder.name}.origin.json")
        files.write_json_once(origin, {"address": files.redact(self._base)})
        refusal, policy = "", self._policy._replace(max_bytes=1 << 26)
        for name, parse in ((MARKER, parse_marker), (SUMS, parse_sums)):
            address = join(self._base, name)
            shown = files.redact(address)

            def accept(path: Path, parse=parse, shown=shown) -> None:
                parse(path.read_bytes(), shown)  # a login page must not replace what is there

            try:
                download(address, self.folder / name, policy, accept)
            except (Failed, NMCError) as exc:
                status = exc.status if isinstance(exc, Failed) else 0
                if not status:
                    raise NotInSource((shown, str(exc)), certain=False) from exc
                if status in (401, 403) and name == MARKER:
                    refusal = f"{shown}: {exc}"
        _asked[self.folder] = refusal

    # The portal kept each pathway page as a file; copies of the tree hold them in one archive.

    def _assemble_pages(self, item: Item, progress: bool) -> Record:
        """Put the archive together from single pages, which the cache keeps if it breaks off."""
        listed = json.loads(self.get(registry.item(_PAGES_LIST)).path.read_bytes())
        pages = [_page(item, *names.parse_pathway(pathway)) for pathway in listed]
        with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
            every = pool.map(self._page_or_none, pages)  # an error ends those that wait
            bar = files.progress_bar(
                "Pathway pages", every, total=len(pages), unit=" pages", shown=progress
            )
            found = sorted(page for page in bar if page is not None)
        if not found:
            raise NotInSource((item.path, "no pathway page is there"))
        target = self.folder / item.path
        with files.atomic_write(target) as temporary:
            _pack_pages(found, temporary)
            record = self.verify(item, temporary, place=target)
            self.record_first_use(target, replace(record, trust="pages"), "its pages")
        return replace(record, path=target)

    def _page_or_none(self, item: Item) -> Path | None:
        try:
            return self.find(item) or self._download(item, progress=False).path
        except NotInSource as missing:
            if missing.certain:  # the menu lists pathways that have no page
                return None
            raise


def _page(every: Item, pre: str, post: str) -> Item:
    """Return the item of a pathway's page; the filled pages have the portal's own type names."""
    name = f"{names.portal_mtype(pre)}-{names.portal_mtype(post)}"
    path = f"{every.path.removesuffix('.tar.gz')}/{name}.html"
    return every._replace(key=f"page/pathway/{name}", path=path, format="html", known=(),
                          on_portal=True)  # fmt: skip


def _pack_pages(pages: list[Path], target: Path) -> None:
    """Write pages into a gzipped tar; the same pages give the same bytes."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for page in pages:
            info, content = tarfile.TarInfo(f"pathway/{page.name}"), page.read_bytes()
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _host(address: str, shown: str) -> str:
    """Return host and port of a tree's address; SourceError where it is none."""
    try:
        parts = urlsplit(address)
        if not parts.hostname:
            raise ValueError("it names no host")
        if parts.query or parts.fragment or re.search(r"\s", address):
            raise ValueError("a tree's address has no space, '?' or '#'")
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except (ValueError, TypeError) as exc:
        raise SourceError(f"{shown!r} is no address of a tree: {exc}.") from exc


def fetched_trees() -> list[WebTree]:
    """Return the trees that files of the cache came from, with their addresses."""
    trees = {}
    named = [name for name in files.source_names() if name.startswith("http")]  # with credentials
    web = files.cache_folder() / "web"
    told = [(files.read_json(path) or {}).get("address") for path in web.glob("*.origin.json")]
    for address in ("portal", *told, *named):
        with suppress(SourceError):
            if address and (tree := WebTree(address)).folder.is_dir():
                trees[tree.folder] = tree
    return [trees[folder] for folder in sorted(trees)]
