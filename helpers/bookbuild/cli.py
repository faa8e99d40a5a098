"""The commands the Makefile calls."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import click
from nmc.data.sources import trees
from nmc.errors import SourceError

from bookbuild.audits import build_twice, run_in_memory
from bookbuild.book import execute_stale, last_runs
from bookbuild.errors import BookError
from bookbuild.explorer import make_explorer
from bookbuild.identity import source_identity
from bookbuild.project import Project
from bookbuild.render import check_links, render
from bookbuild.report import times_table
from bookbuild.shown import check_shown
from bookbuild.stage import stage


@click.group()
@click.option(
    "--root",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=".",
    help="The book's folder.",
)
@click.pass_context
def main(context: click.Context, root: Path) -> None:
    """Make the book."""
    context.obj = Project(root.resolve())


def _full_source(_context, _option, source: str) -> str:
    """Check the source before anything runs, and write its folders out in full.

    Chapters run in folders of their own, where a relative path would name another place.
    """
    full = source_identity(source)
    try:
        trees(full)
    except SourceError as error:
        raise click.BadParameter(str(error)) from error
    return full


def _source_option(command):
    return click.option(
        "--source",
        envvar="NMC_SOURCE",
        default="sample",
        callback=_full_source,
        help="Where the data come from.",
    )(command)


def _jobs_option(command):
    return click.option("--jobs", default=2, show_default=True, help="Chapters run at once.")(
        command
    )


@main.command()
@_source_option
@_jobs_option
@click.option("--verbose", is_flag=True, help="Show what Jupyter Book says.")
@click.option("--draft", is_flag=True, help="Let warnings pass, while a chapter is being written.")
@click.option("--no-run", is_flag=True, help="Show each chapter's last outputs, run nothing.")
@click.pass_obj
def book(
    project: Project, source: str, jobs: int, verbose: bool, draft: bool, no_run: bool
) -> None:
    """Run the stale chapters, build the HTML, say where to open it."""
    if no_run:
        pages = last_runs(project, say=click.echo)
    else:
        pages = execute_stale(project, source, jobs=jobs, say=click.echo)
    if not draft:
        check_shown(pages)
    stage(project, pages, source)
    explorer = make_explorer(project, source, say=click.echo)
    first = render(project, explorer=explorer, strict=not draft, verbose=verbose or draft)
    click.echo(times_table(project, pages))
    click.echo(f"The book is ready: open {first}")


@main.command()
@_source_option
@_jobs_option
@click.pass_obj
def execute(project: Project, source: str, jobs: int) -> None:
    """Run the stale chapters only."""
    execute_stale(project, source, jobs=jobs, say=click.echo)


@main.command()
@_jobs_option
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="The copy.")
@click.pass_obj
def mirror(project: Project, jobs: int, folder: Path | None) -> None:
    """Build the same book on a copy of the real portal's tree, where there is one."""
    place = folder or Path(
        os.environ.get("NMC_MIRROR") or project.root.parent / "shared" / "nmc-mirror"
    )
    if not place.is_dir():
        click.echo("No copy of the real portal tree (NMC_MIRROR): the book on it is not built.")
        return
    beside = replace(project, build_name="_build/mirror")
    pages = execute_stale(beside, str(place), jobs=jobs, say=click.echo)
    stage(beside, pages, str(place))
    explorer = make_explorer(beside, str(place), say=click.echo)
    first = render(beside, explorer=explorer)
    click.echo(f"The book on real data: open {first}")


@main.command()
@_source_option
@_jobs_option
@click.pass_obj
def twice(project: Project, source: str, jobs: int) -> None:
    """Run every chapter twice from nothing; every figure and table must be the same."""
    pages = build_twice(project, source, jobs=jobs, say=click.echo)
    click.echo(f"{len(pages)} chapters, run twice: identical.")


@main.command()
@_source_option
@click.option("--limit-gb", default=2.0, show_default=True, help="Memory a chapter may hold.")
@click.pass_obj
def memory(project: Project, source: str, limit_gb: float) -> None:
    """Run each chapter alone under a limit of memory."""
    run_in_memory(project, source, limit_gb, say=click.echo)
    click.echo(f"Every chapter runs within {limit_gb:g} GB.")


@main.command()
@click.pass_obj
def pdf(project: Project) -> None:
    """Print the staged book into one PDF."""
    from bookbuild.pdf import print_pdf

    click.echo(f"The book as PDF: {print_pdf(project)}")


@main.command()
@click.pass_obj
def links(project: Project) -> None:
    """Ask every external address of the staged book whether it answers."""
    check_links(project)
    click.echo("Every external link answers.")


def run() -> None:
    """Call the command line; an error of the book's is one message and exit code 1."""
    try:
        main(standalone_mode=False)
    except BookError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
