"""What the benchmarks measure with."""

import json
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


@pytest.mark.parametrize(
    ("program", "written"),
    [
        ("connectome", "connectome.markdown(results).splitlines()"),
        ("circuit", "circuit.as_markdown(results).splitlines()"),
        ("cells", "[f'- {line}' for line in cells.verdict(results)]"),
    ],
)
def test_the_page_of_results_is_what_the_program_writes(program, written):
    """*What it costs* shows these pages: a sentence changed by hand would not come back."""
    code = f"import json, {program}; results = json.load(open('results/{program}.json')); "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(json.dumps({written}))"],
        capture_output=True, text=True, check=True, cwd=BENCHMARKS,
    )  # fmt: skip
    page = (BENCHMARKS / "results" / f"{program}.md").read_text("utf-8").splitlines()
    told = [line for line in json.loads(done.stdout) if line]
    assert told and [line for line in page if line in told] == told


def test_the_table_of_single_cells_holds_the_measured_rows():
    results = json.loads((BENCHMARKS / "results" / "cells.json").read_text("utf-8"))
    page = (BENCHMARKS / "results" / "cells.md").read_text("utf-8")
    for row in results["rows"]:
        line = next(one for one in page.splitlines() if one.startswith(f"| {row['model']} |"))
        counts = f"| {row['step']} | {row['spikes_reference']} | {row['spikes_published']} |"
        assert counts in line and line.endswith(f" {row['ratio']:.2f} |")
