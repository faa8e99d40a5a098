"""Every model beside its fact sheet: the long comparisons, kept as rows.

``nmc scoreboard`` (``make scoreboard``) runs the packages' rest and step protocols over every
model whose package the source has.  What it gave is kept in `nmc.recomputed`, without anything
of the sheets; `load_scoreboard` joins the sheets of the source in use and marks rows that were
made by other code or another NEURON.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from nmc import names, recomputed
from nmc.cells import mechanisms
from nmc.cells.sweep import load_rows, makings, sweep
from nmc.cells.unchanged import mark_rows
from nmc.cells.verdicts import TOLERANCES, explain, judge
from nmc.errors import SimulationError, SourceError

#: What is run on every model, the comparison with the sheets first: (protocol, settings).
PLAN: tuple[tuple[str, Mapping], ...] = (
    ("rest", {"mode": "published"}),
    ("rest", {"mode": "converged"}),
    *(("step", {"mode": "converged", "step": step}) for step in (1, 2, 3)),
    *(("step", {"mode": "published", "step": step}) for step in (1, 3, 2)),
)
#: Measured columns that are kept, where a protocol gives them.
_KEPT = (
    "stochastic", "integration", *TOLERANCES, "efel_time_constant_ms", "spike_count",
    "first_spike_ms", "last_spike_ms", "error",
)  # fmt: skip


def scoreboard_folder() -> Path:
    """Where the rows of unfinished runs are, one folder an entry of `PLAN`."""
    from nmc.data.files import cache_folder

    return cache_folder() / "scoreboard"


def run_scoreboard(
    models: Iterable[str] | None = None,
    *,
    plan: Iterable[tuple[str, Mapping]] = PLAN,
    n_workers: int = 2,
    keep: bool = True,
    path: Path | None = None,
) -> pd.DataFrame:
    """Run the plan over the source's models and keep the rows.

    Rows that stand, in the store or from a run that was ended, are not run again.

    Parameters
    ----------
    models : iterable of str, optional
        All models whose package the source has, unless given.
    plan : iterable of (str, mapping)
        Protocols with their settings; see `PLAN`.
    n_workers : int
        Models at the same time.
    keep : bool
        Merge the rows into the store after every entry of the plan.
    path : pathlib.Path, optional
        Another file than the store's own.

    Returns
    -------
    pandas.DataFrame
        The rows of this run, one a model and entry of the plan.

    Raises
    ------
    SourceError
        `keep`, and the source's packages are the synthetic sample's.
    """
    if models is None:
        from nmc.data import available

        models = [name for name in names.model_names() if available(f"model/{name}")]
    models = list(models)
    if keep and models:
        _refuse_invented(models[0])
    found = []
    for protocol, settings in plan:
        folder = scoreboard_folder() / "-".join([protocol, *map(str, settings.values())])
        missing = _not_kept(models, protocol, settings, path) if keep else models
        try:
            if missing:
                sweep(missing, protocol, folder=folder, n_workers=n_workers, **settings)
        finally:  # what is finished is kept, whatever ended the run
            rows = load_rows(sorted(folder.glob(f"*.{protocol}.parquet")))
            rows = rows[rows["model"].isin(missing)]
            if keep and len(rows):
                _keep(rows, path)
        found.append(rows)
    return pd.concat(found, ignore_index=True)


def verify(n: int = 4, *, seed: int = 0, path: Path | None = None) -> int:
    """Run a sample of the kept rows again; if all are the same, stamp the rows as of today's code.

    Parameters
    ----------
    n : int
        How many models of each protocol and its settings, drawn by `seed`.
    path : pathlib.Path, optional
        Another file than the store's own.

    Returns
    -------
    int
        How many rows were stamped: those of the NEURON in use.

    Raises
    ------
    SimulationError
        A run gave another number than is kept; nothing was stamped.
    SourceError
        The source's packages are the synthetic sample's.
    """
    rows = pd.read_parquet(path or recomputed.table_file("models"))
    rows = rows[(rows["neuron"] == mechanisms.build_tag()["neuron"]) & rows["error"].isna()]
    drawn = recomputed.draw_sample(rows, n, seed)
    _refuse_invented(drawn["model"].iloc[0])
    stamped = 0
    for (protocol, settings), group in drawn.groupby(["protocol", "settings"]):
        with tempfile.TemporaryDirectory() as folder:
            again = sweep(group["model"], protocol, folder=Path(folder), **json.loads(settings))
        other = again["package_sha256"].to_numpy() != group["package_sha256"].to_numpy()
        if other.any():
            raise SimulationError(f"{again['model'][other].iloc[0]}: the package is another.")
        kept = [*recomputed.TABLES["models"], *_KEPT]
        columns = [name for name in kept if name in again]
        stamped += recomputed.restamp("models", again[columns], makings(protocol), path=path)
    return stamped


def _refuse_invented(model: str) -> None:
    from nmc.data import fetch_record

    if fetch_record(f"model/{model}").invented:
        raise SourceError(
            "The store keeps rows of the portal's packages only, and these are the synthetic "
            "sample's: name a source that has the portal's, e.g. make scoreboard SOURCE=portal."
        )


def _not_kept(models: list[str], protocol: str, settings: Mapping, path: Path | None) -> list[str]:
    """Models without a row in the store that was made from what stands now."""
    from nmc.cells.package import load_package

    file = path or recomputed.table_file("models")
    if not file.is_file():
        return models
    rows = pd.read_parquet(file)
    told = recomputed.settings_text(settings)
    rows = rows[(rows["protocol"] == protocol) & (rows["settings"] == told) & rows["error"].isna()]
    rows = recomputed.mark_stale(rows, makings(protocol))
    kept = rows[~rows["stale"]].set_index("model")["package_sha256"]
    return [m for m in models if m not in kept or load_package(m).content_sha256 != kept[m]]


def _keep(rows: pd.DataFrame, path: Path | None) -> None:
    real = rows[~rows["invented"].fillna(False).astype(bool)] if "invented" in rows else rows
    columns = dict.fromkeys([*recomputed.TABLES["models"], *recomputed.MAKINGS, *_KEPT])
    columns = [name for name in columns if name in real]
    if len(real):
        recomputed.keep_rows("models", real[columns], path=path)


def load_scoreboard(
    protocol: str = "rest", *, mode: str = "published", sheets: bool = True
) -> pd.DataFrame:
    """Read the kept rows of a protocol, beside the fact sheets of the source in use.

    Parameters
    ----------
    protocol : {"rest", "step"}
        Which rows.
    mode : {"published", "converged"}
        Integration of the runs; see `nmc.cells.integration`.
    sheets : bool
        Join the fact sheets; False leaves out what comes from them, and needs no source.

    Returns
    -------
    pandas.DataFrame
        One row a run: ``model``, ``etype``, ``mode``, measured columns (for steps ``step`` and
        ``spike_count``), ``stochastic``, ``error``, ``stale`` with ``stale_because`` (made by
        other code, another NEURON or another package) and ``package``: *unchanged*, *another*
        or, where the source has none at hand and nothing is downloaded, *not at hand*. For rest
        also the sheets' values in ``published_…``, ``agrees_…``, ``verdict`` and ``reason``; see
        `nmc.cells.verdicts`.

    Raises
    ------
    FormatError
        The kept table is damaged.
    MissingFileError, DownloadError
        The source cannot give the sheets that are to be joined.
    """
    every = _of(recomputed.load_kept("models"), protocol, mode)
    compare = sheets and protocol == "rest"
    if compare:
        every = judge(every)
    # Of runs under several NEURONs the one that stands; one that is out of date before none.
    rows = every.sort_values("stale", ascending=False, kind="stable")
    rows = rows.drop_duplicates(["model", "settings"], keep="last")
    rows = rows.sort_values(["model", "settings"], ignore_index=True).drop(columns="settings")
    rows.insert(1, "etype", [names.parse_model(model).etype for model in rows["model"]])
    if protocol == "step":
        return rows.drop(columns=[*TOLERANCES, "efel_time_constant_ms"], errors="ignore")
    spikes = ["step", "spike_count", "first_spike_ms", "last_spike_ms"]
    rows = rows.drop(columns=spikes, errors="ignore")
    return explain(rows, every) if compare else rows


def _of(rows: pd.DataFrame, protocol: str, mode: str) -> pd.DataFrame:
    """Rows of one protocol and mode, their settings spread out, stale ones marked."""
    rows = rows[rows["protocol"] == protocol].reset_index(drop=True)
    told = pd.DataFrame([json.loads(text) for text in rows["settings"]], index=rows.index)
    rows = rows.join(told.reindex(columns=["mode", "step"]))
    return mark_rows(rows[rows["mode"] == mode], makings(protocol))


def load_spike_errors() -> pd.DataFrame:
    """Read what ``benchmarks/cells.py`` found on twenty deterministic packages.

    Returns
    -------
    pandas.DataFrame
        One row a package and step, in the order of the names: ``spikes_reference`` (variable
        step at a tolerance of 1e-7), ``spikes_…`` and ``error_…_ms`` (largest distance of a
        spike from the reference's; NaN where their numbers differ) of the modes *published* and
        *converged*, the same of second-order runs of two steps that check the reference, and
        of the finest step that was needed to meet it (``finest_step_ms``),
        ``ratio`` (CPU time of the package's own step over the converged one's, on the machine
        that measured it), ``stale``, ``stale_because`` and ``package``; see `load_scoreboard`.

    Raises
    ------
    FormatError
        The kept table is damaged.
    """
    rows = mark_rows(recomputed.load_kept("integration"), makings("step"))
    rows.insert(1, "step", [json.loads(text)["step"] for text in rows["settings"]])
    return rows.drop(columns=["protocol", "settings", *recomputed.MAKINGS])
