"""The user's cache folder: what was worked out once and would be worked out again the same.

An entry is named by the SHA-256 of everything that it depends on, so that an old one is never taken
for a new one. It begins with the SHA-256 of its content, so that a damaged one is no entry. The
folder and its files belong to the user and nobody else may write to them, or there is no cache:
entries may be machine code. Nothing here fails; without a cache everything is worked out again.

``MAIACC_CACHE`` names another folder, and ``off`` turns the cache off.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Names the folder, or turns the cache off.
VARIABLE = "MAIACC_CACHE"

#: Largest entry, and largest sum of entries, in bytes.
ENTRY_LIMIT = 64 << 20
FOLDER_LIMIT = 256 << 20

#: Most entries: every new one looks at the ages of all.
NUMBER_LIMIT = 2048

#: How every entry begins; the SHA-256 of its content follows.
MAGIC = b"maiacc cache 1\n"

#: Bytes before the content.
HEADER = len(MAGIC) + 32


def key(*parts: str | bytes) -> str:
    """The name of what depends on all of some parts and on nothing else."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def source_digest(modules: Iterable[str]) -> str:
    """A digest of the files of some packages or modules that are loaded, by name."""
    parts: list[str | bytes] = []
    for name in sorted(modules):
        path = Path(str(sys.modules[name].__file__))
        files = sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]
        for file in files:
            parts += [str(file.relative_to(path.parent)), file.read_bytes()]
    return key(*parts)


def folder() -> Path | None:
    """The folder, made if need be; None if there is none that can be trusted."""
    asked = os.environ.get(VARIABLE, "")
    if asked.lower() == "off":
        return None
    try:
        path = Path(asked) if asked else _default()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path if _private(os.lstat(path)) else None
    except (OSError, RuntimeError):
        return None


def _default() -> Path:
    """Where caches of a user are kept on this system."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "maiacc" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "maiacc"
    general = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(general) if os.path.isabs(general) else Path.home() / ".cache") / "maiacc"


def _private(found: os.stat_result) -> bool:
    """Whether a folder or file belongs to the user, and nobody else may write to it."""
    if sys.platform == "win32":
        return True  # rights are inherited from the folder of the user
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def get(kind: str, name: str) -> bytes | None:
    """The entry of a kind and a name made by ``key``; None if there is none."""
    place = folder()
    if place is None:
        return None
    path = place / f"{kind}-{name}"
    try:
        with _plain(path) as file:
            found = os.fstat(file)
            if not _private(found) or not stat.S_ISREG(found.st_mode):
                return None
            if not HEADER <= found.st_size <= ENTRY_LIMIT + HEADER:
                return None
            data = _read(file, found.st_size)
    except OSError:
        return None
    content = data[HEADER:]
    if data[:HEADER] != MAGIC + hashlib.sha256(content).digest():
        with suppress(OSError):
            path.unlink()
        return None
    return content


@contextmanager
def _plain(path: Path) -> Iterator[int]:
    """A file opened for reading that is no link and no pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(path, flags | getattr(os, "O_BINARY", 0))
    try:
        yield file
    finally:
        os.close(file)


def _read(file: int, size: int) -> bytes:
    pieces = []
    while size > 0 and (piece := os.read(file, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def put(kind: str, name: str, content: bytes) -> None:
    """Keeps an entry. Others see all of it or nothing, whoever writes at the same time."""
    place = folder()
    if place is None or len(content) > ENTRY_LIMIT:
        return
    temporary = None
    try:
        file, temporary = tempfile.mkstemp(prefix="new-", dir=place)
        with os.fdopen(file, "wb") as out:
            out.write(MAGIC + hashlib.sha256(content).digest() + content)
        os.replace(temporary, place / f"{kind}-{name}")
        _prune(place)
    except OSError:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)


def _prune(place: Path) -> None:
    """Removes the oldest entries until the folder is small enough, and they are few enough."""
    entries = []
    with os.scandir(place) as found:
        for item in found:
            with suppress(OSError):
                seen = item.stat(follow_symlinks=False)
                entries.append((seen.st_mtime, seen.st_size, item.path))
    total, number = sum(size for _, size, _ in entries), len(entries)
    for _, size, path in sorted(entries):
        if total <= FOLDER_LIMIT and number <= NUMBER_LIMIT:
            return
        with suppress(OSError):
            os.unlink(path)
            total, number = total - size, number - 1
