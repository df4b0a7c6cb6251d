"""Makes the recording that traces are written from out of recorded events."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from maiacc_isa.program import Block
from maiacc_sim.places import semaphore_name, source_text, word_text
from maiacc_sim.recording import CounterTrack, Flows, Ints, Recording, Slices, Track, WordInfo
from maiacc_sim.system import Instance
from maiacc_sim.timing.interface import Events, Span, Timer
from maiacc_sim.timing.record import BY_PUSH
from maiacc_sim.timing.usage import memory_in_use
from maiacc_sim.timing.variants import Variant


def instruction_recording(engine: Timer, recorder: Events, title: str, cycles: int) -> Recording:
    """Every execution of every engine word and SLD, semaphores and memories over time."""
    system = engine.system
    tracks = [Track(path_of(q.instance), q.name) for q in system.queues]
    words, number_of = _words(engine)
    stalls, reasons = _Stalls(engine).table()
    variants = np.array(recorder.variant, np.int64)
    begin, ready = np.array(recorder.begin, np.int64), np.array(recorder.ready, np.int64)
    free, late = np.array(recorder.free, np.int64), np.array(recorder.late, np.int64)
    pushed = np.array(recorder.cause, np.int64) == BY_PUSH
    stalled = np.where(pushed, ready - free, begin - np.maximum(ready, free))
    stall = np.where(stalled > 0, reasons[variants, np.where(pushed, 0, late + 1)], 0)
    slices = Slices(
        np.array(recorder.unit, np.int64),
        number_of[variants],
        begin,
        np.array(recorder.end, np.int64),
        np.array(recorder.complete, np.int64),
        stall,
        np.where(stall > 0, stalled, 0),
    )
    flows = Flows(np.array(recorder.posters, np.int64), np.array(recorder.waiters, np.int64))
    counters = [*_semaphores(engine, recorder), *memory_in_use(engine, recorder)]
    return Recording(title, _clock(engine), cycles, tracks, words, stalls, slices, counters, flows)


def region_recording(
    engine: Timer, recorder: Events, title: str, spans: list[Span], level: str
) -> Recording:
    """Executions of blocks and, on control processors, regions between MARKs: all of them at
    level `kernel`, the outermost at level `layer`."""
    system = engine.system
    tracks = [Track((), "blocks"), *(Track(path_of(q.instance), q.name) for q in system.queues)]
    names: dict[str, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    for span in spans:
        word = names.setdefault(f"block {span.block}", len(names))
        rows.append((0, word, span.start, span.end))
    open_: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for unit, cycle, step in recorder.marks:
        if step.word["what"] == "begin":
            open_[unit].append((step.word["id"], cycle))
            continue
        region, begin = open_[unit].pop()
        if level == "layer" and open_[unit]:
            continue
        word = names.setdefault(f"region {region}", len(names))
        rows.append((unit + 1, word, begin, cycle))
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    none = np.zeros(len(rows), np.int64)
    slices = Slices(columns[0], columns[1], columns[2], columns[3], columns[3], none, none)
    infos = [WordInfo("", name, name, "", 0) for name in names]
    cycles = spans[-1].end if spans else 0
    return Recording(title, _clock(engine), cycles, tracks, infos, [""], slices)


def path_of(instance: Instance) -> tuple[str, ...]:
    """The groups that an instance's tracks stand in."""
    parts = [f"chip {instance.chip}"]
    if instance.cluster >= 0:
        parts.append(f"cluster {instance.cluster}")
    if instance.tile >= 0:
        parts.append(f"tile {instance.tile}")
    return tuple(parts)


def _clock(engine: Timer) -> float:
    return float(engine.program.machine["clock.hz"])


def _words(engine: Timer) -> tuple[list[WordInfo], Ints]:
    """What slices show of their words, and the entry of each variant."""
    infos: list[WordInfo] = []
    known: dict[tuple[int, int, int], int] = {}
    numbers = []
    for v in engine.variants:
        moved = _moved(v)
        key = (v.block, v.index, moved)
        if key not in known:
            block = engine.program.blocks[v.block]
            known[key] = len(infos)
            infos.append(
                WordInfo(
                    f"{block.name}:{v.index}",
                    block.words[v.index].row.mnemonic,
                    word_text(engine.program, block, v.index),
                    source_text(engine.program, block, v.index),
                    moved,
                )
            )
        numbers.append(known[key])
    return infos, np.array(numbers, np.int64)


def _moved(v: Variant) -> int:
    """Bytes of elements a word moves: those of its largest operand."""
    views = [view for view in v.measure.views.values() if view is not None]
    return max((view.payload() for view in views if view.space != "iota"), default=0)


class _Stalls:
    """Reasons to wait, by variant: the control processor, and each semaphore."""

    def __init__(self, engine: Timer) -> None:
        self.engine = engine
        self.names = [""]
        self.numbers: dict[str, int] = {}

    def table(self) -> tuple[list[str], Ints]:
        """Names, and for each variant the number of (control, first wait, second wait)."""
        rows = []
        for v in self.engine.variants:
            block = self.engine.program.blocks[v.block]
            waits = [self._semaphore(block, sem) for sem, _ in block.words[v.index].waits]
            row = [self._number("control processor"), *(self._number(name) for name in waits)]
            rows.append([*row, 0, 0][:3])
        return self.names, np.array(rows, np.int64).reshape(-1, 3)

    def _semaphore(self, block: Block, sem: int) -> str:
        return f"{semaphore_name(block, sem)} ({block.semaphores[sem].poster})"

    def _number(self, name: str) -> int:
        if name not in self.numbers:
            self.numbers[name] = len(self.names)
            self.names.append(name)
        return self.numbers[name]


def _semaphores(engine: Timer, recorder: Events) -> list[CounterTrack]:
    """Tokens of every semaphore at every waiter, added up over posters."""
    changes: dict[tuple[tuple[str, ...], str], Counter[int]] = defaultdict(Counter)
    for block, counter, cycle, change in recorder.levels:
        wiring = recorder.blocks[block][1].wiring
        sem, waiter, _ = wiring.counters[counter]
        name = recorder.blocks[block][1].names[sem]
        if len(engine.program.blocks) > 1:
            name = f"{recorder.blocks[block][0].name}.{name}"
        changes[path_of(waiter.instance), f"{name} (for {waiter.name})"][cycle] += change
    return [counter_track(path, name, "tokens", deltas) for (path, name), deltas in changes.items()]


def counter_track(
    path: tuple[str, ...], name: str, unit: str, changes: Counter[int]
) -> CounterTrack:
    """A counter from its changes by cycle."""
    times = np.array(sorted(changes), np.int64)
    values = np.cumsum([changes[t] for t in times.tolist()]).astype(np.int64)
    return CounterTrack(path, name, unit, times, values)
