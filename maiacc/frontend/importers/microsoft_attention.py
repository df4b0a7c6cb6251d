"""Attention of onnxruntime: with grouped queries and a cache, and with several heads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from maiacc.frontend.importers.common import cast, ramp, reshaped, sliced
from maiacc.frontend.importers.llm import scattered, written
from maiacc.frontend.importers.rotary import consecutive, rotated, rows
from maiacc.frontend.importers.scores import Attention, join_heads, split_heads
from maiacc.frontend.node import Node
from maiacc.frontend.registry import MICROSOFT, importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import tensor

HINT = "export the model with ONNX's own Attention"


def _scale(node: Node, q: Value) -> float:
    return node.get_float("scale", 0.0) or 1 / math.sqrt(max(q.type.shape[-1], 1))


# ---- GroupQueryAttention --------------------------------------------------------------------
#: Inputs that are refused, by index.
REFUSED = {
    12: "k_scale",
    13: "v_scale",
    14: "q_norm_weight",
    15: "k_norm_weight",
    16: "query_seqlens",
}


@dataclass
class _Cache:
    """Where the new keys go: behind ``past`` of each batch element, which is a number if it is
    known, else [b, 1]. ``most`` is how many there are room for."""

    past: int | Value
    most: int


@importer("GroupQueryAttention", domain=MICROSOFT)
def group_query(node: Node) -> Sequence[Value | None]:
    _refuse(node)
    heads, shared = node.get_int("num_heads"), node.get_int("kv_num_heads")
    q, k, v = _projections(node, heads, shared)
    cache = _cache(node, k)
    if node.get_int("do_rotary", 0):
        q, k = _turned(node, cache, q), _turned(node, cache, k)
    k, v = _present(node, cache, k, 3), _present(node, cache, v, 4)
    causal = bool(node.get_int("causal", 1))
    parts = Attention(node, q, k, v, _scale(node, q), node.get_float("softcap", 0.0))
    window = node.get_int("local_window_size", -1)
    if isinstance(cache.past, int):
        parts.offset, parts.causal = cache.past, causal
        parts.window = window - 1 if window > 0 else -1
        if not causal and cache.past + q.type.shape[2] < cache.most:
            end = node.b.constant(cache.past + q.type.shape[2], "int64")
            parts.allowed.append(node.b("lt", ramp(node, cache.most, 4, 3), end))
    else:
        _masked(node, parts, cache.past, causal, window)
    parts.bias = _padded(node, node.optional(10), cache.most, 0.0)
    return [join_heads(node, parts.result()), k, v, None]


def _refuse(node: Node) -> None:
    for index, name in REFUSED.items():
        if node.optional(index) is not None:
            node.unsupported(f"the input {name}", HINT)
    for name in ("smooth_softmax", "sliding_window_cache"):
        if node.get_int(name, 0) > 0:
            node.unsupported(f"the attribute {name}", HINT)
    if node.optional(11) is not None or node.wants(3):
        node.unsupported("head_sink, or scores as an output", HINT)


def _projections(node: Node, heads: int, shared: int) -> tuple[Value, Value, Value]:
    """Queries, keys and values with heads; they may come in one input."""
    q, k, v = node.input(0), node.optional(1), node.optional(2)
    if q.type.rank != 3 or heads < 1 or shared < 1:
        node.fail("E1304", "queries and heads", "[b, s, h * d]", f"{q.type}, {heads}, {shared}")
    if k is None or v is None:
        size = q.type.shape[-1] // (heads + 2 * shared)
        widths = (heads * size, shared * size, shared * size)
        starts = (0, widths[0], widths[0] + widths[1])
        if sum(widths) != q.type.shape[-1]:
            node.fail("E1304", "queries, keys and values in one", found=str(q.type))
        q, k, v = (
            sliced(node, q, 2, start, width) for start, width in zip(starts, widths, strict=True)
        )
    return split_heads(node, q, heads), split_heads(node, k, shared), split_heads(node, v, shared)


def _cache(node: Node, k: Value) -> _Cache:
    """Where the cache ends. The first call fills it from its start. A cache that grows ends where
    the new keys are to go, and one with room where its batch element says."""
    batch, _, length, _ = k.type.shape
    total = int(_one(node, 6, "how long the cache is"))
    ends, old = node.input(5), node.optional(3)
    if ends.type.size != batch or not batch:
        node.fail("E1304", "seqlens_k", f"[{batch}]", str(ends.type))
    if total < length:
        node.fail("E1304", "total_sequence_length", f"at least {length}", str(total))
    for index in (3, 4):
        if node.optional(index) is not None and node.type(index).rank != 4:
            node.fail("E1304", f"input {index}", "[b, h, s, d]", str(node.type(index)))
    if total == length or old is None:
        return _Cache(0, total if old is None else max(total, old.type.shape[2]))
    room, known = old.type.shape[2], node.known(5)
    if batch == 1 and total == room + length:
        return _Cache(room, total)
    if known is not None and known.size and (known == known.flat[0]).all():
        return _Cache(max(0, int(known.flat[0]) + 1 - length), max(total, room))
    ends = cast(node, reshaped(node, ends, (batch, 1)), "int64")
    start = node.b("sub", ends, node.b.constant(length - 1, "int64"))
    return _Cache(start, max(total, room))


def _one(node: Node, index: int, what: str) -> float:
    """A number that has to be known."""
    array = node.static(index, what)
    if array.size != 1:
        node.fail("E1304", what, expected="one number", found=str(list(array.shape)))
    return float(array.reshape(-1)[0])


def _turned(node: Node, cache: _Cache, x: Value) -> Value:
    batch, length = x.type.shape[0], x.type.shape[2]
    positions = node.optional(9)
    if positions is None:
        past = cache.past
        first = node.b.constant([[past]], "int64") if isinstance(past, int) else past
        positions = consecutive(node, first, length)
    elif positions.type.shape != (batch, length):
        node.fail("E1304", "position_ids", f"[{batch}, {length}]", str(positions.type))
    cos, sin = rows(node, node.input(7), positions), rows(node, node.input(8), positions)
    width = 2 * cos.type.shape[-1]
    return rotated(node, x, cos, sin, bool(node.get_int("rotary_interleaved", 0)), width)


def _present(node: Node, cache: _Cache, new: Value, index: int) -> Value:
    """The cache with new keys or values in it."""
    old = node.optional(index)
    shape = (*new.type.shape[:2], cache.most, new.type.shape[3])
    if old is None or not old.type.shape[2]:
        old = node.b.splat(0, tensor(new.type.dtype, shape))
    elif cache.past == old.type.shape[2] and cache.past + new.type.shape[2] == cache.most:
        return node.b("cache_append", old, new, axis=2)
    missing = cache.most - old.type.shape[2]
    if missing:
        old = node.b("pad", old, before=(0, 0, 0, 0), after=(0, 0, missing, 0))
    if isinstance(cache.past, int):
        return written(node, old, new, 2, cache.past)
    return scattered(node, old, new, 2, reshaped(node, cache.past, (new.type.shape[0], 1, 1, 1)))


def _masked(node: Node, parts: Attention, past: Value, causal: bool, window: int) -> None:
    """What is seen if batch elements have caches of different lengths."""
    b, (batch, _, length, _) = node.b, parts.q.type.shape
    offset = reshaped(node, past, (batch, 1, 1, 1))
    ahead = parts.ahead(offset)
    if causal:
        parts.allowed.append(b("le", ahead, b.constant(0, "int64")))
    else:
        end = b("add", offset, b.constant(length, "int64"))
        parts.allowed.append(b("lt", ramp(node, parts.k.type.shape[2], 4, 3), end))
    if window > 0:
        parts.allowed.append(b("lt", b.constant(-window, "int64"), ahead))


def _padded(node: Node, bias: Value | None, most: int, fill: float) -> Value | None:
    """A bias as long as there are keys."""
    missing = 0 if bias is None else most - bias.type.shape[-1]
    if bias is None or not missing:
        return bias
    if missing < 0 or bias.type.rank != 4:
        node.fail("E1304", "attention_bias", f"[.., {most}]", str(bias.type))
    value = node.b.constant(fill, bias.type.dtype)
    return node.b("pad", bias, value, before=(0, 0, 0, 0), after=(0, 0, 0, missing))


# ---- MultiHeadAttention ---------------------------------------------------------------------
@importer("MultiHeadAttention", domain=MICROSOFT)
def multi_head(node: Node) -> Sequence[Value | None]:
    if node.optional(8) is not None or node.optional(9) is not None or node.wants(3):
        node.unsupported("a shared cache, beams, or scores as an output", HINT)
    q, k, v = _unpacked(node, node.get_int("num_heads"))
    past = node.optional(6), node.optional(7)
    if past[0] is not None and past[1] is not None:
        k = node.b("cache_append", past[0], k, axis=2)
        v = node.b("cache_append", past[1], v, axis=2)
    parts = Attention(node, q, k, v, _scale(node, q))
    parts.causal = bool(node.get_int("unidirectional", 0))
    parts.offset = 0 if past[0] is None else past[0].type.shape[2]
    parts.bias = _additive(node, parts)
    return [join_heads(node, parts.result()), k, v, None]


def _unpacked(node: Node, heads: int) -> tuple[Value, Value, Value]:
    """Queries, keys and values [b, h, s, d] of all the forms that they may come in, with the bias
    of the projections. Keys and values that have heads already get none."""
    q, k, v = node.input(0), node.optional(1), node.optional(2)
    if q.type.rank == 5:
        q, k, v = (_member(node, q, i) for i in range(3))
    elif k is not None and k.type.rank == 5:
        k, v = _member(node, k, 0), _member(node, k, 1)
    if k is None or v is None:
        node.fail("E1304", "there are no keys or no values")
    bias = node.optional(3)
    if bias is not None and bias.type.rank != 1:
        node.fail("E1304", "the bias of the projections", "one axis", str(bias.type))
    found, start = [], 0
    for x in (q, k, v):
        if x.type.rank == 4:
            found.append(x)
            continue
        width = x.type.shape[-1]
        if bias is not None:
            x = node.b("add", x, sliced(node, bias, 0, start, width))
        start += width
        found.append(split_heads(node, x, heads))
    return found[0], found[1], found[2]


def _member(node: Node, x: Value, index: int) -> Value:
    """One of the tensors packed as [b, s, h, n, d], as [b, s, h * d]."""
    batch, length, heads, _, size = x.type.shape
    return reshaped(node, sliced(node, x, 3, index, 1), (batch, length, heads * size))


def _additive(node: Node, parts: Attention) -> Value | None:
    """What is added to the scores: the bias, and the filter value where keys are padding."""
    b, bias, mask = node.b, node.optional(5), node.optional(4)
    if mask is None:
        return bias
    dtype, (batch, _, length, _) = parts.q.type.dtype, parts.q.type.shape
    keys = parts.k.type.shape[2]
    if mask.type.shape == (batch,):
        limit = reshaped(node, mask, (batch, 1, 1, 1))
        valid = b("lt", ramp(node, keys, 4, 3, mask.type.dtype), limit)
    elif mask.type.shape in ((batch, keys), (batch, length, keys)):
        rank = mask.type.rank
        shape = (batch, 1, 1 if rank == 2 else length, keys)
        zero = b.constant(0, mask.type.dtype)
        valid = b("not", b("eq", reshaped(node, mask, shape), zero))
    else:
        node.unsupported(f"a key_padding_mask {mask.type}", "use [batch] or [batch, keys]")
    low = b.constant(node.get_float("mask_filter_value", -10000.0), dtype)
    fill = b("select", valid, b.constant(0.0, dtype), low)
    return fill if bias is None else b("add", bias, fill)
