"""Open Source Brain's reference spike times of the packages, reproduced to one sample.

The times are those of the strongest step in NEURON, from the NMC folder of Open Source Brain's
Blue Brain Project showcase; its runs start at −80 mV.
"""

from __future__ import annotations

import numpy as np
import pytest
from nmc.cells.protocols import simulate_step

pytestmark = [pytest.mark.real, pytest.mark.neuron]

SAMPLE_MS = 0.025
L5_TTPC1 = [
    743.25, 827.225, 994.5, 1157.25, 1314.75, 1468.45, 1619.4, 1768.325, 1915.775, 2062.1,
    2207.625, 2352.5, 2496.925, 2641.0,
]  # fmt: skip
L23_PC = [748.975, 1103.475, 1549.025, 1986.275, 2419.625]


@pytest.mark.parametrize(
    ("model", "times"), [("L5_TTPC1_cADpyr232_1", L5_TTPC1), ("L23_PC_cADpyr229_1", L23_PC)]
)
def test_pyramidal_cells(real, model, times):
    found = simulate_step(real(model), 3, v_init_mV=-80, threshold_mV=0).attrs["spike_times_ms"]
    assert len(found) == len(times)
    assert np.abs(np.array(found) - times).max() <= SAMPLE_MS + 1e-9


def test_an_interneuron_s_42_spikes(real):
    trace = simulate_step(real("L1_HAC_cNAC187_1"), 3, v_init_mV=-80, threshold_mV=-25)
    found = trace.attrs["spike_times_ms"]
    assert len(found) == 42
    assert found[0] == pytest.approx(729.25, abs=SAMPLE_MS)
    assert found[-1] == pytest.approx(2660.825, abs=SAMPLE_MS)
