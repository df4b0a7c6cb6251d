"""Elementwise ops as stages of chains: the only place that knows which stages an op takes.

A recipe gets a ``Maker``, the op and its inputs, and gives the expression of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.lowering.expr import Expr, compute_type, constant, stored

Input = Expr | float
Recipe = Callable[["Maker", Op, Sequence[Input]], Input]


class Maker:
    """Makes stages for one op: its dims in the order of the result, its types."""

    def __init__(self, dims: tuple[int, ...], result: str, operand: str) -> None:
        self.dims = dims
        self.result = result
        self.operand = operand
        self.compute = compute_type(operand)

    def __call__(self, op: str, *inputs: Input, **fields: object) -> Expr:
        """A stage in the operands' type. It has room for one number."""
        numbers = list(dict.fromkeys(repr(x) for x in inputs if not isinstance(x, Expr)))
        inputs = tuple(
            x if isinstance(x, Expr) or repr(x) == numbers[0] else constant(x, self.compute)
            for x in inputs
        )
        mine = {d for x in inputs if isinstance(x, Expr) for d in x.dims}
        dims = tuple(d for d in self.dims if d in mine)
        store = self.compute
        return Expr(op, inputs, dims, self.compute, store, dict(fields))

    def last(self, made: Input) -> Input:
        """The result of the op: kept in its own type, floats in fp32 unless the op rounds."""
        if isinstance(made, Expr) and made.tile is None and not made.forced:
            made.store = stored(self.result)
        return made


def unsupported(op: Op, why: str) -> IRError:
    """A refusal of an op that has no words."""
    return IRError(
        "E1505",
        f"{op.name} cannot be compiled: {why}",
        found=", ".join(str(v.type) for v in op.operands if v is not None),
        nodes=op.location.nodes,
    )


def _same(stage: str) -> Recipe:
    return lambda m, op, xs: m(stage, *xs)


def _float(stage: str) -> Recipe:
    def recipe(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
        if m.compute != "fp32":
            raise unsupported(op, "integers")
        return m(stage, *xs)

    return recipe


def _rounding(stage: str) -> Recipe:
    """Integers are whole already."""
    return lambda m, op, xs: m(stage if m.compute == "fp32" else "mov", *xs)


def _sign(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    (x,) = xs
    found = m("sub", m("lt", 0.0, x), m("lt", x, 0.0))
    if m.compute != "fp32":
        return found
    return m("select", m("ne", x, x), x, found)


def _is_nan(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    return m("ne", xs[0], xs[0])


def _is_inf(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    positive, negative = op.attrs["positive"], op.attrs["negative"]
    if positive and negative:
        return m("eq", m("abs", xs[0]), math.inf)
    if positive or negative:
        return m("eq", xs[0], math.inf if positive else -math.inf)
    return m("lt", m("abs", xs[0]), -1.0)


def _not(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    if ELEMENTS[m.operand].kind == "bool":
        return m("eq", xs[0], 0.0)
    return m("not", xs[0])


def _div(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    if m.compute == "fp32":
        return m("div", *xs)
    return m("divf" if op.attrs["floor"] else "divt", *xs, zero_div=True)


def _mod(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    a, b = xs
    if m.compute != "fp32":
        return m("modf" if op.attrs["floor"] else "modt", a, b, zero_div=True)
    rest = m("frem", a, b)
    if not op.attrs["floor"]:
        return rest
    # The remainder has the sign of a; where that is not the sign of b, b is added.
    wrong = m("lt", m("mul", m("select", m("lt", rest, 0.0), -1.0, 1.0), _unit(m, b)), 0.0)
    fix = m("select", m("eq", rest, 0.0), 0.0, m("select", wrong, 1.0, 0.0))
    return m("select", fix, m("add", rest, b), rest)


def _unit(m: Maker, x: Input) -> Input:
    return m("select", m("lt", x, 0.0), -1.0, 1.0)


def _pow(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    x, y = xs
    if m.compute == "fp32":
        return m("pow", x, y)
    if isinstance(y, float) and y.is_integer() and 0 <= y <= 16:
        found: Input = 1.0
        for _ in range(int(y)):
            found = x if found == 1.0 else m("mul", found, x)
        return found if isinstance(found, Expr) else m("mov", 1.0)
    return _int_pow(m, x, y)


def _int_pow(m: Maker, x: Input, y: Input) -> Input:
    """By squaring, bit after bit of the exponent; a negative one gives 0 but for 1 and -1."""
    found: Input = 1.0
    power, left = x, y
    # What wraps at so many bits is 0 or 1 before the exponent has more of them.
    for bit in range(ELEMENTS[m.compute].bits):
        factor = m("select", m("and", left, 1.0), power, 1.0)
        found = factor if bit == 0 else m("mul", found, factor)
        power, left = m("mul", power, power), m("shr", left, 1.0)
    if ELEMENTS[m.compute].kind == "uint":
        return found
    odd = m("and", y, 1.0)
    minus = m("select", odd, -1.0, 1.0)
    unit = m("select", m("eq", x, 1.0), 1.0, m("select", m("eq", x, -1.0), minus, 0.0))
    return m("select", m("lt", y, 0.0), unit, found)


def _select(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    return m("select", *xs)


def _clamp(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    found, *bounds = xs
    for stage, bound in (("max", op.operand(1)), ("min", op.operand(2))):
        if bound is not None:
            found = m(stage, found, bounds.pop(0))
    return found if found is not xs[0] else m("mov", found)


#: Types that no word converts.
FOREIGN = frozenset({"fp64", "e8m0", "int4", "uint4", "e2m1"})


def _cvt(m: Maker, op: Op, xs: Sequence[Input]) -> Input:
    source, to = ELEMENTS[m.operand], ELEMENTS[m.result]
    for element in (source, to):
        if element.name in FOREIGN:
            raise unsupported(op, f"{element.name} has no words")
    x = xs[0] if isinstance(xs[0], Expr) else m("mov", xs[0])
    if source is to or (source.is_float and to.bits == 32 and to.is_float):
        return x
    if to.kind == "bool":
        return m("ne", x, 0.0)
    if not to.is_float:
        # Integers wrap; floats are rounded, and saturate.
        fields = {"saturate": True, "round": op.attrs["round"]} if source.is_float else {}
        return Expr("mov", (x,), x.dims, m.compute, to.name, dict(fields), forced=True)
    if to.bits == 32 or source.kind == "bool":
        return Expr("mov", (x,), x.dims, "fp32", "fp32")
    fields = {"saturate": bool(op.attrs["saturate"]) and to.bits < 16}
    if source.is_int and source.bits > 16:
        # A chain would round twice: to fp32, and to the narrow type.
        return Expr("convert", (x,), x.dims, "", to.name, dict(fields), forced=True)
    if fields["saturate"] and x.store == to.name == "e5m2":
        # Nothing that has the type already is converted, infinities stay.
        x = m("clamp", x, -57344.0, 57344.0)
    return Expr("mov", (x,), x.dims, "fp32", to.name, dict(fields), forced=True)


RECIPES: dict[str, Recipe] = {
    "neg": _same("neg"),
    "abs": _same("abs"),
    "sign": _sign,
    "floor": _rounding("floor"),
    "ceil": _rounding("ceil"),
    "trunc": _rounding("trunc"),
    "round": _rounding("rne"),
    "relu": _same("relu"),
    "is_nan": _is_nan,
    "is_inf": _is_inf,
    "not": _not,
    "add": _same("add"),
    "sub": _same("sub"),
    "mul": _same("mul"),
    "div": _div,
    "mod": _mod,
    "pow": _pow,
    "min": _same("min"),
    "max": _same("max"),
    "and": _same("and"),
    "or": _same("or"),
    "xor": _same("xor"),
    "shl": _same("shl"),
    "shr": _same("shr"),
    "eq": _same("eq"),
    "lt": _same("lt"),
    "le": _same("le"),
    "select": _select,
    "clamp": _clamp,
    "cvt": _cvt,
    **{
        name: _float(name)
        for name in (
            *("sqrt", "rsqrt", "recip", "exp", "expm1", "log", "log1p", "erf", "tanh"),
            *("sigmoid", "sin", "cos", "atan"),
        )
    },
    # Composites that are one stage.
    "gelu": _float("gelu"),
    "silu": _float("silu"),
}


def single(op: Op) -> bool:
    """Whether a composite is one stage, and need not be expanded."""
    return op.name == "silu" or (op.name == "gelu" and not op.attrs["tanh"])
