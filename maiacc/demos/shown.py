"""How demonstrations look, and where they write."""

from __future__ import annotations

import tempfile
import textwrap
from pathlib import Path

import click

from maiacc_isa.errors import MaiaccError, Place


def step(number: int, name: str, text: str) -> None:
    """Prints a step by its number and name."""
    click.echo(f"{number}  {click.style(f'{name:<14}', bold=True)}{text}")


def indented(text: str) -> str:
    """A text below a step."""
    return textwrap.indent(text, "     ")


def trace_path(folder: str | None, name: str) -> Path:
    """Where a trace goes: to a folder, or to a temporary one.

    Raises ``MaiaccError`` E0003 for a folder that is not there.
    """
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="maiacc-demo-")) / name
    if not Path(folder).is_dir():
        raise MaiaccError(
            "E0003",
            "there is no such folder",
            place=Place(file=folder),
            hint=f"create it: mkdir {folder}",
        )
    return Path(folder) / name
