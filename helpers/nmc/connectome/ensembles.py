"""Many connectomes as one table: each measure as a few plain numbers, a row an instance;
resumable, on Dask when there are many.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from nmc.code_hash import code_hash
from nmc.connectome.arrays import check_choice, listed
from nmc.connectome.cliques import count_simplices
from nmc.connectome.degrees import compute_degrees, compute_modularity, compute_reciprocity
from nmc.connectome.distance import compute_distance_profile
from nmc.connectome.graph import Connectome
from nmc.connectome.motifs import compute_clustering, count_triads
from nmc.connectome.paths import (
    compute_common_neighbour_bias,
    compute_path_lengths,
    summarise_paths,
)
from nmc.connectome.read import KINDS, connectome_file, connectome_keys, load_connectome
from nmc.data.files import cache_folder, sha256_of
from nmc.errors import MissingFileError, PartsError, optional
from nmc.parts import PartedRun, start_run

#: From so many instances on Dask is used where it is installed.
_MANY = 8


def _size(connectome: Connectome) -> dict:
    n, m = connectome.n_neurons, connectome.n_connections
    return {
        "n_neurons": n,
        "n_connections": m,
        "probability": m / (n * (n - 1)) if n > 1 else float("nan"),
        "excitatory_share": float(connectome.neurons["excitatory"].astype(float).mean()),
    }


def _degrees(connectome: Connectome) -> dict:
    table = compute_degrees(connectome)
    return {
        "degree_mean": float(table["in_degree"].mean()),
        "in_degree_std": float(table["in_degree"].std(ddof=0)),
        "out_degree_std": float(table["out_degree"].std(ddof=0)),
    }


def _distance(connectome: Connectome) -> dict:
    first = compute_distance_profile(connectome, bin_um=100.0)["probability"].head(1)
    return {"probability_below_100um": float(first.iloc[0]) if first.size else float("nan")}


def _clustering(connectome: Connectome) -> dict:
    means = compute_clustering(connectome)[["directed", "undirected"]].mean()
    return {f"clustering_{name}": float(mean) for name, mean in means.items()}


def _paths(connectome: Connectome) -> dict:
    numbers = summarise_paths(compute_path_lengths(connectome))
    return {f"path_{name}": float(value) for name, value in numbers.items()}


def _neighbours(connectome: Connectome) -> dict:
    bias = compute_common_neighbour_bias(connectome, by=None)["bias"].iloc[0]
    return {"common_neighbour_bias": float(bias)}


#: Name of a measure → function of a Connectome that returns plain numbers by column name.
MEASURES: dict[str, Callable[[Connectome], dict]] = {
    "size": _size,
    "degrees": _degrees,
    "reciprocity": lambda c: {"reciprocity": compute_reciprocity(c)},
    "distance": _distance,
    "clustering": _clustering,
    "triads": lambda c: {f"triad_{k}": int(v) for k, v in count_triads(c).items()},
    "paths": _paths,
    "neighbours": _neighbours,
    "simplices": lambda c: {f"simplex_{k}": int(v) for k, v in count_simplices(c).items()},
    "modularity": lambda c: {"modularity": compute_modularity(c, "layer")},
}
DEFAULT = ("size", "degrees", "reciprocity", "distance", "clustering", "triads", "modularity")


def check_names(measures: Iterable[str]) -> tuple[str, ...]:
    """Return the measures' names; an unknown one is an error that suggests the nearest."""
    measures = tuple(listed(measures))
    for name in measures:
        check_choice("measure", name, MEASURES)
    return measures


def compute_summary(connectome: Connectome, measures: Iterable[str] = DEFAULT) -> dict:
    """Return several measures of one connectome as plain numbers.

    Parameters
    ----------
    measures : str or iterable of str
        Names in `MEASURES`; another is an `UnknownNameError`.

    Returns
    -------
    dict
        Column name → number.
    """
    row: dict = {}
    for name in check_names(measures):
        row |= MEASURES[name](connectome)
    return row


def compute_ensemble(
    instances: Iterable[str] | None = None,
    measures: Iterable[str] = DEFAULT,
    *,
    source: str | None = None,
    parallel: bool | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure many instances; what an earlier run has measured is read, not computed again.

    Parameters
    ----------
    instances : str or iterable of str, optional
        Keys or paths, as `nmc.load_connectome` takes them; default every whole instance the
        source has.
    measures : str or iterable of str
        Names in `nmc.connectome.ensembles.MEASURES`.
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
    MissingFileError, UnknownNameError
        When there is no instance to measure; for a measure, or a key, that does not exist.
    PartsError
        When a process reads another file at an instance's path or runs other code, or a measure
        of an instance is missing afterwards.
    """
    if instances is None:
        instances = connectome_keys(*KINDS, source=source)
    wanted = listed(instances)
    if not wanted:
        raise MissingFileError("The source has no whole connectome instance to measure.")
    measures = check_names(measures)
    # Fetched here, so that this process's log knows every file and workers only read.
    paths = [connectome_file(key, source=source, progress=progress) for key in wanted]
    jobs = [(path, measures, _start(path)) for path in paths]
    if parallel is None:
        parallel = len(wanted) >= _MANY and find_spec("dask") is not None
    (_with_dask if parallel else _in_turn)(jobs, progress)
    parts = ([run.read_part(name)[0]["numbers"] for name in measures] for *_, run in jobs)
    rows = [dict(pair for numbers in row for pair in numbers) for row in parts]
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
    """
    check_choice("grouping of instances", by, ("kind", "group"))
    numbers = ensemble.select_dtypes("number").columns
    return ensemble.groupby(by, sort=False)[list(numbers)].agg(["mean", "std", "count"])


def _in_turn(jobs: list, progress: bool) -> None:
    quiet = {} if progress else {"disable": True}  # TQDM_DISABLE counts only when unset here
    for job in tqdm(jobs, "instances", leave=False, **quiet):
        _measure(*job)


def _with_dask(jobs: list, progress: bool) -> None:
    with optional("Several processes need Dask", "'nmc[sweep]', or parallel=False"):
        import dask
        from dask.diagnostics import ProgressBar
    tasks = [dask.delayed(_measure, pure=False)(*job) for job in jobs]
    shown = ProgressBar() if progress and sys.stderr.isatty() else nullcontext()
    with shown:  # a connected client's cluster is Dask's scheduler already
        dask.compute(*tasks, scheduler=dask.base.get_scheduler() or "processes")


def _made_from(path: Path) -> dict[str, str]:
    return {"file": sha256_of(path), "code": code_hash(__name__)}


def _start(path: Path) -> PartedRun:
    """Begin measuring a file, or go on: a part a measure, made from this content and this code."""
    made_from = _made_from(path)
    folder = cache_folder() / "ensembles" / "-".join(text[:32] for text in made_from.values())
    return start_run(folder, {name: [name] for name in MEASURES}, made_from, resume=True)


def _measure(path: Path, measures: tuple[str, ...], run: PartedRun) -> None:
    """Write what one instance's run lacks of the measures."""
    for what, there in _made_from(path).items():
        if there != run.made_from[what]:
            raise PartsError(
                f"{path}: a process of this ensemble has another {what} ({there[:12]}…, not "
                f"{run.made_from[what][:12]}…): give all the same files and the same package."
            )
    connectome = None
    for name in run.unfinished():
        if name in measures:
            connectome = connectome or load_connectome(path, progress=False)
            run.write_part(name, {"numbers": list(MEASURES[name](connectome).items())})


def _kind_of(key: str) -> dict:
    parts = key.split("/")
    if parts[0] != "connectome" or len(parts) < 3:
        return {"kind": "file", "group": ""}
    kind, what = parts[1:3]
    group = {"average": "average", "individual": what, "extract": "/".join(parts[1:])}
    return {"kind": kind, "group": group.get(kind, f"{kind} {what}")}
