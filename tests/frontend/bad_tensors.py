"""Rows 39 to 50: tensors whose shape, type and data do not go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from frontend.bad_models import bad, good, model, node, rows, value
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module

T = TensorProto


def _tensor(dtype: int, dims: Sequence[int], **data: Any) -> Callable[[Path], onnx.ModelProto]:
    """A model of one weight, which it reads and hands out."""

    def make(folder: Path) -> onnx.ModelProto:
        proto = TensorProto(name="the_weight", data_type=dtype, dims=dims, **data)
        made = model(node("Identity", "the_weight", "y"), weights=[proto], opset=24)
        del made.graph.input[:]
        return made

    return make


def _gives(*expected: Any) -> Callable[[Module, Path], None]:
    """The weight has these elements."""

    def after(module: Module, folder: Path) -> None:
        found = evaluate(module, {})["y"]
        assert found.astype(np.float64).reshape(-1).tolist() == [float(x) for x in expected]

    return after


def _bits(dtype: str, *expected: int) -> Callable[[Module, Path], None]:
    """The weight has these bits."""

    def after(module: Module, folder: Path) -> None:
        found = evaluate(module, {})["y"].view(dtype)
        assert found.reshape(-1).tolist() == list(expected)

    return after


def _sparse(
    places: Any,
    dims: Sequence[int] = (2, 5),
    dtype: str = "int64",
    values: Sequence[float] = (1, 2, 3),
) -> Callable[[Path], onnx.ModelProto]:
    """A model of one sparse weight."""

    def make(folder: Path) -> onnx.ModelProto:
        made = model(node("Identity", "the_weight", "y"))
        del made.graph.input[:]
        sparse = made.graph.sparse_initializer.add(dims=dims)
        sparse.values.CopyFrom(
            onnx.numpy_helper.from_array(np.array(values, np.float32), "the_weight")
        )
        sparse.indices.CopyFrom(onnx.numpy_helper.from_array(np.array(places, dtype)))
        return made

    return make


def _segment(folder: Path) -> onnx.ModelProto:
    made = _tensor(T.FLOAT, [1], raw_data=bytes(4))(folder)
    made.graph.initializer[0].segment.begin = 0
    return made


def _strings(folder: Path) -> onnx.ModelProto:
    strings = helper.make_tensor("the_weight", T.STRING, [4], list[Any]([b"a", b"b", b"c", b"d"]))
    return model(node("MatMul", "x the_weight", "y"), weights=[strings])


def _two_bad(folder: Path) -> onnx.ModelProto:
    made = model(node("Add", "one two", "y"))
    for name in ("one", "two"):
        made.graph.initializer.add(name=name, data_type=T.FLOAT, dims=[2])
    return made


SPECIALS = (0x7FC00001, 0xFFA00123, 0x7F800000, 0xFF800000, 0x80000000, 0x00000001, 0x807FFFFF)
_FLOATS = np.array(SPECIALS, np.uint32)
_NARROW = (0x7FC1, 0xFFA1, 0x7F80, 0x8000, 0x0001)


def _special_floats(folder: Path) -> onnx.ModelProto:
    made = _tensor(T.FLOAT, [len(SPECIALS)])(folder)
    wire = bytes([4 << 3 | 2, 4 * len(SPECIALS)]) + _FLOATS.tobytes()
    made.graph.initializer[0].MergeFromString(wire)
    return made


CASES = rows(
    bad("39a", "a number of elements beyond int64", "E1308", "the_weight",
        _tensor(T.FLOAT, [1 << 31, 1 << 31, 4], raw_data=b"")),
    bad("39b", "the same with a 0", "E1307 E1308", "the_weight",
        _tensor(T.FLOAT, [1 << 62, 1 << 62, 0], raw_data=b"1")),
    bad("39c", "2^40 elements", "E1308", "the_weight", _tensor(T.FLOAT, [1 << 20, 1 << 20])),
    bad("40a", "size -1", "E1307", "the_weight negative", _tensor(T.FLOAT, [-1], raw_data=b"")),
    bad("40b", "size -2^63", "E1307", "the_weight negative", _tensor(T.FLOAT, [-(1 << 63)])),
    bad("41a", "too few bytes", "E1307", "the_weight 16 15",
        _tensor(T.FLOAT, [4], raw_data=bytes(15))),
    bad("41b", "too many bytes", "E1307", "the_weight 16 17",
        _tensor(T.FLOAT, [4], raw_data=bytes(17))),
    bad("41c", "no bytes", "E1307", "the_weight data", _tensor(T.FLOAT, [4])),
    bad("41d", "too few floats", "E1307", "the_weight float_data",
        _tensor(T.FLOAT, [4], float_data=[1, 2, 3])),
    bad("41e", "two wrong tensors", "E1307", "one two", _two_bad),
    bad("42", "data in two places", "E1307", "the_weight float_data raw_data",
        _tensor(T.FLOAT, [1], raw_data=bytes(4), float_data=[1])),
    bad("42b", "data in a field of another type", "E1307", "the_weight int32_data",
        _tensor(T.FLOAT, [1], int32_data=[1])),
    bad("42c", "integers in float_data", "E1307", "the_weight float_data",
        _tensor(T.INT64, [1], float_data=[1])),
    bad("43a", "no element type", "E1305", "the_weight UNDEFINED", _tensor(0, [1], raw_data=bytes(4))),
    bad("43b", "element type 99", "E1305", "the_weight 99", _tensor(99, [1], raw_data=bytes(4))),
    bad("43c", "complex numbers", "E1305", "the_weight COMPLEX64",
        _tensor(T.COMPLEX64, [1], raw_data=bytes(8))),
    good("44a", "no axes", _tensor(T.FLOAT, [], float_data=[2.5]), after=_gives(2.5)),
    good("44b", "no elements", _tensor(T.FLOAT, [3, 0, 2]), after=_gives()),
    bad("44c", "256 axes", "E1308", "the_weight axes",
        _tensor(T.FLOAT, [1] * 256, raw_data=bytes(4))),
    good("44d", "32 axes", _tensor(T.FLOAT, [1] * 32, float_data=[2]), after=_gives(2)),
    bad("45", "strings in a product", "E1305", "the_weight STRING", _strings),
    good("46a", "three int4", _tensor(T.INT4, [3], raw_data=b"\xe1\x07"), after=_gives(1, -2, 7)),
    good("46b", "three uint4 in int32_data", _tensor(T.UINT4, [3], int32_data=[0xE1, 7]),
         after=_gives(1, 14, 7)),
    good("46c", "three e2m1", _tensor(T.FLOAT4E2M1, [3], raw_data=b"\xf1\x02"),
         after=_gives(0.5, -6, 1)),
    bad("46d", "three int4 in three bytes", "E1307", "the_weight",
        _tensor(T.INT4, [3], raw_data=bytes(3))),
    bad("46e", "three uint4 in three numbers", "E1307", "the_weight",
        _tensor(T.UINT4, [3], int32_data=[1, 2, 3])),
    bad("46f", "packed int4 beyond a byte", "E1307", "the_weight",
        _tensor(T.INT4, [2], int32_data=[256])),
    bad("47a", "int8 of 128", "E1307", "the_weight -128", _tensor(T.INT8, [1], int32_data=[128])),
    bad("47b", "uint8 of -1", "E1307", "the_weight 255", _tensor(T.UINT8, [1], int32_data=[-1])),
    bad("47c", "bool of 2", "E1307", "the_weight", _tensor(T.BOOL, [1], int32_data=[2])),
    bad("47d", "fp16 of 17 bits", "E1307", "the_weight",
        _tensor(T.FLOAT16, [1], int32_data=[1 << 16])),
    bad("47e", "uint32 beyond its bits", "E1307", "the_weight",
        _tensor(T.UINT32, [1], uint64_data=[1 << 32])),
    good("47f", "int16", _tensor(T.INT16, [2], int32_data=[-32768, 32767]),
         after=_gives(-32768, 32767)),
    good("47g", "uint64", _tensor(T.UINT64, [1], uint64_data=[1 << 63]), after=_gives(1 << 63)),
    good("47h", "bool", _tensor(T.BOOL, [2], int32_data=[0, 1]), after=_gives(0, 1)),
    good("47i", "fp64", _tensor(T.DOUBLE, [2], double_data=[0.5, 3]), after=_gives(0.5, 3)),
    good("48a", "special floats in raw_data",
         _tensor(T.FLOAT, [len(SPECIALS)], raw_data=_FLOATS.tobytes()),
         after=_bits("u4", *SPECIALS)),
    good("48b", "special floats in float_data", _special_floats, after=_bits("u4", *SPECIALS)),
    good("49a", "special bf16 in int32_data", _tensor(T.BFLOAT16, [5], int32_data=_NARROW),
         after=_bits("u2", *_NARROW)),
    good("49b", "special fp16", _tensor(T.FLOAT16, [5], int32_data=_NARROW),
         after=_bits("u2", *_NARROW)),
    good("49c", "e4m3 and its NaNs", _tensor(T.FLOAT8E4M3FN, [3], int32_data=[0x7F, 0xFF, 0x80]),
         after=_bits("u1", 0x7F, 0xFF, 0x80)),
    bad("50a", "places out of order", "E1307", "the_weight ascend", _sparse([3, 1, 4])),
    bad("50b", "a place twice", "E1307", "the_weight twice", _sparse([1, 1, 4])),
    bad("50c", "a place outside", "E1307", "the_weight outside", _sparse([1, 3, 10])),
    bad("50d", "a place below 0", "E1307", "the_weight outside", _sparse([-1, 3, 4])),
    bad("50e", "coordinates outside", "E1307", "the_weight outside", _sparse([[0, 0], [0, 5], [1, 0]])),
    bad("50f", "too few places", "E1307", "the_weight int64[3]", _sparse([1, 2])),
    bad("50g", "places of another type", "E1307", "the_weight int32", _sparse([1, 2, 3], dtype="int32")),
    bad("50h", "10^18 zeros", "E1308", "the_weight large", _sparse([1, 2, 3], (1 << 30, 1 << 30))),
    bad("50i", "2^31 zeros", "E1308", "the_weight zeros", _sparse([1, 2, 3], (1 << 31,))),
    good("50j", "a good one", _sparse([0, 4, 9]), after=_gives(1, 0, 0, 0, 2, 0, 0, 0, 0, 3)),
    good("50k", "one with coordinates", _sparse([[0, 1], [1, 0], [1, 4]]),
         after=_gives(0, 1, 0, 0, 0, 2, 0, 0, 0, 3)),
    good("50l", "a hundred million zeros, which are not made", _sparse([0, 4, 9], (10_000, 10_000))),
    bad("50m", "one segment", "E1307", "the_weight segment", _segment),
    good("50n", "an input of no elements", lambda folder: model(
        node("Identity", "x", "y"), inputs=[value("x", (0, 3))])),
    bad("50o", "an input of 2^40 elements", "E1308", "'x'", lambda folder: model(
        node("Identity", "x", "y"), inputs=[value("x", (1 << 20, 1 << 20))])),
    bad("50p", "an input of 40 axes", "E1308", "'x' axes", lambda folder: model(
        node("Identity", "x", "y"), inputs=[value("x", (1,) * 40)])),
    bad("50q", "an input whose size is open", "E1309", "'x'", lambda folder: model(
        node("Identity", "x", "y"), inputs=[value("x", (-1,))])),
    bad("50r", "an input of strings", "E1305", "'x' STRING", lambda folder: model(
        node("Identity", "x", "y"), inputs=[value("x", (1,), T.STRING)])),
)  # fmt: skip
