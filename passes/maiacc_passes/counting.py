"""What a module does: multiplications and the bytes of its values, without running it."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_passes.ir.expand import expansion
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import Kind, operand_types


@dataclass
class Share:
    """What ops of one kind do: how many there are, multiply-adds, and the bytes of results."""

    ops: int = 0
    macs: int = 0
    bytes: int = 0


@dataclass
class Count:
    """What a module does. ``by_op`` is by the name of ops; ``weights`` are bytes of constants that
    ops use, ``peak`` the most bytes of values that exist at once when ops run in order."""

    by_op: dict[str, Share] = field(default_factory=dict)
    weights: int = 0
    inputs: int = 0
    outputs: int = 0
    peak: int = 0

    @property
    def macs(self) -> int:
        """All multiply-adds."""
        return sum(share.macs for share in self.by_op.values())

    @property
    def ops(self) -> int:
        """All ops."""
        return sum(share.ops for share in self.by_op.values())


class Counter:
    """Counts; expansions of composites are made once for each type of operands."""

    def __init__(self) -> None:
        self._macs: dict[tuple[object, ...], int] = {}

    def macs(self, op: Op) -> int:
        """Multiply-adds of contractions in an op, with all turns of its loops."""
        if op.row.macs is not None:
            return op.row.macs(op)
        if op.regions:
            turns = _turns(op)
            return turns * max(self.region(region) for region in op.regions)
        if op.row.kind is not Kind.COMPOSITE or op.row.expand is None:
            return 0
        key = op.name, tuple(operand_types(op)), tuple(op.attrs.items())
        found = self._macs.get(key)
        if found is None:
            found = self._macs[key] = self.region(expansion(op))
        return found

    def region(self, region: Region) -> int:
        """Multiply-adds of all ops of a region."""
        return sum(self.macs(op) for op in region)


def _turns(op: Op) -> int:
    """How many turns an op with regions takes at most."""
    if op.name == "loop":
        most: int = op.attrs["most"]
        return most
    if op.name == "scan":
        carried: int = op.attrs["carried"]
        scanned = op.operands[carried:]
        axes: tuple[int, ...] = op.attrs["axes"]
        if not scanned or scanned[0] is None:
            return 1
        return scanned[0].type.shape[axes[0] if axes else 0]
    return 1


def count(module: Module) -> Count:
    """What a module does."""
    counter, found = Counter(), Count()
    for op in module.main:
        if op.next is None:
            continue
        share = found.by_op.setdefault(op.name, Share())
        share.ops += 1
        share.macs += counter.macs(op)
        share.bytes += sum(value.type.bytes for value in op.results)
    found.weights = sum(w.type.bytes for w in module.weights.values() if w.value.uses)
    found.inputs = sum(value.type.bytes for value in module.main.params)
    found.outputs = sum(v.type.bytes for v in module.main.outputs if v is not None)
    found.peak = peak_bytes(module.main)
    return found


def peak_bytes(region: Region) -> int:
    """The most bytes of values that exist at once when the ops run in their order: parameters and
    results, each until its last use, also through views, which are no memory of their own."""
    last: dict[Value, Op] = {}
    for op in region:
        for inner in (op, *(x for r in op.regions for x in r.walk())):
            for value in inner.operands:
                if value is not None and _viewed(value).weight is None:
                    last[_viewed(value)] = op
    ends: dict[Op, int] = {}
    for value, op in last.items():
        ends[op] = ends.get(op, 0) + value.type.bytes
    now = peak = sum(value.type.bytes for value in region.params)
    for op in region:
        if op.row.kind is not Kind.VIEW:
            now += sum(value.type.bytes for value in op.results)
        peak = max(peak, now)
        now -= ends.get(op, 0)
    return peak


def _viewed(value: Value) -> Value:
    """What a view shows."""
    while value.op is not None and value.op.row.kind is Kind.VIEW:
        shown = value.op.operands[0]
        assert shown is not None
        value = shown
    return value
