from __future__ import annotations

import pytest
from nmc.factsheets.numbers import half_step, parse_mean_std, parse_number


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


def test_parse_mean_std():
    assert parse_mean_std("1,051 ± 25.5") == (1051, 25.5)
    with pytest.raises(ValueError, match="mean ± std"):
        parse_mean_std("51")


@pytest.mark.parametrize(
    ("text", "step"),
    [("-71.263", 0.0005), ("1,123,400", 50), ("31", 0.5), ("0.056", 0.0005), ("~8.1", 0.05)],
)
def test_half_step(text, step):
    assert half_step(text) == pytest.approx(step)
