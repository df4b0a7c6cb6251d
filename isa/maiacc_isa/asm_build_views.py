"""Numbers, sums and views of assembly text: one method per rule of asm.lark."""

from __future__ import annotations

import re
from typing import Any

from lark import Token

from maiacc_isa.asm_nodes import (
    AxisText,
    Bound,
    BufferPlace,
    Linear,
    Pos,
    RawPlace,
    View,
)
from maiacc_isa.errors import MaiaccError, Place

#: Longest number, in digits; every field is far narrower.
DIGIT_LIMIT = 24

#: Longest number with a fraction, in characters; longer ones say nothing more.
FLOAT_LIMIT = 60

#: Parts of a sum, of a view and of a word; no field holds as many.
PART_LIMIT = 64


def position(meta: Any) -> Pos:
    """Where a rule's text begins."""
    return Pos(getattr(meta, "line", 0), getattr(meta, "column", 0))


def not_too_many(meta: Any, items: list[Any], what: str) -> None:
    """Raises ``MaiaccError`` E0505 for lists that no statement can use."""
    if len(items) > 2 * PART_LIMIT:
        raise MaiaccError(
            "E0505",
            f"too many parts in {what}",
            place=Place(line=meta.line, column=meta.column),
            expected=f"at most {PART_LIMIT}",
        )


def _too_long(meta: Any, text: str, most: int) -> MaiaccError:
    return MaiaccError(
        "E0504",
        "a number is too long",
        place=Place(line=meta.line, column=meta.column),
        expected=f"at most {most} digits",
        found=f"{len(text)} characters",
    )


def float_of(text: str) -> float:
    """The value of a FLOAT of the grammar. Raises ``OverflowError`` above the range of fp64."""
    return float.fromhex(text) if "x" in text else float(text)


class ViewRules:
    """Rules of numbers, sums and views. ``c`` holds a rule's parts, already built."""

    # ---- numbers and sums ---------------------------------------------------------------
    def number(self, meta: Any, c: list[Any]) -> int:
        if len(c[0]) > DIGIT_LIMIT:
            raise _too_long(meta, c[0], DIGIT_LIMIT)
        return int(c[0], 0) if "x" in c[0] else int(c[0])

    def float(self, meta: Any, c: list[Any]) -> float:
        text = str(c[0])
        if len(text) > FLOAT_LIMIT:
            raise _too_long(meta, text, FLOAT_LIMIT)
        try:
            return float_of(text)
        except OverflowError:
            place = Place(line=meta.line, column=meta.column)
            raise MaiaccError(
                "E0504", "a number is too large", place=place, expected="below 2^1024", found=text
            ) from None

    def bound(self, meta: Any, c: list[Any]) -> Bound:
        if isinstance(c[0], Token):
            return Bound(c[1], str(c[0]), position(meta))
        return Bound(c[0], None, position(meta))

    def product(self, meta: Any, c: list[Any]) -> tuple[int, str | None, Pos]:
        coef, name = 1, None
        for item in c:
            if isinstance(item, int):
                coef = item
            else:
                name = str(item)
        return coef, name, position(meta)

    def linear(self, meta: Any, c: list[Any]) -> Linear:
        not_too_many(meta, c, "a sum")
        parts = []
        sign = 1
        for item in c:
            if isinstance(item, Token) or item is None:
                sign = -1 if item is not None and item.type == "MINUS" else 1
            else:
                parts.append((sign * item[0], item[1], item[2]))
                sign = 1
        return Linear(position(meta), tuple(parts))

    def type(self, meta: Any, c: list[Any]) -> tuple[str, tuple[int, ...]]:
        return str(c[0]), tuple(n for n in c[1:] if n is not None)

    # ---- views --------------------------------------------------------------------------
    def home(self, meta: Any, c: list[Any]) -> Linear | str:
        return "all" if isinstance(c[0], Token) else c[0]

    def buffer_place(self, meta: Any, c: list[Any]) -> BufferPlace:
        return BufferPlace(position(meta), str(c[0]), c[1], c[2])

    def raw_place(self, meta: Any, c: list[Any]) -> RawPlace:
        return RawPlace(position(meta), str(c[0]), str(c[1]), c[2], c[3], c[5])

    def dim(self, meta: Any, c: list[Any]) -> tuple[str, Bound]:
        return str(c[0]), c[1]

    def dims(self, meta: Any, c: list[Any]) -> tuple[tuple[tuple[str, Bound], ...], int]:
        not_too_many(meta, c, "a view")
        bar = next((i for i, x in enumerate(c) if isinstance(x, Token)), None)
        before = [x for x in c[:bar] if isinstance(x, tuple)]
        after = [x for x in c[bar:] if isinstance(x, tuple)] if bar is not None else []
        return (*before, *after), len(before)

    def axis(self, meta: Any, c: list[Any]) -> AxisText:
        return AxisText(c[0], c[1], c[2])

    def fill(self, meta: Any, c: list[Any]) -> tuple[str, Any]:
        return "fill", str(c[0]) if isinstance(c[0], Token) else c[0]

    def bits(self, meta: Any, c: list[Any]) -> tuple[str, int]:
        return "bits", c[0]

    def scale(self, meta: Any, c: list[Any]) -> tuple[str, str]:
        return "scale", str(c[0])

    def meta(self, meta: Any, c: list[Any]) -> tuple[str, str]:
        return "meta", str(c[0])

    def drop(self, meta: Any, c: list[Any]) -> tuple[str, bool]:
        return "drop", True

    def view(self, meta: Any, c: list[Any]) -> View:
        not_too_many(meta, c, "a view")
        dims, split = c[1]
        axes = tuple(x for x in c[2:] if isinstance(x, AxisText))
        options = tuple(x for x in c[2:] if isinstance(x, tuple))
        return View(position(meta), c[0], dims, split, axes, options)


_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}


def unquote(text: str) -> str:
    """A quoted name without its quotes and escapes.

    ``\\n``, ``\\r``, ``\\t`` and ``\\u{hexadecimal}`` are characters that a line of text cannot
    show; a backslash before any other character gives that character.
    """

    def character(match: re.Match[str]) -> str:
        if match[1] is None:
            return _LETTERS.get(match[2], match[2])
        code = int(match[1], 16)
        good = code < 0xD800 or 0xDFFF < code < 0x110000
        return chr(code) if good else "\ufffd"

    return _ESCAPE.sub(character, text[1:-1])
