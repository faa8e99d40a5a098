"""Tables that the build makes: nothing typed, nothing lost."""

from __future__ import annotations

import json
from base64 import b64encode
from types import SimpleNamespace

import nbformat
import nmc
import pandas as pd
import pytest
from lxml import html
from nmc.published import claims

from tools.bookbuild import pages
from tools.bookbuild.execute import Page, Run
from tools.bookbuild.pages import (
    announcement,
    api_reference,
    best_figure,
    gallery,
    published_table,
    question,
    run_note,
    short_references,
)  # fmt: skip
from tools.bookbuild.project import Chapter

TEXT = """(one)=
# Count cells

:::{admonition} At a glance
**You need** [the course](../x.md) and {term}`m-type`.

**Time** 12 minutes to read, 3 seconds to run.
:::

Cells come in kinds.
How many {term}`kinds <m-type>` of {term}`neuron` are there?

```{code-cell} ipython3
1
```
"""


def page(results=(), data=()) -> Page:
    chapter = Chapter("book/part/one", TEXT)
    run = Run("book/part/one", "", "tree", 4.2, peak_gb=0.3, python="3.11.7", data=list(data),
              results=list(results))  # fmt: skip
    return Page(chapter, nbformat.v4.new_notebook(), run, fresh=True)


def rows_of(text: str) -> dict[str, list[str]]:
    found = html.fromstring(text).xpath("//tbody/tr")
    return {row[0].text_content(): [cell.text_content() for cell in row] for row in found}


def test_every_claim_has_a_row_and_what_was_not_recomputed_says_what_it_waits_for():
    table = rows_of(published_table([], {}))
    assert set(table) == {claim.claim for claim in claims().values()}
    assert all(row[5] for row in table.values()), "each row has a verdict"


def test_the_rows_of_a_topic_are_folded_below_their_count():
    table = html.fromstring(f"<div>{published_table([], {})}</div>")
    topics = table.xpath("details")
    for topic in topics:
        (name,), told = topic.xpath("summary/b/text()"), topic.xpath("string(summary)")
        assert told.startswith(f"{name}, {len(topic.xpath('.//tbody/tr'))} rows. ")
    assert sum(len(topic.xpath(".//tbody/tr")) for topic in topics) == len(claims())


def test_a_claim_without_a_number_is_not_reproducible_and_says_why():
    row = rows_of(published_table([], {}))[claims()["connectome/gal_hubs"].claim]
    assert row[1] == "no number"
    assert row[5] == "not reproducible: the abstract states it without a number"


def test_what_a_difference_comes_from_is_no_reason_for_what_was_not_run():
    known = claims()["cells/hay_bap_660um"]
    assert known.reason
    assert rows_of(published_table([], {}))[known.claim][5] == "needs the model package"


@pytest.mark.parametrize(
    "key, said",
    [
        ("cells/hay_bap_660um", claims()["cells/hay_bap_660um"].reason),
        ("circuit/neurons", "no reason is known yet"),
    ],
)
def test_a_difference_gives_its_reason(key, said):
    result = {"key": key, "recomputed": 1, "verdict": "differs", "source": "", "tolerance": ""}
    row = rows_of(published_table([page([result])], {}))[claims()[key].claim]
    assert row[5] == f"differs: {said}"


def test_where_a_number_is_printed_is_a_link_to_the_paper(tmp_path):
    bib = tmp_path / "some.bib"
    bib.write_text(
        "@article{markram2015, author={Markram, H. and Muller, E. and One, A.},"
        " year=2015, title={T}, journal={J}, doi={10.1/x}}\n"
        r"@misc{two2000, author={One, A. and L{\"u}ders, B.}, year=2000, title={T}}"
    )
    known = short_references(bib)
    assert known["two2000"] == ("One & Lüders, 2000", "")
    assert short_references(tmp_path / "none.bib") == {}
    table = html.fromstring(f"<div>{published_table([], known)}</div>")
    cell = table.xpath("//tr[td[1]='morphological types']/td[last()]")[0]
    assert cell.text_content() == "Markram et al., 2015: portal, circuit fact sheet"
    assert cell.xpath(".//a/@href") == ["https://doi.org/10.1/x"]


def test_the_rows_are_counted_by_verdict():
    result = {"recomputed": 1, "verdict": "agrees", "source": "", "tolerance": ""}
    results = [{"key": key, **result} for key in ("circuit/neurons", "circuit/mtypes")]
    text = html.fromstring(published_table([page(results)], {})).text_content()
    assert text.startswith(f"{len(claims())} rows. ") and "agrees: 2" in text
    unread = sum(known.status == "not available" for known in claims().values())
    assert f"not reproducible: {unread}" in text


@pytest.mark.parametrize("verdict", ["agrees", "invented data"])
def test_a_recomputed_claim_shows_value_source_and_chapter(verdict):
    result = {
        "key": "circuit/neurons", "recomputed": 31346, "verdict": verdict,
        "source": "Data: <somewhere>", "tolerance": "exact",
    }  # fmt: skip
    row = rows_of(published_table([page([result])], {}))[claims()["circuit/neurons"].claim]
    assert row[1] == row[2] == "31,346"
    assert (row[5], row[7], row[8]) == (verdict, "one", "<somewhere>")


def test_a_count_of_many_printed_numbers_is_a_row_after_the_claims():
    result = {
        "key": "many/rest", "claim": "resting potentials", "published": 105, "recomputed": 104,
        "unit": "models", "tolerance": "±0.1 mV each", "verdict": "differs: one fires",
        "source": "Data: copy", "citation": "ramaswamy2015", "where": "fact sheets",
    }  # fmt: skip
    table = rows_of(published_table([page([result])], {}))
    assert list(table)[-1] == "resting potentials" and len(table) == len(claims()) + 1
    row = table["resting potentials"]
    assert row[1:6] == ["105", "104", "models", "±0.1 mV each", "differs: one fires"]
    assert row[7:] == ["one", "copy", "ramaswamy2015: fact sheets"]


def figure(alt: str, picture: bytes, *tags: str):
    """A cell whose figure has a picture in the gallery's size."""
    metadata = {"thumbnail": b64encode(picture).decode()}
    output = nbformat.v4.new_output("display_data", data={}, metadata=metadata)
    looks = {"mystnb": {"image": {"alt": alt}}, "tags": list(tags)}
    return nbformat.v4.new_code_cell("", outputs=[output], metadata=looks)


def test_the_gallery_tells_question_needs_and_times_as_chapter_and_run_have_them():
    part = {"caption": "Part", "chapters": [{"file": "book/part/one"}, {"file": "book/plain"}]}
    shown = page()
    shown.notebook.cells = [figure("Bars: the\n longest is L6.", b"first")]
    text = gallery(SimpleNamespace(toc={"parts": [part]}), [shown], 1)
    assert "::::{grid-item-card} Count cells\n:link: ../book/part/one\n:link-type: doc\n" in text
    assert ':img-alt: "Bars: the longest is L6."\n' in text
    assert "\nHow many kinds of neuron are there?\n" in text
    foot = "12 minutes to read, 4 s to run. Needs [the course](../book/x.md) and {term}`m-type`."
    assert foot in text and "plain" not in text


def test_the_figure_that_a_chapter_chose_stands_for_it_and_else_the_first_that_is_shown():
    hidden, first = figure("h", b"hidden", "remove-cell"), figure("a", b"first")
    chosen = figure("b", b"chosen", "gallery")
    assert best_figure(nbformat.v4.new_notebook(cells=[hidden, first, chosen])) == ("b", b"chosen")
    assert best_figure(nbformat.v4.new_notebook(cells=[hidden, first])) == ("a", b"first")
    assert best_figure(nbformat.v4.new_notebook(cells=[hidden])) is None


def test_a_page_without_a_question_has_none():
    assert question(TEXT.replace("there?", "there.")) == ""


def test_the_header_and_the_note_name_what_was_read():
    real = {"key": "sheet/layers", "origin": "copy", "sha256": "a" * 64, "release": "1.0.11"}
    made = {"key": "sheet/circuit", "origin": "sample", "sha256": "b" * 64, "invented": True}
    sample = announcement("sample", [page(data=[made])])
    assert sample.startswith("Data: synthetic sample, invented numbers · release of the sample: ")
    assert announcement("/data/copy,sample", [page(data=[real, made])]) == (
        "Data: copy, sample, partly invented · release of the data: NMC portal, 1.0.11"
    )
    note = run_note(page(data=[real]))
    assert "| `sheet/layers` | copy | `aaaaaaaaaaaa` |" in note and "4 s" in note
    assert "On Binder" in note, "there the reader gets the sample"
    assert "On Binder" not in run_note(page(data=[real, made]))


def test_the_api_reference_has_every_public_call():
    text = api_reference()
    for name, module in nmc._PUBLIC.items():
        kind = "class" if isinstance(getattr(nmc, name), type) else "function"
        assert f"### {name}\n\n```{{eval-rst}}\n.. auto{kind}:: nmc.{name}\n```" in text
        assert f"## `nmc.{module.split('.')[1]}`\n" in text


def test_recorded_classes_of_checks_are_a_table_with_reasons_and_staleness(monkeypatch):
    why = json.dumps({str(n): 1 for n in range(95)})
    rows = [
        ("sheets/balance", 1932, 1930, '{"tried": 2}', ""),
        ("synapses/contacts", 295, 200, why, "made by other code"),
    ]
    recorded = pd.DataFrame(rows, columns=["class", "checks", "agree", "reasons", "stale"])
    monkeypatch.setattr(pages, "load_verdicts", lambda: recorded)
    text = pages.checks_table()
    assert "1,932 of two files" in text and "295 computed" in text
    assert "| 1,932 | 1,930 | 2: tried |" in text
    assert "stale: made by other code. 95, each with its reason" in text
