"""Memory is watched over a process and all it starts, and a limit ends them."""

from __future__ import annotations

import os
import sys

import psutil
from bookbuild.watch import run_watched

GROW = (
    "import time; held = bytearray({mb} * 2**20); held[::4096] = b'x' * len(held[::4096]); {then}"
)
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"


def watched(code: str, tmp_path, **limits):
    return run_watched([sys.executable, "-c", code], env=dict(os.environ), cwd=tmp_path, **limits)


def test_what_a_child_holds_counts(tmp_path):
    code = CHILD.format(code=GROW.format(mb=200, then="time.sleep(1.5)"))
    done = watched(code, tmp_path)
    assert done.returncode == 0 and not done.over
    assert 0.2 <= done.peak_gb < 0.6


def test_a_process_over_its_limit_is_ended_with_its_children(tmp_path):
    code = CHILD.format(code=GROW.format(mb=300, then="time.sleep(60)"))
    done = watched(code, tmp_path, limit_gb=0.15)
    assert done.over and done.returncode != 0
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if "bytearray(300" in " ".join(process.info["cmdline"] or [])
    ]


def test_the_processor_time_of_children_counts(tmp_path):
    burn = "import time\nwhile time.process_time() < 1.5: pass\ntime.sleep(0.6)"
    done = watched(CHILD.format(code=burn), tmp_path)
    assert 1.5 <= done.cpu_seconds < 4


def test_what_is_said_and_the_exit_code_come_back(tmp_path):
    done = watched("import sys; print('hello'); sys.exit(3)", tmp_path)
    assert (done.returncode, done.text.strip(), done.over) == (3, "hello", False)
