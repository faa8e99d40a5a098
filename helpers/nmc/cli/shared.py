"""What the commands share: options, and how a table is shown to people and to scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

source = click.option(
    "--source",
    metavar="LIST",
    help="Trees to use, in order: sample, portal, extracts, a folder, an address. "
    "Default: NMC_SOURCE, else sample.",
)

quiet = click.option("--quiet", "-q", is_flag=True, help="No progress bar.")


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def show_rows(rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> None:
    """Print rows as a plain table, its columns as wide as they need to be."""
    columns = list(columns)
    table = [[_text(row.get(name)) for name in columns] for row in rows]
    widths = [max([len(name), *(len(line[i]) for line in table)]) for i, name in enumerate(columns)]
    line: Callable = lambda cells: "  ".join(  # noqa: E731
        cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
    ).rstrip()
    click.echo(line(columns))
    for cells in table:
        click.echo(line(cells))


def size_text(size_bytes: int | None) -> str:
    """Return a size as people read it: ``2.1 MB``; a question mark when it is not known."""
    if size_bytes is None:
        return "?"
    value = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _text(value: object) -> str:
    return "" if value is None else str(value)
