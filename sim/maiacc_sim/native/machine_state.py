"""The records that stay from block to block while a machine executes a program natively."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_sim.native import records, state
from maiacc_sim.native.arrays import Records, blank, columns, numbers
from maiacc_sim.native.codes import SOURCES
from maiacc_sim.native.format_records import formats
from maiacc_sim.native.image import BlockImage
from maiacc_sim.native.shared import COLUMNS, DEPTH, SOME_COLUMNS, SOME_ROWS
from maiacc_sim.scalars import Sources, fresh_sources
from maiacc_sim.system import System

#: Scalars that a control processor loads before Python takes them.
LOG_SIZE = 4096

#: Words between two numbers that several threads change.
APART = 8


@dataclass
class Scratch:
    """What one thread works with, and the arrays behind it."""

    record: Records
    address: int
    arrays: list[Any] = field(default_factory=list)


class MachineState:
    """Instances, queues and control processors of a system, as native code has them."""

    def __init__(self, program: Program, system: System, memories: Records, threads: int) -> None:
        self.program, self.system = program, system
        self.depth = program.machine.int("queue.depth")
        count = len(system.instances)
        self.record = blank(state.Machine, 1)
        self.address = self.record.ctypes.data
        self.instances = blank(state.Instance, count)
        self.own_queues = [q for q in system.queues if q.row.engine != "control"]
        self.queues = blank(state.Queue, len(self.own_queues))
        self.rings = blank(records.Issue, len(self.own_queues) * self.depth)
        self.logs = np.zeros((count, LOG_SIZE), np.int64)
        self.formats = formats()
        self.ready = np.zeros(count, np.int64)
        self.states = np.zeros(count * APART, np.int64)
        self.flags = np.zeros(3 * APART, np.int64)
        self.params = np.zeros(max(1, len(program.parameters)), np.int64)
        self.memories = memories
        self.first_queue: dict[int, int] = {}
        self._shown: BlockImage | None = None
        self._instances()
        self._record()
        self.scratch = [self._scratch() for _ in range(threads)]
        self.executed = [scratch.record["executed"] for scratch in self.scratch]
        self.fuel = [scratch.record["fuel"] for scratch in self.scratch]

    def _instances(self) -> None:
        roles = load().roles
        ring = self.rings.ctypes.data
        self.queues["ring"] = ring + np.arange(len(self.queues)) * (
            self.depth * self.rings.itemsize
        )
        for position, q in enumerate(self.own_queues):
            self.first_queue.setdefault(q.instance.number, position)
        for i in self.system.instances:
            r = self.instances[i.number]
            own = [q for q in self.own_queues if q.instance is i]
            r["role"] = roles[i.role].code
            r["chip"], r["cluster"], r["tile"] = i.chip, i.cluster, i.tile
            r["first_queue"], r["queues"] = self.first_queue.get(i.number, 0), len(own)
            r["first_code"] = own[0].row.code if own else 0
            r["control"]["log"] = self.logs[i.number].ctypes.data
            for code, value in i.ids.items():
                r["control"]["sources"]["value"][code] = value
                r["control"]["sources"]["known"][code] = 1
        controls = self.instances["control"]
        self.done, self.logged, self.waiting = (
            controls["done"],
            controls["logged"],
            self.queues["count"],
        )
        self._sources = columns(self.instances, "control.sources")
        self._ids = self._sources.copy()
        self._zeroed = [
            columns(self.queues, "", "head", "executed"),
            columns(self.instances, "control", "at", "logged"),
            columns(self.record, "", "ready_head", "ready_tail"),
            self.states,
            self.flags,
        ]

    def _record(self) -> None:
        m, machine = self.record[0], self.program.machine
        chips = [i for i in self.system.instances if i.role == "chip"]
        self.chip_queues = numbers(self.first_queue.get(i.number, 0) for i in chips)
        self.chip_instances = numbers(i.number for i in chips)
        self.reach = self._reach()
        for name, array in (
            ("formats", self.formats),
            ("instances", self.instances),
            ("queues", self.queues),
            ("params", self.params),
            ("reach", self.reach),
            ("chip_queues", self.chip_queues),
            ("chip_instances", self.chip_instances),
            ("ready", self.ready),
            ("states", self.states),
            ("memories", self.memories),
        ):
            m[name] = array.ctypes.data
        base, apart = self.flags.ctypes.data, APART * self.flags.itemsize
        m["guard"], m["active"], m["halt"] = base, base + apart, base + 2 * apart
        m["instance_count"], m["depth"] = len(self.system.instances), self.depth
        m["param_count"] = len(self.program.parameters)
        m["chips"], m["clusters"], m["tiles"] = machine.chips, machine.clusters, machine.tiles
        m["log_size"] = LOG_SIZE

    def _reach(self) -> NDArray[np.int64]:
        """Whether links lead from chip to chip, by link, chip and peer."""
        machine = self.program.machine
        chips = range(machine.chips)
        return numbers(
            machine.reaches(link, a, b)
            for link in range(machine.links)
            for a in chips
            for b in chips
        )

    def _scratch(self) -> Scratch:
        machine = self.program.machine
        sums = machine.space_bytes("acc") // 4 * 16
        rows = max(machine.space_bytes("tsram"), 1 << 16)
        each = DEPTH + 32
        record = blank(state.Thread, 1)
        result = Scratch(record, record.ctypes.data)
        r = record[0]
        for name, kind, size in (
            ("owner", np.int64, 256 * machine.chips + 256),
            ("peer", np.int64, machine.chips + 1),
            ("left", np.float32, SOME_ROWS * each),
            ("right", np.float32, max(SOME_COLUMNS + COLUMNS, SOME_ROWS) * each),
            ("rows", np.float32, (COLUMNS + 1) * each),
            ("product", np.float32, 2 * sums + 64),
            ("keys", np.int64, rows),
            ("places", np.int64, rows),
            ("spare", np.int64, 2 * rows),
            ("bytes", np.uint8, 8 * rows),
        ):
            array = np.zeros(size, kind)
            result.arrays.append(array)
            r[name] = array.ctypes.data
        r["sort_size"], r["product_size"] = rows, sums
        return result

    # ---- from run to run, and from block to block ---------------------------------------------
    def fresh(self, parameters: dict[int, int], max_steps: int) -> None:
        """Control processors that know nothing but their ids."""
        for number, value in parameters.items():
            self.params[number] = value
        self.record[0]["max_steps"] = max_steps
        self._sources[:] = self._ids
        for count in self.executed:
            count[0] = 0

    def begin(self, image: BlockImage) -> NDArray[np.int64]:
        """Every queue empty, every counter with its first tokens; these counters."""
        if image is not self._shown:
            image.show(self.record[0])
            self.instances["steps"] = image.step_addresses[self.instances["role"]]
            self._shown = image
        image.counters[:] = image.initial
        for view in self._zeroed:
            view.fill(0)
        return image.counters

    def go_on(self) -> None:
        """Takes back the order to all threads to return."""
        self.flags[2 * APART] = 0

    def take_logs(self, log: dict[int, list[int]]) -> None:
        """Moves loaded scalars from the records to a log."""
        for number in self.logged.nonzero()[0].tolist():
            found = self.logs[number, : self.logged[number]].tolist()
            log.setdefault(number, []).extend(found)
            self.logged[number] = 0

    def sources(self, number: int) -> Sources:
        """The sources of a control processor, as Python has them."""
        control = self.instances[number]["control"]["sources"]
        result = fresh_sources(self.system.instances[number])
        for code in range(min(SOURCES, len(result))):
            result[code] = int(control["value"][code]) if control["known"][code] else None
        return result
