"""The wire format of protocol buffers: single messages, and arrays of records of one size.

A varint may be longer than it has to be: its last bytes are then zero, and every reader of the
format takes it. So numbers of one column get one width, and a record is a pattern of bytes in
which numpy replaces columns.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]

#: How a field's value is written.
VARINT, FIXED64, LENGTH = 0, 1, 2

#: Bytes of a varint that holds any 64 bits, as those of negative numbers do.
WIDEST = 10


@dataclass(frozen=True)
class Column:
    """A place in a record that differs from record to record: a varint of ``width`` bytes, or
    ``raw`` bytes as they are."""

    name: str
    width: int
    raw: bool = False


#: Which elements of columns to take.
Pick: TypeAlias = "slice | NDArray[np.intp]"
EVERY = slice(None)

#: Bytes that are the same in all records, or a column.
Part: TypeAlias = bytes | Column


def varint(value: int, width: int = 0) -> bytes:
    """A number of up to 64 bits, in at least ``width`` bytes; negative ones take ten."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127 or len(out) + 1 < width:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(field: int, kind: int = VARINT) -> bytes:
    """What stands in front of a field's value."""
    return varint(field << 3 | kind)


def number(field: int, value: int) -> bytes:
    """A field with an integer, truth value or enumerated value."""
    return tag(field) + varint(value)


def data(field: int, value: bytes) -> bytes:
    """A field with bytes or a message."""
    return tag(field, LENGTH) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """A field with a text. What is no character (half of a surrogate pair) is escaped."""
    return data(field, value.encode("utf-8", "backslashreplace"))


def message(field: int, *parts: Part) -> tuple[Part, ...]:
    """A field with a message of these parts."""
    return tag(field, LENGTH) + varint(size(parts)), *parts


def size(parts: tuple[Part, ...]) -> int:
    """How many bytes the parts take."""
    return sum(part.width if isinstance(part, Column) else len(part) for part in parts)


def width(largest: int) -> int:
    """How many bytes the varint of a number takes."""
    return len(varint(largest))


class Record:
    """Bytes with columns, of one size whatever the columns hold."""

    def __init__(self, *parts: Part) -> None:
        self.size = size(parts)
        self._columns: list[tuple[int, Column]] = []
        pattern = b""
        for part in parts:
            if isinstance(part, Column):
                self._columns.append((len(pattern), part))
                pattern += bytes(part.width)
            else:
                pattern += part
        self._pattern = np.frombuffer(pattern, f"V{self.size}")

    def fill(self, columns: Mapping[str, NDArray[Any]], pick: Pick = EVERY) -> Bytes:
        """Records as rows of bytes, one for each picked element of the columns of these names;
        raw columns are themselves rows of bytes. There must be a column."""
        rows = np.empty(len(columns[self._columns[0][1].name][pick]), f"V{self.size}")
        rows[:] = self._pattern
        out = rows.view(np.uint8).reshape(len(rows), self.size)
        for start, column in self._columns:
            values = columns[column.name][pick]
            if not column.raw:
                values = padded(values, column.width)
            out[:, start : start + column.width] = values
        return out


def padded(values: NDArray[Any], width: int) -> Bytes:
    """Varints of ``width`` bytes, a row each, of integers that fit into them."""
    x = values.astype(np.uint64)
    if width > 8:
        steps = [(x >> np.uint64(7 * i)) & np.uint64(127) for i in range(width)]
        out = np.stack(steps, axis=1).astype(np.uint8)
        out[:, :-1] |= 128
        return out
    # Seven bits to a byte, in three steps: halves to 32 bits, quarters to 16, eighths to 8.
    for shift, low, high in _SPREAD:
        x = (x & low) | ((x & high) << shift)
    x |= np.uint64(0x8080808080808080 & ((1 << 8 * (width - 1)) - 1))
    if sys.byteorder == "big":
        x = x.byteswap()
    return x.view(np.uint8).reshape(-1, 8)[:, :width]


_SPREAD = [
    (np.uint64(4), np.uint64(0x000000000FFFFFFF), np.uint64(0x00FFFFFFF0000000)),
    (np.uint64(2), np.uint64(0x00003FFF00003FFF), np.uint64(0x0FFFC0000FFFC000)),
    (np.uint64(1), np.uint64(0x007F007F007F007F), np.uint64(0x3F803F803F803F80)),
]


def place(buffer: Bytes, offsets: NDArray[np.int64], rows: Bytes) -> None:
    """Copies each row to its offset in the buffer."""
    count, length = rows.shape
    if count:
        # One element for each byte at which a row could start: a copy is then one assignment.
        places: NDArray[Any] = np.ndarray(
            (len(buffer) - length + 1,), f"V{length}", buffer.data, strides=(1,)
        )
        places[offsets] = rows.view(f"V{length}")[:, 0]
