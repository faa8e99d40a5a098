"""Measure one way once, in this process; print a JSON line. Started by `connectome`."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

from ways import FACTS, WAYS, load


def watch_children() -> dict[int, float]:
    """Follow the peak memory (MB) of every process started from now on, by its id.

    What the system tells of ended children includes this process, as it was when it forked.
    """
    peaks: dict[int, float] = {}
    start = subprocess.Popen.__init__

    def follow(child: subprocess.Popen) -> None:
        while child.returncode is None:
            try:
                status = Path(f"/proc/{child.pid}/status").read_text()
            except OSError:
                return
            if found := re.search(r"VmHWM:\s+(\d+) kB", status):
                peaks[child.pid] = int(found[1]) / 1024
            time.sleep(0.005)

    def watched(child: subprocess.Popen, *args, **options) -> None:
        start(child, *args, **options)
        threading.Thread(target=follow, args=(child,), daemon=True).start()

    subprocess.Popen.__init__ = watched
    return peaks


def peak_MB() -> float:
    """Return the peak memory of this process since it began.

    What `resource` tells includes the parent as it was when this process was forked.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


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
    peaks = watch_children()
    before = peak_MB()
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    child_before = child.ru_utime + child.ru_stime
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Reading happens in child processes while this one waits: their peaks come on top of what
    # this one had; their CPU counts too.
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = max(peak_MB(), before + sum(peaks.values()))
    cpu += child.ru_utime + child.ru_stime - child_before
    facts = FACTS[task, tool](graph, result) if (task, tool) in FACTS else {}
    print(json.dumps({
        "task": task, "tool": tool, "neurons": int(size), "wall_s": wall, "cpu_s": cpu,
        "peak_MB": peak, "ready_MB": before, "build_s": building,
    } | facts))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
