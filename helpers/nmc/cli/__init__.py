"""The command ``nmc``: one group whose commands are loaded when they are called.

A room adds a command by writing a click command in `nmc.cli.files` (data) or `nmc.cli.models`
(everything else) and one line here.
"""

from __future__ import annotations

import logging
import os
import sys
from difflib import get_close_matches
from importlib import import_module

import click

from nmc import errors

#: Command → (module, attribute, what ``nmc --help`` says of it).
COMMANDS = {
    "list": ("nmc.cli.files", "list_command", "Show what there is to fetch."),
    "fetch": ("nmc.cli.files", "fetch_command", "Get files and print their paths."),
    "verify": ("nmc.cli.files", "verify_command", "Read every file again and compare its sha256."),
    "cite": ("nmc.cli.files", "cite_command", "Say what to cite, in BibTeX or APA style."),
    "terms": ("nmc.cli.files", "terms_command", "Show, accept or withdraw the data terms."),
    "export": ("nmc.cli.files", "export_command", "Copy the cache into one folder."),
    "import": ("nmc.cli.files", "import_command", "Take an exported folder into the cache."),
    "simulate": ("nmc.cli.models", "simulate_command", "Run one protocol on one model."),
    "sweep": ("nmc.cli.models", "sweep_command", "Run one protocol over many models."),
    "scoreboard": ("nmc.cli.models", "scoreboard_command", "Compare models with fact sheets."),
    "scoreboard-pathways": (
        "nmc.cli.models",
        "pathways_command",
        "Compare pathways with their sheets.",
    ),
    "circuit": ("nmc.cli.models", "circuit_command", "Run a written circuit, under mpiexec."),
    "check": ("nmc.cli.models", "check_command", "List what the fact sheets disagree on."),
    "explorer": ("nmc.cli.models", "explorer_command", "Write pages to look anything up."),
    "completion": ("nmc.cli.files", "completion_command", "Let the shell complete commands."),
}

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

_EPILOG = """\
\b
Settings (environment variables):
  NMC_SOURCE        where files come from, in order, separated by commas:
                    sample (default), portal, extracts, a folder, an address
  NMC_CACHE         where fetched files are kept
  NMC_OFFLINE=1     never use the network
  NMC_ACCEPT_TERMS=1  accept the data terms ('nmc terms' shows them)

\b
Exit codes:
  0 done   1 other error     2 wrong usage    3 no tree has the file
  4 no network or mirror     5 damaged file   6 terms not accepted

\b
Try:
  nmc list sheet
  nmc fetch sheet/layers
  NMC_SOURCE=portal nmc fetch model/L5_TTPC1_cADpyr232_1
"""


class LazyGroup(click.Group):
    """A group that knows its commands' names and help, and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        return getattr(import_module(module), attribute)

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """Find the command, or say which one may have been meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"{exc.message}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="nmc")
def group() -> None:
    """Fetch, check and cite the Neocortical Microcircuit Collaboration data.

    Files have short keys, such as sheet/layers or connectome/average/mc2; 'nmc list' shows them.
    Every command explains itself: nmc COMMAND --help.
    """


def exit_code(error: Exception) -> int:
    """Return the exit code of ``nmc`` for an error."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def main(args: list[str] | None = None) -> None:
    """Run the command line.

    Whatever a user can cause ends in one line on stderr and an exit code: errors of the package,
    a target that cannot be written, a full disk, a scheduler that does not answer, an interrupt.
    A reader that went away (``nmc list | head``) ends the command without a word.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal in Latin-1 shows \u2013, and no traceback
            stream.reconfigure(errors="backslashreplace")
    code = _run(args)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _failed(error)
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    """Call the group; returns the exit code."""
    try:
        done = group.main(args=args, prog_name="nmc", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("nmc: interrupted", err=True)
        return 130
    except errors.NMCError as error:
        click.echo(f"nmc: {error}", err=True)
        return exit_code(error)
    except OSError as error:
        return _failed(error)
    except MemoryError:
        click.echo("nmc: there is not enough memory for this.", err=True)
        return 1
    return done if isinstance(done, int) else 0


def _failed(error: OSError) -> int:
    """Say in one line what the system refused; what is left for stdout goes nowhere."""
    if not isinstance(error, BrokenPipeError):
        what = error.strerror or str(error) or type(error).__name__
        click.echo(f"nmc: {error.filename}: {what}" if error.filename else f"nmc: {what}", err=True)
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # a stdout of the caller's own, without a file behind it
    return 1
