"""Turns the parse tree of a row file into the dataclasses of ``spec``."""

from __future__ import annotations

from typing import Any, TypeVar

from lark import Token, Transformer

from maiacc_isa import expr as ex
from maiacc_isa import functions, spec
from maiacc_isa.errors import MaiaccError

T = TypeVar("T")


def _text(token: Token | None) -> str:
    """A quoted string, or a block of text with the indentation of its first line."""
    if token is None:
        return ""
    if token.startswith('"""'):
        return str(token[3:-3]).strip("\n")
    return str(token[1:-1])


def _number(token: Token) -> int:
    return int(token, 0)


class RowReader(Transformer[Token, Any]):
    """One method per rule of rows.lark."""

    def start(self, items: list[Any]) -> list[Any]:
        return items

    # ---- plain tables -------------------------------------------------------------------
    def limit(self, c: list[Any]) -> spec.Limit:
        return spec.Limit(str(c[0]), _number(c[1]), _text(c[2]))

    def label(self, c: list[Any]) -> spec.Label:
        return spec.Label(str(c[0]), _number(c[1]), _text(c[2]))

    def enum(self, c: list[Any]) -> spec.Enum:
        return spec.Enum(str(c[0]), _text(c[1]), tuple(c[2:]))

    def attr(self, c: list[Any]) -> tuple[str, str | int]:
        return str(c[0]), _number(c[1]) if c[1].type == "INT" else str(c[1])

    def dtype(self, c: list[Any]) -> spec.DType:
        attrs = dict(c[3:])
        return spec.DType(
            name=str(c[0]),
            code=_number(c[1]),
            doc=_text(c[2]),
            kind=attrs["class"],
            bits=attrs["bits"],
            signed=attrs.get("signed") == "yes",
            exponent=attrs.get("exponent", 0),
            mantissa=attrs.get("mantissa", 0),
            bias=attrs.get("bias", 0),
            inf=attrs.get("inf") == "yes",
            nan=attrs.get("nan", "none"),
        )

    def role(self, c: list[Any]) -> spec.Role:
        return spec.Role(str(c[0]), _number(c[1]), _text(c[2]))

    def queue(self, c: list[Any]) -> spec.Queue:
        return spec.Queue(str(c[0]), _number(c[1]), str(c[2]), str(c[3]), _text(c[4]))

    def source(self, c: list[Any]) -> spec.Source:
        return spec.Source(str(c[0]), _number(c[1]), _number(c[2]), c[3], str(c[4]), _text(c[5]))

    def space(self, c: list[Any]) -> spec.Space:
        return spec.Space(str(c[0]), _number(c[1]), str(c[2]), c[3], c[4], _text(c[5]))

    def port(self, c: list[Any]) -> spec.Port:
        return spec.Port(str(c[0]), str(c[1]), c[2], _text(c[3]))

    def hop(self, c: list[Any]) -> spec.Hop:
        return spec.Hop(str(c[0]), str(c[1]))

    def route(self, c: list[Any]) -> spec.Route:
        hops = tuple(item for item in c if isinstance(item, spec.Hop))
        return spec.Route(str(c[0]), str(c[1]), str(c[2]), c[3], hops, c[-2], _text(c[-1]))

    def bounds(self, c: list[Any]) -> tuple[float | None, float | None]:
        if not c:
            return None, None
        return float(c[0]), None if c[1] is None else float(c[1])

    def constant(self, c: list[Any]) -> spec.Constant:
        low, high = c[2]
        return spec.Constant(str(c[0]), str(c[1]), low, high, _text(c[3]), _text(c[4]))

    def nameset(self, c: list[Any]) -> tuple[str, ...]:
        return tuple(str(name) for name in c)

    def pair(self, c: list[Any]) -> spec.Pair:
        return spec.Pair(c[0], c[1], str(c[2]), str(c[3]), _text(c[4]))

    def trap(self, c: list[Any]) -> spec.Trap:
        return spec.Trap(str(c[0]), str(c[1]), _text(c[2]))

    # ---- bits ---------------------------------------------------------------------------
    def kind(self, c: list[Any]) -> spec.Kind:
        return spec.Kind(str(c[0]), None if c[1] is None else str(c[1]))

    def rfield(self, c: list[Any]) -> spec.BitField:
        name, count, high, low, kind, doc = c
        count = 1 if count is None else _number(count)
        return spec.BitField(str(name), _number(high), _number(low), kind, _text(doc), count=count)

    def record(self, c: list[Any]) -> spec.Record:
        return spec.Record(str(c[0]), _number(c[1]), _text(c[2]), tuple(c[3:]))

    # ---- stages -------------------------------------------------------------------------
    def scost(self, c: list[Any]) -> tuple[int, str | None]:
        if c[0].type == "INT":
            return _number(c[0]), None
        return functions.load().functions[str(c[0])].stages, str(c[0])

    def stage(self, c: list[Any]) -> spec.Stage:
        name, code, classes, inputs, (cost, function), drain, doc = c
        return spec.Stage(
            name=str(name),
            code=_number(code),
            classes=classes,
            inputs=_number(inputs),
            cost=cost,
            function=function,
            drain=drain is not None,
            doc=_text(doc),
        )

    # ---- instructions -------------------------------------------------------------------
    def field(self, c: list[Any]) -> spec.BitField:
        name, high, low, kind, when, doc = c
        return spec.BitField(str(name), _number(high), _number(low), kind, _text(doc), when=when)

    def operand(self, c: list[Any]) -> spec.Operand:
        name, direction, spaces, kept, reduced, types, when, doc = c
        return spec.Operand(
            name=str(name),
            direction=str(direction),
            spaces=spaces,
            kept=kept,
            reduced=reduced,
            types=None if isinstance(types, Token) else types,
            when=when,
            doc=_text(doc),
        )

    def require(self, c: list[Any]) -> spec.Require:
        return spec.Require(str(c[0]), c[1], _text(c[2]))

    def access(self, c: list[Any]) -> spec.Access:
        return spec.Access(str(c[0]), str(c[1]), c[2] is not None, c[3])

    def assign(self, c: list[Any]) -> tuple[str, int | str]:
        return str(c[0]), _number(c[1]) if c[1].type == "INT" else str(c[1])

    def sample(self, c: list[Any]) -> tuple[str, dict[str, int | str]]:
        return "sample", dict(c)

    def summary(self, c: list[Any]) -> tuple[str, str]:
        return "summary", _text(c[0])

    def occupancy(self, c: list[Any]) -> tuple[str, Any]:
        return "occupancy", c[0]

    def latency(self, c: list[Any]) -> tuple[str, Any]:
        return "latency", c[0]

    def meaning(self, c: list[Any]) -> tuple[str, str]:
        return "meaning", str(c[0])

    def native(self, c: list[Any]) -> tuple[str, str]:
        return "native", str(c[0])

    def model(self, c: list[Any]) -> tuple[str, str]:
        return "model", _text(c[0])

    def traps(self, c: list[Any]) -> tuple[str, tuple[str, ...]]:
        return "traps", tuple(str(name) for name in c)

    def prose(self, c: list[Any]) -> tuple[str, str]:
        return "prose", _text(c[0])

    def numerics(self, c: list[Any]) -> tuple[str, str]:
        return "numerics", _text(c[0])

    def example(self, c: list[Any]) -> tuple[str, str]:
        return "example", _text(c[0])

    def since(self, c: list[Any]) -> tuple[str, str]:
        return "since", _text(c[0])

    def insn(self, c: list[Any]) -> spec.Insn:
        name, opcode, form, engines = c[:4]
        clauses = c[4:]
        single: dict[str, Any] = {}
        for clause in clauses:
            if isinstance(clause, tuple):
                key, value = clause
                if key in single:
                    raise MaiaccError("E0202", f"{name} gives `{key}` twice")
                single[key] = value
        for key in ("summary", "occupancy", "latency", "meaning", "model", "prose", "example"):
            if key not in single:
                raise MaiaccError("E0202", f"{name} does not give `{key}`")
        return spec.Insn(
            name=str(name),
            opcode=_number(opcode),
            format=str(form),
            engines=engines or ("control",),
            summary=single["summary"],
            fields=_only(clauses, spec.BitField),
            operands=_only(clauses, spec.Operand),
            requires=_only(clauses, spec.Require),
            accesses=_only(clauses, spec.Access),
            occupancy=single["occupancy"],
            latency=single["latency"],
            meaning=single["meaning"],
            native=single.get("native"),
            model=single["model"],
            traps=single.get("traps", ()),
            prose=single["prose"],
            numerics=single.get("numerics", ""),
            example=single["example"],
            sample=single.get("sample", {}),
            since=single.get("since", "1.0.0"),
        )

    # ---- expressions --------------------------------------------------------------------
    def number(self, c: list[Any]) -> ex.Number:
        token = c[0]
        return ex.Number(float(token) if token.type == "FLOAT" else _number(token))

    def path(self, c: list[Any]) -> ex.Path:
        return ex.Path(str(c[0]))

    def name(self, c: list[Any]) -> ex.Name:
        return ex.Name(str(c[0]))

    def call(self, c: list[Any]) -> ex.Call:
        return ex.Call(str(c[0]), tuple(c[1:]))

    def ternary(self, c: list[Any]) -> ex.Ternary:
        return ex.Ternary(c[0], c[1], c[2])

    def either(self, c: list[Any]) -> ex.Binary:
        return ex.Binary("or", c[0], c[1])

    def both(self, c: list[Any]) -> ex.Binary:
        return ex.Binary("and", c[0], c[1])

    def negation(self, c: list[Any]) -> ex.Unary:
        return ex.Unary("not", c[0])

    def compare(self, c: list[Any]) -> ex.Binary:
        return ex.Binary(str(c[1]), c[0], c[2])

    def member(self, c: list[Any]) -> ex.Member:
        return ex.Member(c[0], c[1])

    def binary(self, c: list[Any]) -> ex.Binary:
        return ex.Binary(str(c[1]), c[0], c[2])

    def negative(self, c: list[Any]) -> ex.Unary:
        return ex.Unary("-", c[1])


def _only(clauses: list[Any], kind: type[T]) -> tuple[T, ...]:
    return tuple(clause for clause in clauses if isinstance(clause, kind))
