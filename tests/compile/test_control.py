"""Choices and repetitions: every form of if, loop and scan, on the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from compile.built import built, kind, some
from compile.checks import Case, checked
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module, Region, Value
from maiacc_passes.ir.types import Type, tensor
from maiacc_sim.simulate import Options, simulate
from maiacc_sim.traps import Trap

TARGETS = ("mini", "maia200")
I64, BOOL, F32 = tensor("int64"), tensor("bool"), tensor("fp32")

#: Values that a region hands out, of its parameters.
Ends = Callable[..., Sequence[Value]]


def region(b: Builder, kinds: Sequence[Type], ends: Ends) -> Region:
    """A region with parameters of some types."""
    made = Region(kinds)
    with b.inside(made):
        finish(b, ends(*made.params), "yield")
    return made


def case(module: Module, *arrays: Any, target: str = "mini") -> Case:
    """What the machine makes of arrays, and whether it is the same."""
    inputs = dict(zip(module.inputs, map(np.asarray, arrays), strict=True))
    found = checked(module, target, inputs)
    assert found.same(), (found.found, found.wanted)
    return found


# ---- if -------------------------------------------------------------------------------------
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("condition", [True, False])
def test_one_of_two_branches_is_taken(target: str, condition: bool) -> None:
    def body(b: Builder, c: Value, x: Value) -> Sequence[Value]:
        then = region(b, (), lambda: [b("relu", x), x])
        other = region(b, (), lambda: [b("neg", x), b("mul", x, x)])
        return b.many("if", c, regions=(then, other))

    module = built(body, BOOL, kind("fp32", 3, 41))
    case(module, condition, some("fp32", 3, 41), target=target)


@pytest.mark.parametrize("x", [5.0, -5.0])
def test_conditions_that_are_computed_and_branches_in_branches(x: float) -> None:
    def body(b: Builder, x: Value) -> Sequence[Value]:
        zero = b.constant(0, "fp32")

        def deep() -> Sequence[Value]:
            again = b("lt", b("add", x, x), b.constant(7, "fp32"))
            one = region(b, (), lambda: [b("mul", x, x), x])
            two = region(b, (), lambda: [b("abs", x), zero])
            return b.many("if", again, regions=(one, two))

        other = region(b, (), lambda: [x, x])
        return b.many("if", b("lt", zero, x), regions=(region(b, (), deep), other))

    case(built(body, F32), np.float32(x))


def test_a_choice_in_every_turn() -> None:
    def body(b: Builder, x: Value, flags: Value) -> Sequence[Value]:
        def step(h: Value, flag: Value) -> Sequence[Value]:
            then = region(b, (), lambda: [b("add", h, x)])
            other = region(b, (), lambda: [b("mul", h, b.constant(2, "fp32"))])
            h = b("if", flag, regions=(then, other))
            return [h, h]

        regions = (region(b, (kind("fp32", 5), BOOL), step),)
        options = {"axes": (0,), "reverse": (0,), "out_axes": (1,), "out_reverse": (1,)}
        return b.many("scan", x, flags, carried=1, regions=regions, **options)

    module = built(body, kind("fp32", 5), kind("bool", 6))
    case(module, some("fp32", 5), np.array([1, 0, 0, 1, 1, 0], np.bool_))


# ---- scan -----------------------------------------------------------------------------------
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("backwards", [0, 1])
def test_scans_along_every_axis(target: str, axis: int, backwards: int) -> None:
    def body(b: Builder, h: Value, x: Value) -> Sequence[Value]:
        def step(h: Value, x: Value) -> Sequence[Value]:
            after = b("add", h, b("mul", x, x))
            return [after, b("sub", x, h)]

        flags = {"reverse": (backwards,), "out_reverse": (1 - backwards,)}
        regions = (region(b, (h.type, h.type), step),)
        return b.many(
            "scan", h, x, carried=1, axes=(axis,), out_axes=(axis,), regions=regions, **flags
        )

    shape = [3, 7]
    shape.insert(axis, 4)
    module = built(body, kind("fp32", 3, 7), kind("fp32", *shape))
    case(module, some("fp32", 3, 7), some("fp32", *shape), target=target)


@pytest.mark.parametrize("length", [0, 1, 5])
def test_carried_values_that_change_places(length: int) -> None:
    """What is carried in one place goes on in another; some does not change at all."""

    def body(b: Builder, *values: Value) -> Sequence[Value]:
        def step(p: Value, q: Value, r: Value, s: Value, x: Value) -> Sequence[Value]:
            return [q, r, p, s, q, p, s]

        options = {"axes": (0,), "reverse": (0,), "out_axes": (0, 0, 0), "out_reverse": (0, 0, 1)}
        regions = (region(b, (*[kind("fp32", 3)] * 4, F32), step),)
        return b.many("scan", *values, carried=4, regions=regions, **options)

    module = built(body, *[kind("fp32", 3)] * 4, kind("fp32", length))
    case(module, *(some("fp32", 3, seed=n) for n in range(4)), some("fp32", length))


@pytest.mark.parametrize("dtype", ["bf16", "fp16", "int8", "uint8", "int32", "int64", "bool"])
def test_rows_of_all_types(dtype: str) -> None:
    def body(b: Builder, h: Value, x: Value) -> Sequence[Value]:
        def step(h: Value, x: Value) -> Sequence[Value]:
            name = "xor" if dtype == "bool" else "add"
            return [b(name, h, x), x, h]

        options = {"axes": (1,), "reverse": (0,), "out_axes": (0, 1), "out_reverse": (1, 0)}
        regions = (region(b, (h.type, h.type), step),)
        return b.many("scan", h, x, carried=1, regions=regions, **options)

    module = built(body, kind(dtype, 9), kind(dtype, 9, 4))
    case(module, some(dtype, 9), some(dtype, 9, 4))


def test_rows_of_half_bytes_are_refused_by_name() -> None:
    def body(b: Builder, x: Value) -> Sequence[Value]:
        options = {"axes": (0,), "reverse": (0,), "out_axes": (0,), "out_reverse": (0,)}
        regions = (region(b, (kind("int4", 3),), lambda x: [x]),)
        return b.many("scan", x, carried=0, regions=regions, **options)

    with pytest.raises(IRError) as problem:
        checked(built(body, kind("int4", 2, 3)))
    assert problem.value.code == "E1505"


@pytest.mark.parametrize("target", TARGETS)
def test_loops_in_loops_that_use_what_is_around_them(target: str) -> None:
    def body(b: Builder, x: Value, w: Value) -> Sequence[Value]:
        def inner(h: Value, row: Value) -> Sequence[Value]:
            return [b("add", h, b("mul", row, w)), h]

        def outer(h: Value, rows: Value) -> Sequence[Value]:
            regions = (region(b, (kind("fp32", 4), kind("fp32", 4)), inner),)
            h, stacked = b.many(
                "scan",
                h,
                b("add", rows, h),
                carried=1,
                axes=(0,),
                reverse=(1,),
                out_axes=(0,),
                out_reverse=(0,),
                regions=regions,
            )
            return [h, stacked]

        options = {"axes": (1,), "reverse": (0,), "out_axes": (2,), "out_reverse": (0,)}
        regions = (region(b, (kind("fp32", 4), kind("fp32", 2, 4)), outer),)
        return b.many("scan", w, x, carried=1, regions=regions, **options)

    module = built(body, kind("fp32", 2, 3, 4), kind("fp32", 4))
    case(module, some("fp32", 2, 3, 4), some("fp32", 4, low=-1, high=3), target=target)


# ---- loop -----------------------------------------------------------------------------------
def counted(
    most: int, trip: int | str | None, begins: bool, stop: float | None, symbol: bool = True
) -> Module:
    """A loop that doubles a value. Its trip count is known, an input ("in") or missing, its
    condition an input if ``begins``; it ends once the value reaches ``stop``."""

    def body(b: Builder, x: Value, *given: Value) -> Sequence[Value]:
        rest = list(given)
        count = rest.pop(0) if trip == "in" else None
        if isinstance(trip, int):
            count = b.constant(trip, "int64")

        def step(turn: Value, going: Value, v: Value) -> Sequence[Value]:
            after = b("add", v, v)
            ends = going if stop is None else b("lt", after, b.constant(stop, "fp32"))
            row = b("add", b("cvt", turn, to="fp32"), after)
            return [ends, after, row]

        name = b.module.add_bound(most) if symbol else ""
        first = rest.pop(0) if begins else None
        regions = (region(b, (I64, BOOL, F32), step),)
        return b.many("loop", count, first, x, most=most, symbol=name, regions=regions)

    kinds = [F32, *([I64] if trip == "in" else []), *([BOOL] if begins else [])]
    return built(body, *kinds)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("trip", [-3, 0, 1, 4, 5])
def test_trip_counts_that_are_loaded(target: str, trip: int) -> None:
    module = counted(5, "in", False, None)
    case(module, np.float32(1), np.int64(trip), target=target)


def test_known_trip_counts() -> None:
    case(counted(3, 3, False, None, symbol=False), np.float32(1))
    case(counted(5, 3, False, None), np.float32(1))
    case(counted(5, 0, False, None), np.float32(1))
    case(counted(0, 0, False, None), np.float32(1))
    case(counted(5, 1 << 40, False, 6.0), np.float32(1))


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize("stop", [0.0, 6.0, 60.0])
def test_conditions_end_loops(begins: bool, stop: float) -> None:
    case(counted(9, None, True, stop), np.float32(1), begins)
    case(counted(9, 3, True, stop), np.float32(1), begins)
    case(counted(9, "in", True, stop), np.float32(1), np.int64(1 << 50), begins)


def test_too_many_turns_trap_and_so_do_too_few_where_all_are_stacked() -> None:
    many = case(counted(4, "in", False, None), np.float32(1), np.int64(4))
    few = case(counted(4, "in", False, 1e9, symbol=False), np.float32(1), np.int64(4))
    for found, trip in ((many, 5), (few, 3)):
        inputs = {"x0": np.array(1, np.float32), "x1": np.array(trip)}
        with pytest.raises(Trap):
            simulate(found.compiled.program, inputs, options=Options(engine="native"))


def test_a_condition_that_is_carried_counts_before_it_changes() -> None:
    def body(b: Builder, go: Value) -> Sequence[Value]:
        def step(turn: Value, going: Value, flag: Value) -> Sequence[Value]:
            return [flag, b("not", flag), turn]

        symbol = b.module.add_bound(7)
        regions = (region(b, (I64, BOOL, BOOL), step),)
        return b.many("loop", None, None, go, most=7, symbol=symbol, regions=regions)

    case(built(body, BOOL), True)
    case(built(body, BOOL), False)


def test_both_simulators_agree() -> None:
    found = case(counted(6, "in", True, 30.0), np.float32(1), np.int64(5), True)
    inputs = {"x0": np.array(1, np.float32), "x1": np.array(5), "x2": np.array(True)}
    options = Options(engine="reference")
    again = simulate(found.compiled.program, inputs, options=options)
    for name, array in found.found.items():
        np.testing.assert_array_equal(again.outputs[name], array)
    assert again.cycles == found.result.cycles


@pytest.mark.parametrize("depth", [7, 8])
def test_how_deep_loops_nest(depth: int) -> None:
    def body(b: Builder, x: Value) -> Value:
        def nested(level: int, x: Value) -> Value:
            if not level:
                return b("add", x, b.constant(1, "fp32"))
            step = region(b, (I64, BOOL, F32), lambda _, go, v: [go, nested(level - 1, v)])
            return b("loop", b.constant(2, "int64"), None, x, most=2, regions=(step,))

        return nested(depth, x)

    module = built(body, F32)
    if depth == 7:
        assert case(module, np.float32(0)).found["y0"] == 2**7
        return
    with pytest.raises(IRError) as problem:
        checked(module)
    assert problem.value.code == "E1505"
