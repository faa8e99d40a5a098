"""Connectome measures against their peers, as ratios in one run.

    python benchmarks/connectome.py FOLDER [--repeat 3] [--task NAME …] [--minutes 8]

A folder holds the graphs made from one source's sheets; the rows of each are kept beside those of
the others, and a goal is met when it is met on all of them.  Every measurement is a process of its
own, with its peak memory; ways of one task are measured in turn, so that a busy machine slows all
of them.  Each row is written to ``benchmarks/results/`` as soon as it is known; a run that is
broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import numpy as np
from instance import LARGE, SIZES, write_hdf5, write_instances, write_large

HERE = Path(__file__).parent
FULL = SIZES[-1]
#: Task, neurons, peer → how many times faster this package must be (None: shown only).
GOALS: dict[tuple[str, int, str], float | None] = {
    ("hdf5 raw", FULL, "bare h5py"): 1 / 4,
    ("hdf5 raw", FULL, "dense, then sparse"): 2.5,
    ("hdf5 gzip", FULL, "bare h5py"): 1 / 2,
    ("hdf5 gzip", FULL, "dense, then sparse"): 1,
    ("degrees", FULL, "igraph, in and out only"): None,
    ("degrees", FULL, "igraph, reciprocal too"): 1,
    ("degrees", FULL, "scipy"): 1,
    ("reciprocity", FULL, "igraph"): 1,
    ("reciprocity", FULL, "scipy"): 1,
    ("distance", FULL, "cdist"): 6,
    ("distance", FULL, "gemm"): 6,
    ("distance", FULL, "cKDTree"): 6,
    ("rich club", FULL, "connectome-analysis"): 20,
    ("randomise", FULL, "networkit"): 4,
    ("clustering", FULL, "igraph"): 2,
    ("clustering", FULL, "networkit"): 2,
    ("clustering", FULL, "scipy"): 2,
    ("common neighbours", FULL, "scipy row blocks"): 6,
    ("paths", 8000, "networkit APSP"): 25,
    ("paths", 8000, "networkit"): 25,
    ("simplices", FULL, "pyflagser"): 2.5,
    ("simplices", 16000, "flagser-count"): 25,
    ("triads", 2000, "networkx"): 1500,
    ("triads", 8000, "igraph"): 500,
    ("degrees", LARGE, "scipy"): None,
}
#: Task → what this package may take at full size: megabytes at the peak, wall and CPU seconds.
LIMITS: dict[str, dict[str, float]] = {
    "hdf5 raw": {"peak_MB": 400},
    "hdf5 gzip": {"peak_MB": 400},
    "hdf5 reopen": {"wall_s": 0.1},
    "simplices": {"peak_MB": 300},
    "common neighbours": {"peak_MB": 300},
    "whole analysis": {"wall_s": 45, "peak_MB": 600},
    "neighbourhoods": {"cpu_s": 60},
    "offset map": {"cpu_s": 8, "peak_MB": 400},
    "general null": {"cpu_s": 10},
}
#: Tasks without a peer.
ALONE = (
    "hdf5 reopen", "whole analysis", "maximal simplices", "edge participation", "neighbourhoods",
    "offset map", "general null",
)  # fmt: skip
#: Task → another one of the same graph, and how many times its CPU seconds it may take.
TIMES = {"maximal simplices": ("simplices", 3), "edge participation": ("simplices", 3)}
#: What a newcomer does first, with the sample and an empty cache: CPU seconds it may take.
FIRST = {"nmc list sheet": 1.5, "first load_pathways": 4, "second load_pathways": 0.3}
#: What is done with the large graph, and what each may take.
AT_LARGE = (
    "make a connectome",
    "degrees",
    "triads",
    "simplices",
    "clustering",
    "degree-preserving null",
)
LARGE_LIMITS = {"cpu_s": 90, "peak_MB": 1200}
#: Why a peer may be faster: what it does not do.
WHY = {
    "bare h5py": "it only reads; a process of its own for unknown files, a look at every value "
    "and the sparse matrix come on top here",
    "igraph, in and out only": "its graph object, built before the clock starts, holds the lists "
    "of both directions, and reciprocal partners, which our table has, are not counted",
}
#: Why a goal is missed, by task and peer.
SHORT: dict[tuple[str, str], str] = {
    **dict.fromkeys(
        [("triads", "networkx"), ("triads", "igraph")],
        "the graph from the sample's sheets has twice the triangles; two thirds of the time goes "
        "with looking up, for every two partners of a neuron, whether they are connected, though "
        "it takes a quarter to two fifths less since no branch has to be guessed",
    ),
    ("simplices", "flagser-count"): "both use two threads; looking up which targets of a neuron "
    "contact which is two thirds of the time here on the portal's graph, a fifth on the sample's, "
    "and was no faster four targets at a time or from the end of fewer partners; the rest follows "
    "the simplices",
}
#: Heading → the tasks in its table.
GROUPS = {
    "Reading a file": ("hdf5 raw", "hdf5 gzip", "hdf5 reopen"),
    "Degrees, distances, random graphs": (
        "degrees", "reciprocity", "distance", "rich club", "randomise", "offset map",
        "general null",
    ),
    "Triangles, triads, paths": ("clustering", "common neighbours", "paths", "triads"),
    "Simplices": ("simplices", "maximal simplices", "edge participation", "neighbourhoods"),
    "All in one go": ("whole analysis",),
}  # fmt: skip
GROWTH = ("triads", "clustering", "paths", "simplices", "distance", "common neighbours")
#: A way that takes longer than this is measured once only.
LONG_S = 40.0


def measure(task: str, tool: str, folder: Path, size: int, timeout: float, **env: str) -> dict:
    """Run one measurement; a way that fails or takes too long says so."""
    command = [sys.executable, str(HERE / "measure.py"), task, tool, str(folder), str(size)]
    what = {"task": task, "tool": tool, "neurons": size}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False,
            env=os.environ | env,
        )  # fmt: skip
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


def done_with(runs: list[dict]) -> bool:
    """Whether a way needs no further measurement."""
    return bool(runs) and ("failed" in runs[-1] or runs[-1]["wall_s"] > LONG_S)


def graph_of(folder: Path, size: int) -> dict:
    """Say which graph a row is about: from whose sheets, and how much it holds."""
    if size == LARGE:
        return {"sheets": "none"}
    about = json.loads((folder / "graph.json").read_text())
    return {"sheets": about["sheets"]} | about["sizes"][str(size)]


def write_more(folder: Path, task: str, size: int) -> None:
    """Write what only some rows need: the files of dense blocks, the large graph."""
    if size == LARGE and not (folder / f"graph-{LARGE}.npz").exists():
        write_large(folder)
    if "hdf5" in task and not any(folder.glob(f"graph-{FULL}-*.h5")):
        write_hdf5(folder, FULL)


def compare(folder: Path, task: str, size: int, repeat: int, timeout: float) -> list[dict]:
    """Measure one task at one size: this package and its peers in turn."""
    graph = graph_of(folder, size)
    peers = [p for t, n, p in GOALS if (t, n) == (task, size)]
    runs: dict[str, list[dict]] = {tool: [] for tool in ("nmc", *peers)}
    for _ in range(repeat):
        for tool, kept in runs.items():
            if not done_with(kept):
                kept.append(measure(task, tool, folder, size, timeout))
    made = {"processor": _processor(), "graph": graph, "date": time.strftime("%Y-%m-%d")}
    ours = medians(runs["nmc"]) | made
    limits = {FULL: LIMITS.get(task, {}), LARGE: LARGE_LIMITS}.get(size, {})
    found = [ours | {f"limit_{k}": v for k, v in limits.items()}]
    for peer in peers:
        theirs = medians(runs[peer]) | made
        if "failed" not in theirs and "failed" not in ours:
            theirs["ratio_wall"] = theirs["wall_s"] / ours["wall_s"]
            theirs["ratio_cpu"] = theirs["cpu_s"] / ours["cpu_s"]
            pairs = zip(runs[peer], runs["nmc"], strict=False)  # each with its neighbour in time
            each = [a["wall_s"] / b["wall_s"] for a, b in pairs if "failed" not in a | b]
            theirs["ratio_range"] = [min(each), max(each)]
        theirs["goal"] = GOALS[task, size, peer]
        found.append(theirs)
        print(json.dumps(theirs), file=sys.stderr, flush=True)
    return found


def first_minutes(folder: Path, repeat: int, timeout: float, task: str, before: Path | None):
    """Measure what a newcomer does first, in turn with the same under an older commit."""
    runs: list[dict] = []
    older: list[dict] = []
    for _ in range(repeat):
        runs.append(measure(task, "nmc", folder, SIZES[0], timeout))
        if before:
            path = str(before / "helpers")
            older.append(measure(task, "nmc", folder, SIZES[0], timeout, PYTHONPATH=path))
    if not before:
        return medians(runs)
    git = ["git", "-C", str(before), "log", "-1", "--format=%h of %cs"]
    commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    return medians(runs) | {"before": medians(older), "commit": commit}


def growth(folder: Path, task: str, repeat: int, timeout: float) -> dict:
    """Measure this package at every size, and fit the exponent from 4,000 neurons on."""
    rows = [
        medians([measure(task, "nmc", folder, n, timeout) for _ in range(repeat)]) for n in SIZES
    ]
    large = [r for r in rows if r["neurons"] >= 4000 and "failed" not in r]
    x = np.log([r["neurons"] for r in large])
    slope = float(np.polyfit(x, np.log([r["cpu_s"] for r in large]), 1)[0])
    print(task, round(slope, 2), file=sys.stderr, flush=True)
    return {"task": task, "exponent": slope, "rows": rows}


def compiling(folder: Path, timeout: float) -> dict:
    """Measure what the first call of all kernels costs where nothing is compiled yet."""
    took = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            start = time.perf_counter()
            measure("whole analysis", "nmc", folder, SIZES[0], timeout, NUMBA_CACHE_DIR=cache)
            took.append(time.perf_counter() - start)
    return {"first_s": took[0], "again_s": took[1], "compiling_s": took[0] - took[1]}


def markdown(results: dict) -> str:
    """Write the results as Markdown."""
    where = results["machine"]
    lines = [
        f"Measured on {where['processor']}, {where['cores']} cores, {where['memory_GB']:.0f} GB, "
        f"{where['system']}, Python {where['python']}; every number is the median of the runs "
        f"that its row counts; a way that takes longer than {LONG_S:.0f} s is run once.",
    ]
    order = [*dict.fromkeys(t for t, _, _ in GOALS), *ALONE, *AT_LARGE]
    rows = sorted(results["comparisons"], key=lambda r: (
        order.index(r["task"]), r["neurons"], r["graph"]["sheets"]
    ))  # fmt: skip
    large = [r for r in rows if r["neurons"] == LARGE]
    rows = [r for r in rows if r not in large]
    grouped = {task for tasks in GROUPS.values() for task in tasks}
    assert grouped >= {r["task"] for r in rows}, "a task without a group is not shown"
    for group, tasks in GROUPS.items():
        lines += ["", f"### {group}"]
        here = [r for r in rows if r["task"] in tasks]
        for graph in dict.fromkeys(map(_graph, here)):
            lines += [
                "",
                f"On {graph}:",
                "",
                "| task | way | runs | wall s | CPU s | peak MB | × nmc, wall (from–to) "
                "| × nmc, CPU | goal |",
                "|---|---|--:|--:|--:|--:|--:|--:|---|",
                *(_row(r, rows, where) for r in here if _graph(r) == graph),
            ]
    others = sorted({r.get("processor", where["processor"]) for r in rows} - {where["processor"]})
    if others:
        lines += [
            "",
            f"\\* Measured later, on {' and '.join(others)}; where wall time is far above CPU time "
            "that machine was busy, and CPU time compares.",
        ]
    said = [*_faster(rows), *_short(rows), *_mixing(rows), *_growth(results)]
    said += [*_first(results["first"]), *_large(large)]
    return "\n".join([*lines, *said]) + "\n"


def _row(r: dict, rows: list[dict], where: dict) -> str:
    elsewhere = r.get("processor", where["processor"]) != where["processor"]
    head = f"| {r['task']}{' *' if elsewhere else ''} | {r['tool']} |"
    if "failed" in r:
        return f"{head} | {r['failed']} | | | | | {_goal(r, rows)} |"
    wall, cpu = (_digits(r[k]) if k in r else "" for k in ("ratio_wall", "ratio_cpu"))
    if r.get("ratio_range") and r["runs"] > 1:
        wall += f" ({'–'.join(map(_digits, r['ratio_range']))})"
    return (
        f"{head} {r['runs']} | {_digits(r['wall_s'])} | {_digits(r['cpu_s'])} | "
        f"{r['peak_MB']:.0f} | {wall} | {cpu} | {_goal(r, rows)} |"
    )


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _graph(r: dict) -> str:
    """Say which graph a row was measured on, and how large it is."""
    graph = r["graph"]
    return (
        f"{graph['sheets']} graph of {r['neurons']:,} neurons ({graph['connections']:,} "
        f"connections, {graph['simplices']:,} simplices)"
    )


def _by_graph(rows: list[dict], say: Callable[[dict], str]) -> str:
    """Join what is said of one way on several graphs."""
    return " and ".join(f"{say(r)} on {r['graph']['sheets']} graph" for r in rows)


def _goal(r: dict, rows: list[dict]) -> str:
    """Say what a row must reach, and whether it and its like on the other graphs do."""
    said, key = [], ("task", "neurons", "tool")
    goal = GOALS.get((r["task"], r["neurons"], r["tool"]))
    if goal:
        like = [x for x in rows if [x[k] for k in key] == [r[k] for k in key]]
        met = all(x.get("ratio_wall", float("inf")) >= goal for x in like)
        graphs = {x["graph"]["sheets"] for x in like}
        state = ", missed" if not met else "" if len(graphs) > 1 else ", on one graph"
        said.append(f"≥ {_digits(goal)}{state}")
    if r["task"] in TIMES:
        task, most = TIMES[r["task"]]
        for other in rows:
            same = other.get("graph") == r.get("graph") and other["neurons"] == r["neurons"]
            if (other["task"], other["tool"]) == (task, "nmc") and same:
                times = r["cpu_s"] / other["cpu_s"]
                state = "" if times <= most else ", missed"
                said.append(f"≤ {most} times {task} (CPU): {_digits(times)}{state}")
    for key, unit in (("wall_s", "s"), ("cpu_s", "CPU s"), ("peak_MB", "MB")):
        if f"limit_{key}" in r:
            limit = r[f"limit_{key}"]
            said.append(f"≤ {limit:g} {unit}{'' if r.get(key, np.inf) <= limit else ', missed'}")
    return "; ".join(said)


def _of_one_way(rows: Iterable[dict]) -> list[list[dict]]:
    """Group the rows of one task, size and way, which were measured on several graphs."""
    found: dict[tuple, list[dict]] = {}
    for r in rows:
        found.setdefault((r["task"], r["neurons"], r["tool"]), []).append(r)
    return list(found.values())


def _faster(rows: list[dict]) -> list[str]:
    """Name every peer that is faster in its row, and why."""
    named = [
        f"- {like[0]['task']}: {like[0]['tool']} takes "
        f"{_by_graph(like, lambda r: _digits(1 / r['ratio_wall']) + ' times less')}; "
        + WHY.get(like[0]["tool"], "it does this better")
        for like in _of_one_way(r for r in rows if r.get("ratio_wall", 1) < 1)
    ]
    if not named:
        return ["", "No peer is faster in any row."]
    return ["", "### Where others are faster, or a goal is missed", "",
            "Faster than this package are:", "", *(f"{line}." for line in named)]  # fmt: skip


def _short(rows: list[dict]) -> list[str]:
    """Name every goal that is missed, and why."""
    missed = (r for r in rows if r.get("goal") and r.get("ratio_wall", np.inf) < r["goal"])
    named = [
        f"- {like[0]['task']} of {like[0]['neurons']:,} neurons: "
        f"{_by_graph(like, lambda r: _digits(r['ratio_wall']) + ' times')}, to be "
        f"{_digits(like[0]['goal'])} times {like[0]['tool']}; "
        + SHORT.get((like[0]["task"], like[0]["tool"]), "the reason is not known")
        for like in _of_one_way(missed)
    ]
    return ["", "Short of its goal is:", "", *(f"{line}." for line in named)] if named else []


def _mixing(rows: list[dict]) -> list[str]:
    """Say how well the randomisations mix."""
    said = [
        f"{like[0]['tool']} {_by_graph(like, lambda r: format(r['in_place'], '.1%'))}"
        for like in _of_one_way(r for r in rows if "in_place" in r)
    ]
    if not said:
        return []
    return ["", f"Connections still in place after ten rounds of trades: {'; '.join(said)}."]


def _first(rows: list[dict]) -> list[str]:
    """Write what the first minutes of a newcomer take."""
    commits = sorted({r["commit"] for r in rows if "commit" in r})
    older = "".join(f" CPU s at commit {commit} |" for commit in commits)
    lines = [
        "",
        "### First minutes, and a larger graph",
        "",
        f"| first minutes | runs | wall s | CPU s |{older} goal |",
        f"|---|--:|--:|--:|{'--:|' * len(commits)}---|",
    ]
    for r in rows:
        most, cpu = FIRST[r["task"]], r["cpu_s"]
        missed = "" if cpu <= most else ", missed"
        before = r.get("before", {}).get("cpu_s")
        then = [_digits(before) if before and r["commit"] == c else "" for c in commits]
        cells = [r["task"], str(r["runs"]), _digits(r["wall_s"]), _digits(cpu), *then]
        lines.append(f"| {' | '.join(cells)} | ≤ {most:g} CPU s{missed} |")
    return lines if rows else []


def _large(rows: list[dict]) -> list[str]:
    """Write what the large graph takes, and which peer gets through it."""
    if not rows:
        return []
    lines = [
        "",
        f"| {LARGE:,} neurons, 50 million connections | way | wall s | CPU s | peak MB | goal |",
        "|---|---|--:|--:|--:|---|",
    ]
    for r in rows:
        taken = "{} | | ".format(r["failed"]) if "failed" in r else (
            f"{_digits(r['wall_s'])} | {_digits(r['cpu_s'])} | {r['peak_MB']:.0f}"
        )  # fmt: skip
        lines.append(f"| {r['task']} | {r['tool']} | {taken} | {_goal(r, rows)} |")
    return lines


def _growth(results: dict) -> list[str]:
    """Write the growth with the number of neurons, and the time to compile."""
    lines = []
    if results.get("growth"):
        sizes = " | ".join(f"{n:,}" for n in SIZES)
        lines += ["", "### How the work grows", "",
                  f"| CPU seconds by neurons | {sizes} | exponent |",
                  "|---|" + "--:|" * (len(SIZES) + 1)]  # fmt: skip
        for g in results["growth"]:
            cells = " | ".join(f"{r['cpu_s']:.2g}" if "cpu_s" in r else "–" for r in g["rows"])
            lines.append(f"| {g['task']} | {cells} | {g['exponent']:.2f} |")
        runs = min(r.get("runs", 0) for g in results["growth"] for r in g["rows"])
        lines += ["", "Exponents are fitted from 4,000 neurons on; medians of "
                  f"{runs} runs." if runs > 1 else
                  "Exponents are fitted from 4,000 neurons on, a run each."]  # fmt: skip
    if results.get("compiling"):
        lines += ["", "Compiling all kernels takes "
                  f"{results['compiling']['compiling_s']:.0f} s, the first time on a machine; "
                  "after that they are read from a cache."]  # fmt: skip
    return lines


def machine() -> dict:
    """Say what the numbers were measured on."""
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("numpy", "scipy", "numba", "networkx", "igraph", "networkit", "pyflagser",
                 "pyflagsercount", "connectome-analysis", "h5py"):  # fmt: skip
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "system": platform.system(), "machine": platform.machine(), "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_GB": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3,
        "python": platform.python_version(), "packages": packages,
    }  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((n.split(":")[1].strip() for n in lines if n.startswith("model name")), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the graphs are, or are to be written")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--task", nargs="*", help="measure these again; default: what is missing")
    parser.add_argument("--neurons", type=int, nargs="*", help="graphs of these sizes only")
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no row after these")
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--before", type=Path, help="a checkout of an older commit, for FIRST")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "connectome.json")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    if not (options.folder / f"graph-{FULL}.npz").exists():
        write_instances(options.folder)
    sheets = graph_of(options.folder, FULL)["sheets"]
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    first = {"comparisons": [], "growth": [], "first": [], "compiling": {}, "machine": machine()}
    results = first | results  # each row says if it was measured on another machine

    def keep() -> None:
        if all(r["processor"] == _processor() for r in results["comparisons"]):
            results["machine"] = machine()
        options.out.parent.mkdir(exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(markdown(results))

    asked = (options.folder, options.repeat, options.timeout)
    wanted_rows = [(t, n) for t, n, _ in GOALS] + [(t, FULL) for t in ALONE]
    wanted_rows += [(t, LARGE) for t in AT_LARGE]
    for task, size in dict.fromkeys(wanted_rows):
        here = [
            r
            for r in results["comparisons"]
            if (r["task"], r["neurons"]) == (task, size)
            and r["graph"]["sheets"] in ("none", sheets)
        ]
        wanted = task in options.task if options.task else not here
        wanted &= not options.neurons or size in options.neurons
        if wanted and time.monotonic() < until:
            write_more(options.folder, task, size)
            found = compare(asked[0], task, size, *asked[1:])
            results["comparisons"] = [r for r in results["comparisons"] if r not in here] + found
            keep()
    for task in FIRST:
        here = [r for r in results["first"] if r["task"] == task]
        wanted = task in options.task if options.task else not here
        if wanted and time.monotonic() < until:
            found = first_minutes(*asked, task, options.before)
            results["first"] = [r for r in results["first"] if r not in here] + [found]
            keep()
    for task in [] if options.no_growth else GROWTH:
        here = [g for g in results["growth"] if g["task"] == task]
        wanted = task in options.task if options.task else not here
        if wanted and time.monotonic() < until:
            found = growth(asked[0], task, *asked[1:])
            results["growth"] = [g for g in results["growth"] if g not in here] + [found]
            results["growth"].sort(key=lambda g: GROWTH.index(g["task"]))
            keep()
    if not (results["compiling"] or options.no_growth) and time.monotonic() < until:
        results["compiling"] = compiling(options.folder, options.timeout)
    keep()
    print(markdown(results))


if __name__ == "__main__":
    main()
