"""Cost and truth of circuits of full models: step sizes, numbers of cells, ranks, points.

One circuit of real m-types, run in one process after another on one machine:

- *step*: the packages' own fixed step (0.025 ms, first order) and larger ones, against a reference
  of an eighth of it; spikes of each against the reference's;
- *cells*: CPU seconds against the number of cells, and the exponent of their growth;
- *ranks*: wall seconds on one and two MPI ranks (spikes compared);
- *points*: the same plan as calibrated point neurons;
- *pathways*: short-term plasticity of all pathways as one call, against a loop of calls.

A variable step is not among them, and cannot be with these synapses: the packages' synapse
mechanisms compute their decay per step once, for a fixed step.  CoreNEURON cannot run them
either: they hold a pointer to a random stream that it does not know.

    NMC_SOURCE=<portal tree> python benchmarks/circuit.py [--parts step,cells,ranks,points]

Each finished part is written at once to ``results/circuit.json`` and, as text, ``circuit.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import nmc
import numpy as np

COUNTS = {"L23_PC": 8, "L23_LBC": 6, "L23_MC": 4, "L23_NBC": 2}
TSTOP_MS = 300.0
#: Ranks are compared over a run long enough that building, which they share, is not most of it.
RANKS_TSTOP_MS = 1500.0
OUT = Path(__file__).parent / "results" / "circuit.json"


def make_plan(counts: dict[str, int]):
    """Neighbouring cells of a connectome of several m-types, driven to fire."""
    connectome = nmc.default_connectome(min_mtypes=4)
    chosen = nmc.choose_neurons(connectome, counts, rng=np.random.default_rng(1))
    return nmc.plan_circuit(connectome, chosen, drive=2.5, gain=3.0, missing="skip", seed=1)


def run(plan, dt_ms: float = 0.1, ranks: int = 1, tstop_ms: float = TSTOP_MS):
    """One run anew: the run, and its wall seconds."""
    started = time.perf_counter()
    found = nmc.simulate_circuit(
        plan, tstop_ms=tstop_ms, dt_ms=dt_ms, ranks=ranks, keep=False, progress=False
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


def steps() -> dict:
    """Cost and spike-time error of each fixed step."""
    plan = make_plan({m: max(1, n // 2) for m, n in COUNTS.items()})
    reference, _ = run(plan, 0.025 / 8)
    plain = None
    rows = []
    for dt in (0.025, 0.05, 0.1):
        found, _ = run(plan, dt)
        plain = plain or found.attrs["cpu_s"]
        rows.append({"dt_ms": dt, "cpu_s": found.attrs["cpu_s"],
                     "times_faster_than_plain": plain / found.attrs["cpu_s"],
                     **spike_error(found, reference)})  # fmt: skip
    return {"cells": len(plan.neurons), "tstop_ms": TSTOP_MS, "rows": rows}


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


def ranks() -> dict:
    """Wall seconds on one and two ranks, in turns; goal: two are 1.7 times as fast."""
    plan = make_plan(COUNTS)
    rows = []
    for _ in range(2):
        (one, wall_1), (two, wall_2) = (run(plan, ranks=n, tstop_ms=RANKS_TSTOP_MS) for n in (1, 2))
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
        lines += [f"{part['cells']} cells, {part['tstop_ms']:g} ms, against a step an eighth of "
                  "the packages' own:", "",
                  "| step (ms) | times faster than 0.025 ms | spikes (reference) | "
                  "median shift (ms) | largest shift (ms) |", "|---|---|---|---|---|"]  # fmt: skip
        lines += [
            f"| {r['dt_ms']:g} | {r['times_faster_than_plain']:.1f} | {r['spikes']} "
            f"({r['spikes_reference']}) | {_ms(r['median_shift_ms'])} | "
            f"{_ms(r['largest_shift_ms'])} |"
            for r in part["rows"]
        ]
        lines += ["", "A variable step cannot be used: the packages' synapses compute their decay "
                  "for one fixed step. CoreNEURON cannot run them: they hold a pointer to a random "
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
    return "no spikes" if value is None else f"{value:.2f}"


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
