"""What the commands share: options, checked arguments, and how a table is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

source = click.option(
    "--source",
    metavar="LIST",
    help="Trees to use, in order: sample, portal, extracts, a folder, an address. "
    "Default: NMC_SOURCE, else sample.",
)

quiet = click.option("--quiet", "-q", is_flag=True, help="No progress bar.")


class NewFile(click.Path):
    """A file that a command will write; refused before anything runs where that cannot be."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value, param, ctx):
        """Return the path, once its folder is known to take a file."""
        path = super().convert(value, param, ctx)
        folder = path.parent
        if not folder.is_dir():
            self.fail(f"there is no folder {str(folder)!r}: make it first.", param, ctx)
        if not path.exists() and not os.access(folder, os.W_OK):
            self.fail(f"the folder {str(folder)!r} cannot be written.", param, ctx)
        return path


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def show_rows(rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> None:
    """Print rows as a plain table, its columns as wide as they need to be."""
    columns = list(columns)
    shown = [{name: "" if row.get(name) is None else str(row[name]) for name in columns}
             for row in rows]  # fmt: skip
    widths = {name: max([len(name), *(len(row[name]) for row in shown)]) for name in columns}
    for row in [{name: name for name in columns}, *shown]:
        click.echo("  ".join(row[name].ljust(widths[name]) for name in columns).rstrip())


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
