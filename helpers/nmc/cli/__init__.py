"""The command ``nmc``: one group whose commands are loaded when they are called.

A room adds a command by writing a click command in a module of its own and one line here.
"""

from __future__ import annotations

from importlib import import_module

import click

from nmc.cli.errors import exit_code

#: Command → (module, attribute, what ``nmc --help`` says of it).
COMMANDS = {
    "list": ("nmc.cli.catalogue", "list_command", "Show what there is to fetch."),
    "fetch": ("nmc.cli.files", "fetch_command", "Get files and print their paths."),
    "verify": ("nmc.cli.files", "verify_command", "Read every file again and compare its sha256."),
    "cite": ("nmc.cli.catalogue", "cite_command", "Say what to cite, in BibTeX or APA style."),
    "terms": ("nmc.cli.catalogue", "terms_command", "Show, accept or withdraw the data terms."),
    "export": ("nmc.cli.files", "export_command", "Copy the cache into one folder."),
    "import": ("nmc.cli.files", "import_command", "Take an exported folder into the cache."),
    "simulate": ("nmc.cli.cells", "simulate_command", "Run one protocol on one model."),
    "sweep": ("nmc.cli.cells", "sweep_command", "Run one protocol over many models."),
    "scoreboard": ("nmc.cli.cells", "scoreboard_command", "Compare models with fact sheets."),
    "scoreboard-pathways": (
        "nmc.cli.circuit",
        "pathways_command",
        "Compare pathways with their sheets.",
    ),
    "check": ("nmc.cli.factsheets", "check_command", "List what the fact sheets disagree on."),
    "explorer": ("nmc.cli.factsheets", "explorer_command", "Write pages to look anything up."),
    "sample": ("nmc.cli.sample", "sample_command", "Write the synthetic portal at any size."),
    "completion": ("nmc.cli.shell", "completion_command", "Let the shell complete commands."),
}

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
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            if near:
                exc.message += f" Did you mean {near[0]!r}?"
            raise

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


def main(args: list[str] | None = None) -> None:
    """Run the command line; errors of the package become one line and an exit code."""
    import logging
    import sys

    from nmc.errors import NMCError

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        group.main(args=args, prog_name="nmc", standalone_mode=True)
    except NMCError as exc:
        click.echo(f"nmc: {exc}", err=True)
        sys.exit(exit_code(exc))
