"""Recipes for ops with regions."""

from __future__ import annotations

from collections.abc import Sequence

from ir.growing import Grower, NotNowError, recipe
from maiacc_passes.ir.graph import Op, Region, Value
from maiacc_passes.ir.types import Type, tensor

#: Ops of a region, at most.
_SIZE = 5


def _some(g: Grower, kind: Type) -> Value:
    """A value of a type at the end of a region: one from inside or outside, or a weight."""
    there = [value for value in g.pool if value.type is kind]
    if there:
        return g.rng.choice(there[-4:])
    return g.weight(kind.dtype, kind.shape)


def _carried(g: Grower) -> list[Value]:
    """Values that a region gives back changed."""
    plain = [value for value in g.pool if not value.type.counts]
    return g.rng.sample(plain, min(len(plain), g.rng.randint(0, 2)))


def _outs(g: Grower) -> list[Value]:
    """Values that a region hands out, whatever their types."""
    plain = [value for value in g.pool if not value.type.counts and value.type.size <= 30]
    return g.rng.sample(plain, min(len(plain), g.rng.randint(0, 2)))


@recipe("if")
def _if(g: Grower) -> Op:
    condition = g.value("bool", ())
    kinds: list[Type] = []

    def first(region: Region) -> Sequence[Value]:
        outs = [g.pick(lambda kind: not kind.counts) for _ in range(g.rng.randint(0, 3))]
        kinds.extend(value.type for value in outs)
        return outs

    then = g.region((), g.rng.randint(0, _SIZE), first)
    other = g.region((), g.rng.randint(0, _SIZE), lambda region: [_some(g, kind) for kind in kinds])
    return g.b.op("if", condition, regions=[then, other])


@recipe("group")
def _group(g: Grower) -> Op:
    inputs = _carried(g)
    body = g.region(
        [value.type for value in inputs], g.rng.randint(0, _SIZE), lambda region: _outs(g)
    )
    return g.b.op("group", *inputs, regions=[body])


@recipe("loop")
def _loop(g: Grower) -> Op:
    carried = _carried(g)
    turns = g.rng.randint(0, 3)
    trip = g.b.constant(turns, "int64") if g.flip(0.8) else None
    going = g.value("bool", ()) if g.flip(0.3) else None
    kinds = [value.type for value in carried]
    bounded = going is not None or trip is None
    symbol = g.module.add_bound(turns) if bounded or g.flip(0.3) else ""

    def ends(region: Region) -> Sequence[Value]:
        # Without a trip count the loop goes on for ever, unless its body says that it ends.
        again = g.b.constant(False, "bool") if trip is None else region.params[1]
        return [again, *(_some(g, kind) for kind in kinds), *_outs(g)]

    if trip is None and turns == 0:
        raise NotNowError
    params = [tensor("int64"), tensor("bool"), *kinds]
    body = g.region(params, g.rng.randint(0, _SIZE), ends)
    return g.b.op("loop", trip, going, *carried, regions=[body], most=turns, symbol=symbol)


@recipe("scan")
def _scan(g: Grower) -> Op:
    carried = _carried(g)
    first = g.pick(lambda kind: kind.rank > 0 and not kind.counts)
    axis = g.axis(first)
    scanned, axes = [first], [axis]
    if g.flip(0.4):
        length = first.type.shape[axis]
        scanned.append(g.value("fp32", (2, length)))
        axes.append(1)
    kinds = [value.type for value in carried]
    slices = [
        tensor(x.type.dtype, x.type.shape[:a] + x.type.shape[a + 1 :])
        for x, a in zip(scanned, axes, strict=True)
    ]
    outs: list[Value] = []

    def ends(region: Region) -> Sequence[Value]:
        outs.extend(_outs(g))
        return [*(_some(g, kind) for kind in kinds), *outs]

    body = g.region([*kinds, *slices], g.rng.randint(0, _SIZE), ends)
    return g.b.op(
        "scan",
        *carried,
        *scanned,
        regions=[body],
        carried=len(carried),
        axes=tuple(axes),
        reverse=tuple(g.rng.randint(0, 1) for _ in scanned),
        out_axes=tuple(g.rng.randint(0, value.type.rank) for value in outs),
        out_reverse=tuple(g.rng.randint(0, 1) for _ in outs),
    )
