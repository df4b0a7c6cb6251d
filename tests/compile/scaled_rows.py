"""Parametric cases of what makes one element of many: pools, norms, softmax, reductions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from compile.scaled_draw import ELEMENTS, FLOATS, TYPES, Draw
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.weights import Array


def pool(d: Draw) -> Sequence[Value]:
    """Windows over one or two axes, also past the ends."""
    name = d.one(("pool_max", "pool_max", "pool_avg", "pool_avg", "pool_sum", "pool_argmax"))
    dtype = d.one(FLOATS if name == "pool_avg" else TYPES)
    rank = d.one((1, 2, 2))
    kernel = [d.one((1, 2, 3, 3, 5)) for _ in range(rank)]
    strides = [d.one((1, 2, 2, 3)) for _ in range(rank)]
    dilations = [d.one((1, 1, 1, 2)) for _ in range(rank)]
    pads = [d.number(0, kernel[i % rank] - 1) if d.chance(0.5) else 0 for i in range(2 * rank)]
    shape = d.sizes(rank + 2, ELEMENTS * d.more, 800)
    sizes = []
    for axis in range(rank):
        span = (kernel[axis] - 1) * dilations[axis] + 1
        before, behind = pads[axis], pads[rank + axis]
        shape[2 + axis] = max(shape[2 + axis], span - before - behind, 1)
        room = shape[2 + axis] + before + behind - span
        # One more window goes past the end, as where sizes are rounded up.
        past = bool(room % strides[axis]) and d.chance(0.3)
        sizes.append(room // strides[axis] + 1 + past)
    attrs = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    attrs["sizes"] = sizes
    window: dict[str, Any] = {key: tuple(numbers) for key, numbers in attrs.items()}
    if name == "pool_avg":
        window["count_pad"] = d.chance(0.5)
    x = d.input(dtype, shape)
    d.exact = name in ("pool_max", "pool_argmax") or not x.type.element.is_float
    d.exact |= name == "pool_sum" and d.whole
    return d.b.many(name, x, **window)


def norm(d: Draw) -> Sequence[Value]:
    """Norms along rows, or over groups of channels."""
    d.exact = False
    name, dtype = d.one(("layer_norm", "layer_norm", "rms_norm", "group_norm")), d.one(FLOATS)
    other = dtype if d.chance(0.7) else "fp32"
    eps = float(np.float32(1e-5))
    if name == "group_norm":
        groups = d.one((1, 2, 4, 5, 8))
        rest = d.sizes(d.number(1, 3), ELEMENTS * d.more // (2 * groups), 600)
        channels = groups * d.size(max(1, min(40, ELEMENTS // (prod(rest) * groups))))
        x = d.input(dtype, [d.number(1, 3), channels, *rest[1:]])
        both = [d.weight(other, [channels]) for _ in range(2)]
        return [d.b(name, x, *both, groups=groups, eps=eps)]
    shape = d.sizes(d.number(1, 4), ELEMENTS * d.more)
    axis = len(shape) - 1 if d.chance(0.7) else d.number(0, len(shape) - 1)
    x = d.input(dtype, shape)
    inner = shape[axis:] if d.chance(0.8) else d.broadcastable(shape[axis:])
    scale = d.weight(other, inner)
    if name == "rms_norm":
        return [d.b(name, x, scale, axis=axis, eps=eps)]
    bias = d.weight(other, inner) if d.chance(0.7) else None
    return [d.b(name, x, scale, bias, axis=axis, eps=eps)]


def softmax(d: Draw) -> Sequence[Value]:
    """Softmax and its logarithm along any axis, sometimes of masked rows."""
    d.exact = False
    shape = d.sizes(d.number(1, 4), ELEMENTS * d.more)
    axis = len(shape) - 1 if d.chance(0.6) else d.number(0, len(shape) - 1)
    dtype, name = d.one(FLOATS), d.one(("softmax", "softmax", "log_softmax"))
    values = d.values(dtype, shape)
    if d.chance(0.15):
        values = np.where(d.rng.random(shape) < 0.2, -np.inf, values.astype(np.float32))
    more: dict[str, Any] = {"masked_zero": d.chance(0.3)} if name == "softmax" else {}
    x = d.input(dtype, shape, np.asarray(values))
    if d.chance(0.2):
        x = d.b("add", x, d.weight(dtype, d.broadcastable(shape)))
    return [d.b(name, x, axis=axis, **more)]


def reduce(d: Draw) -> Sequence[Value]:
    """Every reduction along some axes, sometimes of what an op makes."""
    name = d.one(("rsum", "rsum", "rmax", "rmin", "rprod", "rsumsq", "argmax", "argmin"))
    dtype = d.one((*TYPES, "int64", "uint8"))
    if name in ("rmax", "rmin") and d.chance(0.1):
        dtype = "bool"
    shape = d.shape(1, 5)
    axes = d.subset(len(shape))
    values = _powers(d, dtype, shape) if name == "rprod" else None
    x = y = d.input(dtype, shape, values)
    chosen = name in ("rmax", "rmin", "argmax", "argmin")
    d.exact = chosen or d.whole or not x.type.element.is_float
    if dtype not in ("bool", "uint8") and d.chance(0.25):
        y = d.b(d.one(("neg", "abs", "relu")), x)
    if chosen and name.startswith("arg"):
        shape[axes[0]] = max(shape[axes[0]], 1)
        if 0 in x.type.shape:
            return [d.b("rmax", y, axes=tuple(axes), keep=True)]
        return [d.b(name, y, axis=axes[0], keep=d.chance(0.5), last=d.chance(0.3))]
    return [d.b(name, y, axes=tuple(axes), keep=d.chance(0.5))]


def _powers(d: Draw, dtype: str, shape: Sequence[int]) -> Array | None:
    """Signs, and a few powers of two among them: all products of them are exact."""
    if not d.whole or dtype not in FLOATS:
        return None
    found = d.rng.integers(0, 2, shape) * 2.0 - 1.0
    flat = found.reshape(-1)
    for _ in range(8 if flat.size else 0):
        flat[d.number(0, flat.size - 1)] = d.one((0.5, 2.0, -2.0))
    return found
