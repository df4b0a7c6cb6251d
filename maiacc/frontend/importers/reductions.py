"""Reductions along axes, and running sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from maiacc.frontend.importers.common import cast, reshaped, scalar, widely
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: What a reduction does with its input, along some axes.
Reduction = Callable[[Node, Value, tuple[int, ...], bool], Value]


def _plain(name: str) -> Reduction:
    def reduce(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
        return node.b(name, x, axes=axes, keep=keep)

    return reduce


def _mean(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    count = math.prod(x.type.shape[axis] for axis in axes)
    if x.type.element.is_int:
        total = node.b("rsum", cast(node, x, "int64"), axes=axes, keep=keep)
        return cast(node, node.b("div", total, scalar(node, count, total)), x.type.dtype)
    return widely(
        node,
        lambda x: node.b("div", node.b("rsum", x, axes=axes, keep=keep), scalar(node, count, x)),
        x,
    )


def _l1(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    return node.b("rsum", node.b("abs", x), axes=axes, keep=keep)


def _in_floats(make: Callable[[Node, Value, tuple[int, ...], bool], Value]) -> Reduction:
    """Integers are computed as doubles, which hold most of them, and cut to integers again."""

    def reduce(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
        if x.type.element.is_float:
            return widely(node, lambda x: make(node, x, axes, keep), x)
        return cast(node, make(node, cast(node, x, "fp64"), axes, keep), x.type.dtype)

    return reduce


def _l2(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    return node.b("sqrt", node.b("rsumsq", x, axes=axes, keep=keep))


def _log_sum(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    return node.b("log", node.b("rsum", x, axes=axes, keep=keep))


def _log_sum_exp(node: Node, x: Value, axes: tuple[int, ...], keep: bool) -> Value:
    """The largest element is taken out of the sum, unless it is infinite."""
    top = node.b("rmax", x, axes=axes, keep=True)
    shift = node.b("select", node.b("is_inf", top), scalar(node, 0, x), top)
    total = node.b("rsum", node.b("exp", node.b("sub", x, shift)), axes=axes, keep=True)
    found = node.b("add", node.b("log", total), shift)
    if keep:
        return found
    return reshaped(node, found, [n for i, n in enumerate(found.type.shape) if i not in axes])


REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": _plain("rsum"),
    "ReduceProd": _plain("rprod"),
    "ReduceSumSquare": _plain("rsumsq"),
    "ReduceMax": _plain("rmax"),
    "ReduceMin": _plain("rmin"),
    "ReduceMean": _mean,
    "ReduceL1": _l1,
    "ReduceL2": _in_floats(_l2),
    "ReduceLogSum": _in_floats(_log_sum),
    "ReduceLogSumExp": _in_floats(_log_sum_exp),
}

#: From which version on the axes are an input.
AXES_AS_INPUT = {name: 13 if name == "ReduceSum" else 18 for name in REDUCTIONS}


@importer(*REDUCTIONS)
def reduced(node: Node) -> Value:
    """Without axes, and with none, over all; or over none where an attribute says so."""
    x = node.input(0)
    given: Sequence[int] = ()
    if node.version < AXES_AS_INPUT[node.op_type]:
        given = node.get_ints("axes", ())
    elif node.optional(1) is not None:
        given = node.static_ints(1, "along which axes it reduces")
    axes = node.axes(given, x.type.rank)
    if not axes and not node.get_int("noop_with_empty_axes", 0):
        axes = tuple(range(x.type.rank))
    keep = bool(node.get_int("keepdims", 1))
    return REDUCTIONS[node.op_type](node, x, tuple(sorted(axes)), keep)


# ---- running sums and products --------------------------------------------------------------
RUNNING = {"CumSum": "cumsum", "CumProd": "cumprod"}


@importer(*RUNNING)
def running(node: Node) -> Value:
    x, axes = node.input(0), node.static_ints(1, "the axis")
    if len(axes) != 1:
        node.fail("E1304", "axis", expected="one number", found=str(list(axes)))
    return node.b(
        RUNNING[node.op_type],
        x,
        axis=node.axis(axes[0], x.type.rank),
        exclusive=bool(node.get_int("exclusive", 0)),
        reverse=bool(node.get_int("reverse", 0)),
    )
