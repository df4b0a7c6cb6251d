"""Attention of opset 23 and later."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maiacc.frontend.importers.common import ramp, reshaped
from maiacc.frontend.importers.scores import NEVER, Attention, join_heads, split_heads
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import ELEMENTS


@importer("Attention", since=23)
def attention(node: Node) -> Sequence[Value | None]:
    q, k, v = node.input(0), node.input(1), node.input(2)
    packed = q.type.rank == 3
    if packed:
        q = split_heads(node, q, node.get_int("q_num_heads"))
        k, v = (split_heads(node, x, node.get_int("kv_num_heads")) for x in (k, v))
    past = _past(node)
    if past is not None:
        k, v = (
            node.b("cache_append", old, new, axis=2) for old, new in zip(past, (k, v), strict=True)
        )
    size = q.type.shape[-1]
    parts = Attention(node, q, k, v, node.get_float("scale", 1 / math.sqrt(max(size, 1))))
    parts.softcap = node.get_float("softcap", 0.0)
    if past is not None:
        parts.offset = past[0].type.shape[2]
    _positions(node, parts)
    _mask(node, parts)
    y, scores = _computed(node, parts)
    return [join_heads(node, y) if packed else y, k, v, scores]


def _past(node: Node) -> tuple[Value, Value] | None:
    key, value = node.optional(4), node.optional(5)
    if (key is None) != (value is None):
        node.fail("E1304", "past_key and past_value are only given together")
    if key is None or value is None:
        return None
    if node.optional(6) is not None:
        node.fail("E1304", "nonpad_kv_seqlen is not given together with past_key")
    return key, value


def _positions(node: Node, parts: Attention) -> None:
    """What may be seen by its position: causal, windows, and no padding."""
    b, zero = node.b, node.b.constant(0, "int64")
    causal = bool(node.get_int("is_causal", 0))
    left, right = node.get_int("left_window_size", -1), node.get_int("right_window_size", -1)
    if min(left, right) < -1:
        node.fail("E1304", "the size of a window", "from -1 on", str(min(left, right)))
    if causal:
        right = -1
    lengths, ahead = node.optional(6), None
    if lengths is None:
        parts.causal, parts.window = causal, left
        if right >= 0:
            ahead = parts.ahead()
    else:
        batch, _, length, _ = parts.q.type.shape
        if lengths.type.shape != (batch,):
            node.fail("E1304", "nonpad_kv_seqlen", f"[{batch}]", str(lengths.type))
        valid = reshaped(node, lengths, (batch, 1, 1, 1))
        keys = ramp(node, parts.k.type.shape[2], 4, 3, lengths.type.dtype)
        parts.allowed.append(b("lt", keys, valid))
        if causal or left >= 0 or right >= 0:
            ahead = parts.ahead(b("sub", valid, b.constant(length, "int64")))
            if causal:
                parts.allowed.append(b("le", ahead, zero))
            if left >= 0:
                parts.allowed.append(b("le", b.constant(-left, "int64"), ahead))
    if ahead is not None and right >= 0:
        parts.allowed.append(b("le", ahead, b.constant(right, "int64")))


def _mask(node: Node, parts: Attention) -> None:
    """The mask input, with four axes, and as long as there are keys."""
    mask = node.optional(3)
    if mask is None:
        return
    if not 1 <= mask.type.rank <= 4:
        node.fail("E1304", "the mask", "1 to 4 axes", str(mask.type))
    missing = parts.k.type.shape[2] - mask.type.shape[-1]
    mask = reshaped(node, mask, (*[1] * (4 - mask.type.rank), *mask.type.shape))
    truth = mask.type.dtype == "bool"
    if missing > 0:
        fill = node.b.constant(False if truth else NEVER, mask.type.dtype)
        mask = node.b("pad", mask, fill, before=(0, 0, 0, 0), after=(0, 0, 0, missing))
    if truth:
        parts.allowed.append(mask)
    else:
        parts.bias = mask


def _computed(node: Node, parts: Attention) -> tuple[Value, Value | None]:
    """The result; and the scores, if they are wanted."""
    dtype = parts.q.type.dtype
    precision = node.get_dtype("softmax_precision", 1) if node.has("softmax_precision") else ""
    narrow = bool(precision) and ELEMENTS[precision].bits < min(32, ELEMENTS[dtype].bits)
    if not node.wants(3) and not narrow:
        return parts.result(), None
    wide = "fp64" if dtype == "fp64" else "fp32"
    y, scores = parts.steps(precision if narrow else wide)
    mode = node.get_int("qk_matmul_output_mode", 0)
    if not 0 <= mode <= 3:
        node.fail("E1304", "attribute qk_matmul_output_mode", "0 to 3", str(mode))
    return y, scores[mode]
