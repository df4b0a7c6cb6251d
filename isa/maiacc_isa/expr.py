"""Expressions of the rows: constraints, footprint conditions and cycle formulas.

An expression is an immutable tree. ``evaluate`` walks it with a ``Scope`` that gives meaning
to names, machine constants and functions; ``to_text`` prints it as the manual shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Value = Any  # int, float, bool, str (a label or type name) or an operand


class Scope(Protocol):
    """What an expression may refer to."""

    def name(self, name: str) -> Value:
        """The value of a bare name."""

    def path(self, path: str) -> Value:
        """The value of a dotted name."""

    def function(self, name: str) -> Callable[..., Value]:
        """The function of that name."""


@dataclass(frozen=True)
class Number:
    value: int | float


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Path:
    """A dotted name: a machine constant, a limit or an operand's attribute."""

    path: str


@dataclass(frozen=True)
class Call:
    function: str
    args: tuple[Expr, ...]


@dataclass(frozen=True)
class Binary:
    """Arithmetic, comparison, ``and`` or ``or``."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Unary:
    op: str
    operand: Expr


@dataclass(frozen=True)
class Member:
    item: Expr
    names: tuple[str, ...]


@dataclass(frozen=True)
class Ternary:
    then: Expr
    condition: Expr
    other: Expr


Expr = Number | Name | Path | Call | Binary | Unary | Member | Ternary

_ARITHMETIC: dict[str, Callable[[Value, Value], Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}

_PRECEDENCE = {
    "or": 1,
    "and": 2,
    "not": 3,
    "==": 4,
    "!=": 4,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
}


def evaluate(expr: Expr, scope: Scope) -> Value:
    """The value of an expression; ``and``, ``or`` and the conditional evaluate lazily."""
    match expr:
        case Number(value):
            return value
        case Name(name):
            return scope.name(name)
        case Path(path):
            return scope.path(path)
        case Binary("and", left, right):
            return evaluate(left, scope) and evaluate(right, scope)
        case Binary("or", left, right):
            return evaluate(left, scope) or evaluate(right, scope)
        case Binary(op, left, right):
            return _ARITHMETIC[op](evaluate(left, scope), evaluate(right, scope))
        case Unary("not", operand):
            return not evaluate(operand, scope)
        case Unary(_, operand):
            return -evaluate(operand, scope)
        case Member(item, names):
            return evaluate(item, scope) in names
        case Ternary(then, condition, other):
            return evaluate(then if evaluate(condition, scope) else other, scope)
        case Call(function, args):
            return scope.function(function)(*(evaluate(arg, scope) for arg in args))


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and every expression inside it."""
    yield expr
    match expr:
        case Binary(_, left, right):
            inner: tuple[Expr, ...] = (left, right)
        case Unary(_, operand):
            inner = (operand,)
        case Member(item, _):
            inner = (item,)
        case Ternary(then, condition, other):
            inner = (then, condition, other)
        case Call(_, args):
            inner = args
        case _:
            inner = ()
    for child in inner:
        yield from walk(child)


def to_text(expr: Expr, outer: int = 0) -> str:
    """The expression in the notation of the rows, with as few parentheses as it needs."""
    match expr:
        case Number(value):
            return str(value)
        case Name(name):
            return name
        case Path(path):
            return path
        case Call(function, args):
            return f"{function}({', '.join(to_text(arg) for arg in args)})"
        case Member(item, names):
            text, level = f"{to_text(item, 5)} in {{{', '.join(names)}}}", 4
        case Ternary(then, condition, other):
            text = f"{to_text(then, 1)} if {to_text(condition, 1)} else {to_text(other)}"
            level = 0
        case Unary(op, operand):
            level = 3 if op == "not" else 7
            text = ("not " if op == "not" else "-") + to_text(operand, level)
        case Binary(op, left, right):
            level = _PRECEDENCE[op]
            text = f"{to_text(left, level)} {op} {to_text(right, level + 1)}"
    return f"({text})" if level < outer else text
