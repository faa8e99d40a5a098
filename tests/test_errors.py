"""What a wrong name is answered: the nearest, the one that goes on like it, or all if few."""

from __future__ import annotations

import pytest
from nmc.errors import UnknownNameError


@pytest.mark.parametrize(
    ("given", "known", "hint"),
    [
        ("layer 23", ["layer 2", "layer 4"], "Did you mean 'layer 2'?"),
        (
            "l5_ttpc1",
            ["L5_MC", "L5_TTPC1_cADpyr232_1"],
            "Did you mean 'L5_TTPC1_cADpyr232_1'?",
        ),
        ("fast", ["published", "converged"], "Choose one of 'published', 'converged'."),
        ("zzz", [f"name{i}" for i in range(50)], "There is no thing 'zzz'."),
        ("", ["one", "two"], "Choose one of 'one', 'two'."),
        (None, ["a", "b"], "Choose one of 'a', 'b'."),
    ],
)
def test_a_wrong_name_is_told_the_way_out(given, known, hint):
    assert str(UnknownNameError.of("thing", given, known)).endswith(hint)
