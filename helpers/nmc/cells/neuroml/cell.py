"""The NeuroML2 version of a cell: shape, channel densities, calcium, input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

import nmc
from nmc import names
from nmc.cells.neuroml.elements import (
    NeuroMLChannel,
    local,
    mechanism_of,
    parse_xml,
    quantity,
    read_bytes,
    read_channel,
    the_one,
)
from nmc.data import available, fetch_folder, fetch_record
from nmc.errors import FormatError, MissingFileError, UnknownNameError, explained
from nmc.numbers import as_counts, as_numbers, evaluate_formula

#: Archives that hold cells, in the order in which they are looked through: the public conversion
#: of 13 cells, and the portal's own.
KEYS = ("neuroml/subset", "neuroml/all")
#: Section lists of the packages: segment groups of the same names in NeuroML2.
GROUPS = ("somatic", "basal", "apical", "axonal")
#: What origin says of a file that no archive of the source holds.
OWN = "own file"
_TEMPLATE = re.compile(r"([a-zA-Z]+\d+)_(L\w+)_[0-9a-f]{10}")


@explained
@dataclass(frozen=True, eq=False, repr=False)
class NeuroMLCell:
    """A cell in NeuroML2, immutable; tables are handed out as copies.

    Attributes
    ----------
    name, model : str
        The cell's ``id``, and the package that it was converted from; empty for a bare file.
    path : pathlib.Path
        The ``*.cell.nml`` file; channels lie beside it.
    v_init_mV : float
        Start voltage.
    origin, invented : str, bool
        Origin of its archive, or *own file*; whether its numbers are synthetic.
    """

    name: str
    model: str
    path: Path
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
        beside = self.path.parent
        return {name: read_channel(beside / f"{name}.channel.nml") for name in self.channels}

    def channel(self, name: str) -> NeuroMLChannel:
        """Return one of the cell's channels."""
        UnknownNameError.check(f"channel of {self.name}", [name], self.channels)
        return self._channels[name]

    @property
    def step_net(self) -> Path | None:
        """The LEMS file that runs this cell under the packages' third step, where there is one."""
        net = f"{_template(self.path)}.stepcurrent3.net.nml"
        for path in sorted(self.path.parent.glob("LEMS_*.xml")):
            if net in path.read_text("utf-8", "replace"):
                return path
        return None


def _template(path: Path) -> str:
    """Name of the template of a cell's package, which its file bears."""
    return path.name.removesuffix(".cell.nml").removesuffix("_0_0")


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
            template = _template(path)
            types = _TEMPLATE.fullmatch(template)
            etype_id, mtype = types.groups() if types else ("", "")
            step_net = (path.parent / f"{template}.stepcurrent3.net.nml").is_file()
            rows.append((template, etype_id, mtype, step_net, path.name))
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


def _folders(progress: bool) -> Iterator[tuple[str, Path]]:
    """Unpacked archives of the source, the subset first; at least one must be there."""
    for key in [key for key in KEYS if available(key)] or KEYS[:1]:
        yield key, fetch_folder(key, progress=progress)


def read_cell(path: str | os.PathLike, model: str = "", *, key: str = "") -> NeuroMLCell:
    """Read the one cell of a file, of the package `model`; `key`'s record says where it is from."""
    path = Path(path)
    content = read_bytes(path)
    root, cell = the_one(path, content, "cell", "cell")
    inside = "{*}biophysicalProperties/{*}"
    morphology, membrane, cytoplasm = map(
        cell.find,
        ("{*}morphology", f"{inside}membraneProperties", f"{inside}intracellularProperties"),
    )
    if morphology is None or membrane is None or cytoplasm is None:
        raise FormatError(f"{path.name}: the cell has no morphology or no biophysical properties.")
    start = membrane.find("{*}initMembPotential")
    record = fetch_record(key) if key else None
    return NeuroMLCell(
        name=cell.get("id"),
        model=model,
        path=path,
        v_init_mV=np.nan if start is None else quantity(start.get("value"), "mV", where=path.name),
        origin=record.origin if record else OWN,
        # An own file may be a copy of one of the sample's: its text says so.
        invented=record.invented if record else b"synthetic" in content[:4096],
        _densities=_densities(path, membrane, cytoplasm, _pools(path, root)),
        _segments=_segments(path, morphology),
    )


def _segments(path: Path, morphology) -> pd.DataFrame:
    groups = {group.get("id"): group for group in morphology.findall("{*}segmentGroup")}
    of: dict[str, str] = {}
    for name in GROUPS:
        for member in _members(groups, name):
            of.setdefault(member, name)
    segments = morphology.findall("{*}segment")
    distal = {s.get("id"): s.find("{*}distal") for s in segments}
    if not segments or len(distal) < len(segments):
        raise FormatError(f"{path.name} holds no segment, or two of one number.")
    rows = []
    for segment in segments:
        before, near = segment.find("{*}parent"), segment.find("{*}proximal")
        parent = "-1" if before is None else before.get("segment")
        ends = [distal.get(parent) if near is None else near, distal[segment.get("id")]]
        if None in ends:
            raise FormatError(
                f"{path.name}: segment {segment.get('id')} has no beginning or no end."
            )
        places = [end.get(k) for end in ends for k in "xyz"]
        rows.append([segment.get("id"), parent, *places, *(end.get("diameter") for end in ends)])
    places = [f"{k}{i}_um" for i in (0, 1) for k in "xyz"]
    columns = ["segment", "parent", *places, "d0_um", "d1_um"]
    found = {}
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        where = f"{path.name}: {column} of the segments"
        if column.endswith("_um"):
            low = 0 if column[0] == "d" else -np.inf
            found[column] = as_numbers(values, where=where, low=low)
        else:
            found[column] = as_counts(values, where=where, low=-1)
    table = pd.DataFrame(found).set_index("segment")
    table.insert(1, "group", pd.array([of.get(s.get("id")) for s in segments], dtype="str"))
    near, far = (table[[f"{k}{i}_um" for k in "xyz"]].to_numpy() for i in (0, 1))
    length = np.linalg.norm(far - near, axis=1)
    d0, d1 = table["d0_um"], table["d1_um"]
    table["length_um"] = length
    table["area_um2"] = np.pi / 2 * (d0 + d1) * np.hypot(length, (d0 - d1) / 2)
    table["volume_um3"] = np.pi / 12 * length * (d0**2 + d0 * d1 + d1**2)
    return table


def _members(groups: Mapping, first: str) -> list[str]:
    """Segments of a group and of the groups that it includes, each group once."""
    found, seen, waiting = [], set(), [first]
    while waiting:
        name = waiting.pop()
        if name in groups and name not in seen:
            seen.add(name)
            found += [m.get("segment") for m in groups[name].findall("{*}member")]
            waiting += [i.get("segmentGroup") for i in groups[name].findall("{*}include")]
    return found


def _densities(path: Path, membrane, cytoplasm, pools: Mapping[str, Mapping]) -> pd.DataFrame:
    """Channel densities, cable properties and calcium pools; see `NeuroMLCell.densities`."""
    rows: list[tuple] = []

    def add(place, channel, parameter, value, unit, printed, text=None, mechanism=None) -> None:
        if not isinstance(value, float):
            value = quantity(value, unit or None, where=f"{path.name}: {parameter}")
        mechanism = mechanism_of(channel) if mechanism is None else mechanism
        text = f"{value:.10g}" if text is None else text
        group = place.get("segmentGroup", "all")
        rows.append((group, mechanism, channel, parameter, value, text, printed))

    for density in membrane.iterchildren("{*}*"):
        kind, channel = local(density.tag), density.get("ionChannel", "")
        where = f"{path.name}: {kind} {density.get('id')}"
        if kind in ("channelDensity", "channelDensityNernst"):
            add(density, channel, "g", density.get("condDensity"), "S_per_cm2", "S/cm2")
            if kind == "channelDensity":
                add(density, channel, "e", density.get("erev"), "mV", "mV")
        elif kind == "channelDensityNonUniform":
            for variable in density.findall("{*}variableParameter"):
                value, text = _along(variable.find("{*}inhomogeneousValue"), where)
                add(variable, channel, "g", value, "S_per_cm2", "S/cm2", text)
                add(variable, channel, "e", density.get("erev"), "mV", "mV")
        elif kind.startswith("channelDensity"):
            raise FormatError(f"{where}: densities of this kind are not known.")
        elif kind == "specificCapacitance":
            add(density, "", "cm", density.get("value"), "uF_per_cm2", "uF/cm2")
    for resistivity in cytoplasm.findall("{*}resistivity"):
        add(resistivity, "", "Ra", resistivity.get("value"), "ohm_cm", "ohm cm")
    for species in cytoplasm.findall("{*}species"):
        name = species.get("concentrationModel")
        if name not in pools:
            raise FormatError(
                f"{path.name}: the concentration model {name!r} is in none of the files beside "
                "the cell."
            )
        for parameter, unit in (("gamma", ""), ("decay", "ms")):
            if said := pools[name].get(parameter):
                add(species, "", parameter, said, unit, unit, mechanism="CaDynamics_E2")
    columns = ["section_list", "mechanism", "channel", "parameter", "value", "formula", "unit"]
    return pd.DataFrame(rows, columns=columns)


def _along(value, where: str) -> tuple[float, str]:
    """Density (NaN where it varies) and formula in S/cm²: the file has S/m² over p, in µm."""
    text = re.sub(r"\bp\b", "d", "" if value is None else value.get("value", ""))
    text = f"({text})*1e-4"
    ends = evaluate_formula(text, {"d": np.array([0.0, 500.0])}, where=where)
    near, far = as_numbers(np.broadcast_to(ends, 2).astype(float), where=where)
    return (float(near) if near == far else np.nan), text


def _pools(path: Path, root) -> dict[str, dict[str, str]]:
    """Attributes of the calcium pools that the file and the others that it includes define."""
    names = {element.get("href") for element in root.findall("{*}include")}
    files = [p for p in path.parent.glob("*.nml") if p.name in names and "channel" not in p.name]
    roots = [root, *(parse_xml(file).getroot() for file in files)]
    kinds = ("{*}concentrationModel", "{*}decayingPoolConcentrationModel")
    return {e.get("id"): dict(e.attrib) for one in roots for e in one.iter(*kinds)}
