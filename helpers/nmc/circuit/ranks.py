"""A circuit in a folder, run by MPI: written here, run anywhere, read back when it is complete.

`write_circuit` puts into one folder everything that a run needs: ``circuit.json`` (cells, contacts,
input, length) and the packages.  All paths in it are relative, so that the folder can be copied
to a cluster.  There each MPI rank runs ``nmc circuit run FOLDER``; `read_circuit` joins the parts
that the ranks wrote (`nmc.parts`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nmc.cells.by_hand import empty_folder
from nmc.cells.mechanisms import rename_clashes
from nmc.cells.package import Package, load_package
from nmc.circuit import _neuron
from nmc.circuit.network import DT_MS, TSTOP_MS, CircuitRun, as_run, libraries_for, make_params
from nmc.circuit.plan import CircuitPlan
from nmc.code_hash import code_hash
from nmc.data.files import given_path, write_bytes
from nmc.data.registry import origin_of
from nmc.errors import CircuitError
from nmc.parts import RUN_FILE, PartedRun, read_parts, start_run

#: The file of a circuit's folder that says what to simulate.
CIRCUIT_FILE = "circuit.json"
_PACKAGES, _MECHANISMS = "packages", "mechanisms"
#: Where launchers say how many processes they started: Open MPI; MPICH and Intel MPI; MVAPICH;
#: Slurm's srun.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def write_circuit(
    plan: CircuitPlan,
    folder: str | Path,
    *,
    tstop_ms: float = TSTOP_MS,
    record: Sequence[int] = (),
    mode: str = "fixed",
    dt_ms: float = DT_MS,
    trust: bool = False,
) -> Path:
    """Write a plan into a folder for ``mpiexec -n N nmc circuit run FOLDER``, here or elsewhere.

    Parameters
    ----------
    plan : CircuitPlan
        From `nmc.plan_circuit`.
    folder : path
        Made if need be, else empty or a circuit's: that is replaced, and its results are deleted.
        The packages are copied into it, and the ranks write their results there.
    tstop_ms, record, mode, dt_ms, trust
        As for `nmc.simulate_circuit`.

    Returns
    -------
    pathlib.Path
        The folder; `read_circuit` reads the results from it.

    Raises
    ------
    CircuitError, UnknownNameError, TrustError, MechanismError, CompilerError
        A setting that cannot be, a folder that holds something else; as `nmc.simulate_circuit`.
    """
    folder = given_path(folder)
    plan = plan.trusting() if trust else plan
    params = make_params(plan, tstop_ms, record, mode, dt_ms)
    libraries_for(plan.packages.values(), params["integration"])  # refuses what it must
    if (folder / CIRCUIT_FILE).is_file():
        for old in (folder / RUN_FILE, *folder.glob("part-*.npz")):
            old.unlink(missing_ok=True)
        for name in (_PACKAGES, _MECHANISMS):
            shutil.rmtree(folder / name, ignore_errors=True)
    elif folder.is_dir() and any(folder.iterdir()):
        raise CircuitError(f"{folder} holds something else than a circuit: name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, package in plan.packages.items():
        shutil.copytree(package.folder, folder / _PACKAGES / name)
    params["cells"] = [
        cell | {"folder": f"{_PACKAGES}/{model}"}
        for cell, model in zip(params["cells"], plan.neurons["model"], strict=True)
    ]
    told = {"params": params, "made_from": _made_from(plan.spec, plan.packages, params)}
    write_bytes(folder / CIRCUIT_FILE, json.dumps(told).encode())
    return folder


def read_circuit(plan: CircuitPlan, folder: str | Path) -> CircuitRun:
    """Read what the ranks wrote into the folder of `write_circuit`.

    Parameters
    ----------
    plan : CircuitPlan
        The plan that was written there.
    folder : path
        The folder, or where it was moved to.

    Returns
    -------
    CircuitRun
        As from `nmc.simulate_circuit`; ``attrs["run_id"]`` names the run.

    Raises
    ------
    CircuitError, PartsError
        No circuit was written there, or none has run; a part is missing, damaged, of another run
        or made from something else.
    """
    folder = given_path(folder)
    plan = plan.trusting()  # nothing of it is run here
    params = _read_circuit_file(folder)["params"] | plan.spec
    if not (folder / RUN_FILE).is_file():
        raise CircuitError(
            f"The circuit in {folder} has not run; run 'mpiexec -n 2 nmc circuit run {folder}'."
        )
    expected = _made_from(plan.spec, plan.packages, params)
    later = {name: expected.pop(name) for name in ("code", "neuron")}  # the run's may be older
    run, parts = read_parts(folder, expected)
    covered = sorted(cell for cells in run.parts.values() for cell in cells)
    if covered != list(range(len(plan.neurons))):
        raise CircuitError(f"The parts in {folder} do not cover each cell once. Run it again.")
    meta, arrays = join(list(parts.values()))
    meta |= {"run_id": run.run_id, "ranks": len(parts)}
    return as_run(plan, params, meta | {name: run.made_from[name] for name in later}, arrays)


def join(parts: list[tuple[dict, dict[str, np.ndarray]]]) -> tuple[dict, dict[str, np.ndarray]]:
    """Join the meta and arrays that the ranks of one run wrote."""
    metas, every = [meta for meta, _ in parts], [arrays for _, arrays in parts]
    arrays = {k: v for part in every for k, v in part.items() if k.startswith("v_") or k == "t_ms"}
    for name in ("spike_t_ms", "spike_gid"):
        arrays[name] = np.concatenate([part[name] for part in every])
    meta = {name: sum(m[name] for m in metas) for name in ("segments", "cells")}
    meta |= {name: max(m[name] for m in metas) for name in ("solve_s", "waited_s")}
    return meta, arrays


def run_folder(folder: str | Path, *, trust: bool = False) -> tuple[PartedRun, int]:
    """Simulate this process's share of the circuit in a folder, as each rank does; say which."""
    folder = given_path(folder).resolve()
    told = _read_circuit_file(folder)
    params, made_from = told["params"], told["made_from"]
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")
    with empty_folder():
        from neuron import h

        rank, ranks = _join_mpi(h, len(params["cells"]))
    pc = h.ParallelContext()
    prepared = _prepare(folder, told, trust) if rank == 0 else None
    libraries, params["cells"] = pc.py_broadcast(prepared, 0)
    made_from = made_from | {"neuron": version("neuron")}
    for library in libraries:
        if not h.nrn_load_dll(library):
            raise CircuitError(f"NEURON cannot load the compiled mechanisms {library}.")
    shares = {str(r): _neuron.cells_of(r, ranks, len(params["cells"])) for r in range(ranks)}
    run = pc.py_broadcast(start_run(folder, shares, made_from) if rank == 0 else None, 0)
    started = time.process_time()
    with empty_folder():
        meta, arrays = _neuron.simulate_share(h, pc, params, lambda fraction: None)
    run.write_part(str(rank), meta | {"solve_s": time.process_time() - started}, arrays)
    pc.barrier()
    return run, rank


def leave(status: int = 0) -> None:
    """End a rank: NEURON's own exit finalises MPI, and every other way ends all ranks."""
    sys.stdout.flush()
    sys.stderr.flush()
    if status == 0 and "neuron" in sys.modules:
        from neuron import h

        h.ParallelContext().done()
        h.quit()
    os._exit(status)


def _join_mpi(h, cells: int) -> tuple[int, int]:
    """Initialise MPI where a launcher started this process; return rank and number of ranks."""
    size = next((os.environ[name] for name in _SIZES if name in os.environ), None)
    if size is not None:
        h.nrnmpi_init()
    pc = h.ParallelContext()
    ranks = int(pc.nhost())
    if size is not None and ranks != int(size):
        raise CircuitError(
            f"This process was started as one of {size} MPI ranks, but NEURON sees {ranks}: it "
            "found no MPI library, or another one than the launcher's. Name the library's path "
            "in MPI_LIB_NRN_PATH (Open MPI and MPICH: libmpi.so), or start one process alone."
        )
    if ranks > cells:
        raise CircuitError(f"A circuit of {cells} cells runs on 1 to {cells} ranks; got {ranks}.")
    return int(pc.id()), ranks


def _prepare(folder: Path, told: dict, trust: bool) -> tuple[list[str], list[dict]]:
    """Check and compile the folder's packages into it; what its file says of cells is not run."""
    params, made_from = told["params"], told["made_from"]
    written, current = str(made_from.get("code")), code_hash(_neuron.__name__)
    if written != current:
        raise CircuitError(
            f"The circuit in {folder} was written by another version of nmc (code {written[:12]}, "
            f"here {current[:12]}). Write it again with this one, or install that one here."
        )
    if made_from.get("params") != _hash_params(params):
        raise CircuitError(
            f"{folder / CIRCUIT_FILE} is not as it was written. Copy it again, or write "
            "the circuit again with nmc.write_circuit."
        )
    places = {name: folder / name for name in dict.fromkeys(c["folder"] for c in params["cells"])}
    packages = rename_clashes(load_package(place, trust=trust) for place in places.values())
    found = {(f"package {Path(name).name}", package.content_sha256)
             for name, package in zip(places, packages, strict=True)}  # fmt: skip
    wanted = {said for said in made_from.items() if said[0].startswith("package ")}
    if other := sorted({name for name, _ in wanted ^ found}):
        raise CircuitError(
            f"{folder / _PACKAGES}: {', '.join(other)} is not the one that the circuit was "
            "written with. Copy the folder again."
        )
    copies = []
    for library in map(Path, libraries_for(packages, params["integration"])):
        copy = folder / _MECHANISMS / f"{library.parent.name}-{library.name}"
        write_bytes(copy, library.read_bytes())  # whatever lies there; one in use is kept by it
        copies.append(str(copy))
    specs = dict(zip(places, [package.to_spec() for package in packages], strict=True))
    return copies, [specs[cell["folder"]] for cell in params["cells"]]


def _read_circuit_file(folder: Path) -> dict:
    path = folder / CIRCUIT_FILE
    if not path.is_file():
        raise CircuitError(
            f"There is no circuit in {folder}: it has no {path.name}. Write one with "
            "nmc.write_circuit."
        )
    try:
        told = json.loads(path.read_text("utf-8"))
        if not told["params"]["cells"] or not isinstance(told["made_from"], dict):
            raise ValueError("no cells")
        return told
    except (ValueError, KeyError, TypeError) as error:
        raise CircuitError(f"{path} is damaged ({error}). Write the circuit again.") from error


def _made_from(spec: dict, packages: Mapping[str, Package], params: dict) -> dict[str, str]:
    """Say what a circuit's result depends on."""
    settings = {k: v for k, v in params.items() if k not in spec}
    return {
        "plan": _hash_params(spec),
        "settings": _hash(settings),
        "params": _hash_params(params),
        "code": code_hash(_neuron.__name__),
        "neuron": version("neuron"),
        "source": origin_of(packages.values())["origin"],
        **{f"package {name}": package.content_sha256 for name, package in packages.items()},
    }


def _hash_params(params: dict) -> str:
    """Hash what is to be simulated, without the places of the packages."""
    cells = [{k: v for k, v in cell.items() if k != "folder"} for cell in params["cells"]]
    return _hash(params | {"cells": cells})


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
