"""Let Jupyter Book make HTML of the stage, with warnings as errors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bookbuild.errors import BookError
from bookbuild.project import Project


def render(
    project: Project,
    *,
    explorer: Path | None = None,
    strict: bool = True,
    verbose: bool = False,
) -> Path:
    """Build the staged book's HTML and put it in place whole.

    Returns
    -------
    Path
        The site's first page.

    Raises
    ------
    BookError
        If Jupyter Book fails or warns; the message holds its last lines.
    """
    work = project.build / "jupyter-book"
    done = _jupyter_book(project, work, "html", strict=strict, verbose=verbose)
    if done.returncode:
        # Sphinx believes it is done with pages it warned of: begin anew next time.
        shutil.rmtree(work, ignore_errors=True)
        raise BookError(f"Jupyter Book failed:\n{_last_lines(done.stdout or '')}")
    _replace(project.html, work / "_build" / "html", explorer)
    return project.html / "index.html"


def render_single_page(project: Project) -> Path:
    """Build the staged book as one long HTML page, for printing."""
    work = project.build / "single"
    done = _jupyter_book(project, work, "singlehtml", strict=False, verbose=False)
    page = work / "_build" / "singlehtml" / "book" / "index.html"
    if not page.is_file():
        page = work / "_build" / "singlehtml" / "index.html"
    if done.returncode or not page.is_file():
        raise BookError(f"Jupyter Book failed:\n{_last_lines(done.stdout or '')}")
    return page


def check_links(project: Project) -> None:
    """Ask every external address of the staged book whether it answers.

    Raises
    ------
    BookError
        If one does not; the message lists them.
    """
    work = project.build / "links"
    _jupyter_book(project, work, "linkcheck", strict=False, verbose=False)
    output = work / "_build" / "linkcheck" / "output.txt"
    broken = [line for line in output.read_text("utf-8").splitlines() if "[broken]" in line]
    if broken:
        raise BookError("These links do not answer:\n" + "\n".join(broken))


def _jupyter_book(
    project: Project, work: Path, builder: str, *, strict: bool, verbose: bool
) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", str(project.stage),
        "--path-output", str(work), *_builder(builder), "-q",
    ]  # fmt: skip
    if strict:
        command += ["-W", "--keep-going"]
    return subprocess.run(
        command,
        cwd=project.build,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        text=True,
        stdout=None if verbose else subprocess.PIPE,
        stderr=None if verbose else subprocess.STDOUT,
    )


def _builder(name: str) -> list[str]:
    if name == "singlehtml":
        return ["--builder", "custom", "--custom-builder", name]
    return ["--builder", name]


def _replace(target: Path, fresh: Path, explorer: Path | None) -> None:
    """Put a copy of a folder, the explorer in it, where another may stand."""
    old, new = target.with_suffix(".old"), target.with_suffix(".new")
    for left in (old, new):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(fresh, new)
    if explorer is not None:
        shutil.copytree(explorer, new / "explorer")
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _last_lines(text: str, number: int = 60) -> str:
    lines = text.splitlines()
    warnings = [line for line in lines if "WARNING" in line or "ERROR" in line]
    return "\n".join([*warnings, "", *lines[-number:]])
