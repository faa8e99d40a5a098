"""Memory and time are watched over a process and all it starts."""

from __future__ import annotations

import os
import sys

import psutil

from tools.bookbuild.execute import watch

GROW = (
    "import time; held = bytearray({mb} * 2**20); held[::4096] = b'x' * len(held[::4096]); {then}"
)
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"


def watched(code: str, tmp_path):
    return watch([sys.executable, "-c", code], env=dict(os.environ), cwd=tmp_path)


def test_what_a_child_holds_counts(tmp_path):
    code = CHILD.format(code=GROW.format(mb=200, then="time.sleep(1.5)"))
    done = watched(code, tmp_path)
    assert done.returncode == 0
    assert 0.2 <= done.peak_gb < 0.6


def test_what_a_command_started_does_not_outlive_it(tmp_path):
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(61.25)']); time.sleep(1)"
    )
    assert watched(code, tmp_path).returncode == 0
    left = psutil.process_iter(["cmdline"])
    assert not [one for one in left if "sleep(61.25)" in " ".join(one.info["cmdline"] or [])]


def test_the_processor_time_of_children_counts(tmp_path):
    burn = "import time\nwhile time.process_time() < 1.5: pass\ntime.sleep(0.6)"
    done = watched(CHILD.format(code=burn), tmp_path)
    assert 1.5 <= done.cpu_seconds < 4


def test_what_is_said_and_the_exit_code_come_back(tmp_path):
    done = watched("import sys; print('hello'); sys.exit(3)", tmp_path)
    assert (done.returncode, done.text.strip()) == (3, "hello")
