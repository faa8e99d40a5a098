"""What a wrong name is answered: the nearest, the one that goes on like it, or all if few."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import nmc
import pandas as pd
import pytest
from nmc.cells.package import AnyModel
from nmc.data import figures
from nmc.errors import FigureError, NMCError, UnknownNameError


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
        ("./missing", ["a", "b"], "There is no thing './missing', nor does that path exist."),
        ("~/missing.zip", ["a"], "nor does that path exist."),
        ("/", ["a", "b"], "There is no thing '/': this is a path, not a name."),
    ],
)
def test_a_wrong_name_is_told_the_way_out(given, known, hint):
    assert str(UnknownNameError.of("thing", given, known)).endswith(hint)


#: Figures that are drawn by another library, or by a hand of their own.
OTHERS = ("plot_currentscape", "plot_portrait")
#: Figure → its first parameter, and something for every other one that must be given.
FIGURES = {
    name: (
        first,
        {
            one.name: "b" if "str" in str(one.annotation) else 1
            for one in others
            if one.default is one.empty
        },
    )
    for name in nmc.__all__
    if name.startswith("plot_") and name not in OTHERS
    for first, *others in [inspect.signature(getattr(nmc, name)).parameters.values()]
    if first.annotation is not first.empty
}


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_says_what_it_takes(name):
    first, more = FIGURES[name]
    tables = [pd.DataFrame({"a": [1]})] if first.annotation == "pd.DataFrame" else []
    for given in ("a text", 3, *tables):
        with pytest.raises(NMCError) as found:
            getattr(nmc, name)(given, **more)
        assert len(str(found.value)) > 15 and "\n" not in str(found.value)
    plt.close("all")


def test_no_model_is_no_figure():
    for models, columns in (([], 4), (["L5_TTPC1_cADpyr232_1"], 0)):
        with pytest.raises(FigureError, match="one"):
            nmc.plot_morphologies(models, columns=columns)


def test_a_figure_does_not_blame_what_it_takes():
    """A fault inside is no matter of the argument: an alias, or the second of two kinds, fits."""

    @figures.figure
    def draw(thing: AnyModel | Iterable[int]):
        raise TypeError("inside")

    for given in (Path("a/model"), [1, 2]):
        with pytest.raises(TypeError, match="inside"):
            draw(given)
