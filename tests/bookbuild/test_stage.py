"""What readers get besides the chapters: header, buttons, generated tables, notebooks."""

from __future__ import annotations

import json

import nbformat
import pytest
import yaml
from bookbuild.api_pages import api_reference
from bookbuild.book import execute_stale
from bookbuild.project import Project
from bookbuild.render import render
from bookbuild.stage import stage
from lxml import html


@pytest.fixture
def build(toy):
    tree = toy.tree("tree", thickness=165)

    def build():
        project = Project(toy.root)
        pages = execute_stale(project, tree, say=lambda line: None)
        stage(project, pages, tree)
        render(project)
        return html.fromstring(toy.page("one"))

    return build


def links_of(page) -> list[str]:
    return [link for link in page.xpath("//a/@href") if link.startswith("http")]


def test_without_a_repository_no_button_leads_to_one(build):
    page = build()
    assert not [link for link in links_of(page) if "example" in link or "mybinder" in link]
    assert not page.xpath("//*[contains(@class, 'btn-launch') or contains(@class, 'source-edit')]")


def test_with_a_repository_each_page_is_launched_edited_and_reported(toy, build):
    config = toy.root / "_config.yml"
    config.write_text(config.read_text().replace('url: ""', 'url: "https://github.com/me/nmc"'))
    links = links_of(build())
    assert "https://github.com/me/nmc/edit/main/book/one.md" in links
    binder = "https://mybinder.org/v2/gh/me/nmc/main?urlpath=lab/tree/book/one.md"
    assert binder in links
    assert any(link.startswith("https://github.com/me/nmc/issues/new") for link in links)


def test_the_header_names_source_and_date_and_the_foot_the_citation(build):
    page = build()
    header = page.xpath("string(//*[contains(@class, 'bd-header-announcement')])")
    assert "tree" in header and "partly invented" in header and "built 20" in header
    foot = page.xpath("string(//footer[@class='page-tools'])")
    assert "Cite this page" in foot and "Ask the helper" in foot


def test_both_notebooks_can_be_downloaded(toy, build):
    links = build().xpath("//footer[@class='page-tools']//a/@href")
    files = [(toy.root / "_build/html/book" / link).resolve() for link in links]
    assert [file.name for file in files] == ["one-student.ipynb", "one.ipynb"]
    for file in files:
        nbformat.validate(json.loads(file.read_text()))


def test_a_page_that_does_not_exist_gets_an_answer(toy, build):
    build()
    missing = html.parse(str(toy.root / "_build/html/404.html")).getroot()
    assert "does not exist" in missing.text_content()


def test_the_stage_holds_nothing_of_chapters_that_left(toy, build):
    build()
    toc = yaml.safe_load((toy.root / "_toc.yml").read_text())
    toc["chapters"].pop()
    toy.write("_toc.yml", yaml.safe_dump(toc))
    build()
    assert not list((toy.root / "_build/stage").rglob("two*"))


def test_the_api_reference_has_every_public_call_with_its_parameters():
    import nmc

    text = api_reference()
    for name in nmc._PUBLIC:
        assert f"### {name}\n" in text, name
    assert "nmc.fetch(key" in text and "**Raises**" in text
