"""Notebooks for download: plain Markdown and code, as any notebook shows them.

Boxes become quotations, terms and citations words, captions text below the figure; a solution
becomes a place for the student's answer, marked for nbgrader.
"""

import json
import re
from posixpath import dirname, join, normpath

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools.bookbuild.pages import QUIZ, References, quiz_box, short_references
from tools.bookbuild.project import Chapter, Project, number_cells

#: The first cell, which does nothing until somebody takes its marks away.
_INSTALL = """\
# Where the package is not installed yet, as in Colab, remove the # of the lines that follow.
# %pip install --quiet "nmc[analysis,neuroml] @ git+{repository}"
# !git clone --quiet --depth 1 {repository} nmc-book
# %env NMC_ANSWERS=nmc-book/book/answers"""

#: Exercises and solutions from their first mark to their last.
_EXERCISE = re.compile(
    r"^:::\{exercise-start\}\n:label: (?P<label>[\w-]+)\n:::\n"
    r"(?P<body>(?:.*\n)*?):::\{exercise-end\}\n:::$",
    re.MULTILINE,
)
_SOLUTION = re.compile(
    r"^:::\{solution-start\} (?P<label>[\w-]+)\n(?::class: .*\n)?:::\n"
    r"(?P<body>(?:.*\n)*?):::\{solution-end\}\n:::$",
    re.MULTILINE,
)
_BOX = re.compile(
    r"^(?P<fence>:{3,})\{(?!grid\})[\w-]+\}[ ]*(?P<title>.*)\n"
    r"(?P<body>(?:.*\n)*?)(?P=fence)[ \t]*$",
    re.MULTILINE,
)
#: Labels, comments, and what is left of boxes in boxes.
_NOT_SHOWN = re.compile(r"^(\([\w-]+\)=|% .*|:{3,}(\{grid\}.*)?|:[\w-]+: .*)$\n?", re.MULTILINE)
_CHECK = re.compile(r"`(nmc\.check\([^`]*\))`")


def plain_notebook(chapter: Chapter, project: Project, *, solutions: bool) -> NotebookNode:
    """Return a chapter as a notebook for readers, or without solutions for students."""
    statements = {one["label"]: one["body"] for one in _EXERCISE.finditer(chapter.text)}
    numbers = {label: number for number, label in enumerate(statements, 1)}

    def exercise(found: re.Match) -> str:
        return f"+++\n\n### Exercise {numbers[found['label']]}\n\n{found['body']}\n+++\n"

    def solution(found: re.Match) -> str:
        if solutions:
            return f"**Solution**\n\n+++\n\n{found['body']}\n+++\n"
        label = found["label"]
        return _place_to_answer(label, numbers[label], _CHECK.search(statements[label]))

    text = _SOLUTION.sub(solution, _EXERCISE.sub(exercise, chapter.text))
    notebook = Chapter(chapter.name, text).notebook()
    words = _Words(chapter.name, project)
    repository = project.urls.get("Repository", "ADDRESS-OF-THE-REPOSITORY")
    cells = [new_code_cell(_INSTALL.format(repository=repository))]
    for cell in notebook.cells:
        looks = cell.metadata.pop("mystnb", {})
        if cell.cell_type == "markdown":
            cells.append(new_markdown_cell(words.plain(cell.source)))
        elif "remove-cell" not in cell.metadata.get("tags", []):
            cells.append(cell)
        if caption := looks.get("figure", {}).get("caption"):
            told = words.written_out(" ".join(caption.split()))
            cells.append(new_markdown_cell(f"*Figure: {told}*"))
    notebook.cells = [cell for cell in cells if cell.source.strip()]
    notebook.metadata.pop("jupytext", None)
    return number_cells(notebook)


def _place_to_answer(label: str, number: int, check: re.Match | None) -> str:
    """Return cells to answer in: checked by the book itself, or graded by hand."""
    cells = f"+++\n\n**Your answer to exercise {number}**\n\n"
    if check is None:
        return cells + _graded_cell("# Your answer here", label, grade=True, solution=True)
    line = f"verdict = {check[1]}\ndisplay(verdict)\nfloat(bool(verdict))  # points"
    cells += _graded_cell("# Your code here\nanswer = ...", label, grade=False, solution=True)
    return cells + _graded_cell(line, f"{label}-check", grade=True, solution=False)


def _graded_cell(code: str, label: str, *, grade: bool, solution: bool) -> str:
    """Return a code cell with what nbgrader asks of it; one point an exercise."""
    points = {"points": 1} if grade else {}
    grading = {
        "cell_type": "code", "grade": grade, "grade_id": label, "locked": not solution,
        **points, "schema_version": 3, "solution": solution, "task": False,
    }  # fmt: skip
    return f"```{{code-cell}} ipython3\n:nbgrader: {json.dumps(grading)}\n{code}\n```\n\n"


class _Words:
    """A page's Markdown without what only the book understands."""

    def __init__(self, page: str, project: Project) -> None:
        self.folder, self.project = dirname(page), project
        self.references = short_references(project.root / "book/references.bib")

    def plain(self, text: str) -> str:
        """Return a cell's text: boxes as quotations, labels and comments left out."""
        text = _NOT_SHOWN.sub("", _BOX.sub(_quoted, QUIZ.sub(quiz_box, text)))
        return self.written_out(re.sub(r"\$\$ \(eq-[\w-]+\)", "$$", text)).strip()

    def written_out(self, text: str) -> str:
        """Write roles and links to other pages out."""
        text = re.sub(r"\{(cite:?\w*|term|ref|eq)\}`([^`]+)`", self._role, text)
        return re.sub(
            r"\[([^\]]+)\]\(([^():\s]+)\.md(#[^()\s]*)?\)",
            lambda link: self._link(link[1], normpath(join(self.folder, link[2]))), text,
        )  # fmt: skip

    def _role(self, match: re.Match) -> str:
        role, inside = match[1], match[2]
        if role.startswith("cite"):
            return _citation(inside, self.references, in_brackets=role != "cite:t")
        if role == "eq":
            return f"the equation *{inside.removeprefix('eq-').replace('-', ' ')}*"
        words, _, target = inside.removesuffix(">").partition(" <")
        if role == "ref":
            for page in self.project.documents.values():
                if found := re.search(rf"^\({target or words}\)=\n#+ (.+)$", page.text, re.M):
                    return self._link(words if target else found[1], page.name)
        return words

    def _link(self, words: str, page: str) -> str:
        """Link to a page where the book has a public address; else its words alone."""
        base = self.project.urls.get("Documentation", "").rstrip("/")
        return f"[{words}]({base}/{page}.html)" if base else f"*{words}*"


def _quoted(box: re.Match) -> str:
    """Turn a box into a quotation that begins with its title."""
    body = re.sub(r"^:[\w-]+:.*\n", "", box["body"], flags=re.M).strip()
    lines = [f"**{box['title'].strip()}**", "", *body.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _citation(keys: str, references: References, *, in_brackets: bool) -> str:
    known = (references.get(key.strip(), (key.strip(), "")) for key in keys.split(","))
    names = [f"[{name}]({address})" if address else name for name, address in known]
    return f"({'; '.join(names)})" if in_brackets else " and ".join(names)
