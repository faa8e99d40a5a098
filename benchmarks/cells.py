"""Speed and truth of the step protocol: converged against the packages' own integration.

For each of twenty deterministic packages of ten m-types and more, in one run on one machine:
CPU seconds and spikes of ``mode="published"`` (the packages' own ``run.py`` protocol: fixed step
of 0.025 ms, first order, exact mechanisms) and of ``mode="converged"``, against a reference
(variable step at 1e-7, all orders, exact mechanisms), which ``--halve`` cross-checks by
second-order runs of two step sizes.  Times are ratios: run it where nothing else runs.

    NMC_SOURCE=<portal tree> python benchmarks/cells.py [--repeat 3] [--halve] [--out cells.csv]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from nmc.cells import integration
from nmc.cells.build import cell_spec
from nmc.cells.package import load_package
from nmc.cells.protocols import run_cached, step_stimulus

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


def simulate(model: str, step: int, how: dict, variant: str) -> tuple[float, np.ndarray]:
    """CPU seconds and spike times (ms) of a step under one integration, run anew."""
    package = load_package(model)
    params = {
        "cell": cell_spec(package),
        "stimuli": [step_stimulus(700, 2000, package.step_nA(step)),
                    step_stimulus(0, 3000, package.hold_nA)],
        "record": {"v_mV": "soma[0](0.5).v"},
        "tstop_ms": 3000.0,
        "v_init_mV": -65.0,
        "integration": how,
        "sampling_ms": 0.1,
        "threshold_mV": -20.0,
    }  # fmt: skip
    meta, arrays = run_cached(
        "nmc.cells._run:run", params, [package], variant=variant, keep=False, progress=False
    )
    return meta["cpu_s"], arrays["spikes_ms"]


def error(spikes: np.ndarray, reference: np.ndarray) -> float:
    """Largest distance of a spike from the reference's, ms; NaN when their numbers differ."""
    if len(spikes) != len(reference):
        return float("nan")
    return float(np.abs(spikes - reference).max()) if len(reference) else 0.0


def compare(model: str, step: int, repeat: int, halve: bool) -> dict:
    """One row of the table."""
    package = load_package(model)
    modes = {mode: integration.choose(package, mode)[:2] for mode in integration.MODES}
    _, reference = simulate(model, step, integration.TIGHT, "exact")
    row: dict = {"model": model, "step": step, "spikes_reference": len(reference)}
    for dt in (0.025, 0.0125) if halve else ():
        _, halved = simulate(model, step, {"dt_ms": dt, "order": 2}, "exact")
        row[f"error_second_order_{dt:g}_ms"] = error(halved, reference)
    costs: dict[str, list[float]] = {mode: [] for mode in modes}
    for _ in range(repeat):  # in turns, so that a busy machine is busy for both
        for mode, (how, variant) in modes.items():
            cpu, spikes = simulate(model, step, how, variant)
            costs[mode].append(cpu)
            row[f"spikes_{mode}"] = len(spikes)
            row[f"error_{mode}_ms"] = error(spikes, reference)
    row |= {f"cpu_{mode}_s": float(np.median(cost)) for mode, cost in costs.items()}
    ratios = np.array(costs["published"]) / np.array(costs["converged"])
    return row | {"ratio": float(np.median(ratios))}


def startup(model: str) -> float:
    """Wall seconds of a run of a single step: import, mechanisms loaded, cell built."""
    package = load_package(model)
    params = {
        "cell": cell_spec(package), "stimuli": [], "record": {}, "tstop_ms": 0.025,
        "v_init_mV": -65.0, "integration": {"dt_ms": 0.025, "order": 1}, "sampling_ms": 0.1,
        "threshold_mV": -20.0,
    }  # fmt: skip
    started = time.perf_counter()
    run_cached("nmc.cells._run:run", params, [package], keep=False, progress=False)
    return time.perf_counter() - started


def main() -> None:
    """Run all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--halve", action="store_true", help="cross-check the reference")
    parser.add_argument("--out", type=Path, default=Path("cells.csv"))
    parser.add_argument("models", nargs="*")
    given = parser.parse_args()
    runs = [run for run in RUNS if not given.models or run[0] in given.models]
    rows = []
    for model, step in runs:
        rows.append(compare(model, step, given.repeat, given.halve))
        pd.DataFrame(rows).to_csv(given.out, index=False)
        sys.stdout.write(pd.DataFrame(rows[-1:]).round(3).to_string(index=False) + "\n")
        sys.stdout.flush()
    table = pd.DataFrame(rows)
    truth = table["spikes_converged"] == table["spikes_reference"]
    better = table["error_converged_ms"] < table["error_published_ms"].fillna(np.inf)
    sys.stdout.write(
        f"geometric mean of the ratios: {np.exp(np.log(table['ratio']).mean()):.1f}\n"
        f"right spike count: {int(truth.sum())} of {len(table)} (published: "
        f"{int((table['spikes_published'] == table['spikes_reference']).sum())})\n"
        f"smaller spike-time error than published: {int(better.sum())} of {len(table)}\n"
        f"start-up of {runs[0][0]}: {np.median([startup(runs[0][0]) for _ in range(3)]):.2f} s\n"
    )


if __name__ == "__main__":
    main()
