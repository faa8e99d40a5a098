"""Let Jupyter Book make HTML of the stage, with warnings as errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bookbuild.errors import BookError
from bookbuild.project import Project

#: What Sphinx calls an address that did not answer as it should.
_DEAD = ("broken", "timeout")


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


def check_links(project: Project) -> None:
    """Ask every external address of the staged book whether it answers.

    Raises
    ------
    BookError
        If one does not; the message lists them, and why.
    """
    work = project.build / "links"
    done = _jupyter_book(project, work, "linkcheck", strict=False, verbose=False)
    output = work / "_build" / "html" / "output.json"
    if not output.is_file():
        raise BookError(f"The links could not be asked:\n{_last_lines(done.stdout or '')}")
    found = [json.loads(line) for line in output.read_text("utf-8").splitlines() if line]
    broken = sorted({one["uri"]: one for one in found if one["status"] in _DEAD}.items())
    if broken:
        asked = {one["uri"] for one in found if one["status"] in (*_DEAD, "working", "redirected")}
        lines = [f"{uri}  ({' '.join(one['info'].split())[-100:]})" for uri, one in broken]
        raise BookError(
            f"Of {len(asked)} addresses these {len(broken)} do not answer:\n" + "\n".join(lines)
        )


def _jupyter_book(
    project: Project, work: Path, builder: str, *, strict: bool, verbose: bool
) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", str(project.stage),
        "--path-output", str(work), "--builder", builder, "-q",
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
