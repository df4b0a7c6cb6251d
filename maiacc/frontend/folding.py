"""Computing what needs nothing but constants while a model is imported: shape arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from maiacc.frontend.limits import Allowance, room
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.types import element_of, tensor
from maiacc_passes.ir.weights import Data

#: Quantised constants of more bytes, once they are floats, stay quantised.
WIDENED = 4096

#: Results of up to so many bytes are computed; larger ones are left to passes.
LIMIT = 1 << 20

#: So are loops that take more turns.
TURNS = 1 << 12

#: Constants that are computed take so many bytes altogether; then only small ones are computed.
MEMORY, SMALL = 1 << 28, 1 << 8

#: Kinds of ops whose work is in proportion to their operands and results. Of the others only those
#: are computed whose operands and results have at most so many bytes.
_CHEAP = frozenset({Kind.MAP, Kind.REDUCE, Kind.VIEW, Kind.MOVE, Kind.GATHER, Kind.SCATTER,
                    Kind.MAKE, Kind.CONTROL})  # fmt: skip
COSTLY = 1 << 12


def folded(
    module: Module,
    region: Region,
    last: Op | None,
    outputs: Sequence[Value | None],
    limit: int = LIMIT,
) -> Sequence[Value | None]:
    """The outputs of the ops behind ``last`` as constants, if all of these ops need nothing but
    constants and are small, ``limit`` bytes at most; the outputs as they are otherwise."""
    new = list(_after(region, last))
    made = {value for op in new for value in op.results}
    if not new or not all(_foldable(op, made, limit) for op in new):
        return outputs
    run = Run(turns=TURNS)
    try:
        for op in new:
            run.values.update(zip(op.results, run.results(op), strict=True))
    except IRError as problem:
        if problem.code != "E1408":
            raise
        return outputs
    found = [
        value if value is None or value not in made else _constant(module, value, run)
        for value in outputs
    ]
    for op in reversed(new):
        for value in op.results:
            value.uses = {}
        op.erase()
    return found


def origins(module: Module, value: Value, looks: Allowance) -> list[str]:
    """The inputs of a model that a value depends on, in their order; none if it takes more looks at
    values than there are left."""
    seen: set[Value] = set()
    todo = [value]
    while todo:
        looks.left -= 1
        if looks.left < 0:
            return []
        at = todo.pop()
        if at in seen or at.op is None:
            seen.add(at)
            continue
        seen.add(at)
        ops = [at.op, *(op for region in at.op.regions for op in region.walk())]
        todo += [x for op in ops for x in op.operands if x is not None]
    params = module.main.params
    return [name for name, x in zip(module.inputs, params, strict=True) if x in seen]


def _constant(module: Module, value: Value, run: Run) -> Value:
    """What was computed. Of bounded dimensions it has what exists."""
    array, symbols = run.values[value], list(value.type.counts)
    for axis, symbol in enumerate(symbols):
        if symbol in run.counts:
            array = np.take(array, np.arange(run.counts[symbol]), axis)
            symbols[axis] = None
    kind = tensor(element_of(array.dtype).name, array.shape, tuple(symbols))
    return module.add_weight("c", kind, Data(array))


def _after(region: Region, last: Op | None) -> Iterator[Op]:
    op = region.first if last is None else last.next
    while op is not None:
        yield op
        op = op.next


def _foldable(op: Op, made: set[Value], limit: int) -> bool:
    """Whether an op, with those in its regions, is small and needs nothing but constants and what
    is made already."""
    inner = [x for region in op.regions for x in region.walk()]
    regions = [region for x in (op, *inner) for region in x.regions]
    known = made.union(*(region.params for region in regions), *(x.results for x in inner))
    small = all(_small(x, limit) for x in (op, *inner))
    # Weights stay as narrow as the model has them.
    if op.name == "dequantize" and op.result.type.bytes > WIDENED:
        return False
    pure = op.row.pure and all(x.row.pure or x.name == "yield" for x in inner)
    inputs = [value for x in (op, *inner) for value in x.operands if value is not None]
    return pure and small and all(x in known or x.weight is not None for x in inputs)


def _small(op: Op, limit: int) -> bool:
    """Whether an op can be computed in no time."""
    most = limit if op.row.kind in _CHEAP else min(limit, COSTLY)
    values = (*op.results, *op.operands)
    return all(value is None or room(value.type) <= most for value in values)
