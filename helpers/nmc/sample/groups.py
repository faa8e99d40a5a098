"""Archives of many models: a tar of their zips, as the portal packed layers, types and all."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from nmc import names
from nmc.errors import UnknownNameError
from nmc.sample import SEED
from nmc.sample.cells import write_package
from nmc.sample.hdf5 import entry


def models_of(group: str) -> list[names.Model]:
    """Return the models of a group.

    Parameters
    ----------
    group : str
        ``all``, a layer, an m-type or a me-type, e.g. ``L1``, ``L1_DAC``, ``L1_DAC_bNAC``.

    Raises
    ------
    UnknownNameError
        When there is no such group.
    """
    models = [names.parse_model(name) for name in names.model_names()]
    if group == "all":
        return models
    kinds = {kind: {getattr(m, kind) for m in models} for kind in ("layer", "mtype", "metype")}
    for kind, members in kinds.items():
        if group in members:
            return [m for m in models if getattr(m, kind) == group]
    known = ["all", *sorted(set().union(*kinds.values()))]
    raise UnknownNameError.of("group of models", group, known)


def write_group(target: Path, group: str, *, seed: int = SEED) -> Path:
    """Write the archive of a group's packages: a tar, whatever its name ends in.

    Parameters
    ----------
    target : Path
        Where it goes; its stem names the folder inside.
    group : str
        See `models_of`.
    seed : int
        Seed of the sample.

    Returns
    -------
    Path
        ``target``.
    """
    from tqdm import tqdm

    target = Path(target)
    models: Iterable[names.Model] = models_of(group)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar,
        tempfile.TemporaryDirectory() as temporary,
    ):
        for model in tqdm(models, desc=f"writing {group}", delay=2, leave=False):
            package = write_package(Path(temporary), model.name, seed=seed)
            data = package.read_bytes()
            tar.addfile(entry(f"{target.stem}/{model.name}.zip", len(data)), io.BytesIO(data))
            package.unlink()
    return target
