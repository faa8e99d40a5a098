"""The narrow waist: a key goes in, the path of a verified file comes out."""

from __future__ import annotations

import os
from pathlib import Path

from nmc import names
from nmc.data import provenance, settings, sources, terms
from nmc.data.catalogue import Item, item
from nmc.data.provenance import Record
from nmc.errors import DownloadError, MissingFileError, OfflineError

_Source = str | os.PathLike | list | tuple | None


def fetch(
    key: str,
    *,
    source: _Source = None,
    progress: bool = True,
    accept_terms: bool | None = None,
) -> Path:
    """Return the path of a verified file, getting it first where need be.

    Parameters
    ----------
    key : str
        A key of `nmc.catalogue`, e.g. ``sheet/layers`` or ``model/L5_TTPC1_cADpyr232_1``.
    source : str, path or sequence, optional
        The trees to take it from, in order: ``sample``, ``portal``, ``extracts``, a folder, an
        address.  Default: ``NMC_SOURCE``, else ``sample``.
    progress : bool
        Show a progress bar, on stderr, for what takes time.
    accept_terms : bool, optional
        True accepts the data terms, which ``portal`` and ``extracts`` need once per cache
        (``nmc terms`` shows them).

    Returns
    -------
    pathlib.Path
        A file to read, never to write.

    Raises
    ------
    UnknownNameError
        When there is no such key.
    MissingFileError
        When no tree of the source has the file; names each address tried.
    DownloadError
        When a tree could not be asked; names each address and why.
    ChecksumError
        When the file a tree has is altered or truncated.
    TermsError
        When the terms have not been accepted.
    """
    return fetch_record(key, source=source, progress=progress, accept_terms=accept_terms).path


def fetch_record(
    key: str,
    *,
    source: _Source = None,
    progress: bool = True,
    accept_terms: bool | None = None,
) -> Record:
    """As `fetch`, and return the whole record: path, origin, sha256, size, release."""
    wanted = item(key)
    missed: list[sources.Miss] = []
    for tree in sources.trees(source):
        try:
            found = tree.get(wanted, progress=progress, accept_terms=accept_terms)
        except sources.Miss as miss:
            missed.append(miss)
            continue
        provenance.record(found)
        if found.confirmed and not found.invented:
            terms.tell(found.origin, wanted.cite)
        return found
    raise _missing(wanted, missed)


def available(key: str, source: _Source = None) -> bool:
    """Whether some tree of the source has the file; nothing is downloaded.

    Parameters
    ----------
    key : str
        A key of `nmc.catalogue`.
    source : str, path or sequence, optional
        As for `fetch`.

    Returns
    -------
    bool
        Servers are asked whether they have it; offline, only what was fetched before counts.

    Raises
    ------
    UnknownNameError
        When there is no such key.
    SourceError
        When a name of the source is none that is known.
    """
    wanted = item(key)
    return any(tree.has(wanted) for tree in sources.trees(source))


def available_models(source: _Source = None) -> tuple[str, ...]:
    """Return the models whose packages the source can give; nothing is downloaded or asked.

    Parameters
    ----------
    source : str, path or sequence, optional
        As for `fetch`.

    Returns
    -------
    tuple of str
        In the order of `nmc.model_names`: what lies in the sample or in a folder, or was
        fetched before from an address; with the portal among the trees, and not offline, all.

    Raises
    ------
    SourceError
        When a name of the source is none that is known.

    Examples
    --------
    >>> "L5_TTPC1_cADpyr232_1" in available_models("sample")
    True
    """
    every = names.model_names()
    found: set[str] = set()
    for tree in sources.trees(source):
        if tree.name == "portal" and not settings.offline():
            return every
        found.update(name for name in every if tree.holds(item(f"model/{name}")))
    return tuple(name for name in every if name in found)


def local(key: str, source: _Source = None) -> Path | None:
    """Return the verified file if it is at hand already, else None.

    Nothing is downloaded or unpacked: the file lies in a folder of the source, was fetched
    before, or (for the sample) was unpacked before.

    Parameters
    ----------
    key : str
        A key of `nmc.catalogue`.
    source : str, path or sequence, optional
        As for `fetch`.
    """
    wanted = item(key)
    for tree in sources.trees(source):
        found = tree.local(wanted)
        if found is not None:
            provenance.record(found)
            return found.path
        if tree.may_have(wanted):
            return None  # this tree would serve it: a later one must not stand in for it
    return None


def at_hand(key: str, source: _Source = None) -> Record | None:
    """Return the first record of a file that lies ready in some tree of the source, else None.

    No address is asked, and what is only looked at is not noted as used.
    """
    wanted = item(key)
    found = (tree.local(wanted) for tree in sources.trees(source))
    return next((record for record in found if record is not None), None)


def _missing(wanted: Item, missed: list[sources.Miss]) -> Exception:
    tried = [pair for miss in missed for pair in miss.tried]
    lines = "".join(f"\n  {where}: {why}" for where, why in tried)
    if all(miss.clean for miss in missed):
        return MissingFileError(
            f"No tree of the source has {wanted.key!r} ({wanted.title}). Name another tree in "
            f"NMC_SOURCE, or see what there is with 'nmc list'. Tried:{lines}"
        )
    if settings.offline():
        return OfflineError(
            f"{wanted.key!r} ({wanted.title}) is not in the cache, and the network is switched "
            f"off. Unset NMC_OFFLINE, or bring the file with 'nmc import'. Looked for:{lines}"
        )
    return DownloadError(
        f"{wanted.key!r} ({wanted.title}) could not be downloaded. Check the network, or name a "
        f"copy of the tree (a folder or an address) in NMC_SOURCE. Tried:{lines}"
    )
