"""Downloaded notebooks are plain, run as they are, and have a place for each answer."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

from tools.bookbuild.notebooks import plain_notebook
from tools.bookbuild.project import Chapter, Project

PROJECT = Project(Path(__file__).resolve().parents[2])
#: What Jupyter Book understands and a notebook shows as it is typed.
MYST = re.compile(r"^:{3}|^\([\w-]+\)=|\{[\w:-]+\}`|^:[\w-]+:|^% |\(eq-", re.MULTILINE)
BODY = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

(a-label)=
# Title

:::{admonition} At a glance
:class: at-a-glance

**You need** {term}`patience <patience>` and [the terms](../data-terms.md).
:::

```{code-cell} ipython3
---
mystnb:
  figure: {name: fig-one, caption: "A figure of {cite:t}`markram2015`."}
tags: [hide-input]
---
import nmc
```

$$
x
$$ (eq-x)

:::{quiz} Is `a < b`?
- [x] Yes.
  *Always*, by `sort`.
- [ ] No.
  Look again.
:::

:::{exercise-start}
:label: ex-meet-name
:::
How is it called?
Answer as a name: `nmc.check("ex-meet-name", answer)`.
:::{exercise-end}
:::

:::{solution-start} ex-meet-name
:class: dropdown
:::
As follows.
```{code-cell} ipython3
nmc.check("ex-meet-name", "L23_LBC_cSTUT")
```
Hence so.
:::{solution-end}
:::

:::{exercise-start}
:label: ex-two
:::
Why?
Answer as a sentence.
:::{exercise-end}
:::

:::{solution-start} ex-two
:class: dropdown
:::
Because.
:::{solution-end}
:::

## Next

```{code-cell} ipython3
:tags: [remove-cell]
assert True
```
"""
CHAPTER = Chapter("book/part/x", BODY)


def text_of(notebook) -> str:
    return "\n".join(cell.source for cell in notebook.cells)


def cells_of(notebook, kind: str) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def test_a_student_finds_the_exercise_and_a_place_to_answer_but_no_solution():
    notebook = plain_notebook(CHAPTER, PROJECT, solutions=False)
    text = text_of(notebook)
    for shown in (
        "### Exercise 1\n\nHow is it called?",
        "**Your answer to exercise 2**",
        "## Next",
    ):
        assert shown in text
    for hidden in ("As follows", "L23_LBC", "Hence so", "Because", "assert True", "olution"):
        assert hidden not in text


def test_a_reader_finds_the_solutions_as_well():
    text = text_of(plain_notebook(CHAPTER, PROJECT, solutions=True))
    assert "**Solution**" in text and "Hence so." in text and "Your answer" not in text


def test_boxes_terms_captions_and_links_are_plain():
    text = text_of(plain_notebook(CHAPTER, PROJECT, solutions=False))
    assert "> **At a glance**\n>\n> **You need** patience and *the terms*." in text
    assert "*Figure: A figure of [Markram et al., 2015](https://doi.org/" in text
    assert "$$\nx\n$$" in text


def test_quick_questions_unfold_without_a_script():
    text = text_of(plain_notebook(CHAPTER, PROJECT, solutions=False))
    assert "Is <code>a &lt; b</code>?" in text
    why = "<strong>Right.</strong> <em>Always</em>, by <code>sort</code>."
    assert f'class="right"><summary>Yes.</summary><p>{why}</p></details>' in text
    assert "<summary>No.</summary><p><strong>No.</strong> Look again.</p></details>" in text


def test_links_lead_to_the_site_where_there_is_one(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nurls = {Documentation = "https://book.example/", Repository = "https://a.example"}'
    )
    notebook = plain_notebook(CHAPTER, Project(tmp_path), solutions=False)
    assert "[the terms](https://book.example/book/data-terms.html)" in text_of(notebook)
    assert "git+https://a.example" in notebook.cells[0].source


def test_the_first_cell_says_what_to_install_and_does_nothing():
    first = plain_notebook(CHAPTER, PROJECT, solutions=False).cells[0]
    assert first.cell_type == "code" and "%pip install" in first.source
    assert all(line.startswith("#") for line in first.source.splitlines())


@pytest.mark.parametrize(
    "answer, points", [("...", "0.0"), ('"L23_LBC"', "0.0"), ('"L23_LBC_cSTUT"', "1.0")]
)
def test_it_runs_as_it_is_and_a_right_answer_gives_a_point(answer, points, monkeypatch, tmp_path):
    """An nbgrader cell that puts out a number, and no error, is worth that number."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = plain_notebook(CHAPTER, PROJECT, solutions=False)
    place, graded = (c for c in notebook.cells if "ex-meet-name" in str(c.metadata))
    place.source = place.source.replace("...", answer)
    by_file = AsyncKernelManager(transport="ipc", ip=str(tmp_path / "kernel"))  # no port to lose
    NotebookClient(notebook, timeout=120, km=by_file).execute()
    (said,) = [one for one in graded.outputs if one.output_type == "execute_result"]
    assert said["data"]["text/plain"] == points


@pytest.mark.parametrize("chapter", PROJECT.chapters, ids=lambda chapter: chapter.name)
def test_a_chapters_notebooks_are_plain_and_graded(chapter):
    labels = re.findall(r"^:label: (ex-[\w-]+)$", chapter.text, re.MULTILINE)
    for solutions in (True, False):
        notebook = plain_notebook(chapter, PROJECT, solutions=solutions)
        nbformat.validate(notebook)
        assert MYST.findall("\n".join(cell.source for cell in cells_of(notebook, "markdown"))) == []
    graded = [c.metadata["nbgrader"] for c in notebook.cells if "nbgrader" in c.metadata]
    assert [one["grade_id"] for one in graded if one["solution"]] == labels
    assert sum(one.get("points", 0) for one in graded) == len(labels)
    assert len({one["grade_id"] for one in graded}) == len(graded)
