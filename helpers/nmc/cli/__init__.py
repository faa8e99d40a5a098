"""The command ``nmc``; its commands stand in `nmc.cli.files` (data) and `nmc.cli.models`.

These modules import nothing heavy, so that help and completion answer at once.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from nmc import errors
from nmc.cli import files, models, shared

#: Settings, exit codes and first steps, whose lines stay as they are written.
_EPILOG = "\b\n" + Path(__file__).with_name("epilog.txt").read_text("utf-8").replace(
    "\n\n", "\n\n\b\n"
)


class OrderedGroup(click.Group):
    """A group that lists its commands in the order they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in that order."""
        return list(self.commands)


@click.group(
    cls=OrderedGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="nmc")
def group() -> None:
    """Fetch, check and cite the Neocortical Microcircuit Collaboration data.

    Files have short keys, such as sheet/layers or connectome/average/mc2; 'nmc list' shows them.
    Every command explains itself: nmc COMMAND --help.
    """


for _command in (*files.COMMANDS, *models.COMMANDS):
    group.add_command(_command)


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
        shared.tell("interrupted")
        return 130
    except errors.NMCError as error:
        shared.tell(error)
        return shared.exit_code(error)
    except OSError as error:
        return _failed(error)
    except MemoryError:
        shared.tell("there is not enough memory for this.")
        return 1
    return done if isinstance(done, int) else 0


def _failed(error: OSError) -> int:
    """Say in one line what the system refused; what is left for stdout goes nowhere."""
    if not isinstance(error, BrokenPipeError):
        what = error.strerror or str(error) or type(error).__name__
        shared.tell(f"{str(error.filename)[:200]}: {what}" if error.filename else what)
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # a stdout of the caller's own, without a file behind it
    return 1
