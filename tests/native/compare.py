"""What two simulators leave, compared: every byte of every memory, and every number of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.native.memory import NativeMemories
from maiacc_sim.native.timing_engine import NativeEngine
from maiacc_sim.native.timing_events import COLUMNS, EventColumns
from maiacc_sim.pages import Bytes, Ints
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.simulate import Result
from maiacc_sim.timing.account import Account, account
from maiacc_sim.timing.engine import Engine
from maiacc_sim.timing.interface import Timer
from maiacc_sim.timing.record import Recorder

Written = dict[Owner, tuple[Ints, Bytes]]

NOTHING = np.zeros(0, np.int64), np.zeros(0, np.uint8)


# ---- memories ---------------------------------------------------------------------------------
def written(memories: Memories) -> Written:
    """What a simulator has written to pages."""
    return {owner: (offsets, values) for owner, offsets, values in memories.image()}


def differences(program: Program, reference: Memories, native: NativeMemories) -> list[str]:
    """Where memories differ, in words.

    What the reference has not written is zero in a native memory, but for outputs and states:
    their bytes are new ones of the host, which nothing may read before it writes them.
    """
    return list(_differences(program, reference, native))


def _differences(program: Program, reference: Memories, native: NativeMemories) -> Iterator[str]:
    chips = program.machine.chips
    fresh = {
        (t.base, t.base + t.bytes(chips)) for t in program.tensors if t.kind in ("output", "state")
    }
    wanted, paged = written(reference), written(native)
    left = {owner: np.ones(len(offsets), np.bool_) for owner, (offsets, _) in wanted.items()}
    for owner, start, data in native.contents():
        offsets, values = wanted.get(owner, NOTHING)
        inside = (offsets >= start) & (offsets < start + len(data))
        if owner in left:
            left[owner] &= ~inside
        new = owner.space == "hbm" and (start, start + len(data)) in fresh
        full = data.copy() if new else np.zeros(len(data), np.uint8)
        full[offsets[inside] - start] = values[inside]
        yield from _unequal(native.title(owner), start, full, data)
    for owner in wanted.keys() | paged.keys():
        offsets, values = wanted.get(owner, NOTHING)
        outside = left.get(owner, slice(None))
        found, held = paged.get(owner, NOTHING)
        if not np.array_equal(offsets[outside], found):
            yield f"{native.title(owner)}: other bytes are written outside all pieces"
        elif not np.array_equal(values[outside], held):
            yield f"{native.title(owner)}: bytes outside all pieces differ"


def _unequal(title: str, start: int, wanted: NDArray[np.uint8], found: Bytes) -> Iterator[str]:
    wrong = np.flatnonzero(wanted != found)
    if len(wrong):
        at, last = int(wrong[0]), int(wrong[-1])
        few = slice(at, min(last, at + 15) + 1)
        yield (
            f"{title}: {len(wrong)} bytes from 0x{start + at:x} to 0x{start + last:x}: "
            f"{wanted[few].tobytes().hex(' ')} expected, {found[few].tobytes().hex(' ')} found"
        )


# ---- results ---------------------------------------------------------------------------------
def same(one: Result, two: Result) -> bool:
    """Whether two runs have the same outputs and cycles."""
    assert one.outputs.keys() == two.outputs.keys()
    pairs = [(one.outputs[name], two.outputs[name]) for name in one.outputs]
    return one.cycles == two.cycles and all(a.tobytes() == b.tobytes() for a, b in pairs)


# ---- time -------------------------------------------------------------------------------------
def time_differences(
    program: Program, scalars: Callable[[], Scalars], columns: bool = True
) -> list[str]:
    """Which numbers of a timed run differ, with and without skipping; ``columns``: which columns
    of its events, too."""
    found = []
    recorder, events = Recorder(), EventColumns()
    for skip in (True, False):
        record = columns and not skip
        engine = Engine(program, scalars(), skip, recorder if record else None)
        wanted = account(engine, engine.run())
        native = NativeEngine(program, scalars(), skip)
        found += _account_differences(skip, wanted, account(native, native.run()))
        found += ["spans"] * (engine.spans != native.spans)
        found += ["variants"] * (_variants(engine) != _variants(native))
    if columns:
        NativeEngine(program, scalars(), False, events).run()
        found += event_differences(recorder, events)
    return found


def _variants(timer: Timer) -> list[tuple[object, ...]]:
    """What tells the variants of words from each other, in the order in which they were met."""
    return [
        (v.queue.number, v.block, v.index, v.occupancy, v.latency, tuple(v.passes), tuple(v.acc))
        for v in timer.variants
    ]


def _account_differences(skip: bool, one: Account, two: Account) -> list[str]:
    """Which parts of two accounts differ."""
    how = "skipping" if skip else "without skipping"
    parts: dict[str, Callable[[Account], object]] = {
        "cycles": lambda a: a.cycles,
        "queues": lambda a: [(str(q.queue), q.busy, q.waits, q.words) for q in a.queues],
        "ports": lambda a: a.port_ticks,
        "words": lambda a: {k: (w.count, w.busy, w.waits) for k, w in a.words.items()},
        "skipped": lambda a: a.skipped,
        "executed": lambda a: a.executed,
    }
    return [f"{name}, {how}" for name, part in parts.items() if part(one) != part(two)]


def event_differences(one: Recorder, two: EventColumns) -> list[str]:
    """Which columns of recorded events differ."""
    found = [
        f"column {name}"
        for name in COLUMNS
        if not np.array_equal(np.array(getattr(one, name)), getattr(two, name))
    ]
    found += ["flows"] * (list(one.posters) != two.posters.tolist())
    found += ["flows"] * (list(one.waiters) != two.waiters.tolist())
    found += ["levels"] * (one.levels != two.levels)
    marks = [[(u, t, s.index) for u, t, s in each.marks] for each in (one, two)]
    found += ["marks"] * (marks[0] != marks[1])
    starts = [[(block.name, at) for block, _, at in each.blocks] for each in (one, two)]
    found += ["blocks"] * (starts[0] != starts[1])
    return found
