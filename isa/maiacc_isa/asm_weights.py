"""Weights of assembly text: values in the text, or pieces of a file beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from maiacc_isa import formats
from maiacc_isa.asm_errors import fail, placed
from maiacc_isa.asm_nodes import Statement
from maiacc_isa.errors import quote
from maiacc_isa.load import load
from maiacc_isa.program import Tensor, Weights

#: Longest number among values, in characters.
NUMBER_LIMIT = 60


def read_weights(s: Statement, tensor: Tensor, file: str | None) -> Weights:
    """The weights of a tensor. Raises ``MaiaccError`` E0510."""
    kind, value = s["weights"]
    if kind == "file":
        weights = _file_piece(s, value, Path(file or ".").parent)
    else:
        data = _inline_bytes(s, tensor, value) if kind == "list" else _hex_bytes(s, value)
        weights = Weights(data, None, 0, len(data))
    if weights.size != tensor.bytes():
        raise fail(
            s.pos,
            "E0510",
            f"weight {quote(tensor.name)} has the wrong number of bytes",
            expected=str(tensor.bytes()),
            found=str(weights.size),
        )
    return weights


def _file_piece(s: Statement, piece: tuple[str, int, int], folder: Path) -> Weights:
    """A piece of a file beside the text; the file must be there and long enough."""
    name, offset, size = piece
    if Path(name).name != name or name in ("", ".", "..") or "\\" in name or "\0" in name:
        raise fail(
            s.pos,
            "E0510",
            "a weight file lies beside the program text",
            expected="a plain file name",
            found=quote(name),
        )
    path = folder / name
    try:
        # A text may come from a stranger: a link could lead out of its folder.
        found = os.lstat(path)
    except OSError as problem:
        raise fail(
            s.pos, "E0510", f"weight file {quote(name)} cannot be read: {problem.strerror}"
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise fail(s.pos, "E0510", f"weight file {quote(name)} is not a plain file")
    if offset < 0 or size < 0 or offset + size > found.st_size:
        raise fail(
            s.pos,
            "E0510",
            f"weight file {quote(name)} is too short",
            expected=f"{max(offset, 0) + max(size, 0)} bytes",
            found=f"{found.st_size} bytes",
        )
    return Weights(None, str(path), offset, size)


def _hex_bytes(s: Statement, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise fail(s.pos, "E0510", "not hexadecimal bytes", found=quote(text)) from None


def _inline_bytes(s: Statement, tensor: Tensor, text: str) -> bytes:
    dtype = load().dtypes[tensor.dtype]
    if dtype.packed:
        raise fail(s.pos, "E0510", 'types below 8 bits are given as hex "..."')
    data = bytearray()
    for item in text[1:-1].replace(",", " ").split():
        try:
            if len(item) > NUMBER_LIMIT:
                raise ValueError
            value = float(item) if dtype.is_float else int(item, 0)
        except ValueError:
            raise fail(s.pos, "E0510", "not a number", found=quote(item)) from None
        if dtype.kind in ("bool", "scale"):
            if not 0 <= value < 256:
                raise fail(s.pos, "E0510", "not a byte", expected="0 to 255", found=quote(item))
            data.append(int(value))
        else:
            data += _encoded(s, tensor.dtype, value).to_bytes(dtype.bits // 8, "little")
    return bytes(data)


def _encoded(s: Statement, dtype: str, value: float | int) -> int:
    with placed(s.pos):
        return formats.encode(dtype, value)
