"""Ion channels in NeuroML2: read by libNeuroML, their gates evaluated from the XML.

The rate laws are those of NeuroML2's core types (``Channels.xml``); component types that a file
defines itself are evaluated from their own LEMS expressions (Cannon et al. 2014, Front.
Neuroinform. 8:79).  Nothing of an XML file is ever run as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from nmc.cells import formula
from nmc.errors import FormatError, MissingFileError, MissingLibraryError
from nmc.numbers import as_count, as_number, shown

#: Temperature at which the portal's models run, °C.
CELSIUS = 34.0
#: Suffix by which the conversion tells its deterministic stand-in from the random channel.
DETERMINISTIC = "_deterministic"
#: Kinds of gates, as libNeuroML spells them.
_GATES = (
    "gates", "gate_hh_rates", "gate_h_hrates_taus", "gate_hh_tau_infs", "gate_h_hrates_infs",
    "gate_h_hrates_tau_infs", "gate_hh_instantaneouses", "gate_fractionals",
)  # fmt: skip
_QUANTITY = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z_]\w*)?\s*")
#: NeuroML's unit symbols → SI (NeuroMLCoreDimensions); a temperature stays in degrees Celsius.
_UNITS = {
    None: 1.0, "s": 1.0, "ms": 1e-3, "per_s": 1.0, "per_ms": 1e3, "Hz": 1.0, "degC": 1.0,
    "V": 1.0, "mV": 1e-3, "per_mV": 1e3, "per_V": 1.0, "K": 1.0, "C_per_mol": 1.0,
    "A": 1.0, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12,
    "S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9, "pS": 1e-12,
    "S_per_m2": 1.0, "S_per_cm2": 1e4, "mS_per_cm2": 10.0,
    "F_per_m2": 1.0, "uF_per_cm2": 1e-2, "ohm_m": 1.0, "ohm_cm": 1e-2, "kohm_cm": 10.0,
    "m": 1.0, "cm": 1e-2, "um": 1e-6, "m2": 1.0, "cm2": 1e-4, "um2": 1e-12,
    "mol_per_m3": 1.0, "mol_per_cm3": 1e6, "mM": 1.0, "M": 1e3,
}  # fmt: skip


def quantity(
    text: str | float | None,
    unit: str | None = None,
    *,
    where: str = "NeuroML",
    low: float = -inf,
    high: float = inf,
) -> float:
    """Value of a LEMS quantity in a unit.

    Parameters
    ----------
    text : str
        E.g. ``"-85.0 mV"``, ``"1e-4 mM"`` or ``"34 degC"``.
    unit : str, optional
        Unit of the result; SI unless given. A temperature stays in degrees Celsius.
    where : str
        File and element; stands first in the message.
    low, high : float
        Bounds of the result.

    Raises
    ------
    FormatError
        The text is no quantity, its unit is unknown, or its value is not finite or out of bounds.
    """
    found = _QUANTITY.fullmatch(str(text)) if text is not None and len(str(text)) < 100 else None
    if not found or found[2] not in _UNITS:
        raise FormatError(f"{where}: {shown(text)} is not a quantity with a known unit.")
    value = as_number(found[1], where=where) * _UNITS[found[2]] / _UNITS[unit]
    return as_number(value, where=where, low=low, high=high)


_WORDS = {
    ".lt.": "<", ".gt.": ">", ".leq.": "<=", ".geq.": ">=", ".le.": "<=", ".ge.": ">=",
    ".eq.": "==", ".neq.": "!=", ".and.": "&", ".or.": "|", "^": "**",
}  # fmt: skip


def evaluate(expression: str, values: Mapping[str, Any], *, where: str = "NeuroML") -> np.ndarray:
    """Value of a LEMS expression, e.g. ``"V .lt. (-60)"``; see `nmc.cells.formula.evaluate`."""
    text = str(expression)
    for word, sign in _WORDS.items():
        if sign in "&|" and word in text:  # they bind more loosely than comparisons
            text = sign.join(f"({part})" for part in text.split(word))
        text = text.replace(word, sign)
    return formula.evaluate(text, values, where=where)


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate of a channel: ``instances`` of it must be open at once."""

    name: str
    instances: int
    q10: tuple[str, float, float] | None
    parts: Mapping[str, Any]
    concentration: bool


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
    notes : str
        The file's own words.
    path : pathlib.Path
        The file.
    """

    name: str
    species: str
    gates: tuple[Gate, ...]
    notes: str
    path: Path
    _types: Mapping[str, Any]
    _conductance_q10: tuple[float, float] | None

    def __repr__(self) -> str:
        gates = ", ".join(f"{gate.name}^{gate.instances}" for gate in self.gates)
        return f"NeuroMLChannel({self.name}: {gates or 'passive'})"

    def conductance_scale(self, celsius: float = CELSIUS) -> float:
        """Factor of the open conductance at a temperature (``q10ConductanceScaling``)."""
        if self._conductance_q10 is None:
            return 1.0
        factor, experiment = self._conductance_q10
        return factor ** ((celsius - experiment) / 10)

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
        v, calcium = (np.atleast_1d(np.asarray(x, float)) for x in (v_mV, calcium_mM))
        v, calcium = np.broadcast_arrays(v, calcium)
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
            for name, short in (("forward_rate", "alpha"), ("reverse_rate", "beta"))
            if name in gate.parts
        }
        known |= rates
        total = sum(rates.values())
        scale = 1.0
        if gate.q10 is not None:
            kind, factor, experiment = gate.q10
            scale = factor if kind == "q10Fixed" else factor ** ((celsius - experiment) / 10)
        with np.errstate(all="ignore"):
            if "steady_state" in gate.parts:
                steady = self._law(gate, "steady_state", known)
            elif "alpha" in rates:
                steady = rates["alpha"] / total
            else:
                raise FormatError(
                    f"{self.path.name}: gate {gate.name} of {self.name} has neither rates nor a "
                    "steady state."
                )
            if "time_course" in gate.parts:
                tau = self._law(gate, "time_course", known)
            else:
                tau = 1 / total if len(rates) == 2 else 0.0  # none: gateHHInstantaneous
            return steady, tau / scale

    def _law(self, gate: Gate, role: str, known: Mapping[str, Any]):
        """Value of a rate, steady state or time course, SI."""
        part = gate.parts[role]
        where = f"{self.path.name}: the {role.replace('_', ' ')} of gate {gate.name}"
        if part.type in _LAWS:
            scale = quantity(part.scale, where=where)
            if scale == 0:
                raise FormatError(f"{where} has the scale 0.")
            with np.errstate(all="ignore"):
                x = (known["v"] - quantity(part.midpoint, where=where)) / scale
                return quantity(part.rate, where=where) * _LAWS[part.type](x)
        if part.type == "fixedTimeCourse":
            return quantity(part.tau, where=where)
        if part.type in self._types:
            return _dynamics(self._types[part.type], known, f"{self.path.name}: {part.type}")
        raise FormatError(f"{where} has the unknown type {part.type!r}.")


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


def _dynamics(component_type, known: Mapping[str, Any], where: str):
    """Exposed value of a component type that the file defines: its derived variables in turn."""
    values = dict(known)
    values |= {c.name: quantity(c.value, where=where) for c in component_type.Constant}
    waiting = [v for d in component_type.Dynamics for v in d.DerivedVariable]
    waiting += [v for d in component_type.Dynamics for v in d.ConditionalDerivedVariable]
    exposed = None
    while waiting:
        refused = None
        for variable in list(waiting):
            try:
                values[variable.name] = _variable(variable, values, where)
            except FormatError as error:
                refused = error  # waits for a name that another variable gives
                continue
            waiting.remove(variable)
            exposed = values[variable.name] if variable.exposure else exposed
            break
        else:
            raise refused
    if exposed is None:
        raise FormatError(f"{where} exposes nothing.")
    return exposed


def _variable(variable, values: Mapping[str, Any], where: str):
    cases = getattr(variable, "Case", None)
    if not cases:
        return evaluate(variable.value, values, where=where)
    result = None
    for case in reversed(cases):  # the first that holds wins
        value = evaluate(case.value, values, where=where)
        holds = case.condition is None or evaluate(case.condition, values, where=where)
        result = value if result is None else np.where(holds, value, result)
    return result


def mechanism_of(channel: str) -> str:
    """Name of a NeuroML2 channel's mechanism in the packages."""
    return channel.removesuffix(DETERMINISTIC)


def read_document(path: Path):
    """Parse a NeuroML2 file with libNeuroML; nothing that it includes is read.

    Raises
    ------
    MissingFileError, MissingLibraryError, FormatError
        There is no such file; libNeuroML is not installed; the file is no NeuroML2.
    """
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


def read_channel(path: Path) -> NeuroMLChannel:
    """Read the channel of a ``*.channel.nml`` file.

    Raises
    ------
    FormatError
        The file is no NeuroML2, holds not one channel, or a number that is none.
    """
    document, path = read_document(path), Path(path)
    channels = [*document.ion_channel, *document.ion_channel_hhs]
    if len(channels) != 1:
        raise FormatError(f"{path.name} holds {len(channels)} ion channels, not one.")
    channel = channels[0]
    scaling = [*getattr(channel, "q10_conductance_scalings", [])]
    types = {t.name: t for t in document.ComponentType}
    return NeuroMLChannel(
        name=channel.id,
        species=channel.species or "",
        gates=tuple(_read_gate(path, g, types) for k in _GATES for g in getattr(channel, k, ())),
        notes=(channel.notes or "").strip(),
        path=path,
        _types=MappingProxyType(types),
        _conductance_q10=_q10(path, scaling[0])[1:] if scaling else None,
    )


def _q10(path: Path, settings) -> tuple[str, float, float]:
    """Kind, factor and temperature of the experiment (°C) of a q10."""
    where = f"{path.name}: a q10"
    kind = getattr(settings, "type", None) or ""
    if kind == "q10Fixed":
        return kind, as_number(settings.fixed_q10, where=where, low=1e-9), 0.0
    factor = as_number(settings.q10_factor, where=where, low=1e-9)
    return kind, factor, quantity(settings.experimental_temp, where=where)


def _read_gate(path: Path, gate, types: Mapping[str, Any]) -> Gate:
    names = ("forward_rate", "reverse_rate", "steady_state", "time_course")
    parts = {n: getattr(gate, n) for n in names if getattr(gate, n, None) is not None}
    settings = getattr(gate, "q10_settings", None)
    own = [types[p.type] for p in parts.values() if p.type in types]
    return Gate(
        name=gate.id,
        instances=as_count(gate.instances, where=f"{path.name}: gate {gate.id}", high=100),
        q10=None if settings is None else _q10(path, settings),
        parts=MappingProxyType(parts),
        concentration=any("Conc" in (t.extends or "") for t in own),
    )
