"""Choice and repetition: if, loop, scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from ir.rows import raw, same
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Run, evaluate
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module, Region, Value
from maiacc_passes.ir.types import Type, element_of, tensor
from maiacc_passes.ir.weights import Array

Body = Callable[..., Sequence[Value]]

I64, BOOL, F32 = tensor("int64"), tensor("bool"), tensor("fp32")


class Model:
    """A module with inputs of some arrays."""

    def __init__(self, *arrays: Any) -> None:
        self.module = Module()
        self.b = Builder(self.module)
        self.arrays = {f"i{n}": np.asarray(x) for n, x in enumerate(arrays)}
        self.inputs = [
            self.module.add_input(name, tensor(element_of(x.dtype).name, x.shape))
            for name, x in self.arrays.items()
        ]

    def region(self, kinds: Sequence[Type], body: Body) -> Region:
        region = Region(kinds)
        with self.b.inside(region):
            finish(self.b, body(*region.params), "yield")
        return region

    def run(self, results: Sequence[Value], **options: Any) -> list[Array]:
        finish(self.b, results)
        self.module.outputs = [f"o{n}" for n in range(len(results))]
        return list(evaluate(self.module, self.arrays, **options).values())


# ---- if -------------------------------------------------------------------------------------
@pytest.mark.parametrize("condition", [True, False])
def test_if_takes_one_branch(condition: bool) -> None:
    m = Model(np.array(condition), np.float32(3), np.float32(4))
    c, x, y = m.inputs
    then = m.region((), lambda: [m.b("add", x, y), x])
    other = m.region((), lambda: [y, m.b("mul", x, y)])
    found = m.run(m.b.many("if", c, regions=(then, other)))
    assert [float(value) for value in found] == ([7, 3] if condition else [4, 12])


def test_a_branch_that_is_not_taken_is_not_run() -> None:
    m = Model(np.array(False))
    forever = m.region((I64, BOOL), lambda turn, going: [going])

    def endless() -> list[Value]:
        m.b.many("loop", None, None, most=1, regions=(forever,))
        return [m.b.constant(1, "fp32")]

    other = m.region((), lambda: [m.b.constant(2, "fp32")])
    (found,) = m.run([m.b("if", m.inputs[0], regions=(m.region((), endless), other))])
    assert found == 2


def test_bits_go_through_unchanged() -> None:
    bits = np.array([0x7FC1, 0xFFA5, 0x8000, 1], np.uint16)
    m = Model(np.array(True), bits.view(tensor("bf16").element.numpy))
    c, x = m.inputs
    region = m.region((), lambda: [x])
    chosen = m.b("if", c, regions=(region, m.region((), lambda: [x])))
    body = m.region([I64, BOOL, chosen.type], lambda turn, going, v: [going, v, v])
    last, stacked = m.b.many(
        "loop", m.b.constant(2, "int64"), None, chosen, most=2, regions=(body,)
    )
    found = m.run([last, stacked])
    assert raw(found[0]) == raw(bits)
    assert raw(found[1]) == 2 * raw(bits)


# ---- loop -----------------------------------------------------------------------------------
def counting(m: Model, end: int | None = None) -> Region:
    """A body that adds the turn to x, stacks x, and goes on while x < end."""

    def body(turn: Value, going: Value, x: Value) -> list[Value]:
        after = m.b("add", x, m.b("cvt", turn, to="fp32"))
        more = going if end is None else m.b("lt", after, m.b.constant(end, "fp32"))
        return [more, after, x]

    return m.region((I64, BOOL, F32), body)


@pytest.mark.parametrize("trip", [5, 1, 0, -3])
@pytest.mark.parametrize("condition", [True, False, None])
def test_a_loop_takes_as_many_turns_as_it_is_told(trip: int, condition: bool | None) -> None:
    m = Model(np.int64(trip), np.float32(10), np.array(condition is not False))
    trips, x, start = m.inputs
    symbol = m.module.add_bound(6)
    first = None if condition is None else start
    op = m.b.op("loop", trips, first, x, most=6, symbol=symbol, regions=(counting(m),))
    assert [str(v.type) for v in op.results] == ["fp32[]", "fp32[6~n0]", "int64[]"]
    last, stacked, count = m.run(op.results)
    turns = 0 if condition is False else max(trip, 0)
    values = [np.float32(10 + sum(range(i))) for i in range(turns + 1)]
    same(last, np.array(values[-1]))
    same(stacked, np.array([*values[:-1], *[0] * (6 - turns)], np.float32))
    same(count, np.array(turns))


def test_a_loop_ends_when_its_condition_does_not_hold() -> None:
    for trip, turns in ((None, 4), (3, 3), (9, 4)):
        m = Model(np.float32(0))
        symbol = m.module.add_bound(50)
        first = None if trip is None else m.b.constant(trip, "int64")
        (x,) = m.inputs
        op = m.b.op("loop", first, None, x, most=50, symbol=symbol, regions=(counting(m, 6),))
        last, stacked, count = m.run(op.results, trim=True)
        assert count == turns
        same(stacked, np.array([0, 0, 1, 3][:turns], np.float32))
        assert last == [0, 0, 1, 3, 6][turns]


def test_a_known_number_of_turns_fills_its_stack() -> None:
    m = Model(np.float32(0))
    op = m.b.op("loop", m.b.constant(4, "int64"), None, *m.inputs, most=4, regions=(counting(m),))
    assert [str(v.type) for v in op.results] == ["fp32[]", "fp32[4]"]
    same(m.run(op.results)[1], np.array([0, 0, 1, 3], np.float32))


@pytest.mark.parametrize(("trip", "most"), [(5, 4), (3, 4)])
def test_another_number_of_turns_is_an_error(trip: int, most: int) -> None:
    m = Model(np.int64(trip), np.float32(0))
    op = m.b.op("loop", m.inputs[0], None, m.inputs[1], most=most, regions=(counting(m),))
    with pytest.raises(IRError, match="E1408"):
        m.run(op.results)


def test_loops_share_a_number_of_turns() -> None:
    m = Model()
    inner = m.region((I64, BOOL), lambda turn, going: [going])

    def outer(turn: Value, going: Value) -> list[Value]:
        m.b.many("loop", m.b.constant(5, "int64"), None, most=5, regions=(inner,))
        return [going]

    body = m.region((I64, BOOL), outer)
    m.b.many("loop", m.b.constant(4, "int64"), None, most=4, regions=(body,))
    finish(m.b, [])
    Run(turns=24).region(m.module.main, [])
    with pytest.raises(IRError, match="E1408"):
        Run(turns=23).region(m.module.main, [])


def test_inner_loops_use_values_around_them() -> None:
    m = Model(np.float32(2), np.float32(0))
    factor, start = m.inputs

    def outer(turn: Value, going: Value, total: Value) -> list[Value]:
        def inner(number: Value, on: Value, x: Value) -> list[Value]:
            both = m.b(
                "cvt", m.b("add", m.b("mul", turn, m.b.constant(10, "int64")), number), to="fp32"
            )
            return [on, m.b("add", x, m.b("mul", both, factor))]

        body = m.region((I64, BOOL, F32), inner)
        (after,) = m.b.many("loop", m.b.constant(3, "int64"), None, total, most=3, regions=(body,))
        return [going, after, total]

    body = m.region((I64, BOOL, F32), outer)
    last, stacked = m.b.many("loop", m.b.constant(2, "int64"), None, start, most=2, regions=(body,))
    found = m.run([last, stacked])
    assert float(found[0]) == 2 * (0 + 1 + 2 + 10 + 11 + 12)
    assert found[1].tolist() == [0, 6]


# ---- scan -----------------------------------------------------------------------------------
@pytest.mark.parametrize("reverse", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("out_reverse", [0, 1])
@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
@pytest.mark.parametrize("out_axis", [0, 1])
def test_scan_goes_along_axes(
    reverse: tuple[int, int], out_reverse: int, axes: tuple[int, int], out_axis: int
) -> None:
    a, b = np.arange(12, dtype="f").reshape(4, 3), np.arange(12, dtype="f").reshape(3, 4) * 10
    a, b = (a if axes[0] == 0 else a.T), (b if axes[1] == 1 else b.T)
    m = Model(np.ones(3, "f"), a, b)
    row = tensor("fp32", (3,))

    def body(carried: Value, x: Value, y: Value) -> list[Value]:
        after = m.b("add", m.b("add", carried, x), y)
        return [after, m.b("mul", after, x)]

    options = {"reverse": reverse, "out_axes": (out_axis,), "out_reverse": (out_reverse,)}
    region = m.region((row, row, row), body)
    found = m.run(m.b.many("scan", *m.inputs, carried=1, axes=axes, **options, regions=(region,)))
    x, y = np.moveaxis(a, axes[0], 0), np.moveaxis(b, axes[1], 0)
    x, y = (x[::-1] if reverse[0] else x), (y[::-1] if reverse[1] else y)
    carried, outs = np.ones(3, "f"), []
    for turn in range(4):
        carried = carried + x[turn] + y[turn]
        outs.append(carried * x[turn])
    same(found[0], carried)
    same(found[1], np.stack(outs[::-1] if out_reverse else outs, out_axis))


PLAIN: dict[str, Any] = {"axes": (0,), "reverse": (0,), "out_axes": (0,), "out_reverse": (0,)}


@pytest.mark.parametrize("length", [0, 1, 3])
@pytest.mark.parametrize("lift", [False, True])
def test_scan_of_numbers(length: int, lift: bool) -> None:
    m = Model(np.float16(1), np.arange(length, dtype=np.float16))
    half = tensor("fp16")

    def body(total: Value, x: Value) -> list[Value]:
        after = m.b("add", total, x)
        return [after, after]

    region = m.region((half, half), body)
    found = m.run(m.b.many("scan", *m.inputs, carried=1, **PLAIN, regions=(region,)), lift=lift)
    dtype = np.float64 if lift else np.float16
    values = np.cumsum([1, *range(length)]).astype(dtype)
    same(found[0], values[-1:].reshape(()))
    same(found[1], values[1:])


# ---- what is refused ------------------------------------------------------------------------
def refused(code: str, name: str, *kinds: Type | None, regions: Any, **attrs: Any) -> None:
    m = Model()
    built = [m.region(params, body) for params, body in regions(m)]
    operands = [None if kind is None else m.module.main.add_param(kind) for kind in kinds]
    with pytest.raises(IRError) as caught:
        m.b.op(name, *operands, regions=built, **attrs)
    assert caught.value.code == code


def test_ifs_that_are_refused() -> None:
    def pair(*dtypes: str) -> Any:
        return lambda m: [((), lambda d=d: [m.b.constant(1, d)]) for d in dtypes]

    refused("E1403", "if", BOOL, regions=pair("fp32", "fp16"))
    refused("E1403", "if", F32, regions=pair("fp32", "fp32"))
    refused("E1403", "if", tensor("bool", (1,)), regions=pair("fp32", "fp32"))
    refused("E1402", "if", BOOL, regions=pair("fp32"))
    refused("E1402", "if", regions=pair("fp32", "fp32"))
    refused("E1403", "if", BOOL, regions=lambda m: [((F32,), lambda x: [x]), ((), list)])
    longer = lambda m: [((), list), ((), lambda: [m.b.constant(1, "fp32")])]  # noqa: E731
    refused("E1403", "if", BOOL, regions=longer)


def test_loops_that_are_refused() -> None:
    def body(params: Sequence[Type], results: Callable[..., Sequence[Value]]) -> Any:
        return lambda m: [(params, results)]

    good = body((I64, BOOL, F32), lambda turn, going, x: [going, x])
    refused("E1403", "loop", tensor("int32"), None, F32, most=2, regions=good)
    refused("E1403", "loop", None, I64, F32, most=2, regions=good)
    refused("E1401", "loop", None, None, F32, most=-1, regions=good)
    refused("E1403", "loop", None, None, tensor("fp16"), most=2, regions=good)
    refused("E1403", "loop", None, None, F32, F32, most=2, regions=good)
    refused("E1402", "loop", None, None, None, F32, most=2, regions=good)
    swapped = body((I64, BOOL, F32), lambda turn, going, x: [x, going])
    refused("E1403", "loop", None, None, F32, most=2, regions=swapped)
    short = body((I64, BOOL, F32), lambda turn, going, x: [going])
    refused("E1403", "loop", None, None, F32, most=2, regions=short)


def test_scans_that_are_refused() -> None:
    row, good = tensor("fp32", (3,)), lambda m: [((F32, F32), lambda c, x: [c, x])]
    for change in (
        {"carried": 2}, {"carried": -1}, {"axes": ()}, {"reverse": (2,)}, {"reverse": ()},
        {"out_axes": ()}, {"out_reverse": (-1,)},
    ):  # fmt: skip
        refused("E1401", "scan", F32, row, regions=good, **{"carried": 1, **PLAIN, **change})
    for change in ({"axes": (1,)}, {"axes": (-1,)}, {"out_axes": (1,)}, {"out_axes": (-1,)}):
        refused("E1403", "scan", F32, row, regions=good, **{"carried": 1, **PLAIN, **change})
    refused("E1403", "scan", F32, tensor("fp32", (3,), ("n0",)), regions=good, carried=1, **PLAIN)
    refused("E1403", "scan", tensor("fp16"), row, regions=good, carried=1, **PLAIN)
    refused("E1401", "scan", regions=good, carried=0, **PLAIN)
    two = {**PLAIN, "axes": (0, 0), "reverse": (0, 0), "out_axes": (), "out_reverse": ()}
    rows = row, tensor("fp32", (4,))
    refused(
        "E1403", "scan", *rows, regions=lambda m: [((F32, F32), lambda x, y: [])], carried=0, **two
    )
