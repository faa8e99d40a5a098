"""What a reader sees of a number and of a paper, beside what the tables hold."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from nmc.published import (
    PAPERS,
    Claim,
    Comparison,
    claim,
    claims,
    shown_printed,
    shown_recomputed,
    shown_tolerance,
)

from tools.bookbuild.pages import short_references

BIBLIOGRAPHY = Path(__file__).parents[2] / "book/references.bib"


def held(value, tolerance=0.0, relative=0.0) -> Claim:
    return Claim(
        key="one/two", claim="it", value=value, citation="paper2015", where="here", needs="sheet",
        tolerance=tolerance, relative=relative,
    )  # fmt: skip


def test_papers_are_named_as_the_bibliography_shortens_them_and_all_that_claims_cite():
    known = short_references(BIBLIOGRAPHY)
    assert {key: known[key][0] for key in PAPERS} == PAPERS
    assert {one.citation for one in claims().values()} <= set(PAPERS)


def test_a_comparison_shows_the_paper_and_holds_its_key():
    row = {
        "key": "circuit/volume", "claim": "volume", "published": 0.29, "recomputed": 0.28763,
        "verdict": "agrees", "citation": "markram2015", "where": "abstract",
    }  # fmt: skip
    table = Comparison([row]).set_index("key")
    assert "Markram et al., 2015: abstract" in table._repr_html_()
    assert "0.288" in table._repr_html_() and "0.28763" not in table._repr_html_()
    assert table.loc["circuit/volume", ["citation", "recomputed"]].tolist() == [
        "markram2015",
        0.28763,
    ]


@pytest.mark.parametrize(
    "known, recomputed, seen",
    [
        (held(8.0e6, 0.5e6), 7564033.67, ["7,600,000"]),
        (held(0.29, 0.01), 0.28763, ["0.288"]),
        (held(45, 10), 5.647, ["6"]),
        (held((51, 25), 0.5), (51.2890, 25.3812), ["51.3", "25.4"]),
        (held(200.0, relative=0.01), 203.456, ["203"]),
        (held(0.03411, 0.000005), 0.0341082, ["0.034108"]),
        (held(31346), 31283, ["31,283"]),
        (held(2.5), 2.0 / 3, ["0.6667"]),
        (None, 7564033.67, ["7,564,033.67"]),
    ],
)
def test_a_recomputed_number_is_as_fine_as_its_tolerance(known, recomputed, seen):
    assert shown_recomputed(recomputed, known) == seen


@pytest.mark.parametrize("recomputed", [8.8502, 8.849, 8.8499999, 8.85, 8.7502, 8.74996])
def test_a_rounded_number_stays_on_its_side_of_the_tolerance(recomputed):
    known = held(8.8, 0.05)
    (seen,) = shown_recomputed(recomputed, known)
    assert known.allows(float(seen)) == known.allows(recomputed)


@pytest.mark.parametrize("key", sorted(claims()))
def test_every_claim_is_shown_with_all_that_is_printed(key):
    known = claim(key)
    values = known.value if isinstance(known.value, tuple) else (known.value,)
    seen = shown_printed(known.value)
    for value, text in zip(values, seen, strict=True):
        assert text == "no number" if math.isnan(value) else float(text.replace(",", "")) == value


def test_what_is_no_number_is_said():
    assert shown_recomputed(None) == shown_recomputed(math.nan, held(1.0, 0.1)) == ["no number"]
    assert shown_recomputed("none", held(1.0, 0.1)) == ["none"]


def test_a_tolerance_is_written_without_a_power_of_ten():
    assert [shown_tolerance(0.5e6, 0), shown_tolerance(5e-6, 0)] == ["±500,000", "±0.000005"]
    assert [shown_tolerance(0, 0.01), shown_tolerance(0, 0)] == ["±1 %", "exact"]
