"""What happens now, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from maiacc.compiling.build import Tell


@contextmanager
def progress(title: str) -> Iterator[Tell]:
    """A line on standard error that says what is done; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    console = Console(stderr=True)
    with console.status(title, spinner="line") as status:
        yield lambda step: status.update(f"{title}: {step}")
