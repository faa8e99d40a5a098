"""The commands of the build, as the Makefile calls them."""

import os

import pytest
from click.testing import CliRunner

from tools.bookbuild.__main__ import main


@pytest.fixture
def at_the_books_folder(toy, monkeypatch):
    monkeypatch.chdir(toy.root)
    return toy


def call(*words):
    return CliRunner().invoke(main, words, env=dict(os.environ))


def test_a_folder_beside_the_book_is_a_source_by_its_relative_path(at_the_books_folder):
    at_the_books_folder.tree("tree", thickness=165)
    done = call("memory", "--source", "tree")
    assert done.exit_code == 0, done.output


def test_a_source_that_does_not_exist_is_refused_before_anything_runs(at_the_books_folder):
    done = call("book", "--source", "no/such/tree")
    assert done.exit_code == 2
    assert "no/such/tree" in done.output and "to run" not in done.output
