"""Pathways beside their fact sheets: paired recordings on the packages, kept as rows.

``nmc scoreboard-pathways`` records every pathway of `nmc.circuit.pathway_list` whose package the
source has and keeps the means in `nmc.recomputed`; `load_pathway_scores` puts the sheets of the
source in use beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from nmc import names, recomputed
from nmc.cells import mechanisms
from nmc.circuit.pairs import SHEET, PairedRecording, simulate_pair
from nmc.circuit.pathway_list import PATHWAYS, pathways
from nmc.code_hash import code_hash
from nmc.errors import NMCError, SourceError

SETTINGS = {"trials": 15, "cells": 8, "dt_ms": 0.1, "window_ms": 200.0, "seed": 0}


def makings() -> dict[str, str]:
    """What every row made now has in common: the code, and the version of NEURON."""
    return {
        "code_sha256": code_hash(simulate_pair.__module__),
        "neuron": mechanisms.build_tag()["neuron"],
    }


def run_pathways(
    wanted: Iterable[tuple[str, str]] | None = None,
    *,
    path: Path | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Record pathways and keep their rows, each as soon as it is there.

    Started again it records only what is missing, failed or stale.

    Parameters
    ----------
    wanted : iterable of (str, str), optional
        Presynaptic m-types and receiving models; unless given, those of
        `nmc.circuit.pathway_list` whose package the source has.
    path : pathlib.Path, optional
        Another file than the store's own.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pandas.DataFrame
        As `load_pathway_scores`.

    Raises
    ------
    SourceError
        The packages are the synthetic sample's, and no other file was named.
    """
    from tqdm import tqdm

    from nmc.data import available

    if wanted is None:
        wanted = [(pre, model) for pre, model in pathways() if available(f"model/{model}")]
    for pre, model in tqdm(list(wanted), unit="pathway", disable=None if progress else True):
        if path is None:
            _refuse_invented(model)
        if not _stands(pre, model, path):
            recomputed.keep_rows("pathways", pd.DataFrame([measure(pre, model)]), path=path)
    return load_pathway_scores(path=path)


def measure(pre: str, model: str) -> dict:
    """Record one pathway; a failure becomes the row's ``error``."""
    from nmc.cells.package import load_package

    row: dict = {"pathway": f"{pre}:{model}", "protocol": "pair",
                 "settings": recomputed.settings_text(SETTINGS), **makings(),
                 "package_sha256": "", "error": None}  # fmt: skip
    try:
        row["package_sha256"] = load_package(model).content_sha256
        row |= _numbers(simulate_pair(pre, model, **SETTINGS, progress=False))
    except NMCError as error:  # one pathway fails, the others go on
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def _numbers(found: PairedRecording) -> dict:
    row: dict = {"cells": len(found.cells), "contacts": float(found.cells["contacts"].mean())}
    for column in (*SHEET, "decay_fit_ms"):
        row[column] = float(found.cells[column].mean())
        row[f"{column}_sd"] = float(found.cells[column].std(ddof=0))
    return row


def load_pathway_scores(*, path: Path | None = None) -> pd.DataFrame:
    """Read the kept pathways beside the fact sheets of the source in use.

    Parameters
    ----------
    path : pathlib.Path, optional
        Another file than the store's own.

    Returns
    -------
    pandas.DataFrame
        One row a pathway: ``pathway``, ``pre``, ``post``, ``model``, ``kind`` (class of
        `PATHWAYS`), ``cells``, ``contacts``; for each quantity of `nmc.circuit.pairs.SHEET` the
        measured mean, ``…_sd`` over presynaptic cells, ``sheet_…``, ``sheet_sd_…`` and
        ``within_…`` (the measured mean lies within the sheet's deviation); ``decay_fit_ms``, the
        other definition of decay (see `simulate_pair`); ``error``, and
        ``stale``, ``stale_because`` and ``package`` as `nmc.load_scoreboard` has them.
    """
    rows = recomputed.load_kept("pathways") if path is None else pd.read_parquet(path)
    if rows.empty:
        return rows
    split = [text.split(":") for text in rows["pathway"]]
    kinds = {(pre, model): kind for kind, pairs in PATHWAYS.items() for pre, model in pairs}
    rows.insert(1, "pre", [pre for pre, _ in split])
    rows.insert(2, "post", [names.parse_model(model).mtype for _, model in split])
    rows.insert(3, "model", [model for _, model in split])
    rows.insert(4, "kind", [kinds.get((pre, model), "other") for pre, model in split])
    return _beside_sheets(recomputed.mark_rows(rows, makings()))


def _beside_sheets(rows: pd.DataFrame) -> pd.DataFrame:
    from nmc.factsheets.pathways import load_pathways

    sheet = load_pathways()
    sheet = sheet.set_index(sheet["pre"].astype(str) + ":" + sheet["post"].astype(str))
    keys = rows["pre"] + ":" + rows["post"]
    for column, (name, unit) in SHEET.items():
        end = f"_{unit}" if unit else ""
        for kind, label in (("mean", "sheet_"), ("std", "sheet_sd_")):
            printed = sheet[f"{name}_{kind}{end}"].astype(float).reindex(keys)
            rows[f"{label}{column}"] = printed.to_numpy()
        distance = (rows[column] - rows[f"sheet_{column}"]).abs()
        rows[f"within_{column}"] = distance <= rows[f"sheet_sd_{column}"]
    return rows


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Count, for each quantity, the pathways whose mean lies within the sheet's deviation.

    Only pathways with both numbers count: not every sheet prints all, and a decay longer than the
    recording has no number here.
    """
    good = rows[rows["error"].isna()]
    counts = {
        column: {
            "pathways": int((good[column] - good[f"sheet_{column}"]).notna().sum()),
            "within one deviation": int(good[f"within_{column}"].sum()),
            "median simulated ÷ sheet": float(
                np.nanmedian(good[column] / good[f"sheet_{column}"].replace(0, np.nan))
            ),
        }
        for column in SHEET
    }
    return pd.DataFrame(counts).T.astype({"pathways": int, "within one deviation": int})


def _refuse_invented(model: str) -> None:
    from nmc.data import fetch_record

    if fetch_record(f"model/{model}").invented:
        raise SourceError(
            "The store keeps rows of the portal's packages only, and these are the synthetic "
            "sample's: name a source that has the portal's (NMC_SOURCE)."
        )


def _stands(pre: str, model: str, path: Path | None) -> bool:
    """Whether a row is kept that did not fail and was made from what stands now."""
    from nmc.cells.package import load_package

    file = path or recomputed.table_file("pathways")
    if not file.is_file():
        return False
    rows = pd.read_parquet(file)
    rows = rows[
        (rows["pathway"] == f"{pre}:{model}")
        & (rows["settings"] == recomputed.settings_text(SETTINGS))
        & rows["error"].isna()
    ]
    if rows.empty:
        return False
    current = makings() | {"package_sha256": load_package(model).content_sha256}
    return not recomputed.mark_stale(rows, current)["stale"].all()
