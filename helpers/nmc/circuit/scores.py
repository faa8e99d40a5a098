"""Pathways beside their fact sheets: paired recordings on the packages, kept as rows.

``nmc scoreboard-pathways`` records every pathway of `PATHWAYS` whose package the source has and
keeps what each connection gave in `nmc.recomputed`; `load_pathway_scores` puts the sheets of the
source in use beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from nmc import names, recomputed
from nmc.cells import mechanisms
from nmc.cells.package import load_package
from nmc.circuit.pairs import SHEET, PairedRecording, Summary, compare_with_sheet, simulate_pair
from nmc.code_hash import code_hash
from nmc.data import available, fetch_record
from nmc.errors import NMCError, SourceError
from nmc.factsheets.pathways import load_pathways

_COMPARED = ("sheet", "sheet_sd", "ratio", "ratio_low", "ratio_high", "mark", "verdict")
SETTINGS = {"trials": 15, "cells": 8, "dt_ms": 0.1, "window_ms": 200.0, "seed": 0}
#: Presynaptic m-type and receiving model, by the sheet's class: sign of both ends, dynamics.
PATHWAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "E1 onto I": (
        ("L5_TTPC1", "L5_MC_bAC217_1"), ("L23_PC", "L23_MC_dNAC222_5"),
        ("L6_BPC", "L6_MC_cIR216_1"), ("L23_PC", "L4_MC_cNAC187_1"),
    ),
    "E2 onto E": (
        ("L5_TTPC1", "L5_TTPC1_cADpyr232_1"), ("L23_PC", "L23_PC_cADpyr229_1"),
        ("L23_PC", "L23_PC_cADpyr229_2"), ("L4_SS", "L23_PC_cADpyr229_1"),
        ("L4_PC", "L4_PC_cADpyr230_5"), ("L4_SS", "L4_SS_cADpyr230_1"),
        ("L4_PC", "L4_SP_cADpyr230_3"), ("L6_IPC", "L6_IPC_cADpyr231_3"),
        ("L5_TTPC2", "L5_TTPC2_cADpyr232_1"), ("L5_TTPC1", "L5_TTPC2_cADpyr232_1"),
    ),
    "E2 onto I": (
        ("L23_PC", "L23_NBC_cNAC187_1"), ("L23_PC", "L23_LBC_cSTUT189_1"),
        ("L5_TTPC1", "L5_LBC_bAC217_1"), ("L4_PC", "L4_ChC_dNAC222_1"),
        ("L5_TTPC1", "L5_SBC_bNAC219_1"),
    ),
    "E3 onto E": (
        ("L6_BPC", "L6_TPC_L1_cADpyr231_3"), ("L6_IPC", "L6_TPC_L4_cADpyr231_3"),
        ("L6_IPC", "L6_BPC_cADpyr231_1"),
    ),
    "I1 onto E": (
        ("L23_LBC", "L23_PC_cADpyr229_2"), ("L23_SBC", "L23_PC_cADpyr229_1"),
        ("L4_LBC", "L4_SS_cADpyr230_4"), ("L6_LBC", "L5_UTPC_cADpyr232_1"),
        ("L5_LBC", "L5_TTPC1_cADpyr232_1"),
    ),
    "I1 onto I": (("L23_LBC", "L23_BP_bIR215_3"),),
    "I2 onto E": (
        ("L23_MC", "L23_PC_cADpyr229_1"), ("L4_MC", "L4_SS_cADpyr230_1"),
        ("L6_MC", "L6_TPC_L1_cADpyr231_3"), ("L5_MC", "L5_TTPC1_cADpyr232_1"),
        ("L5_NBC", "L5_TTPC2_cADpyr232_1"),
    ),
    "I2 onto I": (
        ("L23_NBC", "L23_NBC_dNAC222_5"), ("L1_HAC", "L1_HAC_cNAC187_1"),
        ("L4_NBC", "L4_NBC_cACint209_1"), ("L5_MC", "L5_NBC_bAC217_1"),
        ("L6_LBC", "L6_LBC_bAC217_5"),
    ),
    "I3 onto E": (
        ("L23_NGC", "L4_SS_cADpyr230_3"), ("L6_NGC", "L5_UTPC_cADpyr232_1"),
        ("L23_NGC", "L5_TTPC1_cADpyr232_5"),
    ),
}  # fmt: skip


def pathways() -> list[tuple[str, str]]:
    """Return all of them: one of each class first, then the second of each, and so on."""
    longest = max(map(len, PATHWAYS.values()))
    return [rows[k] for k in range(longest) for rows in PATHWAYS.values() if k < len(rows)]


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
        `PATHWAYS` whose package the source has.
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
    if wanted is None:
        wanted = [(pre, model) for pre, model in pathways() if available(f"model/{model}")]
    for pre, model in tqdm(list(wanted), unit="pathway", disable=None if progress else True):
        if path is None:
            _refuse_invented(model)
        if not _stands(pre, model, path):
            recomputed.keep_rows("pathways", pd.DataFrame([measure(pre, model)]), path=path)
    return load_pathway_scores(path=path)


def verify(n: int = 1, *, seed: int = 0, path: Path | None = None) -> int:
    """Record a sample of the kept pathways again; if all are the same, stamp the rows.

    Parameters
    ----------
    n : int
        How many pathways, drawn by `seed`.
    path : pathlib.Path, optional
        Another file than the store's own.

    Returns
    -------
    int
        How many rows were stamped as of today's code; see `nmc.recomputed.restamp`.

    Raises
    ------
    SimulationError
        A pathway gave another number than is kept; nothing was stamped.
    SourceError
        The packages are the synthetic sample's.
    """
    rows = pd.read_parquet(path or recomputed.table_file("pathways"))
    drawn = recomputed.draw_sample(rows[rows["error"].isna()], n, seed)
    wanted = [text.split(":") for text in drawn["pathway"]]
    for _, model in wanted:
        _refuse_invented(model)
    again = pd.DataFrame([measure(pre, model) for pre, model in wanted])
    return recomputed.restamp("pathways", again, makings(), path=path)


def measure(pre: str, model: str) -> dict:
    """Record one pathway; a failure becomes the row's ``error``."""
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
        row[f"{column}_cells"] = json.dumps([float(f"{x:.6g}") for x in found.cells[column]])
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
        measured mean, ``…_sd`` and ``…_cells`` (the values as text) over presynaptic cells, and
        ``sheet_…``, ``sheet_sd_…``, ``ratio_…``, ``ratio_low_…``, ``ratio_high_…``, ``mark_…`` and
        ``verdict_…`` as `nmc.circuit.pairs.compare_with_sheet` has them; ``decay_fit_ms``, the
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
    sheet = load_pathways()
    sheet = sheet.set_index(sheet["pre"].astype(str) + ":" + sheet["post"].astype(str))
    found = []
    for _, row in rows.iterrows():
        key = f"{row['pre']}:{row['post']}"
        values = {column: _kept(row, column) for column in SHEET}
        table = compare_with_sheet(values, sheet.loc[key] if key in sheet.index else None)
        found.append({f"{name}_{c}": table.loc[c, name] for name in _COMPARED for c in SHEET})
    return pd.concat([rows, pd.DataFrame(found, index=rows.index)], axis=1)


def _kept(row: pd.Series, column: str) -> list[float] | Summary:
    """Return the values that a row keeps, one a connection; or mean and deviation, if no more."""
    text = row.get(f"{column}_cells")
    if isinstance(text, str):
        return [float(x) for x in json.loads(text)]
    n = 0 if pd.isna(row["cells"]) else int(row["cells"])
    return Summary(row[column], row[f"{column}_sd"], n)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Count, for each quantity, the pathways whose mean agrees with the sheet's.

    Returns
    -------
    pandas.DataFrame
        Index: the quantities.  ``pathways`` (with both numbers: not every sheet prints all, and
        a decay longer than the recording has no number here), ``agree`` and ``differ`` (the 95 %
        interval of the ratio holds 1, or not; one connection alone has none), ``SD ≥ mean`` and
        ``SD = 0`` (sheets whose deviation says little or nothing) and ``median simulated ÷
        sheet``.
    """
    good = rows[rows["error"].isna()]
    counts = {
        column: {
            "pathways": int((good[column] - good[f"sheet_{column}"]).notna().sum()),
            "agree": int((good[f"verdict_{column}"] == "agrees").sum()),
            "differ": int((good[f"verdict_{column}"] == "differs").sum()),
            **{
                mark: int((good[f"mark_{column}"] == mark).sum())
                for mark in ("SD ≥ mean", "SD = 0")
            },
            "median simulated ÷ sheet": float(
                np.nanmedian(good[column] / good[f"sheet_{column}"].replace(0, np.nan))
            ),
        }
        for column in SHEET
    }
    table = pd.DataFrame(counts).T
    return table.astype({name: int for name in table.columns[:-1]})


def _refuse_invented(model: str) -> None:
    if fetch_record(f"model/{model}").invented:
        raise SourceError(
            "The store keeps rows of the portal's packages only, and these are the synthetic "
            "sample's: name a source that has the portal's (NMC_SOURCE)."
        )


def _stands(pre: str, model: str, path: Path | None) -> bool:
    """Whether a row is kept that did not fail and was made from what stands now."""
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
