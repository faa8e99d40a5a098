"""Measured rest beside the fact sheets: tolerances, verdicts and the reasons of exceptions."""

from __future__ import annotations

import pandas as pd

#: Measured column → tolerance: absolute in mV, or relative.  They follow from what is printed,
#: three digits after the point of a potential and five digits of the others, with room for the
#: rounding of the sums that eFEL takes means of.
TOLERANCES = {
    "resting_membrane_potential_mV": ("absolute", 0.001),
    "input_resistance_MOhm": ("relative", 0.0005),
    "membrane_time_constant_ms": ("relative", 0.0002),
}
#: Three models with StochKv were run with five other seeds each (``re_init_rng``): their resting
#: potential moved by 0.03 to 0.30 mV, their resistance by up to 5 %.
DRAWS_MV = 0.3
#: How the tolerances and quantities are told.
WORDS = {
    "resting_membrane_potential_mV": ("resting potential", "±0.001 mV each"),
    "input_resistance_MOhm": ("input resistance", "±0.05 % each"),
    "membrane_time_constant_ms": ("membrane time constant", "±0.02 % each"),
}


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the fact sheets beside measured rows, of the store or of a sweep, and judge them.

    Parameters
    ----------
    rows : pandas.DataFrame
        With ``model`` and the columns of `TOLERANCES`.

    Returns
    -------
    pandas.DataFrame
        A copy with ``published_…``, ``agrees_…`` and ``verdict``; see `load_scoreboard`.
    """
    from nmc.data import provenance

    judged = add_published(rows.copy())
    every = judged[[f"agrees_{column}" for column in TOLERANCES]].all(axis=1)
    verdict = every.map({True: "agrees", False: "differs"}).astype("str")
    if provenance.invented():
        verdict[:] = "invented data"
    if "error" in judged:
        verdict = verdict.mask(judged["error"].notna(), "failed")
    return judged.assign(verdict=verdict)


def compare(models, *, mode: str = "published") -> pd.DataFrame:
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

    sheet = load_models(step_currents=False).set_index("model")
    for column, (kind, tolerance) in TOLERANCES.items():
        published = rows["model"].map(sheet[column]).astype(float)
        allowed = tolerance if kind == "absolute" else tolerance * published.abs()
        rows[f"published_{column}"] = published
        rows[f"agrees_{column}"] = (rows[column] - published).abs() <= allowed
    return rows


def explain(rows: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Give each row that differs a reason that was tried: another NEURON, or other seeds.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `judge`.
    every : pandas.DataFrame
        From `judge` too, runs under other NEURONs included.

    Returns
    -------
    pandas.DataFrame
        A copy with ``reason``: empty where the row agrees or cannot be judged.
    """
    agreeing = every[every["verdict"] == "agrees"].groupby("model")["neuron"].max()

    def reason(row: pd.Series) -> str:
        if row["verdict"] == "failed":
            return row["error"]
        if row["verdict"] != "differs":
            return ""
        if row["model"] in agreeing:
            # NEURON 9 reads some somata from the other end, which changes their area.
            other = agreeing[row["model"]]
            return f"agrees under NEURON {other}: NEURON 9 turns the soma's points round"
        rest = "resting_membrane_potential_mV"
        if row["stochastic"] and abs(row[rest] - row[f"published_{rest}"]) <= DRAWS_MV:
            return f"random channels: other seeds move its rest by up to {DRAWS_MV:g} mV"
        return "not explained"

    return rows.assign(reason=[reason(row) for _, row in rows.iterrows()])


def compare_scoreboard(rows: pd.DataFrame) -> pd.DataFrame:
    """Count for each quantity how many sheets come back: rows for the book's last table.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `nmc.load_scoreboard`; stale rows and failures count as not agreeing.

    Returns
    -------
    pandas.DataFrame
        One row a quantity, as `nmc.published.compare_many` gives them.
    """
    from nmc.published import compare_many

    found = []
    for column, (words, tolerance) in WORDS.items():
        good = rows[f"agrees_{column}"] & ~rows["stale"]
        reasons = rows.loc[~good, "reason"].where(~rows["stale"], "stale").value_counts()
        told = "; ".join(f"{count} {text}" for text, count in reasons.items() if text)
        found.append(
            compare_many(
                f"scoreboard/{column}",
                claim=f"{words} of every model whose package was run",
                agreeing=int(good.sum()),
                of=len(rows),
                tolerance=tolerance,
                citation="ramaswamy2015",
                where="me-type fact sheets",
                reason=told,
            )
        )
    return pd.concat(found)


def summarise(rows: pd.DataFrame) -> str:
    """Say how many models agree with their sheets, and name each that does not."""
    agrees = rows[[f"agrees_{column}" for column in TOLERANCES]].all(axis=1)
    lines = [f"{int(agrees.sum())} of {len(rows)} models agree with their sheets in all three."]
    for row in rows[~agrees].to_dict("records"):
        apart = [WORDS[name][0] for name in TOLERANCES if not row[f"agrees_{name}"]]
        reason = row["error"] or f"differs in {', '.join(apart)}; {row.get('reason', '')}"
        lines.append(f"{row['model']}: {reason.rstrip('; ')}")
    return "\n".join(lines)
