"""A package run by hand: the copy, the changes, the commands."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from nmc.cells import mechanisms
from nmc.cells.by_hand import copy_package, port_package, read_recording, run_command
from nmc.cells.package import read_package
from nmc.errors import PackageError, SimulationTimeout

from .conftest import SMALL

OLD_SCRIPT = """
numpy.savetxt(soma_voltage_filename, zip(time, soma_voltage))
pylab.gcf().canvas.set_window_title('RmpRiTau trace')
"""


def test_a_copy_is_whole_and_one_s_own(small, tmp_path):
    for path in [small.folder, *small.folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)  # as the cache keeps it
    try:
        copy = copy_package(small, tmp_path)
    finally:
        for path in [small.folder, *small.folder.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
    assert read_package(copy).content_sha256 == small.content_sha256
    assert all(os.access(path, os.W_OK) for path in [copy, *copy.rglob("*")])
    assert all(path.stat().st_mode & 0o200 for path in copy.rglob("*"))
    assert (copy / "python_recordings").is_dir() and (copy / "hoc_recordings").is_dir()
    with pytest.raises(PackageError, match=f"{SMALL}.*exists already"):
        copy_package(small, tmp_path)


def test_every_change_is_listed_and_made_once(copy):
    before = {p.name: p.read_text() for p in (copy / "mechanisms").glob("*.mod")}
    (copy / "run_RmpRiTau.py").write_text(OLD_SCRIPT)
    changes = port_package(copy)
    assert {"mechanisms/ProbAMPANMDA_EMS.mod", "mechanisms/ProbGABAAB_EMS.mod"} < set(
        changes["file"]
    )
    for name, text in before.items():
        assert (copy / "mechanisms" / name).read_text() == mechanisms.port(text)[0]
    script = (copy / "run_RmpRiTau.py").read_text()
    assert "numpy.savetxt(soma_voltage_filename, numpy.transpose([time, soma_voltage]))" in script
    assert ".canvas.manager.set_window_title('RmpRiTau trace')" in script
    assert (changes.query("file == 'run_RmpRiTau.py'")["times"] == 1).all()
    assert changes["why"].str.len().min() > 20 and (changes["before"] != changes["after"]).all()
    assert port_package(copy).empty


def test_a_command_tells_what_it_said_and_how_it_ended(tmp_path):
    code = "import os; print(os.getcwd()); print('an \\x1b[31merror'); raise SystemExit(3)"
    ended = run_command([sys.executable, "-c", code], tmp_path, trust=True)
    assert ended.returncode == 3 and ended.output.splitlines()[0] == "."  # where one stands
    assert ended.last(1) == ended.last(matching="error") == "an error"
    assert "exit status 3" in repr(ended)
    assert run_command(["python", "-c", "import nmc"], tmp_path, trust=True).returncode == 0


def test_a_command_that_cannot_be_or_does_not_end(tmp_path):
    with pytest.raises(PackageError, match="no program 'no-such-program'"):
        run_command(["no-such-program"], tmp_path, trust=True)
    with pytest.raises(SimulationTimeout, match="not finished within 0.5 s"):
        sleep = [sys.executable, "-c", "import time; time.sleep(30)"]
        run_command(sleep, tmp_path, trust=True, timeout_s=0.5)


def test_what_the_script_wrote_is_read_as_a_trace(copy):
    with pytest.raises(PackageError, match=f"{SMALL}: run.py wrote no soma_voltage_step2.dat"):
        read_recording(copy, 2)
    (copy / "python_recordings").mkdir(exist_ok=True)
    rows = [(0.0, -70.0), (0.1, 10.0), (0.2, -70.0), (0.3, 20.0)]
    np.savetxt(copy / "python_recordings/soma_voltage_step2.dat", rows)
    trace = read_recording(copy, 2)
    assert trace["v_mV"].tolist() == [-70, 10, -70, 20] and trace.attrs["spike_count"] == 2


@pytest.mark.real
def test_what_a_real_package_needs_today(real, tmp_path):
    """Two synapses for NEURON 9, one line of a script for Python 3."""
    changes = port_package(copy_package(real(SMALL), tmp_path))
    assert set(changes["file"]) >= {
        "mechanisms/ProbAMPANMDA_EMS.mod",
        "mechanisms/ProbGABAAB_EMS.mod",
        "run_RmpRiTau.py",
    }
    assert "savetxt of a zip" in set(changes["what"])
