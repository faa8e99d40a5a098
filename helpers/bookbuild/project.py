"""Where the book's files lie, and what it consists of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from bookbuild.chapter import Chapter
from bookbuild.errors import BookError


@dataclass(frozen=True)
class Project:
    """A book's folder; every other place follows from it.

    Attributes
    ----------
    root : Path
        The folder with ``_toc.yml``.
    store_name, build_name : str
        Where executed notebooks are kept and where the site is built, from `root`.
    """

    root: Path
    store_name: str = ".cache/executed"
    build_name: str = "_build"

    @property
    def store(self) -> Path:
        """Executed notebooks, by key."""
        return self.root / self.store_name

    @property
    def build(self) -> Path:
        """What is generated for readers."""
        return self.root / self.build_name

    @property
    def stage(self) -> Path:
        """The sources as Jupyter Book sees them: chapters with their outputs."""
        return self.build / "stage"

    @property
    def html(self) -> Path:
        """The built site."""
        return self.build / "html"

    @property
    def notebooks(self) -> Path:
        """Chapters as plain notebooks, for those who prefer to open them so."""
        return self.root / "notebooks"

    @property
    def helpers(self) -> Path:
        """The Python code the chapters use."""
        return self.root / "helpers"

    @property
    def lock(self) -> Path:
        """The file that pins every dependency."""
        return self.root / "requirements.lock"

    @cached_property
    def config(self) -> dict:
        """``_config.yml`` as a dictionary."""
        return yaml.safe_load((self.root / "_config.yml").read_text("utf-8"))

    @cached_property
    def toc(self) -> dict:
        """``_toc.yml`` without the parts that have no chapter yet."""
        toc = yaml.safe_load((self.root / "_toc.yml").read_text("utf-8"))
        if "parts" in toc:
            toc["parts"] = [part for part in toc["parts"] if part.get("chapters")]
        return toc

    @cached_property
    def pages(self) -> list[str]:
        """Every page of the table of contents, in order, without suffix."""
        return [self.toc["root"], *_files(self.toc)]

    @cached_property
    def documents(self) -> dict[str, Chapter]:
        """Every Markdown page of the book, by name."""
        found = {}
        for page in self.pages:
            path = self.root / f"{page}.md"
            if not path.is_file():
                raise BookError(f"_toc.yml names {page}, but there is no {page}.md.")
            found[page] = Chapter.read(page, path)
        return found

    @cached_property
    def chapters(self) -> list[Chapter]:
        """The pages that hold code, in the book's order."""
        return [page for page in self.documents.values() if page.runs]


def _files(node: dict) -> list[str]:
    """Collect the ``file`` entries below a node of the table of contents, in order."""
    found = []
    for kind in ("parts", "chapters", "sections"):
        for entry in node.get(kind, []):
            if "file" in entry:
                found.append(entry["file"])
            found += _files(entry)
    return found
