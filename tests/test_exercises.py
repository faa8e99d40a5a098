"""Answers are judged against the data of the source, with hints for the wrong ones."""

from __future__ import annotations

import shutil

import nmc
import pandas as pd
import pytest
from nmc import exercises
from nmc.errors import UnknownNameError


@pytest.fixture
def own():
    """Register exercises for one test only."""
    exercises.exercises()
    before = dict(exercises._KNOWN)
    yield
    exercises._KNOWN.clear()
    exercises._KNOWN.update(before)


def test_an_answer_may_depend_on_a_parameter_of_the_chapter(own):
    @exercises.exercise("ex-own-double", "Twice the number.")
    def double(number=2):
        return 2 * number

    assert nmc.check("ex-own-double", 4)
    assert nmc.check("ex-own-double", 10, number=5)
    assert not nmc.check("ex-own-double", 10)


def test_an_exercise_has_one_answer_only(own):
    exercises.exercise("ex-own", "hint")(lambda: 1)
    with pytest.raises(ValueError, match="'ex-own' is registered twice"):

        @exercises.exercise("ex-own", "hint")
        def another():
            return 2


def test_a_right_answer_on_the_sample():
    """Counted by another road than the check's own: straight from the m-type table."""
    mtypes = nmc.load_mtypes().sort_values("n_neurons")
    verdict = nmc.check("ex-factsheets-warmup", mtypes.iloc[0]["mtype"])
    assert verdict and "data say" in str(verdict)
    assert "**Right:**" in verdict._repr_markdown_()


def test_a_wrong_answer_brings_the_hint():
    verdict = nmc.check("ex-factsheets-warmup", "L5_TTPC1")
    assert not verdict and "nsmallest" in verdict.message


def test_no_answer_yet():
    assert "no answer yet" in nmc.check("ex-factsheets-warmup", ...).message


def test_an_unknown_exercise_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="ex-analyse-means"):
        nmc.check("ex-analyse-mean", 1)


@pytest.mark.parametrize(
    "given, wanted, same",
    [
        (51.0, 51.29, True),
        (50.0, 51.29, False),
        ("51.29", 51.29, True),
        ("many", 51.29, False),
        (" l5_ttpc1", "L5_TTPC1", True),
        (5, "L5_TTPC1", False),
        (True, 1.0, False),
        (["b", "a"], ["a", "b"], True),
        (["a", "a"], ["a", "b"], False),
        (["a", "b", "c"], ["a", "b"], False),
        ("ab", ["a", "b"], False),
        (pd.Series({"L1": 100.0, "L4": 9.5}), {"L1": 100.0, "L4": 9.5}, True),
        ({"L1": 100.0}, {"L1": 100.0, "L4": 9.5}, False),
        (7, {"L1": 100.0}, False),
    ],
)
def test_what_counts_as_the_same(given, wanted, same):
    assert exercises._same(given, wanted, exercises.TOLERANCE) is same


def test_where_the_answers_are_not_at_hand_a_sentence_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("NMC_ANSWERS", str(tmp_path))
    verdict = nmc.check("ex-factsheets-warmup", "L5_TTPC1")
    assert not verdict and verdict.correct is None
    assert "book/answers" in verdict.message and "NMC_ANSWERS" in verdict.message
    assert verdict._repr_markdown_().startswith("**Not checked:**")


def test_a_copy_of_the_answers_serves_from_wherever_it_lies(own, monkeypatch, tmp_path):
    shutil.copytree(exercises.answers_folder(), tmp_path / "copy")
    monkeypatch.setenv("NMC_ANSWERS", str(tmp_path / "copy"))
    assert nmc.check("ex-meet-name", "L23_LBC_cSTUT")
    assert exercises._KNOWN["ex-meet-name"].answer.__code__.co_filename.startswith(str(tmp_path))


@pytest.mark.real
def test_a_right_answer_on_the_real_files(mirror, monkeypatch):
    """The portal's catalogue of sizes (plain fact): the largest of the 1,035 packages."""
    monkeypatch.setenv("NMC_SOURCE", str(mirror))
    table = pd.read_csv(mirror / "derived/model_packages_inventory.csv")
    size = next(column for column in table.columns if "size" in column or "bytes" in column)
    largest = table.loc[table[size].idxmax()].iloc[0]
    assert nmc.check("ex-fetch-largest", str(largest).removesuffix(".zip"))
