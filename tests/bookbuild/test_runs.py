"""A chapter runs once per content; whatever it depends on, when changed, runs it again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tools.bookbuild import BookError
from tools.bookbuild.execute import execute_stale
from tools.bookbuild.project import Project

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tools.bookbuild"]


def ran(book, source) -> set[str]:
    _, pages = execute_stale(Project(book.root), source)
    return {page.chapter.name for page in pages if page.fresh}


def text_of(book, source, name) -> str:
    _, pages = execute_stale(Project(book.root), source)
    page = next(page for page in pages if page.chapter.name == f"book/{name}")
    return "".join(
        output.get("text", "") for cell in page.notebook.cells for output in cell.get("outputs", [])
    )


@pytest.fixture
def tree(toy) -> str:
    return toy.tree("tree", thickness=165)


def test_whatever_changes_runs_what_it_touches_and_nothing_else(toy, tree):
    assert ran(toy, tree) == {"book/one", "book/two"}
    assert ran(toy, tree) == set(), "nothing changed, nothing runs"

    one = toy.root / "book/one.md"
    one.write_text(one.read_text().replace("One sentence.", "Another sentence."))
    assert ran(toy, tree) == set(), "prose is not code"
    one.write_text(one.read_text().replace("print(", "print('so', "))
    assert ran(toy, tree) == {"book/one"}, "the edited chapter alone"

    before = text_of(toy, tree, "two")
    toy.tree("tree", thickness=200)
    assert ran(toy, tree) == {"book/two"}, "only the chapter that read the changed file"
    assert text_of(toy, tree, "two") != before

    toy.write("helpers/toy.py", "def answer():\n    return 42\n")
    assert ran(toy, tree) == {"book/one", "book/two"}, "a helper touches every chapter"
    assert "answer is 42" in text_of(toy, tree, "one")

    other = toy.tree("other", thickness=1)
    assert ran(toy, other) == {"book/one", "book/two"}, "another source"
    assert text_of(toy, other, "two") != text_of(toy, tree, "two")

    toy.write("requirements.lock", "numpy==2.1\n")
    assert ran(toy, tree) == {"book/one", "book/two"}, "other pins"

    toy.write("requirements.lock", "numpy==2.0\n")
    assert ran(toy, tree) == set(), "going back is free"
    toy.write("helpers/toy.py", '"""A new docstring."""\n\n\ndef answer():\n    return 42  # so\n')
    toy.write("tools/build.py", "# a comment in the build's code\n")
    assert ran(toy, tree) == set(), "no comment changes an output"
    toy.chapter("three", "# New\n\n```{code-cell} ipython3\n3\n```\n")
    toy.write("_toc.yml", (toy.root / "_toc.yml").read_text() + "- file: book/three\n")
    assert ran(toy, tree) == {"book/three"}, "a new chapter alone"


def test_a_changed_answer_runs_the_chapter_that_checks_it_and_no_other(toy, tree):
    answers = """import toy
@toy.exercise("ex-one", "hint")
def _one():
    return 1
@toy.exercise("ex-two", "hint")
def _two():
    return 2
"""
    toy.write("helpers/toy.py", "def exercise(*_):\n    return lambda function: function\n")
    toy.write("book/answers/part.py", answers)
    for name in ("one", "two"):
        toy.chapter(name, f'# C\n\n```{{code-cell}} ipython3\n"ex-{name}"\n```\n')
    assert ran(toy, tree) == {"book/one", "book/two"}
    toy.write("book/answers/part.py", answers.replace("return 1", "return 1  # said again"))
    assert ran(toy, tree) == set()
    toy.write("book/answers/part.py", answers.replace("return 1", "return 10"))
    assert ran(toy, tree) == {"book/one"}
    toy.write("book/answers/part.py", answers.replace("import toy", "import toy, math"))
    assert ran(toy, tree) == {"book/one", "book/two"}, "what answers share"


@pytest.mark.parametrize("deaths, outcome", [(2, {"book/one"}), (9, BookError)])
def test_a_kernel_that_dies_before_the_first_cell_is_started_again(
    deaths, outcome, toy, tree, tmp_path, monkeypatch
):
    """As one does whose port somebody else took between its choice and its use."""
    starts, launcher = tmp_path / "starts", tmp_path / "kernel.py"
    launcher.write_text(
        "import os, sys\n"
        f"with open({str(starts)!r}, 'a+') as log:\n"
        "    log.write('x')\n"
        f"    if log.tell() <= {deaths}: sys.exit('Address already in use')\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'ipykernel_launcher', *sys.argv[1:]])"
    )
    kernel = {"argv": [sys.executable, str(launcher), "-f", "{connection_file}"]}
    toy.write("jupyter/kernels/python3/kernel.json", json.dumps({**kernel, "display_name": "P"}))
    monkeypatch.setenv("JUPYTER_PATH", str(toy.root / "jupyter"))
    toy.write("_toc.yml", (toy.root / "_toc.yml").read_text().replace("- file: book/two\n", ""))
    if outcome is BookError:
        with pytest.raises(BookError, match="Kernel died"):
            ran(toy, tree)
    else:
        assert ran(toy, tree) == outcome
    assert len(starts.read_text()) == 3


def test_a_file_that_has_gone_is_noticed(toy, tree):
    ran(toy, tree)
    next((toy.root / "tree").rglob("layer_download.json")).unlink()
    with pytest.raises(BookError, match="book/two"):
        ran(toy, tree)


def test_a_file_that_a_chapter_makes_and_removes_does_not_run_it_again(toy, tree):
    made = (
        "import tempfile\nfrom pathlib import Path\n\nimport nmc\n\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    own = Path(folder, nmc.data.registry.item('sheet/layers').path)\n"
        "    own.parent.mkdir(parents=True)\n"
        '    marker = \'{"origin": "own", "invented": true}\'\n'
        "    Path(folder, 'nmc-tree.json').write_text(marker)\n"
        "    own.write_text(nmc.fetch('sheet/layers').read_text() + ' ')\n"
        "    nmc.fetch('sheet/layers', source=folder)\n"
    )
    text = (toy.root / "book/two.md").read_text()
    toy.chapter("two", f"{text}\n\n```{{code-cell}} ipython3\n{made}```\n")
    assert "book/two" in ran(toy, tree)
    assert ran(toy, tree) == set()


def test_a_broken_hidden_assert_is_an_error_with_the_chapters_name(toy, tree):
    toy.chapter("one", (toy.root / "book/one.md").read_text().replace("> 0", "> 100"))
    with pytest.raises(BookError, match=r"(?s)book/one\.md failed.*AssertionError"):
        ran(toy, tree)
    assert ran_again_fails(toy, tree), "a failure is never taken from the store"


def test_a_failure_is_told_while_other_chapters_still_run(toy, tree, monkeypatch):
    """The second chapter waits for a file that is written when the first one's failure is told."""
    told = toy.root / "told"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(told)!r}).exists(): time.sleep(0.1)"
    toy.chapter("one", "# One\n\n```{code-cell} ipython3\n1 / 0\n```\n")
    toy.chapter("two", f"# Two\n\n```{{code-cell}} ipython3\n{wait}\n```\n")

    def say(line: str) -> None:
        if "ZeroDivisionError" in line and "book/one.md" in line:
            told.touch()

    monkeypatch.setattr("click.echo", say)
    with pytest.raises(BookError, match=r"(?s)book/one\.md failed.*ZeroDivisionError"):
        execute_stale(Project(toy.root), tree)
    assert told.exists()


def test_a_build_that_is_ended_ends_its_chapters(toy, tree):
    started, mark = toy.root / "started", "sleep(612.5)"
    code = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(612.5)"
    child = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.{mark}'])"
    )
    toy.chapter("one", f"# One\n\n```{{code-cell}} ipython3\n{child}\n{code}\n```\n")
    command = [*COMMAND, "--root", str(toy.root), "book", "--source", tree, "--jobs", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as build:
        while not started.exists():
            assert build.poll() is None
            time.sleep(0.1)
        family = psutil.Process(build.pid).children(recursive=True)
        assert any(mark in " ".join(one.cmdline()) for one in family)
        build.terminate()
        assert build.wait(timeout=20) == 128 + signal.SIGTERM
    gone, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def test_a_second_build_waits_for_the_first_and_says_so(toy, tree):
    started, go_on = toy.root / "started", toy.root / "go-on"
    code = (
        f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\n"
        f"while not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.1)"
    )
    toy.chapter("one", f"# One\n\n```{{code-cell}} ipython3\n{code}\n```\n")
    command = [*COMMAND, "--root", str(toy.root)]
    pipes = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with (
        subprocess.Popen([*command, "book", "--source", tree], **pipes) as first,
        subprocess.Popen([*command, "book", "--help"], **pipes) as asked,
    ):
        while not started.exists():
            assert first.poll() is None
            time.sleep(0.1)
        assert asked.wait(timeout=60) == 0, "help is no build"
        with subprocess.Popen(
            [*command, "chapter", "book/one", "--source", tree], **pipes
        ) as second:
            assert "Another build is at work" in second.stdout.readline()
            time.sleep(1)
            assert second.poll() is None
            go_on.touch()
            told = second.communicate(timeout=300)[0]
        assert first.wait(timeout=300) == 0, first.stdout.read()
    assert second.returncode == 0, told
    assert "1 chapters, 0 to run" in told, "what the first build ran is there"


def ran_again_fails(toy, tree) -> bool:
    try:
        ran(toy, tree)
    except BookError:
        return True
    return False


def run_book(toy, source) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*COMMAND, "--root", str(toy.root), "book", "--source", source],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )


def test_the_page_follows_the_helper_and_a_broken_assert_turns_the_build_red(toy, tree):
    done = run_book(toy, tree)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the answer is 41" in toy.page("one")
    first_sheet = toy.page("two")

    toy.write("helpers/toy.py", "def answer():\n    return 43\n")
    toy.tree("tree", thickness=300)
    assert run_book(toy, tree).returncode == 0
    assert "the answer is 43" in toy.page("one")
    assert toy.page("two") != first_sheet

    toy.write("helpers/toy.py", "def answer():\n    return -1\n")
    done = run_book(toy, tree)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr and "book/one.md" in done.stderr
    assert done.stderr.splitlines()[-1] == "1 of 2 chapters failed: book/one"


def test_a_warning_of_the_book_is_an_error(toy, tree):
    toy.chapter("one", "# One\n\nSee {ref}`no-such-label`.\n\n```{code-cell} ipython3\n1\n```\n")
    done = run_book(toy, tree)
    assert done.returncode == 1
    assert "no-such-label" in done.stderr
