"""Open Source Brain's reference spike times of the packages, reproduced to one sample.

The times are those of the strongest step in NEURON, from the NMC folder of Open Source Brain's
Blue Brain Project showcase; its runs start at −80 mV.
"""

from __future__ import annotations

import numpy as np
import pytest
from nmc.cells.protocols import simulate_step
from nmc.published import claim

pytestmark = [pytest.mark.real, pytest.mark.neuron]

SAMPLE_MS = 0.025
REFERENCES = {
    "L5_TTPC1_cADpyr232_1": ("cells/osb_spike_times_L5_TTPC1_step3", 0, 14),
    "L23_PC_cADpyr229_1": ("cells/osb_spike_times_L23_PC_step3", 0, 5),
    "L1_HAC_cNAC187_1": ("cells/osb_spike_times_L1_HAC_step3", -25, 42),
}


@pytest.mark.parametrize(
    "model",
    [pytest.param(m, marks=pytest.mark.slow if m[:8] == "L5_TTPC1" else ()) for m in REFERENCES],
)
def test_every_reference_spike_comes_back_within_one_sample(real, model):
    key, threshold, count = REFERENCES[model]
    printed = np.array(claim(key).value)
    assert len(printed) == count
    trace = simulate_step(real(model), 3, v_init_mV=-80, threshold_mV=threshold)
    found = np.array(trace.attrs["spike_times_ms"])
    assert len(found) == count
    assert np.abs(found - printed).max() <= SAMPLE_MS + 1e-9
