"""The commands: JSON alone on stdout, selections by name or type."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from nmc.cli.models import _settings, select_models
from nmc.errors import UnknownNameError

from .conftest import SMALL


def test_selections():
    assert select_models([SMALL]) == [SMALL]
    assert len(select_models(["L1_HAC"])) == 15
    assert len(select_models(["L1_HAC_cNAC", "L1_HAC"])) == 15
    assert len(select_models(["all"])) == 1035
    for said, meant in (("L1_SAC_cACint209_1", "L1_SLAC_cACint209_1"), ("L1_SAC", "L1_SLAC"),
                        ("L1_SAC_cACint", "L1_SLAC_cAC"), ("L2/3", "L23")):  # fmt: skip
        assert select_models([said]) == select_models([meant]) != []
    with pytest.raises(UnknownNameError, match="L1_HAC"):
        select_models(["L1_HAK_cNAC187_1"])


def test_settings_on_the_command_line():
    words = ["section=dend[5]", "duration_ms=50.0", "amplitudes_nA=[0.1, 0.2]"]
    told = {"section": "dend[5]", "duration_ms": 50.0, "amplitudes_nA": [0.1, 0.2]}
    assert _settings("fi", 1, "converged", words) == {"mode": "converged", **told}
    assert _settings("step", 2, "published", ["step=3"]) == {"mode": "published", "step": 3}
    with pytest.raises(click.BadParameter, match="NAME=VALUE"):
        _settings("rest", 1, "published", ["section"])


@pytest.mark.neuron
def test_simulate_prints_json_and_nothing_else():
    done = subprocess.run(
        [sys.executable, "-c", "from nmc.cli import main; main()", "simulate", SMALL]
        + ["--protocol", "step", "--step", "1", "--mode", "converged", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["model"] == SMALL and told["spike_count"] == len(told["spike_times_ms"]) > 0
