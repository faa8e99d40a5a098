"""The NeuroML2 version of a cell, read by libNeuroML: shape, channel densities, calcium, input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

import nmc
from nmc import names
from nmc.cells import formula
from nmc.cells.neuroml.channel import (
    NeuroMLChannel,
    mechanism_of,
    quantity,
    read_channel,
    read_document,
)
from nmc.data import available, fetch_folder, fetch_record
from nmc.errors import FormatError, MissingFileError, UnknownNameError
from nmc.numbers import as_numbers

#: Archives that hold cells, in the order in which they are looked through: the public conversion
#: of 13 cells, and the portal's own.
KEYS = ("neuroml/subset", "neuroml/all")
#: Section lists of the packages: segment groups of the same names in NeuroML2.
GROUPS = ("somatic", "basal", "apical", "axonal")
#: What origin says of a file that no archive of the source holds.
OWN = "own file"
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
    origin : str
        Where the file comes from: the origin of its archive, or *own file*.
    invented : bool
        Whether its numbers are synthetic.
    """

    name: str
    model: str
    path: Path
    properties: Mapping[str, str]
    v_init_mV: float
    origin: str
    invented: bool
    _densities: pd.DataFrame
    _segments: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"NeuroMLCell({self.name}: {self.origin}, {len(self._segments):,} segments, "
            f"{len(self.channels)} channels)"
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
        if name not in self.channels:
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
    for _, folder in _folders(progress):
        for path in sorted(folder.rglob("*.cell.nml")):
            found = _CELL.fullmatch(path.name)
            template = found["template"] if found else path.name.removesuffix(".cell.nml")
            types = _TEMPLATE.fullmatch(template)
            rows.append(
                {
                    "cell": template,
                    "etype_id": types[1] if types else "",
                    "mtype": types[2] if types else "",
                    "step_net": (path.parent / f"{template}.stepcurrent3.net.nml").is_file(),
                    "file": path.name,
                }
            )
    columns = ["cell", "etype_id", "mtype", "step_net", "file"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates("cell").set_index("cell")


def load_neuroml(model: str | names.Model | Path, *, progress: bool = True) -> NeuroMLCell:
    """Read the NeuroML2 version of a me-type model.

    It is found by the name of the package's template, which both bear.

    Parameters
    ----------
    model : str, Model or pathlib.Path
        A model's name; its NeuroML2 version and its package are fetched through the source. Or
        the path of a ``*.cell.nml`` file.
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
        The source has no NeuroML2 version of this model; names those it has.
    FormatError
        The file is no NeuroML2 cell.
    MissingLibraryError
        libNeuroML is not installed.
    """
    if isinstance(model, Path) or str(model).endswith(".nml"):
        return read_cell(Path(str(model)))
    package = nmc.load_package(model)
    for key, folder in _folders(progress):
        for name in (f"{package.template}_0_0.cell.nml", f"{package.template}.cell.nml"):
            for path in sorted(folder.rglob(name)):
                return read_cell(path, package.name, key=key)
    have = ", ".join(list_neuroml(progress=False).index)
    raise MissingFileError(
        f"The source has no NeuroML2 version of {package.name} (template {package.template}); "
        f"it has {have}."
    )


def load_neuroml_channel(name: str | Path, *, progress: bool = True) -> NeuroMLChannel:
    """Read an ion channel in NeuroML2, e.g. ``Ih``.

    Parameters
    ----------
    name : str or pathlib.Path
        The file's name without ``.channel.nml``, or the path of such a file.
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
    if isinstance(name, Path) or name.endswith(".nml"):
        return read_channel(Path(name))
    known: list[str] = []
    for _, folder in _folders(progress):
        paths = sorted(folder.rglob("*.channel.nml"))
        known += [path.name.removesuffix(".channel.nml") for path in paths]
        for path in paths:
            if path.name == f"{name}.channel.nml":
                return read_channel(path)
    raise UnknownNameError.of("NeuroML2 channel", name, known)


def _folders(progress: bool) -> Iterator[tuple[str, Path]]:
    """Unpacked archives of the source, the subset first; at least one must be there."""
    for key in [key for key in KEYS if available(key)] or KEYS[:1]:
        yield key, fetch_folder(key, progress=progress)


def channel_file(folder: Path, name: str) -> Path:
    """File of a channel beside a cell's."""
    path = folder / f"{name}.channel.nml"
    if not path.is_file():
        raise MissingFileError(
            f"The NeuroML2 channel {name!r} is missing: there is no {path.name} beside the cell "
            f"(looked in {folder}). Fetch the archive again."
        )
    return path


def read_cell(path: str | os.PathLike, model: str = "", *, key: str = "") -> NeuroMLCell:
    """Read the one cell of a ``*.cell.nml`` file; see `load_neuroml`.

    Parameters
    ----------
    path : path
        The file.
    model : str
        Name of the package that it was converted from.
    key : str
        Catalogue key of the archive that holds the file; its record says where it comes from.
    """
    path = Path(path)
    document = read_document(path)
    if len(document.cells) != 1:
        raise FormatError(f"{path.name} holds {len(document.cells)} cells, not one.")
    cell = document.cells[0]
    biophysics = cell.biophysical_properties
    parts = (cell.morphology, biophysics, getattr(biophysics, "membrane_properties", None),
             getattr(biophysics, "intracellular_properties", None))  # fmt: skip
    if None in parts:
        raise FormatError(f"{path.name}: the cell has no morphology or no biophysical properties.")
    start = biophysics.membrane_properties.init_memb_potentials
    record = fetch_record(key) if key else None
    return NeuroMLCell(
        name=cell.id,
        model=model,
        path=path,
        properties=MappingProxyType({p.tag: p.value for p in cell.properties}),
        v_init_mV=quantity(start[0].value, "mV", where=path.name) if start else np.nan,
        origin=record.origin if record else OWN,
        # An own file may be a copy of one of the sample's: its text says so.
        invented=record.invented if record else b"synthetic" in path.read_bytes()[:4096],
        _densities=_densities(path, cell),
        _segments=_segments(path, cell.morphology),
    )


def _segments(path: Path, morphology) -> pd.DataFrame:
    groups = {group.id: group for group in morphology.segment_groups}
    of: dict[int, str] = {}
    for name in GROUPS:
        for member in _members(groups, name):
            of.setdefault(member, name)
    distal = {s.id: s.distal for s in morphology.segments}
    rows = []
    for segment in morphology.segments:
        parent = segment.parent.segments if segment.parent is not None else -1
        near = segment.proximal or distal.get(parent)
        if near is None or segment.distal is None:
            raise FormatError(f"{path.name}: segment {segment.id} has no beginning or no end.")
        ends = [getattr(end, k) for end in (near, segment.distal) for k in ("x", "y", "z")]
        rows.append([segment.id, parent, *ends, near.diameter, segment.distal.diameter])
    columns = [
        "segment",
        "parent",
        *(f"{k}{i}_um" for i in (0, 1) for k in "xyz"),
        "d0_um",
        "d1_um",
    ]
    if not rows or len(distal) < len(rows):
        raise FormatError(f"{path.name} holds no segment, or two of one number.")
    values = zip(columns, zip(*rows, strict=True), strict=True)
    table = pd.DataFrame(
        {c: as_numbers(v, where=f"{path.name}: {c} of the segments") for c, v in values}
    ).astype({"segment": int, "parent": int})
    table = table.set_index("segment")
    table.insert(1, "group", table.index.map(of).astype("str"))
    near, far = (table[[f"{k}{i}_um" for k in "xyz"]].to_numpy() for i in (0, 1))
    length = np.linalg.norm(far - near, axis=1)
    d0, d1 = table["d0_um"], table["d1_um"]
    table["length_um"] = length
    table["area_um2"] = np.pi / 2 * (d0 + d1) * np.hypot(length, (d0 - d1) / 2)
    table["volume_um3"] = np.pi / 12 * length * (d0**2 + d0 * d1 + d1**2)
    return table


def _members(groups: Mapping, first: str) -> list[int]:
    """Segments of a group and of the groups that it includes, each group once."""
    found, seen, waiting = [], set(), [first]
    while waiting:
        name = waiting.pop()
        if name in groups and name not in seen:
            seen.add(name)
            found += [member.segments for member in groups[name].members]
            waiting += [include.segment_groups for include in groups[name].includes]
    return found


def _densities(path: Path, cell) -> pd.DataFrame:
    """Channel densities, cable properties and calcium pools; see `NeuroMLCell.densities`."""
    rows: list[tuple] = []

    def add(group: str | None, channel: str, parameter: str, value: float, unit: str,
            text: str | None = None, mechanism: str | None = None) -> None:  # fmt: skip
        mechanism = mechanism_of(channel) if mechanism is None else mechanism
        text = f"{value:.10g}" if text is None else text
        rows.append((group or "all", mechanism, channel, parameter, value, text, unit))

    def read(value, unit: str | None = None) -> float:
        return quantity(value, unit, where=path.name)

    membrane = cell.biophysical_properties.membrane_properties
    inside = cell.biophysical_properties.intracellular_properties
    for density in [*membrane.channel_densities, *membrane.channel_density_nernsts]:
        group, channel = density.segment_groups, density.ion_channel
        add(group, channel, "g", read(density.cond_density) / 1e4, "S/cm2")
        if hasattr(density, "erev"):
            add(group, channel, "e", read(density.erev, "mV"), "mV")
    for density in membrane.channel_density_non_uniforms:
        for variable in density.variable_parameters:
            # The file counts in S/m² over the path length p (µm).
            text = re.sub(r"\bp\b", "d", str(variable.inhomogeneous_value.value))
            text = f"({text})*1e-4"
            where = f"{path.name}: {density.id}"
            ends = formula.evaluate(text, {"d": np.array([0.0, 500.0])}, where=where)
            near, far = as_numbers(np.broadcast_to(ends, 2).astype(float), where=where)
            group, channel = variable.segment_groups, density.ion_channel
            add(group, channel, "g", near if near == far else np.nan, "S/cm2", text)
            add(group, channel, "e", read(density.erev, "mV"), "mV")
    for capacitance in membrane.specific_capacitances:
        add(capacitance.segment_groups, "", "cm", read(capacitance.value, "uF_per_cm2"), "uF/cm2")
    for resistivity in inside.resistivities:
        add(resistivity.segment_groups, "", "Ra", read(resistivity.value, "ohm_cm"), "ohm cm")
    pools = _pools(path)
    for species in inside.species:
        if species.concentration_model not in pools:
            raise FormatError(
                f"{path.name}: the concentration model {species.concentration_model!r} is in none "
                "of the files beside the cell."
            )
        model = pools[species.concentration_model]
        for name, unit, printed in (("gamma", None, ""), ("decay", "ms", "ms")):
            if name in model:
                value = read(model[name], unit)
                add(species.segment_groups, "", name, value, printed, mechanism="CaDynamics_E2")
    columns = ["section_list", "mechanism", "channel", "parameter", "value", "formula", "unit"]
    return pd.DataFrame(rows, columns=columns)


def _pools(path: Path) -> dict[str, dict[str, str]]:
    """Calcium pools: libNeuroML knows no such component type, so the files are asked."""
    found: dict[str, dict[str, str]] = {}
    included = [
        path.parent / str(element.get("href", ""))
        for element in parse_xml(path).iter("{*}include")
        if "channel" not in element.get("href", "")
    ]
    for file in [path, *included]:
        if file.resolve().is_relative_to(path.parent.resolve()) and file.is_file():
            kinds = ("{*}concentrationModel", "{*}decayingPoolConcentrationModel")
            found |= {e.get("id"): dict(e.attrib) for e in parse_xml(file).iter(*kinds)}
    return found


def parse_xml(path: Path, content: bytes | None = None):
    """Parse an XML file without its entities and without a network; FormatError if it is none."""
    from lxml import etree

    content = path.read_bytes() if content is None else content
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return etree.fromstring(content, parser).getroottree()
    except etree.XMLSyntaxError as error:
        raise FormatError(f"{path.name} cannot be read as XML: {error}.") from error
