"""``maiacc completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from maiacc.cli import cli


@click.command(name="completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    For bash: maiacc completion bash > ~/.local/share/bash-completion/completions/maiacc
    """
    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(cli, {}, "maiacc", "_MAIACC_COMPLETE").source())
