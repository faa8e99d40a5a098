"""Segments of a cell and their membrane currents: what charge conservation and geometry demand."""

from __future__ import annotations

import nmc
import numpy as np
import pytest

pytestmark = pytest.mark.neuron


@pytest.fixture(scope="module")
def segments(small):
    return nmc.locate_segments(small)


def test_segments_tile_the_simulated_cell(segments, small):
    assert segments["place"].is_unique and segments["place"].iloc[0].startswith("soma[0](")
    assert segments.groupby("part")["section"].nunique().to_dict() == {
        part: n for part, n in small.sections.items() if n
    }
    assert segments.attrs["invented"] and (segments["area_um2"] > 0).all()
    starts, ends = (segments[[f"{a}{k}_um" for a in "xyz"]].to_numpy() for k in (0, 1))
    straight = np.linalg.norm(ends - starts, axis=1)
    assert (straight <= segments["length_um"] * (1 + 1e-4)).all()
    same = segments["section"].to_numpy()[1:] == segments["section"].to_numpy()[:-1]
    assert np.allclose(starts[1:][same], ends[:-1][same])
    stub = segments[segments["part"] == "axon"]  # two cylinders of 30 um
    assert np.allclose(stub["area_um2"], np.pi * stub["diameter_um"] * stub["length_um"], rtol=1e-6)
    assert stub["length_um"].sum() == pytest.approx(60)


def test_membrane_currents_add_up_to_what_is_injected(small, segments):
    """Charge is conserved: within rounding, at every step, during rest, spikes and noise.

    NEURON takes the injected current half a step before the time that it has reached.
    """
    stimuli = [
        nmc.Step(5.0, 30.0, 0.3),
        nmc.OUCurrent(2.0, 30.0, 0.05, 0.1, at="dend[3](0.5)"),
        nmc.Ramp(10.0, 20.0, 0.0, -0.1, at="dend[0](0.2)"),
    ]
    record = nmc.record_segments(small)
    assert list(record) == segments["place"].tolist()
    trace = nmc.simulate_currents(
        small, stimuli, tstop_ms=40.0, record=record, sampling_ms=0.025, window_ms=(1.0, 39.0)
    )
    assert trace["t_ms"].iloc[[0, -1]].tolist() == [1.0, 39.0] and len(trace) == 38 * 40 + 1
    leaves = trace[list(record)].to_numpy().sum(axis=1)
    injected = sum(s.current_nA(trace["t_ms"].to_numpy() - 0.0125) for s in stimuli)
    assert np.abs(injected).max() > 0.2 and trace.attrs["spike_count"] > 0
    assert np.allclose(leaves, injected, rtol=0, atol=1e-9)
    assert np.abs(trace[list(record)]).to_numpy().max() > 10 * np.abs(injected).max()
