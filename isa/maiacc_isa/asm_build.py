"""Statements of assembly text from their parsed parts: one method per rule of asm.lark.

``maiacc_isa.asm_tree`` calls a rule's method as soon as the rule has been read.
"""

from __future__ import annotations

from typing import Any

from lark import Token

from maiacc_isa.asm_build_views import ViewRules, not_too_many, position, unquote
from maiacc_isa.asm_nodes import Pos, Statement, TokenText, View


class Build(ViewRules):
    """One method per rule of asm.lark; ``c`` holds the rule's parts, already built."""

    def reduce(self, rule: str, meta: Any, parts: list[Any]) -> Any:
        """What a rule's text means."""
        for number, part in enumerate(parts):
            if isinstance(part, Token) and part.type == "STRING":
                parts[number] = part.update(value=unquote(part))
        return getattr(self, rule)(meta, parts)

    def start(self, meta: Any, c: list[Any]) -> list[Statement]:
        head = Statement("mist", position(meta), {"version": str(c[0])})
        return [head, *c[1:]]

    # ---- top level ----------------------------------------------------------------------
    def target(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("target", position(meta), {"name": str(c[0])})

    def param(self, meta: Any, c: list[Any]) -> Statement:
        parts = {"name": str(c[0]), "low": c[1], "high": c[2], "step": c[3]}
        return Statement("param", position(meta), parts)

    def inline(self, meta: Any, c: list[Any]) -> tuple[str, str]:
        return "list", str(c[0])

    def hex(self, meta: Any, c: list[Any]) -> tuple[str, str]:
        return "hex", str(c[0])

    def file(self, meta: Any, c: list[Any]) -> tuple[str, tuple[str, int, int]]:
        return "file", (str(c[0]), c[1], c[2])

    def tensor(self, meta: Any, c: list[Any]) -> Statement:
        kind, name, shape, base, split, weights, source, result = c
        parts = {
            "tensor": str(kind),
            "name": str(name),
            "type": shape,
            "base": base,
            "split": split is not None,
            "weights": weights,
            "in": None if source is None else str(source),
            "out": None if result is None else str(result),
        }
        return Statement("tensor", position(meta), parts)

    def body(self, meta: Any, c: list[Any]) -> list[Statement]:
        return [node for node in c if node is not None]

    def control(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("control", position(meta), {"body": c[0]})

    def call(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("call", position(meta), {"name": str(c[0])})

    def else_(self, meta: Any, c: list[Any]) -> list[Statement]:
        return list(c[0])

    def if_(self, meta: Any, c: list[Any]) -> Statement:
        return Statement(
            "if", position(meta), {"reg": str(c[0]), "then": c[1], "other": c[2] or []}
        )

    def while_(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("while", position(meta), {"reg": str(c[0]), "most": c[1], "body": c[2]})

    def block(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("block", position(meta), {"name": str(c[0]), "body": c[1:]})

    # ---- declarations -------------------------------------------------------------------
    def livein(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("in", position(meta), {"reg": str(c[0]), "low": c[1], "high": c[2]})

    def reg(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("reg", position(meta), {"name": str(c[0]), "reg": str(c[1])})

    def buffer(self, meta: Any, c: list[Any]) -> Statement:
        name, shape, space, base, slots, pitch = c
        parts = {
            "name": str(name),
            "type": shape,
            "space": str(space),
            "base": base,
            "slots": slots,
            "pitch": pitch,
        }
        return Statement("buffer", position(meta), parts)

    def sem(self, meta: Any, c: list[Any]) -> Statement:
        name, poster, waiter, scope, origin, init = c
        parts = {
            "name": str(name),
            "poster": str(poster),
            "waiter": str(waiter),
            "scope": str(scope),
            "from": None if origin is None else str(origin),
            "init": init or 0,
        }
        return Statement("sem", position(meta), parts)

    def member(self, meta: Any, c: list[Any]) -> tuple[int, int]:
        return c[0], c[0] if c[1] is None else c[1]

    def mask(self, meta: Any, c: list[Any]) -> Statement:
        members = [member for member in c[1:] if member is not None]
        return Statement("mask", position(meta), {"name": str(c[0]), "members": members})

    def table(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("table", position(meta), {"name": str(c[0]), "list": str(c[1])})

    def source(self, meta: Any, c: list[Any]) -> Any:
        return str(c[0]) if isinstance(c[0], Token) else c[0]

    def step(self, meta: Any, c: list[Any]) -> tuple[str, list[Any], Pos]:
        return str(c[0]), c[1:], position(meta)

    def stat(self, meta: Any, c: list[Any]) -> tuple[str, str]:
        return "stat", str(c[0])

    def round(self, meta: Any, c: list[Any]) -> tuple[str, str]:
        return "round", str(c[0])

    def flag(self, meta: Any, c: list[Any]) -> tuple[str, bool]:
        return str(c[0]), True

    def chain(self, meta: Any, c: list[Any]) -> Statement:
        steps = [item for item in c[2:] if len(item) == 3]
        options = [item for item in c[2:] if len(item) == 2]
        parts = {"name": str(c[0]), "dtype": str(c[1]), "steps": steps, "options": options}
        return Statement("chain", position(meta), parts)

    def at(self, meta: Any, c: list[Any]) -> Statement:
        names = tuple(str(name) for name in c if name is not None)
        return Statement("at", position(meta), {"names": names})

    # ---- words --------------------------------------------------------------------------
    def roles(self, meta: Any, c: list[Any]) -> tuple[str, ...]:
        return tuple(str(name) for name in c)

    def loop(self, meta: Any, c: list[Any]) -> Statement:
        name, trip, roles = c[:3]
        parts = {"name": str(name), "trip": trip, "roles": roles, "body": c[3:]}
        return Statement("loop", position(meta), parts)

    def nop(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("nop", position(meta), {"roles": c[0]})

    def mark(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("mark", position(meta), {"id": c[0], "what": str(c[1]), "roles": c[2]})

    def assign(self, meta: Any, c: list[Any]) -> Statement:
        parts = {"dest": str(c[0]), "value": c[1], "roles": c[2]}
        return Statement("assign", position(meta), parts)

    def plain(self, meta: Any, c: list[Any]) -> tuple[Any, ...]:
        return "none", c[0], 0

    def divmod(self, meta: Any, c: list[Any]) -> tuple[Any, ...]:
        return str(c[1]), c[0], c[2]

    def minmax(self, meta: Any, c: list[Any]) -> tuple[Any, ...]:
        return str(c[0]), c[1], c[2]

    def lookup(self, meta: Any, c: list[Any]) -> tuple[Any, ...]:
        return "table", c[1], str(c[0])

    def param_value(self, meta: Any, c: list[Any]) -> tuple[Any, ...]:
        return "param", str(c[0])

    def sld(self, meta: Any, c: list[Any]) -> tuple[Any, ...]:
        return "sld", c[0], c[1:-2], c[-2], c[-1]

    def token(self, meta: Any, c: list[Any]) -> TokenText:
        return TokenText(position(meta), str(c[0]), 1 if c[1] is None else c[1])

    def sync(self, meta: Any, c: list[Any]) -> tuple[str, list[TokenText]]:
        return str(c[0]), c[1:]

    def attr(self, meta: Any, c: list[Any]) -> tuple[str, Any, Pos]:
        value = str(c[1]) if isinstance(c[1], Token) else c[1]
        return str(c[0]), value, position(meta)

    def word_bits(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("bits", position(meta), {"hex": str(c[0])})

    def word(self, meta: Any, c: list[Any]) -> Statement:
        not_too_many(meta, c, "a word")
        parts: dict[str, Any] = {
            "queue": str(c[0]),
            "mnemonic": str(c[1]),
            "operands": [x for x in c[2:] if isinstance(x, (Token, View))],
            "attrs": [x for x in c[2:] if isinstance(x, tuple) and len(x) == 3],
            "syncs": [x for x in c[2:] if isinstance(x, tuple) and len(x) == 2],
        }
        return Statement("word", position(meta), parts)

    # ---- descriptors --------------------------------------------------------------------
    def desc(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("desc", position(meta), {"name": str(c[0]), "view": c[1]})

    def desc_bits(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("desc", position(meta), {"name": str(c[0]), "view": str(c[1])})
