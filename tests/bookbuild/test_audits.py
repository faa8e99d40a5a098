"""The long audits find what they are for: a run that is not repeatable, a chapter too large."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from nbformat import v4

from tools.bookbuild import BookError
from tools.bookbuild.__main__ import build_twice, differences, main
from tools.bookbuild.project import Project

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
    return build_twice(Project(toy.root), toy.tree("tree", thickness=165))


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
def test_two_runs_that_agree_pass(toy):
    assert [page.chapter.name for page in twice(toy)] == ["book/one", "book/two"]


@slow
def test_a_cell_that_says_something_else_each_time_is_named(toy):
    toy.chapter("one", CELL.format(code="import secrets; print(secrets.token_hex())"))
    with pytest.raises(BookError, match="book/one: code cell 1"):
        twice(toy)


@slow
def test_what_the_first_run_kept_is_made_again_by_the_second(toy):
    toy.chapter("one", CELL.format(code=KEEPING))
    with pytest.raises(BookError, match="book/one: code cell 1"):
        twice(toy)


@slow
def test_a_chapter_over_the_limit_of_memory_is_named(toy):
    code = "held = bytearray(600 * 2**20); held[::4096] = b'x' * len(held[::4096])\n"
    toy.chapter("one", CELL.format(code=code + "import time; time.sleep(2)"))
    words = ["--root", str(toy.root), "memory", "--source", toy.tree("tree", 165)]
    with pytest.raises(BookError, match=r"book/one\.md held 0\.[67]\d* GB"):
        main([*words, "--limit-gb", "0.5"], standalone_mode=False)
    assert CliRunner().invoke(main, [*words, "--limit-gb", "2"]).exit_code == 0
