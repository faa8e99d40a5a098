"""Many instances as one table, a row an instance; resumable, on Dask when there are many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from nmc import layout
from nmc.code_hash import code_hash
from nmc.connectome import summary
from nmc.connectome.given import check_choice, check_table, listed
from nmc.connectome.read import EXTRACTS, connectome_file, load_connectome
from nmc.data.files import cache_folder, read_json, write_json
from nmc.errors import MissingFileError, MissingLibraryError, UnknownNameError

#: From so many instances on Dask is used where it is installed.
_MANY = 8
_KINDS = ("average", "individual", "control")


def instance_keys(kind: str | None = None, *, source: str | None = None) -> list[str]:
    """Return the keys of the whole instances that the source has.

    Parameters
    ----------
    kind : str, optional
        ``average`` (7 on the portal), ``individual`` (5 animals × 7) or ``control`` (7 × 5);
        default all.
    source : str, optional
        See `nmc.fetch`.

    Returns
    -------
    list of str

    Raises
    ------
    UnknownNameError
        For another kind.
    """
    import nmc

    wanted = _KINDS if kind is None else (kind,)
    keys = [key for one in wanted for key in _all_keys(one)]
    return [key for key in keys if nmc.available(key, source=source)]


def connectome_keys(*, source: str | None = None) -> list[str]:
    """Return the keys of every connectome the source has: whole instances, then extracts.

    Parameters
    ----------
    source : str, optional
        See `nmc.fetch`.

    Returns
    -------
    list of str
    """
    import nmc

    parts = [key for key in EXTRACTS if nmc.available(key, source=source)]
    return instance_keys(source=source) + parts


def _all_keys(kind: str) -> list[str]:
    mcs = layout.MICROCIRCUITS
    if kind == "average":
        return [f"connectome/average/mc{mc}" for mc in mcs]
    if kind == "individual":
        return [f"connectome/individual/{a}/mc{mc}" for a in layout.ANIMALS for mc in mcs]
    if kind == "control":
        return [f"connectome/control/mc{mc}/{k}" for mc in mcs for k in layout.CONTROL_INSTANCES]
    raise UnknownNameError.of("kind of instance", kind, _KINDS)


def compute_ensemble(
    instances: Iterable[str] | None = None,
    measures: Iterable[str] = summary.DEFAULT,
    *,
    source: str | None = None,
    parallel: bool | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure many instances.

    Parameters
    ----------
    instances : str or iterable of str, optional
        Keys or paths, as `nmc.load_connectome` takes them; default every whole instance the
        source has.
    measures : str or iterable of str
        Names in `nmc.connectome.summary.MEASURES`.
    source : str, optional
        See `nmc.fetch`.
    parallel : bool, optional
        Spread over processes with Dask: a cluster's when a client is connected, else this
        machine's.  Default: from eight instances on, where Dask is installed.
    progress : bool
        Show a bar on stderr.

    Returns
    -------
    pandas.DataFrame
        One row an instance, index ``instance`` (its key); ``kind``, ``group`` (the animal, the
        average instance a control belongs to, or the extract), then the measures' columns.

    Raises
    ------
    MissingFileError
        When there is no instance to measure.
    UnknownNameError
        For a measure, or a key, that does not exist.
    ConnectomeError
        For `instances` or `measures` that are no list.

    Notes
    -----
    Each finished row is kept in the cache under the instance's sha256, the measure and the
    code's hash: a run that was stopped goes on where it was.
    """
    if instances is None:
        instances = instance_keys(source=source)
    wanted = listed(instances, "keys or paths")
    if not wanted:
        raise MissingFileError("The source has no whole connectome instance to measure.")
    measures = summary.check_names(measures)
    # Fetched here, so that this process's log knows every file and workers only read.
    jobs = [(connectome_file(key, source=source, progress=progress), measures) for key in wanted]
    if parallel is None:
        parallel = len(wanted) >= _MANY and _has_dask()
    run = _with_dask if parallel else _in_turn
    rows = run(jobs, progress)
    table = pd.DataFrame(rows, index=pd.Index(map(str, wanted), name="instance"))
    kinds = pd.DataFrame([_kind_of(str(key)) for key in wanted], index=table.index)
    return pd.concat([kinds, table], axis=1)


def compute_spread(ensemble: pd.DataFrame, by: str = "kind") -> pd.DataFrame:
    """Summarise an ensemble: mean, standard deviation and number of instances of each group.

    Parameters
    ----------
    ensemble : pandas.DataFrame
        From `compute_ensemble`.
    by : str
        ``kind`` or ``group``.

    Returns
    -------
    pandas.DataFrame
        Rows the groups, columns ``(measure, mean | std | count)``; std with n − 1, missing for
        a single instance.

    Raises
    ------
    ConnectomeError
        For another table, or another `by`.
    """
    check_choice(by, "Instances are grouped by", ("kind", "group"))
    check_table(ensemble, (by,), "nmc.compute_ensemble")
    numbers = ensemble.select_dtypes("number").columns
    return ensemble.groupby(by, sort=False)[list(numbers)].agg(["mean", "std", "count"])


def _in_turn(jobs: list, progress: bool) -> list[dict]:
    quiet = {} if progress else {"disable": True}  # TQDM_DISABLE counts only when unset here
    return [_row(*job) for job in tqdm(jobs, "instances", leave=False, **quiet)]


def _with_dask(jobs: list, progress: bool) -> list[dict]:
    try:
        from distributed import Client, LocalCluster, default_client
        from distributed import progress as show
    except ImportError as error:
        raise MissingLibraryError(
            "Several processes need Dask: pip install 'nmc[sweep]', or parallel=False."
        ) from error
    try:
        client, own = default_client(), None
    except ValueError:
        own = LocalCluster(threads_per_worker=1, dashboard_address=None)
        client = Client(own)
    try:
        futures = [client.submit(_row, *job, pure=False) for job in jobs]
        if progress:
            show(futures, notebook=False)
        return client.gather(futures)
    finally:
        if own is not None:
            client.close()
            own.close()


def _row(path: Path, measures: tuple[str, ...]) -> dict:
    """Measure one instance; what is kept from an earlier run is not computed again."""
    from nmc.data.files import sha256_of

    code = code_hash(__name__)[:16]
    kept_in = cache_folder() / "ensembles" / f"{sha256_of(path)}-{code}.json"
    known: Mapping = read_json(kept_in) or {}
    row: dict = {}
    connectome = None
    for name in measures:
        if name not in known:
            connectome = connectome or load_connectome(path, progress=False)
            pairs = [list(pair) for pair in summary.MEASURES[name](connectome).items()]
            known = {**(read_json(kept_in) or {}), name: pairs}  # pairs keep their order
            write_json(kept_in, known)
        row |= dict(known[name])
    return row


def _kind_of(key: str) -> dict:
    parts = key.split("/")
    if parts[0] != "connectome" or len(parts) < 3:
        return {"kind": "file", "group": ""}
    kind, what = parts[1:3]
    group = {"average": "average", "individual": what, "extract": "/".join(parts[1:])}
    return {"kind": kind, "group": group.get(kind, f"{kind} {what}")}


def _has_dask() -> bool:
    from importlib.util import find_spec

    return find_spec("distributed") is not None
