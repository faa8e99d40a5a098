"""The book's chapters say the same each time and fit a small machine; audits find what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from audits import differences, large_chapters, run_twice
from nbformat import v4

from tools.bookbuild.project import Project

BOOK = Project(Path(__file__).resolve().parents[2])
slow = pytest.mark.slow

CELL = "# Say it\n\n```{{code-cell}} ipython3\n{code}\n```\n"
#: Keeps its first answer in the data cache, as long results are kept.
KEEPING = """import secrets
from nmc.data.files import cache_folder
kept = cache_folder() / "kept.txt"
if not kept.exists():
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(secrets.token_hex())
print(kept.read_text())"""


def twice(toy):
    return run_twice(Project(toy.root), toy.tree("tree", thickness=165))


def notebook(*outputs):
    return v4.new_notebook(cells=[v4.new_code_cell("…", outputs=list(outputs))])


def printed(text, name="stdout"):
    return v4.new_output("stream", text=text, name=name)


def drawn(text):
    return v4.new_output("display_data", data={"text/plain": text})


def test_text_that_comes_in_pieces_is_the_same_text():
    whole, pieces = printed("one\ntwo\n"), (printed("one\n"), printed("two\n"))
    assert differences(notebook(whole, drawn("x")), notebook(*pieces, drawn("x"))) == []
    assert differences(notebook(whole), notebook(pieces[0])) == [1]
    assert differences(notebook(whole, drawn("x")), notebook(whole, drawn("y"))) == [1]
    assert differences(notebook(pieces[0], drawn("x")), notebook(drawn("x"), pieces[0])) == [1]
    assert differences(notebook(whole, printed("3 s", "stderr")), notebook(whole)) == []


@slow
def test_every_chapter_of_the_book_says_the_same_twice():
    assert run_twice(BOOK, "sample") == []


@slow
def test_every_chapter_of_the_book_fits_two_gigabytes():
    assert large_chapters(BOOK, "sample", limit_gb=2.0) == []


@slow
def test_two_runs_that_agree_pass(toy):
    assert twice(toy) == []


@slow
def test_a_cell_that_says_something_else_each_time_is_named(toy):
    toy.chapter("one", CELL.format(code="import secrets; print(secrets.token_hex())"))
    assert twice(toy) == ["book/one: code cell 1"]


@slow
def test_what_the_first_run_kept_is_made_again_by_the_second(toy):
    toy.chapter("one", CELL.format(code=KEEPING))
    assert twice(toy) == ["book/one: code cell 1"]


@slow
def test_a_chapter_over_the_limit_of_memory_is_named(toy):
    code = "held = bytearray(600 * 2**20); held[::4096] = b'x' * len(held[::4096])\n"
    toy.chapter("one", CELL.format(code=code + "import time; time.sleep(2)"))
    project, tree = Project(toy.root), toy.tree("tree", 165)
    (found,) = large_chapters(project, tree, limit_gb=0.5)
    assert found.startswith(("book/one held 0.6", "book/one held 0.7"))
    assert large_chapters(project, tree, limit_gb=2.0) == []
