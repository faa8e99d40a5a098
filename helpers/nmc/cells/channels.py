"""Channel kinetics: steady states and time constants, measured and compared.

Those of a package are measured in its compiled mechanisms, in a process of its own; those of a
NeuroML2 version are evaluated from its XML (see `nmc.cells.neuroml`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from nmc.cells.mechanisms import run_cached
from nmc.cells.neuroml.cell import NeuroMLCell
from nmc.cells.neuroml.elements import CELSIUS, mechanism_of
from nmc.cells.package import AnyModel, Package, as_package
from nmc.errors import ProtocolError, UnknownNameError
from nmc.numbers import as_numbers

#: What the sweeps visit: voltages without the whole numbers at which old MOD files step aside.
V_MV = np.arange(-120.25, 60.0, 2.5)
CALCIUM_MM = np.geomspace(1e-5, 1e-1, 73)
#: What is held while the other is varied.
V_REST_MV, CALCIUM_REST_MM = -70.0, 5e-5
_TASK = "nmc.cells.channels:measure_gates"
_COLUMNS = ("channel", "gate", "power", "v_mV", "calcium_mM", "steady_state", "tau_ms", "source")


def compute_channel_kinetics(
    model: AnyModel | NeuroMLCell,
    channels: Iterable[str] | None = None,
    *,
    v_mV: Sequence[float] | np.ndarray = V_MV,
    calcium_mM: Sequence[float] | np.ndarray = CALCIUM_MM,
    trust: bool = False,
) -> pd.DataFrame:
    """Steady state and time constant of every gate of a model's channels.

    Of a package: measured in the mechanisms as NEURON compiled them, in a process of their own.
    At each voltage a gate is read after initialisation, then pushed away and watched for a
    microsecond on its way back.  Of a NeuroML2 version: evaluated from the XML.

    Parameters
    ----------
    model : str, path, Model, Package or NeuroMLCell
        As for `nmc.load_package`, or a NeuroML2 cell from `nmc.load_neuroml`.
    channels : iterable of str, optional
        Which channels; all of the model's unless given.
    v_mV : array_like
        Voltages, for gates that depend on voltage. The default leaves out whole numbers, at
        which many MOD files evaluate a voltage beside the one given.
    calcium_mM : array_like
        Concentrations inside, for channels that read calcium; they are held at −70 mV.
    trust : bool
        Run the code of a package that is not known, see `nmc.load_package`.

    Returns
    -------
    pandas.DataFrame
        ``channel``, ``gate``, ``power`` (gates that must be open at once), ``v_mV``,
        ``calcium_mM``, ``steady_state``, ``tau_ms`` (NaN where it cannot be measured),
        ``source`` (``MOD`` or ``NeuroML2``); a row a gate and voltage or concentration. At the
        package's own temperature, in ``.attrs["celsius"]``.

    Raises
    ------
    UnknownNameError
        The model has no such channel.
    ProtocolError
        A voltage or concentration that cannot be.
    TrustError, MechanismError, CompilerError, SimulationError
        See `nmc.simulate_step`.
    """
    v = as_numbers(np.atleast_1d(v_mV), where="v_mV", low=-500, high=500, error=ProtocolError)
    calcium = as_numbers(
        np.atleast_1d(calcium_mM), where="calcium_mM", low=0, high=1000, error=ProtocolError
    )
    if isinstance(model, NeuroMLCell):
        return _from_neuroml(model, channels, v, calcium)
    return _from_package(as_package(model, trust=trust), channels, v, calcium)


def _from_package(package: Package, channels, v, calcium) -> pd.DataFrame:
    mods = {n: path.read_text("utf-8", "replace") for n, path in package.needed_mods().items()}
    known = {n: "ca" if reads_calcium(t) else "v" for n, t in mods.items() if is_channel(t)}
    wanted = _pick(package.name, channels, known)
    params = {
        "mechanisms": {name: known[name] for name in wanted},
        "v_mV": v.tolist(),
        "calcium_mM": calcium.tolist(),
        "v_rest_mV": V_REST_MV,
        "calcium_rest_mM": CALCIUM_REST_MM,
        "celsius": package.celsius,
        "package": package.content_sha256,
    }
    meta, arrays = run_cached(_TASK, params, [package], progress=False)
    parts = []
    for name in wanted:
        varies = known[name] == "ca"
        for gate, power in meta["gates"][name].items():
            told = {"channel": name, "gate": gate, "power": np.nan if power is None else power}
            told["v_mV"] = V_REST_MV if varies else v
            told["calcium_mM"] = calcium if varies else CALCIUM_REST_MM
            told["steady_state"] = arrays[f"{name}/{gate}/steady"]
            told["tau_ms"] = arrays[f"{name}/{gate}/tau"]
            parts.append(pd.DataFrame(told))
    table = _table(parts, "MOD", package.name, package.celsius)
    table.attrs |= package.source
    return table


def _from_neuroml(cell, channels, v, calcium) -> pd.DataFrame:
    known = {mechanism_of(n): cell.channel(n) for n in cell.channels}
    known = {name: channel for name, channel in known.items() if channel.gates}
    parts = []
    for name in _pick(cell.name, channels, known):
        channel = known[name]
        if any(gate.concentration for gate in channel.gates):
            found = channel.kinetics(V_REST_MV, calcium, celsius=CELSIUS)
        else:
            found = channel.kinetics(v, CALCIUM_REST_MM, celsius=CELSIUS)
        parts.append(found.assign(channel=name))
    return _table(parts, "NeuroML2", cell.model or cell.name, CELSIUS)


def _pick(model: str, channels: Iterable[str] | None, known: dict) -> list[str]:
    if channels is None:
        return sorted(known)
    wanted = [channels] if isinstance(channels, str) else list(dict.fromkeys(channels))
    UnknownNameError.check(f"channel in {model}:", wanted, known)
    return wanted


def _table(parts: list[pd.DataFrame], source: str, model: str, celsius: float) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_COLUMNS))
    table = table.assign(source=source)[list(_COLUMNS)]
    table.attrs = {"model": model, "celsius": celsius, "source": source}
    return table


def is_channel(mod: str) -> bool:
    """Whether a MOD file is a membrane channel: a density mechanism that passes a current."""
    density = re.search(r"^[ \t]*SUFFIX\s", mod, re.M)
    current = re.search(r"\bWRITE\s+i\w+|\bNONSPECIFIC_CURRENT\b", mod)
    return bool(density and current)


def reads_calcium(mod: str) -> bool:
    """Whether a mechanism's gates read the calcium concentration inside."""
    return re.search(r"^[ \t]*USEION[ \t]+ca[ \t]+READ[ \t][^\n]*\bcai\b", mod, re.M) is not None


def compare_kinetics(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Compare two tables of `compute_channel_kinetics` on the points that they share.

    Parameters
    ----------
    one, other : pandas.DataFrame
        E.g. a package's, and its NeuroML2 version's.

    Returns
    -------
    pandas.DataFrame
        One row a gate that stands in either: ``channel``, ``gate``, ``power`` and
        ``power_other``, ``steady_state_difference`` (largest, absolute),
        ``tau_difference_percent`` (largest, relative to the first's), ``note`` (what only one
        of them has, or cannot be measured).
    """
    by = ["channel", "gate", "v_mV", "calcium_mM"]
    both = one.merge(other, on=by, how="outer", suffixes=("", "_other"), indicator=True)
    rows = []
    for (channel, gate), here in both.groupby(["channel", "gate"], sort=True):
        shared = here[here["_merge"] == "both"]
        apart = (shared["steady_state_other"] - shared["steady_state"]).abs()
        slower = (shared["tau_ms_other"] / shared["tau_ms"] - 1).abs() * 100
        rows.append(
            {
                "channel": channel,
                "gate": gate,
                "power": here["power"].max(),
                "power_other": here["power_other"].max(),
                "steady_state_difference": apart.max(),
                "tau_difference_percent": slower.max(),
                "note": _note(here, shared),
            }
        )
    return pd.DataFrame(rows)


def _note(here: pd.DataFrame, shared: pd.DataFrame) -> str:
    if shared.empty:
        only = here["source"].dropna().tolist() + here["source_other"].dropna().tolist()
        return f"only in {only[0]}" if only else ""
    missing = [
        shared[f"source{suffix}"].iloc[0]
        for suffix in ("", "_other")
        if shared[f"tau_ms{suffix}"].isna().all()
    ]
    return f"no time constant in {', '.join(missing)}" if missing else ""


# -- the worker's side -------------------------------------------------------------------------

#: µF/cm²: currents of a channel then move the voltage by less than 1e-9 mV.
_STILL = 1e12
#: A short step: exact for gates that NMODL integrates by cnexp, and near enough for others.
_DT_MS = 1e-3
_DISPLACED = (0.25, 0.75)
_PARAMETER, _ASSIGNED, _STATE = 1, 2, 3


def measure_gates(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Task: measure every gate of some mechanisms, in NEURON.

    No cell is built: each voltage gets a compartment of its own, with a membrane capacitance so
    large that its voltage stays where it is put, and the gates are watched there.

    ``meta["gates"]``: mechanism → gate → power (None where the conductance does not tell); arrays
    ``mechanism/gate/steady`` and ``…/tau`` (ms, NaN where it cannot be measured).
    """
    from neuron import h

    h.load_file("stdrun.hoc")
    h.celsius = params["celsius"]
    h.cvode_active(0)
    h.secondorder = 0
    gates: dict[str, dict[str, int | None]] = {}
    arrays: dict[str, np.ndarray] = {}
    v, calcium = np.array(params["v_mV"]), np.array(params["calcium_mM"])
    for done, (mechanism, varied) in enumerate(params["mechanisms"].items()):
        if varied == "ca":
            bench = _Bench(h, mechanism, np.full(len(calcium), params["v_rest_mV"]), calcium)
        else:
            bench = _Bench(h, mechanism, v, np.full(len(v), params["calcium_rest_mM"]))
        gates[mechanism] = {}
        for gate in bench.gates:
            steady, tau = bench.measure(gate)
            if not np.isfinite(steady).all() or np.ptp(np.append(steady, tau)) == 0:
                continue  # a state that is no gate
            gates[mechanism][gate] = bench.power(gate)
            arrays[f"{mechanism}/{gate}/steady"] = steady
            arrays[f"{mechanism}/{gate}/tau"] = tau
        report((done + 1) / len(params["mechanisms"]))
    return {"gates": gates}, arrays


class _Bench:
    """Compartments with one mechanism, each at a voltage and calcium concentration of its own."""

    def __init__(self, h, mechanism: str, v: np.ndarray, calcium: np.ndarray):
        self.h, self.mechanism, self.v, self.calcium = h, mechanism, v, calcium
        self.sections = [h.Section(name=f"bench_{mechanism}_{i}") for i in range(len(v))]
        for section in self.sections:
            section.cm = _STILL
            section.insert(mechanism)
        self.densities = [n for n in self._names(_PARAMETER) if n.startswith("g") and "bar" in n]
        self.conductances = [n for n in self._names(_ASSIGNED) if n.startswith("g")]
        self.gates = [n for n in self._names(_STATE) if n[:1].islower() and n.isalpha()]
        if "deterministic" in self._names(_PARAMETER):
            self._set("deterministic", 1)
        self.draws = hasattr(h, f"setRNG_{mechanism}")
        if self.draws:
            for name in self.densities:  # no channel, so nothing is drawn
                self._set(name, 0.0)

    def _names(self, kind: int) -> list[str]:
        standard = self.h.MechanismStandard(self.mechanism, kind)
        told, found = self.h.ref(""), []
        for i in range(int(standard.count())):
            standard.name(told, i)
            found.append(told[0].removesuffix(f"_{self.mechanism}"))
        return found

    def _here(self) -> list:
        return [getattr(section(0.5), self.mechanism) for section in self.sections]

    def _set(self, name: str, value) -> None:
        for mechanism in self._here():
            setattr(mechanism, name, value)

    def _get(self, name: str) -> np.ndarray:
        return np.array([getattr(mechanism, name) for mechanism in self._here()])

    def _start(self) -> None:
        for section, v, calcium in zip(self.sections, self.v, self.calcium, strict=True):
            section.v = v
            if self.h.ismembrane("ca_ion", sec=section):
                section(0.5).cai = calcium
        self.h.dt = _DT_MS
        self.h.finitialize()

    def measure(self, gate: str) -> tuple[np.ndarray, np.ndarray]:
        """Steady state after initialisation, and time constant of the way back to it."""
        self._start()
        steady = self._get(gate)
        near, far = _DISPLACED
        put = np.where(steady < 0.5, far, near)
        for mechanism, value in zip(self._here(), put, strict=True):
            setattr(mechanism, gate, value)
        self.h.fadvance()
        left = (self._get(gate) - steady) / (put - steady)
        moved = (left > 0) & (left < 1)
        tau = np.full(len(steady), np.nan)
        tau[moved] = -_DT_MS / np.log(left[moved])
        return steady, tau if moved.all() else self._named_tau(gate)

    def _named_tau(self, gate: str) -> np.ndarray:
        """Read a time constant that the mechanism gives under the gate's name (``ntau``)."""
        tau = np.full(len(self.v), np.nan)
        name = f"{gate}tau_{self.mechanism}"
        if not hasattr(self.h, name):
            return tau
        for i, v in enumerate(self.v):
            self.h.finitialize(v)
            tau[i] = getattr(self.h, name)
        return tau

    def power(self, gate: str) -> int | None:
        """How many of a gate must be open at once: conductance over the gate, halved."""
        if len(self.conductances) != 1 or self.draws:
            return None
        self._start()
        open_ = []
        for value in (1.0, 0.5):
            for name in self.gates:
                self._set(name, value if name == gate else 1.0)
            self.h.fcurrent()
            open_.append(self._get(self.conductances[0])[0])
        if min(open_) <= 0:
            return None
        return round(float(np.log2(open_[0] / open_[1])))
