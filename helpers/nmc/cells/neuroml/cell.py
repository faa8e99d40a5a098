"""The NeuroML2 twin of a cell, read by libNeuroML: shape, channel densities, calcium, input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.neuroml import lems
from nmc.cells.neuroml.channel import NeuroMLChannel, read_channel
from nmc.errors import FormatError, MissingFileError, MissingLibraryError, UnknownNameError

#: Where twins are looked for, in order: the public conversion of 13 cells, and the portal's own
#: archive.
KEYS = ("neuroml/subset", "neuroml/all")
#: Section lists of the packages: segment groups of the same names in their twins.
GROUPS = ("somatic", "basal", "apical", "axonal")
_CELL = re.compile(r"(?P<template>\w+?)(?:_0_0)?\.cell\.nml")
_TEMPLATE = re.compile(r"([a-zA-Z]+\d+)_(L\w+)_[0-9a-f]{10}")


@dataclass(frozen=True, eq=False, repr=False)
class NeuroMLCell:
    """A cell in NeuroML2, immutable; tables are handed out as copies.

    Attributes
    ----------
    name : str
        The cell's ``id``.
    model : str
        Name of the package that it was converted from; empty when read from a bare file.
    path : pathlib.Path
        The ``*.cell.nml`` file; channels lie beside it.
    properties : mapping of str to str
        What the file says of the cell's origin.
    v_init_mV : float
        Start voltage.
    species : tuple of dict
        One entry a calcium pool: segment group, model and its parameters.
    """

    name: str
    model: str
    path: Path
    properties: Mapping[str, str]
    v_init_mV: float
    _densities: pd.DataFrame
    _segments: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"NeuroMLCell({self.name}: {len(self._segments):,} segments, "
            f"{self._densities['channel'].nunique()} channels)"
        )

    @property
    def densities(self) -> pd.DataFrame:
        """One row a parameter and segment group, as `nmc.cells.package.Package.biophysics`.

        Columns ``section_list``, ``mechanism`` (the packages' name of the channel; empty for
        cable properties), ``channel`` (the file's name), ``parameter``, ``value`` (NaN where it
        varies with distance), ``formula`` (in ``d``, the path distance from the root in µm) and
        ``unit``.
        """
        return self._densities.copy()

    @property
    def segments(self) -> pd.DataFrame:
        """One row a segment.

        Columns ``parent`` (−1 for the root), ``group`` (section list), ``x0_um`` … ``d0_um``
        (near end and its diameter), ``x1_um`` … ``d1_um`` (far end), ``length_um``,
        ``area_um2`` (side of the frustum); index ``segment``.
        """
        return self._segments.copy()

    @property
    def morphology(self) -> pd.DataFrame:
        """Segments, length (µm), membrane area and volume by section list."""
        grouped = self._segments.groupby("group", observed=True)
        table = grouped[["length_um", "area_um2", "volume_um3"]].sum()
        table.insert(0, "segments", grouped.size())
        return table.reindex([g for g in GROUPS if g in table.index])

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, as the cell's file calls them."""
        return tuple(sorted(set(self._densities["channel"]) - {""}))

    @cached_property
    def _channels(self) -> Mapping[str, NeuroMLChannel]:
        return {name: read_channel(channel_file(self.path.parent, name)) for name in self.channels}

    def channel(self, name: str) -> NeuroMLChannel:
        """Return one of the cell's channels."""
        if name not in self._channels:
            raise UnknownNameError.of(f"channel of {self.name}", name, self.channels)
        return self._channels[name]

    @property
    def step_net(self) -> Path | None:
        """The LEMS file that runs this cell under the packages' third step, where there is one."""
        stem = self.path.name.removesuffix("_0_0.cell.nml").removesuffix(".cell.nml")
        net = f"{stem}.stepcurrent3.net.nml"
        for path in sorted(self.path.parent.glob("LEMS_*.xml")):
            if net in path.read_text("utf-8", "replace"):
                return path
        return None


def list_neuroml(*, progress: bool = True) -> pd.DataFrame:
    """List the NeuroML2 cells that the source holds.

    Parameters
    ----------
    progress : bool
        Show a progress bar while the archive is fetched.

    Returns
    -------
    pandas.DataFrame
        Index ``cell`` (its template's name in the package); ``etype_id``, ``mtype``,
        ``step_net`` (whether a step-current net stands beside it), ``file``.

    Raises
    ------
    MissingFileError
        The source holds no NeuroML2 files.
    """
    rows = []
    for folder in _folders(progress):
        for path in sorted(folder.rglob("*.cell.nml")):
            found = _CELL.fullmatch(path.name)
            template = found["template"] if found else path.name.removesuffix(".cell.nml")
            etype_id, mtype = _types(template)
            rows.append(
                {
                    "cell": template,
                    "etype_id": etype_id,
                    "mtype": mtype,
                    "step_net": (path.parent / f"{template}.stepcurrent3.net.nml").is_file(),
                    "file": path.name,
                }
            )
    return pd.DataFrame(rows).drop_duplicates("cell").set_index("cell")


def _types(template: str) -> tuple[str, str]:
    """Electrical model and m-type in a template's name; empty for a cell of another kind."""
    found = _TEMPLATE.fullmatch(template)
    return (found[1], found[2]) if found else ("", "")


def load_neuroml(model: str | names.Model | Path, *, progress: bool = True) -> NeuroMLCell:
    """Read the NeuroML2 twin of a me-type model.

    A twin is found by the name of its package's template, which both bear.

    Parameters
    ----------
    model : str, Model or pathlib.Path
        A model's name; its twin and its package are fetched through the source. Or the path of
        a ``*.cell.nml`` file.
    progress : bool
        Show a progress bar for a download.

    Returns
    -------
    NeuroMLCell

    Raises
    ------
    UnknownNameError
        No such model.
    MissingFileError
        The source has no twin of this model; names those it has.
    FormatError
        The file is no NeuroML2 cell.
    MissingLibraryError
        libNeuroML is not installed.
    """
    if isinstance(model, Path):
        return read_cell(model)
    from nmc.cells.package import load_package

    package = load_package(model)
    for folder in _folders(progress):
        for name in (f"{package.template}_0_0.cell.nml", f"{package.template}.cell.nml"):
            for path in sorted(folder.rglob(name)):
                return read_cell(path, package.name)
    have = ", ".join(list_neuroml(progress=False).index)
    raise MissingFileError(
        f"The source has no NeuroML2 twin of {package.name} (template {package.template}); "
        f"it has {have}."
    )


def load_neuroml_channel(name: str, *, progress: bool = True) -> NeuroMLChannel:
    """Read an ion channel in NeuroML2, e.g. ``Ih``.

    Parameters
    ----------
    name : str
        The file's name without ``.channel.nml``.
    progress : bool
        Show a progress bar while the archive is fetched.

    Returns
    -------
    NeuroMLChannel

    Raises
    ------
    MissingFileError
        The source holds no NeuroML2 files.
    UnknownNameError
        The source has no such channel.
    FormatError
        The file is no NeuroML2 channel.
    MissingLibraryError
        libNeuroML is not installed.
    """
    known: list[str] = []
    for folder in _folders(progress):
        paths = sorted(folder.rglob("*.channel.nml"))
        known += [path.name.removesuffix(".channel.nml") for path in paths]
        for path in paths:
            if path.name == f"{name}.channel.nml":
                return read_channel(path)
    raise UnknownNameError.of("NeuroML2 channel", name, known)


def _folders(progress: bool):
    """Unpacked archives of the source, the subset first; at least one must be there."""
    from nmc.data import available, fetch_folder

    keys = [key for key in KEYS if available(key)] or [KEYS[0]]
    return [fetch_folder(key, progress=progress) for key in keys]


def channel_file(folder: Path, name: str) -> Path:
    """File of a channel beside a cell's."""
    path = folder / f"{name}.channel.nml"
    if not path.is_file():
        raise MissingFileError(
            f"The NeuroML2 channel {name!r} is missing: there is no {path.name} beside the cell "
            f"(looked in {folder}). Fetch the archive again."
        )
    return path


def read_document(path: Path):
    """Parse a NeuroML2 file with libNeuroML; nothing that it includes is read."""
    try:
        from neuroml.loaders import NeuroMLLoader
    except ImportError as error:
        raise MissingLibraryError(
            "Reading NeuroML2 needs libNeuroML: pip install 'nmc[neuroml]'."
        ) from error
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"There is no NeuroML2 file {path}.")
    try:
        document = NeuroMLLoader.load(str(path))
    except Exception as error:  # libNeuroML lets lxml's, its own and AttributeErrors through
        first = str(error).strip().partition("\n")[0]
        raise FormatError(f"{path.name} cannot be read as NeuroML2: {first}.") from error
    if type(document).__name__ != "NeuroMLDocument":
        raise FormatError(f"{path.name} is no NeuroML2 document.")
    return document


def read_cell(path: Path, model: str = "") -> NeuroMLCell:
    """Read the one cell of a ``*.cell.nml`` file; see `load_neuroml`."""
    document = read_document(path)
    if len(document.cells) != 1:
        raise FormatError(f"{path.name} holds {len(document.cells)} cells, not one.")
    cell = document.cells[0]
    if cell.morphology is None or cell.biophysical_properties is None:
        raise FormatError(f"{path.name}: the cell has no morphology or no biophysical properties.")
    from nmc.cells.neuroml.biophysics import read_densities

    membrane = cell.biophysical_properties.membrane_properties
    start = [lems.quantity(v.value, "mV") for v in membrane.init_memb_potentials]
    return NeuroMLCell(
        name=cell.id,
        model=model,
        path=Path(path),
        properties=MappingProxyType({p.tag: p.value for p in cell.properties}),
        v_init_mV=start[0] if start else np.nan,
        _densities=read_densities(Path(path), cell),
        _segments=_segments(Path(path), cell.morphology),
    )


def _segments(path: Path, morphology) -> pd.DataFrame:
    groups = {group.id: group for group in morphology.segment_groups}
    of = {}
    for name in GROUPS:
        for member in _members(path, groups, name, set()):
            of.setdefault(member, name)
    distal = {s.id: s.distal for s in morphology.segments}
    rows = []
    for segment in morphology.segments:
        parent = segment.parent.segments if segment.parent is not None else -1
        near = segment.proximal or distal.get(parent)
        if near is None:
            raise FormatError(f"{path.name}: segment {segment.id} has no beginning.")
        ends = [getattr(end, k) for end in (near, segment.distal) for k in ("x", "y", "z")]
        rows.append([segment.id, parent, *ends, near.diameter, segment.distal.diameter])
    columns = ["segment", "parent", "x0_um", "y0_um", "z0_um", "x1_um", "y1_um", "z1_um"]
    table = pd.DataFrame(rows, columns=[*columns, "d0_um", "d1_um"]).set_index("segment")
    table = table.astype(float).astype({"parent": int})
    table.insert(1, "group", table.index.map(of).astype("str"))
    near, far = (table[[f"{k}{i}_um" for k in "xyz"]].to_numpy() for i in (0, 1))
    length = np.linalg.norm(far - near, axis=1)
    d0, d1 = table["d0_um"], table["d1_um"]
    table["length_um"] = length
    table["area_um2"] = np.pi / 2 * (d0 + d1) * np.hypot(length, (d0 - d1) / 2)
    table["volume_um3"] = np.pi / 12 * length * (d0**2 + d0 * d1 + d1**2)
    return table


def _members(path: Path, groups: Mapping, name: str, seen: set[str]) -> list[int]:
    """Segments of a group and of the groups that it includes."""
    if name not in groups or name in seen:
        return []
    seen.add(name)
    group = groups[name]
    own = [member.segments for member in group.members]
    return own + [m for i in group.includes for m in _members(path, groups, i.segment_groups, seen)]
