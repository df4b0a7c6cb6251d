"""Writing files so that a file under its name is always complete."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from maiacc_isa.archive import cannot_write


def write_atomically(path: str, chunks: Iterable[bytes]) -> None:
    """Writes a file beside its destination and moves it there when all has been written.

    Raises ``MaiaccError`` E0003 if it cannot be written.
    """
    destination = Path(path)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(".part", f".{destination.name}.", destination.parent)
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, destination)
        temporary = None
    except (OSError, ValueError) as problem:
        raise cannot_write(destination, problem) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
