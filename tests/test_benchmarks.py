"""What the benchmarks measure with."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
#: A process that holds so many bytes starts another one that holds so many, and prints its peak.
PARENT = """
import subprocess, sys
held = bytearray(int(sys.argv[1]))
held[:] = b"x" * len(held)
child = "import sys; from measure import peak_MB; x = b'x' * int(sys.argv[1]); print(peak_MB())"
subprocess.run([sys.executable, "-c", child, sys.argv[2]], check=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
@pytest.mark.parametrize("parent, child, least, most", [(900, 0, 20, 400), (0, 500, 500, 900)])
def test_a_run_reports_its_own_memory_and_not_its_parents(parent, child, least, most):
    sizes = [str(size * 2**20) for size in (parent, child)]
    done = subprocess.run(
        [sys.executable, "-c", PARENT, *sizes],
        capture_output=True, text=True, check=True, cwd=BENCHMARKS,
    )  # fmt: skip
    assert least < float(done.stdout) < most
