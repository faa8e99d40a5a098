"""Measure one way once, in this process; print a JSON line. Started by `connectome`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from ways import FACTS, WAYS, load


def main(task: str, tool: str, folder: str, size: str) -> None:
    """Warm up on the smallest graph, then time the one that was asked for."""
    smallest = min(Path(folder).glob("graph-*.npz"), key=lambda f: int(f.stem.split("-")[1]))
    if tool == "nmc" and "hdf5" not in task:
        # Compiled code is read from its cache before the clock starts.
        WAYS[task, tool](load(smallest))()
    building = time.perf_counter()
    graph = load(Path(folder) / f"graph-{size}.npz")
    run = WAYS[task, tool](graph)
    building = time.perf_counter() - building
    started = []
    sys.addaudithook(lambda event, _: started.append(1) if event == "subprocess.Popen" else None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    child_before = child.ru_utime + child.ru_stime
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Reading happens in child processes while this one waits: each counts as the largest of
    # them, on top of what this one had; their CPU counts too.
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = max(peak, before + len(started) * child.ru_maxrss)
    cpu += child.ru_utime + child.ru_stime - child_before
    facts = FACTS[task, tool](graph, result) if (task, tool) in FACTS else {}
    unit = 1024 if sys.platform == "linux" else 1024**2
    print(json.dumps({
        "task": task, "tool": tool, "neurons": int(size), "wall_s": wall, "cpu_s": cpu,
        "peak_MB": peak / unit, "ready_MB": before / unit, "build_s": building,
    } | facts))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
