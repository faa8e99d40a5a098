"""Every model beside its fact sheet: the long comparisons, kept as rows.

``nmc scoreboard`` (``make scoreboard``) runs the packages' rest protocol over
every model whose package the source has, and keeps the rows in ``<cache>/scoreboard``; chapters
read them with `load_scoreboard`, which marks rows whose package, code or NEURON has changed.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from nmc import names
from nmc.cells import mechanisms, results
from nmc.cells.sweep import load_rows, sweep

#: Measured column → tolerance: absolute in mV, or relative.
TOLERANCES = {
    "resting_membrane_potential_mV": ("absolute", 0.1),
    "input_resistance_MOhm": ("relative", 0.01),
    "membrane_time_constant_ms": ("relative", 0.06),
}


def scoreboard_folder() -> Path:
    """Where the rows are kept."""
    from nmc.data.settings import cache_folder

    return cache_folder() / "scoreboard"


def run_scoreboard(models=None, *, n_workers: int = 2, mode: str = "published") -> pd.DataFrame:
    """Run the rest protocol over the source's models and keep the rows.

    Parameters
    ----------
    models : iterable of str, optional
        All models whose package the source has, unless given.
    n_workers : int
        Models at the same time.
    mode : {"published", "converged"}
        See `nmc.cells.integration`.

    Returns
    -------
    pandas.DataFrame
        As `load_scoreboard`.
    """
    if models is None:
        from nmc.data.fetch import available

        models = [name for name in names.model_names() if available(f"model/{name}")]
    sweep(models, "rest", folder=scoreboard_folder(), n_workers=n_workers, mode=mode)
    return load_scoreboard()


def load_scoreboard() -> pd.DataFrame:
    """Read the kept rows beside the fact sheets.

    Returns
    -------
    pandas.DataFrame
        One row a model: measured columns, the sheet's in ``published_…``, ``stochastic``,
        ``stale`` (made by other code or another NEURON), ``error``, and per quantity
        ``agrees_…`` within `TOLERANCES`.
    """
    rows = load_rows(sorted(scoreboard_folder().glob("*.rest.parquet")))
    if rows.empty:
        return rows
    rows["stale"] = (rows["code_sha256"] != results.code_hash()) | (
        rows["neuron"] != mechanisms.build_tag()["neuron"]
    )
    rows["stochastic"] = rows["integration"].fillna("").str.contains("random") | rows[
        "model"
    ].str.contains("STUT|IR2", regex=True)
    return add_published(rows)


def compare(models, *, mode: str = "converged") -> pd.DataFrame:
    """Simulate some models at rest and put their numbers beside their fact sheets'.

    Parameters
    ----------
    models : iterable of str
        Which models.
    mode : {"published", "converged"}
        See `nmc.cells.integration`.

    Returns
    -------
    pandas.DataFrame
        One row a model and quantity: ``published``, ``recomputed``, ``difference_percent`` and
        ``verdict``, *agrees* within `TOLERANCES` or *differs*; *invented data* where the
        sheets are the synthetic sample's.
    """
    from nmc.cells.passive import simulate_rest
    from nmc.data import provenance

    measured = [{"model": str(m), **simulate_rest(m, mode=mode).attrs} for m in models]
    table = add_published(pd.DataFrame(measured)[["model", *TOLERANCES]])
    rows = [
        {
            "model": row["model"],
            "quantity": column,
            "published": row[f"published_{column}"],
            "recomputed": row[column],
            "difference_percent": 100 * (row[column] / row[f"published_{column}"] - 1),
            "verdict": "agrees" if row[f"agrees_{column}"] else "differs",
        }
        for row in table.to_dict("records")
        for column in TOLERANCES
    ]
    found = pd.DataFrame(rows).set_index(["model", "quantity"])
    if provenance.invented():
        found["verdict"] = "invented data"
    return found


def add_published(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the fact sheets' values and whether the measured ones agree with them."""
    from nmc.factsheets.models import load_models

    sheet = load_models().set_index("model")
    for column, (kind, tolerance) in TOLERANCES.items():
        published = rows["model"].map(sheet[column]).astype(float)
        allowed = tolerance if kind == "absolute" else tolerance * published.abs()
        rows[f"published_{column}"] = published
        rows[f"agrees_{column}"] = (rows[column] - published).abs() <= allowed
    return rows


def summarise(rows: pd.DataFrame) -> str:
    """Say how many models agree with their sheets, and name each that does not."""
    agrees = rows[[f"agrees_{column}" for column in TOLERANCES]].all(axis=1)
    lines = [f"{int(agrees.sum())} of {len(rows)} models agree with their sheets in all three."]
    for row in rows[~agrees].to_dict("records"):
        apart = [c for c in TOLERANCES if not row[f"agrees_{c}"]]
        lines.append(f"{row['model']}: {row['error'] or 'differs in ' + ', '.join(apart)}")
    return "\n".join(lines)
