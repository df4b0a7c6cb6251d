"""The rows that a ``.fn`` text is read into; ``functions`` reads and prints them.

``functions.lark`` says what the language means. Statements keep their structure, so that
an evaluator or a code generator walks them without parsing anything.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TypeAlias

#: Width in bits of each type of the language; a bool is one bit.
TYPES = {"f32": 32, "i32": 32, "u32": 32, "u64": 64, "bool": 1}

#: The arithmetic stages on f32 and how each is written; operands are a, b and c in order.
FORMS = {
    "a*b": "{0} * {1}",
    "a+b": "{0} + {1}",
    "a-b": "{0} - {1}",
    "a*b+c": "{0} * {1} + {2}",
    "a*b-c": "{0} * {1} - {2}",
    "c-a*b": "{2} - {0} * {1}",
}


@dataclass(frozen=True)
class Op:
    """One operation: its signature, its cost in stages, and what it computes.

    An ``addclass`` op shares a stage with a multiply: its first argument may be a product.
    An op of cost 0 is wiring and may be nested in any operand.
    """

    name: str
    params: tuple[str, ...]
    result: str
    cost: int
    addclass: bool
    doc: str


@dataclass(frozen=True)
class Table:
    """A constant table: ``values`` holds bit patterns, row by row, ``width`` to a row."""

    name: str
    type: str
    width: int
    doc: str
    values: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Number of rows, a power of two: an index counts modulo this."""
        return len(self.values) // self.width


@dataclass(frozen=True)
class Name:
    """A parameter or the latest binding of a name."""

    name: str
    type: str


@dataclass(frozen=True)
class Const:
    """A constant by its bits."""

    type: str
    bits: int

    def negated(self) -> Const:
        """The f32 constant with its sign bit flipped."""
        return Const(self.type, self.bits ^ 1 << 31)


@dataclass(frozen=True)
class Free:
    """An operand seen through a free op: ``neg`` (f32) or an op row of cost 0."""

    op: str
    arg: Operand
    type: str


@dataclass(frozen=True)
class Product:
    """The multiply in front of an add-class op; rounded to f32 before it goes on."""

    a: Operand
    b: Operand


Operand: TypeAlias = Name | Const | Free


@dataclass(frozen=True)
class Arith:
    """One f32 stage; ``form`` is a key of ``FORMS``."""

    form: str
    args: tuple[Operand, ...]


@dataclass(frozen=True)
class Apply:
    """An op other than plain arithmetic; only ``args[0]`` can be a product."""

    op: str
    args: tuple[Operand | Product, ...]


@dataclass(frozen=True)
class Lookup:
    """Row ``index`` modulo the number of rows, column ``column`` of a table."""

    table: str
    index: Operand
    column: int


@dataclass(frozen=True)
class Call:
    """Another function, defined earlier."""

    function: str
    args: tuple[Operand, ...]


Expr: TypeAlias = Arith | Apply | Lookup | Call | Name | Const | Free


@dataclass(frozen=True)
class Statement:
    """``target = expr``; the last statement of a function has the target ``return``."""

    target: str
    type: str
    expr: Expr
    cost: int
    line: int = field(compare=False, default=0)


@dataclass(frozen=True)
class Function:
    """One function: what it promises and the statements that compute it.

    ``ulp`` bounds the error in units in the last place of the correctly rounded result.
    """

    name: str
    params: tuple[tuple[str, str], ...]
    result: str
    doc: str
    method: str
    special: str
    ulp: int
    statements: tuple[Statement, ...]

    @property
    def stages(self) -> int:
        """The published operation count."""
        return sum(statement.cost for statement in self.statements)


@dataclass(frozen=True)
class FunctionSet:
    """Everything a ``.fn`` text defines, each in the order of the text."""

    ops: dict[str, Op]
    tables: dict[str, Table]
    functions: dict[str, Function]


def to_text(function: Function) -> str:
    """The canonical text of a function, as the manual prints it; it parses to the same row."""
    params = ", ".join(f"{name}: {kind}" for name, kind in function.params)
    lines = [f"function {function.name}({params}) : {function.result} {{"]
    for key in ("doc", "method", "special"):
        words = getattr(function, key)
        pieces = wrap(words, 84, break_long_words=False, break_on_hyphens=False) or [""]
        lines.append(f'  {key:<8}"{pieces[0]}"')
        lines += [f'          "{piece}"' for piece in pieces[1:]]
    lines.append(f"  ulp     {function.ulp}")
    for statement in function.statements:
        head = "return" if statement.target == "return" else f"{statement.target} ="
        lines.append(f"  {head} {expr_text(statement.expr)}")
    return "\n".join([*lines, "}", ""])


def expr_text(expr: Expr | Product) -> str:
    """A right side, or a part of one, as it is written."""
    if isinstance(expr, Name):
        return expr.name
    if isinstance(expr, Const):
        return constant_text(expr)
    if isinstance(expr, Free):
        inner = expr_text(expr.arg)
        return f"-{inner}" if expr.op == "neg" else f"{expr.op}({inner})"
    if isinstance(expr, Product):
        return f"{expr_text(expr.a)} * {expr_text(expr.b)}"
    if isinstance(expr, Arith):
        return FORMS[expr.form].format(*map(expr_text, expr.args))
    if isinstance(expr, Lookup):
        return f"{expr.table}[{expr_text(expr.index)}, {expr.column}]"
    name = expr.op if isinstance(expr, Apply) else expr.function
    return f"{name}({', '.join(map(expr_text, expr.args))})"


def constant(text: str, kind: str) -> Const:
    """The constant that a hexadecimal text writes, as type ``kind``; ValueError if it cannot."""
    if (kind == "f32") != ("p" in text) or kind == "bool":
        raise ValueError(f"{text} is not a constant of type {kind}")
    if kind != "f32":
        if int(text, 16) >> TYPES[kind]:
            raise ValueError(f"{text} does not fit {kind}")
        return Const(kind, int(text, 16))
    try:
        packed = struct.pack("<f", float.fromhex(text))
    except OverflowError:
        raise ValueError(f"{text} is too large for f32") from None
    if struct.unpack("<f", packed)[0] != float.fromhex(text):
        raise ValueError(f"{text} is not exact in f32")
    return Const(kind, int.from_bytes(packed, "little"))


def constant_text(const: Const) -> str:
    """The canonical text of a constant; ``constant`` reads it back."""
    if const.type != "f32":
        return hex(const.bits)
    (value,) = struct.unpack("<f", const.bits.to_bytes(4, "little"))
    mantissa, exponent = float(value).hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}"
