"""Poolings over regions of interest, whose corners are only known when the model runs."""

from __future__ import annotations

import math

from maiacc.frontend.importers.bins import Bins, Covering
from maiacc.frontend.importers.common import cast, ramp, reshaped, scalar, sliced, stretched
from maiacc.frontend.importers.terms import transposed, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


# ---- RoiAlign -------------------------------------------------------------------------------
@importer("RoiAlign")
def roi_align(node: Node) -> Value:
    x, regions = wide(node, node.input(0)), node.input(1)
    count = regions.type.shape[0] if regions.type.rank == 2 else -1
    if x.type.rank != 4 or regions.type.shape != (count, 4) or node.type(2).shape != (count,):
        kinds = f"{x.type}, {regions.type}, {node.type(2)}"
        node.fail("E1304", "shapes", "[n, c, h, w], [r, 4], [r]", kinds)
    mode = node.get_str("mode", "avg")
    if mode not in ("avg", "max"):
        node.fail("E1304", "attribute mode", "avg | max", mode)
    ratio = node.get_int("sampling_ratio", 0)
    rows, columns = _axes(node, cast(node, regions, x.type.dtype), x)
    if ratio > 0:
        found = _sampled(node, x, rows, columns, ratio, mode == "max")
    elif mode == "avg":
        found = _averaged(node, x, Covering.of(rows), Covering.of(columns))
    else:
        found = _largest(node, x, Covering.of(rows), Covering.of(columns))
    return cast(node, found, node.type(0).dtype)


def _axes(node: Node, regions: Value, x: Value) -> tuple[Bins, Bins]:
    """The regions along the rows and along the columns of the image."""
    b = node.b
    # Before opset 16 there was one way, which has another name since then.
    default = "half_pixel" if node.version >= 16 else "output_half_pixel"
    how = node.get_str("coordinate_transformation_mode", default)
    if how not in ("half_pixel", "output_half_pixel"):
        expected = "half_pixel | output_half_pixel"
        node.fail("E1304", "attribute coordinate_transformation_mode", expected, how)
    scale = scalar(node, node.get_float("spatial_scale", 1.0), regions)
    offset = scalar(node, 0.5 if how == "half_pixel" else 0.0, regions)
    scaled = b("sub", b("mul", regions, scale), offset)
    axes = []
    for axis, name in ((1, "output_height"), (0, "output_width")):
        bins = node.get_int(name, 1)
        if bins < 1:
            node.fail("E1304", f"attribute {name}", "1 or more", str(bins))
        ends = (sliced(node, scaled, 1, column, 1) for column in (axis, axis + 2))
        start, end = (reshaped(node, side, regions.type.shape[:1]) for side in ends)
        size = b("sub", end, start)
        if how == "output_half_pixel":
            size = b("max", size, scalar(node, 1, size))
        extent = x.type.shape[3 - axis]
        axes.append(Bins(node, start, b("div", size, scalar(node, bins, size)), bins, extent))
    return axes[0], axes[1]


def _sampled(node: Node, x: Value, rows: Bins, columns: Bins, ratio: int, largest: bool) -> Value:
    """Means, or the largest weighed corner, of ratio x ratio samples in each bin."""
    b, up, across = node.b, rows.taps(ratio), columns.taps(ratio)
    assert up.weight is not None
    assert across.weight is not None
    count, channels = up.index.type.shape[0], x.type.shape[1]
    high, broad = (count, rows.bins * ratio, 1, 2, 1, 1), (count, 1, columns.bins * ratio, 1, 2, 1)
    shape = (count, high[1], broad[2], 2, 2, 1)
    image = reshaped(node, cast(node, node.input(2), "int64"), (count, 1, 1, 1, 1, 1))
    parts = [image, reshaped(node, up.index, high), reshaped(node, across.index, broad)]
    index = b("concat", *(stretched(node, i, shape) for i in parts), axis=5)
    found = b("gather_nd", transposed(node, x, (0, 2, 3, 1)), index)
    weight = b("mul", reshaped(node, up.weight, high), reshaped(node, across.weight, broad))
    found = b("mul", found, weight)
    bins = (count, rows.bins, ratio, columns.bins, ratio, 2, 2, channels)
    found = reshaped(node, found, bins)
    if largest:
        found = b("rmax", found, axes=(2, 4, 5, 6), keep=False)
    else:
        found = b("rsum", found, axes=(2, 4, 5, 6), keep=False)
        found = b("div", found, scalar(node, ratio * ratio, found))
    return transposed(node, found, (0, 3, 1, 2))


def _averaged(node: Node, x: Value, rows: Covering, columns: Covering) -> Value:
    """Means of all samples of each bin: the weights of elements add up along each axis."""
    b = node.b
    image, lead = _images(node, x)
    found = b("contract", rows.total(), image, spec=f"rpy,{lead}cyx->rpcx")
    found = b("contract", columns.total(), found, spec="rqx,rpcx->rcpq")
    count = b("mul", rows.count, columns.count)
    return b("div", found, b("max", count, scalar(node, 1, count)))


def _images(node: Node, x: Value) -> tuple[Value, str]:
    """The image of each region, and the letter of the axis of regions; of one image there is no
    such axis."""
    b = node.b
    if x.type.shape[0] == 1:
        return reshaped(node, x, x.type.shape[1:]), ""
    return b("gather", x, node.input(2), axis=0), "r"


def _largest(node: Node, x: Value, rows: Covering, columns: Covering) -> Value:
    """The largest product of an element and what a sample weighs there. Weights are not negative,
    so the largest along one axis is enough for the other."""
    b = node.b
    image, lead = _images(node, x)
    count, channels, height, width = rows.count.type.shape[0], *x.type.shape[1:]
    up, across = (count, 1, rows.axis.bins, height, 1), (count, 1, 1, columns.axis.bins, width)
    found = reshaped(node, image, (count if lead else 1, channels, 1, height, width))
    found = _weighed_most(node, found, [reshaped(node, w, up) for w in rows.extremes()], 3)
    found = reshaped(node, found, (count, channels, rows.axis.bins, 1, width))
    found = _weighed_most(node, found, [reshaped(node, w, across) for w in columns.extremes()], 4)
    samples = b("mul", rows.count, columns.count)
    zero = scalar(node, 0, found)
    return b("select", b("lt", scalar(node, 0, samples), samples), found, zero)


def _weighed_most(node: Node, x: Value, weights: list[Value], axis: int) -> Value:
    """The largest product along an axis with the most or the least that an element weighs."""
    b = node.b
    most, least = weights
    found = b("max", b("mul", x, most), b("mul", x, least))
    read = b("le", scalar(node, 0, most), most)
    found = b("select", read, found, scalar(node, -math.inf, found))
    return b("rmax", found, axes=(axis,), keep=False)


# ---- MaxRoiPool -----------------------------------------------------------------------------
@importer("MaxRoiPool")
def max_roi_pool(node: Node) -> Value:
    b, x, regions = node.b, node.input(0), node.input(1)
    if x.type.rank != 4 or regions.type.rank != 2 or regions.type.shape[1] != 5:
        node.fail("E1304", "shapes", "[n, c, h, w], [r, 5]", f"{x.type}, {regions.type}")
    if not x.type.element.is_float:
        node.fail("E1304", "elements", "floats", str(x.type))
    bins = node.get_ints("pooled_shape")
    if len(bins) != 2 or min(bins) < 1:
        node.fail("E1304", "attribute pooled_shape", "two sizes", str(list(bins)))
    regions = wide(node, regions)
    count, channels, (height, width) = regions.type.shape[0], x.type.shape[1], x.type.shape[2:]
    image = reshaped(node, sliced(node, regions, 1, 0, 1), (count,))
    found = b("gather", x, b("cvt", image, to="int64", round="trunc"), axis=0)
    found = reshaped(node, found, (count, channels, 1, height, width))
    rows = _covered(node, regions, 1, bins[0], height)
    columns = _covered(node, regions, 0, bins[1], width)
    lowest = scalar(node, -math.inf, x)
    found = b("select", reshaped(node, rows, (count, 1, bins[0], height, 1)), found, lowest)
    found = b("rmax", found, axes=(3,), keep=False)
    found = reshaped(node, found, (count, channels, bins[0], 1, width))
    found = b("select", reshaped(node, columns, (count, 1, 1, bins[1], width)), found, lowest)
    found = b("rmax", found, axes=(4,), keep=False)
    some = b(
        "and",
        reshaped(node, b("rmax", rows, axes=(2,), keep=False), (count, 1, bins[0], 1)),
        reshaped(node, b("rmax", columns, axes=(2,), keep=False), (count, 1, 1, bins[1])),
    )
    return b("select", some, found, scalar(node, 0, found))


def _covered(node: Node, regions: Value, axis: int, bins: int, extent: int) -> Value:
    """Which elements along an axis are in each bin of the regions: [r, bins, extent]."""
    b, count = node.b, regions.type.shape[0]
    scale = scalar(node, node.get_float("spatial_scale", 1.0), regions)
    ends = []
    for column in (1 + axis, 3 + axis):
        at = b("mul", reshaped(node, sliced(node, regions, 1, column, 1), (count, 1, 1)), scale)
        # Halves are rounded away from 0.
        whole = b("trunc", at)
        rest = b("abs", b("sub", at, whole))
        more = b("select", b("le", scalar(node, 0.5, at), rest), b("sign", at), scalar(node, 0, at))
        ends.append(b("add", whole, more))
    start, one = ends[0], scalar(node, 1, ends[0])
    size = b("max", b("add", b("sub", ends[1], start), one), one)
    size = b("div", size, scalar(node, bins, size))
    line = ramp(node, bins, 3, 1, size.type.dtype)
    first = b("add", start, b("floor", b("mul", line, size)))
    end = b("add", start, b("ceil", b("mul", b("add", line, one), size)))
    element = ramp(node, extent, 3, 2, size.type.dtype)
    return b("and", b("le", first, element), b("lt", element, end))
