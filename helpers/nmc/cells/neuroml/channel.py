"""Ion channels in NeuroML2: read by libNeuroML, their gates evaluated from the XML.

The rate laws are those of NeuroML2's core types (``Channels.xml``); component types that a file
defines itself are evaluated from their own expressions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from nmc.cells.neuroml import lems
from nmc.errors import FormatError

#: Temperature at which the portal's models run, °C.
CELSIUS = 34.0
_GATES = (
    "gates", "gate_hh_rates", "gate_h_hrates_taus", "gate_hh_tau_infs", "gate_h_hrates_infs",
    "gate_h_hrates_tau_infs", "gate_hh_instantaneouses",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Gate:
    """One gate of a channel: ``instances`` of it must be open at once."""

    name: str
    instances: int
    q10: tuple[str, float, float] | None
    parts: Mapping[str, object]
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
    _types: Mapping[str, object]
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
        found = {n: self._law(gate, n, part, known) for n, part in gate.parts.items() if n in _RATE}
        known |= {_RATE[name]: value for name, value in found.items()}
        total = known.get("alpha", 0.0) + known.get("beta", 0.0)
        scale = _rate_scale(gate.q10, celsius)
        if "steady_state" in gate.parts:
            steady = self._law(gate, "steady_state", gate.parts["steady_state"], known)
        else:
            steady = self._needs(gate, "alpha", known) / total
        if "time_course" in gate.parts:
            tau = self._law(gate, "time_course", gate.parts["time_course"], known)
        elif len(found) == 2:
            tau = 1 / total
        else:
            tau = 0.0  # gateHHInstantaneous
        return steady, tau / scale

    def _needs(self, gate: Gate, name: str, known: Mapping):
        if name not in known:
            raise FormatError(
                f"{self.path.name}: gate {gate.name} of {self.name} has neither rates nor a "
                "steady state."
            )
        return known[name]

    def _law(self, gate: Gate, role: str, part, known: Mapping):
        """Value of a rate, steady state or time course, SI."""
        kind = part.type
        if kind in _LAWS:
            rate = lems.quantity(part.rate)
            x = (known["v"] - lems.quantity(part.midpoint)) / lems.quantity(part.scale)
            return rate * _LAWS[kind](x)
        if kind == "fixedTimeCourse":
            return lems.quantity(part.tau)
        if kind in self._types:
            return _dynamics(self._types[kind], known, f"{self.path.name}: {kind}")
        raise FormatError(
            f"{self.path.name}: the {role.replace('_', ' ')} of gate {gate.name} has the unknown "
            f"type {kind!r}."
        )


_RATE = {"forward_rate": "alpha", "reverse_rate": "beta"}


def _linear(x):
    """x / (1 - exp(-x)), 1 + x/2 near nought."""
    small = np.abs(x) < 1e-6
    safe = np.where(small, 1.0, x)
    return np.where(small, 1 + x / 2, safe / -np.expm1(-safe))


_LAWS = {
    "HHExpRate": np.exp, "HHExpVariable": np.exp,
    "HHSigmoidRate": lambda x: 1 / (1 + np.exp(-x)),
    "HHSigmoidVariable": lambda x: 1 / (1 + np.exp(-x)),
    "HHExpLinearRate": _linear, "HHExpLinearVariable": _linear,
}  # fmt: skip


def _rate_scale(q10: tuple[str, float, float] | None, celsius: float) -> float:
    if q10 is None:
        return 1.0
    kind, factor, experiment = q10
    return factor if kind == "q10Fixed" else factor ** ((celsius - experiment) / 10)


def _dynamics(component_type, known: Mapping, where: str):
    """Exposed value of a component type that the file defines: its derived variables in turn."""
    values = dict(known)
    for constant in component_type.Constant:
        values[constant.name] = lems.quantity(constant.value)
    waiting = [v for d in component_type.Dynamics for v in _variables(d)]
    exposed = None
    while waiting:
        for variable in list(waiting):
            try:
                values[variable.name] = _variable(variable, values)
            except FormatError:
                continue  # waits for a name that another variable gives
            waiting.remove(variable)
            if variable.exposure:
                exposed = values[variable.name]
            break
        else:
            for variable in waiting:
                _variable(variable, values)  # raises, with its own words
            break
    if exposed is None:
        raise FormatError(f"{where} exposes nothing.")
    return exposed


def _variables(dynamics) -> list:
    return [*dynamics.DerivedVariable, *dynamics.ConditionalDerivedVariable]


def _variable(variable, values: Mapping):
    cases = getattr(variable, "Case", None)
    if not cases:
        return lems.evaluate(variable.value, values)
    result = None
    for case in reversed(cases):  # the first that holds wins
        value = lems.evaluate(case.value, values)
        holds = True if case.condition is None else lems.evaluate(case.condition, values)
        result = value if result is None else np.where(holds, value, result)
    return result


def read_channel(path: Path) -> NeuroMLChannel:
    """Read the channel of a ``*.channel.nml`` file.

    Raises
    ------
    FormatError
        The file is no NeuroML2, or holds not one channel.
    """
    from nmc.cells.neuroml.cell import read_document

    document = read_document(path)
    channels = [*document.ion_channel, *document.ion_channel_hhs]
    if len(channels) != 1:
        raise FormatError(f"{path.name} holds {len(channels)} ion channels, not one.")
    channel = channels[0]
    scaling = [*getattr(channel, "q10_conductance_scalings", [])]
    types = {t.name: t for t in document.ComponentType}
    return NeuroMLChannel(
        name=channel.id,
        species=channel.species or "",
        gates=tuple(_read_gate(g, types) for name in _GATES for g in getattr(channel, name, [])),
        notes=(channel.notes or "").strip(),
        path=Path(path),
        _types=MappingProxyType(types),
        _conductance_q10=_conductance(scaling),
    )


def _conductance(scaling: list) -> tuple[float, float] | None:
    if not scaling:
        return None
    return float(scaling[0].q10_factor), lems.quantity(scaling[0].experimental_temp)


def _read_gate(gate, types: Mapping) -> Gate:
    names = ("forward_rate", "reverse_rate", "steady_state", "time_course")
    parts = {n: getattr(gate, n) for n in names if getattr(gate, n, None) is not None}
    settings, q10 = getattr(gate, "q10_settings", None), None
    if settings is not None:
        fixed = settings.type == "q10Fixed"
        factor = settings.fixed_q10 if fixed else settings.q10_factor
        experiment = 0.0 if fixed else lems.quantity(settings.experimental_temp)
        q10 = (settings.type, float(factor), experiment)
    own = [types[p.type] for p in parts.values() if p.type in types]
    return Gate(
        name=gate.id,
        instances=int(gate.instances),
        q10=q10,
        parts=MappingProxyType(parts),
        concentration=any("Conc" in (t.extends or "") for t in own),
    )
