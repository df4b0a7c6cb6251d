"""Files that appear under their name only when they are complete, and files read with care."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from maiacc_isa.errors import MaiaccError, Place


class AtomicFile:
    """A file written beside its destination and moved there when all has gone well.

    Where the destination is a device or a pipe, its contents are copied there at the end. Raises
    ``MaiaccError`` E0003 where that cannot be done; the destination is untouched then.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._temporary: str | None = None
        self.stream: BinaryIO

    def __enter__(self) -> BinaryIO:
        try:
            # A link is followed, so that it still is one afterwards.
            self._target = Path(os.path.realpath(self._path))
            self._special = self._is_special()
            folder = None if self._special else self._target.parent
            handle, self._temporary = tempfile.mkstemp(".part", f".{self._target.name}.", folder)
            self.stream = os.fdopen(handle, "w+b")
        except (OSError, ValueError) as problem:
            raise cannot_write(self._path, problem) from None
        return self.stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if problem is None:
                self._finish()
            elif isinstance(problem, OSError):
                raise problem
        except OSError as error:
            raise cannot_write(self._path, error) from None
        finally:
            with contextlib.suppress(OSError):
                self.stream.close()
            with contextlib.suppress(OSError, TypeError):
                os.unlink(self._temporary or "")

    def _is_special(self) -> bool:
        """Whether the destination exists and is neither file nor folder."""
        try:
            mode = os.stat(self._target).st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "it is a folder")
        return not stat.S_ISREG(mode)

    def _finish(self) -> None:
        assert self._temporary is not None
        self.stream.flush()
        if self._special:
            self.stream.seek(0)
            with open(self._target, "wb") as device:
                shutil.copyfileobj(self.stream, device)
            return
        os.fsync(self.stream.fileno())
        self.stream.close()
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._temporary, 0o666 & ~umask)
        os.replace(self._temporary, self._target)


def cannot_write(path: str, problem: Exception) -> MaiaccError:
    """The refusal for a destination that cannot be written."""
    reason = getattr(problem, "strerror", None) or str(problem)
    return MaiaccError("E0003", f"cannot be written: {reason}", place=Place(file=path))


def open_plain(path: str) -> BinaryIO:
    """Opens an existing plain file for reading; never blocks on a pipe or device.

    Raises ``MaiaccError`` E0002 if it cannot be read and E0005 if it is something else.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise MaiaccError("E0002", f"cannot be read: {reason}", place=Place(file=path)) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise MaiaccError("E0005", "this is not a plain file", place=Place(file=path))
    return os.fdopen(handle, "rb")
