"""How a run is integrated: as published, or converged.

``published`` is what the packages' own scripts do: a fixed step of 0.025 ms, first order
(implicit Euler).

``converged`` takes NEURON's variable step (CVODE, backward differentiation formulas; Cohen and
Hindmarsh 1996, Computers in Physics 10:138) on mechanisms whose rates are tabulated.  Between
spikes CVODE's step is limited not by accuracy but by the poor stability of high orders on these
stiff cells, so the order is capped.  `benchmarks/cells.py` measures the spike-time error of the
rule against a tight run and the cost against the package's own step.  Channels that draw random
numbers every step have no meaning under a variable step; such models keep the fixed one.
"""

from __future__ import annotations

from nmc.cells.package import Package
from nmc.errors import UnknownNameError

MODES = ("published", "converged")

#: Large cells that spike rarely: a looser tolerance, and the order where CVODE is most stable.
_PYRAMIDAL = {"atol": 3e-4, "max_order": 3}
#: Small cells that spike often: each spike's error adds up, so a tighter one.
_INTERNEURON = {"atol": 1e-4, "max_order": 4}
#: For references: the exact mechanisms, a tight tolerance, all orders.
TIGHT = {"atol": 1e-7, "max_order": 5}


def choose(package: Package, mode: str) -> tuple[dict, str, str]:
    """Return the integration of a mode, the mechanisms' variant, and a line that says both.

    Raises
    ------
    UnknownNameError
        There is no such mode.
    """
    if mode not in MODES:
        raise UnknownNameError.of("mode", mode, MODES)
    fixed = {"dt_ms": package.dt_ms, "order": 1}
    said = f"fixed step {package.dt_ms:g} ms, first order"
    if mode == "published":
        return fixed, "exact", said
    if package.stochastic:
        why = f"{', '.join(package.stochastic)} draws random numbers every step"
        return fixed, "exact", f"{said} ({why})"
    how = _PYRAMIDAL if package.etype == "cADpyr" else _INTERNEURON
    said = f"variable step, tolerance {how['atol']:g}, order up to {how['max_order']}"
    return how, "tabulated", f"{said}, tabulated rates"
