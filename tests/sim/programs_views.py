"""Random views: every element of a buffer to write it, any window of one to read it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sim.programs_text import Buf


@dataclass
class Part:
    """What one side of the split contributes: window dims, and a sum for the coordinate."""

    dims: list[str]
    terms: list[str]


def group(buf: Buf) -> int:
    """Sizes and origins along the last axis are multiples of this."""
    return {4: 2, 6: 4}.get(buf.bits, 1)


def pieces(rng: random.Random, name: str, size: int, step: int, whole: bool = False) -> Part:
    """One or two window dims of ``size`` indices together."""
    divisors = [n for n in (2, 3, 4, 8) if size % n == 0 and n < size]
    if divisors and not whole and rng.random() < 0.2:
        inner = rng.choice(divisors)
        return Part(
            [f"{name}:{size // inner}", f"{name}{name}:{inner}"],
            [_term(step * inner, name), _term(step, name + name)],
        )
    return Part([f"{name}:{size}"], [_term(step, name)])


def _term(step: int, name: str) -> str:
    return name if step == 1 else f"{step}*{name}"


def _axis(start: int, terms: list[str]) -> str:
    text = " + ".join(terms) if terms else str(start)
    if terms and start:
        text += f" + {start}" if start > 0 else f" - {-start}"
    return text.replace("+ -", "- ")


def braces(rows: Part, columns: Part, bar: bool) -> str:
    """The window dims of both sides."""
    if bar:
        return f"{{{', '.join(rows.dims)} | {', '.join(columns.dims)}}}"
    return f"{{{', '.join([*rows.dims, *columns.dims])}}}"


def whole(
    rng: random.Random,
    buf: Buf,
    bar: bool = True,
    plain: bool = False,
    place: str | None = None,
    lead: str = "",
    tail: str = "",
) -> str:
    """All elements of a buffer of two axes, in some order of rows; ``lead`` are coordinates on
    axes in front of these."""
    rows, columns = buf.shape[-2:]
    down = rng.random() < 0.15 and not plain and rows > 1
    back = rng.random() < 0.15 and not plain and columns > 1 and buf.bits >= 8
    a = pieces(rng, "r", rows, -1 if down else 1, plain)
    b = pieces(rng, "c", columns, -1 if back else 1, plain or buf.bits < 8)
    first = _axis(rows - 1 if down else 0, a.terms)
    second = _axis(columns - 1 if back else 0, b.terms)
    at = buf.place if place is None else place
    return f"{at}{braces(a, b, bar)}[{lead}{first}, {second}]{tail}{_aux(buf)}"


def _aux(buf: Buf) -> str:
    scale = f" scale {buf.scale}" if buf.scale else ""
    return scale + (f" meta {buf.meta}" if buf.meta else "")


def window(
    rng: random.Random,
    buf: Buf,
    rows: int,
    columns: int,
    bar: bool = True,
    lead: str = "",
    plain: bool = False,
) -> str:
    """Some elements of a buffer of two axes as ``rows`` x ``columns``. Where the buffer is too
    small, elements repeat, or lie outside and read the fill value."""
    extents = list(buf.shape[-2:])
    swap = buf.bits >= 8 and not plain and rng.random() < 0.15
    row_axis, column_axis = (1, 0) if swap else (0, 1)
    sums = ["0", "0"]
    a, sums[row_axis] = _side(rng, "r", rows, extents[row_axis], 1, plain)
    unit = group(buf)
    b, sums[column_axis] = _side(rng, "c", columns, extents[column_axis], unit, plain)
    text = f"{buf.place}{braces(a, b, bar)}[{lead}{sums[0]}, {sums[1]}]"
    if rng.random() < 0.3:
        text += rng.choice((" fill 0", f" bits {rng.getrandbits(8)}")) if buf.bits >= 8 else ""
    return text + _aux(buf)


def _side(
    rng: random.Random, name: str, size: int, extent: int, unit: int, plain: bool
) -> tuple[Part, str]:
    """Window dims of one side along an axis, and the coordinate."""
    kind = rng.random()
    if plain and size <= extent:
        part = pieces(rng, name, size, 1, True)
        return part, _axis(0, part.terms)
    if unit > 1:
        if size > extent or kind < 0.1:
            part = Part([f"{name}:{size}"], [name])
            return part, _axis(0, part.terms)
        start = rng.randrange(0, extent - size + 1, unit)
        return Part([f"{name}:{size}"], [name]), _axis(start, [name])
    if size > extent or kind < 0.08:
        if kind < 0.5:
            # The elements repeat.
            return Part([f"{name}:{size}"], []), str(rng.randrange(extent))
        part = pieces(rng, name, size, 1)
        return part, _axis(rng.choice((-1, 0, extent - 1)), part.terms)
    if kind < 0.16:
        part = pieces(rng, name, size, 1)
        return part, _axis(-1, part.terms)
    if kind < 0.3:
        part = pieces(rng, name, size, -1)
        return part, _axis(size - 1 + rng.randint(0, extent - size), part.terms)
    if kind < 0.45 and 2 * size - 1 <= extent:
        part = pieces(rng, name, size, 2)
        return part, _axis(rng.randint(0, extent - 2 * size + 1), part.terms)
    part = pieces(rng, name, size, 1)
    return part, _axis(rng.randint(0, extent - size), part.terms)
