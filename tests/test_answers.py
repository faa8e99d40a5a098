"""Every check of the book takes its right answer in several forms, and no wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import nmc
import numpy as np
import pandas as pd
import pytest
from nmc import exercises

#: What the answer depends on, where a chapter gives no default.
GIVEN = {
    "ex-tire-second": {"U": 0.5, "D": 600.0},
    "ex-circuit-delay": {
        "plan": SimpleNamespace(connections=pd.DataFrame({"delay_ms": [0.9, 1.7]}))
    },
}
#: Checks that simulate for most of a minute.
SLOW = {"ex-integrator-interval", "ex-steps-regular"}
CHECKS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in exercises.exercises()
]


def forms(wanted: object, known: exercises.Exercise) -> Iterator[object]:
    """Write a right answer as students do."""
    if isinstance(wanted, dict):
        values = list(wanted.values())
        yield from (wanted, pd.Series(wanted), values, tuple(values))
        yield pd.DataFrame({"answer": wanted})
        yield {label.lower(): value for label, value in wanted.items()}
        if known.first_decides:
            yield from forms(values[0], known)
        elif known.share:
            yield from (pd.Series(wanted) * 100, [f"{100 * one:.2f} %" for one in values])
    elif isinstance(wanted, list):
        yield from (wanted, tuple(wanted), pd.Series(wanted), np.array(wanted), wanted[::-1])
        yield set(wanted)
    elif isinstance(wanted, str):
        yield from (wanted, [wanted], pd.Series([wanted]), wanted.lower(), wanted.replace("_", " "))
    else:
        yield from (wanted, float(wanted), [wanted], np.array(wanted), pd.Series([wanted]))
        yield f"{wanted:,}"
        if isinstance(wanted, float):
            yield float(f"{wanted:.3g}")
        if known.share:
            yield from (100 * wanted, f"{100 * wanted:.3f} %", round(100 * wanted, 2))
        if isinstance(wanted, bool):
            yield from (bool(wanted), "yes" if wanted else "no", np.bool_(wanted))


def mistakes(wanted: object) -> Iterator[object]:
    """Write wrong answers of the same kind, and some of another."""
    yield from (..., None, "", [], "no such thing", float("nan"), {"a": "none"})
    if isinstance(wanted, dict):
        first, *others = wanted
        yield from ({**wanted, first: wrong} for wrong in mistakes(wanted[first]))
        yield {label: wanted[label] for label in others}
    elif isinstance(wanted, list):
        yield from ([*wanted, "one more"], ["another", *wanted[1:]])
    elif isinstance(wanted, str):
        yield from (f"{wanted}x", wanted[:-1], [wanted, f"{wanted}x"])
    else:
        yield from (1.3 * wanted + 1, -wanted - 1, 10 * wanted + 3, [wanted, wanted + 1])
        if isinstance(wanted, int):
            yield from (wanted + 1, wanted - 1)


@pytest.mark.parametrize("name", CHECKS)
def test_an_answer_in_each_of_its_forms(name, monkeypatch):
    known = exercises._KNOWN[name]
    value = known.answer(**GIVEN.get(name, {}))
    monkeypatch.setitem(exercises._KNOWN, name, replace(known, answer=lambda: value))
    right = list(forms(value, known))
    assert len(right) >= 3
    assert [one for one in right if not nmc.check(name, one)] == []
    for one in mistakes(value):
        verdict = nmc.check(name, one)
        assert not verdict and known.hint in verdict.message, one
