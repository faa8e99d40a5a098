"""One protocol over many models, on one machine or a cluster, resumable.

The rows of a protocol are the parts of one run (`nmc.parts`) in a folder of its name: a sweep that
is started again runs only the models whose row is missing, failed, or made from another package,
protocol, code or NEURON.  A model that fails is a row too, with its reason.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from inspect import Parameter, signature
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nmc import recomputed
from nmc.cells import mechanisms
from nmc.cells.package import AnyModel, as_package, each_model
from nmc.cells.settings import check_arguments, check_setting
from nmc.code_hash import code_hash
from nmc.data.files import given_path, progress_bar
from nmc.errors import (
    PartsError,
    ProtocolError,
    SimulationError,
    SourceError,
    UnknownNameError,
    optional,
)
from nmc.parts import PartedRun, open_run, read_parts, start_run

#: The finished rows as one table, beside the run's parts.
TABLE = "rows.parquet"
#: Protocols a sweep can run: name → module of ``simulate_<name>`` and ``measure_<name>``, a
#: function of a package and settings that returns a row.
PROTOCOLS: Mapping[str, str] = {
    "step": "nmc.cells.protocols",
    "rest": "nmc.cells.measures",
    "fi": "nmc.cells.measures",
    "threshold": "nmc.cells.measures",
    "chirp": "nmc.cells.stimulation",
    "bap": "nmc.cells.stimulation",
    "epsp": "nmc.cells.stimulation",
    "bombardment": "nmc.cells.stimulation",
}
#: Models' names and rows, as they are finished.
Rows = Generator[tuple[str, dict], None, None]
#: What a task says of its package, that its row repeats.
_TOLD = ("model", "origin", "invented", "package_sha256")


def measure(place: str, protocol: str, settings: Mapping, told: Mapping) -> dict:
    """Run one protocol on one model, if its package is the one told; a failure is ``error``."""
    started = time.perf_counter()
    row: dict = {
        **{name: told[name] for name in _TOLD},
        "protocol": protocol, "settings": recomputed.settings_text(settings), **makings(protocol),
        "error": None,
    }  # fmt: skip
    try:
        package = as_package(place, trust=told["trusted"])
        if package.content_sha256 != told["package_sha256"]:
            raise SourceError(
                f"This worker's source has another package of {place} ({package.origin}) than the "
                "one that was asked for. Set NMC_SOURCE of the workers to that of the caller."
            )
        package = replace(package, name=told["model"], origin=told["origin"])
        row["stochastic"] = bool(package.stochastic)
        row |= _function("measure", protocol)(package, **settings)
    except Exception as error:  # whatever ends one model, the others go on
        row["error"] = f"{type(error).__name__}: {error}"
    row["wall_s"] = time.perf_counter() - started
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in row.items()}


def makings(protocol: str = "rest") -> dict[str, str]:
    """What a protocol's rows made now have in common: the code, and the version of NEURON."""
    return {
        "code_sha256": code_hash(_module(protocol)),
        "neuron": mechanisms.build_tag()["neuron"],
    }


def _module(protocol: str) -> str:
    if protocol not in PROTOCOLS:
        raise UnknownNameError.of("protocol", protocol, PROTOCOLS)
    return PROTOCOLS[protocol]


def _function(verb: str, protocol: str) -> Callable:
    return getattr(import_module(_module(protocol)), f"{verb}_{protocol}")


def sweep(
    models: Iterable[AnyModel],
    protocol: str = "step",
    *,
    folder: Path,
    cluster=None,
    n_workers: int = 2,
    progress: bool = True,
    trust: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Run a protocol over many models, several at a time.

    Parameters
    ----------
    models : iterable
        Names, paths and packages, as for `nmc.simulate_step`; workers elsewhere must see a path.
    protocol : {"step", "rest", "fi", "threshold", "chirp", "bap", "epsp", "bombardment"}
        What to run on each; the functions of `PROTOCOLS` tell what a row says.
    folder : pathlib.Path
        Where the rows are kept, a folder a protocol, ``rows.parquet`` in it when all have run;
        started again with the same folder, a sweep runs only what is missing, failed or stale.
    cluster : str or dask cluster, optional
        A scheduler's address, or a cluster object (``dask_jobqueue.SLURMCluster(...)``); this
        machine unless given.
    n_workers : int
        Models at the same time on this machine.
    progress : bool
        Show a progress bar with the time left.
    trust : bool
        Run the code of packages that are not known, see `nmc.load_package`.
    **settings
        Those of the protocol's ``simulate_*`` call, e.g. ``step=1`` or ``mode="converged"``.

    Returns
    -------
    pandas.DataFrame
        One row a model, failures included (column ``error``), in the order of `models`.

    Raises
    ------
    UnknownNameError, ProtocolError
        A model, the protocol or a setting does not exist, or a setting has a value that cannot
        be; nothing was run.
    TrustError
        A package is neither known nor trusted.
    PartsError
        Another sweep wrote into the folder meanwhile.
    SimulationError
        No Dask scheduler answers at the address given.
    MissingLibraryError
        A cluster is given, and Dask is not installed.
    """
    settings = _check(protocol, settings)
    workers = check_setting("n_workers", n_workers)
    tasks: dict[str, tuple] = {}
    for model in each_model(models):  # one after another: a thousand packages fill the memory
        package = as_package(model, trust=trust)
        package.check_trusted()
        told = {**package.source, "package_sha256": package.content_sha256, "trusted": True}
        by_name = package.model is not None and str(model) == package.model.name
        place = package.name if by_name else str(package.folder)
        name = package.name
        if name in tasks and tasks[name][3]["package_sha256"] != package.content_sha256:
            name = f"{name}-{package.content_sha256[:8]}"
        tasks[name] = (place, protocol, settings, told)
    if not tasks:
        raise ProtocolError("models: the list is empty; name at least one model.")
    run = start_run(
        given_path(folder, ProtocolError) / protocol,
        {name: [name] for name in tasks},
        {"settings": recomputed.settings_text(settings), **makings(protocol)},
        part_made_from={n: {"package_sha256": t[3]["package_sha256"]} for n, t in tasks.items()},
        resume=True,
    )
    (run.folder / TABLE).unlink(missing_ok=True)
    if missing := [name for name in tasks if _row(run, name).get("error", "missing") is not None]:
        left = {name: tasks[name] for name in missing}
        rows = _here(left, workers) if cluster is None else _on_cluster(left, cluster)
        with closing(rows):
            bar = progress_bar(protocol, rows, total=len(left), unit="model", shown=progress)
            for name, row in bar:
                run.write_part(name, row)
    _, parts = read_parts(run.folder)
    table = pd.DataFrame([meta for meta, _ in parts.values()])
    table.to_parquet(run.folder / TABLE, index=False)
    return table


def _check(protocol: str, settings: Mapping) -> dict[str, Any]:
    """Refuse what cannot run before anything does."""
    call = _function("simulate", protocol)
    own = list(signature(call).parameters.values())[1:]
    needed = [p.name for p in own if p.default is Parameter.empty and p.kind != p.VAR_KEYWORD]
    if lacking := [name for name in needed if name not in settings]:
        raise ProtocolError(f"The protocol {protocol} needs the setting {', '.join(lacking)}.")
    found = check_arguments(call, settings)
    return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in found.items()}


def _row(run: PartedRun, name: str) -> dict:
    """The row of a model that stands in the run's folder; empty where none does."""
    try:
        return run.read_part(name)[0]
    except PartsError:
        return {}


def _here(tasks: Mapping[str, tuple], n_workers: int) -> Rows:
    """Rows by name, in threads: each only waits for the process that runs NEURON."""
    with ThreadPool(n_workers) as pool:  # its threads end with the session, also when interrupted
        yield from pool.imap_unordered(lambda item: (item[0], measure(*item[1])), tasks.items())


def _on_cluster(tasks: Mapping[str, tuple], cluster) -> Rows:
    """Rows by name, from the workers of a Dask cluster."""
    with optional("A cluster needs Dask", "'nmc[sweep]'"):
        from distributed import Client, as_completed
    log = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what went wrong is raised, once
    try:
        try:
            client = Client(cluster)
        except (OSError, ValueError) as error:
            raise SimulationError(f"No Dask scheduler answers at {cluster}: {error}") from error
        with client:
            futures = {client.submit(measure, *task, pure=False): n for n, task in tasks.items()}
            try:
                for future in as_completed(list(futures)):
                    yield futures[future], future.result()
            finally:  # an interrupt leaves nothing running
                client.cancel(list(futures))
    finally:
        log.setLevel(level)


def load_rows(folder: Path) -> pd.DataFrame:
    """Read the rows of a protocol's folder that stand, of a sweep that was ended, too."""
    run = open_run(folder)
    rows = [row for name in run.parts if (row := _row(run, name))]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["model", "error"])
