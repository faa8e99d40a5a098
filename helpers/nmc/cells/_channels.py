"""The worker's side of channel kinetics: gates measured in compiled mechanisms.

No cell is built: each voltage gets a compartment of its own, with a membrane capacitance so
large that its voltage stays where it is put, and the gates are watched there.
"""

from __future__ import annotations

import numpy as np

#: µF/cm²: currents of a channel then move the voltage by less than 1e-9 mV.
_STILL = 1e12
#: A short step: exact for gates that NMODL integrates by cnexp, and near enough for others.
_DT_MS = 1e-3
_DISPLACED = (0.25, 0.75)
_PARAMETER, _ASSIGNED, _STATE = 1, 2, 3


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Measure every gate of some mechanisms.

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
    for done, (mechanism, varied) in enumerate(params["mechanisms"].items()):
        points = _points(params, varied)
        bench = _Bench(h, mechanism, *points)
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


def _points(params: dict, varied: str) -> tuple[np.ndarray, np.ndarray]:
    v, calcium = np.array(params["v_mV"]), np.array(params["calcium_mM"])
    if varied == "ca":
        return np.full(len(calcium), params["v_rest_mV"]), calcium
    return v, np.full(len(v), params["calcium_rest_mM"])


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
        if self._draws():
            for name in self.densities:  # no channel, so nothing is drawn
                self._set(name, 0.0)

    def _names(self, kind: int) -> list[str]:
        standard = self.h.MechanismStandard(self.mechanism, kind)
        told, found = self.h.ref(""), []
        for i in range(int(standard.count())):
            standard.name(told, i)
            found.append(told[0].removesuffix(f"_{self.mechanism}"))
        return found

    def _draws(self) -> bool:
        return hasattr(self.h, f"setRNG_{self.mechanism}")

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
        if len(self.conductances) != 1 or self._draws():
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
