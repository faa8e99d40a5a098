"""The one parser of numbers: what it takes, and what it refuses, by value and by column."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from nmc.errors import FormatError, SynapseError
from nmc.numbers import agrees, as_count, as_counts, as_number, as_numbers, as_printed

WHERE = "sheet.json: L23, 'synapse density'"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7.0),
        (-70.135, -70.135),
        ("-70.135", -70.135),
        (" 1e-3 ", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("+2E+2", 200.0),
        (np.float32(0.5), 0.5),
        (np.int64(-3), -3.0),
        ("0", 0.0),
    ],
)
def test_takes_numbers_and_their_plain_text(value, number):
    result = as_number(value, where=WHERE)
    assert result == number and type(result) is float


NO_NUMBERS = [
    float("inf"), -math.inf, math.nan, 10**400, "1e400", "1e999999", "inf", "nan", "Infinity",
    True, False, np.bool_(True), "1_000", "1,000", "", " ", "--4", "1 2", "0x10", "1e", "e5", ".",
    "٣", None, [], [1], {}, b"1", 1j, np.array([1.0]), "9" * 5000, 10**5000,
]  # fmt: skip


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(type(value)))
def test_refuses_everything_else_and_names_the_place(value):
    for parse in (as_number, as_count, as_printed):
        if parse is as_printed and value == "1,000":
            continue
        with pytest.raises(FormatError, match=re.escape(WHERE)) as caught:
            parse(value, where=WHERE)
        assert len(str(caught.value)) < 200


def test_bounds_are_allowed_and_what_lies_beyond_is_not():
    assert as_number(0, where=WHERE, low=0, high=1) == 0
    assert as_number("1", where=WHERE, low=0, high=1) == 1
    with pytest.raises(FormatError, match=r"1\.5 is not between 0 and 1"):
        as_number(1.5, where=WHERE, low=0, high=1)
    with pytest.raises(FormatError, match="-1 is below 0"):
        as_number(-1, where=WHERE, low=0)
    with pytest.raises(FormatError, match="3 is above 2"):
        as_number(3, where=WHERE, high=2)


@pytest.mark.parametrize(("value", "count"), [(57, 57), ("57", 57), (57.0, 57), ("1e3", 1000)])
def test_counts_are_ints(value, count):
    assert as_count(value, where=WHERE) == count
    assert type(as_count(value, where=WHERE)) is int


@pytest.mark.parametrize("value", [1.5, "1.5", -1, "-1", 1e30, "1e30", 2**53, str(2**53 + 1)])
def test_counts_are_whole_not_negative_and_exact(value):
    with pytest.raises(FormatError, match="L23"):
        as_count(value, where=WHERE)
    with pytest.raises(FormatError, match="L23"):
        as_counts([1, value], where=WHERE)


def test_the_callers_own_error_is_raised():
    with pytest.raises(SynapseError, match="weight: nan"):
        as_number(math.nan, where="weight", error=SynapseError)


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_columns_of_numbers(kind):
    assert as_numbers(kind([1, 2.5]), where=WHERE).tolist() == [1, 2.5]
    assert as_numbers(["1", "2.5e1"], where=WHERE).tolist() == [1, 25]
    assert as_counts(kind([1, 2]), where=WHERE).dtype == np.int64
    assert as_numbers([], where=WHERE).shape == (0,)


@pytest.mark.parametrize("value", [math.nan, math.inf, "1_0", "x", True, None, "1e400"])
def test_a_column_names_the_first_wrong_value(value):
    for parse in (as_numbers, as_counts):
        with pytest.raises(FormatError, match="L23.*, value 2: "):
            parse([1, value, 3], where=WHERE)
        with pytest.raises(FormatError, match="row b: "):
            parse(["1", value, "3"], where=lambda i: f"row {'abc'[i]}")


def test_missing_values_only_where_they_may_be():
    column = as_numbers([1, None, 2], where=WHERE, missing=True)
    assert np.isnan(column).tolist() == [False, True, False]
    for value in (math.nan, math.inf):
        with pytest.raises(FormatError, match="finite"):
            as_numbers([1, value], where=WHERE, missing=True)
        with pytest.raises(FormatError, match="finite"):
            as_numbers(np.array([1, value]), where=WHERE, missing=True)


def test_columns_agree_with_single_values():
    texts = ["1", "1.5", "-0", "1e-5", "3."]
    assert as_numbers(texts, where=WHERE).tolist() == [as_number(t, where=WHERE) for t in texts]


@pytest.mark.parametrize(
    ("text", "value", "approximate"),
    [
        ("31,346", 31346, False),
        ("~8.1 million", 8_100_000, True),
        ("-70.135", -70.135, False),
        ("0.29", 0.29, False),
        ("1e-3", 0.001, False),
        (" 1,562,050 ", 1562050, False),
        (7, 7, False),
    ],
)
def test_printed_numbers(text, value, approximate):
    assert as_printed(text, where=WHERE) == (value, approximate)


@pytest.mark.parametrize("text", ["many", "3 ± 2", "12 billion", "1,00", ",1", "1,0000", "~~3"])
def test_what_is_no_printed_number(text):
    with pytest.raises(FormatError, match="is not a number"):
        as_printed(text, where=WHERE)


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        (-71.263, -71.2627),
        (1_562_100, 1_562_050),
        (0.007, 0.0074),
        (3.7, 3.6999999999999997),
        (0, 0),
    ],
)
def test_agrees_within_the_print(printed, value):
    assert agrees(printed, value)


@pytest.mark.parametrize(
    ("printed", "value"),
    [(58, 57), (5.3, 5.4), (-71.264, -71.2627), (0.007, 0.0082), (7, 70), (0, 1), (1, math.inf)],
)
def test_differs_beyond_the_print(printed, value):
    assert not agrees(printed, value)
