"""Parametric cases of what moves elements, and of what maps them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from compile.scaled_draw import ELEMENTS, FLOATS, TYPES, Draw, narrow
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Array

#: Element types of what is only moved.
MOVED = (*TYPES, "uint8", "int64", "bool", "e4m3")

#: Ops whose results are whole numbers of whole numbers.
EXACT = ("add", "sub", "mul", "min", "max", "neg", "abs", "relu", "select")

#: Ops on integers beside these.
WHOLE = ("div", "mod", "and", "or", "xor")

#: Ops on real numbers beside these.
REAL = ("exp", "tanh", "sigmoid", "erf", "gelu", "silu", "softplus", "sqrt", "div", "sin")


def _after(d: Draw, x: Value) -> Value:
    """Sometimes an op more, so that the move is part of a larger group."""
    if x.type.dtype in TYPES and d.chance(0.3):
        return d.b(d.one(("neg", "abs")), x)
    return x


def transpose(d: Draw) -> Sequence[Value]:
    """Axes in another order, sometimes more than one result, or two."""
    d.exact = True
    shape = d.shape(2, 5)
    x = d.input(d.one(MOVED), shape)
    y = d.b("transpose", x, perm=tuple(d.order(len(shape))))
    if d.chance(0.2):
        rows = y.type.shape[0]
        y = d.b("reshape", y, shape=(rows, prod(y.type.shape[1:])))
        y = d.b("transpose", y, perm=(1, 0))
    if y.type.dtype in TYPES and d.chance(0.2):
        other = d.input(x.type.dtype, y.type.shape)
        return [d.b("add", y, other)]
    return [_after(d, y)]


def concat(d: Draw) -> Sequence[Value]:
    """Pieces of several sizes one behind the other."""
    d.exact = True
    count, dtype = d.number(1, 5), d.one(MOVED)
    shape = d.sizes(d.number(1, 4), ELEMENTS * d.more // count)
    axis = d.number(0, len(shape) - 1)
    rest = prod(shape) // shape[axis]
    parts = []
    for _ in range(count):
        size = d.size(max(1, min(700, ELEMENTS * d.more // count // rest)))
        piece = [*shape[:axis], size, *shape[axis + 1 :]]
        if d.chance(0.25):
            order = d.order(len(piece))
            turned = [0] * len(piece)
            for new, old in enumerate(order):
                turned[old] = piece[new]
            x = d.b("transpose", d.input(dtype, turned), perm=tuple(order))
        else:
            x = _after(d, d.weight(dtype, piece))
        parts.append(x)
    if d.chance(0.2):
        parts.append(parts[0])
    return [_after(d, d.b("concat", *parts, axis=axis))]


def gather(d: Draw) -> Sequence[Value]:
    """Elements at indices, some of which may be outside."""
    d.exact = True
    name = d.one(("gather", "gather", "gather_elements", "gather_nd"))
    shape = d.sizes(d.number(1, 4), ELEMENTS * d.more)
    x = d.input(d.one(MOVED), shape)
    kind, oob = d.one(("int32", "int64")), d.one(("error", "error", "clamp", "fill"))
    axis, most = d.number(0, len(shape) - 1), 4 * ELEMENTS * d.more
    if name == "gather_nd":
        length = d.number(1, len(shape))
        rest = prod(shape[length:])
        places = d.sizes(d.number(1, 2), max(1, min(3000, most // rest)))
        columns = [_indices(d, places, shape[i], oob) for i in range(length)]
        indices = d.input(kind, [*places, length], np.stack(columns, -1))
        return [_after(d, d.b(name, x, indices, batch=0, oob=oob))]
    if name == "gather_elements":
        places = [d.number(1, size) if d.chance(0.4) else size for size in shape]
        places[axis] = d.size(max(1, min(300, most // prod(shape) * shape[axis])))
    else:
        rest = prod(shape) // shape[axis]
        places = d.sizes(d.number(0, 2), max(1, min(3000, most // rest)))
    indices = d.input(kind, places, _indices(d, places, shape[axis], oob))
    return [_after(d, d.b(name, x, indices, axis=axis, oob=oob))]


def _indices(d: Draw, shape: Sequence[int], extent: int, oob: str) -> Array:
    out = 0 if oob == "error" else 2
    return np.asarray(d.rng.integers(-out, extent + out, shape))


def elementwise(d: Draw) -> Sequence[Value]:
    """A chain of maps of operands that broadcast."""
    dtype = d.one((*TYPES, "fp32", "int64", "uint8"))
    shape, count = d.shape(1, 5), d.number(1, 4)
    x = d.input(dtype, shape)
    kind = x.type.element
    d.exact = kind.is_int or (d.whole and (not narrow(dtype) or count == 1))
    for _ in range(count):
        names = EXACT if dtype != "uint8" else ("add", "sub", "mul", "min", "max", "select")
        if kind.is_int:
            names = (*names, *WHOLE)
        elif not d.whole:
            names = (*names, *REAL)
        x = _mapped(d, d.one(names), x, shape)
    return [x]


def _mapped(d: Draw, name: str, x: Value, shape: Sequence[int]) -> Value:
    dtype = x.type.dtype
    if name in ("neg", "abs", "relu", *REAL) and name != "div":
        if name in ("sqrt", "exp"):
            x = d.b("abs", x) if name == "sqrt" else d.b("min", x, d.b.constant(8, dtype))
        return d.b(name, x)
    # Real constants that are worked on are rounded to their type, as they are not in a kernel.
    some = d.input if name == "div" and dtype in FLOATS else d.weight
    other = some(dtype, d.broadcastable(shape))
    if name == "select":
        return d.b("select", d.input("bool", d.broadcastable(shape)), x, other)
    if name == "div" and dtype in FLOATS:
        other = d.b("add", d.b("abs", other), d.b.constant(1, dtype))
    if name in ("div", "mod"):
        return d.b(name, x, other, floor=dtype not in FLOATS and d.chance(0.5))
    return d.b(name, other, x) if d.chance(0.3) else d.b(name, x, other)


def slices(d: Draw) -> Sequence[Value]:
    """Elements some steps apart, also backwards; cells more around them; or both."""
    d.exact = True
    x = d.input(d.one(MOVED), d.sizes(d.number(1, 5), ELEMENTS * d.more))
    kind = d.one(("slice", "pad", "both", "turned"))
    if kind != "pad":
        x = _sliced(d, x)
    if kind != "slice":
        x = _padded(d, x)
    if kind == "turned":
        x = _sliced(d, x)
    return [_after(d, x)]


def _sliced(d: Draw, x: Value) -> Value:
    starts, sizes, steps = [], [], []
    for extent in x.type.shape:
        step = d.one((1, 1, 1, 2, 3, -1, -2))
        first = d.number(0, extent // 3) if extent and d.chance(0.6) else 0
        room = extent - first
        size = -(-room // abs(step)) if d.chance(0.5) else d.number(1, -(-room // abs(step)))
        starts.append(first if step > 0 else extent - 1 - first)
        sizes.append(size)
        steps.append(step)
    return d.b("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


def _padded(d: Draw, x: Value) -> Value:
    mode = d.one(("constant", "constant", "reflect", "edge", "wrap"))
    few = 3 if x.type.size > ELEMENTS else 9
    rank = x.type.rank
    # Each end of each axis that is not constant is a kernel: a few are enough.
    axes = d.order(rank)[:2]
    around = [
        d.number(0, few) if i % rank in axes and d.chance(0.7) else 0 for i in range(2 * rank)
    ]
    value = None
    if mode == "constant" and d.chance(0.5):
        value = d.input(x.type.dtype, []) if d.chance(0.5) else _number(d, x)
    before, after = tuple(around[:rank]), tuple(around[rank:])
    return d.b("pad", x, value, before=before, after=after, mode=mode)


def _number(d: Draw, x: Value) -> Value:
    return d.b.constant(d.values(x.type.dtype, []).astype(tensor(x.type.dtype).element.numpy))
