"""The commands the Makefile calls."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bookbuild.book import execute_stale
from bookbuild.errors import BookError
from bookbuild.project import Project
from bookbuild.render import check_links, render
from bookbuild.report import times_table
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


def _source_option(command):
    return click.option(
        "--source", envvar="NMC_SOURCE", default="sample", help="Where the data come from."
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
@click.pass_obj
def book(project: Project, source: str, jobs: int, verbose: bool, draft: bool) -> None:
    """Run the stale chapters, build the HTML, say where to open it."""
    pages = execute_stale(project, source, jobs=jobs, say=click.echo)
    stage(project, pages, source)
    first = render(project, strict=not draft, verbose=verbose or draft)
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
