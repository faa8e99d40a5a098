"""``nmc scoreboard-pathways``: paired recordings beside the pathway sheets."""

from __future__ import annotations

import click


@click.command("scoreboard-pathways")
@click.option("--source", help="Where the packages come from; NMC_SOURCE unless given.")
def pathways_command(source) -> None:
    """Record the listed pathways on the source's packages and compare them with their sheets.

    Takes about an hour on one core; started again it records only what is missing or stale.
    """
    import os

    from nmc.circuit.pathway_scores import run_pathways, summarise

    if source:
        os.environ["NMC_SOURCE"] = source  # this process and its workers
    rows = run_pathways()
    click.echo(summarise(rows).round(2).to_string())
    for row in rows[rows["error"].notna()].itertuples():
        click.echo(f"{row.pathway}: {row.error}", err=True)
