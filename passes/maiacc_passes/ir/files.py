"""Text of a module in a file, with the elements of small weights in a file beside it.

The file beside it begins with a line that says what it is. For each weight there follow a line with
the digest and the number of bytes, and the bytes. Nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.parser import parse_module
from maiacc_passes.ir.printer import print_module
from maiacc_passes.ir.weights import INLINE, Array, Data, codes

#: What the name of the file beside the text ends with.
BESIDE = ".weights"

#: Bytes of all weights beside a text, and of a text.
WEIGHTS_LIMIT = 16 << 20
TEXT_LIMIT = 256 << 20

_MAGIC = b"maiacc weights 1\n"
_HEAD = re.compile(rb"([0-9a-f]{64}) ([0-9]{1,9})\n")

#: Bytes of a head line, which come on top of the limit.
_HEADS = 1 << 20


def save_text(module: Module, path: str) -> None:
    """Writes a module as text, and beside it the smallest of the weights whose elements are in
    memory, up to ``WEIGHTS_LIMIT``; the text names others by their digest. Raises ``IRError``
    E1405 where a file cannot be written."""
    chosen = _small(module)
    if chosen:
        parts = [_MAGIC]
        for digest, array in chosen.items():
            parts += [b"%s %d\n" % (digest.encode(), array.nbytes), codes(array).tobytes()]
        _write(path + BESIDE, b"".join(parts))
    _write(path, print_module(module).encode())


def load_text(path: str, data: Mapping[str, Array] | None = None) -> Module:
    """The module of a text in a file, with the weights beside it, and those in ``data`` by digest
    or label. Raises ``IRError`` E1404 for a text that is refused, and E1405 for files that cannot
    be read, are too large or damaged."""
    given = dict(data or {})
    if os.path.lexists(path + BESIDE):
        given |= _weights(path + BESIDE)
    content = _read(path, TEXT_LIMIT)
    try:
        text = content.decode()
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise IRError("E1404", "the text is not in UTF-8", line=line) from problem
    return parse_module(text, given)


def _small(module: Module) -> dict[str, Array]:
    """Elements to write beside the text, by digest."""
    sources = [w.source for w in module.weights.values() if w.type.size > INLINE]
    arrays = [source for source in sources if isinstance(source, Data)]
    chosen: dict[str, Array] = {}
    total = 0
    for source in sorted(arrays, key=lambda source: source.value.nbytes):
        if total + source.value.nbytes > WEIGHTS_LIMIT:
            break
        if source.digest not in chosen:
            chosen[source.digest] = source.value
            total += source.value.nbytes
    return chosen


def _weights(path: str) -> dict[str, Array]:
    content = _read(path, WEIGHTS_LIMIT + _HEADS)
    if not content.startswith(_MAGIC):
        raise IRError("E1405", f"{path} holds no weights of a text")
    found: dict[str, Array] = {}
    at = len(_MAGIC)
    while at < len(content):
        head = _HEAD.match(content, at)
        size = int(head[2]) if head else 0
        if head is None or head.end() + size > len(content):
            raise IRError("E1405", f"{path} is damaged at byte {at}")
        at = head.end()
        digest = head[1].decode()
        if hashlib.sha256(memoryview(content)[at : at + size]).hexdigest() != digest:
            raise IRError("E1405", f"{path} is damaged: the elements of {digest} have changed")
        found[digest] = np.frombuffer(content, np.uint8, size, at)
        at += size
    return found


# ---- bytes of files -------------------------------------------------------------------------
def _read(path: str, limit: int) -> bytes:
    try:
        with open(path, "rb", opener=_plain) as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as problem:
        raise _trouble(path, problem) from problem
    if len(content) > limit:
        raise IRError("E1405", f"{path} is too large", expected=f"at most {limit} bytes")
    return content


def _plain(path: str, flags: int) -> int:
    """Opens a plain file only, and never waits for one to be written."""
    number = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise IRError("E1405", f"{path} is no plain file")
    return number


def _write(path: str, content: bytes) -> None:
    """Writes a file that appears under its name when all has gone well."""
    try:
        # A link is followed, so that it still is one afterwards.
        path = os.path.realpath(path)
        part = f"{path}.{os.getpid()}.part"
        if os.path.lexists(path) and not os.path.isfile(path):
            raise IRError("E1405", f"{path} is no plain file")
        try:
            with open(part, "wb") as file:
                file.write(content)
            os.replace(part, path)
        finally:
            if os.path.lexists(part):
                os.unlink(part)
    except (OSError, ValueError) as problem:
        raise _trouble(path, problem) from problem


def _trouble(path: str, problem: OSError | ValueError) -> IRError:
    reason = problem.strerror if isinstance(problem, OSError) else None
    return IRError("E1405", f"{path!r}: {reason or problem}")
