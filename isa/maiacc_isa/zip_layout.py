"""The bytes around the members of a ``.maia`` file: headers of a ZIP with stored members.

One list of members has one layout, so what a reader finds can be compared with what a writer
would have written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Members start at multiples of this, so that they can be mapped into memory.
ALIGNMENT = 4096

#: Numbers from here on do not fit the fields of a plain ZIP.
LARGE = 0xFFFFFFFF
_MANY = 0xFFFF

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR64 = struct.Struct("<4sIQI")

LOCAL_MARK, CENTRAL_MARK, END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64_MARK, LOCATOR64_MARK = b"PK\x06\x06", b"PK\x06\x07"

_PADDING_ID = 0xD935
_WIDE_ID = 1
_UNIX = 3
_MODE = 0o100644 << 16
#: 1980-01-01, 0:00, as ZIP writes it.
_TIME, _DATE = 0, 33


@dataclass(frozen=True)
class Member:
    """A piece of the file. ``header`` is where its local header begins, ``offset`` its bytes."""

    name: str
    header: int
    size: int
    crc: int

    @property
    def _wide(self) -> bool:
        return self.size >= LARGE

    @property
    def offset(self) -> int:
        start = self.header + LOCAL.size + len(self.name) + (20 if self._wide else 0) + 4
        return start + -start % ALIGNMENT

    @property
    def end(self) -> int:
        return self.offset + self.size

    def local(self) -> bytes:
        """The header in front of the member."""
        extra = struct.pack("<HHQQ", _WIDE_ID, 16, self.size, self.size) if self._wide else b""
        size = min(self.size, LARGE)
        gap = self.offset - self.header - LOCAL.size - len(self.name) - len(extra) - 4
        extra += struct.pack("<HH", _PADDING_ID, gap) + bytes(gap)
        fixed = (self._version, 0, 0, _TIME, _DATE, self.crc, size, size)
        return LOCAL.pack(LOCAL_MARK, *fixed, len(self.name), len(extra)) + self._name + extra

    def central(self) -> bytes:
        """The member's entry in the directory."""
        wide = [n for n in (self.size, self.size, self.header) if n >= LARGE]
        extra = struct.pack("<HH", _WIDE_ID, 8 * len(wide)) if wide else b""
        extra += b"".join(struct.pack("<Q", n) for n in wide)
        size = min(self.size, LARGE)
        made = _UNIX << 8 | self._version
        head = (made, self._version, 0, 0, _TIME, _DATE, self.crc, size, size)
        tail = (len(self.name), len(extra), 0, 0, 0, _MODE, min(self.header, LARGE))
        return CENTRAL.pack(CENTRAL_MARK, *head, *tail) + self._name + extra

    @property
    def _name(self) -> bytes:
        return self.name.encode("ascii")

    @property
    def _version(self) -> int:
        return 45 if self._wide or self.header >= LARGE else 20


def directory(members: list[Member]) -> bytes:
    """The directory behind the members, with its end."""
    entries = b"".join(member.central() for member in members)
    start = members[-1].end if members else 0
    count, size, offset = len(members), len(entries), start
    if count >= _MANY or size >= LARGE or offset >= LARGE:
        wide = (44, _UNIX << 8 | 45, 45, 0, 0, count, count, size, offset)
        entries += END64.pack(END64_MARK, *wide)
        entries += LOCATOR64.pack(LOCATOR64_MARK, 0, start + size, 1)
    short = min(count, _MANY)
    return entries + END.pack(END_MARK, 0, 0, short, short, min(size, LARGE), min(offset, LARGE), 0)
