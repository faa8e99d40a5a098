"""NeuroML2 and LEMS files as XML elements: what is in them, whether they are known, ion channels.

Nothing of a file is ever run as code.  The rate laws are those of NeuroML2's core types
(``Channels.xml``); component types that a file defines itself are evaluated from their own LEMS
expressions (Cannon et al. 2014, Front. Neuroinform. 8:79).
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from lxml import etree

from nmc.cells.stimuli import check_bounds
from nmc.data.registry import sample_inner
from nmc.errors import FormatError, MissingFileError, ProtocolError, TrustError, explained
from nmc.numbers import as_count, as_number, as_numbers, evaluate_formula, shown

_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z_]\w*)?\s*")
#: NeuroML's unit symbols → SI (NeuroMLCoreDimensions); a temperature stays in degrees Celsius.
with (files("nmc.cells.neuroml") / "units.csv").open(encoding="utf-8") as _rows:
    _UNITS = {None: 1.0, **{row["unit"]: float(row["si"]) for row in csv.DictReader(_rows)}}
_WORDS = {
    ".lt.": "<", ".gt.": ">", ".leq.": "<=", ".geq.": ">=", ".le.": "<=", ".ge.": ">=",
    ".eq.": "==", ".neq.": "!=", ".and.": "&", ".or.": "|", "^": "**",
}  # fmt: skip


def read_bytes(path: Path) -> bytes:
    """Content of a file; MissingFileError when there is none that can be read."""
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise MissingFileError(
            f"There is no NeuroML2 file {path} that can be read. Fetch the archive again."
        ) from error


def parse_xml(path: Path, content: bytes | None = None) -> Any:
    """Tree of an XML file, without its entities and without a network; else FormatError."""
    content = read_bytes(path) if content is None else content
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return etree.fromstring(content, parser).getroottree()
    except etree.XMLSyntaxError as error:
        raise FormatError(f"{path.name} cannot be read as NeuroML2: {error}.") from error


def the_one(path: Path, content: bytes, what: str, *tags: str) -> tuple[Any, Any]:
    """Root of a NeuroML2 document, and the one element of some kinds that it holds."""
    root = parse_xml(path, content).getroot()
    if local(root.tag) != "neuroml":
        raise FormatError(f"{path.name} is no NeuroML2 document.")
    found = [element for tag in tags for element in root.findall(f"{{*}}{tag}")]
    if len(found) != 1:
        raise FormatError(f"{path.name} holds {len(found)} {what}s, not one.")
    if not found[0].get("id"):
        raise FormatError(f"{path.name}: the {what} has no id.")
    return root, found[0]


def local(tag: str) -> str:
    """Name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]


def quantity(text: str | None, unit: str | None = None, *, where: str = "NeuroML") -> float:
    """Value of ``"-85.0 mV"`` or ``"34 degC"`` in a unit, SI (and °C) unless given."""
    found = _QUANTITY.fullmatch(text) if text is not None and len(text) < 100 else None
    if not found or found[2] not in _UNITS:
        raise FormatError(f"{where}: {shown(text)} is not a quantity with a known unit.")
    value = as_number(found[1], where=where) * _UNITS[found[2]] / _UNITS[unit]
    return as_number(value, where=where)


def evaluate(
    expression: str | None, values: Mapping[str, Any], *, where: str = "NeuroML"
) -> np.ndarray:
    """Value of a LEMS expression, e.g. ``"V .lt. (-60)"``; see `nmc.numbers.evaluate_formula`."""
    text = str(expression)
    for word, sign in _WORDS.items():
        if sign in "&|" and word in text:  # they bind more loosely than comparisons
            text = sign.join(f"({part})" for part in text.split(word))
        text = text.replace(word, sign)
    return evaluate_formula(text, values, where=where)


#: Files of LEMS's own library, which jNeuroML brings.
CORE = ("Cells.xml", "Networks.xml", "Simulation.xml", "NeuroML2CoreTypes.xml", "Inputs.xml")
_FILE = re.compile(r"\w[\w.-]*\.(nml|xml)")


def read_sources(lems_file: Path) -> dict[str, bytes]:
    """Return the content of a LEMS file and of all that it includes, by name; read once."""
    found: dict[str, bytes] = {}
    waiting = [lems_file.name]
    while waiting:
        name = waiting.pop()
        if name in CORE or name in found:
            continue
        path = lems_file.parent / name
        if not _FILE.fullmatch(name):
            raise FormatError(
                f"{lems_file.name} includes {shown(name)}, which is no .nml or .xml file beside it."
            )
        if not path.is_file():
            raise MissingFileError(
                f"{lems_file.name} includes {name!r}, which is not beside it. Fetch the archive "
                "again."
            )
        found[name] = path.read_bytes()
        for element in parse_xml(path, found[name]).iter("*"):
            if local(element.tag).lower() == "include":
                said = {local(key).lower(): value for key, value in element.attrib.items()}
                waiting += [said[key] for key in ("file", "href", "url") if key in said]
    return found


def is_known(sources: Mapping[str, bytes]) -> bool:
    """Whether every file is the public conversion's or the sample's, by name and sha256."""
    known = _conversion() | sample_inner()
    return all((n, hashlib.sha256(c).hexdigest()) in known for n, c in sources.items())


def check_trusted(sources: Mapping[str, bytes], folder: Path) -> None:
    """Refuse files that are none of a known archive."""
    names = sorted(name for name in sources if not is_known({name: sources[name]}))
    if names:
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        raise TrustError(
            f"{', '.join(names[:6])}{more} in {folder}: not the files of a known NeuroML2 archive. "
            "Programs are written from them and run on this machine: read them, and pass "
            "trust=True if you trust them."
        )


@cache
def _conversion() -> frozenset[tuple[str, str]]:
    """Name and sha256 of the files of the public conversion's archive."""
    with (files("nmc.cells.neuroml") / "known_neuroml.csv").open(encoding="utf-8") as lines:
        return frozenset((row["file"], row["sha256"]) for row in csv.DictReader(lines))


#: Temperature at which the portal's models run, °C.
CELSIUS = 34.0
#: Suffix by which the conversion tells its deterministic stand-in from the random channel.
DETERMINISTIC = "_deterministic"
_PARTS = ("forwardRate", "reverseRate", "steadyState", "timeCourse")


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate of a channel: ``instances`` of it must be open at once.

    ``parts``: attributes of its ``forwardRate``, ``reverseRate``, ``steadyState``, ``timeCourse``;
    ``q10``: kind, factor, and temperature of the experiment (°C).
    """

    name: str
    instances: int
    q10: tuple[str, float, float] | None
    parts: Mapping[str, Mapping[str, str]]
    concentration: bool


@explained
@dataclass(frozen=True, eq=False, repr=False)
class NeuroMLChannel:
    """An ion channel of NeuroML2, immutable.

    Attributes
    ----------
    name : str
        Its ``id``.
    species : str
        Ion, as the file says; empty for a channel that selects none.
    gates : tuple of Gate
        Empty for a passive channel.
    path : pathlib.Path
        The file.
    """

    name: str
    species: str
    gates: tuple[Gate, ...]
    path: Path
    _types: Mapping[str, Any]

    def __repr__(self) -> str:
        gates = ", ".join(f"{gate.name}^{gate.instances}" for gate in self.gates)
        return f"NeuroMLChannel({self.name}: {gates or 'passive'})"

    def kinetics(self, v_mV, calcium_mM=5e-5, *, celsius: float = CELSIUS) -> pd.DataFrame:
        """Steady state and time constant of each gate.

        Parameters
        ----------
        v_mV, calcium_mM : array_like
            Voltages and calcium concentrations inside, of one shape or one of them a number.
        celsius : float
            Temperature, for the gates whose q10 depends on it.

        Returns
        -------
        pandas.DataFrame
            ``channel``, ``gate``, ``power``, ``v_mV``, ``calcium_mM``, ``steady_state``,
            ``tau_ms``: a row a gate and point.

        Raises
        ------
        FormatError
            A gate or rate law of a kind that is not known, or an expression that is not LEMS.
        """
        v, calcium = (
            as_numbers(np.ravel(values), where=where, error=ProtocolError)
            for where, values in {"v_mV": v_mV, "calcium_mM": calcium_mM}.items()
        )
        if len(v) != len(calcium) and 1 not in (len(v), len(calcium)):
            raise ProtocolError(f"v_mV and calcium_mM hold {len(v)} and {len(calcium)} numbers.")
        v, calcium = np.broadcast_arrays(v, calcium)
        celsius = check_bounds("celsius", celsius, "celsius")
        parts = []
        for gate in self.gates:
            steady, tau = self._gate(gate, v * 1e-3, calcium, celsius)
            told = {"channel": self.name, "gate": gate.name, "power": gate.instances}
            told |= {"v_mV": v, "calcium_mM": calcium}
            told |= {"steady_state": steady + 0 * v, "tau_ms": tau * 1e3 + 0 * v}
            parts.append(pd.DataFrame(told))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _gate(self, gate: Gate, v, calcium, celsius: float):
        """Steady state and time constant (s) as NeuroML2's gate types define them."""
        known = {"v": v, "caConc": calcium, "temperature": celsius + 273.15}
        rates = {
            short: self._law(gate, name, known)
            for name, short in (("forwardRate", "alpha"), ("reverseRate", "beta"))
            if name in gate.parts
        }
        known |= rates
        total = sum(rates.values())
        with np.errstate(all="ignore"):
            if "steadyState" in gate.parts:
                steady = self._law(gate, "steadyState", known)
            elif "alpha" in rates:
                steady = rates["alpha"] / total
            else:
                raise FormatError(
                    f"{self.path.name}: gate {gate.name} of {self.name} has neither rates nor a "
                    "steady state."
                )
            if "timeCourse" in gate.parts:
                tau = self._law(gate, "timeCourse", known)
            else:
                tau = 1 / total if len(rates) == 2 else 0.0  # none: gateHHInstantaneous
            return steady, tau / _scale(gate.q10, celsius)

    def _law(self, gate: Gate, role: str, known: Mapping[str, Any]):
        """Value of a rate, steady state or time course, SI."""
        part = gate.parts[role]
        kind = part.get("type", "")
        where = f"{self.path.name}: the {role} of gate {gate.name}"

        def read(name: str) -> float:
            return quantity(part.get(name), where=f"{where}: {name}")

        if kind in _LAWS:
            if read("scale") == 0:
                raise FormatError(f"{where} has the scale 0.")
            with np.errstate(all="ignore"):
                x = (known["v"] - read("midpoint")) / read("scale")
                return read("rate") * _LAWS[kind](x)
        if kind == "fixedTimeCourse":
            return read("tau")
        if kind in self._types:
            return _dynamics(self._types[kind], known, f"{self.path.name}: {kind}")
        raise FormatError(f"{where} has the unknown type {shown(kind)}.")


def _scale(q10: tuple[str, float, float] | None, celsius: float) -> float:
    if q10 is None:
        return 1.0
    kind, factor, experiment = q10
    return factor if kind == "q10Fixed" else factor ** ((celsius - experiment) / 10)


def _linear(x):
    """x / (1 - exp(-x)), 1 + x/2 near nought."""
    small = np.abs(x) < 1e-6
    safe = np.where(small, 1.0, x)
    return np.where(small, 1 + x / 2, safe / -np.expm1(-safe))


_LAWS = {
    f"HH{law}{kind}": function
    for law, function in (
        ("Exp", np.exp), ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))), ("ExpLinear", _linear),
    )
    for kind in ("Rate", "Variable")
}  # fmt: skip


class _Values(dict):
    """Values of a component type by name; a derived variable is evaluated when it is asked for."""

    def __init__(self, component_type, known: Mapping[str, Any], where: str):
        kinds = ("{*}DerivedVariable", "{*}ConditionalDerivedVariable")
        self.variables = {e.get("name"): e for e in component_type.iter(*kinds)}
        self.where = where
        super().__init__({n: value for n, value in known.items() if n not in self.variables})
        for constant in component_type.iter("{*}Constant"):
            self[constant.get("name")] = quantity(constant.get("value"), where=where)

    def __missing__(self, name: str):
        variable = self.variables.pop(name)  # gone while it is evaluated: a circle has no value
        *cases, last = variable.findall("{*}Case") or [variable]
        value = evaluate(last.get("value"), self, where=self.where)
        for case in reversed(cases):  # the first that holds wins
            holds = evaluate(case.get("condition"), self, where=self.where)
            value = np.where(holds, evaluate(case.get("value"), self, where=self.where), value)
        self[name] = value
        return value


def _dynamics(component_type, known: Mapping[str, Any], where: str):
    """Exposed value of a component type that the file defines."""
    values = _Values(component_type, known, where)
    exposed = [name for name, e in values.variables.items() if e.get("exposure")]
    if not exposed:
        raise FormatError(f"{where} exposes nothing.")
    return values[exposed[-1]]


def mechanism_of(channel: str) -> str:
    """Name of a NeuroML2 channel's mechanism in the packages."""
    return channel.removesuffix(DETERMINISTIC)


def read_channel(path: Path) -> NeuroMLChannel:
    """Read the one channel of a ``*.channel.nml`` file."""
    path = Path(path)
    root, channel = the_one(path, read_bytes(path), "ion channel", "ionChannel", "ionChannelHH")
    types = {t.get("name"): t for t in root.findall("{*}ComponentType")}
    gates = [e for e in channel.iterchildren("{*}*") if local(e.tag).startswith("gate")]
    return NeuroMLChannel(
        name=channel.get("id"),
        species=channel.get("species", ""),
        gates=tuple(_read_gate(path, gate, types) for gate in gates),
        path=path,
        _types=MappingProxyType(types),
    )


def _q10(path: Path, settings) -> tuple[str, float, float] | None:
    if settings is None:
        return None
    where, kind = f"{path.name}: a q10", settings.get("type", "")
    if kind == "q10Fixed":
        return kind, as_number(settings.get("fixedQ10"), where=where, low=1e-9), 0.0
    factor = as_number(settings.get("q10Factor"), where=where, low=1e-9)
    return kind, factor, quantity(settings.get("experimentalTemp"), where=where)


def _read_gate(path: Path, gate, types: Mapping[str, Any]) -> Gate:
    found = {name: gate.find(f"{{*}}{name}") for name in _PARTS}
    parts = {n: MappingProxyType(dict(e.attrib)) for n, e in found.items() if e is not None}
    own = [types[part["type"]] for part in parts.values() if part.get("type") in types]
    name = gate.get("id", "")
    return Gate(
        name=name,
        instances=as_count(gate.get("instances"), where=f"{path.name}: gate {name}", high=100),
        q10=_q10(path, gate.find("{*}q10Settings")),
        parts=MappingProxyType(parts),
        concentration=any("Conc" in t.get("extends", "") for t in own),
    )
