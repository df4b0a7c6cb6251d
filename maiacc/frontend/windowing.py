"""Where the windows of convolutions and poolings lie: pads, strides, dilations and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maiacc.frontend.node import Node

#: The values of the attribute auto_pad.
AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class Window:
    """Windows over the axes behind the first two. ``pads`` are those before each axis, then those
    behind each; ``sizes`` is how many windows there are along each."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def steps(self) -> dict[str, Any]:
        """Attributes of a convolution."""
        return {"strides": self.strides, "pads": self.pads, "dilations": self.dilations}

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of a pooling."""
        return {"kernel": self.kernel, **self.steps, "sizes": self.sizes}


def numbers(node: Node, name: str, default: Sequence[int], least: int) -> tuple[int, ...]:
    """An attribute with a number for each axis. Refuses with E1304."""
    found = node.get_ints(name, default)
    if len(found) != len(default) or any(value < least for value in found):
        expected = f"{len(default)} numbers from {least} on"
        node.fail("E1304", f"attribute {name}", expected=expected, found=str(list(found)))
    return found


def kernel_of(node: Node, kernel: Sequence[int]) -> tuple[int, ...]:
    """The extents of a kernel that is there. Refuses with E1304 if the node says otherwise."""
    found = node.get_ints("kernel_shape", kernel)
    if tuple(found) != tuple(kernel):
        node.fail("E1304", "attribute kernel_shape", str(list(kernel)), str(list(found)))
    return tuple(kernel)


def auto_pad(node: Node) -> str:
    """How the node says that pads are chosen. Refuses with E1304."""
    # Empty is what some exporters write for the default.
    how = node.get_str("auto_pad", "NOTSET") or "NOTSET"
    if how not in AUTO_PADS:
        node.fail("E1304", "attribute auto_pad", " | ".join(AUTO_PADS), how)
    return how


def halves(total: Sequence[int], upper: bool) -> tuple[int, ...]:
    """Pads of a sum for each axis: those before, then those behind. ``upper`` puts the odd one
    behind."""
    before = [pad // 2 if upper else pad - pad // 2 for pad in total]
    return (*before, *(pad - first for pad, first in zip(total, before, strict=True)))


def window_of(
    node: Node, extents: Sequence[int], kernel: Sequence[int], ceil: bool = False
) -> Window:
    """The windows of a node over axes with some extents; ``ceil`` lets the last one reach over the
    end. Refuses with E1304."""
    rank = len(extents)
    if len(kernel) != rank or any(size < 1 for size in kernel):
        expected = f"{rank} numbers from 1 on"
        node.fail("E1304", "the extents of the kernel", expected, str(list(kernel)))
    ones = [1] * rank
    strides, dilations = numbers(node, "strides", ones, 1), numbers(node, "dilations", ones, 1)
    pads = numbers(node, "pads", [0] * 2 * rank, 0)
    spans = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilations, strict=True)]
    how = auto_pad(node)
    if how.startswith("SAME"):
        sizes = [-(-extent // stride) for extent, stride in zip(extents, strides, strict=True)]
        total = [
            max(0, (size - 1) * stride + span - extent)
            for size, stride, span, extent in zip(sizes, strides, spans, extents, strict=True)
        ]
        pads = halves(total, how == "SAME_UPPER")
    else:
        pads = (0,) * 2 * rank if how == "VALID" else pads
        sizes = [
            _count(extents[i], spans[i], strides[i], pads[i], pads[rank + i], ceil)
            for i in range(rank)
        ]
    if any(size < 1 <= extent for size, extent in zip(sizes, extents, strict=True)):
        found = f"{list(kernel)} over {list(extents)} with pads {list(pads)}"
        node.fail("E1304", "no window fits into the input", found=found)
    return Window(tuple(kernel), strides, pads, dilations, tuple(max(0, size) for size in sizes))


def _count(extent: int, span: int, stride: int, before: int, behind: int, ceil: bool) -> int:
    room = extent + before + behind - span
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    # A window that would start behind the elements and the pads before them does not count.
    return count - ((count - 1) * stride >= extent + before)
