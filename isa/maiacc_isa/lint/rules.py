"""Rules about declarations: semaphores, buffers, tensors, parameters, the machine."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from maiacc_isa.lint.findings import Report, Sites
from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.tables import Semaphore

_REACH = {"tile": 0, "cluster": 1, "chip": 2, "remote": 3}


def check_program(program: Program, report: Report) -> None:
    """Tensors fit HBM and do not overlap."""
    machine = program.machine
    capacity = machine.space_bytes("hbm")
    placed = []
    for tensor in program.tensors:
        line = program.places.get(f"tensor {tensor.name}")
        if tensor.split and (not tensor.shape or tensor.shape[0] % machine.chips):
            report.say(
                "E0706",
                f"tensor {tensor.name} cannot be split over {machine.chips} chips",
                expected="a first axis that the number of chips divides",
                line=line,
            )
            continue
        size = tensor.bytes(machine.chips)
        if tensor.base + size > capacity:
            report.say(
                "E0706",
                f"tensor {tensor.name} does not fit HBM",
                expected=f"at most 0x{capacity:x}",
                found=f"0x{tensor.base + size:x}",
                line=line,
            )
        if tensor.base % 64:
            message = f"tensor {tensor.name} does not start at a multiple of 64 bytes"
            report.say("E0704", message, line=line)
        placed.append((tensor.base, tensor.base + size, tensor.name))
    placed.sort()
    for (_, end, name), (start, _, other) in pairwise(placed):
        if start < end:
            line = program.places.get(f"tensor {other}")
            report.say("E0709", f"tensors {name} and {other} overlap in HBM", line=line)
    names = [t.name for t in program.tensors] + [t.result for t in program.tensors if t.result]
    if len(set(names)) < len(names):
        report.say("E0709", "two tensors, or a tensor and a result, have one name")


def check_block(program: Program, block: Block, report: Report, sites: Sites) -> None:
    """Semaphores reach as far as their queues are apart; buffers fit their memory."""
    semaphores = _Semaphores(program, block, report)
    for number in range(len(block.semaphores)):
        semaphores.check(number, sites.text.semaphore_name(number))
    machine = program.machine
    for b in block.buffers:
        capacity = machine.space_bytes(b.space)
        line = block.places.get(f"buffer {b.name}")
        if b.space != "iota" and b.end > capacity:
            report.say(
                "E0706",
                f"buffer {b.name} of block {block.name} does not fit {b.space}",
                expected=f"at most {capacity} bytes",
                found=f"{b.end} bytes: {b.slots} x {b.slot_bytes} from 0x{b.base:x}",
                hint="fewer slots, smaller tiles, or reuse a buffer no longer needed",
                line=line,
            )
        if b.slots > 1 and b.pitch < b.slot_bytes:
            report.say(
                "E0706",
                f"the slots of buffer {b.name} of block {block.name} overlap",
                expected=f"pitch of at least {b.slot_bytes}",
                found=str(b.pitch),
                line=line,
            )


@dataclass(frozen=True)
class _Semaphores:
    """Checks the semaphores of one block."""

    program: Program
    block: Block
    report: Report

    def check(self, number: int, name: str) -> None:
        """Whether a semaphore's queues exist and are within its scope."""
        spec, machine = load(), self.program.machine
        sem = self.block.semaphores[number]
        where = f"semaphore {name} of block {self.block.name}"
        line = self.block.places.get(f"semaphore {number}")
        poster, waiter = spec.queues[sem.poster], spec.queues[sem.waiter]
        for queue in (poster, waiter):
            link = queue.code - spec.queues["NET0"].code
            if queue.engine == "net" and link >= machine.links:
                message = f"{where}: the machine has no link {link}"
                self.report.say("E1001", message, line=line)
                return
        widest = max(spec.roles[poster.role].code, spec.roles[waiter.role].code)
        if _REACH[sem.scope] < widest:
            scope = next(r.name for r in spec.roles.values() if r.code == widest)
            self.report.say(
                "E0903",
                f"{where} does not reach from {sem.poster} to {sem.waiter}",
                expected=f"scope {scope} or wider",
                found=sem.scope,
                line=line,
            )
        if sem.scope == "remote":
            self._remote(sem, where, line)

    def _remote(self, sem: Semaphore, where: str, line: int | None) -> None:
        spec, machine = load(), self.program.machine
        tables = self.block.tables
        if spec.queues[sem.poster].engine != "net":
            message = f"{where}: only a network queue posts to another chip"
            self.report.say("E0903", message, line=line)
            return
        if sem.origin >= len(tables) or len(tables[sem.origin]) != machine.chips:
            self.report.say(
                "E0903",
                f"{where}: the table of posters does not name one chip for each",
                expected=f"{machine.chips} entries",
                line=line,
            )
            return
        link = spec.queues[sem.poster].code - spec.queues["NET0"].code
        for chip, origin in enumerate(tables[sem.origin]):
            if origin >= 0 and not machine.reaches(link, origin, chip):
                self.report.say(
                    "E1010",
                    f"{where}: link {link} does not lead from chip {origin} to chip {chip}",
                    found=str(tables[sem.origin]),
                    line=line,
                )
                return
