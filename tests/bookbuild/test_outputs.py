"""A page shows tables with units and sentences, and no raw object of Python."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest

from tools.bookbuild.pages import shown_badly


def told(value: object) -> list[str]:
    """Show a value as a notebook does, and return what is wrong with it."""
    data = {"text/plain": repr(value)}
    if hasattr(value, "to_html"):
        data["text/html"] = value.to_html()
    output = nbformat.v4.new_output("execute_result", data)
    return list(shown_badly(nbformat.v4.new_code_cell("value", outputs=[output])))


@pytest.mark.parametrize(
    "value",
    [
        pd.Series([1, 2]), pd.Series([1.5], index=["a"], name="b"), (1, 2), [1], {"a": 1}, "text",
        np.array([1, 2]), np.float64(1.5), object(), slice(1, 2),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_raw_object_is_refused(value):
    (said,) = told(value)
    assert "raw object" in said


@pytest.mark.parametrize("value", [5, 1.5, -3, True])
def test_a_number_may_stand_alone(value):
    assert told(value) == []


@pytest.mark.parametrize(
    "value, raw",
    [
        ((1, 2), 0), ({"a": 1}, 1), (pd.Series([1.5]), 1), (object(), 1), (Path("a"), 0),
        (SimpleNamespace(a=1), 0), (pd.Timedelta(1), 0), ("It fires (often).", 0),
        ("Package(L1: its own, 3 synapses)", 1), ("one\n<Plan: 3 cells>\ntwo", 1),
    ],
)  # fmt: skip
def test_raw_objects_are_not_printed(value, raw):
    printed = nbformat.v4.new_output("stream", text=str(value))
    cell = nbformat.v4.new_code_cell("print(value)", outputs=[printed])
    assert len(list(shown_badly(cell))) == raw


@pytest.mark.parametrize("name", ["v_mV", "thickness (µm)", "share", "density (S/cm²)", "n (%)"])
def test_a_table_whose_numbers_have_a_unit_or_need_none_may_stand(name):
    assert told(pd.DataFrame({"who": ["a"], name: [1.5]})) == []


def test_a_unit_may_stand_in_a_row_or_in_a_column_of_its_own():
    assert told(pd.DataFrame({"first": [1.5]}, index=["tau_ms"])) == []
    assert told(pd.DataFrame({"first": [1.5], "unit": ["mV"]})) == []


def test_a_table_of_decimals_without_a_unit_is_refused():
    (said,) = told(pd.DataFrame({"weakest": [0.25], "strongest": [1.5]}))
    assert "without a unit: weakest, strongest" in said


def test_whole_numbers_are_counts():
    assert told(pd.DataFrame({"weakest": [2], "strongest": [3]})) == []
