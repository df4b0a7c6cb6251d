"""Bit diagrams as SVG: a layout drawn in rows of 32 bits, the highest bit on the left."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_CELL, _ROW, _TOP, _LEFT = 24, 40, 18, 8
_ROW_BITS = 32
_FILLS = ("#e8f0fe", "#fef7e0", "#e6f4ea", "#fce8e6", "#f3e8fd")


@dataclass(frozen=True)
class Piece:
    """Bits ``high`` to ``low`` with a name; None is reserved."""

    high: int
    low: int
    name: str | None


def pieces(fields: list[tuple[int, int, str]], bits: int) -> list[Piece]:
    """The fields in rising order with the reserved bits between them."""
    result: list[Piece] = []
    at = 0
    for high, low, name in sorted(fields, key=lambda f: f[1]):
        if low > at:
            result.append(Piece(low - 1, at, None))
        result.append(Piece(high, low, name))
        at = high + 1
    if at < bits:
        result.append(Piece(bits - 1, at, None))
    return result


def draw(title: str, parts: list[Piece], bits: int) -> str:
    """The diagram of a layout of ``bits`` bits."""
    rows = bits // _ROW_BITS
    width = _ROW_BITS * _CELL + 2 * _LEFT
    height = rows * (_ROW + _TOP) + _LEFT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="monospace" font-size="11">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, part in enumerate(parts):
        fill = "#eeeeee" if part.name is None else _FILLS[number % len(_FILLS)]
        out += _piece(part, fill)
    return "\n".join([*out, "</svg>"]) + "\n"


def _piece(part: Piece, fill: str) -> list[str]:
    """The boxes of one piece, one per row of bits it crosses."""
    out = []
    low = part.low
    while low <= part.high:
        high = min(part.high, low // _ROW_BITS * _ROW_BITS + _ROW_BITS - 1)
        row = low // _ROW_BITS
        x = _LEFT + (_ROW_BITS - 1 - high % _ROW_BITS) * _CELL
        y = row * (_ROW + _TOP) + _TOP
        wide = (high - low + 1) * _CELL
        out.append(
            f'<rect x="{x}" y="{y}" width="{wide}" height="{_ROW - 8}" fill="{fill}" '
            'stroke="#444"/>'
        )
        name = part.name or "0"
        room = wide // 7
        text = name if len(name) <= room else name[: max(1, room - 1)] + "."
        out.append(
            f'<text x="{x + wide / 2:g}" y="{y + 20}" text-anchor="middle">{escape(text)}</text>'
        )
        out.append(
            f'<text x="{x + wide - 2}" y="{y - 4}" text-anchor="end" fill="#666">{low}</text>'
        )
        if high - low > 1:
            out.append(f'<text x="{x + 2}" y="{y - 4}" fill="#666">{high}</text>')
        low = high + 1
    return out
