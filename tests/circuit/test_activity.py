"""Population rates and bursts of drawn spike trains."""

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc.circuit.network import CircuitRun
from nmc.errors import CircuitError


class Plan:
    """As much of a plan as the measures ask for."""

    neurons = pd.DataFrame(index=range(10))


def a_run(times, cells, tstop=1000.0):
    spikes = pd.DataFrame({"cell": cells, "t_ms": times}).sort_values("t_ms", ignore_index=True)
    return CircuitRun(Plan(), spikes, pd.DataFrame(), {"tstop_ms": tstop})


def test_the_rate_counts_every_spike_once():
    run = a_run(np.arange(0, 1000, 10.0), [0] * 100)
    rate = nmc.compute_population_rate(run, 20.0)
    assert len(rate) == 50 and np.allclose(rate["rate_Hz"], 10.0)  # one of ten cells, 100 Hz
    with pytest.raises(CircuitError, match="A bin lies between 0"):
        nmc.compute_population_rate(run, 0)


def test_bursts_are_found_where_they_were_put():
    rng = np.random.default_rng(0)
    times, cells = [], []
    for middle, members in ((202.0, 10), (502.0, 5), (902.0, 10)):
        times += list(middle + rng.uniform(-6, 6, members))
        cells += list(range(members))
    bursts = nmc.compute_bursts(a_run(times, cells))
    assert np.allclose(bursts["t_ms"], [202, 502, 902], atol=4)
    assert list(bursts["participation"]) == [1.0, 0.5, 1.0]
    assert np.allclose(bursts["interval_ms"][1:], [300, 400], atol=8)
    assert len(nmc.compute_bursts(a_run(times, cells), from_ms=300.0)) == 2


def test_close_stretches_are_one_burst_and_silence_has_none():
    times = [100.0] * 5 + [130.0] * 5
    assert len(nmc.compute_bursts(a_run(times, list(range(10))))) == 1
    assert len(nmc.compute_bursts(a_run(times, list(range(10))), gap_ms=10.0)) == 2
    silent = nmc.compute_bursts(a_run([], []))
    assert silent.empty and "interval_ms" in silent
