"""Random modules full of what rules look for: neutral elements, views of views, things done twice.

Recipes take young values, so that one op mostly works on what the one before it made.
"""

from __future__ import annotations

import math
import random

from ir import random_graphs
from ir.growing import RECIPES, Grower, NotNowError, Recipe
from maiacc_passes.ir.expand import inline
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.weights import Data

#: Element types, the usual ones more often.
DTYPES = ("fp32", "fp32", "fp32", "fp32", "fp64", "fp16", "bf16", "int64", "int8", "bool")

#: Numbers that some rule knows.
NUMBERS = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 0.125)

COMMUTING = ("add", "mul", "min", "max")
ALIKE = ("neg", "abs", "relu", "floor", "ceil", "trunc", "round", "sqrt", "recip", "exp", "sigmoid")


def redundant_module(seed: int, ops: int) -> Module:
    """A legal module of about so many ops; the same one for the same seed."""
    g = Grower(seed)
    for _ in range(3):
        g.input(g.rng.choice(DTYPES), g.shape())
    g.input("fp32", (2, g.rng.randint(1, 3), 4))
    rows = [RECIPES[name] for name in ("reshape", "transpose", "slice", "select", "if", "cvt")]
    g.grow(ops, [*OWN, *OWN, *rows])
    return g.finish()


def expanded_module(seed: int, ops: int) -> Module:
    """A random module of all rows in which most composites are written out."""
    module = random_graphs.random_module(seed, ops)
    rng = random.Random(seed)
    for op in list(module.main.walk()):
        if op.row.expand is not None and op.region is not None and rng.random() < 0.8:
            inline(op, module)
    return module


def _number(g: Grower, like: Type) -> Value:
    """A constant of one number: a scalar, or with axes of size 1, or of the whole shape."""
    if like.dtype == "bool":
        return g.b.constant(g.flip(), "bool")
    number = g.rng.choice(NUMBERS)
    number = number if like.element.is_float else round(number)
    form = g.rng.randint(0, 3)
    if form == 0 and not like.counts:
        return g.b.splat(number, like)
    scalar = g.b.constant(number, like.dtype)
    if form == 1:
        array = scalar.weight.source.array(scalar.type) if scalar.weight is not None else None
        assert array is not None
        ones = tensor(like.dtype, (1,) * g.rng.randint(0, like.rank))
        return g.module.add_weight("one", ones, Data(array.reshape(ones.shape)))
    return scalar


def _young(g: Grower, least: int = 0) -> Value:
    """One of the last values, of numbers."""
    good = [x for x in g.pool if x.type.dtype != "bool" and x.type.rank >= least]
    if not good:
        raise NotNowError
    return good[-g.rng.randint(1, min(len(good), 4))]


def _with_number(g: Grower) -> Op:
    x = _young(g)
    names = (*COMMUTING, "sub", "div", "pow", "mul", "add")
    pair = [x, _number(g, x.type)]
    if g.flip(0.4):
        pair.reverse()
    return g.b.op(g.rng.choice(names), *pair)


def _one_operand(g: Grower) -> Op:
    x, name = _young(g), g.rng.choice(ALIKE)
    if not x.type.element.is_float:
        name = g.rng.choice(("neg", "abs", "relu"))
    first = g.b(name, x)
    return g.b.op(name, first) if g.flip(0.3) else _op_of(first)


def _op_of(value: Value) -> Op:
    assert value.op is not None
    return value.op


def _two_operands(g: Grower) -> Op:
    x = _young(g)
    there = [y for y in g.pool if y.type is x.type]
    y = g.rng.choice(there[-4:])
    if g.flip(0.5) and x.type.element.is_float:
        y = g.b(g.rng.choice(("neg", "recip", "sqrt", "abs")), y)
    names = (*COMMUTING, "sub", "div") if x.type.element.is_float else (*COMMUTING, "sub")
    return g.b.op(g.rng.choice(names), x, y)


def _broadcast_pair(g: Grower) -> Op:
    x = _young(g)
    if x.type.rank > 3 or x.type.size > 100 or x.type.counts:
        raise NotNowError
    wide = tuple(2 if extent == 1 else extent for extent in x.type.shape)
    wide = (g.rng.randint(1, 2), *wide) if g.flip() else wide
    spread = g.b("broadcast", x, shape=wide)
    return g.b.op(g.rng.choice((*COMMUTING, "sub")), spread, g.value(x.type.dtype, wide[-1:]))


def _truths(g: Grower) -> Op:
    there = [x for x in g.pool if x.type.dtype == "bool"]
    if not there or g.flip(0.3):
        x = _young(g)
        return g.b.op(g.rng.choice(("lt", "le", "eq")), x, _number(g, x.type))
    x = g.rng.choice(there[-4:])
    if g.flip():
        return g.b.op("not", g.b("not", x) if g.flip() else x)
    return g.b.op(g.rng.choice(("and", "or", "xor")), x, x if g.flip() else _number(g, x.type))


def _choice(g: Grower) -> Op:
    x = _young(g)
    condition = g.b.constant(g.flip(), "bool")
    there = [c for c in g.pool if c.type.dtype == "bool" and c.type.shape == x.type.shape]
    if there and g.flip(0.7):
        condition = g.rng.choice(there)
        condition = g.b("not", condition) if g.flip() else condition
    other = x if g.flip(0.2) else _number(g, x.type)
    return g.b.op("select", condition, *((x, other) if g.flip() else (other, x)))


def _clamp(g: Grower) -> Op:
    x = _young(g)
    low, high = (g.b.constant(0, x.type.dtype) if g.flip() else None for _ in range(2))
    return g.b.op("clamp", x, low, high)


def _there_and_back(g: Grower) -> Op:
    x = _young(g)
    between = g.b("cvt", x, to=g.rng.choice(DTYPES))
    back = x.type.dtype if g.flip() else g.rng.choice(DTYPES)
    return g.b.op("cvt", between, to=back)


def _split(g: Grower) -> Op:
    """A reshape that takes an axis apart, merges two, or adds one of size 1."""
    x = _young(g, 1)
    shape, at = list(x.type.shape), g.rng.randrange(x.type.rank)
    form = g.rng.randint(0, 2)
    if form == 0 and shape[at] % 2 == 0:
        shape[at : at + 1] = [2, shape[at] // 2]
    elif form == 1 and len(shape) > 1 and at:
        shape[at - 1 : at + 1] = [math.prod(shape[at - 1 : at + 1])]
    else:
        shape.insert(at, 1)
    if len(shape) > 6:
        raise NotNowError
    return g.b.op("reshape", x, shape=tuple(shape))


def _turned(g: Grower) -> Op:
    x = _young(g, 2)
    perm = list(range(x.type.rank))
    at = g.rng.randrange(x.type.rank - 1)
    perm[at : at + 2] = reversed(perm[at : at + 2])
    return g.b.op("transpose", x, perm=tuple(perm))


def _cut(g: Grower) -> Op:
    """A part of one axis, now and then backwards or every other element."""
    x = _young(g, 1)
    at = g.rng.randrange(x.type.rank)
    extent, step = x.type.shape[at], g.rng.choice((1, 1, 1, 2, -1))
    if extent < 2:
        raise NotNowError
    size = g.rng.randint(0, extent // abs(step))
    starts, sizes, steps = [0] * x.type.rank, list(x.type.shape), [1] * x.type.rank
    starts[at] = g.rng.randint(0, extent - 1 - max(size - 1, 0) * abs(step))
    starts[at] += max(size - 1, 0) if step < 0 else 0
    sizes[at], steps[at] = size, step
    return g.b.op("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


def _joined(g: Grower) -> Op:
    x = _young(g, 1)
    there = [y for y in g.pool if y.type is x.type]
    values = [x, *(g.rng.choice(there[-4:]) for _ in range(g.rng.randint(0, 2)))]
    return g.b.op("concat", *values, axis=g.axis(x))


def _padded(g: Grower) -> Op:
    x = _young(g, 1)
    none = (0,) * x.type.rank
    return g.b.op("pad", x, before=none, after=none)


def _product(g: Grower) -> Op:
    x = _young(g, 2)
    if x.type.rank != 2 or not x.type.element.is_float:
        raise NotNowError
    w = g.value(x.type.dtype, (x.type.shape[1], g.rng.randint(1, 3)))
    if g.flip():
        found = g.b("contract", x, g.b("transpose", w, perm=(1, 0)), spec="mk,nk->mn")
    else:
        found = g.b("contract", x, w, spec="mk,kn->mn")
    if g.flip():
        found = g.b("transpose", found, perm=(1, 0))
    return g.b.op("add", found, g.weight(x.type.dtype, found.type.shape[-1:]))


def _squares(g: Grower) -> Op:
    x = _young(g, 1)
    return g.b.op("rsum", g.b("mul", x, x), axes=(g.axis(x),), keep=g.flip())


OWN: list[Recipe] = [
    _with_number, _with_number, _one_operand, _two_operands, _broadcast_pair, _truths, _choice,
    _clamp, _there_and_back, _split, _turned, _cut, _joined, _padded, _product, _squares,
]  # fmt: skip
