"""Ion channels in NeuroML2: their gates, evaluated from the XML.

The rate laws are those of NeuroML2's core types (``Channels.xml``); component types that a file
defines itself are evaluated from their own LEMS expressions (Cannon et al. 2014, Front.
Neuroinform. 8:79).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from nmc.cells.neuroml.elements import evaluate, local, quantity, read_bytes, the_one
from nmc.errors import FormatError
from nmc.numbers import as_count, as_number, shown

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
    _conductance_q10: tuple[str, float, float] | None

    def __repr__(self) -> str:
        gates = ", ".join(f"{gate.name}^{gate.instances}" for gate in self.gates)
        return f"NeuroMLChannel({self.name}: {gates or 'passive'})"

    def conductance_scale(self, celsius: float = CELSIUS) -> float:
        """Factor of the open conductance at a temperature (``q10ConductanceScaling``)."""
        return _scale(self._conductance_q10, celsius)

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


def _dynamics(component_type, known: Mapping[str, Any], where: str):
    """Exposed value of a component type that the file defines: its derived variables in turn."""
    values = dict(known)
    for constant in component_type.iter("{*}Constant"):
        values[constant.get("name")] = quantity(constant.get("value"), where=where)
    waiting = [*component_type.iter("{*}DerivedVariable", "{*}ConditionalDerivedVariable")]
    exposed = None
    while waiting:
        refused = FormatError(f"{where} is not understood.")
        for variable in list(waiting):
            try:
                value = values[variable.get("name")] = _variable(variable, values, where)
            except FormatError as error:
                refused = error  # waits for a name that another variable gives
                continue
            waiting.remove(variable)
            exposed = value if variable.get("exposure") else exposed
            break
        else:
            raise refused
    if exposed is None:
        raise FormatError(f"{where} exposes nothing.")
    return exposed


def _variable(variable, values: Mapping[str, Any], where: str):
    cases = variable.findall("{*}Case")
    if not cases:
        return evaluate(variable.get("value"), values, where=where)
    result = None
    for case in reversed(cases):  # the first that holds wins
        value = evaluate(case.get("value"), values, where=where)
        condition = case.get("condition")
        holds = condition is None or evaluate(condition, values, where=where)
        result = value if result is None else np.where(holds, value, result)
    return result


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
        notes=(channel.findtext("{*}notes") or "").strip(),
        path=path,
        _types=MappingProxyType(types),
        _conductance_q10=_q10(path, channel.find("{*}q10ConductanceScaling")),
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
