"""The one child process: results, limits, crashes, interrupts, and a hostile working folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from nmc import child
from nmc.errors import FormatError, PackageError, SimulationError, SimulationTimeout

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def tasks_on_the_path(monkeypatch, tmp_path_factory):
    place = str(tmp_path_factory.mktemp("temporary"))  # other processes have folders in the usual
    monkeypatch.setenv("TMPDIR", place)
    monkeypatch.setattr(tempfile, "tempdir", place)
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def run(task, **settings):
    return child.run_child(f"tasks:{task}", {"x": 21}, label="L5_X", **settings)


def folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("nmc-run-*"))


def wait_until(true, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return bool(true())


def test_a_task_gives_back_its_values_makes_no_noise_and_leaves_no_folder(capfd):
    meta, arrays = run("fine", progress=True)
    assert meta["twice"] == 42 and meta["cpu_s"] >= 0
    assert arrays["a"].tolist() == [0, 1, 2]
    assert capfd.readouterr() == ("", "")
    assert not folders() and not Path(meta["temporary"]).exists()


def test_past_the_time_limit_it_is_ended():
    started = time.monotonic()
    with pytest.raises(SimulationTimeout, match="L5_X.*time limit of 3 s"):
        run("slow", timeout_s=3)
    assert time.monotonic() - started < 30
    assert not [p for p in psutil.Process().children() if "nmc.child" in " ".join(p.cmdline())]


def test_past_the_memory_limit_it_is_ended():
    with pytest.raises(SimulationError, match="more than 300 MB"):
        run("hungry", memory_MB=300)


@pytest.mark.parametrize(
    ("task", "kind", "said"),
    [
        ("crash", SimulationError, "L5_X: the process crashed .SIGSEGV"),
        ("leave", SimulationError, "code in the files ended the process .exit status 7"),
        ("fails", PackageError, "^L5_X: the reason$"),
        ("breaks", SimulationError, "ZeroDivisionError"),
    ],
)
def test_whatever_happens_in_there_is_an_exception_here(task, kind, said):
    with pytest.raises(kind, match=said):
        run(task)


def test_a_reader_of_files_says_which_error_a_crash_is():
    with pytest.raises(FormatError, match="SIGSEGV"):
        run("crash", error=FormatError)
    with pytest.raises(FormatError, match="time limit"):
        run("slow", timeout_s=1, error=FormatError)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("task", ["slow", "deaf", "deaf_elsewhere"])
def test_it_dies_with_its_parent(number, task):
    # A shell's background job ignores interrupts; Python as a reader starts it does not.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    call = f"from nmc.child import run_child; run_child('tasks:{task}', {{}}, label='L5_X')"
    code = f"{heed}\n{call}"
    parent = psutil.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    assert wait_until(parent.children, 60)
    below = parent.children()[0]
    assert wait_until(lambda: _works_on(below), 60)
    place = Path(below.cwd())
    os.kill(parent.pid, number)
    assert parent.wait(60) != 0
    assert wait_until(lambda: not below.is_running() or below.status() == "zombie", 2)
    if number == signal.SIGINT:
        assert not place.exists()
        return
    assert place.exists()  # nobody was left to remove it; the next process does
    os.utime(place, (0, 0))
    child._sweep.cache_clear()
    run("fine")
    assert not place.exists()


def _works_on(process: psutil.Process) -> bool:
    return (Path(process.cwd()) / "at-work").exists()


def test_a_folder_in_use_is_not_swept(tmp_path, monkeypatch):
    with child._folder() as used:
        os.utime(used, (0, 0))
        child._sweep.cache_clear()
        run("fine")
        assert used.exists()
    assert not used.exists()


@pytest.mark.parametrize("path", ["", ".", "working"])
def test_nothing_is_imported_from_the_working_folder(tmp_path, monkeypatch, path):
    for name in ("neuron", "numpy", "psutil", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from the working folder')")
    monkeypatch.chdir(tmp_path)
    if path:  # a PYTHONPATH that names the working folder does not help it in
        monkeypatch.setenv("PYTHONPATH", f"{HERE}:{tmp_path if path == 'working' else path}")
    meta, _ = run("fine")
    assert meta["twice"] == 42


def test_two_at_a_time_do_not_meet():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        found = list(
            pool.map(lambda x: child.run_child("tasks:fine", {"x": x}, progress=False)[0], (1, 2))
        )
    assert [meta["twice"] for meta in found] == [2, 4]


@pytest.mark.neuron
def test_mechanisms_in_the_working_folder_are_not_loaded(tmp_path, monkeypatch):
    """NEURON loads ``x86_64`` of the folder it starts in, and what NRN_NMODL_PATH names."""
    (tmp_path / "hostile.mod").write_text("NEURON { SUFFIX hostile }\n")
    compiler = shutil.which("nrnivmodl", path=str(Path(sys.executable).parent))
    subprocess.run([compiler], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRN_NMODL_PATH", str(tmp_path))
    assert run("mechanisms")[0]["known"] == [False, True]  # hostile, and NEURON's own hh
