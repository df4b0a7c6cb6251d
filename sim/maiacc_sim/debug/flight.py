"""What is on its way into a buffer while the debugger stands.

The debugger lets words take effect in the cycle in which they start. In time their results are
there when they are complete, so whoever looks at a buffer in between is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from maiacc_sim.debug.contents import Contents
from maiacc_sim.debug.pace import Pace, TimedPace
from maiacc_sim.debug.queues import Execution
from maiacc_sim.debug.stops import Standing
from maiacc_sim.executor import Executor
from maiacc_sim.memory import Owner


def arriving(pace: Pace, executor: Executor, contents: Contents) -> Iterator[Standing]:
    """Words executed but not complete that write a buffer which is looked at."""
    if not isinstance(pace, TimedPace):
        return
    recorder, buffer = pace.timeline.recorder, contents.buffer
    owner = Owner(buffer.space, contents.instance.number)
    first = buffer.base + contents.slot * buffer.pitch
    for event, issue in sorted(pace.issues.items()):
        if recorder.complete[event] <= pace.cycle:
            continue
        v = pace.timeline.variant(event)
        block = pace.timeline.engine.program.blocks[v.block]
        for operand in executor.written(block, v.queue.instance, issue):
            view = operand.located
            place = view.descriptor.base + view.offset
            if owner in operand.owners and first <= place < first + buffer.slot_bytes:
                times = recorder.begin[event], recorder.end[event], recorder.complete[event]
                yield Standing(v.queue, Execution(block, v.index, issue.iteration, *times))
                break
