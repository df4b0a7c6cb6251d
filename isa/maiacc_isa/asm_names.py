"""Names and numbers in statements of assembly text: tables, registers, roles, loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from maiacc_isa import formats
from maiacc_isa.asm_nodes import Pos, Statement
from maiacc_isa.asm_views import Scope, fail
from maiacc_isa.load import load


def enter(table: dict[str, Any], name: str, pos: Pos, what: str, value: Any = None) -> None:
    """Enters a name that must be new."""
    if name in table:
        raise fail(pos, "E0503", f"{what} {name} is declared twice")
    table[name] = pos if value is None else value


def number_of(table: dict[str, Any], name: Any, pos: Pos, what: str) -> int:
    """The position of a name in its table."""
    names = list(table)
    if name not in table:
        raise fail(pos, "E0502", f"no {what} {name}", expected=", ".join(names) or "none declared")
    return names.index(name)


def register_number(name: str, pos: Pos, names: dict[str, int]) -> int:
    """The number of a scalar register, by its own name or one that `reg` gave it."""
    if name in names:
        return names[name]
    match = re.fullmatch(r"s(\d{1,2})", name)
    if match and int(match[1]) < load().limit("scalars"):
        return int(match[1])
    known = ", ".join(["s0 to s31", *names])
    raise fail(pos, "E0502", f"no scalar register {name}", expected=known)


def statement_roles(s: Statement, scope: Scope) -> tuple[str, ...]:
    """The roles a control word names, or those of the innermost loop, or all."""
    roles: tuple[str, ...] | None = s["roles"]
    if roles is None:
        return scope[-1][1] if scope else tuple(load().roles)
    for role in roles:
        if role not in load().roles:
            raise fail(s.pos, "E0502", f"no role {role}", expected=", ".join(load().roles))
    return tuple(role for role in load().roles if role in roles)


def with_scopes(body: list[Statement], scope: Scope) -> Iterator[tuple[Statement, Scope]]:
    """Every statement of a block with the loops around it."""
    for s in body:
        yield s, scope
        if s.kind == "loop":
            yield from with_scopes(s["body"], (*scope, (s["name"], ())))


def loop_levels(body: list[Statement]) -> dict[str, set[int]]:
    """The levels at which each loop name occurs in a block."""
    levels: dict[str, set[int]] = {}
    for s, scope in with_scopes(body, ()):
        if s.kind == "loop":
            levels.setdefault(s["name"], set()).add(len(scope))
    return levels


def table_entries(s: Statement) -> list[int]:
    items = s["list"][1:-1].replace(",", " ").split()
    try:
        numbers = [int(item[:30], 0) for item in items]
    except ValueError:
        raise fail(s.pos, "E0507", "a table holds integers") from None
    if any(not -(1 << 31) <= n < 1 << 31 for n in numbers):
        raise fail(s.pos, "E0507", "a table entry has 32 bits, signed")
    return numbers


def immediate_bits(value: Any, dtype: str, pos: Pos) -> int:
    """The 32 bits of a stage's immediate."""
    if load().dtypes.get(dtype) is not None and load().dtypes[dtype].is_int:
        if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 32:
            raise fail(pos, "E0507", "an immediate of an integer chain has 32 bits")
        return value & 0xFFFFFFFF
    return formats.encode("fp32", float(value))
