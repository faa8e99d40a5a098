"""What a comparison shows in a notebook, beside what it holds."""

from __future__ import annotations

import pandas as pd
import pytest
from lxml import html
from nmc.published import Comparison

ROWS = [
    {
        "key": "circuit/volume", "claim": "volume <of> all", "published": 0.29,
        "recomputed": 0.2876, "unit": "mm³", "tolerance": "±0.01", "verdict": "agrees",
        "source": "Data: here", "citation": "paper2015", "where": "abstract",
    },
    {
        "key": "wiring/counts", "claim": "counts", "published": (31346, 2.5),
        "recomputed": None, "unit": "", "tolerance": "exact", "verdict": "needs the full file",
        "source": "Data: here", "citation": "paper2015", "where": "table 1",
    },
]  # fmt: skip


@pytest.fixture
def table() -> Comparison:
    return Comparison(ROWS).set_index("key")


def shown(table) -> list[list[str]]:
    rows = html.fromstring(f"<div>{table._repr_html_()}</div>").xpath(".//tbody/tr")
    return [[cell.text_content() for cell in row.xpath("./td")] for row in rows]


def test_a_claim_stands_with_its_key_and_place_and_a_number_with_unit_and_tolerance(table):
    assert shown(table) == [
        ["volume <of> allcircuit/volumepaper2015: abstract", "0.29 mm³±0.01", "0.288 mm³"]
        + ["agrees"],
        ["countswiring/countspaper2015: table 1", "31,346; 2.5exact", "", "needs the full file"],
    ]  # fmt: skip


def test_the_source_is_named_once(table):
    shown_below = html.fromstring(f"<div>{table._repr_html_()}</div>").xpath("string(./p)")
    assert shown_below == "Recomputed from: here"


def test_columns_that_a_chapter_leaves_out_are_not_missed(table):
    few = table[["claim", "published", "recomputed", "verdict"]]
    assert [row[0] for row in shown(few)] == [
        "volume <of> allcircuit/volume",
        "countswiring/counts",
    ]


def test_another_selection_looks_like_any_table(table):
    assert "dataframe" in table[["published", "verdict"]]._repr_html_()


def test_it_remains_a_table_like_any_other(table):
    pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(ROWS).set_index("key"))
    assert isinstance(pd.concat([table, table]), pd.DataFrame)
