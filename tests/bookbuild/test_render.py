"""What readers get besides the chapters: header, buttons, generated tables, notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
import yaml
from lxml import html

from tools.bookbuild.execute import execute_stale
from tools.bookbuild.pages import badges
from tools.bookbuild.project import Project, colab_address
from tools.bookbuild.render import render

ROOT = Path(__file__).resolve().parents[2]


def build(book, source, only=None):
    project = Project(book.root)
    store, pages = execute_stale(project, source, only=only)
    render(project, pages, store, source, only=only)
    return None if only else html.fromstring(book.page("one"))


@pytest.fixture(scope="module")
def plain(make_toy, tmp_path_factory):
    """A book without a repository, built once for all tests that only look at it."""
    book = make_toy(tmp_path_factory.mktemp("plain"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(book.root / "helpers"))
        book.first = build(book, book.tree("tree", thickness=165))
        yield book


def links_of(page) -> list[str]:
    return [link for link in page.xpath("//a/@href") if link.startswith("http")]


def test_without_a_repository_no_button_leads_to_one(plain):
    links = links_of(plain.first)
    places = ("github", "mybinder", "colab", "shields.io")
    assert not [link for link in links if any(place in link for place in places)]
    assert "thebe" not in html.tostring(plain.first, encoding="unicode").lower()
    assert badges({}) == ""


def test_colab_opens_notebooks_of_github_alone():
    assert colab_address({"Repository": "https://codeberg.org/me/nmc"}, "book/one") is None
    assert colab_address({}, "book/one") is None


def test_the_readme_has_the_badges_of_the_setting():
    project = Project(ROOT)
    between = (ROOT / "README.md").read_text("utf-8").split("<!-- badges -->")
    assert len(between) == 3, "two marks"
    assert between[1].strip() == badges(project.urls), "run 'python -m tools.bookbuild badges'"


def test_the_header_names_source_and_date_and_the_foot_the_citation(plain):
    header = plain.first.xpath("string(//*[contains(@class, 'bd-header-announcement')])")
    assert "tree" in header and "partly invented" in header and "built 20" in header
    foot = plain.first.xpath("string(//footer[@class='page-tools'])")
    assert "Cite this page" in foot and "Ask the helper" in foot


def test_both_notebooks_can_be_downloaded(plain):
    links = plain.first.xpath("//footer[@class='page-tools']//a/@href")
    files = [(plain.root / "_build/html/book" / link).resolve() for link in links]
    assert [file.name for file in files] == ["one-student.ipynb", "one.ipynb"]
    for file in files:
        nbformat.validate(json.loads(file.read_text()))


def test_a_quick_question_unfolds_one_choice_at_a_time_without_a_script(plain):
    (box,) = plain.first.xpath("//div[contains(@class, 'quiz')]")
    assert box.xpath("string(p)") == "Is 2 < 3?"
    assert [one.get("class") for one in box.xpath("details")] == ["right", "wrong", "wrong"]
    assert len({one.get("name") for one in box.xpath("details")}) == 1
    assert box.xpath("string(details[1]/summary)") == "Yes."
    assert box.xpath("string(details[1]/p)") == "Right. One can count."
    assert box.xpath("details[2]/p/strong/text()") == ["No."] and not box.xpath(".//script")


def test_a_page_that_does_not_exist_gets_an_answer(plain):
    missing = html.parse(str(plain.root / "_build/html/404.html")).getroot()
    assert "does not exist" in missing.text_content()


def test_with_a_repository_each_page_is_launched_edited_and_reported(toy):
    urls = 'Repository = "https://github.com/me/nmc"\nDocumentation = "https://me.github.io/nmc"\n'
    toy.write("pyproject.toml", f"[project.urls]\n{urls}")
    links = links_of(build(toy, toy.tree("tree", thickness=165)))
    assert "https://github.com/me/nmc/edit/main/book/one.md" in links
    assert "https://mybinder.org/v2/gh/me/nmc/main?urlpath=lab/tree/book/one.md" in links
    assert any(link.startswith("https://github.com/me/nmc/issues/new") for link in links)
    colab = "https://colab.research.google.com/github/me/nmc/blob/notebooks/book/"
    assert f"{colab}one-student.ipynb" in links
    text = toy.page("one")
    assert "initThebeSBT()" in text and 'repo: "me/nmc"' in text
    assert "needs the network" in text
    scripts = html.fromstring(text).xpath("//script/@src")
    assert any("sphinx-thebe.js" in one for one in scripts), "it gets thebe itself when clicked"
    assert not [one for one in scripts if one.startswith("http")]
    found = badges(Project(toy.root).urls)
    for address in (
        "https://me.github.io/nmc",
        "https://mybinder.org/v2/gh/me/nmc/main",
        "https://github.com/me/nmc/actions",
        f"{colab}quick-tour-student.ipynb",
    ):
        assert f"]({address})" in found
    head = html.parse(str(toy.root / "_build/html/book/one.html")).getroot()
    assert head.xpath("//meta[@property='og:url']/@content") == [
        "https://me.github.io/nmc/book/one.html"
    ]
    lost = html.parse(str(toy.root / "_build/html/404.html")).getroot()
    assert lost.xpath("//head/base/@href") == ["https://me.github.io/nmc/"]
    first = lost.xpath("//head/*[self::base or self::link][1]")[0]
    assert first.tag == "base", "it comes before whatever it is the base of"


def test_the_site_holds_nothing_of_chapters_that_left(plain):
    toc = yaml.safe_load((plain.root / "_toc.yml").read_text())
    left = {**toc, "chapters": toc["chapters"][:1]}
    plain.write("book/one.md", (plain.root / "book/one.md").read_text().replace("(two.md)", ""))
    plain.write("_toc.yml", yaml.safe_dump(left))
    build(plain, str(plain.root / "tree"))
    assert not list((plain.root / "_build/html/book").rglob("two*"))


def test_one_chapter_is_run_and_rendered_without_the_others(toy):
    toy.chapter("two", "# Broken\n\n```{code-cell} ipython3\n1 / 0\n```\n")
    build(toy, toy.tree("tree", thickness=165), only="book/one")
    site = toy.root / "_build/one-page/_build/html/book"
    assert "the answer is" in (site / "one.html").read_text()
    assert not (site / "two.html").exists() and not (toy.root / "_build/html").exists()
