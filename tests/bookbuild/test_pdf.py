"""The book on paper: every page and figure in it, no link that leads nowhere, nothing cut."""

from __future__ import annotations

import re

import pytest
from lxml import html

from tools.bookbuild import BookError
from tools.bookbuild.execute import execute_stale
from tools.bookbuild.project import Project
from tools.bookbuild.render import print_pdf, render, shorten, write_one_page

FIGURE = """# Draw a line

The [first chapter](one.md) says it, and {ref}`one place there <a-place>` too.
A file is <a href="../_static/downloads/book/one.ipynb">no page</a>.

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  figure: {name: fig-line, caption: A line.}
  image: {alt: A line that rises.}
---
import matplotlib.pyplot as plt
plt.plot([1, 2]);
```

```{code-cell} ipython3
print("x" * 400)
```

```{code-cell} ipython3
import pandas as pd
pd.DataFrame([["a_long_word_of_a_table" ] * 8])
```

:::{exercise-start}
:label: ex-fold
:::
How much?
:::{exercise-end}
:::

:::{solution-start} ex-fold
:class: dropdown
:::
A folded answer.
:::{solution-end}
:::
"""


@pytest.fixture(scope="module")
def built(make_toy, tmp_path_factory):
    """A book of two chapters, built."""
    book = make_toy(tmp_path_factory.mktemp("paper"))
    book.chapter("one", (book.root / "book/one.md").read_text().split("---\n\n", 1)[1])
    with (book.root / "book/one.md").open("a") as file:
        file.write("\n(a-place)=\n## A place\n\nHere.\n")
    book.chapter("two", FIGURE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(book.root / "helpers"))
        project, source = Project(book.root), book.tree("tree", thickness=165)
        store, pages = execute_stale(project, source)
        render(project, pages, store, source)
    return project


def test_every_page_is_on_the_long_one_and_every_link_leads_somewhere(built):
    tree = html.parse(str(write_one_page(built))).getroot()
    assert [node.get("id") for node in tree.xpath("//main/section[@id]")] == [
        "book-index--", "book-one--", "book-two--",
    ]  # fmt: skip
    names = tree.xpath("//@id")
    assert len(names) == len(set(names))
    inner = [link[1:] for link in tree.xpath("//a/@href") if link.startswith("#")]
    assert {"book-one--", "book-one--a-place"} <= set(inner)
    assert set(inner) <= set(names)
    assert not [link for link in tree.xpath("//a/@href") if ".ipynb" in link]
    assert not tree.xpath("//script | //button | //details[not(@open)]")
    assert "A folded answer." in tree.text_content()
    sources = tree.xpath("//section[@id]//img/@src")
    assert len(sources) == 1 and (built.build / sources[0]).is_file()


@pytest.mark.slow
def test_the_pdf_has_title_outline_links_and_figures_and_a_missing_figure_is_an_error(built):
    text = print_pdf(built).read_bytes().decode("latin-1")
    assert text.startswith("%PDF-")
    assert len(re.findall(r"/Type /Page\b", text)) >= 5  # title, contents, three pages of the book
    titles = re.findall(r"/Title \(([^)]*)\)", text)
    assert {"Toy", "Ask the helper", "Draw a line"} <= set(titles)
    assert "/Dest /book-one--" in text
    picture = next((built.html / "_images").iterdir())
    kept = picture.read_bytes()
    picture.write_bytes(b"no picture")
    with pytest.raises(BookError, match=f"did not load.*{picture.name}"):
        print_pdf(built)
    picture.write_bytes(kept)


@pytest.mark.parametrize("n_rows, kept", [(120, 120), (121, 21)])
def test_paper_shows_the_beginning_of_a_very_long_table(n_rows, kept):
    rows = "".join(f"<tr><th>{i}</th><td>x</td></tr>" for i in range(n_rows))
    body = html.fromstring(f"<table><tbody>{rows}</tbody></table>").find("tbody")
    shorten(body)
    assert len(body) == kept and body[19][0].text == "19"
    if kept < n_rows:
        assert "101 rows more" in body[-1].text_content()
