"""Names and numbers in statements of assembly text: tables, registers, roles, loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from maiacc_isa import formats
from maiacc_isa.asm_errors import fail, unknown
from maiacc_isa.asm_nodes import Pos, Statement
from maiacc_isa.asm_sums import Scope
from maiacc_isa.errors import quote
from maiacc_isa.load import load
from maiacc_isa.names import is_word, keywords

#: Tables that have a largest number of entries.
_LIMITED = ("block", "chain", "mask", "semaphore", "table")


def enter(table: dict[str, Any], name: str, pos: Pos, what: str, value: Any = None) -> None:
    """Enters a name that must be new into a table that must have room."""
    if name in table:
        message = f"{what} {quote(name)} is declared twice"
        raise fail(pos, "E0503", message, hint="choose another name")
    if what in _LIMITED and len(table) >= load().limit(f"{what}s"):
        most = load().limit(f"{what}s")
        raise fail(pos, "E0505", f"too many {what}s", expected=f"at most {most}")
    table[name] = pos if value is None else value


def number_of(table: dict[str, Any], name: Any, pos: Pos, what: str) -> int:
    """The position of a name in its table."""
    if name not in table:
        raise unknown(pos, what, str(name), table)
    return list(table).index(name)


def register_number(name: str, pos: Pos, names: dict[str, int]) -> int:
    """The number of a scalar register, by its own name or one that `reg` gave it."""
    if name in names:
        return names[name]
    match = re.fullmatch(r"s(\d{1,2})", name)
    if match and int(match[1]) < load().limit("scalars"):
        return int(match[1])
    if name in keywords():
        message = f"{name} is a word of the language, not a register"
        raise fail(pos, "E0502", message, hint="choose another name")
    new = is_word(name) and match is None
    hint = f"declare it: reg {name} = s{len(names)}" if new else None
    raise unknown(pos, "scalar register", name, [*names, "s0 to s31"], hint)


def statement_roles(s: Statement, scope: Scope) -> tuple[str, ...]:
    """The roles a control word names, or those of the innermost loop, or all."""
    roles: tuple[str, ...] | None = s["roles"]
    if roles is None:
        return scope[-1][1] if scope else tuple(load().roles)
    for role in roles:
        if role not in load().roles:
            raise unknown(s.pos, "role", role, load().roles)
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
    """The entries of a constant table."""
    items = s["list"][1:-1].replace(",", " ").split()
    try:
        numbers = [int(item, 0) for item in items if len(item) <= 24]
    except ValueError:
        numbers = []
    if len(numbers) < len(items):
        raise fail(s.pos, "E0507", "a table holds integers", expected="decimal or 0x hexadecimal")
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
