"""The bytes of its memories that a program may touch: tensors, buffers, what descriptors show."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_isa.tables import Descriptor
from maiacc_sim.system import System
from maiacc_sim.traps import Stopped

Span = tuple[int, int]


def spans_of(program: Program, space: str) -> list[Span]:
    """The parts of a memory that a program may touch: tensors, buffers, what descriptors show."""
    chips, most = program.machine.chips, program.machine.space_bytes(space)
    spans = [(t.base, t.base + t.bytes(chips)) for t in program.tensors if space == "hbm"]
    for block in program.blocks:
        spans += [(b.base, b.end) for b in block.buffers if b.space == space]
        spans += [_shown(d) for d in block.descriptors if d.space == space]
    inside = sorted((max(0, a), min(b, most)) for a, b in spans)
    joined: list[Span] = []
    for a, b in inside:
        if a >= b:
            continue
        if joined and a <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(b, joined[-1][1])
        else:
            joined.append((a, b))
    return joined


def _shown(d: Descriptor) -> Span:
    """The bytes of the box of a descriptor, without what byte terms add."""
    t = load().dtypes[d.dtype]
    unit = 1 if t.packed else 8
    low = high = d.base * 8
    for axis in d.axes:
        reach = axis.stride * unit * (axis.extent - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    return low // 8, -(-(high + t.bits) // 8)


def own_spans(program: Program) -> dict[Span, str]:
    """The tensors that no other overlaps, by their bytes, and of which kind they are."""
    chips = program.machine.chips
    most = program.machine.space_bytes("hbm")
    spans = sorted((t.base, t.base + t.bytes(chips), t.kind) for t in program.tensors)
    spans = [span for span in spans if span[0] < span[1]]
    found = {}
    reach = 0
    for number, (start, end, kind) in enumerate(spans):
        following = spans[number + 1][0] if number + 1 < len(spans) else most
        if reach <= start and end <= min(following, most):
            found[start, end] = kind
        reach = max(reach, end)
    return found


def cut(spans: list[Span], at: list[Span]) -> list[Span]:
    """Spans cut so that some parts of them are spans of their own."""
    edges = sorted({edge for span in at for edge in span})
    found = []
    for start, end in spans:
        inner = edges[bisect_right(edges, start) : bisect_left(edges, end)]
        found += list(pairwise([start, *inner, end]))
    return found


def check_budget(program: Program, system: System, limit: int | None) -> None:
    """Refuses a program whose memories would not fit what a run may use; weights are left in their
    files and do not count. Raises ``Stopped``."""
    if limit is None:
        return
    chips = program.machine.chips
    total = -chips * sum(t.bytes(chips) for t in program.tensors if t.kind == "weight")
    for space in load().spaces.values():
        count = sum(i.role == space.role for i in system.instances)
        total += count * sum(b - a for a, b in spans_of(program, space.name))
    if total > limit:
        raise Stopped(
            "E1206",
            "the program needs more memory than it was allowed",
            expected=f"at most {limit} bytes",
            found=f"{total} bytes",
            hint="raise --max-memory",
        )
