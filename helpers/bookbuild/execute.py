"""Run chapters under nbmake, each in a folder and a process of its own."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import nbformat
from nbformat import NotebookNode
from nmc import style

from bookbuild.chapter import Chapter, write_notebook
from bookbuild.errors import ChapterError
from bookbuild.logs import read_lines
from bookbuild.store import Run
from bookbuild.watch import run_watched

#: Larger figures are kept as pixels: a browser draws a million path segments slowly.
HEAVY_SVG_BYTES = 400_000
#: Progress bars and controls: dead on a static page, and their scripts would come from a network.
_WIDGET = "application/vnd.jupyter.widget-view+json"
#: Of the book's style, what legends, labels and titles look like that a chapter adds by itself.
_LOOKS = (
    "font.size", "axes.titlesize", "axes.titleweight", "axes.titlelocation", "axes.labelcolor",
    "axes.edgecolor", "axes.spines.top", "axes.spines.right", "text.color", "xtick.color",
    "ytick.color", "legend.frameon", "lines.linewidth",
)  # fmt: skip
#: Seconds a single cell may take.
CELL_TIMEOUT = 900

_KERNEL = Path(__file__).with_name("kernel")


@dataclass(frozen=True)
class Executed:
    """What came out of one run, before it is stored."""

    run: Run
    notebook: NotebookNode
    results: Path


def execute(
    chapter: Chapter,
    source: str,
    scratch: Path,
    *,
    limit_gb: float | None = None,
    cache: Path | None = None,
) -> Executed:
    """Run a chapter from top to bottom.

    Parameters
    ----------
    chapter : Chapter
        What to run.
    source : str
        The value of ``NMC_SOURCE`` the chapter sees.
    scratch : Path
        An empty folder for this run alone; the chapter's working folder lies in it.
    limit_gb : float, optional
        End the chapter when it and all it starts hold more memory than this.
    cache : Path, optional
        The ``NMC_CACHE`` the chapter sees; by default that of the caller.

    Raises
    ------
    ChapterError
        If a cell fails; the message holds nbmake's traceback of that cell.
    """
    path = scratch / "work" / f"{Path(chapter.name).name}.ipynb"
    write_notebook(chapter.notebook(), path)
    log, results = scratch / "fetched.jsonl", scratch / "results"
    started = time.perf_counter()
    done = run_watched(
        _command(path),
        env=_environment(source, log, results, scratch)
        | ({"NMC_CACHE": str(cache)} if cache else {}),
        cwd=scratch,
        limit_gb=limit_gb,
    )
    seconds = time.perf_counter() - started
    if done.over:
        raise ChapterError(f"{chapter.name}.md needs more than {limit_gb:g} GB of memory.")
    if done.returncode:
        raise ChapterError(f"{chapter.name}.md failed:\n{_failure(done.text)}")
    notebook = nbformat.read(path, as_version=4)
    tidy(notebook)
    run = Run(
        chapter=chapter.name,
        source=source,
        seconds=round(seconds, 1),
        cpu_seconds=done.cpu_seconds,
        peak_gb=done.peak_gb,
        python=sys.version.split()[0],
        code=chapter.code_hash(),
        data=_unique(read_lines(log)),
    )
    return Executed(run, notebook, results)


def tidy(notebook: NotebookNode) -> None:
    """Keep one picture a figure, vector where it is light, and nothing that needs a live kernel."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if _WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/svg+xml" in data and "image/png" in data:
                heavy = len(data["image/svg+xml"]) > HEAVY_SVG_BYTES
                del data["image/svg+xml" if heavy else "image/png"]
                if not heavy:
                    output.get("metadata", {}).pop("image/png", None)


def _command(notebook: Path) -> list[str]:
    return [
        sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "-q", "-p", "no:cacheprovider",
        f"--nbmake-timeout={CELL_TIMEOUT}", f"--rootdir={notebook.parent}", "-c", os.devnull,
        str(notebook),
    ]  # fmt: skip


def _environment(source: str, log: Path, results: Path, scratch: Path) -> dict[str, str]:
    ipython = scratch / "ipython"
    shutil.copytree(_KERNEL, ipython)
    with (ipython / "matplotlibrc").open("a", encoding="utf-8") as looks:
        looks.write(_looks())
    return {
        **os.environ,
        "NMC_SOURCE": source,
        "NMC_FETCH_LOG": str(log),
        "NMC_RESULTS": str(results),
        "IPYTHONDIR": str(ipython),
        "MATPLOTLIBRC": str(ipython / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",
    }


def _looks() -> str:
    """Return the book's style for what a chapter's own lines draw, as matplotlib reads it."""
    with style.context():
        values = {key: mpl.rcParams[key] for key in _LOOKS}
    return "".join(f"{key}: {str(value).lstrip('#')}\n" for key, value in values.items())


def _failure(text: str) -> str:
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if "= FAILURES =" in line), 0)
    return "\n".join(lines[start:])


def _unique(entries: list[dict]) -> list[dict]:
    """Keep each file once, in the order of first use."""
    return list({(e.get("key"), e.get("path")): e for e in entries}.values())


def scratch_folder(project_cache: Path) -> tempfile.TemporaryDirectory:
    """Return a temporary folder below the book's own cache."""
    project_cache.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="run-", dir=project_cache)
