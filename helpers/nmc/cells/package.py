"""A me-type package: what its files say, read without running any of them.

`load_package` reads the HOC, tables and morphology of one of the 1,035 packages as text, and
refuses everything that does not follow the portal's own grammar, naming model and file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells import _hoc, _tables, known
from nmc.errors import PackageError, TrustError

#: Files without which a package cannot be simulated.
REQUIRED = (
    "template.hoc", "biophysics.hoc", "morphology.hoc", "constants.hoc", "current_amps.dat",
    "cellinfo.json", "synapses/synapses.tsv", "synapses/synconf.txt", "synapses/mtype_map.tsv",
    "synapses/synapses.hoc",
)  # fmt: skip

#: HOC section lists, by the number `synapses.tsv` gives them.
SECTION_LISTS = ("somatic", "basal", "apical", "axonal")
#: HOC section arrays, in the same order.
SECTION_ARRAYS = ("soma", "dend", "apic", "axon")
#: Sections of the stub that the packages' templates put in the axon's place.
AXON_STUB = 2
#: Mechanisms of the packages' synapses: excitatory, inhibitory.
SYNAPSES = ("ProbAMPANMDA_EMS", "ProbGABAAB_EMS")


@dataclass(frozen=True, eq=False, repr=False)
class Package:
    """A me-type package, immutable; tables are handed out as copies.

    Attributes
    ----------
    model : nmc.names.Model
        Which of the 1,035 models the folder holds.
    folder : pathlib.Path
        The package's top folder.
    template : str
        Name of the HOC cell template.
    gid : int
        The cell's number in the reconstructed circuit; seeds its random streams.
    morphology : pathlib.Path
        Neurolucida ASCII file.
    mechanisms : mapping of str to tuple of str
        Section list → mechanisms inserted there.
    mods : mapping of str to pathlib.Path
        Mechanism file name → MOD file.
    hold_nA, steps_nA : float, tuple of float
        Holding current, and the package's three step amplitudes.
    celsius, dt_ms : float
        Temperature and time step that the package sets.
    licence, version : str
        Text of LICENSE and of VERSION.
    content_sha256 : str
        Digest of the package's files, see `nmc.cells.known`.
    origin : str
        ``NMC portal`` or ``sample`` for a known package, by its content; else ``own package``.
    invented : bool
        Whether its numbers are those of the synthetic sample.
    trusted : bool
        Whether its code may run: the package is known, was made from a known one by this
        package's own rules, or was loaded with ``trust=True``.
    """

    model: names.Model
    folder: Path
    template: str
    gid: int
    morphology: Path
    mechanisms: Mapping[str, tuple[str, ...]]
    mods: Mapping[str, Path]
    hold_nA: float
    steps_nA: tuple[float, ...]
    celsius: float
    dt_ms: float
    licence: str
    version: str
    content_sha256: str
    origin: str
    invented: bool
    trusted: bool
    _hashes: Mapping[str, str]
    _biophysics: pd.DataFrame
    _mtypes: Mapping[int, str]

    def __repr__(self) -> str:
        mechanisms = {m for found in self.mechanisms.values() for m in found}
        return (
            f"Package({self.name}: gid {self.gid}, morphology {self.morphology.stem}, "
            f"{len(mechanisms)} mechanisms, {len(self._synapses):,} synapses)"
        )

    @property
    def name(self) -> str:
        """Model name, e.g. ``L5_TTPC1_cADpyr232_1``."""
        return self.model.name

    @property
    def biophysics(self) -> pd.DataFrame:
        """One row a parameter of ``biophysics.hoc``, in the file's order.

        Columns ``section_list``, ``mechanism`` (empty for cable properties and reversal
        potentials), ``parameter``, ``value`` (NaN where it varies with distance) and
        ``formula``, an expression in ``d``, the path distance from the soma in µm.
        """
        return self._biophysics.copy()

    @property
    def mtype_map(self) -> pd.Series:
        """Presynaptic m-type by the number that `synapses` uses."""
        return pd.Series(dict(self._mtypes), name="mtype", dtype="str").rename_axis("mtype_id")

    @cached_property
    def _synapses(self) -> pd.DataFrame:
        table = _tables.read_synapses(self.name, self.folder, self._mtypes)
        return _tables.read_synconf(self.name, self.folder, table)

    @property
    def synapses(self) -> pd.DataFrame:
        """One row a synapse of ``synapses.tsv``, with what ``synconf.txt`` sets added.

        Columns ``pre_cell``, ``pre_mtype``, ``section`` (as ``dend[12]``), ``x``,
        ``excitatory``, ``depression_ms``, ``facilitation_ms``, ``utilisation``, ``decay_ms``,
        ``delay_ms``, ``weight_nS`` and, NaN where not set, ``NMDA_ratio``, ``mg_mM``,
        ``GABAB_ratio``, ``e_GABAA_mV``, ``e_GABAB_mV``; index ``synapse``.
        """
        return self._synapses.copy()

    @cached_property
    def sha256(self) -> str:
        """Hash of every file that shapes a simulation, by name and content."""
        files = [self.folder / name for name in REQUIRED] + [self.morphology, *self.mods.values()]
        return hash_files({p.relative_to(self.folder).as_posix(): p.read_bytes() for p in files})

    @cached_property
    def stochastic(self) -> tuple[str, ...]:
        """Inserted mechanisms that draw random numbers (``StochKv``); they need a fixed step."""
        inserted = {m for ms in self.mechanisms.values() for m in ms}
        return tuple(
            sorted(
                m for m in inserted if m in self.mods and _draws(self.mods[m].read_text("utf-8"))
            )
        )

    def needed_mods(self, synapses: bool = False) -> dict[str, Path]:
        """MOD files of the inserted mechanisms, and of the package's synapses if asked for."""
        inserted = {m for found in self.mechanisms.values() for m in found}
        return {
            name: path
            for name, path in self.mods.items()
            if name in inserted or (synapses and name in SYNAPSES)
        }

    def check_trusted(self) -> None:
        """Refuse to run the code of a package that is neither known nor trusted.

        Raises
        ------
        TrustError
            Says what differs from the known package of that name.
        """
        if not self.trusted:
            raise TrustError(
                f"{self.name} in {self.folder} is not the known package of that name: it "
                f"{known.differences(self.name, self._hashes)}. Its MOD, HOC and Python files "
                "would run on this machine with your rights: read them, and pass trust=True if "
                "you trust them."
            )

    def step_nA(self, step: int) -> float:
        """Amplitude of one of the package's steps, 1 the weakest."""
        if step not in range(1, len(self.steps_nA) + 1):
            raise PackageError(
                f"{self.name}: there is no step {step}; the package has steps "
                f"1 to {len(self.steps_nA)}. Give amplitude_nA for any other current."
            )
        return self.steps_nA[step - 1]

    def density(self, section_list: str, parameter: str, distance_um) -> np.ndarray:
        """Value of a parameter at path distances from the soma, as its formula gives it.

        Parameters
        ----------
        section_list : str
            ``somatic``, ``basal``, ``apical`` or ``axonal``.
        parameter : str
            As in `biophysics`, e.g. ``gIhbar``.
        distance_um : array_like
            Path distances from the soma's middle, µm.

        Raises
        ------
        PackageError
            When the section list has no such parameter.
        """
        rows = self._biophysics.query(
            "section_list in [@section_list, 'all'] and parameter == @parameter"
        )
        if rows.empty:
            raise PackageError(f"{self.name}: {section_list} sections have no {parameter!r}.")
        return _hoc.evaluate(rows["formula"].iloc[-1], distance_um)


def hash_files(files: Mapping[str, bytes]) -> str:
    """Hash files of a package, by their paths in it and their contents."""
    digest = hashlib.sha256()
    for name in sorted(files, key=PurePosixPath):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def as_package(model: str | names.Model | Path | Package, *, trust: bool = False) -> Package:
    """Return a package as it is, or load the one that a name or folder stands for."""
    if isinstance(model, Package):
        return replace(model, trusted=True) if trust and not model.trusted else model
    return load_package(model, trust=trust)


def load_package(model: str | names.Model | Path, *, trust: bool = False) -> Package:
    """Read a me-type package.

    Parameters
    ----------
    model : str, Model or pathlib.Path
        A model's name, fetched through the source if need be, or the folder of an unpacked
        package.
    trust : bool
        Let the package's code run although it is none of the known packages: its MOD files
        would be compiled, its HOC and Python files run, with the rights of the caller.

    Returns
    -------
    Package

    Raises
    ------
    UnknownNameError
        No such model.
    PackageError
        A file is missing or does not hold what its format promises; names model and file.
    """
    if isinstance(model, Path):
        folder = model
    else:
        from nmc.data import fetch_folder

        folder = fetch_folder(f"model/{names.parse_model(model).name}")
    return read_package(folder, trust=trust)


def read_package(folder: Path, *, trust: bool = False) -> Package:
    """Read the package that stands unpacked in a folder named after its model."""
    folder = Path(folder).resolve()
    model = names.parse_model(folder.name)
    for required in REQUIRED:
        if not (folder / required).is_file():
            raise PackageError(
                f"{model.name}: the package has no {required} (looked in {folder}). "
                "Fetch it again, or unpack the whole archive."
            )
    hashes = known.file_hashes(folder)
    digest = known.content_digest(hashes)
    found = known.find(digest)
    hold, steps = _tables.read_currents(model.name, folder)
    mechanisms, biophysics = _hoc.read_biophysics(model.name, folder / "biophysics.hoc")
    mods = {p.stem: p for p in sorted((folder / "mechanisms").glob("*.mod"))}
    _check_mechanisms(model.name, mechanisms, mods)
    constants = _hoc.read_constants(model.name, folder / "constants.hoc")
    package = Package(
        model=model,
        folder=folder,
        template=_hoc.template_name(model.name, folder / "template.hoc"),
        gid=_read_gid(model, folder / "cellinfo.json"),
        morphology=_hoc.morphology_file(model.name, folder),
        mechanisms=MappingProxyType(mechanisms),
        mods=MappingProxyType(mods),
        hold_nA=hold,
        steps_nA=steps,
        celsius=constants["celsius"],
        dt_ms=constants["dt"],
        licence=_text(folder / "LICENSE"),
        version=_text(folder / "VERSION").strip(),
        content_sha256=digest,
        origin=found.origin if found else known.OWN,
        invented=found.origin == "sample" if found else _says_synthetic(folder),
        trusted=found is not None or trust,
        _hashes=MappingProxyType(hashes),
        _biophysics=biophysics,
        _mtypes=MappingProxyType(_tables.read_mtype_map(model.name, folder)),
    )
    _check_sections(package)  # a wrong table is found now, not in the middle of a run
    return package


def _says_synthetic(folder: Path) -> bool:
    """Whether an own package was made from one of the sample's, as its files say."""
    told = [folder / "LICENSE", folder / "README", *sorted(folder.rglob("*.hoc"))]
    return any("synthetic" in _text(path) for path in told)


def _check_mechanisms(model: str, inserted: Mapping[str, tuple[str, ...]], mods) -> None:
    built_in = {"pas"}
    missing = sorted({m for ms in inserted.values() for m in ms} - set(mods) - built_in)
    if missing:
        raise PackageError(
            f"{model}: biophysics.hoc inserts {', '.join(missing)}, but mechanisms/ has no such "
            "MOD file."
        )


def _check_sections(package: Package) -> None:
    """Refuse synapses on sections that the built cell does not have.

    HOC numbers the sections of a kind in the file's order, as MorphIO does; the soma is one
    section, and the template puts a stub of two in the axon's place.
    """
    from nmc.cells.morphology import count_sections

    found = count_sections(package)
    rows = package._synapses["section"].str.extract(r"(?P<part>\w+)\[(?P<index>\d+)\]")
    have = rows["part"].map({**found, "soma": 1, "axon": AXON_STUB}).astype(int)
    beyond = np.flatnonzero(rows["index"].astype(int) >= have)
    if len(beyond):
        row = int(beyond[0])
        part = rows["part"].iloc[row]
        raise PackageError(
            f"{package.name}: synapses/synapses.tsv: the synapse in row {row} stands on "
            f"{package._synapses['section'].iloc[row]}, but the cell of {package.morphology.name} "
            f"has {int(have.iloc[row])} sections of {part!r} (numbered from 0)."
        )


def _read_gid(model: names.Model, path: Path) -> int:
    try:
        info = json.loads(path.read_text("utf-8"))
        gid, mtype = int(info["gid"]), info["m-type"]
    except (ValueError, KeyError, TypeError) as error:
        raise PackageError(f"{model.name}: cellinfo.json cannot be read: {error}.") from error
    if names.canonical_mtype(mtype) != model.mtype:
        raise PackageError(f"{model.name}: cellinfo.json says m-type {mtype!r}.")
    return gid


def _draws(mod_text: str) -> bool:
    return (
        re.search(r"\bnrn_random_pick\b|\bscop_random\b|^\s*RANDOM\b", mod_text, re.M) is not None
    )


def _text(path: Path) -> str:
    """First of a text file: none of those read so is longer."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as text:
        return text.read(100_000)
