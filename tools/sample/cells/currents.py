"""Step currents by one rule for all models."""

from __future__ import annotations

import numpy as np
from nmc import names

from tools.sample import SEED
from tools.sample.cells.cable import Cable
from tools.sample.cells.expected import cables

HOLD_mV = -84.0
STEPS = (1.2, 1.3, 1.4)
#: Voltages on the way to threshold, and where a cell without a threshold counts as firing.
_FROM_mV, _TO_mV, _STRIDE_mV = -72.0, -45.0, 1.0


def step_currents(
    model: names.Model | str, *, seed: int = SEED
) -> tuple[float, float, float, float]:
    """Return the holding current and the three steps (on top of it), in nA.

    The holding current brings the soma to -84 mV; the steps are 120, 130 and 140 % of the
    current that leads the cell from there to threshold, as in the portal's packages.
    """
    model = names.parse_model(model)
    ((_, cable),) = cables([model], seed)
    held, hold = cable.clamp(HOLD_mV, np.full_like(cable.area, HOLD_mV))
    rheobase = _threshold_current(cable, held) - float(hold[0])
    return (float(hold[0]), *(factor * rheobase for factor in STEPS))


def _threshold_current(cable: Cable, state: np.ndarray) -> float:
    """Largest steady current the cell can take at rest: beyond it no resting state is left.

    Walks up the steady current-voltage curve of the soma to its first maximum, the fold where
    rest and threshold meet.
    """
    best = -np.inf
    for voltage in np.arange(_FROM_mV, _TO_mV, _STRIDE_mV):
        state, current = cable.clamp(voltage, state + (voltage - state[0]))
        if current[0] < best:
            break
        best = float(current[0])
    return best
