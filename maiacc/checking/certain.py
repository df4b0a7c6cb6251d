"""What a module does whatever its data are: a bound on its time may count nothing else."""

from __future__ import annotations

from maiacc_passes.counting import Counter
from maiacc_passes.ir.graph import Module, Op, Region, Value, Weight
from maiacc_passes.ir.weights import Missing

#: Ops that read of their first operand no more than they return.
LOOKUPS = ("gather", "gather_elements", "gather_nd", "slice")


def certain_macs(module: Module) -> int:
    """Multiply-adds that no data can avoid: of branches the cheapest, of loops the turns that are
    sure."""
    return _of_region(Counter(), module.main)


def _of_region(counter: Counter, region: Region) -> int:
    return sum(_of_op(counter, op) for op in region)


def _of_op(counter: Counter, op: Op) -> int:
    if not op.regions:
        return counter.macs(op)
    if op.name == "if":
        return min(_of_region(counter, region) for region in op.regions)
    if op.name == "loop":
        return _turns(op) * _of_region(counter, op.regions[0])
    whole = sum(counter.region(region) for region in op.regions)
    turns = counter.macs(op) // whole if whole else 0
    return turns * sum(_of_region(counter, region) for region in op.regions)


def _turns(op: Op) -> int:
    """The turns that a loop takes for sure: all if their number is known and nothing ends it."""
    trip, start = op.operands[:2]
    going = op.regions[0].outputs[0]
    if trip is None or not _constant(trip) or not _holds(start) or not _holds(going):
        return 0
    most: int = op.attrs["most"]
    return most


def _constant(value: Value) -> bool:
    return value.weight is not None


def _holds(value: Value | None) -> bool:
    """Whether a condition is constant and true; none at all is, too."""
    if value is None:
        return True
    if value.weight is None or isinstance(value.weight.source, Missing):
        return False
    return bool(value.weight.source.array(value.type).all())


def weight_bytes_read(module: Module) -> int:
    """Bytes of constants that are read at least: of a table that is only looked up in, the rows."""
    return sum(_read(weight) for weight in module.weights.values() if weight.value.uses)


def _read(weight: Weight) -> int:
    whole = weight.type.bytes
    for op, count in weight.value.uses.items():
        if op.name not in LOOKUPS or op.operands[0] is not weight.value or count > 1:
            return whole
    return min(whole, sum(op.result.type.bytes for op in weight.value.uses))
