"""Computing what needs nothing but constants while a model is imported: shape arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.types import element_of, tensor
from maiacc_passes.ir.weights import Data

#: Results of up to so many bytes are computed; larger ones are left to passes.
LIMIT = 1 << 20


def folded(
    module: Module, region: Region, last: Op | None, outputs: Sequence[Value | None]
) -> Sequence[Value | None]:
    """The outputs of the ops behind ``last`` as constants, if all of these ops need nothing but
    constants and are small; the outputs as they are otherwise."""
    new = list(_after(region, last))
    made = {value for op in new for value in op.results}
    if not new or not all(_foldable(op, made) for op in new):
        return outputs
    run = Run()
    for op in new:
        run.values.update(zip(op.results, run.results(op), strict=True))
    found = [
        value if value is None or value not in made else _constant(module, value, run)
        for value in outputs
    ]
    for op in reversed(new):
        for value in op.results:
            value.uses = {}
        op.erase()
    return found


def _constant(module: Module, value: Value, run: Run) -> Value:
    array = run.values[value]
    kind = tensor(element_of(array.dtype).name, array.shape, value.type.counts)
    return module.add_weight("c", kind, Data(array))


def _after(region: Region, last: Op | None) -> Iterator[Op]:
    op = region.first if last is None else last.next
    while op is not None:
        yield op
        op = op.next


def _foldable(op: Op, made: set[Value]) -> bool:
    small = sum(value.type.bytes for value in op.results) <= LIMIT
    inputs = [value for value in op.operands if value is not None]
    constant = all(x in made or (x.weight is not None and x.type.bytes <= LIMIT) for x in inputs)
    return op.row.pure and not op.regions and small and constant
