"""Real files that packages on PyPI ship, found without importing them, as a tree.

``pip install nmc[extracts]`` brings MEArec with 13 packages of layer 5 models, netsci with two
whole m-types of the connectome instance mc2, neuromotifs with motif counts.  Their data carry the
portal's non-commercial terms, whatever the licence of the code around them.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata, util
from pathlib import Path

from nmc.data import files, provenance
from nmc.data.provenance import Record
from nmc.data.registry import Item
from nmc.data.sources import FolderTree, NotInSource
from nmc.errors import ChecksumError

#: Package, which is the name of its module too → the folder in it, and the keys it offers.
PROVIDERS = {
    "MEArec": ("cell_models/bbp", (
        "model/L5_BP_bAC217_1", "model/L5_BTC_bAC217_1", "model/L5_ChC_cACint209_1",
        "model/L5_DBC_bAC217_1", "model/L5_LBC_bAC217_1", "model/L5_MC_bAC217_1",
        "model/L5_NBC_bAC217_1", "model/L5_NGC_bNAC219_1", "model/L5_SBC_bNAC219_1",
        "model/L5_STPC_cADpyr232_1", "model/L5_TTPC1_cADpyr232_1", "model/L5_TTPC2_cADpyr232_1",
        "model/L5_UTPC_cADpyr232_1",
    )),
    "netsci": ("resources/datasets",
               ("connectome/extract/mc2/L5_TTPC2", "connectome/extract/mc2/L6_LBC")),
    "neuromotifs": ("data/nmc", ("connectome/motif_counts",)),
}  # fmt: skip

#: m-type → netsci's name of it, sha256 of its two files (neurons, synapses).
_NETSCI = {
    "L5_TTPC2": (
        "L5_TTPC",
        "a90344e041187fcf6b700c8fd912159882a863edc8446c3f527c6c88dd25e647",
        "17f943db0e002a7503932c4bb5331961a78b24d5350a2f295228d68010443560",
    ),
    "L6_LBC": (
        "L6_LBC",
        "b832d4ffadaad390b352e7797a26aee11be3f1771b7fd5863d905e1a4a241fc4",
        "78eb3af4a7aeba63146d42f125f34280c8598e8d6b8662cef8a2352042faf6ee",
    ),
}


class ExtractsTree(FolderTree):
    """Real files of the packages that are installed, found without importing them.

    MEArec's packages are of release 1.0.11 with one script of each re-formatted, which nothing
    here runs; the registry knows their content as in MEArec 1.9 to 1.11.
    """

    def __init__(self):
        super().__init__(files.cache_folder(), "extracts")

    def find(self, item: Item) -> Path | None:
        """Return the folder of the package that ships the file unaltered."""
        try:
            return self._look(item)[1]
        except NotInSource:
            return None

    def get(self, item: Item, *, progress: bool = True, accept_terms: bool | None = None) -> Record:
        """Return the verified file, brought into the portal's layout in the cache."""
        provider, folder = self._look(item)
        provenance.require_terms(self.name, accept_terms)
        origin = f"{provider} {version_of(provider)} (PyPI)"
        if provider != "netsci":
            return FolderTree(folder, origin).get(item)
        mtype = item.key.rpartition("/")[2]
        (neurons, _), (synapses, made_from) = _wiring_files(item, folder)
        name = Path(item.path).name
        path = files.made_once(name, made_from, _write_wiring, mtype, neurons, synapses)
        size, digest = path.stat().st_size, files.sha256_of(path)
        return Record(item.key, origin, digest, size, False, "", "catalogue", path)

    def _look(self, item: Item) -> tuple[str, Path]:
        """Return the package that ships a file unaltered, and its folder; else `NotInSource`."""
        provider, place = next(
            ((name, place) for name, (place, keys) in PROVIDERS.items() if item.key in keys),
            (None, ""),
        )
        where = f"extracts/{item.path}"
        if provider is None:
            raise NotInSource((where, "no package on PyPI is known to ship it"))
        root = folder_of(provider)
        if root is None or not (root / place).is_dir():
            why = f"the package {provider} ships it but is not installed: pip install nmc[extracts]"
            raise NotInSource((where, why))
        folder, altered = root / place, [item.path.rpartition("/")[2]]
        with suppress(ChecksumError, NotInSource):
            if provider == "netsci":
                altered = [path.name for path, sha256 in _wiring_files(item, folder)
                           if not path.is_file() or files.sha256_of(path) != sha256]  # fmt: skip
            elif FolderTree(folder, provider).get(item).trust == "catalogue":
                altered = []
        if altered:
            raise NotInSource((where, f"{provider} {version_of(provider)} changed {altered[0]}"))
        return provider, folder


def version_of(distribution: str) -> str:
    """Return an installed distribution's version, or an empty text."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def folder_of(module: str) -> Path | None:
    """Return the folder of a top-level package without importing it, None where not installed."""
    spec = util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _wiring_files(item: Item, folder: Path) -> list[tuple[Path, str]]:
    name, *digests = _NETSCI[item.key.rpartition("/")[2]]
    paths = [folder / f"connectome.{name}.{part}.csv.gz" for part in ("neurons", "synapses")]
    return list(zip(paths, digests, strict=True))


def _write_wiring(mtype: str, neurons_csv: Path, synapses_csv: Path, target: Path) -> None:
    """Write a whole m-type of mc2 that netsci ships in the layout of the portal's HDF5."""
    import h5py
    import numpy as np
    import pandas as pd

    neurons, synapses = pd.read_csv(neurons_csv), pd.read_csv(synapses_csv)
    order = pd.Series(np.arange(len(neurons)), index=neurons["gid"])
    contacts = np.zeros((len(neurons), len(neurons)), dtype=np.uint16)
    contacts[order[synapses["from"]], order[synapses["to"]]] = synapses["contacts"]
    with h5py.File(target, "w", track_order=True) as out:
        places = neurons[["x", "y", "z"]].to_numpy(float)
        out.create_dataset(f"populations/{mtype}/locations", data=places)
        block = out.create_group(f"connectivity/{mtype}/{mtype}")
        for name, data in (("cMat", (contacts > 0).astype(np.uint8)), ("contacts", contacts)):
            block.create_dataset(name, data=data, chunks=True, compression="gzip")
