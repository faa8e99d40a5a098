"""The circuit inside NEURON, on one process or on MPI ranks.

`run` is a worker's task: it simulates in its own process, or starts ranks that each run
``nmc circuit run FOLDER`` (see `nmc.circuit.ranks`).  Cells are dealt to the ranks in turn; random
streams are keyed by cell and synapse, so the spikes do not depend on the number of ranks.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nmc.cells import _run
from nmc.cells.build import build_cell
from nmc.circuit.contacts import place_contact
from nmc.errors import SimulationError
from nmc.parts import read_parts

_BACKGROUND = 50_000_000  # random streams of the background lie apart from the connections'
_CHUNKS = 40
#: The file of a circuit's folder that says what to simulate.
CIRCUIT_FILE = "circuit.json"


def run(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Simulate the circuit on this process alone, as a worker's task, or start the ranks."""
    if params["ranks"] > 1:
        return _on_ranks(params, report)
    from neuron import h

    return simulate(h, h.ParallelContext(), params, report)


def simulate(h, pc, params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Build and run this process's share of a circuit, with the mechanisms loaded.

    Arrays: ``spike_t_ms``, ``spike_gid``, ``t_ms`` and ``v_<gid>`` (mV) of each recorded cell.
    """
    rank, ranks = int(pc.id()), int(pc.nhost())
    mine = cells_of(rank, ranks, len(params["cells"]))
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


def cells_of(rank: int, ranks: int, cells: int) -> list[int]:
    """Numbers of the cells that a rank simulates."""
    return list(range(rank, cells, ranks))


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

#: Containers run as root, and laptops have fewer cores than ranks: Open MPI must be told.
_ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def _on_ranks(params: dict, report) -> tuple[dict, dict[str, np.ndarray]]:
    """Run the circuit on ranks that are started here, in a folder that goes afterwards."""
    ranks = params["ranks"]
    with tempfile.TemporaryDirectory(prefix="nmc-circuit-") as folder:
        told = {"params": params, "made_from": {}, "parent": os.getpid()}
        (Path(folder) / CIRCUIT_FILE).write_text(json.dumps(told), "utf-8")
        command = [sys.executable, "-P", "-m", "nmc", "circuit", "run", folder]
        try:
            done = subprocess.run(
                ["mpiexec", "-n", str(ranks), *command],
                env=os.environ | _ALLOWED,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
                preexec_fn=_ender(),
            )
        except FileNotFoundError as error:
            raise SimulationError(
                "There is no mpiexec: install an MPI (Open MPI or MPICH), or use ranks=1."
            ) from error
        report(1.0)
        if done.returncode:
            lines = "\n".join(done.stdout.strip().splitlines()[-12:])
            raise SimulationError(f"The run on {ranks} ranks failed. Last lines:\n{lines}")
        return join([part for part in read_parts(folder)[1].values()])


def _ender() -> Callable[[], None] | None:
    """Return what makes mpiexec end, and its ranks with it, when this process is killed."""
    if sys.platform != "linux":
        return None  # the ranks look after their parent themselves, if less often
    import ctypes

    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def join(parts: list[tuple[dict, dict[str, np.ndarray]]]) -> tuple[dict, dict[str, np.ndarray]]:
    """Join the meta and arrays that the ranks of one run wrote."""
    metas, every = [meta for meta, _ in parts], [arrays for _, arrays in parts]
    arrays = {k: v for part in every for k, v in part.items() if k.startswith("v_") or k == "t_ms"}
    for name in ("spike_t_ms", "spike_gid"):
        arrays[name] = np.concatenate([part[name] for part in every])
    meta = {name: sum(m[name] for m in metas) for name in ("segments", "cells")}
    meta |= {name: max(m[name] for m in metas) for name in ("solve_s", "waited_s")}
    return meta, arrays
