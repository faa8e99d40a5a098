"""Notebooks for download: plain Markdown and code, as any notebook shows them.

Boxes become quotations, terms and citations words, captions text below the figure; a solution
becomes a place for the student's answer, marked for nbgrader.
"""

import re
from pathlib import Path
from posixpath import dirname, join, normpath

import jupytext
from jupytext.config import load_jupytext_config
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tools.bookbuild.pages import QUIZ, References, quiz_box, short_references
from tools.bookbuild.project import Chapter, Project

#: The first cell, which does nothing until somebody takes its marks away.
_INSTALL = """\
# Where the package is not installed yet, as in Colab, remove the # of the lines that follow.
# %pip install --quiet "nmc[analysis,neuroml] @ git+{repository}"
# !git clone --quiet --depth 1 {repository} nmc-book
# %env NMC_ANSWERS=nmc-book/book/answers"""
_EDGE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<kind>exercise|solution)-(?P<end>start|end)\}[ ]*(?P<of>[\w-]*)\n"
    r"(?::(?:class|label): *(?P<label>[\w-]*)\n)*(?P=fence)[ \t]*\n?",
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
    writer = _Writer(chapter, project, solutions)
    notebook = chapter.notebook()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            writer.add_text(cell.source)
        elif not writer.hidden and "remove-cell" not in cell.metadata.get("tags", []):
            writer.add_code(cell)
    notebook.cells = writer.cells
    notebook.metadata.pop("jupytext", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def in_layout(path: Path) -> str:
    """Return a chapter's text as JupyterLab saves it: header, cells' settings, blank lines."""
    notebook = jupytext.reads(path.read_text("utf-8"), "md:myst")
    notebook.metadata["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    for cell in notebook.cells:
        looks = cell.metadata.get("mystnb", {})
        for place, name in (("figure", "caption"), ("image", "alt")):
            if name in looks.get(place, {}):  # on one line, which YAML folds by itself
                looks[place][name] = " ".join(looks[place][name].split())
    return jupytext.writes(notebook, "md:myst", config=load_jupytext_config(str(path)))


class _Writer:
    """The cells written so far, and where in the chapter the next one stands."""

    def __init__(self, chapter: Chapter, project: Project, solutions: bool) -> None:
        self.chapter, self.project, self.solutions = chapter, project, solutions
        self.references = short_references(project.root / "book/references.bib")
        repository = project.urls.get("Repository", "ADDRESS-OF-THE-REPOSITORY")
        self.cells = [new_code_cell(_INSTALL.format(repository=repository))]
        self.hidden = False
        self.exercises, self.heading, self.statement = 0, "", ""

    def add_code(self, cell: NotebookNode) -> None:
        """Add a code cell, and its figure's caption below it."""
        looks = cell.metadata.pop("mystnb", {})
        self.cells.append(cell)
        if caption := looks.get("figure", {}).get("caption"):
            self._add(f"*Figure: {self._words(' '.join(caption.split()))}*")

    def add_text(self, text: str) -> None:
        """Add a Markdown cell of the chapter, cut at the edges of exercises and solutions."""
        while edge := _EDGE.search(text):
            self._add(text[: edge.start()])
            text = text[edge.end() :]
            self._pass(edge["kind"], edge["end"], edge["of"] or edge["label"])
        self._add(text)

    def _pass(self, kind: str, end: str, label: str) -> None:
        """Go over the edge of an exercise or a solution."""
        if (kind, end) == ("exercise", "start"):
            self.exercises += 1
            self.heading = f"### Exercise {self.exercises}\n\n"
        elif (kind, end) == ("solution", "end"):
            self.hidden = False
        elif kind == "solution" and self.solutions:
            self._add("**Solution**")
        elif kind == "solution":
            self._add_place(label)
            self.hidden = True

    def _add_place(self, label: str) -> None:
        """Add a place to answer in: checked by the book itself, or graded by hand."""
        check = _CHECK.search(self.statement)
        self._add(f"**Your answer to exercise {self.exercises}**")
        place = new_code_cell("# Your code here\nanswer = ..." if check else "# Your answer here")
        place.metadata["nbgrader"] = _grading(label, grade=not check, solution=True)
        self.cells.append(place)
        if check:
            line = f"verdict = {check[1]}\ndisplay(verdict)\nfloat(bool(verdict))  # points"
            test = new_code_cell(line)
            test.metadata["nbgrader"] = _grading(f"{label}-check", grade=True, solution=False)
            self.cells.append(test)

    def _add(self, text: str) -> None:
        """Add plain Markdown, unless it is empty or hidden."""
        if self.hidden or not text.strip():
            return
        self.statement = text
        self.cells.append(new_markdown_cell(self.heading + self._plain(text)))
        self.heading = ""

    def _plain(self, text: str) -> str:
        text = _NOT_SHOWN.sub("", _BOX.sub(_quoted, QUIZ.sub(quiz_box, text)))
        return self._words(re.sub(r"\$\$ \(eq-[\w-]+\)", "$$", text)).strip()

    def _words(self, text: str) -> str:
        """Write roles and links to other pages out."""
        text = re.sub(r"\{(cite:?\w*|term|ref|eq)\}`([^`]+)`", self._role, text)
        here = dirname(self.chapter.name)
        return re.sub(
            r"\[([^\]]+)\]\(([^():\s]+)\.md(#[^()\s]*)?\)",
            lambda link: self._address(link[1], normpath(join(here, link[2]))), text,
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
                    title = words if target else found[1]
                    return self._address(title, page.name)
        return words

    def _address(self, words: str, page: str) -> str:
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


def _grading(label: str, *, grade: bool, solution: bool) -> dict:
    """Return what nbgrader asks of a cell; one point an exercise."""
    points = {"points": 1} if grade else {}
    return {
        "cell_type": "code", "grade": grade, "grade_id": label, "locked": not solution,
        **points, "schema_version": 3, "solution": solution, "task": False,
    }  # fmt: skip
