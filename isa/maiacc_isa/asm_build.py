"""From the parse tree of assembly text to statements: one method per rule of asm.lark."""

from __future__ import annotations

import re
from typing import Any

from lark import Token, Transformer, v_args

from maiacc_isa.asm_nodes import (
    AxisText,
    Bound,
    BufferPlace,
    Linear,
    Pos,
    RawPlace,
    Statement,
    TokenText,
    View,
)
from maiacc_isa.errors import MaiaccError, Place

#: Longest number, in digits; every field is far narrower.
DIGIT_LIMIT = 24


def _pos(meta: Any) -> Pos:
    return Pos(getattr(meta, "line", 0), getattr(meta, "column", 0))


def unquote(token: Token | str) -> str:
    """A name without its quotes and escapes."""
    text = str(token)
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


@v_args(meta=True)
class Build(Transformer[Token, Any]):
    """One method per rule of asm.lark."""

    def STRING(self, token: Token) -> Token:  # noqa: N802
        return token.update(value=unquote(token))

    def start(self, meta: Any, c: list[Any]) -> list[Statement]:
        head = Statement("mist", _pos(meta), {"version": str(c[0])})
        return [head, *c[1:]]

    # ---- numbers and names --------------------------------------------------------------
    def number(self, meta: Any, c: list[Any]) -> int:
        if len(c[0]) > DIGIT_LIMIT:
            raise MaiaccError(
                "E0504",
                "a number is too long",
                place=Place(line=meta.line, column=meta.column),
                expected=f"at most {DIGIT_LIMIT} digits",
                found=f"{len(c[0])} characters",
            )
        return int(c[0], 0) if "x" in c[0] else int(c[0])

    def float(self, meta: Any, c: list[Any]) -> float:
        text = str(c[0])
        return float.fromhex(text) if "x" in text else float(text[:60])

    def bound(self, meta: Any, c: list[Any]) -> Bound:
        if isinstance(c[0], Token):
            return Bound(c[1], str(c[0]), _pos(meta))
        return Bound(c[0], None, _pos(meta))

    def product(self, meta: Any, c: list[Any]) -> tuple[int, str | None, Pos]:
        coef, name = 1, None
        for item in c:
            if isinstance(item, int):
                coef = item
            else:
                name = str(item)
        return coef, name, _pos(meta)

    def linear(self, meta: Any, c: list[Any]) -> Linear:
        parts = []
        sign = 1
        for item in c:
            if isinstance(item, Token) or item is None:
                sign = -1 if item is not None and item.type == "MINUS" else 1
            else:
                parts.append((sign * item[0], item[1], item[2]))
                sign = 1
        return Linear(_pos(meta), tuple(parts))

    # ---- top level ----------------------------------------------------------------------
    def target(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("target", _pos(meta), {"name": str(c[0])})

    def param(self, meta: Any, c: list[Any]) -> Statement:
        parts = {"name": str(c[0]), "low": c[1], "high": c[2], "step": c[3]}
        return Statement("param", _pos(meta), parts)

    def type(self, meta: Any, c: list[Any]) -> tuple[str, tuple[int, ...]]:
        return str(c[0]), tuple(n for n in c[1:] if n is not None)

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
        return Statement("tensor", _pos(meta), parts)

    def body(self, meta: Any, c: list[Any]) -> list[Statement]:
        return [node for node in c if node is not None]

    def control(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("control", _pos(meta), {"body": c[0]})

    def call(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("call", _pos(meta), {"name": str(c[0])})

    def else_(self, meta: Any, c: list[Any]) -> list[Statement]:
        return list(c[0])

    def if_(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("if", _pos(meta), {"reg": str(c[0]), "then": c[1], "other": c[2] or []})

    def while_(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("while", _pos(meta), {"reg": str(c[0]), "most": c[1], "body": c[2]})

    def block(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("block", _pos(meta), {"name": str(c[0]), "body": c[1:]})

    # ---- declarations -------------------------------------------------------------------
    def livein(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("in", _pos(meta), {"reg": str(c[0]), "low": c[1], "high": c[2]})

    def reg(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("reg", _pos(meta), {"name": str(c[0]), "reg": str(c[1])})

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
        return Statement("buffer", _pos(meta), parts)

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
        return Statement("sem", _pos(meta), parts)

    def member(self, meta: Any, c: list[Any]) -> tuple[int, int]:
        return c[0], c[0] if c[1] is None else c[1]

    def mask(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("mask", _pos(meta), {"name": str(c[0]), "members": c[1:]})

    def table(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("table", _pos(meta), {"name": str(c[0]), "list": str(c[1])})

    def source(self, meta: Any, c: list[Any]) -> Any:
        return str(c[0]) if isinstance(c[0], Token) else c[0]

    def step(self, meta: Any, c: list[Any]) -> tuple[str, list[Any], Pos]:
        return str(c[0]), c[1:], _pos(meta)

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
        return Statement("chain", _pos(meta), parts)

    def at(self, meta: Any, c: list[Any]) -> Statement:
        names = tuple(str(name) for name in c if name is not None)
        return Statement("at", _pos(meta), {"names": names})

    # ---- words --------------------------------------------------------------------------
    def roles(self, meta: Any, c: list[Any]) -> tuple[str, ...]:
        return tuple(str(name) for name in c)

    def loop(self, meta: Any, c: list[Any]) -> Statement:
        name, trip, roles = c[:3]
        parts = {"name": str(name), "trip": trip, "roles": roles, "body": c[3:]}
        return Statement("loop", _pos(meta), parts)

    def nop(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("nop", _pos(meta), {"roles": c[0]})

    def mark(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("mark", _pos(meta), {"id": c[0], "what": str(c[1]), "roles": c[2]})

    def assign(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("assign", _pos(meta), {"dest": str(c[0]), "value": c[1], "roles": c[2]})

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
        return TokenText(_pos(meta), str(c[0]), 1 if c[1] is None else c[1])

    def sync(self, meta: Any, c: list[Any]) -> tuple[str, list[TokenText]]:
        return str(c[0]), c[1:]

    def attr(self, meta: Any, c: list[Any]) -> tuple[str, Any, Pos]:
        value = str(c[1]) if isinstance(c[1], Token) else c[1]
        return str(c[0]), value, _pos(meta)

    def word(self, meta: Any, c: list[Any]) -> Statement:
        parts: dict[str, Any] = {
            "queue": str(c[0]),
            "mnemonic": str(c[1]),
            "operands": [x for x in c[2:] if isinstance(x, (Token, View))],
            "attrs": [x for x in c[2:] if isinstance(x, tuple) and len(x) == 3],
            "syncs": [x for x in c[2:] if isinstance(x, tuple) and len(x) == 2],
        }
        return Statement("word", _pos(meta), parts)

    # ---- views --------------------------------------------------------------------------
    def home(self, meta: Any, c: list[Any]) -> Linear | str:
        return "all" if isinstance(c[0], Token) else c[0]

    def buffer_place(self, meta: Any, c: list[Any]) -> BufferPlace:
        return BufferPlace(_pos(meta), str(c[0]), c[1], c[2])

    def raw_place(self, meta: Any, c: list[Any]) -> RawPlace:
        return RawPlace(_pos(meta), str(c[0]), str(c[1]), c[2], c[3], c[5])

    def dim(self, meta: Any, c: list[Any]) -> tuple[str, Bound]:
        return str(c[0]), c[1]

    def dims(self, meta: Any, c: list[Any]) -> tuple[tuple[tuple[str, Bound], ...], int]:
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
        dims, split = c[1]
        axes = tuple(x for x in c[2:] if isinstance(x, AxisText))
        options = tuple(x for x in c[2:] if isinstance(x, tuple) and not isinstance(x, AxisText))
        return View(_pos(meta), c[0], dims, split, axes, options)

    def desc(self, meta: Any, c: list[Any]) -> Statement:
        return Statement("desc", _pos(meta), {"name": str(c[0]), "view": c[1]})
