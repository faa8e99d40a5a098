"""A book of two chapters in a temporary folder, built by the real tools."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst, format_version: 0.13}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""
SHEET = "assets/documents/static/Download/layer_download.json"

ONE = """# Ask the helper

One sentence.
The next chapter [reads a file](two.md).

:::{quiz} Is `2 < 3`?
- [x] Yes.
  One *can* count.
- [ ] No.
  Look again.
- [ ] Only on Sundays.
  On every day.
:::

```{code-cell} ipython3
import toy
print("the answer is", toy.answer())
```

```{code-cell} ipython3
:tags: [remove-cell]
assert toy.answer() > 0
```
"""
TWO = """# Read a file

```{code-cell} ipython3
import hashlib, nmc
print("the sheet is", hashlib.sha256(nmc.fetch("sheet/layers").read_bytes()).hexdigest())
```
"""


class Book:
    """The temporary project and what a test changes in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def chapter(self, name: str, text: str) -> None:
        self.write(f"book/{name}.md", HEADER + text)

    def page(self, name: str) -> str:
        return (self.root / f"_build/html/book/{name}.html").read_text("utf-8")

    def tree(self, name: str, thickness: int) -> str:
        """Write a synthetic portal tree with one sheet; returns its path as a source."""
        sheet = {"L1": {"layer thickness": thickness}}
        self.write(f"{name}/nmc-tree.json", json.dumps({"origin": name, "invented": True}))
        self.write(f"{name}/{SHEET}", json.dumps(sheet))
        return str(self.root / name)


@pytest.fixture
def toy(make_toy, tmp_path, monkeypatch) -> Book:
    book = make_toy(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(book.root / "helpers"))
    return book


@pytest.fixture(scope="session")
def make_toy():
    """Return the function that writes a temporary project (its ``helpers`` need be on the path)."""
    return _make_toy


def _make_toy(folder: Path) -> Book:
    book = Book(folder / "toy")
    book.write("helpers/toy.py", "def answer():\n    return 41\n")
    book.write("requirements.lock", "numpy==2.0\n")
    book.write("_toc.yml", "format: jb-book\nroot: book/index\nchapters:\n"
               "- file: book/one\n- file: book/two\n")  # fmt: skip
    shutil.copy(ROOT / "_config.yml", book.root / "_config.yml")
    shutil.copytree(ROOT / "book/_static", book.root / "book/_static")
    shutil.copy(ROOT / "book/references.bib", book.root / "book/references.bib")
    book.write("book/index.md", "# Toy\n\nHello.\n")
    book.chapter("one", ONE)
    book.chapter("two", TWO)
    return book
