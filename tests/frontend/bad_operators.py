"""Rows 72 to 86: attributes and constants that an operator does not allow, or that stand for far
more than they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from frontend.bad_models import Make, bad, good, ints, model, node, rows, single, value, weight

T = TensorProto
X, W = (1, 4, 8, 8), (6, 4, 3, 3)
HUGE, LEAST = (1 << 63) - 1, -(1 << 63)
#: What is left out.
NONE = TensorProto()


def floats(name: str, *numbers: float) -> TensorProto:
    """An initializer of floats in one axis."""
    return weight(name, numbers)


def scalar(name: str, number: float, dtype: str = "float32") -> TensorProto:
    """An initializer of one number."""
    return weight(name, number, dtype)


def _quantize(scale: TensorProto, **attrs: Any) -> Make:
    return single(
        "QuantizeLinear", [(4, 6)], scale, weight("zero", np.zeros(scale.dims), "uint8"), **attrs
    )


def _range(start: float, limit: float, delta: float, dtype: str) -> Make:
    numbers = {"start": start, "limit": limit, "delta": delta}
    return single("Range", [], *(scalar(name, number, dtype) for name, number in numbers.items()))


def _one_hot(folder: Path) -> onnx.ModelProto:
    return model(
        node("OneHot", "x depth values", "y"),
        inputs=[value("x", (4,), T.INT64)],
        weights=[scalar("depth", 1 << 40, "int64"), floats("values", 0, 1)],
    )


def _indexed(op: str, *indices: int, shape: tuple[int, ...] = (4, 3), **attrs: Any) -> Make:
    return single(op, [shape], ints("i", *indices), **attrs)


def _slice(starts: int, ends: int, steps: int, axis: int = 0) -> Make:
    named = {"starts": starts, "ends": ends, "axes": axis, "steps": steps}
    return single("Slice", [(4, 3)], *(ints(name, number) for name, number in named.items()))


def _scatter(index: int) -> Make:
    return single("ScatterElements", [(4,)], ints("i", index), floats("u", 1))


def _constants(op: str, a: int, b: int, dtype: str = "int32", **attrs: Any) -> Make:
    return single(op, [], weight("a", [a], dtype), weight("b", [b], dtype), **attrs)


def _einsum(equation: str, *shapes: tuple[int, ...]) -> Make:
    return single("Einsum", shapes, equation=equation)


def _resize(*scales: float) -> Make:
    return single("Resize", [X], NONE, floats("scales", *scales))


BOMB = "E1304 E1308"

CASES = rows(
    bad("72a", "Conv: stride 0", "E1304", "the_node stride", single("Conv", [X, W], strides=[0, 1])),
    bad("72b", "Conv: dilation 0", "E1304", "the_node", single("Conv", [X, W], dilations=[0, 1])),
    bad("72c", "Conv: no groups", "E1304", "the_node", single("Conv", [X, W], group=0)),
    bad("72d", "Conv: groups that do not divide", "E1304", "the_node", single("Conv", [X, W], group=3)),
    bad("72e", "Conv: pads below 0", "E1304", "the_node pad",
        single("Conv", [X, W], pads=[-9, 0, 0, 0])),
    bad("72f", "Conv: a kernel larger than its input", "E1304", "the_node",
        single("Conv", [X, (6, 4, 9, 9)])),
    bad("72g", "Conv: too few pads", "E1304", "the_node", single("Conv", [X, W], pads=[1, 1])),
    bad("72h", "Conv: a kernel shape that is not its", "E1304", "the_node",
        single("Conv", [X, W], kernel_shape=[5, 5])),
    bad("72i", "Conv: stride -1", "E1304", "the_node", single("Conv", [X, W], strides=[-1, 1])),
    bad("72j", "Conv: huge pads", BOMB, "the_node", single("Conv", [X, W], pads=[1 << 40] * 4)),
    bad("72k", "Conv: two axes", "E1304", "the_node", single("Conv", [(4, 4), (4, 4)])),
    bad("72l", "ConvTranspose: huge strides", BOMB, "the_node",
        single("ConvTranspose", [X, (4, 6, 3, 3)], strides=[1 << 40, 1 << 40])),
    bad("72m", "ConvTranspose: stride 0", "E1304", "the_node",
        single("ConvTranspose", [X, (4, 6, 3, 3)], strides=[0, 0])),
    bad("73a", "MaxPool: no kernel", "E1304", "the_node", single("MaxPool", [X], kernel_shape=[0, 2])),
    bad("73b", "MaxPool: kernel -1", "E1304", "the_node", single("MaxPool", [X], kernel_shape=[-1, 2])),
    bad("73c", "MaxPool: stride 0", "E1304", "the_node",
        single("MaxPool", [X], kernel_shape=[2, 2], strides=[0, 1])),
    bad("73d", "MaxPool: three sizes for two axes", "E1304", "the_node",
        single("MaxPool", [X], kernel_shape=[2, 2, 2])),
    bad("73e", "AveragePool: a kernel of 2^60", "E1304 E1308", "the_node",
        single("AveragePool", [X], kernel_shape=[1 << 60, 1 << 60])),
    good("73f", "MaxPool: an input of no pixels", single("MaxPool", [(1, 4, 0, 8)], kernel_shape=[2, 2])),
    bad("74a", "Reshape: two open sizes", "E1304", "the_node", _indexed("Reshape", -1, -1)),
    bad("74b", "Reshape: sizes of more axes than there are", "E1304", "the_node",
        _indexed("Reshape", 0, 0, 0)),
    bad("74c", "Reshape: 2^62 elements", "E1304 E1308", "the_node", _indexed("Reshape", 1 << 31, 1 << 31)),
    bad("74d", "Reshape: size -2", "E1304", "the_node", _indexed("Reshape", -2, 6)),
    bad("74e", "Reshape: a size that does not divide", "E1304", "the_node", _indexed("Reshape", -1, 5)),
    bad("74f", "Reshape: to no size and an open one", "E1304", "the_node",
        _indexed("Reshape", 0, -1, allowzero=1)),
    bad("75a", "Gather: index 99 of 4", "E1304", "the_node 99", _indexed("Gather", 99)),
    bad("75b", "Gather: index -5 of 4", "E1304", "the_node -5", _indexed("Gather", -5)),
    bad("75c", "Gather: the least index", "E1304", "the_node", _indexed("Gather", LEAST)),
    bad("75d", "Gather: axis 2 of 2", "E1304", "the_node", _indexed("Gather", 0, axis=2)),
    bad("75e", "GatherElements: index 4 of 4", "E1304", "the_node",
        single("GatherElements", [(4, 3)], weight("i", [[4]], "int64"))),
    bad("75f", "GatherND: index 4 of 4", "E1304", "the_node",
        single("GatherND", [(4, 3)], weight("i", [[4, 0]], "int64"))),
    bad("75g", "ScatterElements: index 4 of 4", "E1304", "the_node", _scatter(4)),
    bad("75h", "Slice: step 0", "E1304", "the_node step", _slice(0, 4, 0)),
    good("75i", "Slice: from the end, backwards", _slice(HUGE, LEAST, -1)),
    good("75j", "Slice: step of -2^63", _slice(HUGE, LEAST, LEAST)),
    bad("75k", "Slice: axis 9", "E1304", "the_node", _slice(0, 4, 1, 9)),
    bad("76a", "Transpose: an axis twice", "E1304", "the_node", single("Transpose", [(4, 3)], perm=[0, 0])),
    bad("76b", "Transpose: too few axes", "E1304", "the_node", single("Transpose", [(4, 3)], perm=[0])),
    bad("76c", "Transpose: axis 7", "E1304", "the_node", single("Transpose", [(4, 3)], perm=[0, 7])),
    bad("77a", "Concat: axis 2 of 2", "E1304", "the_node", single("Concat", [(4, 3), (4, 3)], axis=2)),
    bad("77b", "Concat: sizes that do not fit", "E1304", "the_node",
        single("Concat", [(4, 3), (4, 4)], axis=0)),
    bad("77c", "Concat: ranks that do not fit", "E1304", "the_node",
        single("Concat", [(4, 3), (4,)], axis=0)),
    bad("78a", "Split: a wrong sum", "E1304", "the_node",
        single("Split", [(4, 3)], ints("sizes", 1, 2), outputs="y z")),
    bad("78b", "Split: a size below 0", "E1304", "the_node",
        single("Split", [(4, 3)], ints("sizes", -1, 5), outputs="y z")),
    bad("78c", "Split: more outputs than sizes", "E1304", "the_node",
        single("Split", [(4, 3)], ints("sizes", 4), outputs="y z")),
    bad("79a", "Expand to 2^40", BOMB, "the_node", _indexed("Expand", 1 << 20, 1 << 20, 1, 1)),
    bad("79b", "Tile to 2^40", BOMB, "the_node", _indexed("Tile", 1 << 20, 1 << 20)),
    bad("79c", "ConstantOfShape of 2^40", BOMB, "the_node",
        single("ConstantOfShape", [], ints("s", 1 << 20, 1 << 20))),
    bad("79d", "ConstantOfShape of 2^100", BOMB, "the_node",
        single("ConstantOfShape", [], ints("s", 1 << 50, 1 << 50))),
    bad("79e", "Range of 2^40", BOMB, "the_node", _range(0, 1 << 40, 1, "int64")),
    bad("79f", "Range of 10^30", BOMB, "the_node", _range(0, 1e30, 1, "float32")),
    bad("79g", "Resize by 2^20", BOMB, "the_node", _resize(1, 1, 1 << 20, 1 << 20)),
    bad("79h", "OneHot of 2^40", BOMB, "the_node", _one_hot),
    bad("79i", "Pad by 2^40", BOMB, "the_node", _indexed("Pad", 0, 0, 1 << 40, 0)),
    bad("79j", "Pad by -2^40", "E1304", "the_node", _indexed("Pad", 0, 0, -(1 << 40), 0)),
    bad("79k", "EyeLike and MatMul to 2^40", BOMB, "the_node", single("MatMul", [(1 << 20, 1), (1, 1 << 20)])),
    bad("79l", "Tile by -1", "E1304", "the_node", _indexed("Tile", -1, 1)),
    bad("79m", "Upsample by 2^20", BOMB, "the_node",
        single("Upsample", [X], floats("scales", 1, 1, 1 << 20, 1 << 20), opset=9)),
    bad("79n", "CenterCropPad to 2^40", BOMB, "the_node", _indexed("CenterCropPad", 1 << 20, 1 << 20)),
    bad("79o", "a pyramid of Adds", BOMB, "the_node", single("Add", [(1 << 20, 1), (1, 1 << 20)])),
    bad("79p", "Unsqueeze to 40 axes", "E1308 E1304", "the_node", _indexed("Unsqueeze", *range(38))),
    bad("79q", "Expand to 40 axes", "E1308 E1304", "the_node", _indexed("Expand", *([1] * 38), 4, 3)),
    bad("79r", "Gather of 2^40", BOMB, "the_node", lambda folder: model(
        node("Gather", "x i", "y"),
        inputs=[value("x", (1, 1 << 20)), value("i", (1 << 20,), T.INT64)])),
    bad("79s", "DFT of 2^40", "E1303 E1304 E1308", "the_node", lambda folder: model(
        node("DFT", "x n", "y"), inputs=[value("x", (1, 4, 1))], weights=[scalar("n", 1 << 40, "int64")])),
    bad("79t", "HannWindow of 2^40", BOMB, "the_node",
        single("HannWindow", [], scalar("n", 1 << 40, "int64"))),
    bad("79u", "Resize to sizes of 2^40", BOMB, "the_node",
        single("Resize", [X], NONE, NONE, ints("sizes", 1, 4, 1 << 20, 1 << 20))),
    bad("79v", "Resize by NaN", "E1304 E1308", "the_node", _resize(1, 1, np.nan, 1)),
    bad("79w", "Resize by -1", "E1304", "the_node", _resize(1, 1, -1, 1)),
    bad("79x", "MelWeightMatrix of 2^40", "E1303 E1304 E1308", "the_node", single(
        "MelWeightMatrix", [], scalar("bins", 1 << 40, "int64"), scalar("n", 1 << 20, "int64"),
        scalar("rate", 8192, "int64"), scalar("low", 0.0), scalar("high", 4096.0))),
    bad("79y", "col2im to 2^40", "E1303 E1304 E1308", "the_node", single(
        "Col2Im", [(1, 4, 4)], ints("image", 1 << 20, 1 << 20), ints("block", 2, 2))),
    bad("80a", "Range: step 0", "E1304", "the_node", _range(0, 4, 0, "int64")),
    bad("80b", "Range: step NaN", "E1304", "the_node", _range(0, 4, np.nan, "float32")),
    bad("80c", "Range: to infinity", "E1304 E1308", "the_node", _range(0, np.inf, 1, "float32")),
    good("80d", "Range: the wrong way, which is empty", _range(4, 0, 1, "int64")),
    bad("81a", "Einsum: nothing", "E1304", "the_node", _einsum("", (4,))),
    bad("81b", "Einsum: 60 letters", "E1304", "the_node", _einsum(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh", (4,))),
    bad("81c", "Einsum: a letter of the result that is in no operand", "E1304", "the_node",
        _einsum("i...->j", (4,))),
    bad("81d", "Einsum: too few operands", "E1304", "the_node", _einsum("ij,jk->ik", (4, 4))),
    bad("81e", "Einsum: a letter of two sizes", "E1304", "the_node", _einsum("ij,jk->ik", (4, 4), (5, 4))),
    bad("81f", "Einsum: other characters", "E1304", "the_node", _einsum("i1->\x1b", (4, 4))),
    bad("81g", "Einsum: two arrows", "E1304", "the_node", _einsum("i->i->i", (4,))),
    bad("81h", "Einsum: 2^40", BOMB, "the_node", _einsum("a,b->ab", (1 << 20,), (1 << 20,))),
    good("82a", "Gemm: alpha NaN", single("Gemm", [(2, 3), (3, 4)], alpha=float("nan"))),
    good("82b", "Gemm: beta infinite", single("Gemm", [(2, 3), (3, 4), (4,)], beta=float("inf"))),
    bad("82c", "Gemm: shapes that do not fit", "E1304", "the_node", single("Gemm", [(2, 3), (4, 3)])),
    bad("82d", "Gemm: three axes", "E1304", "the_node", single("Gemm", [(1, 2, 3), (3, 4)])),
    bad("82e", "MatMul: of numbers", "E1304", "the_node", single("MatMul", [(), (3, 4)])),
    good("83a", "QuantizeLinear: scale 0, which IEEE decides", _quantize(scalar("scale", 0))),
    good("83b", "QuantizeLinear: scale NaN", _quantize(scalar("scale", float("nan")))),
    bad("83c", "QuantizeLinear: axis 2 of 2", "E1304", "the_node",
        _quantize(floats("scale", *[1] * 6), axis=2)),
    bad("83d", "QuantizeLinear: scales that do not fit the axis", "E1304", "the_node",
        _quantize(floats("scale", *[1] * 6), axis=0)),
    bad("83e", "QuantizeLinear: blocks of -1", "E1304", "the_node",
        _quantize(weight("scale", np.ones((4, 2))), axis=1, block_size=-1)),
    bad("83f", "QuantizeLinear: blocks that do not fit", "E1304", "the_node",
        _quantize(weight("scale", np.ones((4, 2))), axis=1, block_size=6)),
    bad("83g", "DequantizeLinear: of floats", "E1304", "the_node",
        single("DequantizeLinear", [(4, 6)], scalar("scale", 1))),
    bad("84a", "Softmax: axis 2 of 2", "E1304", "the_node", single("Softmax", [(4, 3)], axis=2)),
    bad("84b", "Softmax: axis -3 of 2", "E1304", "the_node", single("Softmax", [(4, 3)], axis=-3)),
    good("84c", "Softmax: of no elements", single("Softmax", [(4, 0)])),
    bad("84d", "ReduceSum: axis 2^40", "E1304", "the_node", _indexed("ReduceSum", 1 << 40)),
    bad("84e", "ReduceSum: an axis twice", "E1304", "the_node", _indexed("ReduceSum", 1, 1)),
    bad("84f", "TopK: more than there are", "E1304", "the_node",
        single("TopK", [(4, 3)], ints("k", 4), outputs="y z")),
    bad("84g", "TopK: -1", "E1304", "the_node", single("TopK", [(4, 3)], ints("k", -1), outputs="y z")),
    bad("84h", "CumSum: axis 9", "E1304", "the_node", single("CumSum", [(4, 3)], scalar("a", 9, "int64"))),
    bad("84i", "Cast: to strings", "E1305", "the_node STRING", single("Cast", [(4,)], to=T.STRING)),
    bad("84j", "Cast: to 99", "E1305", "the_node 99", single("Cast", [(4,)], to=99)),
    bad("84k", "LSTM: weights that do not fit", "E1304", "the_node", single(
        "LSTM", [(5, 1, 4), (1, 12, 4), (1, 12, 5)], hidden_size=3, outputs="y")),
    bad("84l", "LSTM: an activation that is not", "E1303 E1304", "the_node", single(
        "LSTM", [(5, 1, 4), (1, 12, 4), (1, 12, 3)], hidden_size=3, activations=["X", "Y", "Z"])),
    bad("84m", "GRU: hidden size 2^40", "E1304 E1308", "the_node", single(
        "GRU", [(5, 1, 4), (1, 9, 4), (1, 9, 3)], hidden_size=1 << 40)),
    bad("84n", "GroupNormalization: no groups", "E1304", "the_node", single(
        "GroupNormalization", [X, (4,), (4,)], num_groups=0)),
    bad("84o", "LayerNormalization: axis 9", "E1304", "the_node",
        single("LayerNormalization", [(4, 3), (3,)], axis=9)),
    bad("84p", "DepthToSpace: blocks of 0", "E1304", "the_node", single("DepthToSpace", [X], blocksize=0)),
    bad("84q", "SpaceToDepth: blocks of 3", "E1304", "the_node", single("SpaceToDepth", [X], blocksize=3)),
    bad("84r", "Flatten: axis 9", "E1304", "the_node", single("Flatten", [X], axis=9)),
    bad("84s", "Squeeze: a size of 4", "E1304", "the_node", _indexed("Squeeze", 0)),
    bad("84t", "Attention: heads that do not divide", "E1304", "the_node", single(
        "Attention", [(1, 4, 10)] * 3, q_num_heads=3, kv_num_heads=3, opset=23)),
    bad("84u", "Attention: no heads", "E1304", "the_node", single(
        "Attention", [(1, 4, 10)] * 3, q_num_heads=0, kv_num_heads=0, opset=23)),
    good("86a", "Div: by 0", _constants("Div", 1, 0)),
    good("86b", "Div: the least number by -1", _constants("Div", -(1 << 31), -1)),
    good("86c", "Mod: by 0", _constants("Mod", 1, 0)),
    good("86d", "BitShift: by more bits than there are", _constants(
        "BitShift", 1, 40, "uint32", direction="LEFT")),
    bad("86e", "BitShift: up", "E1304", "the_node", _constants("BitShift", 1, 4, "uint32", direction="UP")),
    bad("86f", "Mod: of floats as integers", "E1304", "the_node", single("Mod", [(4,), (4,)])),
    good("86g", "Pow: 0 to the -1", single("Pow", [], floats("a", 0), floats("b", -1))),
)  # fmt: skip
