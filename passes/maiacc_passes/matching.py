"""Small questions about values that rules ask."""

from __future__ import annotations

import math

import numpy as np

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.weights import Array, Splat

#: Constants of up to so many elements are looked into.
SMALL = 1 << 16


def made_by(value: Value | None, *names: str) -> Op | None:
    """The op that makes a value, if it is one of these."""
    op = None if value is None else value.op
    return op if op is not None and op.name in names else None


def only_used_by(value: Value, op: Op) -> bool:
    """Whether nothing else uses a value."""
    return len(value.uses) == 1 and op in value.uses


def constant(value: Value | None) -> Array | None:
    """The elements of a constant that is small enough to look into."""
    if value is None or value.weight is None:
        return None
    if value.type.size > SMALL and not isinstance(value.weight.source, Splat):
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
    bits = {"fp64": 52, "fp32": 23, "fp16": 10, "bf16": 7}.get(value.type.dtype, 2)
    return abs(found - number) <= 2.0**-bits * abs(number)


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
    of another reduction, the value whose reduction is divided by the number of elements."""
    op = made_by(value, "div", "mul")
    if op is None:
        return None
    found = split_constant(op)
    total = None if found is None else made_by(found[0], name)
    if found is None or total is None or not total.attrs["keep"]:
        return None
    x = total.operands[0]
    assert x is not None
    axes: tuple[int, ...] = total.attrs["axes"]
    count = math.prod(x.type.shape[axis] for axis in axes)
    number = 1 / found[1] if op.name == "mul" and found[1] else found[1]
    return (x, axes) if abs(number - count) < 1e-6 * count else None


def mean_square_of(value: Value | None) -> tuple[Value, tuple[int, ...]] | None:
    """The value whose mean square a value is, and the axes."""
    return mean_of(value, "rsumsq")
