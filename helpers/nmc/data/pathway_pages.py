"""The pathway pages in one archive: the portal kept each of them as a file of its own.

Copies of the tree hold the archive; from the portal it is put together, page by page, from the
list of pathways behind the portal's menu.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nmc import layout, names
from nmc.data.catalogue import Item
from nmc.data.provenance import Record
from nmc.data.rows import PORTAL_CITE, PORTAL_TERMS
from nmc.data.sources import Miss
from nmc.errors import FormatError

KEY = "page/pathways"
LIST_KEY = "tree/pathways_list"
_AT_ONCE = 8


def page_items(listed: Path) -> list[Item]:
    """Return an item for each page that the list of pathways names.

    Pages of L1_SLAC and L1_DLAC are empty on the portal; the filled ones bear the names of its
    pages, L1_SAC and L1_LAC.

    Raises
    ------
    FormatError
        When the list is no list of ``pre:post``.
    """
    pathways = json.loads(listed.read_bytes())
    if not isinstance(pathways, list) or not all(isinstance(p, str) for p in pathways):
        raise FormatError(f"{listed}: it is no list of pathways 'pre:post'.")
    return [_item(*names.parse_pathway(pathway)) for pathway in pathways]


def assemble(
    items: Iterable[Item], get: Callable[[Item], Record], target: Path, *, progress: bool
) -> int:
    """Fetch pages, several at once, and write those that exist into a gzipped tar.

    Parameters
    ----------
    items : iterable of Item
        The pages.
    get : callable
        Fetches one page; raises `Miss` when it cannot.
    target : pathlib.Path
        The archive to write; the same pages give the same bytes.
    progress : bool
        Show a progress bar, on stderr.

    Returns
    -------
    int
        How many pages the archive holds.

    Raises
    ------
    Miss
        When a page could not be asked for, or no page exists.
    """
    from tqdm import tqdm

    items = list(items)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            results = pool.map(lambda item: _try(get, item), items)
            shown = tqdm(results, "Pathway pages", len(items), leave=False, disable=not progress)
            found = [record for record in shown if record is not None]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if not found:
        raise Miss((f"{layout.FACTS}/pathway/", "no pathway page is there"))
    _pack(sorted(record.path for record in found), target)
    return len(found)


def _try(get: Callable[[Item], Record], item: Item) -> Record | None:
    try:
        return get(item)
    except Miss as miss:
        if miss.clean:  # the menu lists pathways that have no page
            return None
        raise


def _item(pre: str, post: str) -> Item:
    name = f"{names.portal_mtype(pre)}-{names.portal_mtype(post)}"
    return Item(
        key=f"page/pathway/{name}", path=f"{layout.FACTS}/pathway/{name}.html",
        title=f"Pathway fact sheet of {pre} to {post}", format="html",
        reader="nmc.load_pathways", licence=PORTAL_TERMS, cite=PORTAL_CITE,
    )  # fmt: skip


def _pack(pages: list[Path], target: Path) -> None:
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for page in pages:
            content = page.read_bytes()
            info = tarfile.TarInfo(f"pathway/{page.name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
