"""Batches executed by both simulators from the same memories.

The reference executes a batch word by word; the native machine executes all of it at once but for
the words that trap, which follow one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from maiacc_isa.lint import check_words
from maiacc_isa.program import Block, Program
from maiacc_sim.memory import Memories
from maiacc_sim.pages import Bytes
from maiacc_sim.places import word_text
from maiacc_sim.traps import Trap
from native.batches import Batch, Case, batches
from native.twin import Twin, same_trap
from sim.drive import Run


@dataclass
class Outcome:
    """What came of a batch: words that were executed, traps by name, and what is wrong."""

    words: int = 0
    traps: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Takes another one in."""
        self.words += other.words
        for name, count in other.traps.items():
            self.traps[name] = self.traps.get(name, 0) + count
        self.wrong += other.wrong


def check(batch: Batch) -> Outcome:
    """Executes a batch by both simulators."""
    program = batch.program()
    findings = [f for f in check_words(program).findings if f.code not in batch.setting.allowed]
    if findings:
        sites = [(f.code, f.message, f.site.word if f.site else -1) for f in findings[:5]]
        named = [(*site, batch.cases[site[2]] if site[2] is not None else "") for site in sites]
        return Outcome(wrong=[f"illegal words: {named}"])
    run = Run(program, {}, check=False)
    for owner, image in batch.images.items():
        run.memories.store(owner, 0, image)
    twin, alone = Twin(program), Twin(program)
    twin.copy(run.memories)
    alone.copy(run.memories)
    before = run.memories.snapshot()
    block, turn = program.blocks[0], batch.setting.iteration
    traps: dict[int, tuple[Trap, Bytes]] = {}
    for index in range(len(block.words)):
        try:
            run.word(block, index, batch.instance, turn)
        except Trap as trap:
            traps[index] = trap, _accumulators(run.memories, batch)
    outcome = Outcome(len(block.words) - len(traps))
    good = [index for index in range(len(block.words)) if index not in traps]
    wrong = _executed(twin, run, block, good, batch)
    if wrong:
        wrong += _which(batch, program, good)
    for index, (wanted, held) in traps.items():
        outcome.traps[wanted.name] = outcome.traps.get(wanted.name, 0) + 1
        if batch.setting.role == "tile":
            alone.machine.memories.store(batch.owner("acc"), 0, held)
        found = _trapped(alone, block, index, wanted, batch)
        wrong += [f"{batch.cases[index]}: {_text(program, index)}: {what}" for what in found]
    if traps:
        run.memories.restore(before)
        if batch.setting.role == "tile":
            alone.machine.memories.store(batch.owner("acc"), 0, _accumulators(run.memories, batch))
        wrong += [f"a trapping word has written: {e}" for e in alone.differences(run.memories)]
    outcome.wrong = wrong
    return outcome


def _accumulators(memories: Memories, batch: Batch) -> Bytes:
    """What the accumulators hold, which words write and others read; nothing elsewhere."""
    if batch.setting.role != "tile":
        return np.zeros(0, np.uint8)
    owner = batch.owner("acc")
    return memories.fetch(owner, 0, len(batch.images[owner]))


def _executed(twin: Twin, run: Run, block: Block, good: Sequence[int], batch: Batch) -> list[str]:
    """What is wrong when words that do not trap are executed natively."""
    try:
        twin.words(block, good, [batch.instance], batch.setting.iteration)
    except Trap as trap:
        return [f"there is a trap: {trap}"]
    wrong = [f"Python executed {dict(twin.asked)}"] * bool(twin.asked)
    return wrong + twin.differences(run.memories)


def _trapped(twin: Twin, block: Block, index: int, wanted: Trap, batch: Batch) -> list[str]:
    """What is wrong with a word that should trap natively; words before it set its registers."""
    first = index
    while first and block.words[first - 1].name == "SET":
        first -= 1
    try:
        twin.words(block, range(first, index + 1), [batch.instance], batch.setting.iteration)
    except Trap as found:
        return same_trap(wanted, found)
    return [f"natively there is no trap {wanted.name}"]


def _which(batch: Batch, program: Program, good: Sequence[int]) -> list[str]:
    """The words that are to blame, found by executing one after the other."""
    run, twin = Run(program, {}, check=False), Twin(program)
    for owner, image in batch.images.items():
        run.memories.store(owner, 0, image)
    twin.copy(run.memories)
    block = program.blocks[0]
    wrong = []
    for index in good:
        run.word(block, index, batch.instance, batch.setting.iteration)
        twin.asked.clear()
        found = _executed(twin, run, block, [index], batch)
        if found:
            wrong.append(f"  case {batch.cases[index]}: {_text(program, index)}: {found}")
            twin.copy(run.memories)
    return wrong or ["  not one of the words alone"]


def _text(program: Program, index: int) -> str:
    return word_text(program, program.blocks[0], index)


def tried(cases: Sequence[Case]) -> Outcome:
    """Executes cases by both simulators."""
    total = Outcome()
    for batch in batches(cases):
        total.add(check(batch))
    return total
