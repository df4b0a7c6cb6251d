"""Single ops for tests: what they give, and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import ELEMENTS, Type, element_of, tensor
from maiacc_passes.ir.weights import Array

FLOATS = [name for name, element in ELEMENTS.items() if element.is_float]
INTS = [name for name, element in ELEMENTS.items() if element.is_int]


def many(
    name: str, *arrays: Any, lift: bool = False, kinds: Sequence[Type] = (), **attrs: Any
) -> list[Array]:
    """The results of an op of some arrays. ``kinds`` are their types if they have bounds."""
    module, run = Module(), Run(lift)
    values: list[Value | None] = []
    for number, given in enumerate(arrays):
        if given is None:
            values.append(None)
            continue
        array = np.asarray(given)
        kind = kinds[number] if kinds else tensor(element_of(array.dtype).name, array.shape)
        value = module.main.add_param(kind)
        values.append(value)
        run.values[value] = array.astype(run.numpy(kind.element))
    op = Builder(module).op(name, *values, **attrs)
    found = run.results(op)
    for array, value in zip(found, op.results, strict=True):
        assert array.shape == value.type.shape
        assert array.dtype == run.numpy(value.type.element)
    return found


def one(name: str, *arrays: Any, **attrs: Any) -> Array:
    """The only result."""
    (found,) = many(name, *arrays, **attrs)
    return found


def types(name: str, *kinds: Type | None, **attrs: Any) -> list[str]:
    """The types of the results as text."""
    row = OPS[name]
    return [str(kind) for kind in row.result_types(row.full_attrs(attrs), kinds)]


def refused(code: str, name: str, *kinds: Type | None, **attrs: Any) -> str:
    """Checks that a row refuses operands with a code; the message with what was found."""
    with pytest.raises(IRError) as caught:
        types(name, *kinds, **attrs)
    assert caught.value.code == code
    return str(caught.value)


def raw(array: Array) -> bytes:
    """The bits of an array; those of types of four bits in the lower half of a byte."""
    found = np.ascontiguousarray(array).tobytes()
    if element_of(array.dtype).bits == 4:
        return bytes(byte & 15 for byte in found)
    return found


def same(found: Array, expected: Any) -> None:
    """Checks that arrays are equal to the bit, type and shape included; any NaN is a NaN."""
    expected = np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    with np.errstate(invalid="ignore"):
        nans = found != found
        np.testing.assert_array_equal(nans, expected != expected)
    zero = np.zeros((), found.dtype)
    assert raw(np.where(nans, zero, found)) == raw(np.where(nans, zero, expected)), (
        found,
        expected,
    )


def every(name: str) -> Array:
    """Every element of a type of at most 16 bits; of a wider type, telling ones."""
    element = ELEMENTS[name]
    if name == "bool":
        return np.array([False, True])
    if element.bits == 4:
        codes = np.arange(16, dtype=np.uint8)
        signed = np.where(codes > 7, codes | 0xF0, codes) if element.kind == "int" else codes
        return signed.astype(np.uint8).view(element.numpy)
    if element.bits <= 16:
        return np.arange(1 << element.bits).astype(f"u{element.bits // 8}").view(element.numpy)
    bits = np.random.default_rng(7).integers(0, 1 << 64, 4096, np.uint64)
    edges = np.array([0, 1, (1 << 64) - 1, 1 << 63, (1 << 63) - 1, 1 << 31, 1 << 32], np.uint64)
    return np.concatenate([bits, edges]).view(element.numpy)


def runtime(
    operator: str, arrays: Sequence[Array], outputs: Sequence[int], opset: int = 21, **attrs: Any
) -> list[Array]:
    """The outputs of onnxruntime for one node; ``outputs`` are their element types in ONNX."""
    names = [f"x{number}" for number in range(len(arrays))]
    results = [f"y{number}" for number in range(len(outputs))]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in zip(names, arrays, strict=True)
    ]
    infos = [
        helper.make_tensor_value_info(name, kind, None)
        for name, kind in zip(results, outputs, strict=True)
    ]
    node = helper.make_node(operator, names, results, **attrs)
    graph = helper.make_graph([node], "g", inputs, infos)
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: list[Array] = session.run(None, dict(zip(names, arrays, strict=True)))
    return found
