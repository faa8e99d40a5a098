"""The same cell with more or less of a channel: a copy of its package with other densities."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

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
        takes it, and tells its results from the original's.

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
    said = json.dumps([package.sha256, sorted(names.items())])
    key = hashlib.sha256(said.encode()).hexdigest()[:24]
    return read_package(_copy(package, names, key))


def _copy(package: Package, factors: Mapping[str, float], key: str) -> Path:
    from nmc.data.settings import cache_folder

    root = cache_folder() / "variants"
    target = root / key / package.name
    if target.is_dir():
        return target
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".variant-", dir=root))
    try:
        copy = Path(shutil.copytree(package.folder, work / key / package.name))
        file = copy / "biophysics.hoc"
        text = file.read_text("utf-8", "replace")
        for name, factor in factors.items():
            text = re.sub(
                rf'(distribute\(\$o1\.\w+,"{name}",")([^"]+)("\))',
                rf"\g<1>(\g<2>)*{factor!r}\g<3>",
                text,
            )
        file.chmod(0o644)
        file.write_text(text, "utf-8")
        try:
            os.replace(work / key, root / key)
        except OSError:
            if not target.is_dir():  # else another process wrote the same copy first
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target
