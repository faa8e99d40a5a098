"""Firing as a table of features, a row a model, and how well it tells what type a model is of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nmc import names
from nmc.cells.package import AnyModel, each_model
from nmc.cells.protocols import FEATURES
from nmc.cells.stimuli import check_bounds
from nmc.cells.sweep import sweep
from nmc.errors import FormatError, ProtocolError, SimulationError, optional

#: What a model's name says of it; ``emodel`` is the set of channels, such as ``cADpyr232``.
TYPES = ("layer", "mtype", "metype", "etype", "onset", "steady_state", "emodel")
#: The features of a step; the number of spikes is the rate once more.
COLUMNS = tuple(name for name in FEATURES if name != "spike_count")


def measure_firing(
    models: Iterable[AnyModel],
    steps: Iterable[int] = (1, 2, 3),
    *,
    mode: str = "converged",
    **options: Any,
) -> pd.DataFrame:
    """Run the packages' steps on some models and return their features.

    Parameters
    ----------
    models : iterable
        Names, paths and packages, as for `nmc.simulate_step`.
    steps : iterable of int
        Which of the packages' steps, 1 (weakest) to 3.
    mode, **options
        As for `nmc.sweep`; what has run is in the cache, so that a call that was ended goes on.

    Returns
    -------
    pandas.DataFrame
        See `compute_firing`.

    Raises
    ------
    SimulationError
        A run failed; and what `nmc.sweep` raises.
    """
    models, rows = each_model(models), []
    for step in check_bounds("steps", steps, "steps"):
        with tempfile.TemporaryDirectory() as folder:
            found = sweep(models, "step", folder=Path(folder), step=step, mode=mode, **options)
            rows.append(found.assign(step=step))
    return compute_firing(pd.concat(rows, ignore_index=True))


def compute_firing(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the features of each model's steps side by side.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row a model and step, with ``model``, ``step`` and `COLUMNS`: of
        ``nmc.load_scoreboard("step", mode="converged")``, or of a sweep.

    Returns
    -------
    pandas.DataFrame
        One row a model, its name the index: `TYPES` (empty where the name is none of the
        1,035), ``origin``, ``invented`` (recorded rows are the portal's packages), and the
        features, each with its step: ``isi_cv@1``, …; NaN where a train has too few spikes.
        ``.attrs`` say ``origin`` and ``invented`` of all.

    Raises
    ------
    FormatError
        A column is missing, or a model has two rows of one step.
    SimulationError
        A row is that of a run that failed.
    """
    if missing := [name for name in ("model", "step", *COLUMNS) if name not in rows]:
        raise FormatError(f"Rows of steps need the columns {', '.join(missing)}.")
    if "error" in rows and rows["error"].notna().any():
        failed = rows[rows["error"].notna()].iloc[0]
        raise SimulationError(f"{failed['model']}, step {failed['step']}: {failed['error']}")
    keys = ["model", "step"]
    if (twice := rows.duplicated(keys)).any():
        raise FormatError(f"{rows.loc[twice, 'model'].iloc[0]} has two rows of one step.")
    wide = rows.set_index(keys)[[*COLUMNS]].astype(float).unstack()
    wide.columns = [f"{name}@{step:g}" for name, step in wide.columns]
    told = {name: rows.get(name, default) for name, default in _RECORDED.items()}
    origin = rows[["model"]].assign(**told).drop_duplicates("model").set_index("model")
    types = pd.DataFrame([_types(name) for name in wide.index], wide.index, columns=[*TYPES])
    table = types.join(origin).join(wide)
    table.attrs = {
        "origin": "; ".join(dict.fromkeys(table["origin"])),
        "invented": bool(table["invented"].any()),
    }
    return table


#: What is said of rows that do not say where they are from: the store keeps no other.
_RECORDED = {"origin": "recorded runs of the portal's packages", "invented": False}


def _types(model: str) -> dict[str, str]:
    if model not in names.model_names():
        return dict.fromkeys(TYPES, "")
    known = names.parse_model(model)
    onset, steady = names.describe_etype(known.etype)
    told = {name: getattr(known, name) for name in ("layer", "mtype", "metype", "etype")}
    return {**told, "onset": onset, "steady_state": steady, "emodel": known.etype_id}


def separate_types(
    table: pd.DataFrame,
    by: str = "etype",
    *,
    hold_out: str = "metype",
    folds: int | None = 5,
    test: pd.DataFrame | None = None,
    classifier: Any = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Let a classifier name the type of cells that it has not seen.

    Parameters
    ----------
    table : pandas.DataFrame
        From `compute_firing`; its columns with an ``@`` are what the classifier sees.
    by : str
        The column to be told.
    hold_out : str
        Rows that have this column in common are held out together, ``"model"`` for each alone.
    folds : int, optional
        Parts that rows are shared into, with as equal a mix of types as the groups allow; None
        holds out one group after another.
    test : pandas.DataFrame, optional
        Other cells to name, of a table such as `table`, instead of held out ones.
    classifier : scikit-learn classifier, optional
        A random forest of balanced trees unless given; it must take NaN.
    seed : int
        Of the forest, the folds, the bootstrap and the importance.

    Returns
    -------
    pandas.DataFrame
        One row a cell: ``true``, ``predicted``, ``fold`` and ``testable``, whether any cell of
        its type was left to learn from.  ``.attrs`` hold, of the testable cells, ``accuracy``
        with ``low`` and ``high`` (95 %, bootstrap of groups), ``chance`` (the share of the most
        frequent type), and ``importance``: feature → by how much the accuracy falls when its
        values, at all steps, are those of cells drawn from the training part.

    Raises
    ------
    FormatError
        There is no such column, or fewer than two types.
    ProtocolError
        There are fewer groups than `folds`, or but one.
    MissingLibraryError
        scikit-learn is not installed.
    """
    with optional("Telling types apart needs scikit-learn", "'nmc[analysis]'"):
        from sklearn.base import clone
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold
    cells = table.rename_axis("model").reset_index()
    if missing := {by, hold_out} - set(cells):
        raise FormatError(f"The table has no column {', '.join(sorted(missing))}.")
    if cells[by].nunique() < 2:
        raise FormatError(f"Telling types apart needs two of them; {by} has one.")
    forest = RandomForestClassifier(class_weight="balanced", random_state=seed)
    columns = [name for name in cells if "@" in name]
    features = list(dict.fromkeys(name.partition("@")[0] for name in columns))
    x, y, groups = cells[columns].to_numpy(), cells[by].to_numpy(), cells[hold_out].to_numpy()
    splitter = LeaveOneGroupOut()
    if folds is not None:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    if test is None and len(set(groups)) < (folds or 2):
        raise ProtocolError(f"folds: {hold_out} has {len(set(groups))} values, too few.")
    asked = cells if test is None else test.rename_axis("model").reset_index()
    ask_x, ask_y = asked[columns].to_numpy(), asked[by].to_numpy()
    parts = [(np.arange(len(x)), np.arange(len(ask_x)))]
    if test is None:
        parts = list(splitter.split(x, y, groups))
    rng, found = np.random.default_rng(seed), []
    own = np.array([[c.partition("@")[0] == name for c in columns] for name in features])
    without = np.empty((len(asked), len(features)))
    for fold, (train, held) in enumerate(parts):
        fitted = clone(forest if classifier is None else classifier).fit(x[train], y[train])
        told = {"true": ask_y[held], "predicted": fitted.predict(ask_x[held]), "fold": fold}
        testable = np.isin(ask_y[held], y[train])
        found.append(pd.DataFrame({**told, "testable": testable}, index=held))
        others = np.tile(ask_x[held], (len(features), _DRAWS, 1, 1))
        drawn = x[rng.choice(train, others.shape[:3])]
        replaced = np.where(own[:, None, None, :], drawn, others)
        named = fitted.predict(replaced.reshape(-1, len(columns))).reshape(others.shape[:3])
        without[held] = (named == ask_y[held]).mean(axis=1).T
    result = pd.concat(found).sort_index().set_index(asked["model"])
    counted = result["testable"].to_numpy()
    right = (result["true"] == result["predicted"]).to_numpy()[counted]
    lost = right.mean() - without[counted].mean(axis=0)
    low, high = _interval(right, asked[hold_out].to_numpy()[counted], rng)
    result.attrs = {
        "accuracy": float(right.mean()), "low": low, "high": high,
        "chance": float(result.loc[counted, "true"].value_counts(normalize=True).max()),
        "importance": dict(zip(features, lost.tolist(), strict=True)),
        "by": by, "hold_out": hold_out, "seed": seed,
    }  # fmt: skip
    return result


#: Draws a held out cell and feature for the importance, and of the bootstrap.
_DRAWS, _RESAMPLES = 10, 2000


def _interval(
    right: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Bounds of the share that is right, when whole groups are drawn again."""
    counts = pd.DataFrame({"right": right, "group": groups}).groupby("group")["right"]
    n, hits = counts.size().to_numpy(), counts.sum().to_numpy()
    drawn = rng.integers(0, len(n), (_RESAMPLES, len(n)))
    shares = hits[drawn].sum(axis=1) / n[drawn].sum(axis=1)
    return float(np.quantile(shares, 0.025)), float(np.quantile(shares, 0.975))
