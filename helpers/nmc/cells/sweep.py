"""One protocol over many models, on one machine or a cluster, resumable.

Every finished model is one Parquet file of one row in a folder; a sweep that is started again
skips the models whose row stands and was made from the same package, protocol, code and NEURON.
A model that fails is a row too, with its reason.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pandas as pd

from nmc import names, recomputed
from nmc.cells import mechanisms
from nmc.cells.package import load_package
from nmc.code_hash import code_hash
from nmc.errors import FormatError, NMCError, UnknownNameError

#: Protocols a sweep can run: name → function of a package and settings that returns a row.
PROTOCOLS: Mapping[str, str] = {
    "step": "nmc.cells.protocols:measure_step",
    "rest": "nmc.cells.passive:measure_rest",
    "fi": "nmc.cells.fi:measure_fi",
    "chirp": "nmc.cells.stimulation:measure_chirp",
    "bap": "nmc.cells.stimulation:measure_bap",
    "epsp": "nmc.cells.stimulation:measure_epsp",
    "bombardment": "nmc.cells.stimulation:measure_bombardment",
}


def measure(model: str, protocol: str, settings: Mapping) -> dict:
    """Run one protocol on one model; a failure becomes the row's ``error``."""
    started = time.perf_counter()
    row: dict = {"model": model, "protocol": protocol, **_common(protocol, settings), "error": None}
    try:
        package = load_package(model)
        row |= {
            "package_sha256": package.content_sha256,
            "stochastic": bool(package.stochastic),
            "invented": _invented(model),
        }
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


def _invented(model: str) -> bool:
    """Whether the model's package came from the synthetic sample."""
    from nmc.data import provenance

    return any(r.invented for r in provenance.records() if r.key == f"model/{model}")


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
    UnknownNameError
        A model or the protocol does not exist; nothing was run.
    """
    if protocol not in PROTOCOLS:
        raise UnknownNameError.of("protocol", protocol, PROTOCOLS)
    wanted = list(dict.fromkeys(names.parse_model(model).name for model in models))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [m for m in wanted if not _stands(folder, m, protocol, settings)]
    if missing:
        with _client(cluster, n_workers) as client:
            _run(client, missing, protocol, settings, folder, progress)
    return load_rows([_row_file(folder, model, protocol) for model in wanted])


def _run(client, models, protocol, settings, folder, progress) -> None:
    from distributed import as_completed
    from tqdm import tqdm

    futures = [client.submit(measure, m, protocol, settings, pure=False) for m in models]
    bar = tqdm(total=len(models), desc=protocol, unit="model", disable=None if progress else True)
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
    import dask
    from distributed import Client, LocalCluster

    if cluster is not None:
        with Client(cluster) as client:
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
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any free port, no warning
        ) as local,
        Client(local) as client,
    ):
        yield client


def _row_file(folder: Path, model: str, protocol: str) -> Path:
    return folder / f"{model}.{protocol}.parquet"


def _write(path: Path, row: dict) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    pd.DataFrame([row]).to_parquet(partial, index=False)
    os.replace(partial, path)


def _stands(folder: Path, model: str, protocol: str, settings: Mapping) -> bool:
    """Whether a row is there, did not fail, and was made from what stands now."""
    path = _row_file(folder, model, protocol)
    if not path.is_file():
        return False
    try:
        row = pd.read_parquet(path).iloc[0]
        current = {
            "package_sha256": load_package(model).content_sha256,
            **_common(protocol, settings),
        }
    except (NMCError, OSError, ValueError):
        return False
    return pd.isna(row["error"]) and all(row.get(k) == v for k, v in current.items())


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
