"""``nmc check`` and ``nmc explorer``: the fact sheets, compared and laid out to be looked up."""

from __future__ import annotations

from pathlib import Path

import click

from nmc.cli import shared


@click.command("check")
@shared.as_json
def check_command(as_json: bool) -> None:
    """List every disagreement between the fact sheets of the source.

    Nothing is repaired. The last line says how many values were compared.

    \b
    nmc check
    nmc check --json | jq '.[].item'
    """
    from nmc.factsheets.checks import check_factsheets

    findings = check_factsheets()
    compared = sum(findings.attrs["compared"].values())
    rows = findings.to_dict("records")
    if as_json:
        shared.show_json(rows)
        return
    for row in rows:
        click.echo(f"{row['file']}: {row['item']}: {row['found']}, not {row['expected']}")
        click.echo(f"    {row['remark'].strip()}")
    click.echo(f"{len(findings)} findings in {compared:,} comparisons")


@click.command("explorer")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--home", default="../index.html", show_default=True, help="Address of the book.")
def explorer_command(folder: Path, home: str) -> None:
    """Write the fact sheet explorer into FOLDER and print its first page.

    The pages work from a disk, without a server or a network; FOLDER is replaced whole.

    \b
    nmc explorer explorer
    """
    from nmc.factsheets.explorer import build_explorer

    if folder.is_dir() and any(folder.iterdir()) and not (folder / "explorer.js").is_file():
        raise click.UsageError(f"{folder} holds something else than an explorer: name another.")
    click.echo(build_explorer(folder, home=home))
