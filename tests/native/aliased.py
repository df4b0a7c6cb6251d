"""What native memories have put off: how many copies, and what outputs stand for."""

from __future__ import annotations

from maiacc_sim.memory import Owner
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.native.memory import NativeMemories


def aliases(memories: NativeMemories) -> int:
    """How many copies are still put off."""
    return int(memories.records["aliased"].sum())


def onward(machine: NativeMachine) -> int:
    """How many bytes of scratch memories outputs of chip 0 stand for."""
    found, memories = 0, machine.memories
    chip = Owner("hbm", memories.system.instance("chip", 0).number)
    for tensor in machine.program.tensors:
        if tensor.kind == "output":
            data = memories.fetch(chip, tensor.base, tensor.bytes(machine.program.machine.chips))
            low = data.ctypes.data
            for owner, known in memories._aliases.items():
                for alias in known[: int(memories._record(owner)["aliased"])]:
                    inside = low <= int(alias["origin"] + alias["start"]) < low + len(data)
                    found += int(alias["end"] - alias["start"]) * inside
    return found
