"""From sources to site: find what is stale, run it, stage, render."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from nmc.data import terms

from bookbuild.chapter import Chapter, write_notebook
from bookbuild.errors import BookError, ChapterError
from bookbuild.execute import execute, scratch_folder
from bookbuild.freshness import DataState
from bookbuild.identity import chapter_key, environment_hash
from bookbuild.project import Project
from bookbuild.store import Run, Store

Say = Callable[[str], None]


@dataclass(frozen=True)
class Page:
    """A chapter as it will be rendered: with its outputs, and what is known of their making."""

    chapter: Chapter
    notebook: NotebookNode
    run: Run
    results: list[dict]
    fresh: bool


def execute_stale(
    project: Project, source: str, *, jobs: int = 2, say: Say = print, cache: Path | None = None
) -> list[Page]:
    """Run every chapter whose code, helpers, pins, source or data changed; reuse the others.

    Parameters
    ----------
    project : Project
        The book.
    source : str
        Where the chapters' data come from, as in ``NMC_SOURCE``.
    jobs : int
        Chapters that run at the same time.
    say : callable
        Gets a line of text for the person who waits.
    cache : Path, optional
        The ``NMC_CACHE`` the chapters see; by default that of the caller.

    Returns
    -------
    list of Page
        One for each chapter, in the book's order.

    Raises
    ------
    BookError
        If a chapter failed; every other stale chapter has still run.
    """
    store, state = Store(project.store), DataState(source)
    environment = environment_hash(project, source)
    keys = {chapter: chapter_key(chapter, environment) for chapter in project.chapters}
    for chapter in project.chapters:
        write_notebook(chapter.notebook(), project.notebooks / f"{chapter.name}.ipynb")
    stale = [c for c in project.chapters if not store.still_valid(keys[c], state)]
    say(f"{len(project.chapters)} chapters, {len(stale)} to run on {source!r}")
    if source != "sample":  # said here, once, and not in whichever chapter fetches first
        terms.tell(f"the source {source!r}")

    def run(chapter: Chapter) -> str | None:
        try:
            with scratch_folder(project.store.parent) as scratch:
                done = execute(chapter, source, Path(scratch), cache=cache)
                store.keep(keys[chapter], done.run, done.notebook, done.results)
        except ChapterError as error:
            say(f"  {'FAILED':>8}  {chapter.name}")
            return str(error)
        say(f"  {done.run.seconds:6.1f} s  {chapter.name}")
        return None

    with ThreadPoolExecutor(max(1, jobs)) as pool:
        failures = [failure for failure in pool.map(run, stale) if failure]
    if failures:
        raise BookError("\n\n".join(failures))
    return [_page(store, keys[c], c, fresh=c in stale) for c in project.chapters]


def last_runs(project: Project, *, say: Say = print) -> list[Page]:
    """Return each chapter with its last run of the same code, however stale; runs nothing.

    For those who write or lay out pages while the code below still moves.  A chapter that never
    ran so is left without outputs.
    """
    store, pages = Store(project.store), []
    for chapter in project.chapters:
        key = store.newest(chapter.name, chapter.code_hash())
        if key is None:
            say(f"  never ran: {chapter.name}")
            empty = Run(chapter.name, "none", 0.0)
            pages.append(Page(chapter, chapter.notebook(), empty, [], fresh=False))
        else:
            pages.append(_page(store, key, chapter, fresh=False))
    return pages


def _page(store: Store, key: str, chapter: Chapter, *, fresh: bool) -> Page:
    notebook = chapter.with_outputs(store.notebook(key))
    return Page(chapter, notebook, store.run(key), store.results(key), fresh)
