"""Ops that hand values out of regions, and ops with regions: choice and repetition.

Regions may use values from around them. What they hand out has the same types in every turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Region
from maiacc_passes.ir.rules import check_axis, sized, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types, region_types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


def _nothing(attrs: Attrs, types: Types) -> Sequence[Type]:
    return ()


def _differ(what: str, wanted: Sequence[Type], found: Sequence[Type]) -> IRError:
    lists = [", ".join(map(str, kinds)) or "none" for kinds in (wanted, found)]
    return IRError("E1403", what, expected=lists[0], found=lists[1])


def _check_params(region: Region, kinds: Sequence[Type], name: str) -> None:
    """Raises ``IRError`` E1403 unless the parameters of a region have these types."""
    found = [value.type for value in region.params]
    if found != list(kinds):
        raise _differ(f"parameters of {name}", kinds, found)


def _yielded(region: Region, kinds: Sequence[Type], name: str) -> list[Type]:
    """The types that a region hands out behind those that it has to begin with. Raises ``IRError``
    E1403."""
    found = region_types(region)
    if region.last is None or region.last.name != "yield" or len(found) != len(region.outputs):
        raise IRError("E1403", f"{name} does not end with yield of values")
    if found[: len(kinds)] != list(kinds):
        raise _differ(f"what {name} hands out", kinds, found)
    return found[len(kinds) :]


# ---- if -------------------------------------------------------------------------------------
def _if_rule(attrs: Attrs, types: Types, regions: Sequence[Region]) -> Sequence[Type]:
    if types[0] is not tensor("bool"):
        raise wrong("the condition of if", types[0], expected="bool[]")
    then, other = regions
    for region, name in ((then, "the first branch"), (other, "the second branch")):
        _check_params(region, (), name)
    found = _yielded(then, (), "the first branch")
    if _yielded(other, found, "the second branch"):
        raise IRError("E1403", "the second branch hands out more than the first one")
    return found


def _if(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    return run.region(op.regions[0 if arrays[0] else 1], ())


# ---- loop -----------------------------------------------------------------------------------
def _loop_rule(attrs: Attrs, types: Types, regions: Sequence[Region]) -> Sequence[Type]:
    trip, condition = (*types[:2], None, None)[:2]
    carried = [kind for kind in types[2:] if kind is not None]
    if trip not in (None, tensor("int64")) or condition not in (None, tensor("bool")):
        raise wrong("trip count and condition", *types[:2], expected="int64[], bool[]")
    (body,) = regions
    _check_params(body, [tensor("int64"), tensor("bool"), *carried], "the body of loop")
    stacks = _yielded(body, [tensor("bool"), *carried], "the body of loop")
    most, symbol = attrs["most"], attrs["symbol"] or None
    if most < 0:
        raise IRError("E1401", "attribute most", expected="a number from 0 on", found=str(most))
    count = [tensor("int64")] if symbol else []
    return [*carried, *(_stacked(kind, 0, most, symbol) for kind in stacks), *count]


def _stacked(kind: Type, axis: int, size: int, symbol: str | None = None) -> Type:
    """The type of several tensors side by side along a new axis."""
    if not 0 <= axis <= kind.rank:
        raise wrong(f"there is no place for axis {axis}", kind, expected=f"0 to {kind.rank}")
    shape = (*kind.shape[:axis], size, *kind.shape[axis:])
    counts = kind.counts or (None,) * kind.rank
    return sized(kind.dtype, shape, (*counts[:axis], symbol, *counts[axis:]), kind)


def _loop(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    trip, condition = (*arrays[:2], None, None)[:2]
    carried, most = list(arrays[2:]), op.attrs["most"]
    turn, going = 0, condition is None or bool(condition)
    end = most if trip is None else int(trip)
    symbol = bool(op.attrs["symbol"])
    stacks = op.results[len(carried) : len(op.results) - symbol]
    filled = [np.zeros(x.type.shape, run.numpy(x.type.element)) for x in stacks]
    while going and (turn < end or trip is None):
        if turn == most:
            raise IRError("E1408", f"a loop takes more than {most} turns", expected=str(most))
        run.spend_turn()
        start = [np.array(turn, np.int64), np.array(True), *carried]
        ends, *found = run.region(op.regions[0], start)
        carried, rows = found[: len(carried)], found[len(carried) :]
        for stack, row in zip(filled, rows, strict=True):
            stack[turn] = row
        turn, going = turn + 1, bool(ends)
    if filled and not symbol and turn != most:
        raise IRError("E1408", f"a loop takes {turn} turns", expected=f"{most} turns, always")
    return [*carried, *filled, *([np.array(turn, np.int64)] if symbol else [])]


# ---- scan -----------------------------------------------------------------------------------
def _flags(attrs: Attrs, name: str, count: int) -> None:
    values = attrs[name]
    if len(values) != count or any(value not in (0, 1) for value in values):
        found = str(list(values))
        raise IRError("E1401", f"attribute {name}", expected=f"{count} times 0 or 1", found=found)


def _count(name: str, values: Sequence[int], wanted: int) -> IRError:
    found = str(list(values))
    return IRError("E1401", f"attribute {name}", expected=f"{wanted} numbers", found=found)


def _scan_rule(attrs: Attrs, types: Types, regions: Sequence[Region]) -> Sequence[Type]:
    kinds = [kind for kind in types if kind is not None]
    count = attrs["carried"]
    if not 0 <= count < len(kinds):
        expected = f"0 to {len(kinds) - 1}"
        raise IRError("E1401", "attribute carried", expected=expected, found=str(count))
    carried, scanned = kinds[:count], kinds[count:]
    axes = attrs["axes"]
    if len(axes) != len(scanned):
        raise _count("axes", axes, len(scanned))
    _flags(attrs, "reverse", len(scanned))
    lengths = [whole(k, check_axis(a, k), "scan") for k, a in zip(scanned, axes, strict=True)]
    if len(set(lengths)) > 1:
        raise wrong(f"lengths along the axes {list(axes)} differ", *scanned)
    slices = [_without(k, a) for k, a in zip(scanned, axes, strict=True)]
    (body,) = regions
    _check_params(body, [*carried, *slices], "the body of scan")
    outs = _yielded(body, carried, "the body of scan")
    if len(attrs["out_axes"]) != len(outs):
        raise _count("out_axes", attrs["out_axes"], len(outs))
    _flags(attrs, "out_reverse", len(outs))
    joined = zip(outs, attrs["out_axes"], strict=True)
    return [*carried, *(_stacked(kind, axis, lengths[0]) for kind, axis in joined)]


def _without(kind: Type, axis: int) -> Type:
    counts = kind.counts[:axis] + kind.counts[axis + 1 :]
    return tensor(kind.dtype, kind.shape[:axis] + kind.shape[axis + 1 :], counts)


def _turns(x: Array, axis: int, backwards: int) -> Array:
    """A view whose first axis counts turns."""
    moved = np.moveaxis(x, axis, 0)
    return moved[::-1] if backwards else moved


def _scan(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    attrs: Attrs = op.attrs
    count = attrs["carried"]
    carried = list(arrays[:count])
    scanned = [
        _turns(x, axis, back)
        for x, axis, back in zip(arrays[count:], attrs["axes"], attrs["reverse"], strict=True)
    ]
    outs = [
        np.zeros(value.type.shape, run.numpy(value.type.element)) for value in op.results[count:]
    ]
    filled = [
        _turns(x, axis, back)
        for x, axis, back in zip(outs, attrs["out_axes"], attrs["out_reverse"], strict=True)
    ]
    for turn, slices in enumerate(_rows(scanned)):
        run.spend_turn()
        found = run.region(op.regions[0], [*carried, *slices])
        carried = found[:count]
        for stack, row in zip(filled, found[count:], strict=True):
            stack[turn] = row
    return [*carried, *outs]


def _rows(arrays: Sequence[Array]) -> Iterator[list[Array]]:
    # An index gives a scalar, not an array, where there is one axis only.
    for turn in range(len(arrays[0])):
        yield [np.asarray(x[turn]) for x in arrays]


# ---- group ----------------------------------------------------------------------------------
def _group_rule(attrs: Attrs, types: Types, regions: Sequence[Region]) -> Sequence[Type]:
    (body,) = regions
    _check_params(body, [kind for kind in types if kind is not None], "the body of group")
    return _yielded(body, (), "the body of group")


def _group(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    return run.region(op.regions[0], arrays)


# ---- rows -----------------------------------------------------------------------------------
def _end(name: str, doc: str) -> Row:
    return Row(name, Kind.CONTROL, ("values*",), {}, _nothing, doc, pure=False)


_INTS = Attr("ints")

ROWS = (
    _end("return", "Hands out the outputs of the model."),
    _end("yield", "Hands out the results of a region."),
    Row(
        "group",
        Kind.CONTROL,
        ("inputs*",),
        {},
        _group_rule,
        "What its region makes of the inputs: ops that one kernel executes.",
        _group,
        compute="raw",
        regions=1,
    ),
    Row(
        "if",
        Kind.CONTROL,
        ("condition",),
        {},
        _if_rule,
        "What the first region hands out if the condition holds, else what the second one does.",
        _if,
        compute="raw",
        regions=2,
    ),
    Row(
        "loop",
        Kind.CONTROL,
        ("trip?", "condition?", "carried*"),
        {"most": Attr("int"), "symbol": Attr("str", "")},
        _loop_rule,
        "Turns of a region (turn, condition, carried ...) -> condition, carried ..., stacked ...: "
        "as many as trip says, as long as the condition holds, which it does to begin with if it "
        "is left out. Gives the last carried values and what was stacked, room for most turns; "
        "with a symbol, which bounds that room, also the number of turns. More than most turns "
        "are an error, and so are fewer if something is stacked without a symbol.",
        _loop,
        compute="raw",
        regions=1,
    ),
    Row(
        "scan",
        Kind.CONTROL,
        ("inputs*",),
        {
            "carried": Attr("int"),
            "axes": _INTS,
            "reverse": _INTS,
            "out_axes": _INTS,
            "out_reverse": _INTS,
        },
        _scan_rule,
        "Turns of a region (carried ..., slices ...) -> carried ..., outs ..., one for each index "
        "along axes of the inputs behind the carried ones. Gives the last carried values, and "
        "outs side by side along out_axes. Where a reverse is 1, turns go from the end.",
        _scan,
        compute="raw",
        regions=1,
    ),
)
