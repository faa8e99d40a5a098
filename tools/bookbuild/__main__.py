"""The commands the Makefile calls: ``python -m tools.bookbuild COMMAND``."""

import signal
import sys
from pathlib import Path

import click
import pandas as pd
from locket import LockError, lock_file
from nmc.cli.files import READ_BY_CHAPTERS
from nmc.data import trees
from nmc.data.registry import items, match
from nmc.errors import SourceError, UnknownNameError

from tools.bookbuild import BookError
from tools.bookbuild.execute import Page, execute_stale
from tools.bookbuild.pages import badges, check_shown
from tools.bookbuild.project import Project, source_identity
from tools.bookbuild.render import call_jupyter_book, print_pdf, render


@click.group()
@click.option(
    "--root", type=click.Path(file_okay=False, exists=True, path_type=Path), default=".",
    help="The book's folder.",
)  # fmt: skip
@click.option("--build", default="_build", show_default=True, help="Where pages are written.")
@click.pass_context
def main(context: click.Context, root: Path, build: str) -> None:
    """Make the book."""
    context.obj = Project(root.resolve(), build_name=build)


def _full_source(context: click.Context, _option, source: str) -> str:
    """Check the source before anything runs, and write its folders out in full.

    Whoever takes a source builds: wait until no other build of this folder is at work.
    """
    full = source_identity(source)
    try:
        trees(full)
    except SourceError as error:
        raise click.BadParameter(str(error)) from error
    context.obj.runs.mkdir(parents=True, exist_ok=True)
    place = str(context.obj.runs / "build.lock")
    try:
        context.with_resource(lock_file(place, timeout=0))
    except LockError:
        click.echo(f"Another build is at work in {context.obj.root}: this one waits until it ends.")
        context.with_resource(lock_file(place))
    return full


_source = click.option(
    "--source", envvar="NMC_SOURCE", default="sample", callback=_full_source,
    help="Where the data come from.",
)  # fmt: skip
_jobs = click.option("--jobs", default=2, show_default=True, help="Chapters run at once.")


@main.command()
@_source
@_jobs
@click.pass_obj
def book(project: Project, source: str, jobs: int):
    """Run the stale chapters, build the HTML, say where to open it."""
    store, pages = execute_stale(project, source, jobs=jobs)
    check_shown(pages)
    first = render(project, pages, store, source)
    click.echo(times_table(pages))
    click.echo(f"The book is ready: open {first}")


@main.command()
@click.argument("name")
@_source
@click.pass_obj
def chapter(project: Project, name: str, source: str):
    """Run the chapter NAME (such as book/cells/see-the-morphology) and render it alone."""
    name = Path(name).with_suffix("").as_posix()
    if name not in project.pages:
        raise BookError(str(UnknownNameError.of("page of _toc.yml", name, project.pages)))
    store, pages = execute_stale(project, source, only=name)
    check_shown(pages)
    page = render(project, pages, store, source, only=name)
    click.echo(f"The page is ready: open {page}")


@main.command()
@_source
@click.pass_obj
def reads(project: Project, source: str):
    """Say whether 'nmc export --for' packs all that the chapters read here; list what it lacks."""
    if added := list_reads(project, execute_stale(project, source)[1]):
        raise BookError(f"{READ_BY_CHAPTERS} has {added} files more now: commit it.")
    click.echo(f"{READ_BY_CHAPTERS} names every file that the chapters read.")


@main.command()
@click.pass_obj
def pdf(project: Project):
    """Print the built book into one PDF."""
    click.echo(f"The book as PDF: {print_pdf(project)}")


@main.command()
@_source
@click.pass_obj
def links(project: Project, source: str):
    """Ask every external address of the book whether it answers."""
    store, pages = execute_stale(project, source)
    call_jupyter_book(project, pages, store, source, "linkcheck")
    click.echo("Every external link answers.")


@main.command("badges")
@click.pass_obj
def write_badges(project: Project):
    """Write the README's badges after the addresses in pyproject.toml have changed."""
    readme = project.root / "README.md"
    head, _, tail = readme.read_text("utf-8").split("<!-- badges -->")
    shown = f"\n{found}\n" if (found := badges(project.urls)) else "\n"
    readme.write_text("<!-- badges -->".join((head, shown, tail)), "utf-8")


def times_table(pages: list[Page]) -> str:
    """Return how long each chapter took and what it held, as text."""
    lines = ["seconds     CPU    GB  chapter"]
    for page in pages:
        run, kept = page.run, "" if page.fresh else "  (from an earlier run)"
        numbers = f"{run.seconds:7.1f}  {run.cpu_seconds:6.1f}  {run.peak_gb:4.1f}"
        lines.append(f"{numbers}  {run.chapter}{kept}")
    noisy = [page.chapter.name for page in pages if "'stderr'" in str(page.notebook.cells)]
    if noisy:
        lines.append(f"wrote to stderr (not shown on the page): {', '.join(noisy)}")
    return "\n".join(lines)


def list_reads(project: Project, pages: list[Page]) -> int:
    """Add the files that these runs read to the list of the package; return how many it lacked."""
    path = project.root / "helpers/nmc/cli" / READ_BY_CHAPTERS
    listed = set(pd.read_csv(path).itertuples(index=False, name=None))
    packed = {(chapter, item.key) for chapter, key in listed for item in match([key])}
    read = {(page.chapter.name, one.get("key")) for page in pages for one in page.run.data}
    added = {(chapter, key) for chapter, key in read - packed if key in items()}
    kept = {(chapter, key) for chapter, key in listed | added if chapter in project.pages}
    rows = sorted(kept, key=lambda row: (project.pages.index(row[0]), row))
    pd.DataFrame(rows, columns=["chapter", "key"]).to_csv(path, index=False)
    return len(added)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main()
