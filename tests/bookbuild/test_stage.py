"""What readers get besides the chapters: header, buttons, generated tables, notebooks."""

from __future__ import annotations

import json
from dataclasses import replace

import nbformat
import pytest
import yaml
from bookbuild.api_pages import api_reference
from bookbuild.book import execute_stale
from bookbuild.generated import relink
from bookbuild.project import Project
from bookbuild.render import render
from bookbuild.stage import stage
from lxml import html


def build(book, source):
    project = Project(book.root)
    pages = execute_stale(project, source, say=lambda line: None)
    stage(project, pages, source)
    render(project)
    return html.fromstring(book.page("one"))


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
    assert not [link for link in links if "github" in link or "mybinder" in link]


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


def test_a_page_that_does_not_exist_gets_an_answer(plain):
    missing = html.parse(str(plain.root / "_build/html/404.html")).getroot()
    assert "does not exist" in missing.text_content()


def test_with_a_repository_each_page_is_launched_edited_and_reported(toy):
    config = toy.root / "_config.yml"
    text = config.read_text().replace('baseurl: ""', 'baseurl: "https://me.github.io/nmc"')
    config.write_text(text.replace(' url: ""', ' url: "https://github.com/me/nmc"'))
    links = links_of(build(toy, toy.tree("tree", thickness=165)))
    assert "https://github.com/me/nmc/edit/main/book/one.md" in links
    assert "https://mybinder.org/v2/gh/me/nmc/main?urlpath=lab/tree/book/one.md" in links
    assert any(link.startswith("https://github.com/me/nmc/issues/new") for link in links)
    head = html.parse(str(toy.root / "_build/html/book/one.html")).getroot()
    assert head.xpath("//meta[@property='og:url']/@content") == [
        "https://me.github.io/nmc/book/one.html"
    ]
    lost = html.parse(str(toy.root / "_build/html/404.html")).getroot()
    assert lost.xpath("//head/base/@href") == ["https://me.github.io/nmc/"]
    first = lost.xpath("//head/*[self::base or self::link][1]")[0]
    assert first.tag == "base", "it comes before whatever it is the base of"


def test_the_stage_holds_nothing_of_chapters_that_left(plain):
    project, source = Project(plain.root), str(plain.root / "tree")
    pages = execute_stale(project, source, say=lambda line: None)
    left = stage(replace(project, build_name="_build/other"), pages, source)
    assert (left / "book/two.ipynb").is_file()
    toc = yaml.safe_load((plain.root / "_toc.yml").read_text())
    toc["chapters"].pop()
    plain.write("_toc.yml", yaml.safe_dump(toc))
    without = replace(Project(plain.root), build_name="_build/other")
    stage(without, [page for page in pages if page.chapter.name != "book/two"], source)
    assert not list(left.rglob("two*"))


@pytest.mark.parametrize(
    "link, staged",
    [
        ("[a](two.md)", "[a](two.ipynb)"),
        ("[a](../index.md#top)", "[a](../index.md#top)"),
        ("[a](../other/three.md#part)", "[a](../other/three.ipynb#part)"),
        ("[a](https://example.org/two.md)", "[a](https://example.org/two.md)"),
    ],
)
def test_links_to_chapters_follow_them_to_the_stage(link, staged):
    executed = {"book/part/two", "book/other/three"}
    assert relink(f"See {link}.", "book/part/one", executed) == f"See {staged}."


def test_the_api_reference_has_every_public_call_with_its_parameters():
    import nmc

    text = api_reference()
    for name in nmc._PUBLIC:
        assert f"### {name}\n" in text, name
    assert "nmc.fetch(key" in text and "**Raises**" in text
