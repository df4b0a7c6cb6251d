"""Products and sums of quantised tensors of onnxruntime."""

from __future__ import annotations

import math

import numpy as np

from maiacc.frontend.importers.common import cast, reshaped, sliced, swapped
from maiacc.frontend.node import Node
from maiacc.frontend.products import matmul
from maiacc.frontend.registry import MICROSOFT, importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Bytes, Data, unpacked


@importer("QLinearAdd", domain=MICROSOFT)
def qlinear_add(node: Node) -> Value:
    b = node.b
    x = b("dequantize", node.input(0), _one(node, 1), _one(node, 2, True), to="fp32")
    y = b("dequantize", node.input(3), _one(node, 4), _one(node, 5, True), to="fp32")
    to = node.type(0).dtype
    return b("quantize", b("add", x, y), _one(node, 6), _one(node, 7, True), to=to)


def _one(node: Node, index: int, optional: bool = False) -> Value | None:
    """A scale or zero point of a whole tensor."""
    value = node.optional(index) if optional else node.input(index)
    if value is None:
        return None
    if value.type.size != 1:
        node.fail("E1304", f"input {index}", expected="one number", found=str(value.type))
    return reshaped(node, value, ())


@importer("QGemm", domain=MICROSOFT)
def qgemm(node: Node) -> Value:
    """The product in integers; then one product with a float: what is in the result's scale is
    rounded to nearest even before its zero point is added."""
    b = node.b
    a, w = node.input(0), node.input(3)
    if a.type.rank != 2 or w.type.rank != 2:
        node.fail("E1304", "the inputs are no matrices", found=f"{a.type}, {w.type}")
    a = swapped(node, a, 0, 1) if node.get_int("transA", 0) else a
    w = swapped(node, w, 0, 1) if node.get_int("transB", 0) else w
    total = _integer_product(node, a, w, _one(node, 2), node.optional(5))
    if node.optional(6) is not None:
        total = b("add", total, node.input(6))
    alpha = b.constant(node.get_float("alpha", 1.0), "fp32")
    scale = b("mul", b("mul", alpha, node.input(1)), node.input(4))
    scale = reshaped(node, scale, (scale.type.size,) if scale.type.size > 1 else ())
    out = _one(node, 7, True)
    if out is None:
        return b("mul", cast(node, total, "fp32"), scale)
    scaled = b("mul", cast(node, total, "fp32"), b("div", scale, out))
    zero = _one(node, 8)
    assert zero is not None
    return b("quantize", scaled, b.constant(1.0, "fp32"), zero, to=zero.type.dtype)


def _integer_product(
    node: Node, a: Value, w: Value, a_zero: Value | None, w_zero: Value | None
) -> Value:
    """(a - zero)(w - zero) in int32: the product of what is stored, and corrections by sums."""
    b, inner = node.b, a.type.shape[1]
    total = b("contract", a, w, spec="mk,kn->mn", to="int32")
    if a_zero is not None:
        sums = b("rsum", cast(node, w, "int32"), axes=(0,), keep=True)
        total = b("sub", total, b("mul", cast(node, a_zero, "int32"), sums))
    if w_zero is None:
        return total
    columns = w_zero.type.size
    w_zero = cast(node, reshaped(node, w_zero, (columns,) if columns > 1 else ()), "int32")
    sums = b("rsum", cast(node, a, "int32"), axes=(1,), keep=True)
    if a_zero is not None:
        shift = b("mul", cast(node, a_zero, "int32"), b.constant(inner, "int32"))
        sums = b("sub", sums, shift)
    return b("sub", total, b("mul", sums, w_zero))


# ---- MatMulNBits ----------------------------------------------------------------------------
@importer("MatMulNBits", domain=MICROSOFT)
def matmul_nbits(node: Node) -> Value:
    """x times a matrix whose columns are stored in blocks, each with a scale and a zero point. The
    matrix is dequantised in the type of x."""
    x, scales, bias = node.input(0), node.input(2), node.optional(5)
    inner, outer = node.get_int("K"), node.get_int("N")
    bits, block = node.get_int("bits", 4), node.get_int("block_size")
    if node.optional(4) is not None or node.get_int("weight_prepacked", 0):
        node.unsupported("g_idx, or prepacked weights", "quantise the model without them")
    if bits not in (2, 4, 8) or block < 1 or inner < 1 or outer < 1:
        node.unsupported(f"{bits} bits in blocks of {block}", "use 2, 4 or 8 bits")
    blocks = -(-inner // block)
    codes = _codes(node, 1, bits, (outer, blocks * block))
    scales = reshaped(node, scales, (outer, blocks))
    matrix = _dequantized(node, codes, scales, _zeros(node, bits, (outer, blocks)), block)
    y = matmul(node, x, swapped(node, sliced(node, matrix, 1, 0, inner), 0, 1))
    return y if bias is None else node.b("add", y, bias)


def _dequantized(node: Node, codes: Value, scales: Value, zeros: Value, block: int) -> Value:
    b, to = node.b, scales.type.dtype
    if zeros.type.element is codes.type.element:
        return b("dequantize", codes, scales, zeros, axis=1, block=block, to=to)
    shape = (*scales.type.shape, block)
    split = reshaped(node, cast(node, codes, to), shape)
    zeros, scales = (reshaped(node, x, (*x.type.shape, 1)) for x in (zeros, scales))
    return reshaped(node, b("mul", b("sub", split, zeros), scales), codes.type.shape)


def _zeros(node: Node, bits: int, shape: tuple[int, int]) -> Value:
    """Zero points of all blocks: packed as the codes are, floats, or the middle."""
    zeros = node.optional(3)
    if zeros is None:
        kind = tensor("uint8" if bits == 8 else "uint4", shape)
        return node.b.splat(1 << (bits - 1), kind)
    if zeros.type.element.is_float:
        return reshaped(node, zeros, shape)
    packed = -(-shape[1] * bits // 8)
    found = _codes(node, 3, bits, (shape[0], packed * 8 // bits))
    return sliced(node, found, 1, 0, shape[1])


def _codes(node: Node, index: int, bits: int, shape: tuple[int, int]) -> Value:
    """Codes that are packed in bytes, the first in the low bits, as uint4 or uint8."""
    packed = node.input(index)
    if packed.type.dtype != "uint8" or packed.type.size * 8 != math.prod(shape) * bits:
        expected = f"{math.prod(shape) * bits // 8} bytes"
        node.fail("E1304", f"input {index}", expected=expected, found=str(packed.type))
    if bits == 8:
        return reshaped(node, packed, shape)
    kind, weight = tensor("uint4", shape), packed.weight
    if weight is None or not isinstance(weight.source, Bytes | Data):
        return reshaped(node, cast(node, _taken_apart(node, packed, bits), "uint4"), shape)
    if bits == 4 and isinstance(weight.source, Bytes):
        # The codes lie in the file as the IR has them.
        return node.b.module.add_weight(weight.name, kind, weight.source)
    known = np.ascontiguousarray(weight.source.array(packed.type)).reshape(-1)
    if bits == 4:
        return node.b.module.add_weight(weight.name, kind, Data(unpacked(known, kind)))
    parts = np.stack([(known >> shift) & 3 for shift in range(0, 8, 2)], -1)
    array = parts.reshape(shape).astype(kind.element.numpy)
    return node.b.module.add_weight(weight.name, kind, Data(array))


def _taken_apart(node: Node, packed: Value, bits: int) -> Value:
    """Codes of bytes that are only known at run time, as uint8 along a new axis."""
    b = node.b
    most = b.constant((1 << bits) - 1, "uint8")
    column = reshaped(node, packed, (*packed.type.shape, 1))
    shifts = b.constant(list(range(0, 8, bits)), "uint8")
    return b("and", b("shr", column, shifts), most)
