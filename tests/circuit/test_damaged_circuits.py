"""Any file of a circuit's folder damaged by the thousand: the same run, or one of our errors."""

import shutil

import nmc
import numpy as np
import pytest
from mutations import assert_survives
from nmc.circuit import ranks
from nmc.parts import start_run

FILES = ("circuit.json", "run.json", "part-0.npz", "part-1.npz")


@pytest.fixture(scope="module")
def plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, {"L1_HAC": 2}, rng=0)
    return nmc.plan_circuit(connectome, neurons, background_cells=2, missing="skip")


@pytest.fixture(scope="module")
def written(plan, tmp_path_factory):
    """Return the folder of a circuit of two cells that two ranks have run."""
    folder = nmc.write_circuit(plan, tmp_path_factory.mktemp("circuit") / "run", tstop_ms=5.0)
    shutil.rmtree(folder / "packages")  # not asked for when results are read
    made_from = ranks._read_circuit_file(folder)["made_from"]
    run = start_run(folder, {"0": [0], "1": [1]}, made_from)
    for rank in (0, 1):
        arrays = {"spike_t_ms": np.array([1.0 + rank]), "spike_gid": np.array([rank]),
                  "t_ms": np.arange(0, 5, 0.5)}  # fmt: skip
        run.write_part(
            str(rank), {"segments": 9, "cells": 1, "solve_s": 0.1, "waited_s": 0.0}, arrays
        )
    return folder


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_folder_is_an_error_or_read_as_it_was(
    plan, written, memory_path, n_mutations, file
):
    folder = memory_path / "circuit"
    shutil.copytree(written, folder)
    sound = nmc.read_circuit(plan, folder)
    assert sound.spikes["t_ms"].tolist() == [1.0, 2.0]

    def accept(run) -> bool:
        return run.spikes.equals(sound.spikes) and run.voltages.equals(sound.voltages)

    counts = assert_survives(
        lambda _: nmc.read_circuit(plan, folder),
        accept, [(folder / file).read_bytes()], n_mutations // len(FILES),
        folder / file,
    )  # fmt: skip
    assert counts["refused"] > 0
