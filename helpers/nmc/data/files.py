"""Files that are whole or absent, and hashes that are computed once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from nmc.data import settings
from nmc.errors import CacheError, NMCError

_CHUNK = 1 << 20
_LARGE = 200_000_000  # bytes that take a moment to read
_in_memory: dict[Path, tuple[tuple[int, int], str]] = {}


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give a unique temporary path beside `target`; move it into place when the block succeeds.

    Nothing half-written ever stands at `target`, whoever else writes it at the same time.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn a disk that is full or read-only into a sentence.

    Raises
    ------
    CacheError
        When the block raises an `OSError` of the system.
    """
    try:
        yield
    except NMCError:
        raise
    except OSError as exc:
        raise CacheError(
            f"{what} cannot be written to the cache, {settings.cache_folder()}: "
            f"{exc.strerror or exc}. Free some space, or set NMC_CACHE to a folder that can be "
            "written."
        ) from exc


def write_whole(target: Path, content: bytes) -> None:
    """Write a small file whole or not at all."""
    with whole(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, value: object) -> None:
    """Write a value as JSON, whole or not at all."""
    write_whole(target, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())


def write_json_once(target: Path, value: object) -> bool:
    """Write a value as JSON unless the file exists; return whether this call wrote it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent
    )
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(json.dumps(value, indent=1, sort_keys=True) + "\n")
    try:
        os.chmod(name, 0o666 & ~_umask())
        os.link(
            name, target
        )  # fails if it exists: of several processes one wins, with a whole file
    except FileExistsError:
        return False
    except OSError:  # a file system without links: exclusive creation is the next best
        try:
            with target.open("x", encoding="utf-8") as out:
                out.write(Path(name).read_text(encoding="utf-8"))
        except FileExistsError:
            return False
    finally:
        os.unlink(name)
    return True


def read_json(path: Path) -> dict | None:
    """Return a JSON object, or None when the file is absent or no JSON object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def sha256_of(path: Path, *, progress: bool = False) -> str:
    """Return the sha256 of a file, remembered by its path, size and time of change.

    The memory lies in the cache folder; where that cannot be written it lasts for the process.
    With `progress`, a bar is shown on stderr while a large file is read.
    """
    path = path.absolute()
    stamp = _stamp(path)
    if _in_memory.get(path, (None, ""))[0] == stamp:
        return _in_memory[path][1]
    memory = _memory_file(path)
    kept = read_json(memory) or {}
    if kept.get("path") == str(path) and kept.get("stamp") == list(stamp):
        digest = kept["sha256"]
    else:
        digest = compute_sha256(path, progress=progress)
        with suppress(OSError):
            write_json(memory, {"path": str(path), "stamp": list(stamp), "sha256": digest})
    _in_memory[path] = (stamp, digest)
    return digest


def remember_sha256(path: Path, digest: str) -> None:
    """Note the hash of a file just written, so that it need not be read again."""
    path = path.absolute()
    stamp = _stamp(path)
    with suppress(OSError):
        write_json(_memory_file(path), {"path": str(path), "stamp": list(stamp), "sha256": digest})
    _in_memory[path] = (stamp, digest)


def forget_sha256(path: Path) -> None:
    """Forget a file's remembered hash, so that the next question reads the file again."""
    path = path.absolute()
    _in_memory.pop(path, None)
    with suppress(OSError):
        _memory_file(path).unlink()


def compute_sha256(path: Path, *, progress: bool = False) -> str:
    """Read a file and return its sha256."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as stream, _bar(path.name, size, progress) as bar:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if bar is not None:
                bar.update(len(chunk))
    return digest.hexdigest()


def _bar(name: str, size: int, progress: bool):
    if not progress or size < _LARGE:
        return nullcontext()
    from tqdm import tqdm

    return tqdm(desc=f"Verifying {name}", total=size, unit="B", unit_scale=True, leave=False)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _memory_file(path: Path) -> Path:
    name = hashlib.sha256(str(path).encode()).hexdigest()[:32]
    return settings.cache_folder() / "verified" / f"{name}.json"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
