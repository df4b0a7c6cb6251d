"""Small questions about values that rules ask."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.weights import Array, Missing, Splat

#: Constants of up to so many elements are looked into.
SMALL = 1 << 16

#: The same where much depends on it: masks, and tables of rotary embeddings.
LARGE = 1 << 24


def made_by(value: Value | None, *names: str) -> Op | None:
    """The op that makes a value, if it is one of these."""
    op = None if value is None else value.op
    return op if op is not None and op.name in names else None


def only_used_by(value: Value, op: Op) -> bool:
    """Whether nothing else uses a value."""
    return len(value.uses) == 1 and op in value.uses


def constant(value: Value | None, most: int = SMALL) -> Array | None:
    """The elements of a constant that are known, and few enough to look into."""
    if value is None or value.weight is None or isinstance(value.weight.source, Missing):
        return None
    if value.type.size > most and not isinstance(value.weight.source, Splat):
        return None
    return value.weight.source.array(value.type)


def scalar(value: Value | None) -> float | int | bool | None:
    """The number that all elements of a constant are; also seen through views."""
    while value is not None and value.op is not None and value.op.name in _VIEWS:
        value = value.op.operands[0]
    if value is None or value.weight is None or value.type.size == 0:
        return None
    source = value.weight.source
    if isinstance(source, Splat):
        found = source.value
    else:
        array = constant(value)
        if array is None:
            return None
        found = array.reshape(-1)[0]
        if array.size > 1 and not np.array_equal(array, np.broadcast_to(found, array.shape)):
            return None
    number: float | int | bool = (
        found.astype(np.float64).item() if _is_float(value) else found.item()
    )
    return number


_VIEWS = ("reshape", "broadcast", "transpose", "slice")


def _is_float(value: Value) -> bool:
    return value.type.element.is_float


def is_number(value: Value | None, number: float) -> bool:
    """Whether all elements of a constant are a number; 0 does not match -0."""
    found = scalar(value)
    if found is None or isinstance(found, bool):
        return False
    return found == number and math.copysign(1, found) == math.copysign(1, number)


def near(value: Value | None, number: float) -> bool:
    """Whether all elements of a constant are a number up to the rounding of its type."""
    found = scalar(value)
    if found is None or value is None or not _is_float(value):
        return False
    return abs(found - number) <= precision(value) * abs(number)


def precision(value: Value) -> float:
    """How far the floats of a value's type lie apart, as part of their size."""
    return 2.0 ** -{"fp64": 52, "fp32": 23, "fp16": 10, "bf16": 7}.get(value.type.dtype, 2)


def split_constant(op: Op) -> tuple[Value, float] | None:
    """The other operand and the number, if one operand of a binary op is all one number."""
    a, b = op.operands
    assert a is not None
    assert b is not None
    number = scalar(b)
    if number is not None and not isinstance(number, bool):
        return a, number
    number = scalar(a) if op.row.commutes else None
    if number is not None and not isinstance(number, bool):
        return b, number
    return None


def never_negative(value: Value | None, depth: int = 8) -> bool:
    """Whether no element can be below 0, as far as the making of a value shows; NaN is not."""
    number = scalar(value)
    if number is not None:
        return number >= 0
    op = None if value is None else value.op
    if op is None or not depth:
        return False
    if op.name == "mul" and op.operands[0] is op.operands[1]:
        return True
    if op.name in ("add", "mul", "div", "reshape", "broadcast", "transpose", "slice", "rsum"):
        return all(never_negative(x, depth - 1) for x in op.operands)
    return op.name in ("abs", "exp", "relu", "sigmoid", "softmax", "rsumsq")


def factors(value: Value, most: int = 8) -> list[Value]:
    """What a product is of, in whatever order it was multiplied: values that only their product
    uses are taken apart."""
    return _parts(value, "mul", most)


def terms(value: Value, most: int = 8) -> list[Value]:
    """What a sum is of, likewise."""
    return _parts(value, "add", most)


def _parts(value: Value, name: str, most: int) -> list[Value]:
    found = [value]
    number = 0
    while number < len(found) and len(found) < most:
        op = made_by(found[number], name)
        inner = number == 0 and len(found) == 1
        if op is None or not (inner or len(found[number].uses) == 1):
            number += 1
            continue
        a, b = op.operands
        assert a is not None
        assert b is not None
        found[number : number + 1] = [a, b]
    return found


def mean_of(value: Value | None, name: str = "rsum") -> tuple[Value, tuple[int, ...]] | None:
    """The value whose mean over some axes, which are kept, a value is; and the axes. By ``name``
    of another reduction, the value whose reduction is divided by the number of elements. The mean
    may be computed in a wider type, and the axes may be kept by a reshape."""
    wide = narrowed(value)
    view = made_by(wide, "reshape")
    op = made_by(wide if view is None else view.operands[0], "div", "mul")
    found = None if op is None else split_constant(op)
    total = None if found is None else made_by(found[0], name)
    if value is None or op is None or found is None or total is None:
        return None
    x, axes = total.operands[0], total.attrs["axes"]
    x = x if wide is value else widened(x)
    if x is None or x.type.element is not value.type.element:
        return None
    sizes = list(x.type.shape)
    count = math.prod(sizes[axis] for axis in axes)
    for axis in axes:
        sizes[axis] = 1
    number = 1 / found[1] if op.name == "mul" and found[1] else found[1]
    kept = tuple(sizes) == value.type.shape
    return (x, axes) if kept and abs(number - count) < 1e-6 * count else None


def mean_square_of(value: Value | None) -> tuple[Value, tuple[int, ...]] | None:
    """The value whose mean square a value is, and the axes."""
    found = mean_of(value)
    square = None if found is None else made_by(found[0], "mul")
    if found is not None and square is not None and square.operands[0] is square.operands[1]:
        assert square.operands[0] is not None
        return square.operands[0], found[1]
    return mean_of(value, "rsumsq")


# ---- element types --------------------------------------------------------------------------
#: Types by what they hold: each holds all values of those named.
HOLDS = {
    "fp64": ("fp32", "fp16", "bf16", "e4m3", "e5m2", "int32", "int16", "int8", "uint8", "uint16"),
    "fp32": ("fp16", "bf16", "e4m3", "e5m2", "int16", "int8", "uint8", "uint16", "bool"),
    "fp16": ("e4m3", "e5m2", "int8", "uint8", "bool"),
    "bf16": ("e4m3", "e5m2", "int8", "uint8", "bool"),
    "int64": ("int32", "int16", "int8", "uint32", "uint16", "uint8", "bool"),
    "int32": ("int16", "int8", "uint16", "uint8", "bool"),
}


def holds(outer: str, inner: str) -> bool:
    """Whether a type has every value of another."""
    return outer == inner or inner in HOLDS.get(outer, ())


def narrowed(value: Value | None) -> Value | None:
    """What a value of floats is a conversion of, from a type that holds its own; or the value."""
    return _converted(value, lambda before, after: holds(before, after))


def widened(value: Value | None) -> Value | None:
    """What a value of floats is a conversion of, from a type that its own holds; or the value."""
    return _converted(value, lambda before, after: holds(after, before))


def _converted(value: Value | None, good: Callable[[str, str], bool]) -> Value | None:
    op = made_by(value, "cvt")
    x = None if op is None else op.operands[0]
    if op is None or x is None or not (_is_float(x) and _is_float(op.result)):
        return value
    return x if good(x.type.dtype, op.result.type.dtype) else value
