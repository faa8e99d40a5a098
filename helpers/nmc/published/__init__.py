"""What the literature and the portal print, and how our numbers compare.

The claims stand in the ``*.toml`` files of this folder, one section a claim::

    [neurons]
    claim = "neurons in the microcircuit"
    value = 31346
    unit = ""
    tolerance = 0          # absolute; or relative = 0.01
    citation = "markram2015"
    where = "circuit fact sheet"
    needs = "sheet"        # what data a recomputation needs: sheet, package, extract, instance
    instance = "mc2"       # which connectome instance it was printed of; left out if of none

Values of single models are not here: they are read from the fact sheets through the source.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

from nmc.errors import FormatError, UnknownNameError
from nmc.published._shown import shown_tolerance
from nmc.published._table import Comparison

#: A folder; when set, `compare` keeps each comparison there as a JSON line for the last chapter.
RESULTS_ENV = "NMC_RESULTS"


@dataclass(frozen=True)
class Claim:
    """One printed number (or short vector of numbers) and where it is printed."""

    key: str
    claim: str
    value: float | tuple[float, ...]
    citation: str
    where: str
    needs: str
    unit: str = ""
    tolerance: float = 0.0
    relative: float = 0.0
    status: str = "printed"
    secondary: str = ""
    reason: str = ""
    instance: str = ""

    def allows(self, recomputed: float | Iterable[float]) -> bool:
        """Whether a recomputed value lies within the tolerance, element by element."""
        want = self.value if isinstance(self.value, tuple) else (self.value,)
        got = tuple(recomputed) if isinstance(recomputed, Iterable) else (recomputed,)
        return len(want) == len(got) and all(
            abs(g - w) <= max(self.tolerance, self.relative * abs(w)) + 1e-12
            for w, g in zip(want, got, strict=True)
        )


@cache
def claims() -> Mapping[str, Claim]:
    """Return every claim by key; read once."""
    found: dict[str, Claim] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".toml"):
            continue
        for name, fields in tomllib.loads(file.read_text("utf-8")).items():
            key = f"{file.name.removesuffix('.toml')}/{name}"
            if isinstance(fields["value"], list):
                fields["value"] = tuple(fields["value"])
            try:
                found[key] = Claim(key=key, **fields)
            except TypeError as error:
                raise FormatError(f"{file.name}: claim [{name}]: {error}") from error
    return found


def claim(key: str) -> Claim:
    """Return one claim, e.g. ``claim("circuit/neurons").value``."""
    try:
        return claims()[key]
    except KeyError:
        raise UnknownNameError.of("published claim", key, claims()) from None


def compare(
    recomputed: Mapping[str, float | Iterable[float]], *, invented: bool | None = None, of=None
) -> pd.DataFrame:
    """Put recomputed numbers beside the printed ones.

    Parameters
    ----------
    recomputed : mapping
        Claim key → recomputed value, in the claim's unit.
    invented : bool, optional
        Whether the numbers rest on invented files; default, whether any file of this session is.
    of : Connectome, optional
        What the numbers were computed of; needed where a claim is about one connectome instance.

    Returns
    -------
    pandas.DataFrame
        One row a claim: ``claim``, ``published``, ``recomputed``, ``unit``, ``tolerance``,
        ``verdict``, ``source``, ``citation``, ``where``; a notebook shows it as a table that
        fits its column.  The verdict is *agrees* or *differs*; numbers that rest on invented
        files are marked *invented data* instead, because a synthetic portal can neither confirm
        nor contradict a paper, and those of another connectome *another instance*.

    Raises
    ------
    UnknownNameError
        For a key that is no claim's.
    FormatError
        For a claim about one connectome instance, when `of` does not say which was measured.
    """
    from nmc.data import provenance  # the log of what this session fetched

    if invented is None:
        invented = provenance.invented()
    source = provenance.note()
    rows = []
    for key, value in recomputed.items():
        known = claim(key)
        value = tuple(value) if isinstance(value, Iterable) else value
        verdict = "agrees" if known.allows(value) else "differs"
        if known.instance and not hasattr(of, "instance"):
            raise FormatError(
                f"{key} was printed of instance {known.instance}: say of which connectome your "
                "number is, nmc.compare(..., of=connectome)."
            )
        if known.instance and of.instance != known.instance:
            verdict = f"another instance: {of.instance or 'not known'}, not {known.instance}"
        rows.append(
            {
                "key": key,
                "claim": known.claim,
                "published": known.value,
                "recomputed": value,
                "unit": known.unit,
                "tolerance": shown_tolerance(known.tolerance, known.relative),
                "verdict": "invented data" if invented else verdict,
                "source": source,
                "citation": known.citation,
                "where": known.where,
            }
        )
    _keep(rows)
    return Comparison(rows).set_index("key")


def compare_many(
    key: str,
    *,
    claim: str,
    agreeing: int,
    of: int,
    tolerance: str,
    citation: str,
    where: str,
    unit: str = "models",
    reason: str = "",
) -> pd.DataFrame:
    """Put a count of printed numbers that came back beside how many were compared.

    Parameters
    ----------
    key : str
        A name for the row, unlike any claim's; e.g. ``"scoreboard/input_resistance"``.
    claim : str
        What was compared, in words.
    agreeing, of : int
        How many printed numbers came back within `tolerance`, and how many there are.
    tolerance : str
        In words, e.g. ``"±1 % each"``.
    citation, where : str
        Who printed the numbers, and where.
    unit : str
        What is counted.
    reason : str
        Why those that do not agree do not.

    Returns
    -------
    pandas.DataFrame
        One row with the columns of `compare`.
    """
    from nmc.data import provenance

    if key in claims():
        raise FormatError(f"{key} is the key of a claim: compare it with nmc.compare.")
    verdict = "agrees" if agreeing == of else "differs" + (f": {reason}" if reason else "")
    row = {
        "key": key,
        "claim": claim,
        "published": int(of),
        "recomputed": int(agreeing),
        "unit": unit,
        "tolerance": tolerance,
        "verdict": "invented data" if provenance.invented() else verdict,
        "source": provenance.note(),
        "citation": citation,
        "where": where,
    }
    _keep([row])
    return Comparison([row]).set_index("key")


def _keep(rows: list[dict]) -> None:
    folder = os.environ.get(RESULTS_ENV)
    if not folder:
        return
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with (path / f"compare-{os.getpid()}.jsonl").open("a", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, default=float) + "\n")
