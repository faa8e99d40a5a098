"""Make the sample and put it into the package: ``python -m tools.sample``."""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import tarfile
import tempfile
import zipfile
from pathlib import Path

from nmc.cells.known import RELEASE_FILES, content_digest
from nmc.data.registry import item

from tools.sample import MODELS
from tools.sample.tree import entry, write_tree

TARGET = Path(__file__).resolve().parents[2] / "helpers" / "nmc" / "data" / "sample"

_NEUROML = (".nml", ".xml")
#: The largest archive that may go into the package.
MOST_BYTES = 4_000_000


def pack(root: Path, folder: Path) -> Path:
    """Write ``sample.tar.xz`` of a tree and the lists ``files``, ``packages``, ``inner.csv``.

    The same tree gives the same bytes: members are sorted and have no owner, mode or time.
    """
    paths = sorted(p for p in root.rglob("*") if p.is_file())
    contents = {p.relative_to(root).as_posix(): p.read_bytes() for p in paths}
    contents = dict(sorted(contents.items()))
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in contents.items():
            tar.addfile(entry(name, len(content)), io.BytesIO(content))
    packed = lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    if len(packed) > MOST_BYTES:
        raise ValueError(f"The sample packs to {len(packed):,} bytes, more than {MOST_BYTES:,}.")
    files = [(name, len(content), _sha256(content)) for name, content in contents.items()]
    packages = []
    for model in sorted(MODELS):
        members = read_members(contents[item(f"model/{model}").path])
        hashes = {name: _sha256(content) for name, content in members.items()}
        n_members = len(hashes.keys() - set(RELEASE_FILES))
        packages.append((model, n_members, content_digest(hashes)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sample.tar.xz").write_bytes(packed)
    _write(folder / "files.csv", ("path", "size_bytes", "sha256"), files)
    _write(folder / "packages.csv", ("model", "n_members", "content_sha256"), packages)
    _write(folder / "inner.csv", ("file", "size_bytes", "sha256"), list_inner(contents))
    return folder / "sample.tar.xz"


def list_inner(files: dict[str, bytes]) -> list[tuple[str, int, str]]:
    """Return name, size and sha256 of the connectomes and NeuroML2 files inside the archives."""
    found = set()
    for name, content in files.items():
        if name.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                inside = {m.name: tar.extractfile(m).read() for m in tar if m.name.endswith(".h5")}
        elif name == item("neuroml/subset").path:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inside = {n: archive.read(n) for n in archive.namelist() if n[-4:] in _NEUROML}
        else:
            continue
        found |= {(n.rpartition("/")[2], len(c), _sha256(c)) for n, c in inside.items()}
    return sorted(found)


def read_members(package: bytes) -> dict[str, bytes]:
    """Return the files of a package's zip, hidden ones left out, by their path in its folder."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {
            info.filename.split("/", 1)[1]: archive.read(info)
            for info in archive.infolist()
            if not info.is_dir() and "/." not in info.filename
        }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        packed = pack(write_tree(place), TARGET)
    print(f"{packed}: {packed.stat().st_size:,} bytes")
