"""The same cell with more or less of a channel: a copy of its package with other densities."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nmc.cells import known
from nmc.cells.package import Package, read_package
from nmc.errors import PackageError, UnknownNameError


def scale_channels(package: Package, factors: Mapping[str, float]) -> Package:
    """Multiply the densities of some channels of a model, everywhere in the cell.

    Parameters
    ----------
    package : Package
        From `nmc.load_package`.
    factors : mapping of str to float
        Channel → factor of its density; 0 takes the channel away.

    Returns
    -------
    Package
        A copy in the cache that differs in ``biophysics.hoc`` alone; every ``simulate_*`` call
        takes it, and tells its results from the original's.  It is trusted where the original
        is, since nothing but these factors was written; its folder, loaded by its path, is a
        package like any other that is not known.

    Raises
    ------
    UnknownNameError
        The model has no such channel.
    PackageError
        A factor is negative.
    """
    table = package.biophysics
    dense = table[table["parameter"].str.match("g(?!amma)") & (table["mechanism"] != "")]
    names = {}
    for channel, factor in factors.items():
        if channel not in set(dense["mechanism"]):
            raise UnknownNameError.of(f"channel in {package.name}:", channel, dense["mechanism"])
        if not factor >= 0:
            raise PackageError(f"{package.name}: {channel} cannot be scaled by {factor!r}.")
        for parameter in dense.loc[dense["mechanism"] == channel, "parameter"]:
            names[f"{parameter}_{channel}"] = float(factor)
    text = (package.folder / "biophysics.hoc").read_text("utf-8", "replace")
    for name, factor in names.items():
        text = re.sub(
            rf'(distribute\(\$o1\.\w+,"{name}",")([^"]+)("\))',
            rf"\g<1>(\g<2>)*{factor!r}\g<3>",
            text,
        )
    variant = read_package(_copy(package, text))
    told = f"{package.origin}, channels scaled"
    return replace(variant, trusted=package.trusted, origin=told, invented=package.invented)


def _copy(package: Package, biophysics: str) -> Path:
    """Write a copy with another ``biophysics.hoc`` into the cache, unless it stands there."""
    from nmc.data.files import cache_folder

    own = hashlib.sha256(biophysics.encode()).hexdigest()
    digest = known.content_digest(known.file_hashes(package.folder) | {"biophysics.hoc": own})
    root, key = cache_folder() / "variants", digest[:24]
    target = root / key / package.name
    if target.is_dir():
        if known.content_digest(known.file_hashes(target)) == digest:
            return target
        shutil.rmtree(root / key)  # somebody changed it
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".variant-", dir=root))
    try:
        copy = Path(shutil.copytree(package.folder, work / key / package.name))
        file = copy / "biophysics.hoc"
        file.chmod(0o644)
        file.write_bytes(biophysics.encode())
        try:
            os.replace(work / key, root / key)
        except OSError:
            if not target.is_dir():  # else another process wrote the same copy first
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target
