"""Step currents by one rule for all models."""

from __future__ import annotations

from nmc import names
from nmc.sample import SEED
from nmc.sample.cells.expected import cables

HOLD_mV = -84.0
#: Somatic voltage a steady current must reach for the cell to fire.
THRESHOLD_mV = -52.0
STEPS = (1.2, 1.3, 1.4)


def step_currents(
    model: names.Model | str, *, seed: int = SEED
) -> tuple[float, float, float, float]:
    """Return the holding current and the three steps (on top of it), in nA.

    The holding current brings the soma to -84 mV at rest; the steps are 120, 130 and 140 % of
    the current that then leads the cell, by its steady state, to threshold.
    """
    model = names.parse_model(model)
    ((_, cable),) = cables([model], seed)
    hold = float(cable.current_for(HOLD_mV)[0])
    rheobase = float(cable.current_for(THRESHOLD_mV)[0]) - hold
    return (hold, *(factor * rheobase for factor in STEPS))
