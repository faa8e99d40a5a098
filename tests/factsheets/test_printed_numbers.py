from __future__ import annotations

import pytest
from nmc.factsheets.numbers import agrees, parse_number


@pytest.mark.parametrize(
    ("text", "value", "approximate"),
    [
        ("31,346", 31346, False),
        ("~8.1 million", 8_100_000, True),
        ("-70.135", -70.135, False),
        ("0.29", 0.29, False),
        ("1e-3", 0.001, False),
        (7, 7, False),
    ],
)
def test_parse_number(text, value, approximate):
    assert parse_number(text) == (value, approximate)


@pytest.mark.parametrize("text", ["", "many", "1 2", "3 ± 2", None, True, "12 billion", "--4"])
def test_parse_number_refuses(text):
    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)


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
    [(58, 57), (5.3, 5.4), (-71.264, -71.2627), (0.007, 0.0082), (7, 70), (0, 1)],
)
def test_differs_beyond_the_print(printed, value):
    assert not agrees(printed, value)
