"""Cost and truth of circuits of full models: step sizes, numbers of cells, ranks, points.

One circuit of real m-types, run in one process after another on one machine:

- *step*: the packages' own fixed step (0.025 ms, first order), larger ones, and the variable step
  of each cell, against a tight variable step; spikes of each against the reference's;
- *cells*: CPU seconds against the number of cells, and the exponent of their growth;
- *ranks*: wall seconds on one and two MPI ranks (spikes compared);
- *points*: the same plan as calibrated point neurons;
- *pathways*: short-term plasticity of all pathways as one call, against a loop of calls.

CoreNEURON is not among them: the packages' synapses hold a pointer to a random stream that it does
not know.

    NMC_SOURCE=<portal tree> python benchmarks/circuit.py [--parts step,cells,ranks,points]

Each finished part is written at once to ``results/circuit.json`` and, as text, ``circuit.md``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nmc
import numpy as np
from nmc.cells import settings
from nmc.cells.mechanisms import run_cached
from nmc.circuit import network
from nmc.circuit.network import with_continuous_synapses

COUNTS = {"L23_PC": 8, "L23_LBC": 6, "L23_MC": 4, "L23_NBC": 2}
TSTOP_MS = 300.0
#: Ranks are compared over a run long enough that building, which they share, is not most of it.
RANKS_TSTOP_MS = 1500.0
OUT = Path(__file__).parent / "results" / "circuit.json"


def make_plan(counts: dict[str, int], drive: float = 2.5):
    """Neighbouring cells of a connectome of several m-types, driven to fire."""
    connectome = nmc.default_connectome(min_mtypes=4)
    chosen = nmc.choose_neurons(connectome, counts, rng=np.random.default_rng(1))
    return nmc.plan_circuit(connectome, chosen, drive=drive, gain=3.0, missing="skip", seed=1)


def run(plan, dt_ms: float = 0.1, tstop_ms: float = TSTOP_MS, **settings):
    """One run anew: the run, and its wall seconds."""
    started = time.perf_counter()
    found = nmc.simulate_circuit(
        plan, tstop_ms=tstop_ms, dt_ms=dt_ms, keep=False, progress=False, **settings
    )
    return found, time.perf_counter() - started


def spike_error(found, reference) -> dict:
    """Numbers of spikes, and the largest and median shift where every cell has as many."""
    shifts, same = [], True
    for cell in range(len(found.plan.neurons)):
        a, b = (r.spikes.loc[r.spikes["cell"] == cell, "t_ms"].to_numpy()
                for r in (found, reference))  # fmt: skip
        same &= len(a) == len(b)
        n = min(len(a), len(b))
        shifts += list(np.abs(a[:n] - b[:n]))
    return {"spikes": len(found.spikes), "spikes_reference": len(reference.spikes),
            "same_count_in_every_cell": bool(same),
            "median_shift_ms": float(np.median(shifts)) if shifts else None,
            "largest_shift_ms": float(np.max(shifts)) if shifts else None}  # fmt: skip


def tight(plan):
    """Run with a variable step of small tolerance on exact mechanisms: the reference."""
    params = network.make_params(plan, TSTOP_MS, (), "converged", 0.025)
    params["integration"] = settings.TIGHT
    packages = [with_continuous_synapses(package) for package in plan.packages.values()]
    found = run_cached("nmc.circuit._neuron:run_circuit", params, packages, synapses=True,
                       keep=False, progress=False)  # fmt: skip
    return network.as_run(plan, params, *found)


def steps() -> dict:
    """Cost and spike-time error of each step, on a busy circuit; cost alone on a quiet one."""
    counts = {m: max(1, n // 2) for m, n in COUNTS.items()}
    plan = make_plan(counts)
    reference = tight(plan)
    small, _ = run(plan, 0.025 / 8)  # another integrator, which must lead to the same
    rows = []
    ways = [{"dt_ms": dt} for dt in (0.025, 0.05, 0.1)] + [{"mode": "converged"}]
    for way in ways:
        found, _ = run(plan, **way)
        rows.append({"integration": found.attrs["integration"], "cpu_s": found.attrs["cpu_s"],
                     "times_faster_than_plain": 1.0, **spike_error(found, reference)})  # fmt: skip
        rows[-1]["times_faster_than_plain"] = rows[0]["cpu_s"] / rows[-1]["cpu_s"]
    quiet = make_plan(counts, drive=0.9)
    plain, variable = (run(quiet, **way)[0] for way in (ways[0], ways[-1]))
    return {"cells": len(plan.neurons), "tstop_ms": TSTOP_MS, "rows": rows,
            "eighth_of_plain": spike_error(small, reference),
            "quiet": {"spikes": len(variable.spikes), "spikes_plain": len(plain.spikes),
                      "ratio": plain.attrs["cpu_s"] / variable.attrs["cpu_s"]}}  # fmt: skip


def cells() -> dict:
    """CPU seconds against the number of cells, building included."""
    rows = []
    for share in (0.25, 0.5, 1.0):
        plan = make_plan({m: max(1, round(n * share)) for m, n in COUNTS.items()})
        found, _ = run(plan)
        row = {"cells": len(plan.neurons), "segments": found.attrs["segments"]}
        rows.append(row | {"connections": len(plan.connections), "cpu_s": found.attrs["cpu_s"]})
    cost = np.log([r["cpu_s"] for r in rows])
    fit = {
        key: float(np.polyfit(np.log([r[key] for r in rows]), cost, 1)[0])
        for key in ("cells", "segments")
    }
    return {"rows": rows, "exponent": fit}


def run_ranks(plan, number: int):
    """Run from a folder by mpiexec: the run, and its wall seconds."""
    with tempfile.TemporaryDirectory() as folder:
        nmc.write_circuit(plan, folder, tstop_ms=RANKS_TSTOP_MS, dt_ms=0.1)
        started = time.perf_counter()
        command = [sys.executable, "-P", "-m", "nmc", "circuit", "run", folder]
        subprocess.run(["mpiexec", "-n", str(number), *command], check=True, capture_output=True)
        return nmc.read_circuit(plan, folder), time.perf_counter() - started


def ranks() -> dict:
    """Wall seconds on one and two ranks, in turns; goal: two are 1.7 times as fast."""
    plan = make_plan(COUNTS)
    rows = []
    for _ in range(2):
        (one, wall_1), (two, wall_2) = (run_ranks(plan, n) for n in (1, 2))
        rows.append({"wall_1_s": wall_1, "wall_2_s": wall_2, "ratio": wall_1 / wall_2,
                     "same_spikes": bool(one.spikes.equals(two.spikes))})  # fmt: skip
    return {"cells": len(plan.neurons), "tstop_ms": RANKS_TSTOP_MS, "rows": rows, "goal": 1.7,
            "ratio": float(np.median([r["ratio"] for r in rows]))}  # fmt: skip


def points() -> dict:
    """The plan as point neurons, once compiled and calibrated."""
    plan = make_plan({"L23_PC": 8})
    calibrated = {m: nmc.fit_point_neuron(p) for m, p in plan.packages.items()}
    nmc.simulate_point_circuit(plan, points=calibrated, tstop_ms=TSTOP_MS)
    started = time.process_time()
    nmc.simulate_point_circuit(plan, points=calibrated, tstop_ms=TSTOP_MS)
    cheap = time.process_time() - started
    found, _ = run(plan)
    return {"cells": len(plan.neurons), "cpu_full_s": found.attrs["cpu_s"], "cpu_points_s": cheap,
            "ratio": found.attrs["cpu_s"] / cheap}  # fmt: skip


def pathways() -> dict:
    """All pathways' trains as one call, against a loop of one-pathway calls; goal: 1 s of CPU."""
    table = nmc.load_synapse_parameters()  # the fact sheets are read before the clock starts
    given = table.to_dict("records")
    rows = []
    for _ in range(3):
        started = time.process_time()
        at_once = nmc.compute_train(table, rate_Hz=20.0)
        once = time.process_time() - started
        started = time.process_time()
        looped = [nmc.compute_train(one, rate_Hz=20.0)["response"].to_numpy() for one in given]
        loop = time.process_time() - started
        assert np.allclose(at_once["response"], np.concatenate(looped), rtol=1e-12)
        rows.append({"one_call_cpu_s": once, "loop_cpu_s": loop, "ratio": loop / once})
    return {"pathways": len(table), "spikes": len(at_once) // len(table), "rows": rows,
            "goal_s": 1.0, "ratio": float(np.median([r["ratio"] for r in rows]))}  # fmt: skip


PARTS = {"ranks": ranks, "cells": cells, "step": steps, "points": points, "pathways": pathways}


def as_markdown(results: dict) -> str:
    """Write what there is as the text of a page."""
    lines = []
    if part := results.get("step"):
        other, quiet = part["eighth_of_plain"], part["quiet"]
        lines += [f"{part['cells']} busy cells, {part['tstop_ms']:g} ms, against a variable step "
                  f"of tolerance {settings.TIGHT['atol']:g}:", "",
                  "| integration | times faster than 0.025 ms | spikes (reference) | "
                  "median shift (ms) | largest shift (ms) |", "|---|---|---|---|---|"]  # fmt: skip
        lines += [
            f"| {r['integration']} | {r['times_faster_than_plain']:.2f} | {r['spikes']} "
            f"({r['spikes_reference']}) | {_ms(r['median_shift_ms'])} | "
            f"{_ms(r['largest_shift_ms'])} |"
            for r in part["rows"]
        ]
        lines += ["", "As a check of the reference, a fixed step an eighth of the packages' own "
                  f"has {other['spikes']} spikes and a median shift of "
                  f"{_ms(other['median_shift_ms'])} ms. A single random release that turns out "
                  "otherwise moves a spike by milliseconds: hence the largest shifts.", "",
                  f"Of the same cells under a weak current ({quiet['spikes']} spikes in all) the "
                  f"variable step is {quiet['ratio']:.2f} times as fast as 0.025 ms.", "",
                  "CoreNEURON cannot run these synapses: they hold a pointer to a random "
                  "stream.", ""]  # fmt: skip
    if part := results.get("cells"):
        few, many = part["rows"][0], part["rows"][-1]
        lines += [f"From {few['cells']} to {many['cells']} cells the cost grows with the number "
                  f"of cells to the power {part['exponent']['cells']:.2f}, with that of segments "
                  f"to the power {part['exponent']['segments']:.2f}.", ""]  # fmt: skip
    if part := results.get("ranks"):
        same = all(r["same_spikes"] for r in part["rows"])
        lines += [f"Two MPI ranks are {part['ratio']:.2f} times as fast as one for "
                  f"{part['cells']} cells and {part['tstop_ms']:g} ms, building included "
                  f"(goal {part['goal']:g}); the spikes are "
                  f"{'the same' if same else 'NOT the same'}.", ""]  # fmt: skip
    if part := results.get("points"):
        lines += [f"{part['cells']} full models cost {part['ratio']:,.0f} times what the same plan "
                  "costs as calibrated points.", ""]  # fmt: skip
    if part := results.get("pathways"):
        slowest = max(r["one_call_cpu_s"] for r in part["rows"])
        lines += [f"The trains of all {part['pathways']:,} pathways ({part['spikes']} spikes each) "
                  f"as one call are {part['ratio']:,.0f} times as fast as a loop of one-pathway "
                  f"calls, and take {'less' if slowest < part['goal_s'] else 'MORE'} than a second "
                  "(CPU time, the fact sheets read before).", ""]  # fmt: skip
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "no spikes" if value is None else f"{value:.3f}"


def main() -> None:
    """Run the parts asked for and write each when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    given = parser.parse_args()
    for part in given.parts.split(","):
        found = PARTS[part]()
        results = json.loads(OUT.read_text("utf-8")) if OUT.is_file() else {}
        results[part] = found
        OUT.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        OUT.with_suffix(".md").write_text(as_markdown(results), "utf-8")
        sys.stdout.write(f"{part}: {json.dumps(found, indent=1)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
