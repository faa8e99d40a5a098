"""A process of its own: results, limits, crashes and interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from nmc.cells import worker
from nmc.errors import PackageError, SimulationError, SimulationTimeout

pytestmark = pytest.mark.neuron
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def tasks_on_the_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))


def run(task, **settings):
    return worker.run(f"tasks:{task}", {"x": 21}, label="L5_X", **settings)


def test_a_task_gives_back_its_values_and_makes_no_noise(capfd):
    meta, arrays = run("fine", progress=True)
    assert meta["twice"] == 42 and meta["cpu_s"] >= 0
    assert arrays["a"].tolist() == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_past_the_time_limit_it_is_ended():
    started = time.monotonic()
    with pytest.raises(SimulationTimeout, match="L5_X.*time limit of 3 s"):
        run("slow", timeout_s=3)
    assert time.monotonic() - started < 30
    assert not children()


def test_past_the_memory_limit_it_is_ended():
    with pytest.raises(SimulationError, match="more than 300 MB"):
        run("hungry", memory_MB=300)


@pytest.mark.parametrize(
    ("task", "kind", "said"),
    [
        ("crash", SimulationError, "crashed .SIGSEGV"),
        ("leave", SimulationError, "own code ended NEURON"),
        ("fails", PackageError, "^L5_X: the reason$"),
        ("breaks", SimulationError, "ZeroDivisionError"),
    ],
)
def test_whatever_happens_in_there_is_an_exception_here(task, kind, said):
    with pytest.raises(kind, match=said):
        run(task)


def test_an_interrupt_ends_the_worker_too(tmp_path):
    code = "from nmc.cells import worker; worker.run('tasks:slow', {}, label='L5_X')"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    below = []
    while not below and time.monotonic() < deadline:
        below = psutil.Process(process.pid).children()
        time.sleep(0.2)
    assert below
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(60) != 0
    assert not psutil.pid_exists(below[0].pid)


def children() -> list:
    me = psutil.Process()
    return [p for p in me.children(recursive=True) if "nmc.cells._worker" in " ".join(p.cmdline())]
