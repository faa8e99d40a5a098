"""How a run is integrated: as published, or converged.

``published`` is what the packages' own scripts do: a fixed step of 0.025 ms, first order
(implicit Euler).  ``converged`` takes the variable step (CVODE; Cohen & Hindmarsh 1996) with an
absolute tolerance of 1e-4, which on the portal's cells puts spikes within a fraction of a
millisecond of a run at 1e-7.  Channels that draw random numbers every step have no meaning
under a variable step; such models keep the fixed one.
"""

from __future__ import annotations

from nmc.cells.package import Package
from nmc.errors import UnknownNameError

MODES = ("published", "converged")
CONVERGED_ATOL = 1e-4


def choose(package: Package, mode: str) -> tuple[dict, str]:
    """Return the integration of a mode for a package, and one line that says what it is."""
    if mode not in MODES:
        raise UnknownNameError.of("mode", mode, MODES)
    fixed = {"dt_ms": package.dt_ms, "order": 1}
    said = f"fixed step {package.dt_ms:g} ms, first order"
    if mode == "published":
        return fixed, said
    if package.stochastic:
        return fixed, f"{said} ({', '.join(package.stochastic)} draws random numbers every step)"
    return {"atol": CONVERGED_ATOL}, f"variable step, absolute tolerance {CONVERGED_ATOL:g}"
