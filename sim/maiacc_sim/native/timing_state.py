"""What stays from block to block in a native timed run: queues, control processors, ports."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_sim.native.arrays import blank, numbers
from maiacc_sim.native.codes import SOURCES
from maiacc_sim.native.timing import state
from maiacc_sim.native.timing_image import TimingImage
from maiacc_sim.places import semaphore_name
from maiacc_sim.ports import Ports
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.scalars import Sources, fresh_sources
from maiacc_sim.system import QueueOf, System

#: Further than any scalar.
FAR = 1 << 62


class TimingState:
    """Units (queues and control processors) of a system, as native code has them, and the cycles
    that were tallied outside words."""

    def __init__(self, program: Program, system: System, ports: Ports, skip: bool) -> None:
        self.program, self.system, self.ports, self.skip = program, system, ports, skip
        queues = self.system.queues
        self.depth = self.program.machine.int("queue.depth")
        self.units = blank(state.Unit, len(queues))
        controls = [q for q in queues if q.row.engine == "control"]
        self.controls = blank(state.Control, len(controls))
        self.rings = np.zeros((len(queues), 5, self.depth), np.int64)
        self.free = np.zeros(max(1, len(self.ports.names)), np.int64)
        self.semaphores = max(len(b.semaphores) for b in self.program.blocks)
        self.waited = np.zeros((len(controls), max(1, self.semaphores)), np.int64)
        self.control_of = {q.instance.number: n for n, q in enumerate(controls)}
        self.control_units = [q.number for q in controls]
        self._queue_names = {row.code: row.name for row in load().queues.values()}
        positions: dict[str, int] = {}
        place: dict[int, int] = {}
        for i in self.system.instances:
            place[i.number] = positions.get(i.role, 0)
            positions[i.role] = place[i.number] + 1
        self.units["control"] = -1
        for q in queues:
            u = self.units[q.number]
            u["instance"], u["position"] = q.instance.number, place[q.instance.number]
            for n, name in enumerate(("ready", "variant", "anchors", "starts", "start_events")):
                u[name] = self.rings[q.number, n].ctypes.data
        for n, q in enumerate(controls):
            self.units[q.number]["control"] = n
            self._control(n, q)
        self._clean = self.units.copy(), self.controls.copy()
        self.fresh(Scalars({}))

    def fresh(self, scalars: Scalars) -> None:
        """Everything as it is before a program starts, with the scalars of a run."""
        self.scalars = scalars
        self.units[:], self.controls[:] = self._clean
        for array in (self.rings, self.free, self.waited):
            array[:] = 0
        self.empty, self.walked = np.zeros((2, len(self.units)), np.int64)
        self.rooms: dict[int, dict[tuple[str, str], int]] = {n: {} for n in self.control_units}
        log = scalars.log or {}
        self.logs = []
        for number, values in log.items():
            # What needs more bits lies outside every interval, which is where Python is asked.
            self.logs.append(numbers(max(-FAR, min(value, FAR)) for value in values))
            c = self.controls[self.control_of[number]]
            c["log"], c["log_count"] = self.logs[-1].ctypes.data, len(values)

    def _control(self, n: int, of: QueueOf) -> None:
        c = self.controls[n]
        i = of.instance
        c["unit"], c["role"] = of.number, load().roles[i.role].code
        c["queues"] = -1
        for q in self.system.queues:
            if q.instance is i and q.row.engine != "control":
                c["queues"][q.row.code] = q.number
        for code, value in i.ids.items():
            c["sources"]["value"][code], c["sources"]["known"][code] = value, 1
        c["tokens"] = self.waited[n].ctypes.data
        first = i.chip == 0 and i.cluster <= 0 and i.tile <= 0
        c["watched"] = self.skip and first

    def begin(self, image: TimingImage, start: int) -> None:
        """Sets every queue and control processor to the start of a block."""
        units, controls = self.units, self.controls
        for name in ("head", "count", "start_head", "stuck", "hop"):
            units[name] = 0
        for name in ("flying", "blocked", "before", "event"):
            units[name] = -1
        units["free"] = units["last"] = start
        self.rings[:, 3] = start
        self.rings[:, 4] = -1
        for name in ("at", "quiet", "done", "depth"):
            controls[name] = 0
        controls["time"], controls["anchor"], controls["ended"] = start, -1, -1
        rows = sorted(load().roles.values(), key=lambda row: row.code)
        found = [image.steps[row.name] for row in rows]
        controls["steps"] = numbers(s.ctypes.data for s in found)[controls["role"]]
        controls["step_count"] = numbers(map(len, found))[controls["role"]]

    @property
    def stuck(self) -> NDArray[np.bool_]:
        """The queues that still have words."""
        queue = self.units["control"] < 0
        found: NDArray[np.bool_] = queue & ((self.units["count"] > 0) | (self.units["flying"] >= 0))
        return found

    @property
    def end(self) -> int:
        """The cycle at which the last queue or control processor of a block is at its end."""
        queue = self.units["control"] < 0
        ends = np.maximum(self.units["free"], self.units["last"])[queue]
        return int(max(ends.max(initial=0), self.controls["ended"].max()))

    def close(self, block: Block, start: int, until: int) -> None:
        """Books the time behind the last words; the next block starts at ``until``."""
        queue, controls = self.units["control"] < 0, self.controls
        units = self.control_units
        self.empty[queue] += until - self.units["free"][queue]
        self.empty[units] += until - controls["ended"]
        room, loads = controls["room"], controls["loads"]
        in_all = room.sum(axis=1) + self.waited.sum(axis=1) + loads
        self.walked[units] += controls["ended"] - start - in_all
        for n in np.flatnonzero(in_all).tolist():
            acc = self.rooms[units[n]]
            for key, cycles in self._waits(block, n):
                acc[key] = acc.get(key, 0) + cycles
        controls["room"], controls["loads"] = 0, 0
        self.waited[:] = 0

    def _waits(self, block: Block, n: int) -> Iterator[tuple[tuple[str, str], int]]:
        """What a control processor waited for in the block that is over."""
        c = self.controls[n]
        for code in np.flatnonzero(c["room"]).tolist():
            yield ("queue", self._queue_names[code]), int(c["room"][code])
        for sem in np.flatnonzero(self.waited[n]).tolist():
            yield ("semaphore", semaphore_name(block, sem)), int(self.waited[n, sem])
        if c["loads"]:
            yield ("load", ""), int(c["loads"])

    def sources(self, number: int) -> Sources:
        """The sources of a control processor, as Python has them."""
        control = self.controls[self.control_of[number]]["sources"]
        result = fresh_sources(self.system.instances[number])
        for code in range(min(SOURCES, len(result))):
            result[code] = int(control["value"][code]) if control["known"][code] else None
        return result
