"""`probe completion`: what a shell has to read so that it completes our words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell; commands, options and their choices are completed.

    \b
    Examples:
      probe completion bash > ~/.local/share/bash-completion/completions/probe
      probe completion zsh > ~/.zfunc/_probe
      probe completion fish > ~/.config/fish/completions/probe.fish
    """
    from probe.cli import root

    found = get_completion_class(shell)
    assert found is not None, shell
    click.echo(found(root, {}, "probe", "_PROBE_COMPLETE").source())
