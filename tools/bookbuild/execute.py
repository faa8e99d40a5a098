"""Run the stale chapters under nbmake, each in a folder and a process of its own; keep the rest."""

import base64
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

import click
import nbformat
import nmc
import psutil
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat import NotebookNode
from nmc import style
from nmc.data import provenance
from nmc.data.files import redact, sha256_of
from PIL import Image, ImageOps

from tools.bookbuild import BookError
from tools.bookbuild.project import Chapter, Project, code_cells, environment_hash

#: Larger figures are kept as pixels: a browser draws a million path segments slowly.
HEAVY_SVG_BYTES = 240_000
#: Pixels of a figure's picture in the gallery.
THUMBNAIL = (480, 300)
#: Seconds a single cell may take, and between two looks at a chapter's processes.
CELL_TIMEOUT, PERIOD = 900, 0.25
#: How often a chapter is tried whose kernel dies before its first cell: its port may be taken.
STARTS, NEVER_STARTED = 3, "Kernel died before replying to kernel_info"
#: States of the package, the lock and the source whose outputs are kept: going back is free.
KEPT = 6
#: Progress bars and controls: dead on a static page, and their scripts would come from a network.
_WIDGET = "application/vnd.jupyter.widget-view+json"
#: The picture that a 3-D view shows without scripts.
_STILL = re.compile(r'src="data:image/png;base64,([^"]+)"')
#: Figures leave the kernel as vectors and as pixels, the same each time; one of them is kept.
_KERNEL = """c = get_config()
c.InlineBackend.figure_formats = {"svg", "retina"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
"""


@dataclass(frozen=True)
class Run:
    """What is known of one execution of a chapter; `data` is what it read, `results` compared."""

    chapter: str
    code: str
    source: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_gb: float = 0.0
    python: str = ""
    data: list[dict] = field(default_factory=list)
    results: list[dict] = field(default_factory=list)
    finished: float = 0.0


@dataclass(frozen=True)
class Page:
    """A chapter as it will be rendered: with its outputs, and what is known of their making."""

    chapter: Chapter
    notebook: NotebookNode
    run: Run
    fresh: bool = False


class Store:
    """The executed chapters of one folder, which Jupyter Book reads as its cache."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        self.folder = folder
        self.cache = get_cache(folder)

    def find(self, chapter: Chapter) -> Page | None:
        """Return the chapter with the outputs of the last run of the same code, or None."""
        wanted = (chapter.name, chapter.code_hash)
        for record in reversed(self.cache.list_cache_records()):
            if (record.data.get("chapter"), record.data.get("code")) == wanted:
                done = self.cache.get_cache_bundle(record.pk).nb
                return Page(chapter, chapter.with_outputs(done), Run(**record.data))
        return None

    def keep(self, page: Page) -> None:
        """Store a chapter's outputs where Jupyter Book looks for them."""
        bundle = CacheBundleIn(page.notebook, page.chapter.name, data=asdict(page.run))
        self.cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def store_of(project: Project, source: str) -> Store:
    """Return the store for today's package, lock, Python and this source; drop the oldest ones."""
    store = Store(project.runs / environment_hash(project, source))
    states = [place.parent for place in project.runs.glob("*/global.db")]
    for folder in sorted(states, key=lambda folder: -folder.stat().st_mtime)[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
    return store


def execute_stale(
    project: Project, source: str, *, only: str | None = None, jobs: int = 2
) -> tuple[Store, list[Page]]:
    """Run every chapter whose code, helpers, pins, source or data changed; reuse the others."""
    store, sha256_now = store_of(project, source), cache(partial(_sha256_now, source))
    chapters = [one for one in project.chapters if only in (None, one.name)]

    def stands(page: Page) -> bool:
        read = (one for one in page.run.data if one.get("sha256"))
        return all(one["sha256"] == sha256_now(one.get("key"), one.get("path", "")) for one in read)

    known = ((one, store.find(one)) for one in chapters)
    pages = {one: page for one, page in known if page and stands(page)}
    stale = [one for one in chapters if one not in pages]
    click.echo(f"{len(chapters)} chapters, {len(stale)} to run on {redact(source)!r}")
    if source != "sample":  # said here, once, and not in whichever chapter fetches first
        provenance.tell_terms(f"the source {source!r}")
    for page in pages.values():
        try:
            store.cache.match_cache_notebook(page.notebook)
        except KeyError:  # captions or other looks have changed since
            store.keep(page)
    failures: dict[str, str] = {}
    stop = Event()
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        runs = {pool.submit(execute, one, source, project.runs, stop): one for one in stale}
        try:
            for done in as_completed(runs):
                chapter = runs[done]
                try:
                    pages[chapter] = page = done.result()
                except BookError as error:  # said at once: the others may take long
                    failures[chapter.name] = str(error)
                    click.echo(f"  {'FAILED':>8}  {chapter.name}\n{error}")
                else:
                    store.keep(page)
                    click.echo(f"  {page.run.seconds:6.1f} s  {chapter.name}")
        finally:  # a build that is ended takes its chapters with it
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
    if failures:
        named = f"{len(failures)} of {len(chapters)} chapters failed: {', '.join(failures)}"
        raise BookError("\n\n".join([*failures.values(), named]))
    return store, [pages[one] for one in chapters]


def execute(chapter: Chapter, source: str, folder: Path, stop: Event) -> Page:
    """Run a chapter from top to bottom in a new folder below `folder`; `stop` ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder) as name:
        scratch = Path(name)
        path = scratch / "work" / f"{Path(chapter.name).name}.ipynb"
        write_notebook(chapter.notebook(), path)
        command = [
            sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "-q", "-c", os.devnull,
            "-p", "no:cacheprovider", f"--nbmake-timeout={CELL_TIMEOUT}",
            f"--rootdir={path.parent}", str(path),
        ]  # fmt: skip
        environment = _environment(source, scratch)
        for _ in range(STARTS):
            done = watch(command, env=environment, cwd=scratch, stop=stop)
            if NEVER_STARTED not in done.text:
                break
        if done.returncode:
            said = done.text[max(0, done.text.find("= FAILURES =")) :]
            raise BookError(f"{chapter.name}.md failed:\n{said}")
        notebook = nbformat.read(path, as_version=4)
        tidy(notebook)
        # What a chapter made and removed itself is no input: it follows from the chapter's code.
        read = {
            (entry.get("key"), entry.get("path")): entry
            for entry in _read_lines(scratch.glob("fetched.jsonl"))
            if not entry.get("path") or Path(entry["path"]).exists()
        }
        run = Run(
            chapter=chapter.name,
            code=chapter.code_hash,
            source=source,
            seconds=done.seconds,
            cpu_seconds=done.cpu_seconds,
            peak_gb=done.peak_gb,
            python=platform.python_version(),
            data=list(read.values()),
            results=_read_lines(scratch.glob("results/*.jsonl")),
            finished=time.time(),
        )
    return Page(chapter, chapter.with_outputs(notebook), run, fresh=True)


def tidy(notebook: NotebookNode) -> None:
    """Keep one picture a figure, vector where it is light, and nothing that needs a live kernel."""
    for cell in code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if _WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            data = output.get("data", {})
            still = _STILL.search("".join(data.get("text/html", "")))
            if png := data.get("image/png") or (still and still[1]):
                output.setdefault("metadata", {})["thumbnail"] = thumbnail(png)
            if "image/svg+xml" in data and "image/png" in data:
                if len(data["image/svg+xml"]) > HEAVY_SVG_BYTES:
                    del data["image/svg+xml"]
                    # The 256 colours that serve it best: a third of the bytes.
                    few = _on_paper(data["image/png"]).quantize(256, dither=Image.Dither.NONE)
                    data["image/png"] = _encoded(few, "png", optimize=True)
                else:
                    del data["image/png"]
                    output["metadata"].pop("image/png", None)


def thumbnail(png: str) -> str:
    """Return a small WebP of a picture, on white paper of one shape; both are base64."""
    return _encoded(ImageOps.pad(_on_paper(png), THUMBNAIL, color="white"), "webp", quality=80)


def _on_paper(png: str) -> Image.Image:
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    return paper.convert("RGB")


def _encoded(picture: Image.Image, kind: str, **how) -> str:
    made = io.BytesIO()
    picture.save(made, kind, **how)
    return base64.b64encode(made.getvalue()).decode()


def _environment(source: str, scratch: Path) -> dict[str, str]:
    """Return the variables that make a run the same for everybody, and tell what it read."""
    profile = scratch / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(_KERNEL, "utf-8")
    looks = style.SHEET.read_text("utf-8") + "svg.hashsalt: nmc\nsvg.fonttype: path\n"
    (scratch / "matplotlibrc").write_text(looks, "utf-8")
    return {
        **os.environ,
        "NMC_SOURCE": source,
        "NMC_FETCH_LOG": str(scratch / "fetched.jsonl"),
        "NMC_RESULTS": str(scratch / "results"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "MATPLOTLIBRC": str(scratch / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",
    }


class Watched(NamedTuple):
    """How a watched command ended: exit code, text, and what all its processes together took."""

    returncode: int
    text: str
    seconds: float
    cpu_seconds: float
    peak_gb: float


def watch(
    command: list[str], *, env: dict[str, str], cwd: Path, stop: Event | None = None
) -> Watched:
    """Run a command to its end, or until `stop` is set; nothing that it started outlives it."""
    stop = stop or Event()
    started, peak = time.perf_counter(), 0
    cpu: dict[int, float] = {}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = psutil.Popen(command, env=env, cwd=cwd, stdout=said, stderr=subprocess.STDOUT)
        family: list[psutil.Process] = []
        try:
            while process.poll() is None and not stop.is_set():
                held, family = 0, _family(process)
                for one in family:
                    with suppress(psutil.NoSuchProcess):
                        held += one.memory_info().rss
                        cpu[one.pid] = sum(one.cpu_times()[:2])  # user and system
                peak = max(peak, held)
                stop.wait(PERIOD)
        finally:
            family += _family(process)
            for one in reversed(family):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()
            psutil.wait_procs(family, timeout=5)  # killed is not yet gone
        said.seek(0)
        took, used = round(time.perf_counter() - started, 1), round(sum(cpu.values()), 1)
        return Watched(process.returncode, said.read(), took, used, round(peak / 2**30, 2))


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all that it and its own have started; none if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _sha256_now(source: str, key: str | None, path: str) -> str | None:
    """Return today's sha256 of a file that a kept run has read; None where there is none."""
    try:
        return sha256_of(Path(nmc.fetch(key, source=source, progress=False) if key else path))
    except (nmc.errors.NMCError, OSError):
        return None


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook where the folder may not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def _read_lines(paths: Iterable[Path]) -> list[dict]:
    """Return the records of some JSON-lines files."""
    texts = [path.read_text("utf-8") for path in sorted(paths)]
    return [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]
