"""Convolutions and transposed ones."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc.frontend.windowing import auto_pad, halves, kernel_of, numbers, window_of
from maiacc_passes.ir.graph import Value


@importer("Conv")
def conv(node: Node) -> Value:
    x, w = node.input(0), node.input(1)
    window = window_of(node, x.type.shape[2:], kernel_of(node, w.type.shape[2:]))
    groups = node.get_int("group", 1)
    return node.b("conv", x, w, node.optional(2), **window.steps, groups=groups)


@importer("ConvTranspose")
def conv_transpose(node: Node) -> Value:
    x, w = node.input(0), node.input(1)
    rank = x.type.rank - 2
    kernel = kernel_of(node, w.type.shape[2:])
    if rank < 1 or len(kernel) != rank:
        node.fail("E1304", "the kernel does not fit the input", found=f"{x.type}, {w.type}")
    strides = numbers(node, "strides", [1] * rank, 1)
    dilations = numbers(node, "dilations", [1] * rank, 1)
    extra = numbers(node, "output_padding", [0] * rank, 0)
    full = [
        (extent - 1) * stride + (size - 1) * apart + 1 + more
        for extent, stride, size, apart, more in zip(
            x.type.shape[2:], strides, kernel, dilations, extra, strict=True
        )
    ]
    pads = _cut(node, full, strides, x.type.shape[2:])
    # What is to be cut off less than nothing is cells more behind.
    out_pads = tuple(more + max(0, -pads[rank + axis]) for axis, more in enumerate(extra))
    return node.b(
        "conv_transpose",
        x,
        w,
        node.optional(2),
        strides=strides,
        pads=tuple(max(0, pad) for pad in pads),
        dilations=dilations,
        groups=node.get_int("group", 1),
        out_pads=out_pads,
    )


def _cut(
    node: Node, full: Sequence[int], strides: Sequence[int], extents: Sequence[int]
) -> tuple[int, ...]:
    """What is cut off before and behind each axis: what the node says, or what leaves the output
    shape that it says."""
    rank, how = len(full), auto_pad(node)
    wanted = node.get_ints("output_shape", ())
    if len(wanted) == rank + 2:
        wanted = wanted[2:]
    if not wanted and how.startswith("SAME"):
        wanted = tuple(extent * stride for extent, stride in zip(extents, strides, strict=True))
    if not wanted:
        pads = numbers(node, "pads", [0] * 2 * rank, 0)
        return pads if how == "NOTSET" else (0,) * 2 * rank
    if len(wanted) != rank or any(size < 0 for size in wanted):
        node.fail("E1304", "attribute output_shape", f"{rank} sizes", str(list(wanted)))
    total = [size - goal for size, goal in zip(full, wanted, strict=True)]
    cut = halves([max(0, more) for more in total], how == "SAME_UPPER")
    missing = [min(0, more) for more in total]
    return (*cut[:rank], *(cut[rank + axis] + missing[axis] for axis in range(rank)))
