"""Operators on images: blocks to channels and back, crops, unfolding, unpooling, affine grids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import cast, check_size, reshaped, sliced, stretched
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import tensor


# ---- DepthToSpace, SpaceToDepth -------------------------------------------------------------
def _mode(node: Node) -> str:
    mode = node.get_str("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        node.fail("E1304", "mode", expected="DCR | CRD", found=mode)
    return mode


def _image(node: Node, multiple: Sequence[int], divisor: int) -> tuple[int, int, int, int]:
    kind = node.type(0)
    if kind.rank != 4 or divisor < 1 or any(kind.shape[axis] % divisor for axis in multiple):
        node.fail(
            "E1304",
            f"the input does not fit the block size {node.get_int('blocksize')}",
            expected="N x C x H x W, divisible by it",
            found=str(kind),
        )
    n, c, h, w = kind.shape
    return n, c, h, w


@importer("DepthToSpace")
def depth_to_space(node: Node) -> Value:
    size = node.get_int("blocksize")
    n, c, h, w = _image(node, (1,), size * size)
    first = _mode(node) == "DCR"
    apart = (n, size, size, c // size**2, h, w) if first else (n, c // size**2, size, size, h, w)
    perm = (0, 3, 4, 1, 5, 2) if first else (0, 1, 4, 2, 5, 3)
    moved = node.b("transpose", reshaped(node, node.input(0), apart), perm=perm)
    return reshaped(node, moved, (n, c // size**2, h * size, w * size))


@importer("SpaceToDepth")
def space_to_depth(node: Node) -> Value:
    size = node.get_int("blocksize")
    n, c, h, w = _image(node, (2, 3), size)
    apart = reshaped(node, node.input(0), (n, c, h // size, size, w // size, size))
    perm = (0, 3, 5, 1, 2, 4) if _mode(node) == "DCR" else (0, 1, 3, 5, 2, 4)
    moved = node.b("transpose", apart, perm=perm)
    return reshaped(node, moved, (n, c * size**2, h // size, w // size))


# ---- CenterCropPad --------------------------------------------------------------------------
@importer("CenterCropPad")
def center_crop_pad(node: Node) -> Value:
    x = node.input(0)
    wanted = node.static_ints(1, "the new shape")
    axes = node.axes(node.get_ints("axes", range(x.type.rank)), x.type.rank)
    if len(axes) != len(wanted) or min(wanted, default=0) < 0:
        node.fail("E1304", "shape", f"{len(axes)} sizes", str(list(wanted)))
    before, after = [0] * x.type.rank, [0] * x.type.rank
    for axis, extent in zip(axes, wanted, strict=True):
        more = extent - x.type.shape[axis]
        if more < 0:
            x = sliced(node, x, axis, -more // 2, extent)
        before[axis], after[axis] = max(more, 0) // 2, max(more, 0) - max(more, 0) // 2
    if not any((*before, *after)):
        return x
    return node.b("pad", x, before=tuple(before), after=tuple(after))


# ---- Col2Im ---------------------------------------------------------------------------------
@importer("Col2Im")
def col2im(node: Node) -> Value:
    """Adds up blocks where they overlap: a scatter into the padded image, tap after tap."""
    x = node.input(0)
    image = node.static_ints(1, "the shape of the image")
    block = node.static_ints(2, "the shape of the blocks")
    rank = len(image)
    dilations = node.get_ints("dilations", [1] * rank)
    strides = node.get_ints("strides", [1] * rank)
    pads = node.get_ints("pads", [0] * (2 * rank))
    if not len(block) == len(dilations) == len(strides) == rank or len(pads) != 2 * rank:
        node.fail("E1304", "attributes", expected=f"for {rank} axes of the image")
    if min((*dilations, *strides), default=1) < 1:
        node.fail("E1304", "strides and dilations", expected="numbers from 1 on")
    padded = [n + pads[i] + pads[rank + i] for i, n in enumerate(image)]
    counts = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(padded, block, dilations, strides, strict=True)
    ]
    taps = math.prod(block)
    if (
        x.type.rank != 3
        or min((*counts, taps)) < 1
        or x.type.shape[1] % taps
        or x.type.shape[2] != math.prod(counts)
    ):
        node.fail("E1304", "the input does not fit", f"N x C*{taps} x {counts}", str(x.type))
    to = _targets(padded, block, counts, dilations, strides)
    n, channels = x.type.shape[0], x.type.shape[1] // taps
    flat = reshaped(node, x, (n, channels, to.size))
    empty = node.b.splat(0, tensor(x.type.dtype, (n, channels, math.prod(padded))))
    index = stretched(node, node.b.constant(to), flat.type.shape)
    together = "max" if x.type.dtype == "bool" else "add"
    found = node.b("scatter_elements", empty, index, flat, axis=2, op=together)
    found = reshaped(node, found, (n, channels, *padded))
    for axis, extent in enumerate(image):
        found = sliced(node, found, axis + 2, pads[axis], extent)
    return found


def _targets(
    padded: Sequence[int],
    block: Sequence[int],
    counts: Sequence[int],
    dilations: Sequence[int],
    strides: Sequence[int],
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The flat positions of all taps of all blocks in the padded image."""
    rank = len(padded)
    total = np.zeros((1,) * (2 * rank), np.int64)
    for axis in range(rank):
        taps = np.arange(block[axis]) * dilations[axis]
        starts = np.arange(counts[axis]) * strides[axis]
        along = taps[:, None] + starts
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = along.shape
        total = total + along.reshape(shape) * math.prod(padded[axis + 1 :])
    return total.reshape(-1)


# ---- MaxUnpool ------------------------------------------------------------------------------
@importer("MaxUnpool")
def max_unpool(node: Node) -> Value:
    x, indices = node.input(0), node.input(1)
    kernel = node.get_ints("kernel_shape")
    rank = len(kernel)
    strides = node.get_ints("strides", [1] * rank)
    pads = node.get_ints("pads", [0] * (2 * rank))
    if x.type.rank != rank + 2 or len(strides) != rank or len(pads) != 2 * rank:
        node.fail("E1304", "kernel_shape", f"{x.type.rank - 2} numbers", str(list(kernel)))
    spatial = [
        (extent - 1) * strides[i] - pads[i] - pads[rank + i] + kernel[i]
        for i, extent in enumerate(x.type.shape[2:])
    ]
    inferred = check_size(node, (*x.type.shape[:2], *spatial))
    empty = node.b.splat(0, tensor(x.type.dtype, (math.prod(inferred),)))
    flat = reshaped(node, x, (x.type.size,))
    places = reshaped(node, indices, (x.type.size,))
    found = reshaped(node, node.b("scatter_elements", empty, places, flat, axis=0), inferred)
    if node.optional(2) is None:
        return found
    wanted = node.static_ints(2, "the shape of the output")
    more = tuple(a - b for a, b in zip(wanted, inferred, strict=False))
    if len(wanted) != len(inferred) or min(more) < 0:
        node.fail("E1304", "output_shape", f"at least {list(inferred)}", str(list(wanted)))
    if not any(more):
        return found
    return node.b("pad", found, before=(0,) * len(more), after=more)


# ---- AffineGrid -----------------------------------------------------------------------------
@importer("AffineGrid")
def affine_grid(node: Node) -> Value:
    theta = node.input(0)
    extents = node.static_ints(1, "the size of the grid")[2:]
    rank = len(extents)
    if rank not in (2, 3) or theta.type.shape[1:] != (rank, rank + 1):
        node.fail("E1304", "theta", f"N x {rank} x {rank + 1}", str(theta.type))
    check_size(node, (*extents, rank + 1))
    corners = bool(node.get_int("align_corners", 0))
    lines = [_positions(extent, corners) for extent in extents]
    # Coordinates are in the order x, y, z: the last axis is the first coordinate.
    axes = np.meshgrid(*lines, indexing="ij")[::-1]
    points = np.stack([*axes, np.ones(extents)], -1).reshape(-1, rank + 1)
    grid = cast(node, node.b.constant(points), theta.type.dtype)
    found = node.b("contract", grid, theta, spec="pk,nck->npc")
    return reshaped(node, found, (theta.type.shape[0], *extents, rank))


def _positions(extent: int, corners: bool) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """From -1 to 1: the first and the last, or the middles of so many cells."""
    if corners and extent > 1:
        return np.linspace(-1.0, 1.0, extent)
    return (2 * np.arange(extent) + 1) / max(extent, 1) - 1
