"""Archives unpacked in the cache, each once, by the hash of the archive."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from nmc.data import archive, files, settings
from nmc.data.catalogue import item
from nmc.data.fetch import _Source, fetch_record
from nmc.errors import FormatError, PackageError

_CONTENT, _LIST = "content", "members.json"
#: Archives of archives, which are unpacked as well.
_BOXES = ("models/", "connectome/archive/")
_log = logging.getLogger(__name__)


def fetch_folder(
    key: str,
    *,
    source: _Source = None,
    progress: bool = True,
    accept_terms: bool | None = None,
) -> Path:
    """Fetch an archive and return the folder it unpacks to.

    The folder lies in the cache, is unpacked once, and is checked against the hashes of its
    members whenever it is asked for: read it, copy it, but do not change it.

    Parameters
    ----------
    key, source, progress, accept_terms
        As for `nmc.fetch`.

    Returns
    -------
    pathlib.Path
        For a model, the package's own top folder, which holds ``template.hoc``; else the folder
        that holds what the archive held.  Archives inside an archive of several models or
        connectomes are unpacked too.

    Raises
    ------
    FormatError
        When the key's file is no archive.
    ArchiveError
        When the archive is damaged, or tries to write where it must not.
    PackageError
        When a model's archive has not one top folder.

    See Also
    --------
    nmc.fetch : for the other errors.
    """
    wanted = item(key)
    if wanted.format not in ("zip", "tar"):
        raise FormatError(f"{wanted.key!r} is a single {wanted.format} file: use nmc.fetch.")
    found = fetch_record(key, source=source, progress=progress, accept_terms=accept_terms)
    nested = wanted.key.startswith(_BOXES)
    content = unpacked(found.path, found.sha256, nested=nested, progress=progress)
    return _package_folder(wanted.key, content) if wanted.key.startswith("model/") else content


def unpacked(path: Path, sha256: str, *, nested: bool = False, progress: bool = False) -> Path:
    """Return the folder an archive unpacks to, unpacking it where that was not done or is damaged.

    Parameters
    ----------
    path : pathlib.Path
        A verified archive.
    sha256 : str
        Its hash.
    nested : bool
        Whether archives inside are unpacked, too.
    progress : bool
        Show a progress bar.
    """
    name = f"{sha256[:24]}{'-nested' if nested else ''}"
    root = settings.cache_folder() / "unpacked" / name
    if root.is_dir():
        damaged = damage(root)
        if not damaged:
            return root / _CONTENT
        _log.warning("%s was changed (%s): unpacking it again.", root, damaged)
        _put_aside(root)
    _unpack_to(root, path, nested, progress)
    return root / _CONTENT


def damage(root: Path, *, read_all: bool = False) -> str:
    """Say what is wrong with an unpacked archive; an empty text when nothing is.

    Parameters
    ----------
    root : pathlib.Path
        A folder of the cache's ``unpacked``.
    read_all : bool
        Read every file, not only those whose size or time of change differ.
    """
    members = files.read_json(root / _LIST)
    if members is None:
        return "its list of members is lost"
    for name, entry in members.items():
        path = root / _CONTENT / name
        try:
            status = path.lstat()
        except OSError:
            return f"{name} is missing"
        same = (status.st_size, status.st_mtime_ns) == (entry["size_bytes"], entry["mtime_ns"])
        if same and not read_all:
            continue
        if path.is_symlink() or not path.is_file():
            return f"{name} is no plain file"
        if files.compute_sha256(path) != entry["sha256"]:
            return f"{name} was altered"
    return ""


def _unpack_to(root: Path, path: Path, nested: bool, progress: bool) -> None:
    with files.writing(path.name):
        _unpack_beside(root, path, nested, progress)


def _unpack_beside(root: Path, path: Path, nested: bool, progress: bool) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    try:
        (temporary / _CONTENT).mkdir()
        members = archive.unpack_into(path, temporary / _CONTENT, nested=nested, progress=progress)
        files.write_json(temporary / _LIST, members)
        temporary.chmod(0o755)
        try:
            temporary.rename(root)
        except OSError:
            if not root.is_dir():  # else another process unpacked the same bytes first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_aside(root: Path) -> None:
    aside = Path(tempfile.mkdtemp(prefix=".damaged.", dir=root.parent))
    try:
        root.rename(aside / root.name)
    except FileNotFoundError:  # another process put it aside
        pass
    shutil.rmtree(aside, ignore_errors=True)


def _package_folder(key: str, content: Path) -> Path:
    folders = [path for path in content.iterdir() if path.is_dir()]
    if len(folders) != 1:
        raise PackageError(
            f"The package of {key!r} should hold one folder, it holds {len(folders)}: get a fresh "
            "copy of the package."
        )
    return folders[0]
