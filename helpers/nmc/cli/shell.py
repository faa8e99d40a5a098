"""Help for the shell: completion of commands and keys."""

from __future__ import annotations

import click


class KeyType(click.ParamType):
    """A catalogue key, or a pattern of keys; the shell completes it part by part."""

    name = "key"

    def shell_complete(self, ctx, param, incomplete):
        """Return the keys that begin so, up to the next ``/`` when there are many."""
        from click.shell_completion import CompletionItem

        from nmc.data.catalogue import items

        known = [key for key in items() if key.startswith(incomplete)]
        parts = {_next_part(key, incomplete) for key in known}
        if len(known) > 1 and len(parts) == 1:
            parts = set(known)
        return [CompletionItem(part) for part in sorted(parts)]


def _next_part(key: str, begun: str) -> str:
    end = key.find("/", len(begun))
    return key if end < 0 else key[: end + 1]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print a script that lets the shell complete commands, options and keys.

    \b
    bash:  echo 'eval "$(nmc completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(nmc completion zsh)"' >> ~/.zshrc
    fish:  nmc completion fish > ~/.config/fish/completions/nmc.fish
    """
    from click.shell_completion import get_completion_class

    from nmc.cli import group

    script = get_completion_class(shell)(group, {}, "nmc", "_NMC_COMPLETE")
    click.echo(script.source())
