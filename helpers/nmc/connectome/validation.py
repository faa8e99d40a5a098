"""What a call was given, looked at once: a `ConnectomeError` of one clear sentence that shows the
way out, instead of an error from deep inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

from nmc.errors import ConnectomeError


def check_connectome(what, *, least: int = 0) -> None:
    """Refuse what is no connectome, or one of fewer neurons than `least`."""
    if hasattr(what, "adjacency") and hasattr(what, "neurons"):
        if len(what.neurons) < least:
            raise ConnectomeError("There is no neuron to draw: choose a part that has some.")
        return
    if isinstance(what, str):
        raise ConnectomeError(
            f"{what!r} is a name, not a Connectome: load it first, nmc.load_connectome({what!r})."
        )
    raise ConnectomeError(
        f"A {type(what).__name__} is no Connectome; nmc.load_connectome and "
        "nmc.default_connectome return one."
    )


def generator(rng: np.random.Generator | int) -> np.random.Generator:
    """Return the generator itself, or the one that a seed starts."""
    seed = isinstance(rng, Integral) and not isinstance(rng, bool) and rng >= 0
    if seed or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    raise ConnectomeError(
        f"rng is a numpy Generator or a seed, an integer from 0 on, not {rng!r}: rng=1."
    )


def check_width(value: float, what: str = "A bin", *, finite: bool = True) -> None:
    """Refuse a length that is not above 0 µm; infinity too if it must be `finite`."""
    _check_real(value, what)
    if not value > 0:
        raise ConnectomeError(f"{what} must be wider than 0 µm, not {value}.")
    if finite and np.isinf(value):
        raise ConnectomeError(f"{what} must have an end: a finite number of µm, not {value}.")


def check_distance(value: float, what: str) -> None:
    """Refuse a distance below 0 µm, or no number; infinity is one."""
    _check_real(value, what)
    if not value >= 0:
        raise ConnectomeError(f"{what} is a distance in µm, 0 or more, not {value}.")


def check_number(value: int, what: str, least: int) -> None:
    """Refuse what is no whole number, or a smaller one."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConnectomeError(f"{what} is a whole number, {least} or more, not {value!r}.")


def check_table(table, columns: Iterable[str], maker: str, *, least: int = 0) -> None:
    """Refuse a table that is not the one `maker` returns, or has fewer rows than `least`."""
    if not isinstance(table, pd.DataFrame):
        raise ConnectomeError(f"This takes the table of {maker}, not a {type(table).__name__}.")
    lacking = [column for column in columns if column not in table]
    if lacking:
        raise ConnectomeError(
            f"The table has no column {', '.join(map(repr, lacking))}; this takes that of {maker}."
        )
    if len(table) < least:
        raise ConnectomeError("The table has no row to draw.")


def check_named(tables, what: str) -> None:
    """Refuse what is no mapping of titles to something, or an empty one."""
    if not isinstance(tables, Mapping) or not tables:
        raise ConnectomeError(f"This takes a dict of title → {what}, one at least.")


def listed(given, what: str) -> list:
    """Return several things as a list; a name or a path alone is a list of one."""
    if isinstance(given, str | Path):
        return [given]
    if not isinstance(given, Iterable):
        raise ConnectomeError(f"This takes a list of {what}, not {given!r}.")
    return list(given)


def check_choice(value, what: str, choices: Iterable) -> None:
    """Refuse what is none of a few choices."""
    choices = list(choices)
    if not any(value is one or (type(value) is type(one) and value == one) for one in choices):
        raise ConnectomeError(f"{what} is {_words(choices)}, not {value!r}.")


def chosen_neurons(chosen, n: int) -> np.ndarray:
    """Turn a mask of n neurons, or indices of some, into indices: ascending, each once, int64."""
    chosen = np.asarray(chosen)
    if chosen.dtype == bool and chosen.shape == (n,):
        return np.flatnonzero(chosen)
    if chosen.size == 0:
        return np.empty(0, np.int64)
    whole = chosen.dtype.kind in "iu" and chosen.ndim == 1
    if whole and chosen.min() >= 0 and chosen.max() < n:
        return np.unique(chosen).astype(np.int64)
    span = f", from {chosen.min()} to {chosen.max()}" if whole else ""
    raise ConnectomeError(
        f"Neurons are chosen by a mask of {n} bools or by indices from 0 to {n - 1}, not by "
        f"{chosen.dtype} of shape {chosen.shape}{span}."
    )


def finite(positions: np.ndarray) -> np.ndarray:
    """Return soma positions; one that is no finite number is refused: it has no distances."""
    bad = ~np.isfinite(positions)
    if bad.any():
        neuron = int(np.flatnonzero(bad.reshape(len(positions), -1).any(axis=1))[0])
        raise ConnectomeError(
            f"Neuron {neuron} has a position that is no finite number; give it one, or leave it "
            "out with Connectome.select."
        )
    return positions


def _check_real(value: float, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ConnectomeError(f"{what} is given as a number of µm, not {value!r}.")


def _words(choices: list) -> str:
    *most, last = map(repr, choices)
    return f"{', '.join(most)} or {last}" if most else last
