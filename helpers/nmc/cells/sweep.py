"""One protocol over many models, on one machine or a cluster, resumable.

Every finished model is one Parquet file of one row in a folder; a sweep that is started again
skips the models whose row stands and was made from the same package, protocol, code and NEURON.
A model that fails is a row too, with its reason.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path

import pandas as pd

from nmc import names, recomputed
from nmc.cells import mechanisms
from nmc.cells.package import Package, load_package
from nmc.cells.protocols import simulate_currents, simulate_step
from nmc.cells.settings import COUNTS, MODES, RANGES, check_setting, check_settings
from nmc.code_hash import code_hash
from nmc.errors import (
    FormatError,
    PartsError,
    ProtocolError,
    SimulationError,
    SourceError,
    UnknownNameError,
)

_FAILED = "failed"
#: Protocols a sweep can run: name → function of a package and settings that returns a row.
PROTOCOLS: Mapping[str, str] = {
    "step": "nmc.cells.protocols:measure_step",
    "rest": "nmc.cells.measures:measure_rest",
    "fi": "nmc.cells.measures:measure_fi",
    "chirp": "nmc.cells.stimulation:measure_chirp",
    "bap": "nmc.cells.stimulation:measure_bap",
    "epsp": "nmc.cells.stimulation:measure_epsp",
    "bombardment": "nmc.cells.stimulation:measure_bombardment",
}


def measure(model: str, protocol: str, settings: Mapping, content_sha256: str) -> dict:
    """Run one protocol on one model; a failure becomes the row's ``error``.

    What a worker does: it refuses a package that is not the one that was asked for.
    """
    started = time.perf_counter()
    row: dict = {"model": model, "protocol": protocol, **_common(protocol, settings), "error": None}
    try:
        package = load_package(model)
        row |= {
            "package_sha256": package.content_sha256,
            "stochastic": bool(package.stochastic),
            "origin": package.origin,
            "invented": package.invented,
        }
        if package.content_sha256 != content_sha256:
            raise SourceError(
                f"This worker's source has another package of {model} ({package.origin}) than the "
                "one that was asked for. Set NMC_SOURCE of the workers to that of the caller."
            )
        row |= _function(protocol)(package, **settings)
    except Exception as error:  # whatever ends one model, the others go on
        row["error"] = f"{type(error).__name__}: {error}"
    return {**row, "wall_s": time.perf_counter() - started}


def makings(protocol: str = "rest") -> dict[str, str]:
    """What a protocol's rows made now have in common: the code, and the version of NEURON."""
    return {
        "code_sha256": code_hash(PROTOCOLS[protocol].partition(":")[0]),
        "neuron": mechanisms.build_tag()["neuron"],
    }


def _function(protocol: str) -> Callable[..., dict]:
    module, _, name = PROTOCOLS[protocol].partition(":")
    return getattr(import_module(module), name)


def _common(protocol: str, settings: Mapping) -> dict[str, str]:
    return {"settings": recomputed.settings_text(settings), **makings(protocol)}


def sweep(
    models: Iterable[str | names.Model],
    protocol: str = "step",
    *,
    folder: Path,
    cluster=None,
    n_workers: int = 2,
    progress: bool = True,
    **settings,
) -> pd.DataFrame:
    """Run a protocol over many models, several at a time.

    Parameters
    ----------
    models : iterable of str or Model
        Which models.
    protocol : {"step", "rest", "fi", "chirp", "bap", "epsp", "bombardment"}
        What to run on each; the functions of `PROTOCOLS` tell what a row says.
    folder : pathlib.Path
        Where the rows are kept, one Parquet file a model; started again with the same folder,
        a sweep runs only what is missing, failed or stale.
    cluster : str or dask cluster, optional
        A scheduler's address, or a cluster object (``dask_jobqueue.SLURMCluster(...)``); a
        local one with `n_workers` unless given.
    n_workers : int
        Models at the same time on the local cluster.
    progress : bool
        Show a progress bar with the time left.
    **settings
        Passed to the protocol, e.g. ``step=1`` or ``mode="converged"``.

    Returns
    -------
    pandas.DataFrame
        One row a model, failures included (column ``error``), in the order of `models`.

    Raises
    ------
    UnknownNameError, ProtocolError
        A model, the protocol or a setting does not exist, or a setting has a value that cannot
        be; nothing was run.
    PartsError
        When all have run, a row is missing or was made from something else: another sweep wrote
        into the folder meanwhile.
    SimulationError
        No Dask scheduler answers at the address given.
    """
    wanted = list(dict.fromkeys(names.parse_model(model).name for model in models))
    _check(wanted, protocol, settings)
    workers = check_settings(n_workers=n_workers)["n_workers"]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    packages = {model: load_package(model) for model in wanted}
    common = _common(protocol, settings)
    missing = [m for m in wanted if _lacks(_row_file(folder, m, protocol), packages[m], common)]
    if missing:
        tasks = [(m, protocol, settings, packages[m].content_sha256) for m in missing]
        with _client(cluster, workers) as client:
            _run(client, tasks, folder, progress)
    return _complete(folder, packages, protocol, common)


def _check(models: list[str], protocol: str, settings: Mapping) -> None:
    """Refuse what cannot run before anything does."""
    if protocol not in PROTOCOLS:
        raise UnknownNameError.of("protocol", protocol, PROTOCOLS)
    if not models:
        raise ProtocolError("models: the list is empty; name at least one model.")
    module = import_module(PROTOCOLS[protocol].partition(":")[0])
    known = dict(signature(getattr(module, f"simulate_{protocol}")).parameters)
    if any(p.kind is Parameter.VAR_KEYWORD for p in known.values()):
        known |= signature(simulate_step if protocol == "fi" else simulate_currents).parameters
    usable = [n for n, p in known.items() if p.kind is not Parameter.VAR_KEYWORD]
    usable = [n for n in usable if n not in ("model", "stimuli", "progress", "trust")]
    for name, value in settings.items():
        if name not in usable:
            raise UnknownNameError.of(f"setting of the protocol {protocol}", name, usable)
        if name in RANGES or name in COUNTS:
            check_setting(name, value)
    if "mode" in settings and settings["mode"] not in MODES:
        raise UnknownNameError.of("mode", settings["mode"], MODES)
    own = signature(getattr(module, f"simulate_{protocol}")).parameters.values()
    needed = [p.name for p in own if p.default is Parameter.empty and p.name in usable]
    if lacking := [name for name in needed if name not in settings]:
        raise ProtocolError(f"The protocol {protocol} needs the setting {', '.join(lacking)}.")


def _run(client, tasks: list[tuple], folder: Path, progress: bool) -> None:
    from distributed import as_completed
    from tqdm import tqdm

    protocol = tasks[0][1]
    futures = [client.submit(measure, *task, pure=False) for task in tasks]
    bar = tqdm(total=len(tasks), desc=protocol, unit="model", disable=None if progress else True)
    try:
        for future in as_completed(futures):
            row = future.result()
            _write(_row_file(folder, row["model"], protocol), row)
            bar.update()
    finally:  # an interrupt leaves the finished rows, and nothing running
        client.cancel(futures)
        bar.close()


@contextmanager
def _client(cluster, n_workers: int):
    """Give a Dask client; a local cluster listens on this machine alone."""
    import dask
    from distributed import Client, LocalCluster

    log = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what went wrong is raised, once
    try:
        if cluster is not None:
            try:
                client = Client(cluster)
            except OSError as error:
                raise SimulationError(f"No Dask scheduler answers at {cluster}: {error}") from error
            with client:
                yield client
            return
        # Threads suffice: each task only waits for the process that runs NEURON.  They never die
        # alone, so a machine that slept for minutes must not count them as lost.
        with (
            dask.config.set({"distributed.scheduler.worker-ttl": None}),
            LocalCluster(
                n_workers=1,
                threads_per_worker=n_workers,
                processes=False,
                dashboard_address=None,
                worker_dashboard_address="127.0.0.1:0",  # any free port, of this machine alone
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
            ) as local,
            Client(local) as client,
        ):
            yield client
    finally:
        log.setLevel(level)


def _row_file(folder: Path, model: str, protocol: str) -> Path:
    return folder / f"{model}.{protocol}.parquet"


def _write(path: Path, row: dict) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    pd.DataFrame([row]).to_parquet(partial, index=False)
    os.replace(partial, path)


def _lacks(path: Path, package: Package, common: Mapping) -> str:
    """Why a row cannot be used: it is missing, failed, or made from something else; else ""."""
    if not path.is_file():
        return "is missing"
    try:
        row = pd.read_parquet(path).iloc[0]
    except (OSError, ValueError, IndexError) as error:
        return f"is damaged ({error})"
    differs = [name for name, value in common.items() if row.get(name) != value]
    if not differs and not pd.isna(row["error"]):
        return f"{_FAILED}: {row['error']}"
    if row.get("package_sha256") != package.content_sha256:
        differs.append("package")
    return f"was made from something else ({', '.join(differs)})" if differs else ""


def _complete(
    folder: Path, packages: Mapping[str, Package], protocol: str, common: Mapping
) -> pd.DataFrame:
    """Read the rows of a sweep that has ended, each made from what was asked for."""
    files = {model: _row_file(folder, model, protocol) for model in packages}
    for model, path in files.items():
        why = _lacks(path, packages[model], common)
        if why and not why.startswith(_FAILED):
            raise PartsError(
                f"{path} {why}: the sweep is not complete, or another one wrote into that folder "
                "meanwhile. Start it again."
            )
    return load_rows(files.values())


def load_rows(files: Iterable[Path]) -> pd.DataFrame:
    """Read rows of a sweep; those that are not there are left out.

    Raises
    ------
    FormatError
        A file is damaged; names it.
    """
    rows = []
    for path in files:
        if not Path(path).is_file():
            continue
        try:
            rows.append(pd.read_parquet(path))
        except (OSError, ValueError) as error:
            raise FormatError(f"{path} is not a row of a sweep: delete it. ({error})") from error
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["model", "error"])
