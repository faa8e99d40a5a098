"""The commands of the build, as the Makefile calls them."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from nmc.cli.files import READ_BY_CHAPTERS

from tools.bookbuild.__main__ import main


@pytest.fixture
def at_the_books_folder(toy, monkeypatch):
    monkeypatch.chdir(toy.root)
    return toy


def call(*words):
    return CliRunner().invoke(main, words, env=dict(os.environ))


def test_a_folder_beside_the_book_is_a_source_by_its_relative_path(at_the_books_folder):
    at_the_books_folder.tree("tree", thickness=165)
    listed = f"helpers/nmc/cli/{READ_BY_CHAPTERS}"
    at_the_books_folder.write(listed, "chapter,key\n")
    done = call("reads", "--source", "tree")
    assert done.exit_code == 1 and "1 files more" in done.output, done.output
    assert "book/two,sheet/layers" in Path(listed).read_text()
    assert call("reads", "--source", "tree").exit_code == 0


def test_a_source_that_does_not_exist_is_refused_before_anything_runs(at_the_books_folder):
    done = call("book", "--source", "no/such/tree")
    assert done.exit_code == 2
    assert "no/such/tree" in done.output and "to run" not in done.output
