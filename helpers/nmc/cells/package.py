"""A me-type package: what its files say, read without running any of them.

`as_package` is the one door: a model's name, a folder, a zip or a package go in, a `Package` comes
out.  Whatever does not follow the portal's own grammar is refused, naming package and file.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells import known, package_files
from nmc.cells.package_files import Files
from nmc.cells.reconstruction import Reconstruction, read_reconstruction
from nmc.data import fetch_folder, package_folder, registry, unpack_once
from nmc.data.files import compute_sha256
from nmc.errors import PackageError, TrustError, UnknownNameError, explained
from nmc.numbers import as_numbers, shown

#: Sections of the stub that the portal's templates put in the axon's place.
AXON_STUB = 2
#: Mechanisms of the packages' synapses: excitatory, inhibitory.
SYNAPSES = ("ProbAMPANMDA_EMS", "ProbGABAAB_EMS")
#: Mechanisms that NEURON has built in.
BUILT_IN = frozenset("pas fastpas hh extracellular na_ion k_ion ca_ion".split())

_DRAWS = re.compile(r"\bnrn_random_pick\b|\bscop_random\b|^[ \t]*RANDOM\b", re.M)
_SYNAPSES_FILE = "synapses/synapses.tsv"
_STUB = f"create axon[{AXON_STUB}]"


@explained
@dataclass(frozen=True, eq=False, repr=False)
class Package:
    """A me-type package, immutable; tables are handed out as copies.

    Attributes
    ----------
    name : str
        Model name, e.g. ``L5_TTPC1_cADpyr232_1``; of a package that is not known, the name of
        its folder.
    model : nmc.names.Model or None
        Which of the 1,035 models it is, or goes by; None where it goes by another name.
    mtype, etype : str
        As its files say; empty where they do not.
    folder : pathlib.Path
        The package's top folder.
    template : str
        Name of the HOC cell template.
    gid : int
        The cell's number in the reconstructed circuit; seeds its random streams.
    morphology : pathlib.Path
        Neurolucida ASCII file.
    reconstruction : Reconstruction
        What it holds.
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
        ``NMC portal`` or ``sample`` for a known package, by its content; else ``own package``, or
        what it was made from.
    invented : bool
        Whether its numbers are those of the synthetic sample.
    trusted : bool
        Whether its code may run: the package is known, was made from a known one by this
        package's own rules, or was loaded with ``trust=True``.
    sections : mapping of str to int
        ``soma``, ``dend``, ``apic``, ``axon`` → how many of them the simulated cell has.
    renamed : mapping of str to str
        Mechanisms that get another name where they run beside a package that has a different
        one of the same name; see `nmc.cells.mechanisms.rename_clashes`.
    """

    name: str
    model: names.Model | None
    mtype: str
    etype: str
    folder: Path
    template: str
    gid: int
    morphology: Path
    reconstruction: Reconstruction
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
    sections: Mapping[str, int]
    _hashes: Mapping[str, str]
    _biophysics: pd.DataFrame
    _mtypes: Mapping[int, str]
    _synapses: pd.DataFrame | None
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    _rewritten: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        mechanisms = {m for found in self.mechanisms.values() for m in found}
        synapses = 0 if self._synapses is None else len(self._synapses)
        return (
            f"Package({self.name}: {self.origin}, gid {self.gid}, morphology "
            f"{self.morphology.stem}, {len(mechanisms)} mechanisms, {synapses:,} synapses)"
        )

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

    @property
    def synapses(self) -> pd.DataFrame:
        """One row a synapse of ``synapses.tsv``, with what ``synconf.txt`` sets added.

        Columns ``pre_cell``, ``pre_mtype``, ``section`` (as ``dend[12]``), ``x``,
        ``excitatory``, ``depression_ms``, ``facilitation_ms``, ``utilisation``, ``decay_ms``,
        ``delay_ms``, ``weight_nS`` and, NaN where not set, ``NMDA_ratio``, ``mg_mM``,
        ``GABAB_ratio``, ``e_GABAA_mV``, ``e_GABAB_mV``; index ``synapse``.  A package without
        that file raises `PackageError`.
        """
        if self._synapses is None:
            raise PackageError(
                f"{self.name}: the package has no {_SYNAPSES_FILE}, so nothing is known of its "
                "synapses; calls that need none take it."
            )
        return self._synapses.copy()

    @cached_property
    def stochastic(self) -> tuple[str, ...]:
        """Inserted mechanisms that draw random numbers (``StochKv``); they need a fixed step."""
        needed = self.needed_mods().items()
        return tuple(sorted(m for m, path in needed if _DRAWS.search(path.read_text("utf-8"))))

    def needed_mods(self, synapses: bool = False) -> dict[str, Path]:
        """MOD files of the inserted mechanisms, and of the package's synapses if asked for."""
        inserted = {m for found in self.mechanisms.values() for m in found}
        return {
            name: path
            for name, path in self.mods.items()
            if name in inserted or (synapses and name in SYNAPSES)
        }

    @property
    def source(self) -> dict:
        """What a table made from the package says of it in its ``.attrs``."""
        return {"model": self.name, "origin": self.origin, "invented": self.invented}

    def content(self, file: str) -> bytes:
        """Content of a file by its path in the package; `PackageError` if it changed meanwhile."""
        path = self.folder / file
        content = path.read_bytes() if path.is_file() else b""
        if file not in self._hashes:
            raise PackageError(f"{self.name}: the package has no file {file!r}.")
        if hashlib.sha256(content).hexdigest() != self._hashes[file]:
            raise self.changed(file)
        return content

    def text(self, file: str) -> str:
        """Text of a file by its path, or what is to stand for it; errors as of `content`."""
        if file in self._rewritten:
            return self._rewritten[file]
        text = self.content(file).decode("utf-8", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def changed(self, what: str = "files") -> PackageError:
        """The error that says that files were changed after the package was loaded."""
        return PackageError(
            f"{self.name}: {what} in {self.folder} changed after the package was loaded; load it "
            "again."
        )

    def check_trusted(self) -> None:
        """Refuse to run the code of a package that is neither known nor trusted: TrustError."""
        if not self.trusted:
            raise TrustError(
                f"{self.name} in {self.folder} {known.differences(self.name, self._hashes)}. Its "
                "MOD, HOC and Python files would run on this machine with your rights: read them, "
                "and pass trust=True (on the command line --trust) if you trust them."
            )

    def to_spec(self) -> dict:
        """What a worker needs to build the cell, ready for JSON; TrustError as `check_trusted`."""
        self.check_trusted()
        return {
            "model": self.name,
            "folder": str(self.folder),
            "template": self.template,
            "content_sha256": self.content_sha256,
            "gid": self.gid,
            "celsius": self.celsius,
            "renamed": dict(self.renamed),
        }

    def check_section(self, name: str) -> None:
        """Refuse a section, such as ``dend[12]``, that the simulated cell does not have."""
        found = re.fullmatch(r"(\w+?)(?:\[(\d{1,9})\])?", name)
        if not found or int(found[2] or 0) >= self.sections.get(found[1], 0):
            there = [f"{part}[0…{n - 1}]" for part, n in self.sections.items() if n]
            raise PackageError(
                f"{self.name}: there is no section {name!r}; it has {', '.join(there)}."
            )

    def step_nA(self, step: int) -> float:
        """Amplitude of one of the package's steps, 1 the weakest."""
        if step not in range(1, len(self.steps_nA) + 1):
            raise PackageError(
                f"{self.name}: there is no step {shown(step)}; the package has steps "
                f"1 to {len(self.steps_nA)}. Give amplitude_nA for any other current."
            )
        return self.steps_nA[step - 1]

    def density(
        self, section_list: str, parameter: str, distance_um: float | Sequence[float] | np.ndarray
    ) -> np.ndarray:
        """Value of a parameter of `biophysics` at path distances from the soma's middle, µm.

        PackageError when the section list (``somatic``, ``basal``, ``apical`` or ``axonal``) has no
        such parameter.
        """
        rows = self._biophysics.query(
            "section_list in [@section_list, 'all'] and parameter == @parameter"
        )
        if rows.empty:
            raise PackageError(f"{self.name}: {section_list} sections have no {parameter!r}.")
        where = f"{self.name}: distance_um"
        distances = as_numbers(np.ravel(distance_um), where=where, error=PackageError)
        values = package_files.evaluate(rows["formula"].iloc[-1], distances, where=where)
        return values.reshape(np.shape(distance_um))


#: What every call takes that works on one model.
AnyModel = str | os.PathLike | names.Model | Package


def as_package(model: AnyModel, *, trust: bool = False) -> Package:
    """Return a package as it is, or load what a name or path stands for; see `load_package`."""
    if not isinstance(trust, bool):  # "no" is no yes
        raise TrustError(f"trust is True or False, not {trust!r}.")
    if isinstance(model, Package):
        return replace(model, trusted=True) if trust and not model.trusted else model
    path = _as_path(model)
    if path is None:
        return read_package(
            fetch_folder(f"model/{names.parse_model(str(model)).name}"), trust=trust
        )
    if path.is_file():
        path = unpack_once(path.resolve(), compute_sha256(path))
    package = read_package(package_folder(path), trust=trust)
    _remember(package)
    return package


def each_model(models: Iterable[AnyModel] | AnyModel) -> list[AnyModel]:
    """Return several models as a list; one alone is a list of one."""
    return [models] if isinstance(models, AnyModel) else list(models)


def by_name(packages: Iterable[Package]) -> dict[str, Package]:
    """Packages by name; another one of the same name gets the start of its digest, too."""
    named: dict[str, Package] = {}
    for package in packages:
        digest = package.content_sha256
        twice = named.get(package.name, package).content_sha256 != digest
        named[f"{package.name}-{digest[:8]}" if twice else package.name] = package
    return named


def _remember(package: Package) -> None:
    """Note a package that was given by its path: its content says whether it is real."""
    own = package.origin == known.OWN
    fetched = [entry for entry in registry.records() if entry.key == f"model/{package.name}"]
    if not own and any(entry.invented == package.invented for entry in fetched):
        return
    registry.remember(
        registry.Record(
            key=str(package.folder),
            origin="portal" if package.origin == "NMC portal" else package.origin,
            sha256=package.content_sha256,
            size_bytes=sum(p.stat().st_size for p in package.folder.rglob("*") if p.is_file()),
            invented=package.invented,
            release="" if own or package.invented else package.version,
            trust="format" if own else "sample" if package.invented else "catalogue",
            path=package.folder,
            confirmed=not own,
        )
    )


def load_package(model: AnyModel, *, trust: bool = False) -> Package:
    """Read a me-type package.

    Parameters
    ----------
    model : str, path, Model or Package
        A model's name, fetched through the source if need be; or where a package lies: its
        folder, unpacked, the folder around it, or its zip.  A text that names something on
        disk is a path.
    trust : bool
        Let the package's code run although it is none of the known packages: its MOD files
        would be compiled, its HOC and Python files run, with the rights of the caller.

    Returns
    -------
    Package

    Raises
    ------
    UnknownNameError
        No such model, and nothing of that name on disk.
    PackageError
        A file is missing or does not hold what its format promises; names package and file.

    Examples
    --------
    >>> package = nmc.load_package("L1_HAC_cNAC187_1")  # doctest: +SKIP
    >>> package.mtype, package.etype, package.celsius  # doctest: +SKIP
    ('L1_HAC', 'cNAC', 34.0)
    """
    return as_package(model, trust=trust)


def read_package(folder: Path, *, trust: bool = False) -> Package:
    """Read the package that stands unpacked in a folder."""
    folder = Path(folder).resolve()
    package = _read_package(folder, tuple(registry.file_hashes(folder).items()))
    return as_package(package, trust=trust)


@lru_cache(maxsize=8)
def _read_package(folder: Path, contents: tuple[tuple[str, str], ...]) -> Package:
    """Read a package whose files have these hashes; remembered while they have."""
    hashes = dict(contents)
    if odd := [path for path, found in hashes.items() if found == registry.NOT_PLAIN]:
        raise PackageError(
            f"{folder.name}: {odd[0]} is a link, or no file at all; a package holds plain files "
            "only (cp -rL makes a copy with the files in place of the links)."
        )
    digest = registry.content_digest(hashes)
    found = known.find(digest)
    files = Files(found.model if found else folder.name, folder)
    template = package_files.read_template(files)
    mtype, etype = package_files.read_types(files, template)
    hold, steps = package_files.read_currents(files)
    mechanisms, biophysics = package_files.read_biophysics(files)
    mods = {p.stem: p for p in sorted((folder / "mechanisms").glob("*.mod"))}
    inserted = {name for part in mechanisms.values() for name in part}
    if missing := ", ".join(sorted(inserted - set(mods) - BUILT_IN)):
        files.refuse("biophysics.hoc", f"inserts {missing}, but mechanisms/ has no such MOD file.")
    celsius, dt_ms = package_files.read_constants(files)
    mtypes = package_files.read_mtype_map(files)
    morphology = package_files.read_morphology_path(files)
    tree = read_reconstruction(morphology, files.name, known=found is not None)
    sections = tree.count()
    hoc = files.hoc("template.hoc")
    if _STUB in hoc and hoc.count("replace_axon") != 1:  # what is defined is called, too
        sections["axon"] = AXON_STUB
    return Package(
        name=files.name,
        model=_model(files.name, mtype, etype),
        mtype=mtype,
        etype=etype,
        folder=folder,
        template=template,
        gid=package_files.read_gid(files),
        morphology=morphology,
        reconstruction=tree,
        mechanisms=MappingProxyType(mechanisms),
        mods=MappingProxyType(mods),
        hold_nA=hold,
        steps_nA=steps,
        celsius=celsius,
        dt_ms=dt_ms,
        licence=files.start("LICENSE"),
        version=files.start("VERSION").strip(),
        content_sha256=digest,
        origin=found.origin if found else known.OWN,
        invented=found.origin == "sample" if found else _says_synthetic(files),
        trusted=found is not None,
        sections=MappingProxyType(sections),
        _hashes=MappingProxyType(hashes),
        _biophysics=biophysics,
        _mtypes=MappingProxyType(mtypes),
        _synapses=package_files.read_synapses(files, mtypes, sections)
        if files.has(_SYNAPSES_FILE)
        else None,
    )


def _as_path(model: Any) -> Path | None:
    """Where a package lies, or None for the name of a model."""
    if isinstance(model, names.Model):
        return None
    try:
        path = Path(model).expanduser()
        there = model != "" and path.exists()
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise UnknownNameError(f"{model!r} is neither a model nor a path: {error}.") from error
    if not there and (isinstance(model, os.PathLike) or str(model) != path.stem):
        raise PackageError(f"There is no package at {path}.")
    return path if there else None


def _model(name: str, mtype: str, etype: str) -> names.Model | None:
    """The model that a name stands for, where the package's files are of its types."""
    try:
        model = names.parse_model(name)
    except UnknownNameError:
        return None
    return model if (model.mtype, model.etype) == (mtype, etype) else None


def _says_synthetic(files: Files) -> bool:
    """Whether an own package was made from one of the sample's, as its files say."""
    told = ["LICENSE", "README", *(p.name for p in sorted(files.folder.glob("*.hoc")))]
    return any("synthetic me-type package" in files.start(file) for file in told) or (
        "This package is synthetic" in files.start("LICENSE")
    )
