"""What importers of many families share: constants, views, wide computing, old broadcasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from maiacc.frontend.node import Node
from maiacc_passes.ir.graph import Value

#: A tensor that is made while importing has at most so many elements.
LARGEST = 1 << 26


def scalar(node: Node, value: float, like: Value) -> Value:
    """A number as a constant with the element type of a value."""
    return node.b.constant(value, like.type.dtype)


def cast(node: Node, value: Value, dtype: str) -> Value:
    """A value with elements of another type. What a narrower float cannot hold becomes infinite,
    and fractions are cut off."""
    if value.type.dtype == dtype:
        return value
    return node.b("cvt", value, to=dtype, saturate=False, round="trunc")


def widely(node: Node, make: Callable[..., Value], *operands: Value) -> Value:
    """The result of several ops, computed in fp32 and rounded once if the operands are narrower
    floats: what an operator of several steps means."""
    element = operands[0].type.element
    if not element.is_float or element.bits >= 32:
        return make(*operands)
    return cast(node, make(*(cast(node, x, "fp32") for x in operands)), element.name)


def reshaped(node: Node, value: Value, shape: Sequence[int]) -> Value:
    """A value in another shape; itself if it has it."""
    wanted = tuple(int(extent) for extent in shape)
    return value if value.type.shape == wanted else node.b("reshape", value, shape=wanted)


def stretched(node: Node, value: Value, shape: Sequence[int]) -> Value:
    """A value broadcast to a shape; itself if it has it."""
    wanted = tuple(int(extent) for extent in shape)
    return value if value.type.shape == wanted else node.b("broadcast", value, shape=wanted)


def sliced(node: Node, value: Value, axis: int, start: int, size: int, step: int = 1) -> Value:
    """Some elements along one axis; the value itself if these are all."""
    shape = value.type.shape
    if (start, size) == (0, shape[axis]) and (step == 1 or size <= 1):
        return value
    starts, sizes, steps = [0] * len(shape), list(shape), [1] * len(shape)
    starts[axis], sizes[axis], steps[axis] = start, size, step
    return node.b("slice", value, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


def swapped(node: Node, value: Value, a: int, b: int) -> Value:
    """A value with two axes exchanged."""
    perm = list(range(value.type.rank))
    perm[a], perm[b] = perm[b], perm[a]
    return value if a == b else node.b("transpose", value, perm=tuple(perm))


def ramp(node: Node, extent: int, rank: int, axis: int, dtype: str = "int64") -> Value:
    """0, 1, 2 ... along one axis, to broadcast with values of a rank."""
    shape = tuple(extent if i == axis else 1 for i in range(rank))
    return node.b("iota", to=dtype, shape=shape, axis=axis)


def check_size(node: Node, shape: Sequence[int]) -> tuple[int, ...]:
    """A shape that the node makes. Refuses with E1304 a negative size, with E1308 a huge one."""
    found = tuple(int(extent) for extent in shape)
    if min(found, default=0) < 0:
        node.fail("E1304", "a size is negative", found=str(list(found)))
    if np.prod(found, dtype=np.float64) > LARGEST:
        node.fail(
            "E1308",
            "the constant that it makes is too large",
            expected=f"at most {LARGEST} elements",
            found=str(list(found)),
        )
    return found


def number(node: Node, index: int, what: str) -> float:
    """The only element of an input that decides something. Refuses with E1304, E1306."""
    array = node.static(index, what)
    found = array.astype(np.float64).reshape(-1)
    if found.size != 1 or np.isnan(found[0]):
        node.fail("E1304", f"input {index}", "one number", str(node.type(index)))
    return float(found[0])


def aligned(node: Node, a: Value, b: Value) -> Value:
    """The second operand of an operator whose attributes ``broadcast`` and ``axis`` say how it
    meets the first: as opsets before 7 have it. Refuses with E1304."""
    mine, other = a.type, b.type
    if not node.get_int("broadcast", 0):
        if mine.shape != other.shape:
            node.fail(
                "E1304",
                "shapes differ, and the attribute broadcast is not set",
                expected=str(list(mine.shape)),
                found=str(list(other.shape)),
            )
        return b
    axis = mine.rank - other.rank
    if node.has("axis"):
        axis = node.axis(node.get_int("axis"), mine.rank)
    parts = mine.shape[axis : axis + other.rank] if axis >= 0 else ()
    if len(parts) != other.rank or any(
        theirs not in (1, ours) for theirs, ours in zip(other.shape, parts, strict=True)
    ):
        node.fail(
            "E1304",
            f"the second operand does not fit into the first from axis {axis} on",
            expected=f"sizes of {mine}",
            found=str(other),
        )
    return reshaped(node, b, (*other.shape, *[1] * (mine.rank - axis - other.rank)))
