"""How the elements of a value lie in a buffer: views of views are strides, not copies.

%1 = transpose(%0) {perm=[1, 0]}        sides (4, 1), (6, 4) of a buffer of 6 x 4
%2 = slice(%1) {starts=[0, 1], ...}     offset 4
%3 = broadcast(%2) {shape=[2, 4, 5]}    one more side (2, 0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.kernel.views import strides


@dataclass(frozen=True)
class Access:
    """A size and a stride, in elements, for each axis of a value. ``dtype``, if given, is what the
    bytes are read as."""

    buffer: Buffer
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    dtype: str = ""

    @property
    def dense(self) -> bool:
        """Whether these are all elements of the buffer, in its order."""
        whole = prod(self.sizes) == self.buffer.size and not self.offset
        return whole and _plain(self.sizes, self.strides)


def _plain(sizes: Sequence[int], steps: Sequence[int]) -> bool:
    wanted = strides(sizes)
    return all(n == 1 or s == w for n, s, w in zip(sizes, steps, wanted, strict=True))


def whole(buffer: Buffer, shape: Sequence[int]) -> Access:
    """All of a buffer, in its order, in a shape."""
    return Access(buffer, tuple(shape), strides(shape))


def viewed(op: Op, access: Access) -> Access | None:
    """What a view op makes of an access; None where strides cannot say it."""
    rule = VIEWS.get(op.name)
    return None if rule is None else rule(op, access)


def _transpose(op: Op, access: Access) -> Access:
    perm = op.ints("perm")
    return Access(
        access.buffer,
        tuple(access.sizes[p] for p in perm),
        tuple(access.strides[p] for p in perm),
        access.offset,
        access.dtype,
    )


def _broadcast(op: Op, access: Access) -> Access:
    shape = op.result.type.shape
    missing = len(shape) - len(access.sizes)
    steps = [0] * missing
    for size, step, wanted in zip(access.sizes, access.strides, shape[missing:], strict=True):
        steps.append(step if size == wanted else 0)
    return Access(access.buffer, shape, tuple(steps), access.offset, access.dtype)


def _slice(op: Op, access: Access) -> Access:
    starts, steps = op.ints("starts"), op.ints("steps")
    offset = access.offset + sum(s * t for s, t in zip(starts, access.strides, strict=True))
    moved = tuple(s * t for s, t in zip(steps, access.strides, strict=True))
    return Access(access.buffer, op.result.type.shape, moved, offset, access.dtype)


def _windows(op: Op, access: Access) -> Access:
    axes, steps = op.ints("axes"), op.ints("steps")
    dilations = op.ints("dilations")
    moved = list(access.strides)
    more = []
    for axis, step, dilation in zip(axes, steps, dilations, strict=True):
        more.append(access.strides[axis] * dilation)
        moved[axis] *= step
    return Access(access.buffer, op.result.type.shape, (*moved, *more), access.offset, access.dtype)


def _bitcast(op: Op, access: Access) -> Access:
    return Access(access.buffer, access.sizes, access.strides, access.offset, op.result.type.dtype)


def _reshape(op: Op, access: Access) -> Access | None:
    steps = reshaped(access.sizes, access.strides, op.result.type.shape)
    if steps is None:
        return None
    return Access(access.buffer, op.result.type.shape, steps, access.offset, access.dtype)


def reshaped(
    sizes: Sequence[int], steps: Sequence[int], shape: Sequence[int]
) -> tuple[int, ...] | None:
    """Strides in another shape of as many elements; None where there are none."""
    if prod(sizes) == 0:
        return strides(shape)
    # Dims that lie one behind the other are one; then dims of the shape are cut from them.
    merged: list[tuple[int, int]] = []
    for size, step in zip(sizes, steps, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * step:
            merged[-1] = (merged[-1][0] * size, step)
        else:
            merged.append((size, step))
    found = [0] * len(shape)
    axis = len(shape) - 1
    for size, step in reversed(merged):
        left = size
        while left > 1:
            while axis >= 0 and shape[axis] == 1:
                axis -= 1
            if axis < 0 or left % shape[axis]:
                return None
            found[axis] = step
            step *= shape[axis]
            left //= shape[axis]
            axis -= 1
    return tuple(found)


VIEWS: dict[str, Callable[[Op, Access], Access | None]] = {
    "transpose": _transpose,
    "broadcast": _broadcast,
    "slice": _slice,
    "windows": _windows,
    "bitcast": _bitcast,
    "reshape": _reshape,
}
