"""Pathways beside their fact sheets: paired recordings on the packages, kept as rows.

``nmc scoreboard-pathways`` records every pathway of ``pathways.csv`` whose package the source has
and keeps what each connection gave in `nmc.recomputed`; `load_pathway_scores` puts the sheets of
the source in use beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from tqdm import tqdm

from nmc import names, recomputed
from nmc.cells import mechanisms
from nmc.cells.morphometrics import rounding
from nmc.cells.package import load_package
from nmc.circuit.pairs import SHEET, compare_with_sheet, simulate_pair
from nmc.circuit.synapses import pathway_keys
from nmc.code_hash import code_hash
from nmc.data import available
from nmc.errors import NMCError
from nmc.factsheets.layers import load_metypes
from nmc.factsheets.pathways import load_pathways

_COMPARED = ("sheet", "sheet_sd", "ratio", "ratio_low", "ratio_high", "mark", "verdict")
SETTINGS: dict[str, Any] = {"trials": 15, "cells": 8, "dt_ms": 0.1, "window_ms": 200.0, "seed": 0}


def load_list() -> pd.DataFrame:
    """Return the pathways to record, one of each ``kind`` first: with ``pre`` and ``model``."""
    return pd.read_csv(str(files(__package__) / "pathways.csv"))


def makings() -> dict[str, str]:
    """What every row made now has in common: the code, and the version of NEURON."""
    code = code_hash(simulate_pair.__module__)
    return {"code_sha256": code, "neuron": mechanisms.build_tag()["neuron"]}


def run_pathways(
    wanted: Iterable[tuple[str, str]] | None = None, *, progress: bool = True
) -> pd.DataFrame:
    """Record pathways (m-type, model) and keep their rows, each as soon as it is there.

    Started again it records only what is missing, failed or stale.
    """
    if wanted is None:
        listed = load_list()[["pre", "model"]].itertuples(index=False)
        wanted = [(pre, model) for pre, model in listed if available(f"model/{model}")]
    for pre, model in tqdm(list(wanted), unit="pathway", disable=None if progress else True):
        recomputed.refuse_invented(model)
        if not _stands(pre, model):
            recomputed.keep_rows("pathways", pd.DataFrame([measure(pre, model)]))
    return load_pathway_scores()


def verify(n: int = 1, *, seed: int = 0) -> int:
    """Record `n` kept pathways again, drawn by `seed`; if all are the same, stamp the rows."""
    rows = recomputed.read_kept("pathways")
    drawn = recomputed.draw_sample(rows[rows["error"].isna()], n, seed)
    wanted = [text.split(":") for text in drawn["pathway"]]
    for _, model in wanted:
        recomputed.refuse_invented(model)
    again = pd.DataFrame([measure(pre, model) for pre, model in wanted])
    return recomputed.restamp("pathways", again, makings())


def measure(pre: str, model: str) -> dict:
    """Record one pathway; a failure becomes the row's ``error``."""
    row: dict = {"pathway": f"{pre}:{model}", "protocol": "pair",
                 "settings": recomputed.settings_text(SETTINGS), **makings(),
                 "package_sha256": "", "error": None}  # fmt: skip
    try:
        row["package_sha256"] = load_package(model).content_sha256
        cells = simulate_pair(pre, model, **SETTINGS, progress=False).cells
    except NMCError as error:  # one pathway fails, the others go on
        return row | {"error": f"{type(error).__name__}: {error}"}
    row |= {"cells": len(cells), "contacts": float(cells["contacts"].mean())}
    for column in (*SHEET, "decay_fit_ms"):
        row[column] = float(cells[column].mean())
        row[f"{column}_sd"] = float(cells[column].std(ddof=0))
        row[f"{column}_cells"] = json.dumps([float(f"{x:.6g}") for x in cells[column]])
    return row


def load_pathway_scores() -> pd.DataFrame:
    """Read the kept pathways beside the fact sheets of the source in use.

    Returns
    -------
    pandas.DataFrame
        One row a pathway: ``pathway``, ``pre``, ``post``, ``model``, ``kind`` (of `load_list`,
        or *other*), ``cells``, ``contacts``; for each quantity of `nmc.circuit.pairs.SHEET` the
        measured mean, ``…_sd`` and ``…_cells`` (the values as text) over presynaptic cells, and
        ``sheet_…``, ``sheet_sd_…``, ``ratio_…``, ``ratio_low_…``, ``ratio_high_…``, ``mark_…`` and
        ``verdict_…`` of `nmc.circuit.pairs.compare_with_sheet`; ``decay_fit_ms`` (see
        `simulate_pair`); ``error``, ``stale``, ``stale_because`` and ``package`` as
        `nmc.load_scoreboard` has them.
    """
    rows = recomputed.load_kept("pathways")
    pre, model = (rows["pathway"].str.split(":").str[k] for k in (0, 1))
    listed, post = load_list(), [names.parse_model(name).mtype for name in model]
    kinds = listed.set_index(listed["pre"] + ":" + listed["model"])["kind"]
    kind = rows["pathway"].map(kinds).fillna("other")
    rows = rows.assign(pre=pre, post=post, model=model, kind=kind)
    rows = recomputed.mark_rows(rows, makings())
    sheet = load_pathways()
    sheet = sheet.set_index(pathway_keys(sheet))
    found = []
    for _, row in rows.iterrows():
        key = f"{row['pre']}:{row['post']}"
        values = {column: json.loads(row[f"{column}_cells"]) for column in SHEET}
        table = compare_with_sheet(values, sheet.loc[key] if key in sheet.index else None)
        if row["stale"]:
            table["verdict"] = table["verdict"].replace(["agrees", "differs"], "stale")
        found.append({f"{name}_{c}": table.loc[c, name] for name in _COMPARED for c in SHEET})
    return pd.concat([rows, pd.DataFrame(found, index=rows.index)], axis=1)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Count, for each quantity, the pathways whose mean agrees with the sheet's.

    ``SD ≥ mean`` and ``SD = 0``: sheets whose deviation says little or nothing.
    """
    good = rows[rows["error"].isna()]
    found = {}
    for column in SHEET:
        measured, sheet = good[column], good[f"sheet_{column}"]
        verdicts, marks = good[f"verdict_{column}"], good[f"mark_{column}"]
        found[column] = {
            "pathways": (measured - sheet).notna().sum(),
            "agree": (verdicts == "agrees").sum(),
            "differ": (verdicts == "differs").sum(),
            **{mark: (marks == mark).sum() for mark in ("SD ≥ mean", "SD = 0")},
            "median simulated ÷ sheet": np.nanmedian(measured / sheet.replace(0, np.nan)),
        }
    return pd.DataFrame(list(found.values()), index=list(found))


def explain(scores: pd.DataFrame, quantity: str, synapses: pd.DataFrame) -> np.ndarray:
    """Say of each row of `load_pathway_scores` what makes it differ, the first rule that does.

    Of n contacts that release independently the mean goes with n U, the CV with √((1 − U) / n U),
    and (1 − U)ⁿ fail.  Explained is a ratio whose interval holds the one that follows from the
    recorded contacts and the package's U (`synapses`, of `nmc.compare_synapses`) over the sheet's U
    and the contacts that its CV implies, or its failures where the CV itself is asked for; of rise,
    latency and decay the one of a mean over all trials, in which a failure counts as 0, or the one
    of receivers of several e-types (`expect_by_etypes`); and what one receiver may give, of many.
    """
    sheet, keys = load_pathways(), scores["pre"] + ":" + scores["post"]
    sheet = sheet.set_index(pathway_keys(sheet)).reindex(keys).set_axis(scores.index)
    U, cv = (sheet[column].astype(float) for column in ("u_mean", "cv_psp_amplitude_mean"))
    failing, spread = (sheet[f"failures_{end}_percent"] / 100 for end in ("mean", "std"))
    ratio, low, high = (scores[f"ratio_{end}{quantity}"] for end in ("", "low_", "high_"))
    # the error of the sheet's own mean, and of ours on the sheet's side: their squares add up
    error = 1.96 * scores[f"sheet_sd_{quantity}"] / scores[f"sheet_{quantity}"] / PAIRS**0.5
    side = (ratio - low).where(ratio > 1, high - ratio)
    both = (ratio - 1).abs() <= np.hypot(side, error.astype(float))
    if (of := _BY_RELEASE.get(quantity)) is None:
        zeros = (1 / (1 - failing)).between(low, high)
        answered = (1 - failing).astype(float)
        mixed = _of_mixed_receivers(scores, quantity, answered)
        tried = _OPEN.format("other definitions, the membrane's time constant")
        return np.select([zeros, both, mixed], [_ZEROS, _ERROR, _MIXED], tried)
    by_failures = np.log(failing.where(failing > 0)) / np.log(1 - U)
    implied = by_failures if quantity == "cv" else (1 - U) / (U * cv.where(cv > 0) ** 2)
    runs = pd.MultiIndex.from_arrays([keys, scores["model"]])
    own = synapses.set_index(["pathway", "model"])["U"].reindex(runs).set_axis(scores.index)
    predicted = of(scores["contacts"], own) / of(implied, U)
    # the variance of failures if some receivers fail in 2 % and others in 90 %, as packages do
    kinds = failing.between(0.2, 0.8) & (spread**2 >= 0.8 * (failing - 0.02) * (0.9 - failing))
    none = (ratio == 0) & ((1 - failing) ** (SETTINGS["trials"] * scores["cells"]) > 0.025)
    none &= quantity == "failures_percent"
    one = _of_one_receiver(scores, quantity) & (quantity == "amplitude_mV")
    noisy = scores["pathway"].eq(_NOISY) & (quantity != "amplitude_mV")
    rules = [predicted.between(low, high), kinds, none, both, one, noisy]
    tried = _OPEN.format("contacts, U, the sheet's conductance")
    return np.select(rules, [_RELEASE, _KINDS, _NONE, _ERROR, _RECEIVER, _NOISE], tried)


def _of_one_receiver(scores: pd.DataFrame, quantity: str) -> pd.Series:
    """Whether one receiver of those that a sheet averages may lie as far from its mean as ours.

    Senders onto one cell are no sample of pairs: the sheet's variance over pairs, less ours within
    one receiver, is that between receivers.  A deviation as large as the mean says nothing.
    """
    mean, spread, n = (scores[c].astype(float) for c in
                       (f"sheet_{quantity}", f"sheet_sd_{quantity}", "cells"))  # fmt: skip
    within = scores[f"{quantity}_sd"] ** 2 * n / (n - 1)
    between = np.maximum(spread**2 - within, 0) + spread**2 / PAIRS
    senders = (scores[f"ratio_high_{quantity}"] - scores[f"ratio_low_{quantity}"]) * mean / 2
    near = (scores[quantity] - mean).abs() <= np.hypot(1.96 * between**0.5, senders.astype(float))
    return near & (spread > 0) & (spread < mean)


def _of_mixed_receivers(scores: pd.DataFrame, quantity: str, answered: pd.Series) -> np.ndarray:
    """Whether a sheet is near what the e-types of its receivers make likely, nearer than ours."""
    if quantity not in _BY_ETYPES:
        return np.zeros(len(scores), bool)
    expected = expect_by_etypes(quantity).to_dict()
    ends = zip(scores["pre"].map(names.is_excitatory), scores["post"], strict=True)
    found = pd.Series([expected.get(pair, np.nan) for pair in ends], scores.index) * answered
    sheet, own = scores[f"sheet_{quantity}"].astype(float), scores[quantity] * answered
    apart, ours = (np.log((x / sheet).where(x > 0)).abs() for x in (found, own))
    return ((found / sheet).between(0.75, 1 / 0.75) & (apart < ours)).to_numpy()


def expect_by_etypes(quantity: str) -> pd.Series:
    """Say what the e-types of inhibitory receivers make likely for responses that do not fail.

    Sheets of other m-types give one value an e-type, by non-negative least squares of the relative
    errors of share-weighted means; the m-type's own shares weigh these.  Senders of layer 1 and
    neurogliaform ones, whose GABA-B is slow, are left out, and sheets of one pair.

    Returns
    -------
    pandas.Series
        By (whether the senders excite, receiving m-type).
    """
    sheets, shares, name = load_pathways(), _shares(), SHEET[quantity][0]
    pre, post = (sheets[end].astype(str) for end in ("pre", "post"))
    slow = pre.str.startswith("L1_") | pre.str.contains("NGC") | post.map(names.is_excitatory)
    answered = (1 - sheets["failures_mean_percent"].astype(float) / 100).clip(lower=0.05)
    value = sheets[f"{name}_mean_ms"].astype(float) / answered
    used = ~slow & sheets[f"{name}_std_ms"].astype(float).gt(0) & value.gt(0)
    typical = value[used].groupby([pre.map(names.is_excitatory), post]).median()
    found = {}
    for _, ours in typical.groupby(level=0):
        own = shares.reindex(ours.index.get_level_values(1)).fillna(0).to_numpy()
        relative = own / ours.to_numpy()[:, None]
        for i, key in enumerate(ours.index):
            others = np.delete(relative, i, axis=0)
            found[key] = own[i] @ nnls(others, np.ones(len(others)))[0] if len(others) else np.nan
    return pd.Series(found, dtype=float)


def _shares() -> pd.DataFrame:
    """Share of each e-type (columns) in the neurons of each m-type."""
    neurons = load_metypes().astype({"mtype": str, "etype": str})
    neurons = neurons.pivot_table("n_neurons", "mtype", "etype", "sum")
    return neurons.div(neurons.sum(axis=1), axis=0)


#: Most pairs of a sheet, each of 30 trials: failures of one are thirtieths, rare ones fit 100.
PAIRS = 100
#: 23 of 43 numbers that differ; of 20,000 shuffles of ratios 97.5 % give 15 at most.
_RELEASE = "follows from the package's contacts and U, and those behind the sheet's CV and failures"
#: 9 of 40; of 20,000 shuffles of ratios 97.5 % give 8 at most.
_ZEROS = "follows from the sheet's mean over all trials, in which a failure counts as 0"
#: Of 84 sheets' medians 60 decays and 56 rises lie so; of 1,000 shuffles of shares 97.5 % give 49
#: and 46 at most.  Of latencies 57 do (61).
_MIXED = "the sheet averages receivers of several e-types: their shares and other sheets give it"
_BY_ETYPES = ("decay_ms", "rise_time_ms")
#: 12 of 17; of 4,000 shuffles of sheets among senders of one sign 97.5 % give 11 at most.
_RECEIVER = "lies within the spread that the sheet prints over pairs: the receiver is one of many"
#: Recorded with a million times as many random channels, each so much weaker: of its 8 senders'
#: trials 50 % fail and the CV is 1.33 (printed: 53 and 1.3; with the noise: 7.5 and 0.63).
_NOISY = "L6_BPC:L6_MC_cIR216_1"
_NOISE = "random channels move the soma by over 0.01 mV without release; with less noise it agrees"
_KINDS = "the sheet averages receivers of two kinds (SD of failures); the package is of one"
_NONE = "no trial failed: at the sheet's rate more than 2.5 % of such recordings have none"
_ERROR = f"lies within the errors of both means: the sheet's is of {PAIRS} pairs at most"
_OPEN = "not explained: {}, senders near by, other receivers and potentials do not give it"
#: Quantity → how it goes with contacts and U.
_BY_RELEASE = {
    "amplitude_mV": lambda n, U: n * U,
    "cv": lambda n, U: np.sqrt((1 - U) / (n * U)),
    "failures_percent": lambda n, U: (1 - U) ** n,
}


def find_mixtures(table: pd.DataFrame) -> np.ndarray:
    """Whether the sheet's U, D and F of a row are together a mean of what other packages have.

    `table` is of `compare_synapses`; the others receive from senders of the same sign and are of
    another m-type.  Each value may lie 5 % and half of its last place off.  If each number is
    shuffled among pathways 10 to 18 % pass; if all three together, all: whose it is stays open.
    """
    ends, dynamics = table["pathway"].str.split(":", expand=True), ["U", "D_ms", "F_ms"]
    kind = ends[0].map(names.is_excitatory).where(~table["excitatory"].astype(bool))
    found = np.zeros(len(table), bool)
    for i, sheet in enumerate(table[[f"sheet_{x}" for x in dynamics]].to_numpy(float)):
        other = (kind == kind.iloc[i]) & (ends[1] != ends[1].iloc[i])
        if not other.any():
            continue
        allowed = 0.05 * sheet + [rounding(x) for x in sheet]
        parts = table.loc[other, dynamics].to_numpy(float) / allowed
        ones = np.full((len(parts), 1), 1e4)  # the shares sum to 1
        share, _ = nnls(np.hstack([parts, ones]).T, np.append(sheet / allowed, 1e4))
        found[i] = np.all(np.abs(share @ parts - sheet / allowed) <= 1)
    return found


def _stands(pre: str, model: str) -> bool:
    """Whether a row is kept that did not fail and was made from what stands now."""
    rows = recomputed.read_kept("pathways")
    same = (rows["pathway"] == f"{pre}:{model}") & rows["error"].isna()
    rows = rows[same & (rows["settings"] == recomputed.settings_text(SETTINGS))]
    current = makings() | {"package_sha256": load_package(model).content_sha256}
    return not recomputed.mark_stale(rows, current)["stale"].all()
