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

from nmc import layout
from nmc.cells.known import RELEASE_FILES, content_digest
from nmc.data.registry import item

from tools.sample.tree import entry, write_tree

TARGET = Path(__file__).resolve().parents[2] / "helpers" / "nmc" / "data" / "sample"

_NEUROML = (".nml", ".xml")
#: The largest archive that may go into the package.
MOST_BYTES = 4_000_000


def pack(root: Path, folder: Path) -> Path:
    """Write ``sample.tar.xz`` and its lists ``files.csv``, ``packages.csv``, ``inner.csv``.

    The same tree gives the same bytes: members are sorted and have no owner, mode or time of
    their own.

    Parameters
    ----------
    root : Path
        A tree that `write_tree` wrote.
    folder : Path
        Where the four files go; made if need be.

    Returns
    -------
    Path
        The archive.

    Raises
    ------
    ValueError
        When the archive is larger than `MOST_BYTES`.
    """
    paths = {p.relative_to(root).as_posix(): p for p in root.rglob("*") if p.is_file()}
    packed = _pack(dict(sorted(paths.items())))
    if len(packed) > MOST_BYTES:
        raise ValueError(f"The sample packs to {len(packed):,} bytes, more than {MOST_BYTES:,}.")
    files = [
        (name, path.stat().st_size, _sha256(path.read_bytes()))
        for name, path in sorted(paths.items())
    ]
    zips = sorted(root.glob(f"{Path(layout.package('L1_DAC_bNAC219_1')).parent}/*.zip"))
    packages = []
    for path in zips:
        hashes = {name: _sha256(content) for name, content in read_members(path).items()}
        n_members = len(hashes.keys() - set(RELEASE_FILES))
        packages.append((path.stem, n_members, content_digest(hashes)))
    inner = list_inner({name: path.read_bytes() for name, path in paths.items()})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sample.tar.xz").write_bytes(packed)
    _write(folder / "files.csv", ("path", "size_bytes", "sha256"), files)
    _write(folder / "packages.csv", ("model", "n_members", "content_sha256"), packages)
    _write(folder / "inner.csv", ("file", "size_bytes", "sha256"), inner)
    return folder / "sample.tar.xz"


def list_inner(files: dict[str, bytes]) -> list[tuple[str, int, str]]:
    """Return name, size and sha256 of the connectomes and NeuroML2 files inside the archives.

    Parameters
    ----------
    files : dict
        Every file of the sample by its path.
    """
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


def read_members(package: Path) -> dict[str, bytes]:
    """Return the files of a package's zip, hidden ones left out, by their path in its folder."""
    with zipfile.ZipFile(package) as archive:
        return {
            info.filename.split("/", 1)[1]: archive.read(info)
            for info in archive.infolist()
            if not info.is_dir() and "/." not in info.filename
        }


def _pack(paths: dict[str, Path]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in paths.items():
            content = path.read_bytes()
            tar.addfile(entry(name, len(content)), io.BytesIO(content))
    return lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)


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
