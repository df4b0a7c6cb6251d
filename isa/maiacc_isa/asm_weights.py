"""Weights of assembly text: values in the text, or pieces of a file beside it."""

from __future__ import annotations

from pathlib import Path

from maiacc_isa import formats
from maiacc_isa.asm_nodes import Statement
from maiacc_isa.asm_views import fail
from maiacc_isa.load import load
from maiacc_isa.program import Tensor, Weights


def read_weights(s: Statement, tensor: Tensor, file: str | None) -> Weights:
    kind, value = s["weights"]
    size = tensor.bytes()
    if kind == "file":
        name, offset, length = value
        if Path(name).name != name or name in ("", ".", "..") or "\\" in name:
            raise fail(
                s.pos,
                "E0510",
                "a weight file lies beside the program text",
                expected="a plain file name",
                found=name[:60],
            )
        path = str(Path(file or ".").parent / name)
        weights = Weights(None, path, offset, length)
        length_found = length
    else:
        data = _inline_bytes(s, tensor, value) if kind == "list" else _hex_bytes(s, value)
        weights = Weights(data, None, 0, len(data))
        length_found = len(data)
    if length_found != size:
        raise fail(
            s.pos,
            "E0510",
            f"weight {tensor.name} has the wrong number of bytes",
            expected=str(size),
            found=str(length_found),
        )
    return weights


def _hex_bytes(s: Statement, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise fail(s.pos, "E0510", "not hexadecimal") from None


def _inline_bytes(s: Statement, tensor: Tensor, text: str) -> bytes:
    dtype = load().dtypes[tensor.dtype]
    if dtype.packed:
        raise fail(s.pos, "E0510", 'types below 8 bits are given as hex "..."')
    data = bytearray()
    for item in text[1:-1].replace(",", " ").split():
        try:
            value = int(item[:30], 0) if not dtype.is_float else float(item[:60])
        except ValueError:
            raise fail(s.pos, "E0510", f"not a number: {item[:40]}") from None
        if dtype.kind in ("bool", "scale"):
            if not 0 <= value < 256:
                raise fail(s.pos, "E0510", f"not a byte: {item[:40]}")
            data.append(int(value))
        else:
            data += formats.encode(tensor.dtype, value).to_bytes(dtype.bits // 8, "little")
    return bytes(data)
