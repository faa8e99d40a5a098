"""Speed and truth of the step protocol: converged against the packages' own integration.

For each of twenty deterministic packages of ten m-types and more, in one run on one machine:
CPU seconds and spikes of ``mode="published"`` (the packages' own ``run.py`` protocol: fixed step
of 0.025 ms, first order, exact mechanisms) and of ``mode="converged"``, against a reference
(variable step at 1e-7, all orders, exact mechanisms), which ``--halve`` cross-checks by
second-order runs, their step halved until they meet it.  Times are ratios: the two ways run in
turns, and the rest of the machine should do nothing.  Models that are in the results already,
made by the code that stands and as often as asked for, are not measured again: a run that was
ended goes on.

    NMC_SOURCE=<portal tree> python benchmarks/cells.py [--repeat 3] [--halve] [--startup]
        [--sweep] [MODEL …]

writes ``results/cells.json`` and ``results/cells.md``, and the rows to the package's kept
values, where the book reads them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from nmc import recomputed
from nmc.cells import settings
from nmc.cells.mechanisms import run_cached
from nmc.cells.package import load_package
from nmc.cells.stimuli import Step
from nmc.cells.sweep import makings, sweep

RESULTS = Path(__file__).parent / "results" / "cells.json"
#: (model, step); the first is the one with a target of its own.
RUNS = (
    ("L5_TTPC1_cADpyr232_1", 1), ("L1_HAC_cNAC187_1", 3), ("L1_SLAC_bNAC219_1", 3),
    ("L23_PC_cADpyr229_1", 3), ("L23_NBC_cNAC187_1", 3), ("L4_SBC_dNAC222_1", 3),
    ("L4_SS_cADpyr230_1", 3), ("L4_PC_cADpyr230_5", 3), ("L5_BTC_cACint209_1", 3),
    ("L5_MC_bAC217_1", 3), ("L5_TTPC1_cADpyr232_5", 3), ("L5_TTPC2_cADpyr232_1", 3),
    ("L5_LBC_bAC217_1", 3), ("L5_SBC_bNAC219_1", 3), ("L6_BP_cNAC187_5", 3),
    ("L6_TPC_L1_cADpyr231_3", 3), ("L6_IPC_cADpyr231_3", 3), ("L6_LBC_bAC217_5", 3),
    ("L23_MC_dNAC222_5", 3), ("L23_SBC_cACint209_2", 3),
)  # fmt: skip
#: Goals: ratio of the first run, geometric mean, start-up in seconds, two workers over one.
GOALS = {"first": 8.0, "mean": 4.0, "startup_s": 2.0, "two_workers": 1.8}
#: Steps of the second-order runs that check the reference; beyond, it is halved as far as
#: `FINEST_MS` until every spike comes within `NEAR_MS` of the reference's.
HALVED_MS = (0.025, 0.0125)
FINEST_MS, NEAR_MS = 0.003125, 1.0
#: Another processor rounds otherwise, which moves spike times: they are kept to this much.
SPIKE_TIME_MS = 0.001
#: A start so much higher shows what rounding can do: where it moves a converged spike by more than
#: `NEAR_MS`, the run's times are one draw of many, and no other run can be held against them.
START_MV, NUDGE_MV = -65.0, 1e-9
#: Columns of a row that say something about the model, not about this machine.
_TRUTH = (
    "spikes_reference", "spikes_published", "spikes_converged", "error_published_ms",
    "error_converged_ms", "error_second_order_0.025_ms", "error_second_order_0.0125_ms",
    "finest_step_ms", "error_finest_step_ms", "moved_converged_ms", "ratio",
)  # fmt: skip


def simulate(
    model: str, step: int, how: dict, variant: str, keep: bool = False, v_init_mV: float = START_MV
):
    """Meta (CPU seconds, steps) and spike times (ms) of a step under one integration."""
    package = load_package(model)
    params = {
        "cell": package.to_spec(),
        "stimuli": [Step(700, 2000, package.step_nA(step)).plain(),
                    Step(0, 3000, package.hold_nA).plain()],
        "record": {"v_mV": "soma[0](0.5).v"},
        "tstop_ms": 3000.0,
        "v_init_mV": v_init_mV,
        "integration": how,
        "sampling_ms": 0.1,
        "threshold_mV": -20.0,
    }  # fmt: skip
    meta, arrays = run_cached(
        "nmc.cells._run:run", params, [package], variant=variant, keep=keep, progress=False
    )
    return meta, arrays["spikes_ms"]


def error(spikes: np.ndarray, reference: np.ndarray) -> float:
    """Largest distance of a spike from the reference's, ms; NaN when their numbers differ."""
    if len(spikes) != len(reference):
        return float("nan")
    return float(np.abs(spikes - reference).max()) if len(reference) else 0.0


def cross_check(model: str, step: int) -> dict:
    """Distance of second-order runs from the reference, each with half the step of the last."""
    _, reference = simulate(model, step, settings.TIGHT, "exact", keep=True)
    found, dt, distance = {}, 2 * HALVED_MS[0], np.nan
    while dt > HALVED_MS[-1] or (not distance <= NEAR_MS and dt > FINEST_MS):
        dt /= 2
        _, spikes = simulate(model, step, {"dt_ms": dt, "order": 2}, "exact", keep=True)
        distance = error(spikes, reference)
        if dt in HALVED_MS:
            found[f"error_second_order_{dt:g}_ms"] = distance
    return found | {"finest_step_ms": dt, "error_finest_step_ms": distance}


def compare(model: str, step: int, repeat: int) -> dict:
    """One row of the table."""
    package = load_package(model)
    modes = {mode: settings.choose(package, mode)[:2] for mode in settings.MODES}
    _, reference = simulate(model, step, settings.TIGHT, "exact", keep=True)
    row: dict = {"model": model, "step": step, "spikes_reference": len(reference)}
    costs: dict[str, list[float]] = {mode: [] for mode in modes}
    for _ in range(repeat):  # in turns, so that a busy machine is busy for both
        for mode, (how, variant) in modes.items():
            meta, spikes = simulate(model, step, how, variant)
            costs[mode].append(meta["cpu_s"])
            row[f"spikes_{mode}"] = len(spikes)
            row[f"error_{mode}_ms"] = error(spikes, reference)
            row[f"steps_{mode}"] = meta["steps"]
            row["segments"] = meta["segments"]
    how, variant = modes["converged"]
    _, nudged = simulate(model, step, how, variant, v_init_mV=START_MV + NUDGE_MV)
    row["moved_converged_ms"] = error(nudged, spikes)  # of the mode that ran last
    row |= {f"cpu_{mode}_s": float(np.median(cost)) for mode, cost in costs.items()}
    ratios = np.array(costs["published"]) / np.array(costs["converged"])
    return row | {"ratio": float(np.median(ratios)), "ratios": ratios.round(2).tolist()}


def startup(model: str) -> float:
    """Wall seconds of a run of a single step: import, mechanisms loaded, cell built."""
    package = load_package(model)
    params = {
        "cell": package.to_spec(), "stimuli": [], "record": {}, "tstop_ms": 0.025,
        "v_init_mV": -65.0, "integration": {"dt_ms": 0.025, "order": 1}, "sampling_ms": 0.1,
        "threshold_mV": -20.0,
    }  # fmt: skip
    started = time.perf_counter()
    run_cached("nmc.cells._run:run", params, [package], keep=False, progress=False)
    return time.perf_counter() - started


def sweep_s(models: list[str], n_workers: int) -> float:
    """Wall seconds of a sweep in a cache of its own that holds packages and mechanisms alone."""
    from nmc.data.files import cache_folder

    shared = cache_folder()
    with tempfile.TemporaryDirectory() as place:
        for name in ("mechanisms", "unpacked", "verified", "told", "sample"):
            if (shared / name).exists():
                (Path(place) / name).symlink_to(shared / name)
        os.environ["NMC_CACHE"] = place
        try:
            started = time.perf_counter()
            rows = sweep(models, "step", folder=Path(place) / "rows", n_workers=n_workers,
                         mode="converged", step=1, progress=False)  # fmt: skip
            taken = time.perf_counter() - started
        finally:
            os.environ["NMC_CACHE"] = str(shared)
    if rows["error"].notna().any():
        raise RuntimeError(rows["error"].dropna().iloc[0])
    return taken


def machine() -> dict:
    """Say what the numbers were measured on."""
    from importlib.metadata import version

    return {
        "system": platform.system(), "machine": platform.machine(),
        "python": platform.python_version(), "cores": os.cpu_count(),
        "packages": {name: version(name) for name in ("neuron", "numpy", "dask")},
    }  # fmt: skip


def verdict(results: dict) -> list[str]:
    """Each goal beside what was reached; with a profile where a ratio is missed."""
    table = pd.DataFrame(results["rows"])
    mean = float(np.exp(np.log(table["ratio"]).mean()))
    right = table["spikes_converged"] == table["spikes_reference"]
    kept = table["spikes_published"] == table["spikes_reference"]
    nearer = table["error_converged_ms"] < table["error_published_ms"].fillna(np.inf)
    first = table[table["model"] == RUNS[0][0]]
    lines = [
        f"packages measured: {len(table)} of {len(RUNS)}, three times or more: "
        f"{int((table['ratios'].str.len() >= 3).sum())}",
        *(f"{r.model}, step {r.step}: {r.ratio:.1f} times less CPU time (goal {GOALS['first']:g})"
          for r in first.itertuples()),
        f"geometric mean of the ratios: {mean:.1f} (goal {GOALS['mean']:g})",
        f"spike count of the reference: converged {int(right.sum())} of {len(table)}, the "
        f"packages' own step {int(kept.sum())}",
        f"smaller spike-time error than the packages' own step: {int(nearer.sum())} of "
        f"{len(table)}",
    ]  # fmt: skip
    if "moved_converged_ms" in table:
        moved = table["moved_converged_ms"]
        far = ", ".join(
            f"{r.model} {r.moved_converged_ms:.1f}" for r in table[moved > NEAR_MS].itertuples()
        )
        lines.append(
            f"a start {NUDGE_MV:g} mV higher moves converged spikes by {moved.median():.2f} ms "
            f"(median of the largest); by more than {NEAR_MS:g} ms: {far or 'none'}"
        )
    if "finest_step_ms" in table:
        lines.append(_checked(table.dropna(subset="finest_step_ms")))
    if results.get("startup_s"):
        lines.append(f"start-up: {results['startup_s']:.2f} s (goal {GOALS['startup_s']:g})")
    if swept := results.get("sweep"):
        lines.append(
            f"sweep of {swept['models']} packages, two workers over one: "
            f"{swept['ratio']:.2f} (goal {GOALS['two_workers']:g})"
        )
    slow = table[table["ratio"] < GOALS["mean"]]
    lines += [
        f"below {GOALS['mean']:g}: {r.model} {r.ratio:.1f} times; {r.spikes_reference} spikes on "
        f"{r.segments} segments; {r.steps_converged:,} variable steps of "
        f"{1e6 * r.cpu_converged_s / r.steps_converged:.0f} µs against {r.steps_published:,} "
        f"fixed ones of {1e6 * r.cpu_published_s / r.steps_published:.0f} µs"
        for r in slow.itertuples()
    ]
    return lines


def _checked(table: pd.DataFrame) -> str:
    """Say how near the second-order runs come to the reference."""
    coarse = table["error_second_order_0.025_ms"].fillna(np.inf)
    nearer = int((table["error_second_order_0.0125_ms"] < coarse).sum())
    errors, steps = table["error_finest_step_ms"], table["finest_step_ms"]
    further = table[steps < HALVED_MS[-1]]
    told = "".join(
        f"; {r.model} needs {r.finest_step_ms:g} ms for it" for r in further.itertuples()
    )
    return (
        f"reference cross-checked in {len(table)}: halving a second-order step comes closer to it "
        f"in {nearer}, to {errors.median():.2f} ms (median), {errors.max():.2f} ms at most, with "
        f"{HALVED_MS[-1]:g} ms{told}"
    )


def write(results: dict) -> None:
    """Write JSON and Markdown, and the rows into the kept values."""
    order = {model: i for i, (model, _) in enumerate(RUNS)}
    results["rows"].sort(key=lambda row: order[row["model"]])
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    columns = {
        "model": "model", "step": "step", "spikes_reference": "spikes",
        "spikes_published": "spikes, own step", "error_published_ms": "error, own step (ms)",
        "error_converged_ms": "error, converged (ms)", "ratio": "times less CPU",
    }  # fmt: skip
    lines = ["| " + " | ".join(columns.values()) + " |", "|---" * len(columns) + "|"]
    for row in results["rows"]:
        cells = (row[name] for name in columns)
        lines.append("| " + " | ".join(_cell(value) for value in cells) + " |")
    lines += ["", *(f"- {line}" for line in verdict(results))]
    RESULTS.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")
    rows = pd.DataFrame(results["rows"])
    rows["protocol"] = "step"
    rows["settings"] = [recomputed.settings_text({"step": step}) for step in rows["step"]]
    wanted = ["model", "protocol", "settings", *recomputed.MAKINGS, *_TRUTH]
    recomputed.keep_rows("integration", rows[[name for name in wanted if name in rows]])


def _cell(value) -> str:
    if isinstance(value, float):
        return "another number" if np.isnan(value) else f"{value:.2f}"
    return str(value)


def main() -> None:
    """Measure what is missing and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--halve", action="store_true", help="cross-check the reference")
    parser.add_argument("--startup", action="store_true", help="measure the start-up")
    parser.add_argument("--sweep", action="store_true", help="sweep on one and on two workers")
    parser.add_argument(
        "--verify", type=int, metavar="N",
        help="run N recorded rows of each step again; if all are the same, stamp the rows",
    )  # fmt: skip
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("models", nargs="*")
    given = parser.parse_args()
    if given.verify:
        sys.stdout.write(f"{verify(given.verify)} rows stamped\n")
        return
    for task in () if given.report else (measure, *([halve] if given.halve else []), again):
        for model, step in RUNS:
            if not given.models or model in given.models:
                task(model, step, given.repeat)
    if given.startup:
        taken = float(np.median([startup(RUNS[0][0]) for _ in range(5)]))
        write(read() | {"startup_s": taken})
    if given.sweep:
        models = [model for model, _ in RUNS]
        one, two = sweep_s(models, 1), sweep_s(models, 2)
        told = {"models": len(models), "one_s": one, "two_s": two, "ratio": one / two}
        write(read() | {"sweep": told})
    if read()["rows"]:
        write(read())
        sys.stdout.write("\n".join(verdict(read())) + "\n")


def verify(n: int) -> int:
    """Compare recorded rows with runs by today's code; see `nmc.recomputed.restamp`.

    Which libraries of mechanisms are loaded changes the order of sums: the accurate run's error may
    differ by as much as rounding was seen to move that run, ``moved_converged_ms``.
    """
    kept = recomputed.load_kept("integration")
    rows = recomputed.draw_sample(kept[kept["moved_converged_ms"] <= NEAR_MS], n, seed=0)
    again = []
    for row in rows.to_dict("records"):
        found = compare(row["model"], json.loads(row["settings"])["step"], 1)
        names = [name for name in row if name.startswith(("spikes_", "error_")) and name in found]
        kept_ms = row["error_converged_ms"]
        if abs(found["error_converged_ms"] - kept_ms) <= row["moved_converged_ms"]:
            found["error_converged_ms"] = kept_ms
        again.append({
            **{name: row[name] for name in recomputed.TABLES["integration"]},
            "package_sha256": load_package(row["model"]).content_sha256,
            **{name: found[name] for name in names},
        })  # fmt: skip
    table = pd.DataFrame(again)
    return recomputed.restamp("integration", table, makings("step"), rounding=SPIKE_TIME_MS)


def measure(model: str, step: int, repeat: int) -> None:
    """Measure a model that no row stands for."""
    if found(model) is None:
        made = {"package_sha256": load_package(model).content_sha256, **makings("step")}
        keep({**compare(model, step, repeat), **made})


def halve(model: str, step: int, repeat: int) -> None:
    """Cross-check the reference of a row where that is missing."""
    row = found(model)
    if "finest_step_ms" not in row:
        keep(row | cross_check(model, step))


def again(model: str, step: int, repeat: int) -> None:
    """Measure a row anew that was measured less often than asked for."""
    row = found(model)
    if len(row["ratios"]) < repeat:
        keep(row | compare(model, step, repeat))


def found(model: str) -> dict | None:
    """A model's row among the results."""
    return {row["model"]: row for row in read()["rows"]}.get(model)


def keep(row: dict) -> dict:
    """Put a row among the results, read again: another run may have written meanwhile."""
    results = read()
    results["rows"] = [r for r in results["rows"] if r["model"] != row["model"]] + [row]
    write(results)
    sys.stderr.write(f"{row['model']}: {row['ratio']:.1f}\n")
    return row


def read() -> dict:
    """Results so far, without rows of other code."""
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"rows": []}
    results["rows"] = [r for r in results["rows"] if makings("step").items() <= r.items()]
    return results | {"machine": machine()}


if __name__ == "__main__":
    main()
