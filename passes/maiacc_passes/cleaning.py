"""Dead code and common subexpressions.

Assumes: any legal module. Promises: all bits. In:

    %1 = exp(%0) : fp32[4]
    %2 = exp(%0) : fp32[4]
    %3 = neg(%0) : fp32[4]
    %4 = add(%1, %2) : fp32[4]
    return(%4)

Out:

    %1 = exp(%0) : fp32[4]
    %2 = add(%1, %1) : fp32[4]
    return(%2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.weights import Bytes, Data, Missing, Source, Splat

#: Constants in memory of up to so many bytes are compared by their bytes.
COMPARED = 1 << 16


@dataclass(frozen=True)
class DeadCode:
    """Erases pure ops whose results nobody uses, and constants that no op uses."""

    name: ClassVar[str] = "dce"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops went."""
        erased = sum(_swept(region) for region in _regions(module.main))
        module.drop_unused_weights()
        return erased


def _swept(region: Region) -> int:
    count = 0
    op = region.last
    while op is not None:
        before = op.previous
        if op.row.pure and not any(value.uses for value in op.results):
            op.erase()
            count += 1
        op = before
    return count


def _regions(main: Region) -> list[Region]:
    """All regions, inner ones first."""
    found = [main]
    for region in found:
        found += [inner for op in region for inner in op.regions]
    return found[::-1]


@dataclass(frozen=True)
class CommonSubexpressions:
    """Lets one op do what several ops of a region, or of regions around it, do alike; and one
    constant stand for equal ones."""

    name: ClassVar[str] = "cse"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops and constants went."""
        count = _shared_weights(module)
        known: dict[object, Op] = {}
        stack: list[tuple[Region, Op | None, list[object]]] = [(module.main, module.main.first, [])]
        while stack:
            region, op, added = stack.pop()
            while op is not None:
                following = op.next
                if op.regions:
                    stack.append((region, following, added))
                    stack += [(inner, inner.first, []) for inner in op.regions]
                    break
                if op.row.pure:
                    count += _shared(op, known, added)
                op = following
            else:
                for key in added:
                    del known[key]
        return count


def _shared(op: Op, known: dict[object, Op], added: list[object]) -> int:
    operands = op.operands
    if op.row.commutes and len(operands) == 2:
        operands = tuple(sorted(operands, key=id))
    key = op.name, operands, tuple(op.attrs.values())
    first = known.get(key)
    if first is None:
        known[key] = op
        added.append(key)
        return 0
    first.location = first.location.merged(op.location)
    op.replace(first.results)
    return 1


def _shared_weights(module: Module) -> int:
    known: dict[object, Value] = {}
    count = 0
    for name, weight in list(module.weights.items()):
        key = _identity(weight.source)
        if key is None:
            continue
        first = known.setdefault((weight.type, key), weight.value)
        if first is not weight.value:
            weight.value.replace(first)
            del module.weights[name]
            count += 1
    return count


def _identity(source: Source) -> object | None:
    """What tells a constant from others of its type; None if that would cost too much."""
    if isinstance(source, Splat):
        return "splat", source.value.tobytes()
    if isinstance(source, Bytes | Missing):
        return source
    if isinstance(source, Data):
        if source.value.nbytes <= COMPARED:
            return "data", source.value.tobytes()
        return "array", source.value.__array_interface__["data"][0]
    return None
