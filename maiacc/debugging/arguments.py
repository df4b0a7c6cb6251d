"""What people write behind the debugger's commands."""

from __future__ import annotations

import re
import shlex

from maiacc_isa.errors import MaiaccError, quote

#: A part of an array: an index or a slice for each axis, of which the last may be left out.
Part = tuple[int | slice, ...]

#: BUFFER(SLOT) INSTANCE [PART]
_PRINTED = re.compile(
    r'(?:"([^"]*)"|([^\s()\[\]"]+))\s*(?:\((\d{1,9})\))?\s*([\d.]+)?\s*(?:\[([^\[\]]*)\])?'
)
_INDEX = re.compile(r"(-?\d{1,12})|(-?\d{1,12})?\s*(:)\s*(-?\d{1,12})?")


def wanted(expected: str, found: str) -> MaiaccError:
    """The refusal of what a command cannot take."""
    return MaiaccError("E0004", "not what the command takes", expected=expected, found=quote(found))


def arguments(text: str, most: int) -> list[str]:
    """The words of a command, quoted ones without their quotes. Raises ``MaiaccError`` E0004."""
    try:
        found = shlex.split(text)
    except ValueError:
        raise wanted("quotes in pairs", text) from None
    if len(found) > most:
        raise wanted(f"at most {most} words" if most else "nothing", text)
    return found


def count(text: str, default: int | None = 1) -> int:
    """A number from 0 on, with a default or none. Raises ``MaiaccError`` E0004."""
    if not text and default is not None:
        return default
    digits = text.replace(",", "")
    if not re.fullmatch(r"[0-9]{1,18}", digits):
        raise wanted("a number", text or "nothing")
    return int(digits)


def printed(text: str) -> tuple[str, int, str, str | None]:
    """Buffer, slot, instance and part to print. Raises ``MaiaccError`` E0004."""
    match = _PRINTED.fullmatch(text)
    if match is None:
        raise wanted("BUFFER(SLOT) INSTANCE [PART], such as ta(1) 0.0.1 [0:4, 2]", text)
    quoted, plain, slot, instance, part = match.groups()
    return plain if quoted is None else quoted, int(slot or 0), instance or "", part


def part_of(text: str, shape: tuple[int, ...]) -> Part:
    """Indices and slices, one for each axis at most. Raises ``MaiaccError`` E0004."""
    extents = ", ".join(map(str, shape))
    expected = f"an index or FROM:TO for each axis of [{extents}]"
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    if len(pieces) > len(shape):
        raise wanted(expected, f"[{text}]")
    part: list[int | slice] = []
    for piece, extent in zip(pieces, shape, strict=False):
        match = _INDEX.fullmatch(piece)
        if match is None:
            raise wanted(expected, f"[{text}]")
        index, begin, colon, end = match.groups()
        if colon:
            part.append(slice(int(begin) if begin else None, int(end) if end else None))
        elif -extent <= int(index) < extent:
            part.append(int(index))
        else:
            raise wanted(expected, f"[{text}]")
    return tuple(part)
