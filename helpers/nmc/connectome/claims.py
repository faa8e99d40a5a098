"""Printed numbers about connectomes, each beside what its file gives, or beside its absence."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from nmc import published
from nmc.connectome.arrays import listed
from nmc.connectome.build import make_connectome
from nmc.connectome.cliques import compute_betti_numbers, count_simplices
from nmc.connectome.degrees import compute_convergence, compute_reciprocity
from nmc.connectome.distance import compute_pathway_probability
from nmc.connectome.graph import Connectome
from nmc.connectome.motifs import count_triads
from nmc.connectome.nulls import make_distance_dependent, make_erdos_renyi
from nmc.connectome.paths import (
    compute_common_neighbour_bias,
    compute_path_lengths,
    summarise_paths,
)
from nmc.connectome.read import load_connectome
from nmc.data import available, fetch
from nmc.data.provenance import provenance

#: Extracts whose positions serve to draw random graphs.
_EXTRACTS = {
    "L5_TTPC2": "connectome/extract/mc2/L5_TTPC2",
    "L6_LBC": "connectome/extract/mc2/L6_LBC",
}


def _block(connectome: Connectome) -> int:
    table = compute_convergence(connectome).set_index(["pre", "post"])
    return int(table.loc[("L4_MC", "L4_PC"), "connections"])


def _spread(which: str, connectome: Connectome) -> tuple[float, float]:
    row = compute_convergence(connectome).iloc[0]
    return float(row[f"{which}_mean"]), float(row[f"{which}_std"])


def _first(measure: Callable, column: str, connectome: Connectome) -> float:
    return float(measure(connectome)[column].iloc[0])


def _counts(measure: Callable, connectome: Connectome) -> tuple[int, ...]:
    return tuple(int(count) for count in measure(connectome))


#: Name of a measure in ``claims.csv`` → what it computes.
MEASURES: dict[str, Callable[[Connectome], Any]] = {
    "neurons": lambda connectome: connectome.n_neurons,
    "connections": lambda connectome: connectome.n_connections,
    "size": lambda connectome: (connectome.n_neurons, connectome.n_connections),
    "block": _block,
    "convergence": partial(_spread, "convergence"),
    "divergence": partial(_spread, "divergence"),
    "probability": lambda c: 100 * _first(compute_pathway_probability, "probability", c),
    "bias": partial(_first, compute_common_neighbour_bias, "bias"),
    "reciprocity": compute_reciprocity,
    "mean_path": lambda c: float(summarise_paths(compute_path_lengths(c))["mean"]),
    "triads": partial(_counts, count_triads),
    "triangles": lambda connectome: int(count_simplices(connectome)[2]),
    "simplices": partial(_counts, count_simplices),
    "excitatory_simplices": lambda c: _counts(count_simplices, c.subset(excitatory=True)),
    "betti_numbers": partial(_counts, compute_betti_numbers),
}


@cache
def checks() -> dict[str, dict[str, str]]:
    """Claim → catalogue key of the ``file`` that gives it, ``layer`` or ``mtype``, ``measure``."""
    with resources.files(__package__).joinpath("claims.csv").open(encoding="utf-8") as lines:
        return {row.pop("claim"): row for row in csv.DictReader(lines)}


#: Random graphs of each kind whose triads are counted, and how many standard errors are allowed.
DRAWS: int = 24
ERRORS: float = 4.0


def compare_nulls(model: str = "er") -> pd.DataFrame:
    """Put triads of our random graphs beside those of 1,000 that package neuromotifs counted.

    `model` is Erdős–Rényi (er), or keeps how probability falls with distance (dd); ``error`` is
    the standard error of the difference of the means.
    """
    motifs = pd.read_csv(fetch("connectome/motif_counts"))
    counts = [f"motif_{number}" for number in range(1, 14)]
    own = motifs[motifs["model"] == "bb"].set_index("celltype")
    rows: list[tuple] = []
    for mtype, group in motifs[motifs["model"] == model].groupby("celltype"):
        graph = _graph_of(model, own.loc[mtype])
        if graph is None:
            continue
        make = make_erdos_renyi if model == "er" else make_distance_dependent
        rng = np.random.default_rng(0)
        ours = pd.DataFrame([count_triads(make(graph, rng=rng)) for _ in range(DRAWS)])
        theirs = group[counts].to_numpy(float)
        spread = np.maximum(ours.var().to_numpy(), theirs.var(axis=0, ddof=1))
        error = np.sqrt(spread * (1 / DRAWS + 1 / len(theirs)))
        triads = ours.columns.astype(str)
        each = zip(triads, theirs.mean(axis=0), ours.mean(), error, strict=True)
        rows += [(mtype, *row) for row in each]
    return pd.DataFrame(rows, columns=["mtype", "triad", "published", "recomputed", "error"])


def _graph_of(model: str, own: pd.Series) -> Connectome | None:
    """Give the graph to draw from: any of that size, or the extract with its positions."""
    if model != "er":
        key = _EXTRACTS.get(str(own.name), "")
        return load_connectome(key) if key and available(key) else None
    n, places = int(own["nodes"]), np.arange(int(own["edges"]))
    rows, columns = np.divmod(places, n - 1)
    columns = columns + (columns >= rows)  # no neuron connects to itself
    return make_connectome(sparse.csr_array((np.ones(len(places), bool), (rows, columns)), (n, n)))


def check_connectome_claims(
    claims: Iterable[str] | None = None, *, source: str | None = None
) -> pd.DataFrame:
    """Check every printed number about a connectome that the source has the file for.

    Parameters
    ----------
    claims : str or iterable of str, optional
        Names of claims, without ``connectome/``; default all. Another is an `UnknownNameError`.
    source : str, optional
        See `nmc.fetch`.

    Returns
    -------
    pandas.DataFrame
        One row a claim: ``claim``, ``published``, ``recomputed``, ``verdict``, ``recorded`` (as
        `nmc.compare` has it), ``citation``, ``where``.  The verdict is *agrees* or
        *differs*; *invented data* for a synthetic file; *needs the full file* or *needs the
        extract*, with its key, when the source does not have it;
        *number not available* where the paper's number could not be read.
    """
    if claims is None:
        claims = [k.split("/", 1)[1] for k in published.claims() if k.startswith("connectome/")]
    rows, loaded = {}, {}
    for name in listed(claims):
        claim = published.claim(f"connectome/{name}")
        rows[claim.key] = _row(claim)
        check = checks().get(name)
        if check is None:
            continue
        key = check["file"]
        if not available(key, source=source):
            kind = "extract" if "/extract/" in key else "full file"
            rows[claim.key]["verdict"] = f"needs the {kind}, {key}"
            continue
        if key not in loaded:
            loaded = {key: load_connectome(key, source=source)}  # one at a time in memory
        part = loaded[key]
        if check["layer"] or check["mtype"]:
            part = part.subset(layer=check["layer"] or None, mtype=check["mtype"] or None)
        value = MEASURES[check["measure"]](part)
        invented = bool(provenance().loc[key, "invented"])
        row = published.compare({claim.key: value}, invented=invented, of=part).iloc[0]
        rows[claim.key] |= {"recomputed": value, "verdict": row["verdict"]}
    return published.Comparison.from_dict(rows, orient="index").rename_axis("key")


def _row(claim: published.Claim) -> dict:
    absent = isinstance(claim.value, float) and math.isnan(claim.value)
    note = f" ({claim.secondary})" if claim.secondary else ""
    return {
        "claim": claim.claim,
        "published": None if absent else claim.value,
        "recomputed": None,
        "verdict": f"number not available: {claim.reason}" if absent else "not checked here",
        "recorded": published.shown_recorded(claim),
        "citation": claim.citation,
        "where": claim.where + note,
    }
