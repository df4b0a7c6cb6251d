"""Recipes for rows that compute, move and sort single tensors."""

from __future__ import annotations

import math
from typing import Any

from ir.growing import DTYPES, FLOATS, INTS, Grower, Recipe, recipe
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.types import ELEMENTS


# ---- element by element ---------------------------------------------------------------------
def partner(g: Grower, x: Value) -> Value:
    """A value that broadcasts with another, of the same element type."""
    kind = x.type
    there = [y for y in g.pool if y.type is kind]
    if there and g.flip(0.6):
        return g.rng.choice(there)
    if kind.counts:
        return g.weight(kind.dtype, ())
    keep = g.rng.randint(0, kind.rank)
    shape = tuple(1 if g.flip(0.3) else extent for extent in kind.shape[keep:])
    return g.value(kind.dtype, shape)


def _pointwise(name: str) -> Recipe:
    row = OPS[name]
    truths = [key for key, attr in row.attrs.items() if attr.kind == "bool"]

    def made(g: Grower) -> Op:
        x = g.pick()
        operands = [x, *(partner(g, x) for _ in row.operands[1:])]
        g.rng.shuffle(operands)
        attrs: dict[str, Any] = {key: g.flip() for key in truths}
        return g.b.op(name, *operands, **attrs)

    return made


for _row in OPS.values():
    if _row.kind is Kind.MAP and all(a.kind == "bool" for a in _row.attrs.values()):
        recipe(_row.name)(_pointwise(_row.name))


def _select(g: Grower) -> Op:
    x = g.pick()
    condition = g.value("bool", () if x.type.counts else x.type.shape)
    return g.b.op("select", condition, x, partner(g, x))


def _clamp(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.dtype != "bool")
    low = g.weight(x.type.dtype, ()) if g.flip() else None
    return g.b.op("clamp", x, low, g.weight(x.type.dtype, ()) if g.flip() else None)


for _name, _function in (("select", _select), ("clamp", _clamp)):
    recipe(_name, again=True)(_function)


@recipe("cvt")
def _cvt(g: Grower) -> Op:
    to, rounding = g.rng.choice(DTYPES), g.rng.choice(("rne", "trunc", "up"))
    return g.b.op("cvt", g.pick(), to=to, saturate=g.flip(), round=rounding)


@recipe("bitcast")
def _bitcast(g: Grower) -> Op:
    x = g.pick()
    same = [e.name for e in ELEMENTS.values() if e.bits == x.type.element.bits]
    return g.b.op("bitcast", x, to=g.rng.choice(same))


def _scales(g: Grower, x: Value) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The shape of scales, and the attributes that say how they lie."""
    if x.type.rank == 0 or g.flip(0.3):
        return (), {}
    axis = g.axis(x)
    if g.flip():
        return (x.type.shape[axis],), {"axis": axis}
    block = g.rng.randint(1, 3)
    shape = list(x.type.shape)
    shape[axis] = -(-shape[axis] // block)
    return tuple(shape), {"axis": axis, "block": block}


@recipe("quantize")
def _quantize(g: Grower) -> Op:
    x = g.floating()
    shape, attrs = _scales(g, x)
    to = g.rng.choice(("int8", "uint8", "int4", "int16", "e4m3", "e5m2", "e2m1"))
    zero = g.weight(to, shape) if g.flip() else None
    return g.b.op("quantize", x, g.value("fp32", shape), zero, to=to, saturate=g.flip(), **attrs)


@recipe("dequantize")
def _dequantize(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.dtype in ("int8", "uint8", "int4", "uint4", "e4m3", "int32"))
    shape, attrs = _scales(g, x)
    scale = g.value(g.rng.choice(("fp32", "fp16", "e8m0")), shape)
    zero = g.weight(x.type.dtype, shape) if g.flip() else None
    return g.b.op("dequantize", x, scale, zero, to=g.rng.choice(FLOATS), **attrs)


# ---- views and moves ------------------------------------------------------------------------
@recipe("reshape")
def _reshape(g: Grower) -> Op:
    x = g.pick()
    shape = [extent for extent in x.type.shape if extent != 1]
    if len(shape) > 1 and g.flip():
        at = g.rng.randrange(len(shape) - 1)
        shape[at : at + 2] = [math.prod(shape[at : at + 2])]
    if len(shape) < 5:
        shape.insert(g.rng.randint(0, len(shape)), 1)
    return g.b.op("reshape", x, shape=tuple(shape))


@recipe("transpose")
def _transpose(g: Grower) -> Op:
    x = g.pick()
    perm = list(range(x.type.rank))
    g.rng.shuffle(perm)
    return g.b.op("transpose", x, perm=tuple(perm))


@recipe("broadcast")
def _broadcast(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank < 4)
    inner = (g.rng.randint(1, 3) if extent == 1 else extent for extent in x.type.shape)
    return g.b.op("broadcast", x, shape=(*g.dims(g.rng.randint(0, 1)), *inner))


@recipe("slice")
def _slice(g: Grower) -> Op:
    x = g.pick()
    starts, sizes, steps = [], [], []
    for extent in x.type.shape:
        step = g.rng.choice((1, 1, 2, -1, -2))
        size = g.rng.randint(0, -(-extent // abs(step)))
        last = max(size - 1, 0) * abs(step)
        start = g.rng.randint(0, max(extent - 1 - last, 0))
        starts.append(start if step > 0 or not size else start + last)
        sizes.append(size)
        steps.append(step)
    return g.b.op("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


@recipe("windows")
def _windows(g: Grower) -> Op:
    x = g.pick(lambda kind: 0 < kind.rank < 4)
    axes = tuple(g.rng.sample(range(x.type.rank), g.rng.randint(1, min(2, x.type.rank))))
    one = [tuple(g.rng.randint(1, 2) for _ in axes) for _ in range(3)]
    return g.b.op("windows", x, axes=axes, sizes=one[0], steps=one[1], dilations=one[2])


@recipe("pad")
def _pad(g: Grower) -> Op:
    x = g.pick()
    before, after = (tuple(g.rng.choice((0, 0, 1, 2)) for _ in x.type.shape) for _ in range(2))
    mode = g.rng.choice(("constant", "reflect", "edge", "wrap"))
    value = g.weight(x.type.dtype, ()) if mode == "constant" and g.flip() else None
    return g.b.op("pad", x, value, before=before, after=after, mode=mode)


@recipe("concat")
def _concat(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0 and not kind.counts)
    axis, xs = g.axis(x), [x]
    for _ in range(g.rng.randint(0, 2)):
        shape = list(x.type.shape)
        shape[axis] = g.rng.randint(0, 3)
        xs.append(g.value(x.type.dtype, tuple(shape)))
    return g.b.op("concat", *xs, axis=axis)


@recipe("iota")
def _iota(g: Grower) -> Op:
    shape = g.dims(g.rng.randint(1, 3))
    axis = g.rng.randrange(len(shape))
    return g.b.op("iota", to=g.rng.choice((*INTS, "fp32")), shape=shape, axis=axis)


# ---- along axes -----------------------------------------------------------------------------
def _reduction(name: str) -> Recipe:
    def made(g: Grower) -> Op:
        x = g.pick()
        axes = tuple(g.rng.sample(range(x.type.rank), g.rng.randint(0, x.type.rank)))
        return g.b.op(name, x, axes=axes, keep=g.flip())

    return made


def _along(name: str) -> Recipe:
    truths = [key for key, attr in OPS[name].attrs.items() if attr.kind == "bool"]

    def made(g: Grower) -> Op:
        x = g.pick(lambda kind: kind.rank > 0)
        attrs: dict[str, Any] = {key: g.flip() for key in truths}
        return g.b.op(name, x, axis=g.axis(x), **attrs)

    return made


for _name in ("rsum", "rprod", "rmax", "rmin", "rsumsq"):
    recipe(_name)(_reduction(_name))
for _name in ("argmax", "argmin", "cumsum", "cumprod", "sort"):
    recipe(_name)(_along(_name))


@recipe("topk")
def _topk(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0)
    axis = g.axis(x)
    return g.b.op("topk", x, axis=axis, k=g.rng.randint(0, x.type.shape[axis]), largest=g.flip())
