"""Operators that make constants: literals, ranges, diagonals, triangles, one-hot rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import onnx

from maiacc.frontend.importers.common import (
    cast,
    check_size,
    number,
    ramp,
    reshaped,
    scalar,
    sliced,
)
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc.frontend.sparse import sparse_weight
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import element_of, tensor

#: Attributes of Constant that hold numbers, and their element types.
LITERALS = {
    "value_float": "fp32", "value_floats": "fp32", "value_int": "int64", "value_ints": "int64",
}  # fmt: skip


@importer("Constant")
def constant(node: Node) -> Value:
    given = [attribute.name for attribute in node.proto.attribute]
    if len(given) != 1:
        node.fail("E1304", "attributes", expected="exactly one", found=", ".join(given) or "none")
    name = given[0]
    if name == "value":
        return node.b.constant(node.get_tensor("value"))
    if name == "sparse_value":
        return _sparse(node)
    if name in ("value_string", "value_strings"):
        node.unsupported("it holds strings", "tokenise before the model, and feed numbers")
    if name not in LITERALS:
        node.fail("E1304", f"attribute {name}", expected="value, sparse_value, value_int ...")
    numbers: dict[str, float | Sequence[float]] = {}
    match name:
        case "value_float":
            numbers[name] = node.get_float(name)
        case "value_floats":
            numbers[name] = node.get_floats(name)
        case "value_int":
            numbers[name] = node.get_int(name)
        case _:
            numbers[name] = node.get_ints(name)
    return node.b.constant(numbers[name], LITERALS[name])


def _sparse(node: Node) -> Value:
    """A sparse tensor with its zeros. Refuses with E1304, E1307, E1308."""
    attribute = node.importing.resolved(node.proto.attribute[0], node.scope)
    if attribute is None or attribute.type != onnx.AttributeProto.SPARSE_TENSOR:
        node.fail("E1304", "attribute sparse_value is of another kind", expected="SPARSE_TENSOR")
    importing = node.importing
    return sparse_weight(importing.module, attribute.sparse_tensor, importing.folder)


@importer("ConstantOfShape")
def constant_of_shape(node: Node) -> Value:
    shape = node.static_ints(0, "the shape of the result")
    if min(shape, default=0) < 0:
        node.fail("E1304", "a size is negative", found=str(list(shape)))
    value = node.get_tensor("value") if node.has("value") else np.zeros(1, np.float32)
    if value.size != 1:
        node.fail("E1304", "value", expected="one element", found=f"{value.size}")
    return node.b.splat(value.item(), tensor(element_of(value.dtype).name, shape))


# ---- Range ----------------------------------------------------------------------------------
@importer("Range")
def range_(node: Node) -> Value:
    """start + i * delta, each element rounded once."""
    kind = node.type(0)
    numbers = []
    for i, what in enumerate(("start", "limit", "delta")):
        if node.type(i).size != 1 or node.type(i).element is not kind.element:
            node.fail("E1304", what, expected=f"one {kind.dtype}", found=str(node.type(i)))
        numbers.append(node.static(i, "how long the range is").reshape(()).item())
    start, limit, delta = numbers
    if not all(map(math.isfinite, numbers)) or delta == 0:
        node.fail("E1304", "a range without an end", expected="finite numbers, delta not 0")
    # Fractions keep the quotient exact, of integers beyond 2^53 as well.
    steps = (Fraction(limit) - Fraction(start)) / Fraction(delta)
    (count,) = check_size(node, (max(math.ceil(steps), 0),))
    if kind.element.is_float:
        return cast(node, node.b.constant(start + np.arange(count) * delta, "fp64"), kind.dtype)
    return node.b.constant(start + np.arange(count) * delta, kind.dtype)


# ---- EyeLike, Trilu -------------------------------------------------------------------------
@importer("EyeLike")
def eye_like(node: Node) -> Value:
    kind = node.type(0)
    if kind.rank != 2:
        node.fail("E1304", "the input", expected="two axes", found=str(kind))
    dtype = node.get_dtype("dtype") if node.has("dtype") else kind.dtype
    rows, columns = kind.shape
    k = min(max(node.get_int("k", 0), -rows), columns)
    row = node.b("add", ramp(node, rows, 2, 0), node.b.constant(k, "int64"))
    found = node.b("eq", row, ramp(node, columns, 2, 1))
    return found if dtype == "bool" else node.b("cvt", found, to=dtype)


@importer("Trilu")
def trilu(node: Node) -> Value:
    """Keeps what is on and above the k-th diagonal, or on and below it."""
    x = node.input(0)
    if x.type.rank < 2:
        node.fail("E1304", "the input", expected="at least two axes", found=str(x.type))
    rows, columns = x.type.shape[-2:]
    shift = node.b.constant(0, "int64")
    if node.optional(1) is not None:
        shift = cast(node, reshaped(node, node.input(1), ()), "int64")
        known = node.known(1)
        if known is not None:
            k = int(known.reshape(-1)[0])
            shift = node.b.constant(min(max(k, -rows), columns), "int64")
    diagonal = node.b("add", ramp(node, rows, 2, 0), shift)
    column = ramp(node, columns, 2, 1)
    upper = bool(node.get_int("upper", 1))
    kept = node.b("le", diagonal, column) if upper else node.b("le", column, diagonal)
    return node.b("select", kept, x, scalar(node, 0, x))


# ---- OneHot ---------------------------------------------------------------------------------
@importer("OneHot")
def one_hot(node: Node) -> Value:
    indices, values = node.input(0), node.input(2)
    (depth,) = check_size(node, (math.trunc(min(number(node, 1, "the classes"), 2.0**63)),))
    if values.type.shape != (2,):
        node.fail("E1304", "values", expected="two elements", found=str(values.type))
    if indices.type.dtype not in ("int32", "int64"):
        indices = cast(node, indices, "int64")
    rank = indices.type.rank + 1
    axis = node.axis(node.get_int("axis", -1), rank)
    extents = indices.type.shape
    index = reshaped(node, indices, (*extents[:axis], 1, *extents[axis:]))
    negative = node.b("lt", index, scalar(node, 0, index))
    wrapped = node.b("add", index, scalar(node, depth, index))
    index = node.b("select", negative, wrapped, index)
    hot = node.b("eq", index, ramp(node, depth, rank, axis, index.type.dtype))
    off, on = (reshaped(node, sliced(node, values, 0, i, 1), ()) for i in (0, 1))
    return node.b("select", hot, on, off)
