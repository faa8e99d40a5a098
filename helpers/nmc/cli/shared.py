"""What the commands share: options, exit codes, and how results are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import click

from nmc import errors

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
quiet = click.option("--quiet", "-q", is_flag=True, help="No progress bar.")
source = click.option(
    "--source", metavar="LIST",
    help="Trees to use, in order: sample, portal, extracts, a folder, an address. "
    "Default: NMC_SOURCE, else sample.",
)  # fmt: skip

#: What moves a terminal's cursor, or its colours; and what is longer than a screen.
_CONTROL, _LONGEST = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]"), 4_000

#: The first match counts, so that the narrower classes stand first; all others give 1.
EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.UnknownNameError, 2),
    (errors.MissingFileError, 3),
    (errors.DownloadError, 4),
    (errors.ChecksumError, 5),
    (errors.ArchiveError, 5),
    (errors.FormatError, 5),
    (errors.TermsError, 6),
)


def exit_code(error: Exception) -> int:
    """Return the exit code of ``nmc`` for an error."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def tell(what: object) -> None:
    """Say in a line on stderr what went wrong; a name in it gives a terminal no orders."""
    text = _CONTROL.sub(lambda found: repr(found[0])[1:-1], f"nmc: {what}")
    click.echo(text if len(text) < _LONGEST else f"{text[:_LONGEST]}…", err=True)


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def show_rows(rows: Iterable[Mapping[str, object]], columns: Iterable[str]) -> None:
    """Print rows as a plain table, its columns as wide as they need to be."""
    columns = list(columns)
    shown = [columns, *(["" if r.get(c) is None else str(r[c]) for c in columns] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
