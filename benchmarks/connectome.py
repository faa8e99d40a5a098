"""Connectome measures against their peers, as ratios in one run.

    python benchmarks/connectome.py FOLDER [--repeat 3] [--task NAME …] [--growth]

Every measurement is a process of its own, with its peak memory; ways of one task are measured
in turn, so that a busy machine slows all of them. Results go to ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
from instance import SIZES, write_hdf5, write_instances

HERE = Path(__file__).parent
FULL = SIZES[-1]
#: Task, neurons, peer → how many times faster this package must be (None: shown only).
GOALS: dict[tuple[str, int, str], float | None] = {
    ("hdf5 raw", FULL, "bare h5py"): 1 / 1.5,
    ("hdf5 raw", FULL, "dense, then sparse"): 5,
    ("hdf5 gzip", FULL, "bare h5py"): 1 / 1.2,
    ("hdf5 gzip", FULL, "dense, then sparse"): None,
    ("triads", 8000, "igraph"): 500,
    ("triads", 2000, "networkx"): 1500,
    ("paths", 8000, "networkit APSP"): 25,
    ("paths", 8000, "networkit"): 25,
    ("simplices", FULL, "pyflagser"): 2.5,
    ("simplices", 16000, "flagser-count"): 25,
    ("clustering", FULL, "igraph"): 2,
    ("clustering", FULL, "networkit"): 2,
    ("distance", FULL, "cdist"): 6,
    ("distance", FULL, "gemm"): 6,
    ("distance", FULL, "cKDTree"): 6,
    ("common neighbours", FULL, "scipy row blocks"): 6,
    ("randomise", FULL, "networkit"): 4,
    ("rich club", FULL, "connectome-analysis"): 20,
    ("reciprocity", FULL, "igraph"): 1,
    ("reciprocity", FULL, "scipy"): 1,
    ("degrees", FULL, "igraph"): 1,
    ("degrees", FULL, "scipy"): 1,
}
GROWTH = ("triads", "clustering", "paths", "simplices", "distance", "common neighbours")


def measure(task: str, tool: str, folder: Path, size: int, timeout: float) -> dict:
    """Run one measurement; a way that fails or takes too long says so."""
    command = [sys.executable, str(HERE / "measure.py"), task, tool, str(folder), str(size)]
    what = {"task": task, "tool": tool, "neurons": size}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return what | {"failed": f"not done after {timeout:.0f} s"}
    if done.returncode:
        return what | {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def medians(runs: list[dict]) -> dict:
    """Reduce repeated measurements of one way to their medians."""
    good = [r for r in runs if "failed" not in r]
    if not good:
        return runs[0]
    keys = ("wall_s", "cpu_s", "peak_MB", "ready_MB")
    return good[0] | {k: median(r[k] for r in good) for k in keys} | {"runs": len(good)}


def compare(folder: Path, task: str, repeat: int, timeout: float) -> list[dict]:
    """Measure one task, at each size it has a goal for: this package and its peers in turn."""
    found = []
    for size in dict.fromkeys(n for t, n, _ in GOALS if t == task):
        peers = [p for t, n, p in GOALS if (t, n) == (task, size)]
        runs: dict[str, list[dict]] = {tool: [] for tool in ("nmc", *peers)}
        for _ in range(repeat):
            for tool, kept in runs.items():
                if not (kept and "failed" in kept[-1]):
                    kept.append(measure(task, tool, folder, size, timeout))
        ours = medians(runs["nmc"])
        found.append(ours)
        for peer in peers:
            theirs = medians(runs[peer])
            if "failed" not in theirs and "failed" not in ours:
                theirs["ratio_wall"] = theirs["wall_s"] / ours["wall_s"]
                theirs["ratio_cpu"] = theirs["cpu_s"] / ours["cpu_s"]
            theirs["goal"] = GOALS[task, size, peer]
            found.append(theirs)
            print(json.dumps(theirs), file=sys.stderr, flush=True)
    return found


def growth(folder: Path, repeat: int, timeout: float) -> list[dict]:
    """Measure this package at every size, and fit the exponent from 4,000 neurons on."""
    found = []
    for task in GROWTH:
        rows = [
            medians([measure(task, "nmc", folder, n, timeout) for _ in range(repeat)])
            for n in SIZES
        ]
        large = [r for r in rows if r["neurons"] >= 4000 and "failed" not in r]
        x = np.log([r["neurons"] for r in large])
        slope = float(np.polyfit(x, np.log([r["cpu_s"] for r in large]), 1)[0])
        found.append({"task": task, "exponent": slope, "rows": rows})
        print(task, round(slope, 2), file=sys.stderr, flush=True)
    return found


def markdown(results: dict) -> str:
    """Write the results as Markdown tables."""
    lines = [
        "| task | neurons | way | wall s | CPU s | peak MB | times faster (wall) | (CPU) | goal |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results["comparisons"]:
        head = f"| {r['task']} | {r['neurons']:,} | {r['tool']} |"
        if "failed" in r:
            lines.append(f"{head} {r['failed']} | | | | | {r.get('goal', '')} |")
            continue
        ratios = [f"{r[k]:,.1f}" if k in r else "" for k in ("ratio_wall", "ratio_cpu")]
        goal = f"≥ {r['goal']:,.3g}" if r.get("goal") else ""
        lines.append(
            f"{head} {r['wall_s']:.3g} | {r['cpu_s']:.3g} | {r['peak_MB']:.0f} | "
            f"{ratios[0]} | {ratios[1]} | {goal} |"
        )
    if results.get("growth"):
        sizes = " | ".join(f"{n:,}" for n in SIZES)
        lines += [
            "",
            f"CPU seconds by neurons | {sizes} | exponent",
            "---|" * (len(SIZES) + 1) + "---",
        ]
        for g in results["growth"]:
            cells = " | ".join(f"{r['cpu_s']:.2g}" if "cpu_s" in r else "–" for r in g["rows"])
            lines.append(f"{g['task']} | {cells} | {g['exponent']:.2f}")
    return "\n".join(lines) + "\n"


def machine() -> dict:
    """Say what the numbers were measured on."""
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("numpy", "scipy", "numba", "networkx", "igraph", "networkit", "pyflagser",
                 "pyflagsercount", "connectome-analysis"):  # fmt: skip
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "system": platform.system(), "machine": platform.machine(),
        "python": platform.python_version(), "cores": os.cpu_count(),
        "load_at_start": os.getloadavg()[0], "packages": packages,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the graphs are, or are to be written")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--task", nargs="*", default=sorted({t for t, _, _ in GOALS}))
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "connectome.json")
    options = parser.parse_args()
    if not (options.folder / f"graph-{FULL}.npz").exists():
        write_instances(options.folder)
    if any("hdf5" in t for t in options.task) and not any(
        options.folder.glob(f"graph-{FULL}-*.h5")
    ):
        write_hdf5(options.folder, FULL)
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    results = {"comparisons": [], "growth": []} | results | {"machine": machine()}

    def keep(task: str, rows: list[dict]) -> None:
        """Replace what was known of a task, and write at once: a long run may be broken off."""
        rest = [r for r in results["comparisons"] if r["task"] != task]
        results["comparisons"] = rest + rows
        options.out.parent.mkdir(exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(markdown(results))

    for task in options.task:
        keep(task, compare(options.folder, task, options.repeat, options.timeout))
    if options.whole:
        task = "whole analysis"
        runs = [
            measure(task, "nmc", options.folder, FULL, options.timeout)
            for _ in range(options.repeat)
        ]
        keep(task, [medians(runs)])
    if options.growth:
        results["growth"] = growth(options.folder, options.repeat, options.timeout)
        keep("", [])
    print(markdown(results))


if __name__ == "__main__":
    main()
