"""Where the book's files lie, what a chapter is, and what its outputs depend on."""

import ast
import json
import platform
import tomllib
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import yaml
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from nbformat import NotebookNode
from nmc.code_hash import syntax_hash
from nmc.data.files import sha256_of
from sphinx_external_toc.parsing import parse_toc_yaml

from tools.bookbuild import BookError

#: Tags that change what a cell does when it runs; all others are only about its looks.
RUNNING_TAGS = ("raises-exception", "skip-execution")
#: Below ``helpers/``: what no chapter runs, and what Python or a file manager leaves behind.
_NOT_RUN = {"cli", "__main__.py", "py.typed", "__pycache__", ".ipynb_checkpoints"}
_MARKDOWN = MdParserConfig(enable_extensions={"colon_fence", "dollarmath", "amsmath", "deflist"})


@dataclass(frozen=True)
class Chapter:
    """One page of the book: path without suffix, Markdown, hash of its answers' code."""

    name: str
    text: str
    answers: str = ""

    @property
    def runs(self) -> bool:
        """Whether the page holds code cells."""
        return "```{code-cell}" in self.text

    @cached_property
    def _parsed(self) -> NotebookNode:
        """The page as a notebook without outputs, as Jupyter Book reads it."""
        notebook = read_myst_markdown_notebook(self.text, _MARKDOWN)
        notebook.metadata.setdefault(
            "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
        )
        notebook.nbformat, notebook.nbformat_minor = 4, 5
        return number_cells(notebook)

    @property
    def cells(self) -> list[NotebookNode]:
        """Every cell, as Jupyter Book reads the page."""
        return self._parsed.cells

    @property
    def code(self) -> list[NotebookNode]:
        """The code cells, in order."""
        return code_cells(self._parsed)

    def notebook(self) -> NotebookNode:
        """Return the page as a new notebook without outputs; the same text, the same bytes."""
        return deepcopy(self._parsed)

    @cached_property
    def code_hash(self) -> str:
        """Hash of what runs; prose, captions and looks are not part of it."""
        cells = [
            (cell.source, [tag for tag in cell.metadata.get("tags", []) if tag in RUNNING_TAGS])
            for cell in self.code
        ]
        return sha256(json.dumps([cells, self.answers]).encode()).hexdigest()

    def with_outputs(self, executed: NotebookNode) -> NotebookNode:
        """Return this page's notebook with the outputs of an earlier run of the same code."""
        notebook = self.notebook()
        for cell, done in zip(code_cells(notebook), code_cells(executed), strict=True):
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
        notebook.metadata["language_info"] = executed.metadata.get("language_info", {})
        return notebook


@dataclass(frozen=True)
class Project:
    """A book's folder, with ``_toc.yml``; every other place follows from it."""

    root: Path
    runs_name: str = ".cache/notebooks"
    build_name: str = "_build"

    @property
    def runs(self) -> Path:
        """Executed chapters: one folder for each state of what all of them depend on."""
        return self.root / self.runs_name

    @property
    def build(self) -> Path:
        """What is generated for readers."""
        return self.root / self.build_name

    @property
    def html(self) -> Path:
        """The built site."""
        return self.build / "html"

    @cached_property
    def config(self) -> dict:
        """``_config.yml`` as a dictionary."""
        return yaml.safe_load((self.root / "_config.yml").read_text("utf-8"))

    @cached_property
    def urls(self) -> dict[str, str]:
        """The public addresses that ``pyproject.toml`` gives, by name; none before publication."""
        path = self.root / "pyproject.toml"
        text = path.read_text("utf-8") if path.is_file() else ""
        return tomllib.loads(text).get("project", {}).get("urls", {})

    @cached_property
    def toc(self) -> dict:
        """``_toc.yml`` as a dictionary."""
        return yaml.safe_load((self.root / "_toc.yml").read_text("utf-8"))

    @cached_property
    def pages(self) -> list[str]:
        """Every page of the table of contents, in order, without suffix."""
        return list(parse_toc_yaml(self.root / "_toc.yml"))

    @cached_property
    def documents(self) -> dict[str, Chapter]:
        """Every Markdown page of the book, by name."""
        return {page: self.read(page) for page in self.pages}

    @cached_property
    def chapters(self) -> list[Chapter]:
        """The pages that hold code, in the book's order."""
        return [page for page in self.documents.values() if page.runs]

    def read(self, page: str) -> Chapter:
        """Read one page by its name."""
        path = self.root / f"{page}.md"
        if not path.is_file():
            raise BookError(f"_toc.yml names {page}, but there is no {page}.md.")
        text = path.read_text("utf-8")
        return Chapter(page, text, self._answers(text))

    def _answers(self, text: str) -> str:
        """Hash the code of the answers that a page's ``nmc.check`` calls compare with."""
        found = []
        for path in sorted((self.root / "book/answers").glob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            mine = [one for one in tree.body if any(f'"{name}"' in text for name in _labels(one))]
            if mine:
                shared = [one for one in tree.body if not _labels(one)]
                found += [ast.dump(one) for one in (*shared, *mine)]
        return sha256("".join(found).encode()).hexdigest() if found else ""


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return a notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def number_cells(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook, its cells named by their place: the same each time."""
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


def colab_address(urls: dict[str, str], page: str) -> str | None:
    """Return where Colab opens a chapter's notebook without solutions; it reads GitHub only."""
    place = urls.get("Repository", "").removeprefix("https://github.com/").strip("/")
    if not place or ":" in place:
        return None
    return f"https://colab.research.google.com/github/{place}/blob/notebooks/{page}-student.ipynb"


def _labels(node: ast.stmt) -> list[str]:
    """Return the exercises whose answer a definition computes."""
    return [
        str(call.args[0].value)
        for call in getattr(node, "decorator_list", [])
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant)
    ]


def code_tree_hash(folder: Path) -> str:
    """Hash names and contents of all files below a folder; of Python files the syntax counts."""
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        left_out = any(p in _NOT_RUN or p.endswith(".egg-info") for p in inside.parts)
        if path.is_file() and not left_out:
            code = path.suffix == ".py"
            content = syntax_hash(path.read_text("utf-8")) if code else sha256_of(path)
            digest.update(f"{inside.as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def source_identity(source: str) -> str:
    """Return the source with folders written out in full, so that a name means one tree."""
    trees = []
    for tree in source.split(","):
        path = Path(tree.strip()).expanduser()
        trees.append(str(path.resolve()) if path.is_dir() else tree.strip())
    return ",".join(trees)


def environment_hash(project: Project, source: str) -> str:
    """Hash everything but the chapter itself that decides what its cells put out."""
    parts = (
        source_identity(source),
        code_tree_hash(project.root / "helpers"),
        sha256_of(project.root / "requirements.lock"),
        platform.python_implementation() + platform.python_version(),
    )
    return sha256("\n".join(parts).encode()).hexdigest()[:32]
