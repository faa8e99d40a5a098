"""Run a command and watch how much memory it and all it starts use."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between two looks at the processes.
PERIOD = 0.25


@dataclass(frozen=True)
class Watched:
    """How a watched command ended.

    Attributes
    ----------
    returncode, text
        Its exit code, and what it wrote.
    peak_gb : float
        Most memory that it and all it started held at a time.
    cpu_seconds : float
        Processor time of all of them, as last seen.
    over : bool
        Whether it was ended for holding too much.
    """

    returncode: int
    text: str
    peak_gb: float
    cpu_seconds: float
    over: bool


def run_watched(
    command: list[str], *, env: dict[str, str], cwd: Path, limit_gb: float | None = None
) -> Watched:
    """Run a command to its end, or until its processes together hold more than `limit_gb`."""
    process = subprocess.Popen(
        command, env=env, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    peak, over, ended = 0.0, False, threading.Event()
    cpu: dict[int, float] = {}

    def watch() -> None:
        nonlocal peak, over
        while not ended.wait(PERIOD):
            used = _look(process.pid, cpu)
            peak = max(peak, used)
            if limit_gb is not None and used > limit_gb:
                over = True
                _end(process.pid)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        text, _ = process.communicate()
    finally:
        ended.set()
        if process.poll() is None:
            _end(process.pid)
        watcher.join()
    return Watched(process.returncode, text, round(peak, 2), round(sum(cpu.values()), 1), over)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _look(pid: int, cpu: dict[int, float]) -> float:
    """Return the memory a family of processes holds, in GB, and note their processor times."""
    held = 0
    for process in _family(pid):
        try:
            with process.oneshot():
                held += process.memory_info().rss
                cpu[process.pid] = sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return held / 2**30


def _end(pid: int) -> None:
    for process in reversed(_family(pid)):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
