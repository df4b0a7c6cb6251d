"""Parametric cases of several steps, one behind the other: products, rows, moves and maps that the
compiler may fuse or keep apart; some results in the middle are handed out, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from compile.scaled_draw import FLOATS, Draw
from maiacc_passes.ir.graph import Value

#: Whole numbers up to here are exact in fp32.
WHOLE = 1 << 24

#: Elements of a result in the middle at most.
MOST = 60_000


def mixed(d: Draw) -> Sequence[Value]:
    """A few steps. Sizes of numbers are kept in mind: sums of whole numbers are exact while they
    are small."""
    dtype = d.one(("fp32", "fp32", "int32", *FLOATS))
    x = d.input(dtype, d.sizes(d.number(2, 4), 8_000 * d.more, 700))
    exact, most, outputs = d.whole and dtype == "fp32", 4, []
    steps = [*EXACT] if dtype == "int32" or (exact and d.chance(0.7)) else [*EXACT, *REAL]
    if dtype == "int32":
        steps, exact = [step for step in steps if step is not _product], True
    for _ in range(d.number(2, 5)):
        step = d.one(steps)
        before = x
        x, more = step(d, x)
        most = max(most, 1) * more
        if step in REAL or (dtype != "int32" and most > WHOLE):
            exact = False
        if before.type.size and d.chance(0.15):
            outputs.append(x)
    d.exact = exact
    return [*outputs, x] if x not in outputs else outputs


def _product(d: Draw, x: Value) -> tuple[Value, int]:
    letters = "abcdefgh"[: x.type.rank]
    depth = x.type.shape[-1]
    size = d.size(max(1, min(300, 1_500_000 // max(1, x.type.size), MOST * depth // x.type.size)))
    w = d.weight(x.type.dtype, [depth, size])
    spec = f"{letters},{letters[-1]}z->{letters[:-1]}z"
    return d.b("contract", x, w, spec=spec), 4 * depth


def _turned(d: Draw, x: Value) -> tuple[Value, int]:
    return d.b("transpose", x, perm=tuple(d.order(x.type.rank))), 1


def _shaped(d: Draw, x: Value) -> tuple[Value, int]:
    shape = list(x.type.shape)
    if len(shape) > 1 and d.chance(0.5):
        at = d.number(0, len(shape) - 2)
        shape[at : at + 2] = [shape[at] * shape[at + 1]]
    else:
        at = d.number(0, len(shape) - 1)
        for part in (2, 3, 5, 7, 1):
            if shape[at] % part == 0:
                shape[at : at + 1] = [part, shape[at] // part]
                break
    return d.b("reshape", x, shape=tuple(shape)), 1


def _cut(d: Draw, x: Value) -> tuple[Value, int]:
    axis = d.number(0, x.type.rank - 1)
    sizes = list(x.type.shape)
    starts = [0] * len(sizes)
    starts[axis] = d.number(0, sizes[axis] // 2)
    sizes[axis] -= starts[axis]
    steps = [1] * len(sizes)
    return d.b("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps)), 1


def _wider(d: Draw, x: Value) -> tuple[Value, int]:
    axes = range(x.type.rank)
    before = tuple(d.one((0, 0, 1, 3)) for _ in axes)
    after = tuple(d.one((0, 0, 1, 2)) for _ in axes)
    padded = prod(n + a + b for n, a, b in zip(x.type.shape, before, after, strict=True))
    if padded > MOST:
        return x, 1
    return d.b("pad", x, before=before, after=after, mode="constant"), 1


def _joined(d: Draw, x: Value) -> tuple[Value, int]:
    axis = d.number(0, x.type.rank - 1)
    if 2 * x.type.size > MOST:
        return x, 1
    other = d.b("neg", x) if d.chance(0.5) else d.input(x.type.dtype, x.type.shape)
    return d.b("concat", *d.one(((x, other), (other, x), (x, other, x))), axis=axis), 1


def _picked(d: Draw, x: Value) -> tuple[Value, int]:
    axis = d.number(0, x.type.rank - 1)
    rest = x.type.size // x.type.shape[axis]
    count = d.size(max(1, min(200, MOST // rest)))
    where = d.rng.integers(0, x.type.shape[axis], count)
    return d.b("gather", x, d.input("int64", [count], np.asarray(where)), axis=axis), 1


def _mapped(d: Draw, x: Value) -> tuple[Value, int]:
    name = d.one(("add", "sub", "max", "mul", "relu", "neg"))
    if name in ("relu", "neg"):
        return d.b(name, x), 1
    other = d.weight(x.type.dtype, d.broadcastable(x.type.shape))
    return d.b(name, x, other), 4 if name == "mul" else 5


def _folded(d: Draw, x: Value) -> tuple[Value, int]:
    axes = tuple(d.subset(x.type.rank))
    size = prod(x.type.shape[axis] for axis in axes)
    keep = len(axes) == x.type.rank or d.chance(0.5)
    return d.b(d.one(("rsum", "rmax", "rmin")), x, axes=axes, keep=keep), size


def _soft(d: Draw, x: Value) -> tuple[Value, int]:
    return d.b("softmax", x, axis=d.number(0, x.type.rank - 1)), 1


def _normed(d: Draw, x: Value) -> tuple[Value, int]:
    scale = d.weight(x.type.dtype, x.type.shape[-1:])
    eps = float(np.float32(1e-3))
    return d.b("layer_norm", x, scale, axis=x.type.rank - 1, eps=eps), 1


def _curved(d: Draw, x: Value) -> tuple[Value, int]:
    return d.b(d.one(("gelu", "silu", "tanh", "sigmoid")), x), 1


Step = Callable[[Draw, Value], tuple[Value, int]]

#: Steps that keep whole numbers whole, and others.
EXACT: tuple[Step, ...] = (
    *(_product, _turned, _shaped, _cut, _wider, _joined, _picked, _mapped, _folded),
)
REAL: tuple[Step, ...] = (_soft, _normed, _curved)
