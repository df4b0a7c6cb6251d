"""What happens now, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from maiacc.compiling.build import Tell
from maiacc_isa.errors import printable


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """A line on standard error that says what is done; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    console = Console(stderr=True)
    shown = escape(printable(title))
    with console.status(shown, spinner="line") as status:
        yield lambda step: status.update(f"{shown}: {escape(step)}")
