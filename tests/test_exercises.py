"""Answers are judged against the data of the source, with hints for the wrong ones."""

from __future__ import annotations

import shutil

import nmc
import numpy as np
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


@pytest.fixture
def judged(own):
    """Return a function that checks an answer against a wanted one."""

    def judge(given, wanted, **form):
        exercises._KNOWN.pop("ex-own", None)
        exercises.exercise("ex-own", "The hint.", **form)(lambda: wanted)
        return nmc.check("ex-own", given)

    return judge


@pytest.mark.parametrize(
    "given, wanted, same",
    [
        (51.0, 51.29, True),
        (50.0, 51.29, False),
        ("51.29", 51.29, True),
        ("1,234.5", 1234.5, True),
        ([51.29], 51.29, True),
        (pd.Series([51.29], index=["L4"]), 51.29, True),
        (np.array([[51.29]]), 51.29, True),
        ([51.29, 3.0], 51.29, False),
        ("many", 51.29, False),
        (float("nan"), 51.29, False),
        (2082, 2082, True),
        (2081, 2082, False),  # a count is exact
        (2082.0, 2082, True),
        (" l5_ttpc1", "L5_TTPC1", True),
        (["L5_TTPC1"], "L5_TTPC1", True),
        (np.array(["L5_TTPC1"]), "L5_TTPC1", True),
        (["L5_TTPC1", "L4_PC"], "L5_TTPC1", False),
        ("Erdős–Rényi", ["erdos_renyi"], True),
        (5, "L5_TTPC1", False),
        (True, 1.0, False),
        (["b", "a"], ["a", "b"], True),
        ({"b", "a"}, ["a", "b", "a"], True),
        (["a", "a"], ["a", "b"], False),
        (["a", "b", "c"], ["a", "b"], False),
        ("ab", ["a", "b"], False),
        (pd.Series({"L1": 100.0, "L4": 9.5}), {"L1": 100.0, "L4": 9.5}, True),
        (pd.DataFrame({"share": {"L1": 100.0, "L4": 9.5}}), {"L1": 100.0, "L4": 9.5}, True),
        ({"L1": 100.0, "L4": 9.5, "L5": 1}, {"L1": 100.0, "L4": 9.5}, True),
        ((100.0, 9.5), {"L1": 100.0, "L4": 9.5}, True),
        ((9.5, 100.0), {"L1": 100.0, "L4": 9.5}, False),
        ({"L1": 9.5, "L4": 100.0}, {"L1": 100.0, "L4": 9.5}, False),
        ({"L1": 100.0}, {"L1": 100.0, "L4": 9.5}, False),
        (7, {"L1": 100.0}, False),
        ([], {"L1": 100.0}, False),
    ],
)
def test_what_counts_as_the_same(judged, given, wanted, same):
    assert bool(judged(given, wanted)) is same


@pytest.mark.parametrize(
    "given, same",
    [
        (13, True),
        (0.13, True),
        ("13 %", True),
        ("13.2%", True),
        (13.2, True),
        (14, False),
        (1.32, False),
    ],
)
def test_a_share_in_per_cent_or_as_a_fraction(judged, given, same):
    assert bool(judged(given, 0.132, share=True, tolerance=0.02)) is same


def test_shares_are_all_in_one_form(judged):
    assert judged({"L1": 100, "L4": 9.5}, {"L1": 1.0, "L4": 0.095}, share=True)
    assert judged({"L1": 1, "L4": 0.095}, {"L1": 1.0, "L4": 0.095}, share=True)
    assert not judged({"L1": 1, "L4": 9.5}, {"L1": 1.0, "L4": 0.095}, share=True)


def test_the_digits_that_the_question_states_are_enough(judged):
    assert judged(1.6, 0.01645, share=True, digits=1)
    assert judged(0.016, 0.01645, share=True, digits=1)
    assert not judged(1.5, 0.01645, share=True, digits=1)
    assert not judged(1.6, 0.01645, share=True)
    assert judged(0.05, 0.0531, digits=2) and not judged(0.06, 0.0531, digits=2)


@pytest.mark.parametrize("given", [False, "no", 0, 0.0, "False", np.False_, [False]])
def test_a_question_of_yes_or_no(judged, given):
    assert judged(given, False)
    assert not judged(given, True)


def test_the_first_of_two_parts_may_stand_alone_and_the_second_must_be_right(judged):
    wanted = {"mtype": "L1_SLAC", "n_neurons": 2}
    for given in ("L1_SLAC", ("L1_SLAC", 2), [2, "L1_SLAC"], wanted, pd.Series(wanted)):
        assert judged(given, wanted, first_decides=True)
    for given in ("L1_LAC", 2, ("L1_SLAC", 3), ("L1_LAC", 2), {**wanted, "n_neurons": 3}):
        assert not judged(given, wanted, first_decides=True)


@pytest.mark.parametrize(
    "given, wanted, form, said",
    [
        (0.132, 0.132, {"share": True}, "13.2 %"),
        (13.2, 0.132, {"share": True}, "as a fraction it is 0.132"),
        (-5.0, 5.0, {}, "but for its sign"),
        (120.0, 0.12, {}, "1,000 times off"),
        ("a few", 5.0, {}, "the answer is a number"),
        (
            (9.5, 100.0),
            {"L1": 100.0, "L4": 9.5},
            {},
            "in another order than the question's: L1, L4",
        ),
        (100.0, {"L1": 100.0, "L4": 9.5}, {}, "right as far as it goes"),
    ],
)
def test_a_right_number_in_another_form_is_told_so(judged, given, wanted, form, said):
    assert said in judged(given, wanted, **form).message


def test_what_an_answer_depends_on_is_asked_for(own):
    @exercises.exercise("ex-own-more", "hint")
    def answer(U, D=1):
        return U * D

    verdict = nmc.check("ex-own-more", 1)
    assert (
        verdict.correct is None and 'nmc.check("ex-own-more", answer, U=U, D=D)' in verdict.message
    )


def share(mtypes, layer):
    """Compute the inhibitory share of a layer with plain Python."""
    rows = [row for row in mtypes.itertuples() if row.layer == layer]
    return sum(r.n_neurons for r in rows if not r.excitatory) / sum(r.n_neurons for r in rows)


def test_right_answers_as_students_write_them():
    """Each of these was once refused."""
    shares = {layer: share(nmc.load_mtypes(), layer) for layer in ("L1", "L23", "L4", "L5", "L6")}
    assert nmc.check("ex-factsheets-inhibition", shares)
    assert nmc.check("ex-factsheets-inhibition", pd.Series(shares) * 100)
    assert nmc.check("ex-factsheets-inhibition", [f"{100 * one:.1f} %" for one in shares.values()])
    synapses = nmc.load_package("L5_TTPC1_cADpyr232_1").synapses
    weights = [(row.weight_nS, row.excitatory) for row in synapses.itertuples()]
    inhibitory = sum(w for w, excites in weights if not excites) / sum(w for w, _ in weights)
    assert nmc.check("ex-synaptome-weight", inhibitory)
    assert nmc.check("ex-synaptome-weight", round(100 * inhibitory, 1))
    apical = sum(name.startswith("apic") for name in synapses["section"]) / len(synapses)
    assert nmc.check("ex-package-apical", apical) and nmc.check("ex-package-apical", 100 * apical)
    for answer in ("erdos_renyi", ["erdos_renyi"], {"erdos_renyi"}, "Erdős–Rényi"):
        assert nmc.check("ex-shuffle-keep", answer)
    sheet = nmc.load_circuit().query("quantity == 'density_per_mm3'").set_index("layer")["value"]
    apart = {layer: 1000 * sheet[layer] ** (-1 / 3) for layer in ("L4", "L1")}
    for answer in (apart, list(apart.values()), tuple(round(one, 1) for one in apart.values())):
        assert nmc.check("ex-layers-nearest", answer)
    for answer in ((2, 1), [2, 1], {"simplices": 2, "Betti number": 1}, np.array([2, 1])):
        assert nmc.check("ex-cliques-reciprocal", answer)
    rarest = min(nmc.load_mtypes().itertuples(), key=lambda row: row.n_neurons)
    for answer in (rarest.mtype, [rarest.mtype], (rarest.mtype, rarest.n_neurons)):
        assert nmc.check("ex-factsheets-warmup", answer)


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
