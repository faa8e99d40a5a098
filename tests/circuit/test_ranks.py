"""A circuit in a folder: run by a real mpiexec, moved, killed, run again, and read back."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nmc
import numpy as np
import psutil
import pytest
from nmc.cells.mechanisms import rename_clashes
from nmc.errors import CircuitError, PartsError, TrustError

COUNTS = {"L5_TTPC1": 2, "L5_MC": 2, "L5_LBC": 2}
RUN = {"tstop_ms": 60.0, "dt_ms": 0.1, "record": [0]}
NMC = [sys.executable, "-P", "-m", "nmc"]


@pytest.fixture(scope="module")
def plan():
    connectome = nmc.default_connectome()
    neurons = nmc.choose_neurons(connectome, COUNTS, rng=2)
    return nmc.plan_circuit(connectome, neurons, drive=1.6, gain=2.0, seed=4, missing="skip")


@pytest.fixture(scope="module")
def expected(plan):
    return nmc.simulate_circuit(plan, **RUN)


@pytest.fixture
def folder(plan, tmp_path):
    return nmc.write_circuit(plan, tmp_path / "circuit", **RUN)


def test_what_is_not_there_is_named(run, plan, folder, tmp_path):
    with pytest.raises(CircuitError, match=r"has not run; run 'mpiexec -n 2 nmc circuit run"):
        nmc.read_circuit(plan, folder)
    with pytest.raises(CircuitError, match="There is no circuit in"):
        nmc.read_circuit(plan, tmp_path)
    (folder / "circuit.json").write_text((folder / "circuit.json").read_text()[:-30])
    with pytest.raises(CircuitError, match="is damaged .*Write the circuit again"):
        nmc.read_circuit(plan, folder)


def test_a_folder_names_no_place_outside_itself(plan, folder):
    text = (folder / "circuit.json").read_text()
    for package in plan.packages.values():
        assert str(package.folder) not in text and str(package.folder.parent) not in text
    told = json.loads(text)["params"]["cells"]
    assert all((folder / cell["folder"] / "template.hoc").is_file() for cell in told)


def test_a_folder_of_something_else_is_left_alone(plan, folder, tmp_path):
    other = tmp_path / "mine"
    (other / "packages").mkdir(parents=True)
    (other / "packages" / "thesis.txt").write_text("years of work")
    with pytest.raises(CircuitError, match="name an empty folder"):
        nmc.write_circuit(plan, other, **RUN)
    assert (other / "packages" / "thesis.txt").read_text() == "years of work"
    (folder / "part-0.npz").write_text("old")
    nmc.write_circuit(plan, folder, **RUN)  # a circuit's own folder is written anew
    assert not list(folder.glob("part-*"))


def test_an_unknown_mechanism_is_refused_when_the_circuit_is_written(plan, tmp_path):
    model, package = next(iter(plan.packages.items()))
    own = tmp_path / model
    shutil.copytree(package.folder, own)
    mod = next((own / "mechanisms").glob("Prob*.mod"))
    mod.write_text(mod.read_text() + "\n: changed\n")
    changed = {**plan.packages, model: nmc.load_package(own)}
    other = replace(plan, packages=changed)
    with pytest.raises(TrustError, match="trust=True"):
        nmc.write_circuit(other, tmp_path / "circuit", **RUN)


@pytest.mark.neuron
def test_a_folder_runs_where_it_was_moved_and_again_on_fewer_ranks(run, plan, expected, folder):
    moved = folder.rename(folder.parent / "moved")
    for ranks in (3, 2):  # what three ranks left does not mix with what two write
        status, told = run(ranks, moved)
        assert status == 0, told
        assert f"{ranks} of {ranks} parts done" in told
        found = nmc.read_circuit(plan, moved)
        assert len(expected.spikes) > 3 and found.spikes.equals(expected.spikes)
        assert found.voltages.equals(expected.voltages)
        assert found.attrs["ranks"] == ranks and found.attrs["cells"] == len(plan.neurons)
        assert len(list(moved.glob("part-*"))) == ranks


@pytest.mark.neuron
def test_a_part_that_went_or_came_from_elsewhere_is_named(run, plan, folder, tmp_path):
    assert run(2, folder)[0] == 0
    second = shutil.copytree(folder, tmp_path / "second")
    assert run(3, second)[0] == 0
    (folder / "part-1.npz").rename(tmp_path / "kept.npz")
    with pytest.raises(PartsError, match=r"Part 1 \(2 of 2; it covers 1, 3, 5\) is missing"):
        nmc.read_circuit(plan, folder)
    shutil.copy(second / "part-1.npz", folder)
    with pytest.raises(PartsError, match="Part 1 .*left over from another run"):
        nmc.read_circuit(plan, folder)
    shutil.copy(tmp_path / "kept.npz", folder / "part-1.npz")
    shutil.copy(second / "part-2.npz", folder)
    with pytest.raises(PartsError, match=r"part-2\.npz is no part of the run"):
        nmc.read_circuit(plan, folder)
    loud = nmc.plan_circuit(
        nmc.default_connectome(), plan.neurons["neuron"], drive=1.7, gain=2.0, seed=4,
        missing="skip",
    )  # fmt: skip
    with pytest.raises(PartsError, match="made from something else: plan is"):
        nmc.read_circuit(loud, folder)
    told = json.loads((second / "circuit.json").read_text())
    told["params"]["tstop_ms"] = 90.0
    (second / "circuit.json").write_text(json.dumps(told))
    with pytest.raises(PartsError, match="made from something else: settings is"):
        nmc.read_circuit(plan, second)


@pytest.mark.neuron
def test_a_killed_rank_ends_the_run_and_its_cells_are_named(mpiexec, plan, tmp_path):
    folder = nmc.write_circuit(plan, tmp_path / "circuit", tstop_ms=100_000.0, dt_ms=0.1)
    process = mpiexec(2, folder)
    children = []
    while not (folder / "run.json").is_file():  # the cells are placed and the run begins
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.2)
    for child in psutil.Process(process.pid).children(recursive=True):
        if "circuit" in child.cmdline():
            children.append(child)
    assert len(children) == 2
    children[1].send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    with pytest.raises(PartsError, match="Part 0 .* is missing"):
        nmc.read_circuit(plan, folder)


@pytest.mark.neuron
def test_ranks_that_find_no_mpi_library_are_an_error(run, folder, tmp_path):
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for name in ("libmpi.so", "libmpich.so", "libmpi.dylib"):
        (libraries / name).write_text("no library")
    status, told = run(2, folder, LD_LIBRARY_PATH=str(libraries))
    assert status != 0
    assert "one of 2 MPI ranks, but NEURON sees 1" in told and "MPI_LIB_NRN_PATH" in told
    assert not list(folder.glob("part-*"))


@pytest.mark.neuron
def test_processes_that_do_not_know_of_each_other_do_not_mix(plan, folder):
    """A launcher that says nothing: each process is a run of its own, and only one is kept."""
    command = [*NMC, "circuit", "run", str(folder)]
    several = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=300)[0] for process in several]
    finished = [process.returncode == 0 for process in several]
    assert any(finished), told
    assert all(
        done or "Another run was started" in text for done, text in zip(finished, told, strict=True)
    ), told
    assert nmc.read_circuit(plan, folder).attrs["cells"] == len(plan.neurons)


@pytest.mark.neuron
def test_a_changed_package_or_older_code_is_refused(plan, folder):
    table = next((folder / "packages").glob("*/synapses/synapses.tsv"))
    text = table.read_text()
    table.write_text(text.replace("0.5", "0.6"))
    done = subprocess.run(
        [*NMC, "circuit", "run", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"package {table.parts[-3]} is not the one that the circuit was written" in done.stderr
    table.write_text(text)
    told = json.loads((folder / "circuit.json").read_text())
    told["made_from"]["code"] = "0" * 64
    (folder / "circuit.json").write_text(json.dumps(told))
    done = subprocess.run(
        [*NMC, "circuit", "run", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "written by another version of nmc" in done.stderr


@pytest.mark.slow
@pytest.mark.neuron
def test_packages_whose_synapses_differ_run_together_from_a_folder(plan, expected, tmp_path):
    """The second package's mechanism takes another name, here and where the folder is run."""
    first, *_, model = plan.packages
    own = tmp_path / model
    shutil.copytree(plan.packages[model].folder, own)
    mod = own / "mechanisms" / "ProbAMPANMDA_EMS.mod"
    mod.write_text(mod.read_text() + "\n: the same equations in another file\n")
    changed = {**plan.packages, model: nmc.load_package(own, trust=True)}
    packages = dict(zip(changed, rename_clashes(changed.values()), strict=True))
    assert not packages[first].renamed and packages[model].renamed
    other = replace(plan, packages=packages)
    assert nmc.simulate_circuit(other, trust=True, **RUN).spikes.equals(expected.spikes)
    folder = nmc.write_circuit(other, tmp_path / "circuit", trust=True, **RUN)
    command = [*NMC, "circuit", "run", str(folder)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and "trust" in refused.stderr
    subprocess.run([*command, "--trust"], check=True, timeout=300)
    assert nmc.read_circuit(other, folder).spikes.equals(expected.spikes)


@pytest.mark.neuron
def test_more_ranks_than_cells_are_refused_by_the_run(run, plan, tmp_path):
    pair = nmc.plan_circuit(nmc.default_connectome(), plan.neurons["neuron"][:2], missing="skip")
    status, told = run(3, nmc.write_circuit(pair, tmp_path / "circuit", **RUN))
    assert status != 0 and "runs on 1 to 2 ranks; got 3" in told


def test_arrays_are_joined_from_all_parts():
    from nmc.circuit._neuron import cells_of
    from nmc.circuit.ranks import join

    assert sorted(cells_of(0, 3, 8) + cells_of(1, 3, 8) + cells_of(2, 3, 8)) == list(range(8))
    meta = {"segments": 3, "cells": 1, "solve_s": 1.0, "waited_s": 0.5}
    part = {"spike_t_ms": np.array([1.0]), "spike_gid": np.array([0]), "t_ms": np.arange(3.0)}
    joined, arrays = join([(meta, part), (meta | {"solve_s": 4.0}, part | {"v_1": np.ones(3)})])
    assert joined == {"segments": 6, "cells": 2, "solve_s": 4.0, "waited_s": 0.5}
    assert len(arrays["spike_gid"]) == 2 and "v_1" in arrays
