"""Single words executed natively, on the instances and in the order that a test says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from unittest import mock

from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word, complete
from maiacc_sim.memory import Memories
from maiacc_sim.native.image import BlockImage, block_image
from maiacc_sim.native.machine import ENDLESS, NativeMachine
from maiacc_sim.scalars import COUNTER
from maiacc_sim.system import Instance
from maiacc_sim.traps import Trap
from native.compare import differences, written

#: What ends a block.
END = complete(Word("END", None, ("tile", "cluster", "chip")))


class Twin:
    """A native machine whose memories begin as those of a reference. Words lose their waits and
    posts, so each is executed when it is its turn."""

    def __init__(self, program: Program) -> None:
        self.program = program
        # Some cases are words that no session would execute.
        self.machine = NativeMachine(program, legal=True)
        self.machine.state.fresh({}, ENDLESS)
        self.blocks = 0
        #: Words that Python executed, by instruction.
        self.asked: Counter[str] = self.machine.asked

    def copy(self, memories: Memories) -> None:
        """Takes over what a reference has written."""
        for owner, (offsets, values) in written(memories).items():
            self.machine.memories.write(owner, offsets, values, 1)

    def words(
        self,
        block: Block,
        indices: Collection[int],
        instances: Collection[Instance],
        iteration: tuple[int, ...] = (),
    ) -> None:
        """Executes words of a block on some instances, as if in loops at some iteration."""
        words = tuple(replace(block.words[i], waits=(), posts=()) for i in indices)
        lines = tuple(block.lines[i] for i in indices if i < len(block.lines))
        self.blocks += 1
        only = replace(
            block,
            name=f"{block.name} {self.blocks}",  # plans are kept by the name of a block
            words=(*words, END),
            lines=lines,
            origins=(),
            live_in=(),
        )
        state, numbers = self.machine.state, [i.number for i in instances]
        begin = state.begin

        def begun(image: BlockImage) -> Any:
            counters = begin(image)
            controls = state.instances["control"]
            controls["done"] = 1
            controls["done"][numbers] = 0
            controls["depth"] = len(iteration)
            for level, value in enumerate(iteration):
                controls["sources"]["value"][:, COUNTER + level] = value
                controls["sources"]["known"][:, COUNTER + level] = 1
            return counters

        with mock.patch.object(state, "begin", begun):
            self.machine._execute(block_image(only, self.machine.system))

    def differences(self, memories: Memories) -> list[str]:
        """Where a reference's memories are others."""
        return differences(self.program, memories, self.machine.memories)


def same_trap(wanted: Trap, found: Trap) -> list[str]:
    """How the trap of a native run differs from the one of a word that was executed by itself."""
    parts = {
        "name": (wanted.name, found.name),
        "code": (wanted.code, found.code),
        "expected": (wanted.expected, found.expected),
        "found": (wanted.found, found.found),
    }
    wrong = [f"{part}: {a} and {b}" for part, (a, b) in parts.items() if a != b]
    if not found.message.startswith(f"trap {wanted.name}: {wanted.message} ("):
        wrong.append(f"message: {wanted.message} and {found.message}")
    return wrong
