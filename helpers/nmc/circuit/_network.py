"""The circuit inside NEURON, on one process or on MPI ranks.

``python -m nmc.circuit._network FOLDER`` is what each rank runs; `run` is the same as a worker's
task.  Cells are dealt to the ranks in turn; random streams are keyed by cell and synapse, so the
spikes do not depend on the number of ranks.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from nmc.cells import _run
from nmc.cells.build import build_cell
from nmc.circuit.contacts import place_contact

_BACKGROUND = 50_000_000  # random streams of the background lie apart from the connections'
_CHUNKS = 40


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Simulate the circuit on this process alone, as a worker's task, or start the ranks."""
    if params["ranks"] > 1:
        return _on_ranks(params, report)
    from neuron import h

    return _simulate(h, h.ParallelContext(), params, report)


def _simulate(h, pc, params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    rank, ranks = int(pc.id()), int(pc.nhost())
    mine = range(rank, len(params["cells"]), ranks)
    cells = {gid: _place_cell(h, pc, gid, params) for gid in mine}
    kept = [_connect(h, pc, cells[c["post"]], c, params["seed"]) for c in params["contacts"]
            if c["post"] in cells]  # fmt: skip
    kept += [_add_background(h, cells[gid], gid, params) for gid in mine]
    variable = _run.set_integration(h, params["integration"])
    if variable:
        h.cvode.use_local_dt(1)  # each cell steps for itself
        h.cvode.condition_order(2)  # a spike's time is interpolated within the step
    pc.set_maxstep(10)
    times, gids = h.Vector(), h.Vector()
    pc.spike_record(-1, times, gids)
    sampling = params["sampling_ms"]
    voltages = {
        gid: h.Vector().record(cells[gid].soma(0.5)._ref_v, sampling)
        for gid in params["record"]
        if gid in cells
    }
    h.v_init = params["v_init_mV"]
    h.stdinit()
    for k in range(1, _CHUNKS + 1):
        pc.psolve(params["tstop_ms"] * k / _CHUNKS)
        report(k / _CHUNKS)
    t = np.arange(round(params["tstop_ms"] / sampling)) * sampling
    arrays = {"spike_t_ms": np.array(times), "spike_gid": np.array(gids, int), "t_ms": t}
    for gid, voltage in voltages.items():
        arrays[f"v_{gid}"] = np.array(voltage)[: len(t)]
        _run.check_finite(cells[gid].model, f"v of cell {gid}", arrays[f"v_{gid}"], t)
    del kept
    segments = sum(s.nseg for cell in cells.values() for s in cell.hoc.all)
    return {"segments": segments, "cells": len(cells), "waited_s": float(pc.wait_time())}, arrays


def _place_cell(h, pc, gid: int, params: dict):
    cell = build_cell(params["cells"][gid])
    # cells of one model stand in different places of the circuit: their streams differ
    cell.gid = params["cells"][gid]["gid"] * 1000 + gid
    if params["random_channels"][gid]:
        cell.hoc.re_init_rng(1 + gid)
    pc.set_gid2node(gid, pc.id())
    detector = h.NetCon(cell.soma(0.5)._ref_v, None, sec=cell.soma)
    detector.threshold = params["threshold_mV"]
    pc.cell(gid, detector)
    clamp = h.IClamp(cell.soma(0.5))
    clamp.delay, clamp.dur, clamp.amp = 0, 1e9, params["drive_nA"][gid]
    cell.keep += [detector, clamp]
    return cell


def _connect(h, pc, cell, contact: dict, seed: int):
    # one receiving cell can get the same package contact from two senders: tell them apart
    placed = place_contact(h, cell, contact, seed, 100_000 * (1 + contact["pre"]))
    connection = pc.gid_connect(contact["pre"], placed[0])
    connection.delay = contact["delay_ms"]
    connection.weight[0] = contact["weight_nS"]
    return placed, connection


def _add_background(h, cell, gid: int, params: dict):
    sources: dict[int, object] = {}
    kept = []
    for contact in params["background"][gid]:
        source = sources.get(contact["pre_cell"])
        if source is None:
            source = sources[contact["pre_cell"]] = h.NetStim()
            source.start, source.number, source.noise = 0, 1e9, 1
            source.interval = 1000.0 / params["background_Hz"]
            source.noiseFromRandom123(gid, _BACKGROUND + len(sources), params["seed"])
        placed = place_contact(h, cell, contact, params["seed"], _BACKGROUND)
        connection = h.NetCon(source, placed[0])
        connection.delay = contact["delay_ms"]
        connection.weight[0] = contact["weight_nS"]
        kept.append((placed, connection))
    return sources, kept


# -- MPI ---------------------------------------------------------------------------------------


def mpi_command(ranks: int, folder: Path) -> list[str]:
    """Return the command that runs a circuit's folder on MPI ranks."""
    return ["mpiexec", "-n", str(ranks), sys.executable, "-m", "nmc.circuit._network", str(folder)]


def _on_ranks(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    import subprocess
    import tempfile

    from nmc.errors import SimulationError

    with tempfile.TemporaryDirectory(prefix="nmc-circuit-") as name:
        folder = Path(name)
        told = params | {"parent": os.getpid()}
        (folder / "circuit.json").write_text(json.dumps(told), "utf-8")
        allowed = {  # containers run as root, and laptops have fewer cores than ranks
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        }
        try:
            done = subprocess.run(
                mpi_command(params["ranks"], folder),
                env=os.environ | allowed,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise SimulationError(
                "There is no mpiexec: install an MPI (Open MPI or MPICH), or use ranks=1."
            ) from error
        report(1.0)
        if done.returncode:
            lines = "\n".join(done.stdout.strip().splitlines()[-8:])
            raise SimulationError(
                f"The run on {params['ranks']} ranks failed. Last lines:\n{lines}"
            )
        return collect(folder)


def collect(folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Join what the ranks of a folder wrote."""
    parts = []
    for path in sorted(Path(folder).glob("rank-*.npz")):
        with np.load(path) as stored:
            parts.append({name: stored[name] for name in stored.files})
    meta = [json.loads(p.read_text()) for p in sorted(Path(folder).glob("rank-*.json"))]
    arrays = {k: v for part in parts for k, v in part.items() if k.startswith("v_") or k == "t_ms"}
    for name in ("spike_t_ms", "spike_gid"):
        arrays[name] = np.concatenate([part[name] for part in parts])
    joined = {"segments": sum(m["segments"] for m in meta), "cells": sum(m["cells"] for m in meta)}
    joined["solve_s"] = max(m["solve_s"] for m in meta)
    joined["waited_s"] = max(m["waited_s"] for m in meta)
    return joined, arrays


def main(folder: Path) -> None:
    """One MPI rank: build and run its share of the circuit, write ``rank-N.npz``."""
    import time

    params = json.loads((folder / "circuit.json").read_text("utf-8"))
    from neuron import h

    h.nrnmpi_init()
    for library in params["libraries"]:
        h.nrn_load_dll(library)
    pc = h.ParallelContext()
    parent = params.get("parent")

    def report(fraction: float) -> None:
        if parent and not Path(f"/proc/{parent}").exists() and Path("/proc").exists():
            os._exit(3)  # nobody is left to want the result

    started = time.process_time()
    meta, arrays = _simulate(h, pc, params, report)
    meta["solve_s"] = time.process_time() - started
    rank = int(pc.id())
    np.savez(folder / f"rank-{rank:04d}.npz", **arrays)
    (folder / f"rank-{rank:04d}.json").write_text(json.dumps(meta), "utf-8")
    pc.barrier()
    pc.done()
    sys.stdout.flush()
    h.quit()  # finalises MPI; leaving in another way counts as a crash


if __name__ == "__main__":
    main(Path(sys.argv[1]))
