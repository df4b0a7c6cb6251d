"""A second implementation of the functions: from the manual's chapter alone, without numpy.

It reads algorithms, tables and check cases out of the chapter's Markdown and computes with
exact fractions, rounding where the chapter says so. What it shares with the evaluator is
only the text that a reader of the manual has before them.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

NAN = 0x7FC00000

_HEXFLOAT = re.compile(r"0x[0-9a-f]+(?:\.[0-9a-f]+)?p[+-][0-9]+")


def rounded(value: Fraction) -> float:
    """The f32 nearest to an exact value other than 0, ties to even."""
    size = abs(value)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    nearest = round(size / unit) * unit
    return math.copysign(float(nearest) if nearest < 2**128 else math.inf, value)


@dataclass(frozen=True)
class F32:
    """An f32 whose arithmetic is that of IEEE 754."""

    value: float

    @staticmethod
    def of(bits: int) -> F32:
        """The f32 with these bits."""
        (value,) = struct.unpack("<f", struct.pack("<I", bits))
        return F32(value)

    @property
    def bits(self) -> int:
        """The bits; a NaN has one pattern."""
        if math.isnan(self.value):
            return NAN
        return int.from_bytes(struct.pack("<f", self.value), "little")

    def _with(self, other: F32, exact: Callable[[Any, Any], Any]) -> F32:
        a, b = self.value, other.value
        if math.isfinite(a) and math.isfinite(b) and exact(Fraction(a), Fraction(b)):
            return F32(rounded(exact(Fraction(a), Fraction(b))))
        # Zeros, infinities and NaN come out of the host's arithmetic as they should.
        return F32(exact(a, b))

    def __add__(self, other: F32) -> F32:
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: F32) -> F32:
        return self._with(other, lambda a, b: a - b)

    def __mul__(self, other: F32) -> F32:
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other: F32) -> F32:
        if other.value != 0:
            return self._with(other, lambda a, b: a / b)
        if self.value == 0 or math.isnan(self.value):
            return F32(math.nan)
        return F32(math.copysign(math.inf, self.value) * math.copysign(1.0, other.value))

    def __neg__(self) -> F32:
        return F32(-self.value)


def _least(a: F32, b: F32) -> F32:
    if math.isnan(a.value) or math.isnan(b.value):
        return F32(math.nan)
    return min(a, b, key=lambda x: (x.value, math.copysign(1, x.value)))


def _integral(x: F32, to_integer: Callable[[float], int]) -> F32:
    if not math.isfinite(x.value):
        return x
    return F32(math.copysign(float(to_integer(x.value)), x.value))


def _negative(x: F32) -> bool:
    return not math.isnan(x.value) and math.copysign(1, x.value) < 0


def _pscale(p: F32, k: F32) -> F32:
    if math.isnan(k.value):
        return k
    if k.value >= 129:
        return F32(math.inf)
    if k.value <= -160:
        return F32(0.0)
    if not math.isfinite(p.value) or p.value == 0:
        return p
    return F32(rounded(Fraction(p.value) * Fraction(2) ** int(k.value)))


def _norm(x: F32) -> F32:
    if math.isnan(x.value) or x.value < 0:
        return F32(math.nan)
    if x.value == 0 or math.isinf(x.value):
        return F32(math.inf if x.value == 0 else -math.inf)
    j = 0
    while Fraction(x.value) * Fraction(2) ** j < Fraction(3, 4):
        j += 1
    while Fraction(x.value) * Fraction(2) ** j >= Fraction(3, 2):
        j -= 1
    return F32(float(j))


def _mant(x: F32) -> F32:
    j = _norm(x).value
    if math.isnan(j):
        return F32(math.nan)
    return F32(1.0) if math.isinf(j) else F32(x.value * 2.0 ** int(j))


def _unit(x: F32) -> F32:
    j = _norm(x).value
    return F32(j) if math.isnan(j) else F32(2.0 ** min(max(j, -128), 127))


def _sig8(x: F32) -> int:
    return (x.bits & 0x7FFFFF | 1 << 23) << (x.bits >> 23 & 7)


def _radians(y: int) -> F32:
    distance = min(y, abs(y - 2**63), 2**64 - y)
    whole = distance * 0xC90FDAA2 >> 32
    size = rounded(Fraction(whole)) * 2.0**-61 if whole else 0.0
    return F32(-size if y >= 2**63 else size)


#: The operations of the chapter's table.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda x: F32(math.fabs(x.value)),
    "asuint": lambda x: x.bits,
    "asfloat": F32.of,
    "rne": lambda x: _integral(x, round),
    "trunc": lambda x: _integral(x, math.trunc),
    "min": _least,
    "max": lambda a, b: -_least(-a, -b),
    "lt": lambda a, b: a.value < b.value,
    "eq": lambda a, b: a.value == b.value,
    "ne": lambda a, b: a.value != b.value,
    "select": lambda test, a, b: a if test else b,
    "both": lambda a, b: a and b,
    "either": lambda a, b: a or b,
    "copysign": lambda a, b: F32(math.copysign(a.value, -1.0 if _negative(b) else 1.0)),
    "mulsign": lambda a, b: -a if _negative(b) else a,
    "div": lambda a, b: a / b,
    # A double has enough bits for its root to round correctly a second time.
    "sqrt": lambda x: F32(math.nan if x.value < 0 else _narrow(math.sqrt(x.value))),
    "pscale": _pscale,
    "norm": _norm,
    "mant": _mant,
    "unit": _unit,
    "and": lambda a, b: a & b,
    "shr": lambda a, b: a >> b % 32,
    "sig8": _sig8,
    "mac": lambda a, b, c: (c + a * b) % 2**64,
    "machi": lambda a, b, c: (c + (a * b << 32)) % 2**64,
    "maclo": lambda a, b, c: (c + (a * b >> 32)) % 2**64,
    "radians": _radians,
}


def _narrow(value: float) -> float:
    return rounded(Fraction(value)) if math.isfinite(value) and value else value


@dataclass(frozen=True)
class TableText:
    """A table as printed: its entries by row, and whether they are f32."""

    rows: list[list[int]]
    floats: bool

    def __getitem__(self, place: tuple[int, int]) -> F32 | int:
        bits = self.rows[place[0] % len(self.rows)][place[1]]
        return F32.of(bits) if self.floats else bits


@dataclass(frozen=True)
class FunctionText:
    """A function as printed: the whole text, the statements, the check cases."""

    text: str
    params: list[str]
    statements: list[tuple[str, str, str]]
    cases: list[list[int]]


@dataclass
class Chapter:
    """What the chapter says."""

    functions: dict[str, FunctionText] = field(default_factory=dict)
    tables: dict[str, TableText] = field(default_factory=dict)

    def run(self, name: str, *inputs: int) -> int:
        """The bits of a function's result."""
        function = self.functions[name]
        names: dict[str, Any] = {f"{op}_": routine for op, routine in OPERATIONS.items()}
        names |= self.tables | {"F32": F32}
        names |= dict(zip(function.params, map(F32.of, inputs), strict=True))
        for target, expression, _ in function.statements:
            names[target] = eval(_python(expression), {"__builtins__": {}}, names)
        result = names["return"]
        assert isinstance(result, F32)
        return result.bits


def _python(expression: str) -> str:
    """A right side as Python: the same precedence, each operator rounding by itself."""
    text = _HEXFLOAT.sub(lambda match: f"F32({float.fromhex(match[0])!r})", expression)
    return re.sub(r"\b([a-z][a-z0-9]*)\(", r"\1_(", text)


def read(markdown: str) -> Chapter:
    """Takes the chapter apart."""
    chapter = Chapter()
    for section in re.split(r"^### ", markdown, flags=re.MULTILINE)[1:]:
        title = section.split("\n", 1)[0]
        fences = re.findall(r"^```\n(.*?)\n```$", section, re.DOTALL | re.MULTILINE)
        if title.startswith("Table "):
            rows = [line.split(":")[1].split() for line in fences[0].splitlines()]
            values = [[int(entry, 16) for entry in row] for row in rows]
            chapter.tables[title.removeprefix("Table ")] = TableText(values, " f32)" in section)
        else:
            chapter.functions[title] = _function(*fences)
    return chapter


def _function(text: str, cases: str) -> FunctionText:
    head, *lines, _ = text.splitlines()
    numbers = [re.findall(r"[0-9a-f]{8}", case) for case in re.split(r"\s{4}|\n", cases)]
    return FunctionText(
        text=text,
        params=re.findall(r"([a-z]+): f32", head),
        statements=list(map(_statement, lines)),
        cases=[[int(number, 16) for number in case] for case in numbers],
    )


def _statement(line: str) -> tuple[str, str, str]:
    """Target, right side and comment."""
    code, comment = line.split("#")
    target, _, expression = code.strip().replace("return ", "return = ", 1).partition(" = ")
    return target, expression, comment.strip()


def constants(expression: str) -> Iterator[int]:
    """The bits of the f32 constants of a right side; a minus without a space is a sign."""
    for match in re.finditer(f"-?{_HEXFLOAT.pattern}", expression):
        yield F32(float.fromhex(match[0])).bits
