"""How much of each on-chip memory is in use over time: for traces.

A buffer counts as in use on an instance from the start of the first word that touches it there
to the completion of the last one.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from maiacc_isa.program import Block, Buffer
from maiacc_sim.recording import CounterTrack
from maiacc_sim.system import Instance
from maiacc_sim.timing.interface import Events, Timer
from maiacc_sim.timing.variants import Variant

#: Memories that are shown.
SHOWN = ("tsram", "csram", "acc")


def memory_in_use(engine: Timer, recorder: Events) -> list[CounterTrack]:
    """Bytes in use of each TSRAM, CSRAM and accumulator memory that the program touches."""
    touched = [_touched(engine, v) for v in engine.variants]
    variants = np.array(recorder.variant, np.int64)
    begin, complete = np.array(recorder.begin), np.array(recorder.complete)
    uses: dict[tuple[int, str, int, str], tuple[int, int]] = {}
    for number, places in enumerate(touched):
        events = np.flatnonzero(variants == number) if places else np.zeros(0, np.int64)
        if not events.size:
            continue
        first, last = int(begin[events].min()), int(complete[events].max())
        for instance, buffer in places:
            key = (instance.number, buffer.space, engine.variant(number).block, buffer.name)
            known = uses.get(key, (first, last))
            uses[key] = (min(known[0], first), max(known[1], last))
    changes: dict[tuple[int, str], Counter[int]] = {}
    sizes = {
        (number, b.name): b.end - b.base
        for number, block in enumerate(engine.program.blocks)
        for b in block.buffers
    }
    for (number, space, block, name), (first, last) in uses.items():
        deltas = changes.setdefault((number, space), Counter())
        deltas[first] += sizes[block, name]
        deltas[last] -= sizes[block, name]
    return [_track(engine.system.instances[n], space, c) for (n, space), c in changes.items()]


def _track(instance: Instance, space: str, changes: Counter[int]) -> CounterTrack:
    path = [f"chip {instance.chip}", f"cluster {instance.cluster}", f"tile {instance.tile}"]
    depth = {"chip": 1, "cluster": 2, "tile": 3}[instance.role]
    times = np.array(sorted(changes), np.int64)
    values = np.cumsum([changes[t] for t in times.tolist()]).astype(np.int64)
    return CounterTrack(tuple(path[:depth]), f"{space} in use", "bytes", times, values)


def _touched(engine: Timer, v: Variant) -> list[tuple[Instance, Buffer]]:
    """The buffers a word touches, with the instances whose memory they lie in."""
    block = engine.program.blocks[v.block]
    found = []
    for name, view in v.measure.views.items():
        if view is None or view.space not in SHOWN:
            continue
        buffer = _buffer(block, view.space, view.descriptor.base)
        if buffer is not None:
            found += [
                (owner, buffer)
                for owner in engine.ports.owners(v.measure, v.queue.instance, name, v.homes)
            ]
    return found


def _buffer(block: Block, space: str, base: int) -> Buffer | None:
    """The buffer that contains the base of a descriptor."""
    inside = (b for b in block.buffers if b.space == space and b.base <= base < b.end)
    return next(inside, None)
