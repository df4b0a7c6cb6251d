"""Parametric cases of products: contractions, convolutions, attention."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from compile.scaled_draw import FLOATS, PRODUCTS, Draw, epilogue
from maiacc_passes.ir.graph import Value

#: Plain, batched, transposed, shared, wide: letters of both operands and of the result.
SPECS = (
    *("mk,kn->mn", "mk,nk->mn", "km,kn->mn", "km,nk->nm", "mk,kn->nm", "bmk,kn->bmn"),
    *("bmk,bkn->bmn", "bmk,bnk->bmn", "mbk,bkn->bmn", "bmk,bkn->mbn", "bhmk,bhkn->bhmn"),
    *("bhmk,bhnk->bmhn", "bhmk,hkn->bhmn", "bmhk,bnhk->bhmn", "mkl,kln->mn", "mlk,kln->mn"),
    *("k,kn->n", "mk,k->m", "k,k->", "m,n->mn", "bk,bk->b", "bk,bkn->bn", "b,bn->bn"),
)

#: Element types of operands, and of the result.
KINDS = (
    *(("fp32", ""), ("bf16", ""), ("bf16", "fp32"), ("fp16", ""), ("fp16", "fp32")),
    *(("int8", "int32"), ("int8", "")),
)


def matmul(d: Draw) -> Sequence[Value]:
    """A contraction, perhaps with a bias, and with ops behind it."""
    spec = d.one(SPECS)
    if d.chance(0.15):
        spec = _shuffled(d, spec)
    letters = sorted(set(spec) - set(",->"))
    found = d.sizes(len(letters), PRODUCTS * d.more, 1500)
    sizes = dict(zip(letters, found, strict=True))
    left, right = spec.split("->")[0].split(",")
    dtype, to = d.one(KINDS)
    a = d.input(dtype, [sizes[letter] for letter in left])
    b = d.weight(dtype, [sizes[letter] for letter in right])
    bias = None
    shape = [sizes[letter] for letter in spec.split("->")[1]]
    if d.chance(0.35):
        bias = d.weight(to or dtype, shape[-1:] if d.chance(0.6) else d.broadcastable(shape))
    return [epilogue(d, d.b("contract", a, b, bias, spec=spec, to=to))]


def _shuffled(d: Draw, spec: str) -> str:
    """The same contraction with the axes of each tensor in another order."""
    operands, out = spec.split("->")
    groups = [*operands.split(","), out]
    mixed = ["".join(group[i] for i in d.order(len(group))) for group in groups]
    return f"{mixed[0]},{mixed[1]}->{mixed[2]}"


def _channels(d: Draw) -> tuple[int, int, int]:
    """Channels in, out, and groups: one, as many as channels, or a few."""
    kind = d.one(("one", "one", "one", "depthwise", "depthwise", "some"))
    if kind == "one":
        return d.size(70), d.size(70), 1
    if kind == "depthwise":
        channels = d.size(70)
        return channels, channels * d.one((1, 1, 1, 2, 3)), channels
    groups = d.number(2, 5)
    return groups * d.size(20), groups * d.size(20), groups


def conv(d: Draw) -> Sequence[Value]:
    """A convolution over one or two axes, sometimes a transposed one."""
    rank, dtype_to = d.one((1, 2, 2)), d.one(KINDS)
    (dtype, to), transposed = dtype_to, d.chance(0.12)
    c, o, groups = _channels(d)
    kernel = [d.one((1, 2, 3, 3, 5, 7)) for _ in range(rank)]
    strides = [d.one((1, 1, 1, 2, 3)) for _ in range(rank)]
    dilations = [d.one((1, 1, 1, 2, 3)) for _ in range(rank)]
    pads = [d.number(0, 3) if d.chance(0.5) else 0 for _ in range(2 * rank)]
    budget = max(1, 4 * PRODUCTS * d.more // max(1, c * o // groups * prod(kernel)))
    n, *extents = d.sizes(rank + 1, min(budget, 20_000), 400)
    spans = [(k - 1) * step + 1 for k, step in zip(kernel, dilations, strict=True)]
    if not transposed:
        least = [s - pads[i] - pads[rank + i] for i, s in enumerate(spans)]
        extents = [max(x, low, 1) for x, low in zip(extents, least, strict=True)]
    else:
        pads = [min(p, (spans[i % rank] - 1) // 2) for i, p in enumerate(pads)]
    n = min(n, 9)
    x = d.input(dtype, [n, c, *extents])
    attrs = {"strides": strides, "pads": pads, "dilations": dilations}
    window: dict[str, Any] = {name: tuple(numbers) for name, numbers in attrs.items()}
    bias = d.weight(to if to and not transposed else dtype, [o]) if d.chance(0.5) else None
    if transposed:
        w = d.weight(dtype, [c, o // groups, *kernel])
        more = tuple(d.number(0, s - 1) for s in strides)
        y = d.b("conv_transpose", x, w, bias, groups=groups, out_pads=more, **window)
    else:
        w = d.weight(dtype, [o, c // groups, *kernel])
        y = d.b("conv", x, w, bias, groups=groups, to=to, **window)
    return [epilogue(d, y)]


def attention(d: Draw) -> Sequence[Value]:
    """Attention: heads in groups, masks of both kinds, causal, windows."""
    d.whole, d.exact = False, False
    dtype, groups = d.one(FLOATS), d.one((1, 1, 2, 3))
    batch, heads = d.one((1, 1, 2, 3)), d.one((1, 2, 3))
    most = PRODUCTS * d.more // (batch * heads * groups)
    size = d.size(min(130, most))
    rows, keys = d.sizes(2, max(4, most // size), 700)
    out = size if d.chance(0.7) else d.size(100)
    q = d.input(dtype, [batch, heads * groups, rows, size])
    k = d.input(dtype, [batch, heads, keys, size])
    v = d.input(dtype, [batch, heads, keys, out])
    mask, kind = None, d.one(("", "", "bool", "add"))
    if kind:
        shape = d.broadcastable([batch, heads * groups, rows, keys])
        if kind == "bool":
            seen = d.rng.random(shape) < 0.9
            mask = d.input("bool", shape, np.asarray(seen))
        else:
            mask = d.input(dtype, shape)
    causal = d.chance(0.4)
    found = d.b(
        "attention",
        *(q, k, v, mask),
        causal=causal,
        offset=d.one((0, 0, keys - rows, 1)) if causal else 0,
        scale=float(np.float32(size**-0.5)),
        softcap=d.one((0.0, 0.0, 0.0, 5.0)),
        groups=groups,
        window=d.one((-1, -1, 3, 17)) if causal else -1,
        masked_zero=d.chance(0.5),
    )
    return [found]
