"""Recipes for contractions, pools, composites and recurrent layers."""

from __future__ import annotations

from typing import Any

from ir.growing import FLOATS, Grower, NotNowError, Recipe, recipe
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.ops import OPS

_NARROW = ("fp32", "bf16", "fp16", "fp64")
_SPECS = ("mk,kn->mn", "bmk,kn->bmn", "bmk,bkn->bmn", "k,k->", "i,j->ij", "bhqd,bhkd->bhqk")


# ---- contractions ---------------------------------------------------------------------------
@recipe("contract")
def _contract(g: Grower) -> Op:
    spec = g.rng.choice(_SPECS)
    left, right = spec.split("->")[0].split(",")
    a = g.pick(lambda kind: kind.rank == len(left) and kind.dtype != "bool" and not kind.counts)
    sizes = dict(zip(left, a.type.shape, strict=True))
    shape = tuple(sizes.setdefault(letter, g.rng.randint(1, 4)) for letter in right)
    to = "int32" if a.type.dtype in ("int8", "uint8") else g.rng.choice(("", "fp32"))
    dtype = g.rng.choice(("int8", "uint8")) if to == "int32" else a.type.dtype
    return g.b.op("contract", a, g.value(dtype, shape), spec=spec, to=to)


def _image(g: Grower, dtypes: tuple[str, ...] = _NARROW) -> Value:
    """Something to lay windows over."""
    there = [
        x for x in g.pool if x.type.rank in (3, 4) and x.type.dtype in dtypes and not x.type.counts
    ]
    if there and g.flip():
        return g.rng.choice(there)
    shape = (g.rng.randint(1, 2), 2 * g.rng.randint(1, 2), *g.dims(g.rng.randint(1, 2), 6))
    return g.value(g.rng.choice(dtypes), shape)


def _per_axis(g: Grower, x: Value, *values: int) -> tuple[int, ...]:
    return tuple(g.rng.choice(values) for _ in x.type.shape[2:])


def _groups(g: Grower, x: Value) -> int:
    return 2 if x.type.shape[1] % 2 == 0 and x.type.shape[1] and g.flip() else 1


@recipe("conv")
def _conv(g: Grower) -> Op:
    x = _image(g)
    groups = _groups(g, x)
    out = groups * g.rng.randint(1, 2)
    w = g.value(x.type.dtype, (out, x.type.shape[1] // groups, *_per_axis(g, x, 1, 2, 3)))
    return g.b.op(
        "conv",
        x,
        w,
        g.weight(x.type.dtype, (out,)) if g.flip() else None,
        strides=_per_axis(g, x, 1, 2),
        pads=_per_axis(g, x, 0, 1) * 2,
        dilations=_per_axis(g, x, 1, 1, 2),
        groups=groups,
    )


@recipe("contract_sparse")
def _contract_sparse(g: Grower) -> Op:
    depth = g.rng.randint(1, 12)
    columns, whole = g.rng.randint(1, 4), -(-depth // 8) * 8
    dtype = g.rng.choice(_NARROW)
    a = g.value(dtype, (g.rng.randint(1, 3), depth))
    values = g.weight(dtype, (whole // 2, columns))
    positions = g.weight("uint4", (columns, whole // 4))
    return g.b.op("contract_sparse", a, values, positions, spec="mk,kn->mn")


@recipe("conv_sparse")
def _conv_sparse(g: Grower) -> Op:
    x = _image(g)
    out, whole = g.rng.randint(1, 2), -(-x.type.shape[1] // 8) * 8
    kernel = _per_axis(g, x, 1, 2)
    values = g.weight(x.type.dtype, (out, whole // 2, *kernel))
    positions = g.weight("uint4", (out, *kernel, whole // 4))
    return g.b.op(
        "conv_sparse",
        x,
        values,
        positions,
        strides=_per_axis(g, x, 1, 2),
        pads=_per_axis(g, x, 0, 1) * 2,
        dilations=_per_axis(g, x, 1),
    )


@recipe("block_quantize")
def _block_quantize(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0 and kind.element.is_float and not kind.counts)
    return g.b.op("block_quantize", x, to=g.rng.choice(("e4m3", "e5m2", "e2m1")))


@recipe("contract_scaled")
def _contract_scaled(g: Grower) -> Op:
    to, blocks = g.rng.choice(("e4m3", "e2m1")), g.rng.randint(1, 2)
    parts = []
    for rows in (g.rng.randint(1, 3), g.rng.randint(1, 3)):
        parts += [g.weight(to, (rows, 32 * blocks)), g.weight("e8m0", (rows, blocks))]
    return g.b.op("contract_scaled", *parts, spec="mk,nk->mn", to="fp32")


@recipe("conv_transpose")
def _conv_transpose(g: Grower) -> Op:
    x = _image(g)
    groups = _groups(g, x)
    out = g.rng.randint(1, 2)
    w = g.value(x.type.dtype, (x.type.shape[1], out, *_per_axis(g, x, 1, 2, 3)))
    return g.b.op(
        "conv_transpose",
        x,
        w,
        g.weight(x.type.dtype, (out * groups,)) if g.flip() else None,
        strides=_per_axis(g, x, 1, 2),
        pads=_per_axis(g, x, 0, 0, 1) * 2,
        dilations=_per_axis(g, x, 1, 1, 2),
        groups=groups,
        out_pads=_per_axis(g, x, 0, 0, 1),
    )


# ---- pools ----------------------------------------------------------------------------------
def _pool(name: str) -> Recipe:
    def made(g: Grower) -> Op:
        x = _image(g, (*_NARROW, "int8", "uint8"))
        kernel, strides = _per_axis(g, x, 1, 2, 3), _per_axis(g, x, 1, 2)
        pads, dilations = _per_axis(g, x, 0, 1) * 2, _per_axis(g, x, 1, 1, 2)
        spatial = x.type.shape[2:]
        sizes = tuple(
            (extent + 2 * pad - (k - 1) * d - 1) // s + 1
            for extent, pad, k, d, s in zip(
                spatial, pads[: len(spatial)], kernel, dilations, strides, strict=True
            )
        )
        if min(sizes) < 0:
            raise NotNowError
        attrs: dict[str, Any] = {"count_pad": g.flip()} if "count_pad" in OPS[name].attrs else {}
        attrs |= {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
        return g.b.op(name, x, sizes=sizes, **attrs)

    return made


for _name in ("pool_max", "pool_argmax", "pool_sum", "pool_avg"):
    recipe(_name)(_pool(_name))


# ---- composites -----------------------------------------------------------------------------
@recipe("softmax")
def _softmax(g: Grower) -> Op:
    x = g.floating(1)
    return g.b.op("softmax", x, axis=g.axis(x), masked_zero=g.flip())


@recipe("log_softmax")
def _log_softmax(g: Grower) -> Op:
    x = g.floating(1)
    return g.b.op("log_softmax", x, axis=g.axis(x))


def _norm(name: str) -> Recipe:
    def made(g: Grower) -> Op:
        x = g.floating(1)
        axis = g.axis(x)
        operands = [g.value(x.type.dtype, x.type.shape[axis:]) for _ in OPS[name].operands[1:]]
        if len(operands) > 1 and g.flip():
            operands.pop()
        return g.b.op(name, x, *operands, axis=axis, eps=g.rng.choice((1e-5, 1e-12, 0.1)))

    return made


for _name in ("layer_norm", "rms_norm"):
    recipe(_name)(_norm(_name))


@recipe("group_norm")
def _group_norm(g: Grower) -> Op:
    x = _image(g)
    scale, bias = (g.value(x.type.dtype, (x.type.shape[1],)) for _ in range(2))
    return g.b.op("group_norm", x, scale, bias, groups=_groups(g, x), eps=1e-5)


@recipe("affine")
def _affine(g: Grower) -> Op:
    x = g.floating(1)
    axis = g.axis(x)
    scale, bias = (g.value(x.type.dtype, (x.type.shape[axis],)) for _ in range(2))
    return g.b.op("affine", x, scale, bias, axis=axis)


@recipe("gelu")
def _gelu(g: Grower) -> Op:
    return g.b.op("gelu", g.floating(), tanh=g.flip())


@recipe("silu")
def _silu(g: Grower) -> Op:
    return g.b.op("silu", g.floating())


@recipe("softplus")
def _softplus(g: Grower) -> Op:
    return g.b.op("softplus", g.floating())


@recipe("swiglu")
def _swiglu(g: Grower) -> Op:
    x = g.floating()
    return g.b.op("swiglu", x, x if x.type.counts else g.value(x.type.dtype, x.type.shape))


@recipe("dynamic_quantize")
def _dynamic_quantize(g: Grower) -> Op:
    return g.b.op("dynamic_quantize", g.floating(), to=g.rng.choice(("uint8", "int8")))


@recipe("attention")
def _attention(g: Grower) -> Op:
    dtype, groups = g.rng.choice(_NARROW), g.rng.randint(1, 2)
    batch, heads, rows, keys, size = (g.rng.randint(1, 3) for _ in range(5))
    q = g.value(dtype, (batch, heads * groups, rows, size))
    k = g.value(dtype, (batch, heads, keys, size))
    v = g.value(dtype, (batch, heads, keys, g.rng.randint(1, 3)))
    mask = g.value(g.rng.choice((dtype, "bool")), (rows, keys)) if g.flip() else None
    attrs: dict[str, Any] = {"causal": g.flip(), "masked_zero": g.flip(), "groups": groups}
    attrs |= {"offset": g.rng.choice((0, keys - rows)), "window": g.rng.choice((-1, 2))}
    attrs |= {"softcap": g.rng.choice((0.0, 30.0)), "scale": g.rng.choice((1.0, 0.125))}
    return g.b.op("attention", q, k, v, mask, **attrs)


@recipe("rope")
def _rope(g: Grower) -> Op:
    dtype, half, rows = g.rng.choice(_NARROW), g.rng.randint(1, 2), g.rng.randint(1, 3)
    x = g.value(dtype, (g.rng.randint(1, 2), 2, rows, 2 * half))
    cos, sin = (g.value(dtype, (rows, half)) for _ in range(2))
    return g.b.op("rope", x, cos, sin, interleaved=g.flip(), dims=g.rng.choice((0, 2 * half)))


@recipe("cache_append")
def _cache_append(g: Grower) -> Op:
    cache = g.pick(lambda kind: kind.rank > 0 and not kind.counts)
    axis = g.axis(cache)
    shape = list(cache.type.shape)
    shape[axis] = g.rng.randint(0, 2)
    return g.b.op("cache_append", cache, g.value(cache.type.dtype, tuple(shape)), axis=axis)


@recipe("moe_route")
def _moe_route(g: Grower) -> Op:
    x = g.floating(1)
    return g.b.op("moe_route", x, k=g.rng.randint(1, max(x.type.shape[-1], 1)), normalize=g.flip())


# ---- recurrent layers -----------------------------------------------------------------------
def _recurrent(name: str, gates: int, more: int) -> Recipe:
    def made(g: Grower) -> Op:
        dtype = g.rng.choice(FLOATS[:4])
        steps, batch, inputs, hidden = (g.rng.randint(1, 3) for _ in range(4))
        direction = g.rng.choice(("forward", "reverse", "bidirectional"))
        dirs = 2 if direction == "bidirectional" else 1
        shapes = [(dirs, batch, hidden)] * more + [(dirs, 3 * hidden)] * (more - 1)
        given: list[Value | None] = [
            g.weight(dtype, (dirs, 2 * gates * hidden)) if g.flip() else None,
            g.b.constant([steps] * batch, "int32") if g.flip(0.3) else None,
        ]
        given += [g.value(dtype, shape) if g.flip() else None for shape in shapes]
        attrs: dict[str, Any] = {"direction": direction, "clip": g.rng.choice((0.0, 1.5))}
        if g.flip(0.3):
            per = {"lstm": 3, "gru": 2, "rnn": 1}[name]
            attrs["activations"] = (g.rng.choice(("tanh", "relu", "sigmoid")),) * (per * dirs)
        return g.b.op(
            name,
            g.value(dtype, (steps, batch, inputs)),
            g.value(dtype, (dirs, gates * hidden, inputs)),
            g.value(dtype, (dirs, gates * hidden, hidden)),
            *given,
            **attrs,
        )

    return made


for _name, _gates, _more in (("lstm", 4, 2), ("gru", 3, 1), ("rnn", 1, 1)):
    recipe(_name)(_recurrent(_name, _gates, _more))
